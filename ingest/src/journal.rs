//! The one order of things, on disk.
//!
//! The journal is a folder of segments; each is a file preallocated to `segment_bytes` and named by the
//! offset of its first entry, 20 digits and `.journal`. An entry is appended as a frame, and durable after
//! the next [`Journal::sync`]. Integers are little-endian, checksums CRC-32C.
//!
//! Head of a segment, 64 bytes:
//!
//! | at | bytes | what                                                                            |
//! |----|-------|---------------------------------------------------------------------------------|
//! | 0  | 8     | `ANDONJ01`: what it is, and the version of this layout                          |
//! | 8  | 8     | offset of its first entry, as in its name                                       |
//! | 16 | 8     | ordinal of the next message                                                     |
//! | 24 | 8     | time of the entries before, ms since 1970 UTC (`i64`, its minimum for none)     |
//! | 32 | 8     | last epoch cut before, 0 for none                                               |
//! | 40 | 8     | offset of the first entry of the segment before, 0 for none                     |
//! | 48 | 12    | zeroes                                                                          |
//! | 60 | 4     | checksum of the 60 bytes before                                                 |
//!
//! Then frames, each at a multiple of 8, then zeroes to the end of the file:
//!
//! | at | bytes | what                                                                            |
//! |----|-------|---------------------------------------------------------------------------------|
//! | 0  | 4     | bytes of the entry; 0 is the end of the frames                                  |
//! | 4  | 4     | checksum of all else of the frame                                               |
//! | 8  | 8     | offset of the entry                                                             |
//! | 16 | 8     | what was durable when it was written: every entry below this offset             |
//! | 24 | 8     | ordinal of the next message before the entry                                    |
//! | 32 |       | the entry, kind byte first ([`crate::entry`])                                   |
//!
//! A power cut may leave any part of what was not synced. Such a torn tail is cut off when the journal is
//! opened: it begins at the first frame that is not whole, provided no later frame says that this one was
//! durable, and it lacks more than a bit: what is torn lacks whole sectors. Anything else that is not as it should be is damage, and refused. All segments but the newest
//! were synced whole before the next one was begun.

mod append;
mod copy;
mod entries;
mod error;
mod frame;
mod hold;
mod place;
mod read;
mod recover;
mod segment;
mod skim;
mod spare;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::spare::Spare;
use crate::config::JournalSettings;
use crate::storage::{DiskStorage, Storage, StorageFile};
use crate::time::{Epoch, Offset};

pub use copy::copy;
pub use entries::{Entries, ReadOnlyJournal};
pub use error::JournalError;
pub use hold::{Hold, alone, hold};
pub use place::Place;
pub use recover::Recovered;
pub use spare::Maker;

/// A larger entry is refused, so that a damaged length is not believed.
const ENTRY_BYTES_MAX: usize = 1 << 30;

/// The journal, open for appending, by one process alone.
#[derive(Debug)]
pub struct Journal {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    segment_bytes: u64,
    /// First offsets, oldest first. The last segment is the one that is written.
    segments: Vec<Offset>,
    file: Box<dyn StorageFile>,
    /// Length of `file`, and where in it the next frame goes.
    file_bytes: u64,
    position: u64,
    /// Where in it this process wrote its first.
    began_at: u64,
    next_offset: Offset,
    /// Every entry below is durable.
    durable: Offset,
    next_message: u64,
    last_at_ms: Option<i64>,
    last_epoch: Epoch,
    is_poisoned: bool,
    /// The next segment, where it is made ahead.
    spare: Option<Spare>,
    /// Whether `file` was: then all its blocks were written once.
    is_made_ahead: bool,
    /// Whether it was begun before the one before was full.
    is_early: bool,
    /// A frame's head and the head of its entry.
    scratch: Vec<u8>,
    /// Held until the journal is dropped.
    _lock: Box<dyn StorageFile>,
}

impl Journal {
    /// Opens the journal in its folder, or makes one. All that is in it is durable when this returns; a
    /// torn tail is cut off, logged and counted.
    ///
    /// # Errors
    /// When another process has it open, when it is damaged, when the storage fails.
    pub fn open(
        storage: Arc<dyn Storage>,
        settings: &JournalSettings,
    ) -> Result<(Journal, Recovered), JournalError> {
        let folder = settings.folder.clone();
        let recover::Reopened { survey, file, file_bytes, lock } =
            recover::reopen(&*storage, &folder, settings.segment_bytes)?;
        let recover::Survey { segments, recovered, position, .. } = survey;
        let journal = Journal {
            storage,
            folder,
            segment_bytes: settings.segment_bytes,
            segments,
            file,
            file_bytes,
            position,
            began_at: position,
            next_offset: recovered.next_offset,
            durable: recovered.next_offset,
            next_message: recovered.next_message,
            last_at_ms: recovered.last_at_ms,
            last_epoch: recovered.last_epoch,
            is_poisoned: false,
            spare: None,
            is_made_ahead: false,
            is_early: false,
            scratch: Vec::new(),
            _lock: lock,
        };
        Ok((journal, recovered))
    }

    /// From now on the next segment is made ahead, once there is much to write, so that a sync waits for nothing but its
    /// own bytes.
    pub fn make_ahead(&mut self, maker: Maker) {
        let storage = Arc::clone(&self.storage);
        let spare = || Spare::new(storage, &self.folder, self.segment_bytes, maker);
        self.spare.get_or_insert_with(spare);
    }

    /// Opens a journal on disk to read it: changes nothing, stops before a torn tail, does not mind a
    /// process that goes on writing.
    ///
    /// # Errors
    /// When there is no journal in the folder, when it is damaged, when the disk fails.
    pub fn open_read_only(folder: impl AsRef<Path>) -> Result<ReadOnlyJournal, JournalError> {
        ReadOnlyJournal::open(Arc::new(DiskStorage), folder.as_ref())
    }

    /// The place of the next entry.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Ordinal of the next message.
    #[must_use]
    pub fn next_message(&self) -> u64 {
        self.next_message
    }

    /// The oldest entry that is kept, or the next one's place.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        self.segments[0]
    }

    /// The entries from `from` on that have been appended until now, durable or not. Takes a few megabytes
    /// however many there are, and does not hold the journal. `Offset(0)` stands for the very first.
    ///
    /// # Errors
    /// When `from` is trimmed, or not yet there. The entries themselves may be damaged: then that is the
    /// last item.
    pub fn read(&self, from: Offset) -> Result<Entries, JournalError> {
        let storage = Arc::clone(&self.storage);
        Entries::new(storage, &self.folder, &self.segments, from, self.next_offset)
    }

    /// Removes the oldest segments, all of whose entries are before `before`, while there are more than `bytes` in all;
    /// never the newest, nor the one before it where that is not full. Bytes that were removed.
    ///
    /// # Errors
    /// When the storage fails. What is left is whole.
    pub fn trim(&mut self, before: Offset, bytes: u64) -> Result<u64, JournalError> {
        let (mut removed, mut kept) = (0, None);
        let least = 1 + usize::from(self.is_early);
        while self.segments.len() > least && self.segments[1] <= before {
            let kept_bytes = match kept {
                Some(kept) => kept,
                None => self
                    .segments
                    .iter()
                    .map(|first| self.segment_len(*first))
                    .sum::<Result<u64, JournalError>>()?,
            };
            if kept_bytes <= bytes {
                break;
            }
            let oldest_bytes = self.segment_len(self.segments[0])?;
            let path = self.folder.join(segment::name(self.segments[0]));
            self.storage.remove(&path).map_err(|source| JournalError::Storage { source })?;
            self.segments.remove(0);
            removed += oldest_bytes;
            kept = Some(kept_bytes.saturating_sub(oldest_bytes));
        }
        Ok(removed)
    }

    fn segment_len(&self, first: Offset) -> Result<u64, JournalError> {
        let file = self.storage.open(&self.folder.join(segment::name(first)));
        file.and_then(|file| file.len()).map_err(|source| JournalError::Storage { source })
    }
}
