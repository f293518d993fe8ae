//! Writes recordings: the lines that `mosquitto_sub -F %J` prints.

use std::io::{self, Write};

use base64::Engine;
use serde::de::IgnoredAny;

/// Writes one line a message. JSON payloads stay as they are (on one line); others become a JSON text, as
/// `%j` prints them, or `payload_base64` where they are not UTF-8.
#[derive(Debug)]
pub struct RecordingWriter<W: Write> {
    output: W,
    line: Vec<u8>,
    /// Packet id of the last message with QoS 1.
    mid: u16,
}

impl<W: Write> RecordingWriter<W> {
    /// Writes to `output`, a line at a time: hand in something buffered.
    pub fn new(output: W) -> Self {
        RecordingWriter { output, line: Vec::new(), mid: 0 }
    }

    /// Writes a message that was published with `qos` and arrived at `arrived_ms`.
    ///
    /// # Errors
    /// Those of the output; the time is beyond the year 9999.
    pub fn write(&mut self, arrived_ms: i64, topic: &str, qos: u8, payload: &[u8]) -> io::Result<()> {
        let time = jiff::Timestamp::from_millisecond(arrived_ms).map_err(io::Error::other)?;
        let topic = serde_json::to_string(topic).map_err(io::Error::other)?;
        self.line.clear();
        write!(
            self.line,
            r#"{{"tst":"{}","topic":{topic},"qos":{qos},"retain":0,"payloadlen":{},"#,
            time.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000"),
            payload.len()
        )?;
        if qos > 0 {
            self.mid = self.mid.checked_add(1).unwrap_or(1);
            write!(self.line, r#""mid":{},"#, self.mid)?;
        }
        match std::str::from_utf8(payload) {
            Ok("") => self.line.extend_from_slice(br#""payload":null"#),
            Ok(text) if is_kept(text) => {
                self.line.extend_from_slice(br#""payload":"#);
                self.line.extend(one_line(text));
            }
            Ok(text) => {
                self.line.extend_from_slice(br#""payload":"#);
                serde_json::to_writer(&mut self.line, text)?;
            }
            Err(_) => {
                let text = base64::engine::general_purpose::STANDARD.encode(payload);
                write!(self.line, r#""payload_base64":"{text}""#)?;
            }
        }
        self.line.extend_from_slice(b"}\n");
        self.output.write_all(&self.line)
    }

    /// Hands the output back, flushed.
    ///
    /// # Errors
    /// Those of flushing it.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Whether the reader of the line gets the same payload back: a text comes back without its quotes.
fn is_kept(payload: &str) -> bool {
    let is_text = payload.trim_ascii_start().starts_with('"');
    !is_text && payload.trim_ascii() == payload && serde_json::from_str::<IgnoredAny>(payload).is_ok()
}

/// JSON without its line ends, which can only stand between its parts.
fn one_line(json: &str) -> impl Iterator<Item = u8> + '_ {
    json.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r'))
}
