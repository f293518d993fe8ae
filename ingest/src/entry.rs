//! What the journal holds: everything that can change a result, in one order.
//!
//! An intake entry stays the bytes that are written to disk, from the socket to the decoder: its messages
//! are read in place and never become a struct each ([`messages`]).
//!
//! An entry as bytes, integers little-endian:
//!
//! | entry         | kind byte | then                                                    |
//! |---------------|-----------|---------------------------------------------------------|
//! | intake        | `0x11`    | first message `u64`, body ([`messages`]) to the end     |
//! | tick          | `0x12`    | first_ms `i64`, last_ms `i64`                           |
//! | cut           | `0x13`    | epoch `u64`, at_ms `i64`                                |
//! | configuration | `0x14`    | bytes of the engine `u32`, engine, text to the end      |
//! | the same, changed | `0x24` | readings from `u64` (0: none), then as `0x14`          |
//! | changed, to be filled | `0x34` | as `0x24`                                          |
//! | command       | `0x15`    | see [`command`]                                         |
//! | generation    | `0x16`    | generation `u64`, writer to the end                     |
//! | filling       | `0x17`    | newest message `u64`, what fills windows to the end     |
//!
//! The upper half of the kind byte is the version of the layout.

mod builder;
pub mod command;
mod messages;
mod place;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use builder::IntakeBuilder;
pub use command::Command;
pub use messages::{Intake, MessageRef, Messages};
pub use place::MessagePlace;

use crate::time::{Epoch, Offset};

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// All messages of one group commit, raw.
    Intake(Intake),
    /// Whole seconds of arrival time have passed: each of `first_ms, first_ms + 1000, …, last_ms`, both
    /// multiples of 1000. One entry over a silent stretch means the same as its seconds one by one.
    Tick { first_ms: i64, last_ms: i64 },
    /// The epoch ends here.
    Cut { epoch: Epoch, at_ms: i64 },
    /// From here on this engine version and configuration text (all files, as checked) apply: at a start, or
    /// because the files have changed.
    Configuration { engine: String, text: String, change: Option<Change> },
    /// Somebody asks for something.
    Command(Command),
    /// From here on this process leads: the entries behind are of that generation. It changes nothing but the audit.
    Generation { generation: u64, writer: String },
    /// What history has told of new windows: of all messages up to `until_message`, the newest one when their configuration
    /// began to apply.
    Filling { until_message: u64, windows: Bytes },
}

/// Another configuration than the one before, taken up without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// New windows are filled with what came from this entry on; with nothing where the journal keeps too little.
    pub readings_from: Option<Offset>,
    /// New windows wait for what history tells of them, see [`Entry::Filling`].
    pub waits_for_history: bool,
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the entry has kind {kind:#04x}, unknown to this version; use the version that wrote it")]
    UnknownKind { kind: u8 },
    #[error("the entry ends within {what}")]
    EndsEarly { what: &'static str },
    #[error("the entry goes on after {what}")]
    GoesOn { what: &'static str },
    #[error("the entry's {what} cannot be: {why}")]
    Impossible { what: &'static str, why: &'static str },
}

const INTAKE: u8 = 0x11;
const TICK: u8 = 0x12;
const CUT: u8 = 0x13;
const CONFIGURATION: u8 = 0x14;
const CHANGED_CONFIGURATION: u8 = 0x24;
const CHANGED_TO_BE_FILLED: u8 = 0x34;
const COMMAND: u8 = 0x15;
const GENERATION: u8 = 0x16;
const FILLING: u8 = 0x17;

impl Entry {
    /// Time of the entry in milliseconds since 1970 UTC: its last arrival, second, cut or command. A configuration,
    /// a generation, a filling and an intake without messages have none.
    #[must_use]
    pub fn at_ms(&self) -> Option<i64> {
        match self {
            Entry::Intake(intake) => intake.last_arrived_ms(),
            Entry::Tick { last_ms, .. } => Some(*last_ms),
            Entry::Cut { at_ms, .. } => Some(*at_ms),
            Entry::Command(command) => Some(command.at_ms),
            Entry::Configuration { .. } | Entry::Generation { .. } | Entry::Filling { .. } => None,
        }
    }

    /// The messages that it brings into the journal, if it can.
    #[must_use]
    pub fn messages(&self) -> Option<&Intake> {
        match self {
            Entry::Intake(intake) => Some(intake),
            Entry::Command(command) => Some(&command.messages),
            Entry::Tick { .. }
            | Entry::Cut { .. }
            | Entry::Configuration { .. }
            | Entry::Generation { .. }
            | Entry::Filling { .. } => None,
        }
    }

    /// Appends the entry's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = self.encode_head(out);
        out.extend_from_slice(body);
    }

    /// Appends the bytes up to the body and gives the body back, so that the large part of an intake can
    /// go to disk from where it is.
    pub(crate) fn encode_head(&self, out: &mut Vec<u8>) -> &[u8] {
        match self {
            Entry::Intake(intake) => {
                out.push(INTAKE);
                out.extend_from_slice(&intake.first_message.to_le_bytes());
                intake.body()
            }
            Entry::Tick { first_ms, last_ms } => {
                out.push(TICK);
                out.extend_from_slice(&first_ms.to_le_bytes());
                out.extend_from_slice(&last_ms.to_le_bytes());
                &[]
            }
            Entry::Cut { epoch, at_ms } => {
                out.push(CUT);
                out.extend_from_slice(&epoch.0.to_le_bytes());
                out.extend_from_slice(&at_ms.to_le_bytes());
                &[]
            }
            Entry::Configuration { engine, text, change } => {
                let engine_bytes = u32::try_from(engine.len()).expect("an engine version is a few words");
                out.push(match change {
                    None => CONFIGURATION,
                    Some(Change { waits_for_history: false, .. }) => CHANGED_CONFIGURATION,
                    Some(Change { waits_for_history: true, .. }) => CHANGED_TO_BE_FILLED,
                });
                if let Some(Change { readings_from, .. }) = change {
                    out.extend_from_slice(&readings_from.map_or(0, |from| from.0).to_le_bytes());
                }
                out.extend_from_slice(&engine_bytes.to_le_bytes());
                out.extend_from_slice(engine.as_bytes());
                text.as_bytes()
            }
            Entry::Command(command) => {
                out.push(COMMAND);
                command.encode_head(out)
            }
            Entry::Generation { generation, writer } => {
                out.push(GENERATION);
                out.extend_from_slice(&generation.to_le_bytes());
                writer.as_bytes()
            }
            Entry::Filling { until_message, windows } => {
                out.push(FILLING);
                out.extend_from_slice(&until_message.to_le_bytes());
                windows
            }
        }
    }

    /// Reads an entry from all of `bytes`. The messages of an intake stay where they are.
    ///
    /// # Errors
    /// When the bytes are not what [`Entry::encode`] makes. Never panics, whatever they are.
    pub fn decode(mut bytes: Bytes) -> Result<Entry, EntryError> {
        let kind = take(&mut bytes, 1, "its kind")?[0];
        match kind {
            INTAKE => {
                let first_message = take_u64(&mut bytes, "the number of its first message")?;
                Ok(Entry::Intake(Intake::from_body(first_message, bytes)?))
            }
            TICK => {
                let first_ms = take_u64(&mut bytes, "its first second")?.cast_signed();
                let last_ms = take_u64(&mut bytes, "its last second")?.cast_signed();
                if first_ms > last_ms || first_ms.rem_euclid(1000) != 0 || last_ms.rem_euclid(1000) != 0 {
                    let why = "not two whole seconds in order";
                    return Err(EntryError::Impossible { what: "time", why });
                }
                end(&bytes, "its last second")?;
                Ok(Entry::Tick { first_ms, last_ms })
            }
            CUT => {
                let epoch = Epoch(take_u64(&mut bytes, "its epoch")?);
                let at_ms = take_u64(&mut bytes, "its time")?.cast_signed();
                end(&bytes, "its time")?;
                Ok(Entry::Cut { epoch, at_ms })
            }
            CONFIGURATION | CHANGED_CONFIGURATION | CHANGED_TO_BE_FILLED => {
                let change = if kind != CONFIGURATION {
                    let from = take_u64(&mut bytes, "where its readings begin")?;
                    let waits_for_history = kind == CHANGED_TO_BE_FILLED;
                    Some(Change { readings_from: (from > 0).then_some(Offset(from)), waits_for_history })
                } else {
                    None
                };
                let length = take(&mut bytes, 4, "the length of its engine version")?;
                let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
                let engine = take(&mut bytes, length as usize, "its engine version")?;
                Ok(Entry::Configuration {
                    engine: text(&engine, "engine version")?,
                    text: text(&bytes, "configuration")?,
                    change,
                })
            }
            COMMAND => Command::decode(bytes).map(Entry::Command),
            GENERATION => {
                let generation = take_u64(&mut bytes, "its generation")?;
                Ok(Entry::Generation { generation, writer: text(&bytes, "writer")? })
            }
            FILLING => {
                let until_message = take_u64(&mut bytes, "its newest message")?;
                Ok(Entry::Filling { until_message, windows: bytes })
            }
            kind => Err(EntryError::UnknownKind { kind }),
        }
    }
}

fn take(bytes: &mut Bytes, count: usize, what: &'static str) -> Result<Bytes, EntryError> {
    if bytes.len() < count {
        return Err(EntryError::EndsEarly { what });
    }
    Ok(bytes.split_to(count))
}

fn take_u64(bytes: &mut Bytes, what: &'static str) -> Result<u64, EntryError> {
    let taken = take(bytes, 8, what)?;
    Ok(u64::from_le_bytes(taken[..].try_into().expect("eight bytes were taken")))
}

fn end(bytes: &Bytes, what: &'static str) -> Result<(), EntryError> {
    if bytes.is_empty() { Ok(()) } else { Err(EntryError::GoesOn { what }) }
}

fn text(bytes: &[u8], what: &'static str) -> Result<String, EntryError> {
    let text = std::str::from_utf8(bytes).map_err(|_| EntryError::Impossible { what, why: "not UTF-8" })?;
    Ok(text.to_owned())
}
