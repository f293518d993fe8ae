//! The full chunks of a channel, in memory or in a room.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chunk::Full;
use super::room::{Kept, Room};

/// So many chunks go into a room together: what is left of them in memory is their place and the time they span.
const SHELF: usize = 8;

/// Length of what is kept, in whole ones of these, so that what is freed fits what comes.
const PIECE_BYTES: usize = 256;

/// Oldest first: `front`, then `shelves`, then `back`. Without a room, or where it is full, all are in `back`; the oldest
/// is always in memory.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    front: VecDeque<Full>,
    shelves: VecDeque<Shelf>,
    back: VecDeque<Full>,
}

/// [`SHELF`] chunks in a room.
#[derive(Debug)]
struct Shelf {
    oldest_ts_ms: i64,
    /// As of a chunk: nothing before is newer.
    newest_ts_ms: i64,
    kept: Kept,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.front.len() + self.shelves.len() * SHELF + self.back.len()
    }

    pub(super) fn oldest(&self) -> Option<&Full> {
        self.front.front().or_else(|| self.back.front())
    }

    pub(super) fn push(&mut self, full: Full, room: Option<&Arc<dyn Room>>) {
        self.back.push_back(full);
        let Some(room) = room.filter(|_| self.back.len().is_multiple_of(SHELF)) else { return };
        if self.front.is_empty() {
            self.front.extend(self.back.drain(..SHELF));
        } else if let Some(shelf) = Shelf::of(self.back.make_contiguous().split_at(SHELF).0, room) {
            self.shelves.push_back(shelf);
            self.back.drain(..SHELF);
        }
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Full> {
        let oldest = self.front.pop_front().or_else(|| self.back.pop_front());
        if self.front.is_empty() {
            self.front.extend(self.shelves.pop_front().iter().flat_map(Shelf::chunks));
        }
        oldest
    }

    /// Whether `holds` is true of one, among those that can have an element of this time; the newest first.
    pub(super) fn any_of_time(&self, ts_ms: i64, holds: impl Fn(&Full) -> bool) -> bool {
        let any = |all: &VecDeque<Full>| {
            let mut newer = all.iter().rev().take_while(|full| ts_ms <= full.newest_ts_ms);
            newer.any(&holds)
        };
        let mut shelves = self.shelves.iter().rev().take_while(|shelf| ts_ms <= shelf.newest_ts_ms);
        any(&self.back)
            || shelves.any(|shelf| shelf.oldest_ts_ms <= ts_ms && shelf.chunks().iter().any(&holds))
            || any(&self.front)
    }

    /// All of them, oldest first.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Full)) {
        self.front.iter().for_each(&mut look);
        self.shelves.iter().for_each(|shelf| shelf.chunks().iter().for_each(&mut look));
        self.back.iter().for_each(look);
    }
}

impl FromIterator<Full> for Chunks {
    fn from_iter<T: IntoIterator<Item = Full>>(chunks: T) -> Self {
        Chunks { back: chunks.into_iter().collect(), ..Chunks::default() }
    }
}

/// A copy is in memory.
impl Clone for Chunks {
    fn clone(&self) -> Self {
        let mut back = VecDeque::with_capacity(self.len());
        self.for_each(|full| back.push_back(full.clone()));
        Chunks { back, ..Chunks::default() }
    }
}

impl Shelf {
    /// `None` where the room is full.
    fn of(chunks: &[Full], room: &Arc<dyn Room>) -> Option<Shelf> {
        let mut bytes = postcard::to_allocvec(chunks).expect("numbers are written");
        bytes.resize(bytes.len().next_multiple_of(PIECE_BYTES), 0);
        Some(Shelf {
            oldest_ts_ms: chunks.iter().map(|full| full.oldest_ts_ms).min()?,
            newest_ts_ms: chunks.last()?.newest_ts_ms,
            kept: Kept::new(room, &bytes)?,
        })
    }

    fn chunks(&self) -> Vec<Full> {
        let bytes = self.kept.bytes();
        postcard::take_from_bytes(&bytes).expect("a room gives back what it was given").0
    }
}
