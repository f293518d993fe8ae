//! What recordings give: messages one after the other, and lines that are none.

use std::io;

/// What a line of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    Message {
        topic: &'a str,
        /// Never less than that of the message before.
        arrived_ms: i64,
        payload: &'a [u8],
    },
    /// No recording line: to be quarantined as [`crate::readings::Reason::NotARecordingLine`].
    Unreadable {
        /// That of the message before; 0 before the first.
        arrived_ms: i64,
        /// The line, cut at 64 KiB where it is longer than [`super::LINE_BYTES_MAX`].
        raw: &'a [u8],
        /// What is wrong with it, with `FILE:LINE` in front.
        detail: &'a str,
    },
}

impl Recorded<'_> {
    /// When it arrived.
    #[must_use]
    pub fn arrived_ms(&self) -> i64 {
        match self {
            Recorded::Message { arrived_ms, .. } | Recorded::Unreadable { arrived_ms, .. } => *arrived_ms,
        }
    }
}

/// Recorded messages, one after the other.
pub trait RecordedMessages {
    /// Goes to the next message; false at the end.
    ///
    /// # Errors
    /// The input cannot be read, or has a line that nobody can give a time to.
    fn advance(&mut self) -> Result<bool, RecordingError>;

    /// The message that [`RecordedMessages::advance`] went to. Call it only after that said true.
    fn current(&self) -> Recorded<'_>;

    /// A number that stands for the current message's topic, and in these recordings for no other; not all topics have one.
    fn topic_number(&self) -> Option<u32>;

    /// Calls `visit` for each message that is left.
    ///
    /// # Errors
    /// As [`RecordedMessages::advance`], and those of `visit`, which end the walk.
    fn for_each<E: From<RecordingError>>(
        &mut self,
        mut visit: impl FnMut(Recorded<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        Self: Sized,
    {
        while self.advance()? {
            visit(self.current())?;
        }
        Ok(())
    }
}

/// Why a recording cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("cannot read the recording {file}: {source}")]
    Unreadable { file: String, source: io::Error },
    #[error(
        "{file}:{line}: no \"tst\": the line is no recording line; give --topic TOPIC if the lines of this file are payloads"
    )]
    NoTime { file: String, line: u64 },
}
