//! The messages of an intake, as bytes that are read in place.
//!
//! Body of an intake, integers little-endian, varints LEB128:
//!
//! | at | bytes  | what                                                                    |
//! |----|--------|-------------------------------------------------------------------------|
//! | 0  | 4      | messages                                                                |
//! | 4  | 4      | distinct topics                                                         |
//! | 8  | 8      | arrived_ms of the first message, 0 if there is none                     |
//! | 16 | 8      | arrived_ms of the last message, 0 if there is none                      |
//! | 24 |        | the messages, each:                                                     |
//! |    | varint | 0: the topic follows, which gets the next index; else 1 + topic's index |
//! |    | varint | where the topic follows: its bytes, then the topic                      |
//! |    | varint | arrived_ms less that of the message before (0 for the first)            |
//! |    | varint | bytes of the payload, then the payload                                  |

use bytes::Bytes;

use super::EntryError;

pub(super) const HEAD_BYTES: usize = 24;

/// The messages of an [`Entry::Intake`](super::Entry::Intake).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Ordinal in the journal of the first message, from 1; the others follow without gaps.
    pub first_message: u64,
    /// Known to be well-formed: made by a builder, or walked through by `from_body`.
    pub(super) body: Bytes,
}

/// A message, read in place.
#[derive(Clone, Copy, Debug)]
pub struct MessageRef<'a> {
    /// Ordinal in the journal, from 1.
    pub ordinal: u64,
    /// Topic, as published.
    pub topic: &'a str,
    /// Which of the distinct topics of its intake it has: 0, 1, 2 … by first sight. Lets a reader look a
    /// topic up once per intake.
    pub topic_index: u32,
    /// When it arrived; never less than that of the message before.
    pub arrived_ms: i64,
    /// Raw bytes, as published.
    pub payload: &'a [u8],
    /// The payload and what lies behind it in memory, which means nothing.
    pub from_payload: &'a [u8],
}

impl Intake {
    /// Takes a body as [`Intake::body`] gave it.
    ///
    /// # Errors
    /// When the body is malformed, or its messages would be numbered past the end of `u64`.
    pub fn from_body(first_message: u64, body: Bytes) -> Result<Intake, EntryError> {
        if body.len() < HEAD_BYTES {
            return Err(EntryError::EndsEarly { what: "the head of its messages" });
        }
        let intake = Intake { first_message, body };
        let impossible = |what, why| Err(EntryError::Impossible { what, why });
        if first_message.checked_add(u64::from(intake.messages())).is_none() {
            return impossible("first message", "the others would have no numbers left");
        }
        let mut messages = intake.iter();
        let mut last_ms = 0;
        for _ in 0..intake.messages() {
            last_ms = messages.advance()?.arrived_ms;
        }
        if messages.at != intake.body.len() {
            return Err(EntryError::GoesOn { what: "its last message" });
        }
        if messages.topics.len() != intake.topics() as usize {
            return impossible("count of topics", "its messages have another number of them");
        }
        if last_ms != intake.head_i64(16) {
            return impossible("last arrival", "its last message has another");
        }
        Ok(intake)
    }

    /// How many messages there are.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.head_u32(0)
    }

    /// How many distinct topics they have: one more than the largest `topic_index`.
    #[must_use]
    pub fn topics(&self) -> u32 {
        self.head_u32(4)
    }

    /// Arrival of the first message, ms since 1970 UTC.
    #[must_use]
    pub fn first_arrived_ms(&self) -> Option<i64> {
        (self.messages() > 0).then(|| self.head_i64(8))
    }

    /// Arrival of the last message, ms since 1970 UTC.
    #[must_use]
    pub fn last_arrived_ms(&self) -> Option<i64> {
        (self.messages() > 0).then(|| self.head_i64(16))
    }

    /// The encoded messages.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The messages in order, read in place.
    #[must_use]
    pub fn iter(&self) -> Messages<'_> {
        Messages {
            body: &self.body,
            at: HEAD_BYTES,
            left: self.messages(),
            ordinal: self.first_message,
            arrived_ms: self.head_i64(8),
            topics: Vec::new(),
        }
    }

    fn head_u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.body[at..at + 4].try_into().expect("a body begins with its head"))
    }

    fn head_i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.body[at..at + 8].try_into().expect("a body begins with its head"))
    }
}

impl<'a> IntoIterator for &'a Intake {
    type Item = MessageRef<'a>;
    type IntoIter = Messages<'a>;

    fn into_iter(self) -> Messages<'a> {
        self.iter()
    }
}

/// About what the messages have that go together.
const AHEAD_BYTES: usize = 8 << 10;
const LINE_BYTES: usize = 64;

pub(super) const WELL_FORMED: &str = "the body of an intake is well-formed";

/// The messages of an intake, one after the other.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    body: &'a [u8],
    at: usize,
    left: u32,
    /// Of the next message, as `arrived_ms` is of the one before.
    ordinal: u64,
    arrived_ms: i64,
    topics: Vec<&'a str>,
}

impl<'a> Messages<'a> {
    /// Inlined wherever it is called: handed over in memory, a message costs more than all the rest here.
    #[inline(always)]
    fn advance(&mut self) -> Result<MessageRef<'a>, EntryError> {
        let (topic, topic_index) = match self.varint("the topic of a message")? {
            0 => self.new_topic()?,
            tag => {
                let index = usize::try_from(tag - 1).unwrap_or(usize::MAX);
                let unseen = EntryError::Impossible { what: "topic", why: "no message before had it" };
                (*self.topics.get(index).ok_or(unseen)?, index)
            }
        };
        let delta_ms = self.varint("the arrival of a message")?;
        let too_late = EntryError::Impossible { what: "arrival", why: "past the end of time" };
        let arrived_ms = self.arrived_ms.checked_add_unsigned(delta_ms).ok_or(too_late)?;
        let payload = self.sized("a payload")?;
        let from_payload = &self.body[self.at - payload.len()..];
        let topic_index = u32::try_from(topic_index).expect("there are at most as many topics as messages");
        let message =
            MessageRef { ordinal: self.ordinal, topic, topic_index, arrived_ms, payload, from_payload };
        self.ordinal = self.ordinal.wrapping_add(1);
        self.arrived_ms = arrived_ms;
        Ok(message)
    }

    /// Puts the next messages behind those in `out`, at most `count`.
    pub fn take_into(&mut self, count: usize, out: &mut Vec<MessageRef<'a>>) {
        let count = count.min(self.left as usize);
        self.touch_ahead();
        out.reserve(count);
        for _ in 0..count {
            out.push(self.advance().expect(WELL_FORMED));
        }
        self.left -= u32::try_from(count).expect("no more than are left");
    }

    /// What comes next was just written by another processor, or comes from afar: its lines of memory are asked for
    /// together, since one by one, as each message says where the next begins, each would be waited for.
    fn touch_ahead(&self) {
        let ahead = &self.body[self.at..self.body.len().min(self.at + AHEAD_BYTES)];
        std::hint::black_box(ahead.iter().step_by(LINE_BYTES).fold(0, |touched, byte| touched ^ byte));
    }

    #[cold]
    fn new_topic(&mut self) -> Result<(&'a str, usize), EntryError> {
        let topic = self.sized("the topic of a message")?;
        let not_utf8 = EntryError::Impossible { what: "topic", why: "not UTF-8" };
        let topic = std::str::from_utf8(topic).map_err(|_| not_utf8)?;
        self.topics.push(topic);
        Ok((topic, self.topics.len() - 1))
    }

    #[inline]
    fn sized(&mut self, what: &'static str) -> Result<&'a [u8], EntryError> {
        let bytes = usize::try_from(self.varint(what)?).unwrap_or(usize::MAX);
        let rest = &self.body[self.at..];
        let taken = rest.get(..bytes).ok_or(EntryError::EndsEarly { what })?;
        self.at += bytes;
        Ok(taken)
    }

    /// Most have one byte or two.
    #[inline]
    fn varint(&mut self, what: &'static str) -> Result<u64, EntryError> {
        let (value, bytes) = match self.body.get(self.at..) {
            Some(&[only @ ..0x80, ..]) => (u64::from(only), 1),
            Some(&[low, high @ ..0x80, ..]) => (u64::from(low & 0x7f) | u64::from(high) << 7, 2),
            _ => return self.long_varint(what),
        };
        self.at += bytes;
        Ok(value)
    }

    #[cold]
    fn long_varint(&mut self, what: &'static str) -> Result<u64, EntryError> {
        let mut value = 0_u64;
        for (place, &byte) in self.body[self.at..].iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if place == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * place);
            if byte < 0x80 {
                self.at += place + 1;
                return Ok(value);
            }
        }
        Err(EntryError::EndsEarly { what })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = MessageRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<MessageRef<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(self.advance().expect(WELL_FORMED))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Messages<'_> {}
