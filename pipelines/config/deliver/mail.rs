//! `[deliver.mail.NAME]`: the mail server that people's notifications are handed to.

use sinks::courier::{CourierSettings, Destination, Mail, Security};

use super::super::kind::Kind;
use super::super::mistake::Fault;
use super::super::setting::Fallback::{Absent, Is, Required};
use super::super::setting::{Setting, duration, key, set, whole};
use super::Table;

/// The queue with what people are told.
const QUEUE: &str = "notifications";

static ONE: &[Setting] = &[
    key("server", Kind::Text, Required("\"smtp://mail.example.com:587\"")),
    key("starttls", Kind::Word(&["required", "offered"]), Absent("\"required\"")),
    key("authority", Kind::Path, Absent("\"ca.pem\"")),
    key("username", Kind::Text, Absent("\"andon\"")),
    key("password", Kind::Secret, Absent("\"env:ANDON_MAIL_PASSWORD\"")),
    key("from", Kind::Text, Required("\"Workshop Lyon <workshop@example.com>\"")),
    key("in_doubt", Kind::Word(&["resend", "hold"]), Absent("\"resend\"")),
    key("from_item", whole(1, i64::MAX), Absent("1")),
    key("timeout", duration("100ms", "15min"), Is("\"1min\"")),
];

/// `[deliver.mail]`.
pub(in crate::config) const MAIL: Setting = set(
    "deliver.mail",
    Kind::Tables(ONE),
    Absent(
        "customers\nserver = \"smtp://mail.example.com:587\"\nusername = \"andon\"\npassword = \"env:ANDON_MAIL_PASSWORD\"\n\
         from = \"Workshop Lyon <workshop@example.com>\"\nstarttls = \"required\"\nauthority = \"ca.pem\"\n\
         in_doubt = \"resend\"\nfrom_item = 1\ntimeout = \"1min\"",
    ),
    "Items of queue notifications whose channel is mail are sent as mails, one by one in their order; all others are passed \
     over. smtp://host:port (587) goes over to TLS by STARTTLS and sends nothing without, unless starttls = \"offered\" (the \
     default for a server on this machine); smtps://host:port (465) begins with TLS. authority is a PEM file of whom to trust \
     beside the system's. Each repeat has the same Message-ID; in_doubt and names are as of webhooks; from_item is the first \
     item; timeout is for all of one mail.",
);

/// One mail server.
pub(super) fn one(table: &mut Table<'_, '_, '_>) -> Option<CourierSettings> {
    let (path, values) = (table.path, table.values);
    let (server, from) = (values.text("server")?, values.text("from")?);
    let server = parsed(path, server).map_err(|fault| table.fault("server", fault)).ok();
    let from = from.parse().map_err(|why: String| {
        let remedy = "write \"Workshop <workshop@example.com>\"";
        table.fault(
            "from",
            Fault::new(format!("`{path}.from` is nobody that a mail can be from: {why}"), remedy),
        );
    });
    let password = table.secret("password");
    let username = values.text("username");
    if username.is_some() != values.text("password").is_some() {
        let message = format!("`{path}` has one of `username` and `password`");
        table.fault("username", Fault::new(message, "set both, or neither"));
    }
    let authority = values.text("authority");
    if let Some(file) = authority
        && let Err(error) = table.files.read(&table.folder.join(file))
    {
        let message = format!("`{path}.authority`: `{file}` cannot be read: {error}");
        table.fault("authority", Fault::new(message, "name a PEM file"));
    }
    let Server { is_tls, host, port } = server?;
    let is_here = matches!(host.as_str(), "127.0.0.1" | "::1" | "localhost");
    let security = match (is_tls, values.text("starttls")) {
        (true, Some(_)) => {
            let message = format!("`{path}.starttls` has no meaning with smtps://, which begins with TLS");
            table.fault("starttls", Fault::new(message, "leave the line out"));
            Security::Tls
        }
        (true, None) => Security::Tls,
        (false, Some("offered")) => Security::StartTlsIfOffered,
        (false, None) if is_here => Security::StartTlsIfOffered,
        (false, _) => Security::StartTls,
    };
    if security == Security::StartTlsIfOffered && username.is_some() && !is_here {
        let message = format!("`{path}` would say its password to another machine in the clear");
        table.fault("starttls", Fault::new(message, "write `starttls = \"required\"`"));
    }
    let mail = Mail {
        host,
        port,
        security,
        login: username.map(str::to_owned).zip(password),
        authority: authority.map(|file| table.folder.join(file)),
        from: from.ok()?,
    };
    Some(CourierSettings {
        name: table.name.to_owned(),
        queue: QUEUE.to_owned(),
        destination: Destination::Mail(mail),
        in_doubt: table.in_doubt(QUEUE),
        from: values.whole("from_item"),
        timeout: values.duration("timeout").unwrap_or_default(),
    })
}

struct Server {
    is_tls: bool,
    host: String,
    port: u16,
}

fn parsed(path: &str, text: &str) -> Result<Server, Fault> {
    if text.contains('@') {
        // Not repeated: it may hold a password.
        let remedy = "set `username`, and `password = \"env:NAME\"`";
        return Err(Fault::new(format!("`{path}.server` holds a name or password"), remedy));
    }
    let fault = || {
        let remedy = "write \"smtp://host:port\", or \"smtps://host:port\" for TLS from the start";
        Fault::new(format!("`{path}.server` is no mail server's URL: `{text}`"), remedy)
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(fault)?;
    let (is_tls, port) = match scheme {
        "smtp" => (false, 587),
        "smtps" => (true, 465),
        _ => return Err(fault()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    // A colon within brackets belongs to an IPv6 address.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| fault())?),
        _ => (rest, port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_odd = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '[' | ']');
    if host.is_empty() || port == 0 || host.contains(is_odd) {
        return Err(fault());
    }
    Ok(Server { is_tls, host: host.to_owned(), port })
}
