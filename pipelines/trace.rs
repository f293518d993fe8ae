//! Where one message went: from its place in the journal to the rows, exceptions and files that hold what it said.
//!
//! The journal tells how it came and whether it repeats another; the present configuration's decoder, what it says; the
//! exports, what became of it. A message whose place in the journal is trimmed is traced from the exports alone.

mod exports;
mod journal;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::text::text;
use crate::commands::CommandError;
use crate::config::Config;

/// What is known of a message.
#[derive(Debug, Default, Serialize)]
pub struct Trace {
    /// Its ordinal.
    pub message: u64,
    /// None where the journal is trimmed beyond it.
    pub journal: Option<InJournal>,
    /// The first message that the journal still holds.
    pub journal_from_message: u64,
    /// What the present configuration reads in it.
    pub decoded: Option<Decoded>,
    pub repeats: Repeats,
    /// Rows that it became, by stream: columns by name, without nulls.
    pub rows: BTreeMap<String, Vec<Row>>,
    /// Rows of views whose window holds one of its readings, and exceptions that name one of them as evidence.
    pub windows: BTreeMap<String, Vec<Row>>,
    pub exceptions: Vec<Row>,
    /// What went into queues because of these exceptions.
    pub items: Vec<Row>,
    /// What is left out here, for it would be too much.
    pub untold: Vec<String>,
    /// Exported files that hold its rows.
    pub files: Vec<String>,
    /// Epoch of the newest checkpoint, and the first entry that it has not applied.
    pub checkpoint: Option<Checkpointed>,
}

/// Values by column, as text.
pub type Row = BTreeMap<String, String>;

/// How it came.
#[derive(Debug, Serialize)]
pub struct InJournal {
    pub offset: u64,
    pub topic: String,
    pub arrived_ms: i64,
    pub payload_bytes: usize,
    /// Of the first cut behind it: with that epoch its rows are safe and shown; none before the cut.
    pub epoch: Option<u64>,
    /// It came with a command: kind, actor, what about.
    pub command: Option<ByCommand>,
}

/// The command that brought a message.
#[derive(Debug, Serialize)]
pub struct ByCommand {
    pub kind: String,
    pub actor: String,
    pub target: String,
    /// The quarantined message that was tried again.
    pub origin: Option<u64>,
}

/// What it says.
#[derive(Debug, Default, Serialize)]
pub struct Decoded {
    pub readings: Vec<String>,
    pub events: Vec<String>,
    /// Reason and detail.
    pub rejects: Vec<(String, String)>,
}

/// Other messages of the same topic, as far as the journal goes.
#[derive(Debug, Default, Serialize)]
pub struct Repeats {
    /// The earlier message that this one repeats, element by element.
    pub repeat_of: Vec<u64>,
    /// Later ones that repeat it.
    pub repeated_by: Vec<u64>,
    /// Others with the same seq and boot and other content.
    pub conflicts: Vec<u64>,
}

/// The newest checkpoint.
#[derive(Debug, Serialize)]
pub struct Checkpointed {
    pub epoch: u64,
    pub resume_at: u64,
    /// Whether the message is part of it.
    pub holds_message: Option<bool>,
}

/// Traces a message ordinal, or the message of a row id.
///
/// # Errors
/// Nothing of it is known, or something cannot be read.
pub fn trace(config: &Config, id: &str) -> Result<Trace, CommandError> {
    let message = match id.parse::<u64>() {
        Ok(message) => message,
        Err(_) => exports::message_of_row(config, id)?,
    };
    let mut trace = Trace { message, ..Trace::default() };
    journal::look(config, &mut trace)?;
    exports::look(config, &mut trace)?;
    if trace.journal.is_none() && trace.rows.is_empty() {
        return Err(CommandError::Input {
            what: format!(
                "message {message} is neither in the journal, which begins at message {}, nor in the exports",
                trace.journal_from_message
            ),
            remedy: "ordinals stand in the column `message` of telemetry, steps and quarantine".into(),
        });
    }
    Ok(trace)
}
