//! Looking through the journal for its small entries, without reading the large ones.

use bytes::Bytes;

use super::frame::{self, FrameHead};
use super::read::{SegmentReader, read_exactly_at};
use super::{Journal, JournalError};
use crate::entry::Entry;
use crate::time::Offset;

/// Read of each frame: its head and an entry such as a cut.
const LOOK_BYTES: usize = 96;

impl Journal {
    /// Shows `see` the entries before `until` that are small (ticks and cuts are), each with its place and the ordinal of
    /// the next message before it. Of the others only the heads are read; whoever applies them looks whether they are
    /// whole.
    ///
    /// # Errors
    /// When a frame is not where it should be or a small one is damaged, when the storage fails.
    pub fn skim(&self, until: Offset, mut see: impl FnMut(Offset, u64, &Entry)) -> Result<(), JournalError> {
        let until = until.min(self.next_offset);
        for (place, &first) in self.segments.iter().enumerate().take_while(|(_, first)| **first < until) {
            let end = self.segments.get(place + 1).map_or(until, |next| until.min(*next));
            let mut reader = SegmentReader::open(&*self.storage, &self.folder, first)?;
            let mut next = first;
            while next < end {
                let (head, entry) = reader.look(next)?;
                if let Some(entry) = entry {
                    see(next, head.next_message, &entry);
                }
                next = next.next();
            }
        }
        Ok(())
    }
}

impl SegmentReader {
    /// The head of the frame of entry `expected`, and the entry if it is small; goes on behind it.
    fn look(&mut self, expected: Offset) -> Result<(FrameHead, Option<Entry>), JournalError> {
        let missing = || self.damaged_at(self.position, format!("entry {}", expected.0));
        let left = self.file_bytes.saturating_sub(self.position);
        let mut bytes = [0; LOOK_BYTES];
        let looked = LOOK_BYTES.min(usize::try_from(left).unwrap_or(LOOK_BYTES));
        read_exactly_at(self.file(), self.path(), self.position, &mut bytes[..looked])
            .map_err(|source| JournalError::Storage { source })?;
        let (head, rest) = bytes[..looked].split_first_chunk().ok_or_else(missing)?;
        let head = FrameHead::decode(head);
        let frame_bytes = frame::frame_bytes(head.entry_bytes as usize);
        if head.entry_bytes == 0 || head.offset != expected || frame_bytes > left {
            return Err(missing());
        }
        let entry = match rest.get(..head.entry_bytes as usize) {
            Some(entry) if head.is_of(entry) => {
                Some(self.decode(Bytes::copy_from_slice(entry), self.position)?)
            }
            Some(_) => return Err(missing()),
            None => None,
        };
        self.position += frame_bytes;
        Ok((head, entry))
    }
}
