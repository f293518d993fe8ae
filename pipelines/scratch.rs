//! A file without a name, as room outside of memory: for a replay, which nobody goes on from.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::engine::Room;

/// What comes is written this much at a time.
const TAIL_BYTES: usize = 64 * 1024;

/// Grows to the most that was kept at a time; what is freed is used again by what is as long. Where it cannot grow any more,
/// it is full.
#[derive(Debug)]
pub struct ScratchFile(Mutex<Scratch>);

#[derive(Debug)]
struct Scratch {
    file: File,
    /// Bytes in the file; what came behind them is in `tail`.
    written: u64,
    tail: Vec<u8>,
    /// Places by length.
    free: BTreeMap<usize, Vec<u64>>,
}

impl ScratchFile {
    /// In `folder`, and gone with this value.
    ///
    /// # Errors
    /// If there can be no file.
    pub fn in_folder(folder: &Path) -> std::io::Result<ScratchFile> {
        let path = folder.join(format!(".scratch-{}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        let (tail, free) = (Vec::with_capacity(TAIL_BYTES), BTreeMap::new());
        Ok(ScratchFile(Mutex::new(Scratch { file, written: 0, tail, free })))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Scratch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room for ScratchFile {
    fn keep(&self, bytes: &[u8]) -> Option<u64> {
        let mut scratch = self.locked();
        if let Some(place) = scratch.free.get_mut(&bytes.len()).and_then(Vec::pop) {
            return scratch.put(place, bytes).then_some(place);
        }
        if scratch.tail.len() + bytes.len() > TAIL_BYTES && !scratch.flush() {
            return None;
        }
        let place = scratch.written + scratch.tail.len() as u64;
        scratch.tail.extend_from_slice(bytes);
        Some(place)
    }

    fn read(&self, place: u64, bytes: &mut [u8]) {
        let scratch = self.locked();
        let Some(at) = place.checked_sub(scratch.written) else {
            let read = scratch.file.read_exact_at(bytes, place);
            return read.expect("the scratch file can be read: without it repeats would be guessed");
        };
        let at = usize::try_from(at).expect("the tail is in memory");
        bytes.copy_from_slice(&scratch.tail[at..at + bytes.len()]);
    }

    fn free(&self, place: u64, length: usize) {
        self.locked().free.entry(length).or_default().push(place);
    }
}

impl Scratch {
    /// Whether the tail is in the file now.
    fn flush(&mut self) -> bool {
        let is_written = self.file.write_all_at(&self.tail, self.written).is_ok();
        if is_written {
            self.written += self.tail.len() as u64;
            self.tail.clear();
        }
        is_written
    }

    /// Takes a place anew; false where that cannot be written, and the place is lost.
    fn put(&mut self, place: u64, bytes: &[u8]) -> bool {
        let Some(at) = place.checked_sub(self.written) else {
            return self.file.write_all_at(bytes, place).is_ok();
        };
        let at = usize::try_from(at).expect("the tail is in memory");
        self.tail[at..at + bytes.len()].copy_from_slice(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_freed_is_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = ScratchFile::in_folder(folder.path()).expect("a file");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "it has no name");
        let piece = |number: usize| -> Vec<u8> {
            let length = if number.is_multiple_of(3) { 1024 } else { 512 };
            (0..length).map(|byte| (number * 31 + byte) as u8).collect()
        };
        let mut places: Vec<u64> =
            (0..1_000).map(|number| scratch.keep(&piece(number)).expect("there is room")).collect();
        let is_kept = |place: u64, number: usize| {
            let mut found = vec![0; piece(number).len()];
            scratch.read(place, &mut found);
            assert_eq!(found, piece(number), "{number} at {place}");
        };
        places.iter().enumerate().for_each(|(number, &place)| is_kept(place, number));
        for number in (0..1_000).step_by(7) {
            scratch.free(places[number], piece(number).len());
            // As long as the one that is gone, and other bytes.
            places[number] = scratch.keep(&piece(number + 3_000)).expect("there is room");
        }
        for (number, &place) in places.iter().enumerate() {
            is_kept(place, if number.is_multiple_of(7) { number + 3_000 } else { number });
        }
        let longest = places.iter().max().expect("there are some");
        assert!(*longest < 1_000 * 1024, "no place is beyond the first thousand: {longest}");
    }

    #[test]
    fn a_file_that_cannot_grow_takes_nothing_more_and_keeps_what_it_has() {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").expect("it is there");
        let scratch =
            ScratchFile(Mutex::new(Scratch { file, written: 0, tail: Vec::new(), free: BTreeMap::new() }));
        let kept: Vec<u64> = std::iter::from_fn(|| scratch.keep(&[7; 512])).take(1_000).collect();
        assert_eq!(kept.len(), TAIL_BYTES / 512);
        let mut found = [0; 512];
        scratch.read(kept[100], &mut found);
        assert_eq!(found, [7; 512]);
    }
}
