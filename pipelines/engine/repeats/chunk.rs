//! Prints of elements that came one after the other.

use super::Print;

/// So many make a full chunk.
pub(super) const CHUNK: usize = 128;

/// The prints of a chunk that is being filled: a place in memory for all of them, however many there are.
#[derive(Clone, Debug)]
pub(super) struct Open(Box<[u64; CHUNK]>);

/// A chunk to which nothing is added any more.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Full {
    pub(super) oldest_ts_ms: i64,
    /// No element of this chunk and of those before it is newer.
    pub(super) newest_ts_ms: i64,
    /// Arrival of its last element.
    pub(super) last_arrived_ms: i64,
    /// Messages whose first element is here.
    pub(super) messages: u8,
    pub(super) prints: Prints,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) enum Prints {
    /// The upper half of each print, by sequence number.
    Numbered {
        boot: i64,
        first_seq: i64,
        #[serde(with = "ingest::packed")]
        halves: Box<[u32]>,
    },
    Whole(#[serde(with = "ingest::packed")] Box<[u64]>),
}

impl Default for Open {
    fn default() -> Self {
        Open(Box::new([0; CHUNK]))
    }
}

impl Open {
    /// One that begins with these, if they are not too many.
    pub(super) fn of(prints: &[u64]) -> Option<Open> {
        let mut open = Open::default();
        open.0.get_mut(..prints.len())?.copy_from_slice(prints);
        Some(open)
    }

    /// Those of the first `len`.
    #[inline]
    pub(super) fn first(&self, len: u8) -> &[u64] {
        &self.0[..usize::from(len).min(CHUNK)]
    }

    #[inline]
    pub(super) fn set(&mut self, place: u8, print: u64) {
        self.0[usize::from(place) % CHUNK] = print;
    }

    /// All of them, which are numbered up to `last` of a boot without a gap, if it is given.
    pub(super) fn full(&self, last: Option<(i64, i64)>) -> Prints {
        match last {
            Some((boot, last_seq)) => Prints::Numbered {
                boot,
                first_seq: last_seq - (CHUNK as i64 - 1),
                halves: self.0.iter().map(|&mark| half(mark)).collect(),
            },
            None => Prints::Whole(self.0.as_slice().into()),
        }
    }
}

impl Full {
    pub(super) fn holds(&self, print: &Print, mark: u64) -> bool {
        self.oldest_ts_ms <= print.ts_ms
            && match &self.prints {
                Prints::Whole(marks) => marks.contains(&mark),
                Prints::Numbered { boot, first_seq, halves } => {
                    let place =
                        print.seq.checked_sub(*first_seq).and_then(|place| usize::try_from(place).ok());
                    *boot == print.boot
                        && place
                            .filter(|place| *place < CHUNK)
                            .is_some_and(|place| halves.get(place) == Some(&half(mark)))
                }
            }
    }
}

impl Prints {
    pub(super) fn all(&self) -> Vec<u64> {
        match self {
            Prints::Numbered { halves, .. } => halves.iter().map(|&half| half.into()).collect(),
            Prints::Whole(marks) => marks.to_vec(),
        }
    }
}

fn half(mark: u64) -> u32 {
    (mark >> 32) as u32
}
