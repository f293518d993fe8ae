//! The members of a recording line. Finds where they are and checks no more than that needs: a payload
//! with `NaN` in it is for the decoder to judge.

use std::ops::Range;

use memchr::memchr;

use crate::decode::text;

/// A value of the line. For a text: what is between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_text: bool,
    pub(super) is_escaped: bool,
}

impl Field {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// What a recording line says; of equal names the last counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) tst: Option<Field>,
    pub(super) topic: Option<Field>,
    pub(super) payload: Option<Field>,
    pub(super) payload_is_base64: bool,
    pub(super) payload_len: Option<Field>,
}

const UNFINISHED: &str = "the line breaks off";
const NO_OBJECT: &str = "the line is no JSON object";

/// Reads a line that begins with `{` and ends without white space; else says what is wrong with it.
#[inline]
pub(super) fn read(line: &[u8]) -> Result<Envelope, &'static str> {
    match printed(line) {
        Some(envelope) => Ok(envelope),
        None => read_any(line),
    }
}

/// A line with exactly the members that mosquitto_sub prints, in its order, without spaces.
#[inline]
fn printed(line: &[u8]) -> Option<Envelope> {
    let text = |start: usize| {
        let end = text::stop(line, start);
        (line.get(end) == Some(&b'"')).then_some(Field { start, end, is_text: true, is_escaped: false })
    };
    let number = |start: usize| {
        let len = line[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (len > 0).then_some(Field { start, end: start + len, is_text: false, is_escaped: false })
    };
    let behind = |at: usize, literal: &[u8]| line[at..].starts_with(literal).then_some(at + literal.len());
    let tst = text(behind(0, br#"{"tst":""#)?)?;
    let topic = text(behind(tst.end, br#"","topic":""#)?)?;
    let qos = number(behind(topic.end, br#"","qos":"#)?)?;
    let retain = number(behind(qos.end, br#","retain":"#)?)?;
    let payload_len = number(behind(retain.end, br#","payloadlen":"#)?)?;
    let mid = behind(payload_len.end, br#","mid":"#).and_then(number).unwrap_or(payload_len);
    let start = behind(mid.end, br#","payload":"#)?;
    let payload = Field { start, end: line.len() - 1, is_text: false, is_escaped: false };
    is_flat(line, start).then_some(Envelope {
        tst: Some(tst),
        topic: Some(topic),
        payload: Some(payload),
        payload_is_base64: false,
        payload_len: Some(payload_len),
    })
}

/// A line with any members in any order.
fn read_any(line: &[u8]) -> Result<Envelope, &'static str> {
    let mut envelope = Envelope::default();
    let mut at = blanks(line, 1);
    if line.get(at) == Some(&b'}') {
        return if at + 1 == line.len() { Ok(envelope) } else { Err(NO_OBJECT) };
    }
    loop {
        if line.get(at) != Some(&b'"') {
            return Err(if at >= line.len() { UNFINISHED } else { NO_OBJECT });
        }
        let name = string(line, at)?;
        at = blanks(line, name.end + 1);
        if line.get(at) != Some(&b':') {
            return Err(if at >= line.len() { UNFINISHED } else { NO_OBJECT });
        }
        at = blanks(line, at + 1);
        let value = match &line[name.range()] {
            b"payload" if is_flat(line, at) => {
                Field { start: at, end: line.len() - 1, is_text: false, is_escaped: false }
            }
            _ => value(line, at)?,
        };
        match &line[name.range()] {
            b"tst" => envelope.tst = Some(value),
            b"topic" => envelope.topic = Some(value),
            b"payload" => (envelope.payload, envelope.payload_is_base64) = (Some(value), false),
            b"payload_base64" => (envelope.payload, envelope.payload_is_base64) = (Some(value), true),
            b"payloadlen" => envelope.payload_len = Some(value),
            _ => {}
        }
        at = blanks(line, value.end + usize::from(value.is_text));
        match line.get(at) {
            Some(b',') => at = blanks(line, at + 1),
            Some(b'}') if at + 1 == line.len() => return Ok(envelope),
            None => return Err(UNFINISHED),
            Some(_) => return Err(NO_OBJECT),
        }
    }
}

#[inline]
fn blanks(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The string whose opening quote is at `at`.
#[inline]
fn string(line: &[u8], at: usize) -> Result<Field, &'static str> {
    let start = at + 1;
    let mut end = start;
    let mut is_escaped = false;
    loop {
        end = text::stop(line, end);
        match line.get(end) {
            Some(b'"') => return Ok(Field { start, end, is_text: true, is_escaped }),
            Some(b'\\') => {
                is_escaped = true;
                end += 2;
            }
            Some(_) => end += 1,
            None => return Err(UNFINISHED),
        }
    }
}

#[inline]
fn value(line: &[u8], start: usize) -> Result<Field, &'static str> {
    let end = match line.get(start) {
        Some(b'"') => return string(line, start),
        Some(b'{' | b'[') => nested(line, start)?,
        Some(_) => {
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r');
            start + line[start..].iter().position(is_end).ok_or(UNFINISHED)?
        }
        None => return Err(UNFINISHED),
    };
    if end == start {
        return Err(NO_OBJECT);
    }
    Ok(Field { start, end, is_text: false, is_escaped: false })
}

/// Whether an object begins at `start` and ends right before the last byte of the line, since no other
/// brace closes before: the common case, found without looking into it.
#[inline]
fn is_flat(line: &[u8], start: usize) -> bool {
    let [b'{', value @ .., b'}'] = &line[start..] else { return false };
    memchr(b'}', value).is_some_and(|end| end + 1 == value.len())
}

/// Behind the bracket that closes the one at `start`.
#[inline]
fn nested(line: &[u8], start: usize) -> Result<usize, &'static str> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => at = string(line, at)?.end,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(UNFINISHED)
}
