//! An item of a queue as it is stored, and what can become of it on its way outside.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

/// An item of a queue.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stored {
    pub(super) offset: u64,
    pub(super) ts_ms: i64,
    pub(super) site: Option<String>,
    pub(super) job: Option<String>,
    pub(super) kind: String,
    pub(super) key: String,
    /// As it is stored, byte for byte: what its hash speaks of.
    pub(super) body: Box<RawValue>,
    pub(super) previous: String,
    /// Names it wherever it is repeated, for no other item has it.
    pub(super) hash: String,
}

impl Stored {
    /// From a row of [`crate::store::reader::Question::Chain`]; none if it is no item.
    pub(super) fn of(row: &Value) -> Option<Stored> {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some(Stored {
            offset: row["number"].as_u64()?,
            ts_ms: row["ts_ms"].as_i64()?,
            site: text("site"),
            job: text("job"),
            kind: text("kind")?,
            key: text("key")?,
            body: RawValue::from_string(text("stored")?).ok()?,
            previous: text("previous")?,
            hash: text("hash")?,
        })
    }

    /// A text of its body.
    pub(super) fn text(&self, member: &str) -> Option<String> {
        let body: Value = serde_json::from_str(self.body.get()).ok()?;
        body[member].as_str().map(str::to_owned)
    }
}

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken(String),
    /// The other side does not have it, or asks for it again.
    NotTaken(String),
    /// It will never be taken as it is.
    Refused(String),
    InDoubt(String),
}

/// Begins to send on a thread that the end of the service does not wait for.
///
/// # Errors
/// What has become of it already, where there is no thread.
pub(super) fn begin(
    name: &str,
    send: impl FnOnce() -> Outcome + Send + 'static,
) -> Result<oneshot::Receiver<Outcome>, Outcome> {
    let (sender, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let started = thread.spawn(move || {
        let _ = sender.send(send());
    });
    started.map(|_| answered).map_err(|error| Outcome::NotTaken(format!("no thread to send it: {error}")))
}

/// What the other side says, as it may stand in journal and log: an address in it is nobody's business.
pub(super) fn without_addresses(said: &str) -> String {
    let plain: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split(' ').map(|word| if word.contains('@') { "<address>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_kept_without_the_address_that_it_repeats() {
        let said =
            "550 5.1.1 <ann@example.com>: Recipient\r\nrejected: ann@example.com, see http://b.example";
        assert_eq!(
            without_addresses(said),
            "550 5.1.1 <address> Recipient  rejected: <address> see http://b.example"
        );
    }
}
