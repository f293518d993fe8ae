//! Rows that wait for their step to be certain.
//!
//! A row waits until its bay's watermark has passed it. Blocks are kept whole and unsorted, with a bit for each row that
//! waits; a tick looks at the waiting rows of those blocks that have any old enough, so it touches a row two or three
//! times, and a bay that hangs back holds nobody else. Bound: a row waits for the lateness of its bay, or for the idle
//! time once the bay is silent.

mod kept;

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{Block, Stretch};

/// The waiting rows of all bays.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "kept::Kept", try_from = "kept::Kept")]
pub(super) struct Hold {
    blocks: VecDeque<Waiting>,
    /// Blocks that were here before them.
    gone: u64,
    /// By bay, while rows are let go: what is before it goes. Kept for its memory.
    before_ms: Vec<i64>,
}

/// A block of which rows wait.
#[derive(Clone, Debug)]
struct Waiting {
    block: Arc<Block>,
    /// A bit for each row, 64 a word; rows behind the last have none.
    bits: Vec<u64>,
    /// No row that waits is older.
    oldest_ms: i64,
}

/// Rows whose time has come, in message order.
#[derive(Debug, Default)]
pub(super) struct Released {
    pub blocks: Vec<Arc<Block>>,
    pub stretches: Vec<Stretch>,
    pub rows: usize,
}

impl Hold {
    /// Takes all rows of a block in.
    pub(super) fn take(&mut self, block: Block) {
        if !block.readings.is_empty() {
            self.take_shared(Arc::new(block));
        }
    }

    fn take_shared(&mut self, block: Arc<Block>) {
        let rows = block.readings.len();
        let newest_bay = block.bay.iter().max().map_or(0, |bay| *bay as usize);
        if newest_bay >= self.before_ms.len() {
            self.before_ms.resize(newest_bay + 1, i64::MIN);
        }
        let mut bits = vec![u64::MAX; rows.div_ceil(64)];
        if let (Some(last), 1..) = (bits.last_mut(), rows % 64) {
            *last = u64::MAX >> (64 - rows % 64);
        }
        let oldest_ms = block.readings.ts_ms.iter().copied().min().unwrap_or(i64::MAX);
        self.blocks.push_back(Waiting { block, bits, oldest_ms });
    }

    /// Message and index of each row that waits, in that order.
    #[must_use]
    pub(super) fn waiting(&self) -> Vec<(u64, u32)> {
        let of_block = |waiting: &Waiting| {
            let readings = &waiting.block.readings;
            waiting.rows().map(|row| (readings.message[row], readings.index[row])).collect::<Vec<_>>()
        };
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// Times of the rows that wait.
    pub(super) fn times_ms(&self) -> impl Iterator<Item = i64> {
        self.blocks.iter().flat_map(|waiting| waiting.rows().map(|row| waiting.block.readings.ts_ms[row]))
    }

    /// Whether a row of `message`, or of one before it, waits.
    #[must_use]
    pub(super) fn holds_until(&self, message: u64) -> bool {
        let is_old = |waiting: &Waiting, row: usize| waiting.block.readings.message[row] <= message;
        self.blocks.iter().any(|waiting| waiting.rows().any(|row| is_old(waiting, row)))
    }

    /// Lets go of the rows of the given bays that are before the bay's watermark.
    pub(super) fn release(&mut self, bays: impl Iterator<Item = (u32, i64)>) -> Released {
        let Hold { blocks, before_ms: all_before_ms, .. } = self;
        let mut newest_ms = i64::MIN;
        for (bay, before_ms) in bays {
            // No row of other bays waits.
            if let Some(of_bay) = all_before_ms.get_mut(bay as usize) {
                *of_bay = before_ms;
                newest_ms = newest_ms.max(before_ms);
            }
        }
        let mut released = Released::default();
        for waiting in blocks.iter_mut().filter(|waiting| waiting.oldest_ms < newest_ms) {
            let rows = waiting.release(all_before_ms, released.blocks.len(), &mut released.stretches);
            if rows > 0 {
                released.blocks.push(Arc::clone(&waiting.block));
                released.rows += rows;
            }
        }
        all_before_ms.fill(i64::MIN);
        self.forget_empty();
        released
    }

    /// Blocks in which nobody waits any more go.
    fn forget_empty(&mut self) {
        let before = self.blocks.len();
        self.blocks.retain(|waiting| waiting.oldest_ms < i64::MAX);
        self.gone += (before - self.blocks.len()) as u64;
    }
}

impl Waiting {
    /// Places of the rows that wait, ascending.
    fn rows(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(place, &word)| ones(word).map(move |bit| place * 64 + bit))
    }

    /// Nobody waits.
    fn none(&mut self) {
        self.bits.fill(0);
        self.oldest_ms = i64::MAX;
    }

    /// A row waits; false if there is no such row.
    fn add(&mut self, row: usize) -> bool {
        let Some(&ts_ms) = self.block.readings.ts_ms.get(row) else { return false };
        self.bits[row / 64] |= 1 << (row % 64);
        self.oldest_ms = self.oldest_ms.min(ts_ms);
        true
    }

    /// Lets go of the rows before the time of their bay: they become stretches of block number `number`. How many there
    /// are.
    fn release(&mut self, before_ms: &[i64], number: usize, stretches: &mut Vec<Stretch>) -> usize {
        let (mut rows, mut oldest_ms, first) = (0, i64::MAX, stretches.len());
        let (ts_ms, bay) = (&self.block.readings.ts_ms, &self.block.bay);
        let words = ts_ms.chunks(64).zip(bay.chunks(64));
        for (place, (word, (ts_ms, bay))) in self.bits.iter_mut().zip(words).enumerate() {
            let mut gone = 0;
            if *word == u64::MAX {
                for (row, (&ts_ms, &bay)) in ts_ms.iter().zip(bay).enumerate() {
                    let goes = ts_ms < before_ms[bay as usize];
                    gone |= u64::from(goes) << row;
                    oldest_ms = oldest_ms.min(if goes { i64::MAX } else { ts_ms });
                }
            } else {
                for row in ones(*word) {
                    let goes = ts_ms[row] < before_ms[bay[row] as usize];
                    gone |= u64::from(goes) << row;
                    oldest_ms = oldest_ms.min(if goes { i64::MAX } else { ts_ms[row] });
                }
            }
            *word &= !gone;
            rows += gone.count_ones() as usize;
            for (from, to) in runs(gone) {
                let (from, to) = (place * 64 + from, place * 64 + to);
                match stretches[first..].last_mut() {
                    Some(last) if last.to == from => last.to = to,
                    _ => stretches.push(Stretch { block: number, from, to }),
                }
            }
        }
        self.oldest_ms = oldest_ms;
        rows
    }
}

/// Places of the bits that are set, ascending.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(place)
    })
}

/// Runs of bits that are set: from where, and up to where.
fn runs(mut word: u64) -> impl Iterator<Item = (usize, usize)> {
    std::iter::from_fn(move || {
        let from = (word != 0).then(|| word.trailing_zeros())?;
        let to = from + (word >> from).trailing_ones();
        word &= u64::MAX.checked_shl(to).unwrap_or(0);
        Some((from as usize, to as usize))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rows: &[(u32, i64)]) -> Block {
        let mut block = Block::default();
        for &(bay, ts_ms) in rows {
            block.readings.ts_ms.push(ts_ms);
            block.readings.series.push(0);
            block.readings.message.push(1);
            block.readings.index.push(0);
            block.bay.push(bay);
        }
        block
    }

    fn times(released: &Released) -> Vec<i64> {
        let rows = released.stretches.iter().flat_map(|stretch| {
            released.blocks[stretch.block].readings.ts_ms[stretch.from..stretch.to].to_vec()
        });
        rows.collect()
    }

    #[test]
    fn rows_go_when_their_bay_has_passed_them_and_in_message_order() {
        let mut hold = Hold::default();
        hold.take(block(&[(0, 5_200), (1, 900), (0, 4_900), (0, 5_900)]));
        hold.take(block(&[(0, 5_100), (1, 70_000)]));
        assert_eq!(times(&hold.release([(0, 5_500)].into_iter())), [5_200, 4_900, 5_100]);
        assert_eq!(
            times(&hold.release([(0, 5_900)].into_iter())),
            [0_i64; 0],
            "a row at the watermark waits"
        );
        assert_eq!(times(&hold.release([(0, i64::MAX), (1, 1_000)].into_iter())), [900, 5_900]);
        assert_eq!(hold.waiting().len(), 1);
        assert_eq!(times(&hold.release([(1, i64::MAX)].into_iter())), [70_000]);
        assert!(hold.blocks.is_empty(), "nothing is kept of what has gone");
    }

    #[test]
    fn what_waits_goes_on_waiting_after_a_checkpoint() {
        let mut hold = Hold::default();
        hold.take(block(&[(0, 5_200), (1, 900)]));
        hold.take(block(&[(2, -1), (0, 4_900), (0, 5_900)]));
        hold.release([(1, i64::MAX), (0, 5_000)].into_iter());
        let bytes = postcard::to_allocvec(&hold).expect("written");
        let mut restored: Hold = postcard::from_bytes(&bytes).expect("read");
        for hold in [&mut hold, &mut restored] {
            assert_eq!(times(&hold.release([(2, 0), (0, 5_900)].into_iter())), [5_200, -1]);
            assert_eq!(times(&hold.release([(0, i64::MAX)].into_iter())), [5_900]);
            assert!(hold.blocks.is_empty());
        }
    }

    #[test]
    fn the_rows_of_one_huge_message_go_once_each() {
        let mut hold = Hold::default();
        for first_ms in [0, 100_000] {
            let rows: Vec<(u32, i64)> = (first_ms..first_ms + 100_000).map(|ts_ms| (0, ts_ms)).collect();
            hold.take(block(&rows));
        }
        let mut seen = times(&hold.release([(0, 70_000)].into_iter()));
        seen.extend(times(&hold.release([(0, 150_000)].into_iter())));
        seen.extend(times(&hold.release([(0, i64::MAX)].into_iter())));
        assert_eq!(seen, (0..200_000).collect::<Vec<i64>>());
        assert!(hold.blocks.is_empty());
    }
}
