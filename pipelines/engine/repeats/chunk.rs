//! Prints of elements that came one after the other.

use ingest::readings::NONE;

use super::Print;

/// So many make a full chunk.
pub(super) const CHUNK: usize = 128;

/// The chunk that is being filled.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Chunk {
    pub(super) span: Span,
    /// Of the first element; the others follow without a gap if they are `numbered`.
    boot: i64,
    first_seq: i64,
    numbered: bool,
    pub(super) prints: Vec<u64>,
}

/// A chunk to which nothing is added any more.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Full {
    pub(super) span: Span,
    pub(super) prints: Prints,
}

/// What elements that stand together have in common.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Span {
    first_ts_ms: i64,
    last_ts_ms: i64,
    pub(super) last_arrived_ms: i64,
    /// Messages whose first element is here.
    pub(super) messages: u32,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) enum Prints {
    /// The upper half of each print, by sequence number.
    Numbered {
        boot: i64,
        first_seq: i64,
        halves: Box<[u32]>,
    },
    Whole(Box<[u64]>),
}

impl Span {
    const EMPTY: Span =
        Span { first_ts_ms: i64::MAX, last_ts_ms: i64::MIN, last_arrived_ms: i64::MIN, messages: 0 };

    pub(super) fn covers(&self, ts_ms: i64) -> bool {
        self.first_ts_ms <= ts_ms && ts_ms <= self.last_ts_ms
    }
}

impl Chunk {
    pub(super) fn new() -> Self {
        Chunk {
            span: Span::EMPTY,
            boot: NONE,
            first_seq: NONE,
            numbered: false,
            prints: Vec::with_capacity(CHUNK),
        }
    }

    #[inline]
    pub(super) fn remember(&mut self, print: &Print, mark: u64) {
        let span = &mut self.span;
        span.first_ts_ms = span.first_ts_ms.min(print.ts_ms);
        span.last_ts_ms = span.last_ts_ms.max(print.ts_ms);
        span.last_arrived_ms = print.arrived_ms;
        span.messages += u32::from(print.is_first);
        if self.prints.is_empty() {
            (self.boot, self.first_seq, self.numbered) = (print.boot, print.seq, print.seq != NONE);
        } else {
            let next = self.first_seq.wrapping_add(self.prints.len() as i64);
            self.numbered &= print.seq == next && print.boot == self.boot;
        }
        self.prints.push(mark);
    }

    /// Hands its elements over and is empty again.
    pub(super) fn take(&mut self) -> Full {
        let Chunk { span, boot, first_seq, numbered, .. } = *self;
        let prints = if numbered {
            let halves = self.prints.iter().map(|&mark| half(mark)).collect();
            Prints::Numbered { boot, first_seq, halves }
        } else {
            Prints::Whole(self.prints.as_slice().into())
        };
        self.prints.clear();
        self.span = Span::EMPTY;
        Full { span, prints }
    }
}

impl Full {
    pub(super) fn holds(&self, print: &Print, mark: u64) -> bool {
        self.span.covers(print.ts_ms)
            && match &self.prints {
                Prints::Whole(marks) => marks.contains(&mark),
                Prints::Numbered { boot, first_seq, halves } => {
                    let place =
                        print.seq.checked_sub(*first_seq).and_then(|place| usize::try_from(place).ok());
                    *boot == print.boot && place.is_some_and(|place| halves.get(place) == Some(&half(mark)))
                }
            }
    }
}

impl Prints {
    pub(super) fn all(&self) -> impl Iterator<Item = u64> {
        let (halves, marks): (&[u32], &[u64]) = match self {
            Prints::Numbered { halves, .. } => (halves, &[]),
            Prints::Whole(marks) => (&[], marks),
        };
        halves.iter().map(|&half| u64::from(half)).chain(marks.iter().copied())
    }
}

fn half(mark: u64) -> u32 {
    (mark >> 32) as u32
}
