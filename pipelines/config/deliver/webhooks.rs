//! `[deliver.webhooks.NAME]`: web servers that get a queue.

use sinks::courier::{CourierSettings, Destination, Webhook};

use super::super::kind::Kind;
use super::super::mistake::Fault;
use super::super::setting::Fallback::{Absent, Is, Required};
use super::super::setting::{Setting, duration, key, set, whole};
use super::Table;

static WEBHOOK: &[Setting] = &[
    key("queue", Kind::Word(&["billing", "notifications", "audit"]), Required("\"billing\"")),
    key("url", Kind::Text, Required("\"https://erp.example/andon\"")),
    key("secret", Kind::Secret, Absent("\"env:ANDON_ERP_SECRET\"")),
    key("in_doubt", Kind::Word(&["resend", "hold"]), Absent("\"hold\"")),
    key("from", whole(1, i64::MAX), Absent("1")),
    key("timeout", duration("100ms", "5min"), Is("\"10s\"")),
];

/// `[deliver.webhooks]`.
pub(in crate::config) const WEBHOOKS: Setting = set(
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

/// One webhook.
pub(super) fn one(table: &mut Table<'_, '_, '_>) -> Option<CourierSettings> {
    let values = table.values;
    let (queue, url) = (values.text("queue")?, values.text("url")?);
    if let Some(fault) = unfit(table.path, url) {
        table.fault("url", fault);
    }
    let webhook = Webhook { url: url.to_owned(), secret: table.secret("secret") };
    Some(CourierSettings {
        name: table.name.to_owned(),
        queue: queue.to_owned(),
        destination: Destination::Webhook(webhook),
        in_doubt: table.in_doubt(queue),
        from: values.whole("from"),
        timeout: values.duration("timeout").unwrap_or_default(),
    })
}

fn unfit(path: &str, url: &str) -> Option<Fault> {
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
