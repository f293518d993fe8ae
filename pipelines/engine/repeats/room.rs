//! Room for prints outside of memory: they are many, and hardly ever asked for.

use std::fmt::Debug;
use std::sync::Arc;

use super::Repeats;

/// Keeps bytes where they take no memory. What it gives back is what it was given, so nothing depends on whether there is
/// any; the engine itself reads and writes no file.
pub trait Room: Debug + Send + Sync {
    /// Keeps bytes; `None` where it is full.
    fn keep(&self, bytes: &[u8]) -> Option<u64>;

    /// What is kept at a place.
    ///
    /// # Panics
    /// If it cannot be read any more: a verdict on a repeat without it would be a guess.
    fn read(&self, place: u64, bytes: &mut [u8]);

    /// What is kept there is not needed any more.
    fn free(&self, place: u64, length: usize);
}

/// Bytes in a room, until this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    room: Arc<dyn Room>,
    place: u64,
    length: u32,
}

impl Kept {
    /// `None` where the room is full.
    pub(super) fn new(room: &Arc<dyn Room>, bytes: &[u8]) -> Option<Kept> {
        let length = u32::try_from(bytes.len()).ok()?;
        Some(Kept { room: Arc::clone(room), place: room.keep(bytes)?, length })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        self.room.read(self.place, &mut bytes);
        bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.room.free(self.place, self.length as usize);
    }
}

impl Repeats {
    /// Old chunks are kept there from now on.
    pub(in crate::engine) fn keep_in(&mut self, room: Arc<dyn Room>) {
        self.room = Some(room);
    }

    /// Old chunks are kept where those of `other` are.
    pub(in crate::engine) fn share_room(&mut self, other: &Repeats) {
        self.room.clone_from(&other.room);
    }
}
