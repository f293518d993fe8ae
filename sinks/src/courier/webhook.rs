//! A web server: each item is one request, and its answer says what has become of it.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ingest::config::Secret;
use sha2::Sha256;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

use super::parcel::{self, Outcome, Stored};

/// What is read of an answer.
const ANSWER_BYTES_MAX: u64 = 2_048;
/// Letters of an answer that are written down.
const ANSWER_CHARS_MAX: usize = 120;

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `http://…` or `https://…`.
    pub url: String,
    /// Signs what is sent.
    pub secret: Option<Secret>,
}

/// A request that is ready to go.
#[derive(Debug)]
pub(super) struct Request {
    url: String,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    /// The item as `/api/v1/queues/{name}` has it.
    pub(super) fn new(webhook: &Webhook, queue: &str, stored: &Stored) -> Request {
        let body = serde_json::to_string(stored).expect("texts and numbers, and JSON that was read");
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", stored.hash.clone()),
            ("andon-queue", queue.to_owned()),
            ("andon-item", stored.offset.to_string()),
        ];
        if let Some(secret) = &webhook.secret {
            headers.push(("andon-signature", format!("sha256={}", signature(&secret.0, &body))));
        }
        Request { url: webhook.url.clone(), body, headers }
    }

    /// Sends it and waits for the answer.
    pub(super) async fn send(self, timeout: Duration) -> Outcome {
        match parcel::begin("andon-webhook", move || self.request(timeout)) {
            Ok(answered) => {
                answered.await.unwrap_or_else(|_| Outcome::InDoubt("the request broke off".into()))
            }
            Err(outcome) => outcome,
        }
    }

    fn request(&self, timeout: Duration) -> Outcome {
        let mut request = agent().post(&self.url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let sent = request.config().timeout_global(Some(timeout)).build().send(&self.body);
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let status = response.status();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text: String = text.unwrap_or_default().chars().take(ANSWER_CHARS_MAX).collect();
        let said = format!("{status} {}", text.trim()).trim_end().to_owned();
        match status.as_u16() {
            200..300 => Outcome::Taken(said),
            408 | 425 | 429 | 500.. => Outcome::NotTaken(said),
            _ => Outcome::Refused(said),
        }
    }
}

/// An error before an answer. What went wrong before a connection stood has not arrived.
fn failed(error: &ureq::Error) -> Outcome {
    let is_certain = match error {
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        ureq::Error::Timeout(timeout) => matches!(timeout, Timeout::Resolve | Timeout::Connect),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        _ => false,
    };
    let why = error.to_string();
    if is_certain { Outcome::NotTaken(why) } else { Outcome::InDoubt(why) }
}

/// HMAC-SHA256 in hex digits.
fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Follows nobody elsewhere, and trusts whom the system trusts.
fn agent() -> &'static Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let native = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<Certificate<'static>> =
            native.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned()).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // One that the other side has closed meanwhile would leave an item in doubt.
            .max_idle_connections(0)
            .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")))
            .build();
        config.into()
    })
}

#[cfg(test)]
mod tests;
