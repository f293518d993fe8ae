//! Rows that wait for their step to be certain.
//!
//! A row waits until its bay's watermark has passed it. Blocks are kept whole and unsorted; each bay has
//! the places of its waiting rows by the second of their event time, so a tick touches a row once or
//! twice, and a bay that hangs back holds nobody else. Bound: a row waits for the lateness of its bay, or
//! for the idle time once the bay is silent.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{Block, Stretch};

/// Place of a row: block number in the high 32 bits, row in the low 32. (A block ends with a whole message, and a
/// message may have a hundred thousand readings.)
type Place = u64;

fn place(block: u64, row: usize) -> Place {
    block << 32 | row as u64
}

/// Block number and row.
#[inline]
fn parts(place: Place) -> (u64, usize) {
    (place >> 32, (place & 0xffff_ffff) as usize)
}

/// The waiting rows of all bays.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Hold {
    /// Blocks `first_block..`, with how many rows of each still wait.
    blocks: VecDeque<(Arc<Block>, u32)>,
    first_block: u64,
    bays: Vec<Waiting>,
    /// Empty buckets, kept for their memory.
    #[serde(skip)]
    spare: Vec<Vec<Place>>,
}

/// Buckets kept: a tick lets go of about one a bay, and the next second begins as many.
const SPARE_BUCKETS: usize = 1024;
/// Places of a bucket that is kept.
const SPARE_PLACES_MAX: usize = 4096;

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Waiting {
    /// By second of event time, oldest first.
    buckets: VecDeque<(i64, Vec<Place>)>,
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
        let rows = block.readings.len();
        if rows == 0 {
            return;
        }
        let number = self.first_block + self.blocks.len() as u64;
        for row in 0..rows {
            let bay = block.bay[row] as usize;
            if bay >= self.bays.len() {
                self.bays.resize_with(bay + 1, Waiting::default);
            }
            let second = block.readings.ts_ms[row].div_euclid(1000);
            self.bays[bay].push(second, place(number, row), &mut self.spare);
        }
        self.blocks.push_back((Arc::new(block), u32::try_from(rows).expect("blocks are small")));
    }

    /// Message and index of each row that waits, in that order.
    #[must_use]
    pub(super) fn waiting(&self) -> Vec<(u64, u32)> {
        let mut marks = Marks::new(&self.blocks, self.first_block);
        let places = self.bays.iter().flat_map(|bay| &bay.buckets).flat_map(|(_, places)| places);
        places.for_each(|&place| marks.set(place));
        let mut waiting = Vec::new();
        for (at, (block, _)) in self.blocks.iter().enumerate() {
            let mut stretches = Vec::new();
            marks.stretches_of(at, 0, &mut stretches);
            let rows = stretches.iter().flat_map(|stretch| stretch.from..stretch.to);
            waiting.extend(rows.map(|row| (block.readings.message[row], block.readings.index[row])));
        }
        waiting
    }

    /// Lets go of the rows of the given bays that are before the bay's watermark.
    pub(super) fn release(&mut self, bays: impl Iterator<Item = (u32, i64)>) -> Released {
        let mut marks = Marks::new(&self.blocks, self.first_block);
        let spare = &mut self.spare;
        for (bay, before_ms) in bays {
            if let Some(waiting) = self.bays.get_mut(bay as usize) {
                let (blocks, first_block) = (&self.blocks, self.first_block);
                let ts_ms = |place: Place| {
                    let (block, row) = parts(place);
                    blocks[(block - first_block) as usize].0.readings.ts_ms[row]
                };
                waiting.release(before_ms, ts_ms, |place| marks.set(place), spare);
            }
        }
        let mut released = Released::default();
        for (at, (block, waiting)) in self.blocks.iter_mut().enumerate() {
            let rows = marks.stretches_of(at, released.blocks.len(), &mut released.stretches);
            if rows > 0 {
                released.blocks.push(Arc::clone(block));
                released.rows += rows as usize;
                *waiting -= rows;
            }
        }
        while self.blocks.front().is_some_and(|(_, waiting)| *waiting == 0) {
            self.blocks.pop_front();
            self.first_block += 1;
        }
        released
    }
}

/// A bit for each row of the waiting blocks: message order without sorting.
struct Marks {
    words: Vec<u64>,
    /// Of each block and of the end: its first word.
    starts: Vec<usize>,
    first_block: u64,
}

impl Marks {
    fn new(blocks: &VecDeque<(Arc<Block>, u32)>, first_block: u64) -> Self {
        let mut starts = Vec::with_capacity(blocks.len() + 1);
        let mut words = 0;
        for (block, _) in blocks {
            starts.push(words);
            words += block.readings.len().div_ceil(64);
        }
        starts.push(words);
        Marks { words: vec![0; words], starts, first_block }
    }

    #[inline]
    fn set(&mut self, place: Place) {
        let (block, row) = parts(place);
        self.words[self.starts[(block - self.first_block) as usize] + row / 64] |= 1 << (row % 64);
    }

    /// The marked rows of the block at `at`, as stretches of block number `number`; how many there are.
    fn stretches_of(&self, at: usize, number: usize, stretches: &mut Vec<Stretch>) -> u32 {
        let (mut rows, before) = (0, stretches.len());
        for (word, &marked) in self.words[self.starts[at]..self.starts[at + 1]].iter().enumerate() {
            let mut marked = marked;
            rows += marked.count_ones();
            while marked != 0 {
                let first = marked.trailing_zeros();
                let run = (!(marked >> first)).trailing_zeros().min(64 - first);
                marked &= if first + run == 64 { 0 } else { u64::MAX << (first + run) };
                let (from, to) = (word * 64 + first as usize, word * 64 + (first + run) as usize);
                match stretches[before..].last_mut() {
                    Some(last) if last.to == from => last.to = to,
                    _ => stretches.push(Stretch { block: number, from, to }),
                }
            }
        }
        rows
    }
}

impl Waiting {
    #[inline]
    fn push(&mut self, second: i64, place: Place, spare: &mut Vec<Vec<Place>>) {
        // Nearly all rows belong to one of the newest seconds.
        let newer = self.buckets.iter().rev().take_while(|(known, _)| *known > second).count();
        let at = self.buckets.len() - newer;
        match at.checked_sub(1).and_then(|at| self.buckets.get_mut(at)) {
            Some((known, places)) if *known == second => places.push(place),
            _ => {
                let mut bucket = spare.pop().unwrap_or_default();
                bucket.push(place);
                self.buckets.insert(at, (second, bucket));
            }
        }
    }

    /// Hands over the places before `before_ms`, in any order.
    fn release(
        &mut self,
        before_ms: i64,
        ts_ms: impl Fn(Place) -> i64,
        mut take: impl FnMut(Place),
        spare: &mut Vec<Vec<Place>>,
    ) {
        while let Some((second, bucket)) = self.buckets.front_mut() {
            if (*second + 1).saturating_mul(1000) <= before_ms {
                bucket.drain(..).for_each(&mut take);
            } else if second.saturating_mul(1000) < before_ms {
                bucket.retain(|&place| {
                    let stays = ts_ms(place) >= before_ms;
                    if !stays {
                        take(place);
                    }
                    stays
                });
            }
            if !bucket.is_empty() {
                return;
            }
            let (_, bucket) = self.buckets.pop_front().expect("it was looked at");
            if spare.len() < SPARE_BUCKETS && bucket.capacity() <= SPARE_PLACES_MAX {
                spare.push(bucket);
            }
        }
    }
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
