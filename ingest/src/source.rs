//! Where messages come from: MQTT.
//!
//! [`mqtt::Session`] keeps one persistent session with one broker. It hands over messages as they come and
//! acknowledges them only when it is told to; what to do with them is [`intake`](crate::intake)'s business.

pub(crate) mod backoff;

pub(crate) mod frame;

pub(crate) mod mqtt;

mod subscriptions;

pub(crate) mod tls;

mod wire;

use std::path::PathBuf;

/// Why a source cannot even be tried. What goes wrong later (a broker that is down, a wrong password) is
/// no error: it is tried again, and the intake's status says what the matter is.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot read {what} from {}: {reason}; see `[source.tls]`", path.display())]
    Certificate { what: &'static str, path: PathBuf, reason: String },
    #[error(
        "cannot read the system's certificate authorities: {reason}; name one by `authority` in `[source.tls]`"
    )]
    SystemAuthorities { reason: String },
    #[error(
        "cannot use the client certificate of `[source.tls]`: {reason}; certificate and key must belong together"
    )]
    ClientCertificate { reason: String },
    #[error("`client_id` in `[source]` is empty; the broker keeps the session under this name")]
    NoClientId,
    #[error("there is no thread to publish from: {reason}")]
    Thread { reason: String },
    #[error("there is nothing to subscribe to; `[topics]` names no topic")]
    NoFilters,
    #[error("`qos` in `[source]` is {qos}; 0 and 1 are possible")]
    Qos { qos: u8 },
}
