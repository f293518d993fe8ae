//! What people ask for, as the journal holds it.
//!
//! Bytes of a command behind its kind byte, integers little-endian:
//!
//! | at | bytes | what                                                                                |
//! |----|-------|-------------------------------------------------------------------------------------|
//! | 0  | 8     | at_ms: when it was asked                                                            |
//! | 8  | 8     | first message: ordinal of the first of its messages, or of the next if it has none  |
//! | 16 | 4     | bytes of the order                                                                  |
//! | 20 |       | the order: JSON ([`Order`])                                                         |
//! |    |       | the body of an intake, to the end: the messages that it brings, often none          |
//!
//! A command brings messages when what they say is about the past: a message mended in quarantine, a recording. They are
//! numbered as all others are. Their arrival is that of their origin, and may lie before entries in front of the command.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::progress::{Progress, StepVerb};
use super::{EntryError, Intake, take, take_u64};

mod progress;

/// The longest actor, key and reason, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// See [`NAME_CHARS_MAX`].
pub const REASON_CHARS_MAX: usize = 500;

/// One command. Equal orders with the same key are the same command, whatever entry they stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// When it was asked, in arrival time.
    pub at_ms: i64,
    /// JSON of an [`Order`]. Text, so that a version which does not know its kind still keeps it as it came.
    pub order: String,
    /// What it brings.
    pub messages: Intake,
}

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Who asks, as they say themselves: nobody checks it yet.
    pub actor: String,
    /// The same key is the same command: it is applied once, and answered alike each time.
    pub key: String,
    pub what: What,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// Somebody has seen the exception.
    Acknowledge { exception: String, reason: Option<String> },
    /// The exception calls for nobody for so many seconds.
    Shelve { exception: String, reason: String, duration_s: u32 },
    /// A shelved exception calls again.
    Unshelve { exception: String, reason: Option<String> },
    /// What a tool says calls for nobody until it returns to service.
    OutOfService { site: String, tool: String, reason: String },
    /// A tool that was out of service is watched again.
    ReturnToService { site: String, tool: String, reason: Option<String> },
    /// A quarantined message is tried again.
    Replay {
        /// Row id in stream `quarantine`.
        record: String,
        /// Ordinal of the message that was quarantined.
        origin: u64,
        /// The one metric that was refused of it, where the others were taken in.
        metric: Option<String>,
        reason: Option<String>,
    },
    /// A latched exception is over: what it stood for has been put right.
    Reset { exception: String, reason: String },
    /// A job card is taken in, which the command brings as a message.
    Card { site: String, job: String },
    /// A technician does something to a step: the command brings the step event that says so.
    Step { site: String, bay: String, job: String, step: String, verb: StepVerb, reason: Option<String> },
    /// QA signs the record of a step, or has the step done again.
    SignOff { site: String, job: String, step: String, rework: bool, note: Option<String> },
    /// The vehicle of a job is handed over.
    Release { site: String, job: String, reason: Option<String> },
    /// A line of a bill that is held is posted by hand.
    PostLine {
        site: String,
        job: String,
        /// From 1.
        line: u32,
        note: String,
        /// Price of a unit in hundredths, for a line that has none or another; 0 writes it off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_hundredths: Option<i64>,
    },
    /// What has become of an item of a queue on its way to somebody outside.
    Deliver {
        /// Who takes it there: a webhook's or a mail's name.
        #[serde(alias = "webhook")]
        courier: String,
        queue: String,
        /// Number of the item.
        item: u64,
        progress: Progress,
        detail: String,
    },
    /// A piece of a recording becomes history.
    Import {
        /// Names the recording by its content.
        recording: String,
        /// Messages of it before the first of this piece.
        from: u64,
    },
    /// Messages that a former leader has taken in, and that are not in the log.
    Rejoin {
        /// Who had taken them in.
        fork: String,
        /// The ordinal that the first of them had there.
        from: u64,
    },
}

impl What {
    /// Its kind in streams, as in the JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            What::Acknowledge { .. } => "acknowledge",
            What::Shelve { .. } => "shelve",
            What::Unshelve { .. } => "unshelve",
            What::OutOfService { .. } => "out_of_service",
            What::ReturnToService { .. } => "return_to_service",
            What::Replay { .. } => "replay",
            What::Reset { .. } => "reset",
            What::Card { .. } => "card",
            What::Step { .. } => "step",
            What::SignOff { .. } => "sign_off",
            What::Release { .. } => "release",
            What::PostLine { .. } => "post_line",
            What::Deliver { .. } => "deliver",
            What::Import { .. } => "import",
            What::Rejoin { .. } => "rejoin",
        }
    }

    /// What it is about: id of an exception, a tool, a job, a courier, row id of a quarantine record, a recording, or who had
    /// taken messages in.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            What::Acknowledge { exception, .. }
            | What::Shelve { exception, .. }
            | What::Unshelve { exception, .. }
            | What::Reset { exception, .. } => exception,
            What::Card { job, .. }
            | What::Step { job, .. }
            | What::SignOff { job, .. }
            | What::Release { job, .. }
            | What::PostLine { job, .. } => job,
            What::OutOfService { tool, .. } | What::ReturnToService { tool, .. } => tool,
            What::Replay { record, .. } => record,
            What::Deliver { courier, .. } => courier,
            What::Import { recording, .. } => recording,
            What::Rejoin { fork, .. } => fork,
        }
    }

    /// Why, as the actor says.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            What::Acknowledge { reason, .. }
            | What::Unshelve { reason, .. }
            | What::ReturnToService { reason, .. }
            | What::Replay { reason, .. }
            | What::Step { reason, .. }
            | What::SignOff { note: reason, .. }
            | What::Release { reason, .. } => reason.as_deref(),
            What::Shelve { reason, .. }
            | What::OutOfService { reason, .. }
            | What::Reset { reason, .. }
            | What::PostLine { note: reason, .. }
            | What::Deliver { detail: reason, .. } => Some(reason),
            What::Card { .. } | What::Import { .. } | What::Rejoin { .. } => None,
        }
    }

    /// The job that it is about, if it is about one.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        let is_of_job = matches!(
            self,
            What::Card { .. }
                | What::Step { .. }
                | What::SignOff { .. }
                | What::Release { .. }
                | What::PostLine { .. }
        );
        is_of_job.then(|| self.target())
    }
}

impl Command {
    /// Asks for `order`; time and ordinals are given when it is taken in.
    #[must_use]
    pub fn new(order: &Order, messages: Intake) -> Command {
        let order = serde_json::to_string(order).expect("an order has text and numbers alone");
        Command { at_ms: 0, order, messages }
    }

    /// What is asked for.
    ///
    /// # Errors
    /// Its JSON is that of a newer version.
    pub fn order(&self) -> Result<Order, serde_json::Error> {
        serde_json::from_str(&self.order)
    }

    pub(super) fn encode_head(&self, out: &mut Vec<u8>) -> &[u8] {
        let order_bytes = u32::try_from(self.order.len()).expect("an order has a few KiB");
        out.extend_from_slice(&self.at_ms.to_le_bytes());
        out.extend_from_slice(&self.messages.first_message.to_le_bytes());
        out.extend_from_slice(&order_bytes.to_le_bytes());
        out.extend_from_slice(self.order.as_bytes());
        self.messages.body()
    }

    pub(super) fn decode(mut bytes: Bytes) -> Result<Command, EntryError> {
        let at_ms = take_u64(&mut bytes, "its time")?.cast_signed();
        let first_message = take_u64(&mut bytes, "the number of its first message")?;
        let length = take(&mut bytes, 4, "the length of its order")?;
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let order = super::text(&take(&mut bytes, length, "its order")?, "order")?;
        Ok(Command { at_ms, order, messages: Intake::from_body(first_message, bytes)? })
    }
}
