//! Recordings: NDJSON as mosquitto_sub prints it, as a source of messages.
//!
//! A line is `{"tst":"2026-11-22T07:34:00.123456+0000","topic":"…","qos":1,"retain":0,"payloadlen":9,
//! "payload":{…}}`. With a topic given, a line that is none is itself the payload. Files are read in
//! pieces: what is held is one line, of at most [`LINE_BYTES_MAX`]. `.gz` and `.zst` are recognised by
//! their first bytes.
//!
//! Reading goes message by message: [`RecordedMessages::advance`], then look at
//! [`RecordedMessages::current`]; nothing is copied.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use base64::Engine;

use crate::decode::text::unescaped;
use crate::decode::timestamp::rfc3339;
use envelope::{Envelope, Field};
use lines::{Line, Lines};
use printed::Printed;

mod envelope;
mod lines;
mod merge;
mod minute;
mod printed;
mod raw;
mod recorded;
#[cfg(test)]
mod tests;
mod topics;
mod writer;

pub use lines::LINE_BYTES_MAX;
pub use merge::MergedRecordings;
pub use recorded::{Recorded, RecordedMessages, RecordingError};
pub use writer::RecordingWriter;

/// One file.
#[derive(Debug)]
pub struct Recording {
    file: String,
    lines: Lines,
    printed: Printed,
    /// For lines that carry none, and in place of those that do.
    given_topic: Option<Box<str>>,
    arrived_ms: i64,
    /// Topics repeat: the last one read stays here.
    topic: String,
    /// The payload where it is not a slice of the line.
    payload: Vec<u8>,
    current: Current,
}

#[derive(Debug)]
enum Current {
    /// A line that took the short way, with its topic and payload.
    Printed {
        topic: u32,
        payload: Range<usize>,
    },
    Line(Range<usize>),
    Payload,
    Unreadable {
        raw: Range<usize>,
        detail: String,
    },
}

impl Recording {
    /// Opens a file; `topic` is that of all its lines.
    ///
    /// # Errors
    /// It cannot be opened or its beginning cannot be read.
    pub fn open(path: &Path, topic: Option<&str>) -> Result<Self, RecordingError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(input) => Recording::from_reader(&file, input, topic),
            Err(source) => Err(RecordingError::Unreadable { file, source }),
        }
    }

    /// Reads from anything; `file` is its name in messages.
    ///
    /// # Errors
    /// Its beginning cannot be read.
    pub fn from_reader(
        file: &str,
        input: impl Read + Send + 'static,
        topic: Option<&str>,
    ) -> Result<Self, RecordingError> {
        let unreadable = |source| RecordingError::Unreadable { file: file.to_owned(), source };
        let mut lines = Lines::new(Box::new(input)).map_err(unreadable)?;
        let arrived_ms = match topic {
            Some(_) => raw::first_time(lines.look_ahead().map_err(unreadable)?),
            None => 0,
        };
        Ok(Recording {
            file: file.to_owned(),
            lines,
            printed: Printed::default(),
            given_topic: topic.map(Box::from),
            arrived_ms,
            topic: topic.unwrap_or("").to_owned(),
            payload: Vec::new(),
            current: Current::Payload,
        })
    }

    /// The line that [`Recording::current`] is of, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    fn unreadable(&mut self, raw: Range<usize>, what: &str) {
        let detail = format!("{}:{}: {what}", self.file, self.lines.number());
        self.current = Current::Unreadable { raw, detail };
    }

    /// Takes the next line if it is a common one.
    #[inline(always)]
    fn take_printed(&mut self) -> Option<()> {
        let (start, bytes) = self.lines.ready();
        let line = self.printed.read(bytes)?;
        self.lines.pass(line.end);
        self.arrived_ms = self.arrived_ms.max(line.time_ms);
        let payload = start + line.payload.start..start + line.payload.end;
        self.current = Current::Printed { topic: line.topic, payload };
        Some(())
    }

    /// Takes a line in; an error where it is an object without time.
    fn take(&mut self, line: Range<usize>) -> Result<(), RecordingError> {
        let text = &self.lines.bytes()[line.clone()];
        if text[0] != b'{' {
            return self.take_other(line, "the line is no JSON object");
        }
        match envelope::read(text) {
            Ok(Envelope {
                tst: Some(tst),
                topic,
                payload: Some(payload),
                payload_is_base64,
                payload_len,
            }) => {
                let topic = topic.filter(|_| self.given_topic.is_none());
                self.take_message(line, tst, topic, payload, payload_is_base64, payload_len)
            }
            Ok(Envelope { tst: Some(_), payload: None, .. }) => {
                self.take_other(line, "the line has no \"payload\"")
            }
            Ok(Envelope { tst: None, .. }) if self.given_topic.is_none() => {
                Err(RecordingError::NoTime { file: self.file.clone(), line: self.lines.number() })
            }
            Ok(_) => self.take_other(line, ""),
            Err(what) => self.take_other(line, what),
        }
    }

    fn take_message(
        &mut self,
        line: Range<usize>,
        tst: Field,
        topic: Option<Field>,
        payload: Field,
        payload_is_base64: bool,
        payload_len: Option<Field>,
    ) -> Result<(), RecordingError> {
        let text = &self.lines.bytes()[line.clone()];
        let Some(time_ms) = rfc3339(&text[tst.range()]) else {
            return self.take_other(line, "\"tst\" is no time such as 2026-11-22T07:34:00.123456+0000");
        };
        match topic {
            Some(topic) if text[topic.range()] == *self.topic.as_bytes() && !topic.is_escaped => {}
            Some(topic) => match std::str::from_utf8(&text[topic.range()]) {
                Ok(plain) if topic.is_escaped => self.topic = unescaped(plain),
                Ok(plain) if topic.is_text => plain.clone_into(&mut self.topic),
                _ => return self.take_other(line, "\"topic\" is no text"),
            },
            None if self.given_topic.is_some() => {}
            None => return self.take_other(line, "the line has no \"topic\""),
        }
        let raw = &text[payload.range()];
        self.payload.clear();
        self.current = if payload_is_base64 {
            // Some writers escape the slash, which base64 has.
            let plain = if payload.is_escaped { std::str::from_utf8(raw).ok().map(unescaped) } else { None };
            let encoded = plain.as_ref().map_or(raw, |plain| plain.as_bytes());
            if base64::engine::general_purpose::STANDARD.decode_vec(encoded, &mut self.payload).is_err() {
                return self.take_other(line, "\"payload_base64\" is no base64");
            }
            Current::Payload
        } else if payload.is_text && payload.is_escaped {
            let Ok(plain) = std::str::from_utf8(raw) else {
                return self
                    .take_other(line, "\"payload\" is not UTF-8; binary belongs into \"payload_base64\"");
            };
            self.payload.extend_from_slice(unescaped(plain).as_bytes());
            Current::Payload
        } else if raw == b"null"
            && !payload.is_text
            && payload_len.is_some_and(|len| text[len.range()] == *b"0")
        {
            // How an empty payload is printed.
            Current::Payload
        } else {
            Current::Line(line.start + payload.start..line.start + payload.end)
        };
        self.arrived_ms = self.arrived_ms.max(time_ms);
        Ok(())
    }

    /// Takes a line that is no recording line: a payload if the topic is given.
    #[expect(clippy::unnecessary_wraps, reason = "the last step of taking a line")]
    fn take_other(&mut self, line: Range<usize>, what: &str) -> Result<(), RecordingError> {
        if self.given_topic.is_none() {
            self.unreadable(line, what);
            return Ok(());
        }
        if let Some(newest_ms) = raw::newest_time(&self.lines.bytes()[line.clone()]) {
            self.arrived_ms = self.arrived_ms.max(newest_ms);
        }
        self.current = Current::Line(line);
        Ok(())
    }
}

impl RecordedMessages for Recording {
    fn advance(&mut self) -> Result<bool, RecordingError> {
        if self.given_topic.is_none() && self.take_printed().is_some() {
            return Ok(true);
        }
        let next = self.lines.next();
        let next = next.map_err(|source| RecordingError::Unreadable { file: self.file.clone(), source })?;
        match next {
            Line::Whole(line) => self.take(line)?,
            Line::Cut(line) => self.unreadable(line, "the line is longer than 64 MiB"),
            Line::End => return Ok(false),
        }
        Ok(true)
    }

    fn topic_number(&self) -> Option<u32> {
        match &self.current {
            Current::Printed { topic, .. } if self.printed.is_alone(*topic) => Some(*topic),
            _ => None,
        }
    }

    fn current(&self) -> Recorded<'_> {
        let payload = match &self.current {
            Current::Printed { topic, payload } => {
                let (topic, payload) = (self.printed.topic(*topic), &self.lines.bytes()[payload.clone()]);
                return Recorded::Message { topic, arrived_ms: self.arrived_ms, payload };
            }
            Current::Line(range) => &self.lines.bytes()[range.clone()],
            Current::Payload => &self.payload,
            Current::Unreadable { raw, detail } => {
                let raw = &self.lines.bytes()[raw.clone()];
                return Recorded::Unreadable { arrived_ms: self.arrived_ms, raw, detail };
            }
        };
        Recorded::Message { topic: &self.topic, arrived_ms: self.arrived_ms, payload }
    }
}
