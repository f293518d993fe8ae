//! What a live simulation tells in the end.

use std::collections::BTreeMap;
use std::fmt;

/// What became of a live simulation.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct PublishReport {
    /// Given to the broker: acknowledged with QoS 1, written to the connection with QoS 0.
    pub messages: u64,
    pub payload_bytes: u64,
    /// Sent once more because a connection ended before the acknowledgement; not counted in `messages`.
    pub sent_again: u64,
    /// Without acknowledgement when the time was over.
    pub unacknowledged: u64,
    /// Connections that were lost or not to be had.
    pub reconnects: u64,
    pub seconds: f64,
    /// How often each enabled fault happened, by name.
    pub faults: BTreeMap<&'static str, u64>,
}

impl fmt::Display for PublishReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.messages as f64 / self.seconds.max(0.001);
        write!(f, "{} messages in {:.1} s ({rate:.1} a second)", self.messages, self.seconds)?;
        if self.reconnects > 0 {
            write!(f, ", {} connections lost, {} messages sent again", self.reconnects, self.sent_again)?;
        }
        if self.unacknowledged > 0 {
            write!(f, ", {} not acknowledged", self.unacknowledged)?;
        }
        for (fault, count) in &self.faults {
            write!(f, "\n  {fault}: {count}")?;
        }
        Ok(())
    }
}
