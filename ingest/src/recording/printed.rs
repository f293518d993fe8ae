//! Lines as mosquitto_sub prints them nearly always, read without a detour: six members in its order, the
//! time with microseconds and an offset, a topic without escapes, and an object without objects as payload.
//!
//! Anything else is `None`: then the exact way ([`super::envelope`]) decides what it is. What is read here,
//! the exact way would read alike; tests hold the two against each other.

use std::ops::Range;

use super::minute::Minute;
use super::topics::KnownTopics;
use crate::decode::number::digits_in;
use crate::decode::text;
use crate::recording::LINE_BYTES_MAX;

/// A line that was read. Places count from its beginning.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time_ms: i64,
    /// Number among the known topics.
    pub(super) topic: u32,
    pub(super) payload: Range<usize>,
    /// Behind its line feed.
    pub(super) end: usize,
}

/// What lines said before, so that it need not be read again.
#[derive(Debug, Default)]
pub(super) struct Printed {
    minute: Minute,
    topics: KnownTopics,
}

impl Printed {
    pub(super) fn topic(&self, number: u32) -> &str {
        self.topics.get(number)
    }

    /// Whether the number has always meant its topic.
    pub(super) fn is_alone(&self, number: u32) -> bool {
        self.topics.is_alone(number)
    }

    /// Reads the line that `bytes` begin with.
    #[inline(always)]
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Line> {
        let (head, rest) = bytes.split_first_chunk::<50>()?;
        let tst = head[8..40].first_chunk()?;
        if head[..8] != *br#"{"tst":""# || head[40..] != *br#","topic":""# {
            return None;
        }
        let time_ms = self.minute.time(tst)?;
        let (topic, topic_bytes) = self.topics.read(rest)?;
        let rest = rest.get(topic_bytes..)?;
        let rest = rest.get(delivery(rest)?..)?;
        let rest_bytes = closed(rest)?;
        let payload_end = bytes.len() - rest.len() + rest_bytes;
        let is_line = rest.get(rest_bytes..rest_bytes + 2) == Some(b"}\n") && rest.first() == Some(&b'{');
        let payload = bytes.len() - rest.len()..payload_end;
        (is_line && payload_end < LINE_BYTES_MAX).then_some(Line {
            time_ms,
            topic,
            payload,
            end: payload_end + 2,
        })
    }
}

/// The length of `","qos":1,"retain":0,"payloadlen":90,"payload":`, perhaps with `"mid":7,` in it.
#[inline(always)]
fn delivery(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<42>()?;
    let word = |at: usize| head[at..].first_chunk().map(|chunk| u64::from_le_bytes(*chunk));
    let is_digit = |found: u64, expected: &[u8; 8], place: u32| {
        (found ^ u64::from_le_bytes(*expected)).rotate_right(8 * place) <= 9
    };
    let is_printed = word(0)? == u64::from_le_bytes(*br#"","qos":"#)
        && is_digit(word(8)?, br#"0,"retai"#, 0)
        && is_digit(word(16)?, br#"n":0,"pa"#, 3)
        && word(24)? == u64::from_le_bytes(*b"yloadlen")
        && head[32..34] == *b"\":";
    let at = 34 + digits_in(word(34)?);
    if !is_printed || at == 34 {
        return None;
    }
    let rest = bytes.get(at..)?.first_chunk::<15>()?;
    if rest.starts_with(br#","payload":"#) {
        return Some(at + 11);
    }
    let len = digits_in(u64::from_le_bytes(*rest[7..].first_chunk()?));
    let is_mid = rest.starts_with(br#","mid":"#) && len > 0;
    let at = at + 7 + len;
    (is_mid && bytes.get(at..)?.starts_with(br#","payload":"#)).then_some(at + 11)
}

/// The length up to the first closing brace and with it; `None` if the line ends before.
#[inline(always)]
fn closed(bytes: &[u8]) -> Option<usize> {
    let (pieces, _) = bytes.as_chunks::<32>();
    // A piece as a whole at first: that is compared at once.
    let is_in =
        |piece: &[u8; 32]| piece.iter().fold(false, |is_in, byte| is_in | (*byte == b'}') | (*byte == b'\n'));
    let number = pieces.iter().position(is_in)?;
    let (words, _) = pieces[number].as_chunks::<8>();
    let places = words.iter().map(|word| text::first_of(u64::from_le_bytes(*word), b'}', b'\n'));
    let end = 32 * number
        + places.enumerate().find(|(_, place)| *place < 8).map(|(word, place)| 8 * word + place)?;
    (bytes[end] == b'}').then_some(end + 1)
}
