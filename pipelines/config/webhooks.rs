//! `[deliver.webhooks.NAME]`: where items of queues are sent.

use std::path::Path;

use sinks::courier::{InDoubt, Webhook};

use super::document::Reader;
use super::files::Files;
use super::kind::Kind;
use super::mistake::Fault;
use super::setting::Fallback::{Absent, Is, Required};
use super::setting::{Setting, duration, key, set, whole};
use super::values::Values;

/// Each asks the service for what it needs, beside people: so many leave room for these.
const WEBHOOKS_MAX: usize = 16;

static WEBHOOK: &[Setting] = &[
    key("queue", Kind::Word(&["billing", "notifications", "audit"]), Required("\"billing\"")),
    key("url", Kind::Text, Required("\"https://erp.example/andon\"")),
    key("secret", Kind::Secret, Absent("\"env:ANDON_ERP_SECRET\"")),
    key("in_doubt", Kind::Word(&["resend", "hold"]), Absent("\"hold\"")),
    key("from", whole(1, i64::MAX), Absent("1")),
    key("timeout", duration("100ms", "5min"), Is("\"10s\"")),
];

/// `[deliver.webhooks]`.
pub(super) const WEBHOOKS: Setting = set(
    "deliver.webhooks",
    Kind::Tables(WEBHOOK),
    Absent(
        "erp\nqueue = \"billing\"\nurl = \"https://erp.example/andon\"\nsecret = \"env:ANDON_ERP_SECRET\"\n\
         in_doubt = \"hold\"\nfrom = 1\ntimeout = \"10s\"",
    ),
    "Items of a queue (billing, notifications, audit) are sent to a web server, one by one in their order, as POST with \
     JSON. Each repeat has the same Idempotency-Key; with a secret, Andon-Signature is `sha256=` and the HMAC-SHA256 of the \
     body. Where it is not known whether an item has arrived it is sent again (in_doubt = \"resend\", the default), or a \
     person decides (\"hold\", the default for billing). The first item is the next one that comes, or `from`. The name \
     of a webhook stands for how far it is: a new name begins anew.",
);

/// The webhooks, by name.
pub(super) fn read(
    values: &Values,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) -> Vec<Webhook> {
    let tables = values.tables("deliver.webhooks");
    let mut webhooks = Vec::new();
    for (name, values) in tables {
        let span = |key: &str| values.span(key).unwrap_or_default();
        let path = format!("deliver.webhooks.{name}");
        let (Some(queue), Some(url)) = (values.text("queue"), values.text("url")) else { continue };
        if let Some(fault) = unfit(&path, name, url) {
            reader.fault(&span("url"), fault);
        }
        let secret = values.text("secret").and_then(|reference| {
            files
                .secret(&format!("{path}.secret"), reference, folder)
                .map_err(|fault| reader.fault(&span("secret"), fault))
                .ok()
                .flatten()
        });
        let in_doubt = match values.text("in_doubt") {
            Some("hold") => InDoubt::Hold,
            None if queue == "billing" => InDoubt::Hold,
            _ => InDoubt::Resend,
        };
        webhooks.push(Webhook {
            name: name.clone(),
            queue: queue.to_owned(),
            url: url.to_owned(),
            secret,
            in_doubt,
            from: values.whole("from"),
            timeout: values.duration("timeout").unwrap_or_default(),
        });
    }
    if let Some((_, beyond)) = tables.get(WEBHOOKS_MAX) {
        let message = format!("there are {} webhooks, {WEBHOOKS_MAX} are possible", tables.len());
        let remedy = "let one server hand on what others want, or read the queues over HTTP";
        reader.fault(&beyond.span("url").unwrap_or_default(), Fault::new(message, remedy));
    }
    webhooks
}

fn unfit(path: &str, name: &str, url: &str) -> Option<Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        let remedy = "use letters, digits, `_` and `-`, at most 64";
        return Some(Fault::new(format!("`{path}`: `{name}` is no fit name"), remedy));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        // Not repeated: it may hold a password.
        Some(host) if host.contains('@') => {
            let remedy = "leave name and password out of it; `secret` signs what is sent";
            Some(Fault::new(format!("`{path}.url` holds a name or password"), remedy))
        }
        Some(host) if !host.is_empty() && !url.contains(char::is_whitespace) => None,
        _ => {
            let remedy = "write \"https://host/path\", or http:// within the house";
            Some(Fault::new(format!("`{path}.url` is no URL that can be sent to: `{url}`"), remedy))
        }
    }
}
