//! Room for prints outside of memory: they are many, and hardly ever asked for.

use std::fmt::Debug;
use std::sync::Arc;

use super::Repeats;
use super::chunk::CHUNK;

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

/// The prints of a full chunk, in memory or elsewhere.
#[derive(Debug)]
pub(super) enum Kept<T: Word> {
    Here(Box<[T]>),
    Elsewhere(Elsewhere),
}

/// A place in a room.
#[derive(Debug)]
pub(super) struct Elsewhere {
    room: Arc<dyn Room>,
    place: u64,
    length: usize,
}

/// A number whose bytes are kept.
pub(super) trait Word: Copy + PartialEq + Default {
    const BYTES: usize;
    fn put(self, bytes: &mut [u8]);
    fn of(bytes: &[u8]) -> Self;
}

impl Word for u32 {
    const BYTES: usize = 4;
    fn put(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }
    fn of(bytes: &[u8]) -> u32 {
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }
}

impl Word for u64 {
    const BYTES: usize = 8;
    fn put(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }
    fn of(bytes: &[u8]) -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }
}

impl Repeats {
    /// Full chunks are kept there from now on.
    pub(in crate::engine) fn keep_in(&mut self, room: Arc<dyn Room>) {
        self.room = Some(room);
    }

    /// Full chunks are kept where those of `other` are.
    pub(in crate::engine) fn share_room(&mut self, other: &Repeats) {
        self.room.clone_from(&other.room);
    }
}

impl<T: Word> Kept<T> {
    /// In `room` if there is any and it is not full.
    pub(super) fn of(words: impl Iterator<Item = T>, room: Option<&Arc<dyn Room>>) -> Self {
        let Some(room) = room else { return Kept::Here(words.collect()) };
        let mut all = [T::default(); CHUNK];
        all.iter_mut().zip(words).for_each(|(place, word)| *place = word);
        let mut bytes = [0; CHUNK * 8];
        let bytes = &mut bytes[..CHUNK * T::BYTES];
        bytes.chunks_exact_mut(T::BYTES).zip(all).for_each(|(bytes, word)| word.put(bytes));
        match room.keep(bytes) {
            Some(place) => Kept::Elsewhere(Elsewhere { room: Arc::clone(room), place, length: bytes.len() }),
            None => Kept::Here(all.into()),
        }
    }

    /// What `look` finds in them.
    pub(super) fn with<R>(&self, look: impl FnOnce(&[T]) -> R) -> R {
        let place = match self {
            Kept::Here(words) => return look(words),
            Kept::Elsewhere(place) => place,
        };
        let mut bytes = [0; CHUNK * 8];
        let bytes = &mut bytes[..place.length];
        place.room.read(place.place, bytes);
        let mut words = [T::default(); CHUNK];
        words.iter_mut().zip(bytes.chunks_exact(T::BYTES)).for_each(|(word, bytes)| *word = T::of(bytes));
        look(&words)
    }
}

/// A copy is in memory.
impl<T: Word> Clone for Kept<T> {
    fn clone(&self) -> Self {
        self.with(|words| Kept::Here(words.into()))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.room.free(self.place, self.length);
    }
}
