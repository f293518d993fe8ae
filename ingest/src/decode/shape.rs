//! Shapes of messages: which members come in which order, and what stands between their values. Devices
//! print all their messages alike, so what was understood once need only be compared the next time.
//!
//! A shape is taken from a message that the short way ([`super::fast`]) read member by member; where the
//! same bytes stand between values again, they mean the same again.

use super::text;
use super::words::Words;

/// What a value is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Ts,
    Seq,
    Boot,
    Metric,
    Value,
    Unit,
    Tags,
    /// Site, bay or tool: nothing where the topic has all of them.
    Place,
    /// Nothing.
    Other,
}

/// The bytes in front of a value, since the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lead {
    /// The first eight bytes, and the last eight.
    words: [u64; 2],
    len: usize,
}

/// A value, and what leads to it. Texts that are names begin behind their opening quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    lead: Lead,
    pub(super) field: Field,
}

/// A member that was read: where the bytes in front of its value are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) field: Field,
}

/// The shapes that were seen.
#[derive(Debug, Default)]
pub(super) struct Shapes(Vec<Vec<Step>>);

/// Beyond so many all are forgotten, which only costs time.
const SHAPES_MAX: usize = 64;
const STEPS_MAX: usize = 24;

impl Lead {
    fn new(bytes: &[u8]) -> Option<Self> {
        let words = [text::word(bytes, 0), text::word(bytes, bytes.len().saturating_sub(8))];
        (1..=16).contains(&bytes.len()).then_some(Lead { words, len: bytes.len() })
    }
}

impl Step {
    /// Where the value begins, if what leads to it stands at `at`.
    #[inline(always)]
    pub(super) fn behind(&self, words: Words<'_>, at: usize) -> Option<usize> {
        let Lead { words: [first, second], len } = self.lead;
        let is_there = match len {
            ..8 => (words.at(at) ^ first) << (64 - 8 * len) == 0,
            _ => words.at(at) == first && (words.at(at + len - 8) == second),
        };
        is_there.then_some(at + len)
    }
}

impl Shapes {
    #[inline(always)]
    pub(super) fn get(&self, number: usize) -> Option<&[Step]> {
        self.0.get(number).map(Vec::as_slice)
    }

    /// The number of the shape of a message; `None` if it is not to be compared with others.
    pub(super) fn learn(&mut self, bytes: &[u8], seen: &[Seen]) -> Option<usize> {
        if seen.len() > STEPS_MAX {
            return None;
        }
        let mut steps = Vec::with_capacity(seen.len());
        for (place, one) in seen.iter().enumerate() {
            // Of a name that comes twice only the last is compared with what is known: the first might be
            // no UTF-8.
            let is_repeated = seen[..place].iter().any(|earlier| earlier.field == one.field);
            if is_repeated && !matches!(one.field, Field::Place | Field::Other) {
                return None;
            }
            let is_name = matches!(one.field, Field::Metric | Field::Unit);
            let lead = Lead::new(&bytes[one.start..one.end + usize::from(is_name)])?;
            steps.push(Step { lead, field: one.field });
        }
        if let Some(number) = self.0.iter().position(|known| *known == steps) {
            return Some(number);
        }
        if self.0.len() >= SHAPES_MAX {
            self.0.clear();
        }
        self.0.push(steps);
        Some(self.0.len() - 1)
    }
}
