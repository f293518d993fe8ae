//! Appending: an entry's way to the disk.

use super::frame::{self, FrameHead};
use super::segment::{self, SegmentHead};
use super::spare::Spare;
use super::{Journal, JournalError};
use crate::entry::Entry;
use crate::time::Offset;

/// Bodies up to here are copied behind their frame's head, to be written at once.
const COPY_BYTES_MAX: usize = 4096;

/// The next segment is made ahead once this part of one is written, an eighth: who writes little needs none, and has all
/// of it in one segment.
const SPARE_BEGINS_AT: u64 = 8;

impl Journal {
    /// Writes an entry behind all others and tells its place. It is durable after the next
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`JournalError::Full`] passes: nothing has changed, and the same call can be tried again.
    ///
    /// # Panics
    /// When an intake's messages do not go on where the journal's have ended.
    pub fn append(&mut self, entry: &Entry) -> Result<Offset, JournalError> {
        self.check_poisoned()?;
        if let Some(intake) = entry.messages() {
            assert_eq!(intake.first_message, self.next_message, "messages are numbered without gaps");
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let appended = self.append_with(entry, &mut scratch);
        self.scratch = scratch;
        appended?;

        let offset = self.next_offset;
        self.next_offset = offset.next();
        self.last_at_ms = self.last_at_ms.max(entry.at_ms());
        self.next_message += entry.messages().map_or(0, |messages| u64::from(messages.messages()));
        if let Entry::Cut { epoch, .. } = entry {
            self.last_epoch = *epoch;
        }
        Ok(offset)
    }

    fn append_with(&mut self, entry: &Entry, scratch: &mut Vec<u8>) -> Result<(), JournalError> {
        scratch.clear();
        scratch.resize(frame::HEAD_BYTES, 0);
        let mut body = entry.encode_head(scratch);
        if body.len() <= COPY_BYTES_MAX {
            scratch.extend_from_slice(body);
            body = &[];
        }
        let entry_bytes = scratch.len() - frame::HEAD_BYTES + body.len();
        if entry_bytes > super::ENTRY_BYTES_MAX {
            return Err(JournalError::TooLarge { bytes: entry_bytes });
        }
        let frame_bytes = frame::frame_bytes(entry_bytes);
        let is_full = self.position + frame_bytes > self.file_bytes;
        if is_full || self.has_better_segment() {
            self.begin_segment(frame_bytes)?;
            self.is_early = !is_full;
        }
        let head = FrameHead::of(
            self.next_offset,
            self.durable,
            self.next_message,
            [&scratch[frame::HEAD_BYTES..], body],
        );
        scratch[..frame::HEAD_BYTES].copy_from_slice(&head.encode());

        let failed = |error| JournalError::from_storage(error, &self.folder);
        // The head last: who reads meanwhile sees the whole frame or none.
        if !body.is_empty() {
            self.file.write_at(self.position + scratch.len() as u64, body).map_err(failed)?;
        }
        self.file.write_at(self.position, scratch).map_err(failed)?;
        self.position += frame_bytes;
        if let Some(spare) = &mut self.spare
            && self.position - self.began_at > self.file_bytes / SPARE_BEGINS_AT
        {
            spare.begin();
        }
        Ok(())
    }

    /// Whether this segment's blocks were never written and those of a spare one were: then it goes on there, however
    /// little is in this one.
    fn has_better_segment(&mut self) -> bool {
        !self.is_made_ahead && self.spare.as_mut().is_some_and(Spare::is_ready)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// Any error is final: all later calls give [`JournalError::Poisoned`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.check_poisoned()?;
        if self.durable < self.next_offset {
            self.file.sync_data().map_err(|source| {
                self.is_poisoned = true;
                JournalError::Storage { source }
            })?;
            self.durable = self.next_offset;
        }
        Ok(())
    }

    /// Goes on in a new segment, which has room for the frame however large it is.
    pub(super) fn begin_segment(&mut self, frame_bytes: u64) -> Result<(), JournalError> {
        self.sync()?;
        // A segment without entries is replaced by one of the same name that is large enough.
        let previous = self.segments.iter().rev().find(|first| **first < self.next_offset);
        let head = SegmentHead {
            first: self.next_offset,
            next_message: self.next_message,
            last_at_ms: self.last_at_ms,
            last_epoch: self.last_epoch,
            previous: previous.copied().unwrap_or_default(),
        };
        let bytes = self.segment_bytes.max(segment::HEAD_BYTES as u64 + frame_bytes);
        let failed = |error| JournalError::from_storage(error, &self.folder);
        let spare = self.spare.as_mut().map(|spare| spare.take(&self.folder, &head, bytes));
        let spare = spare.transpose().map_err(failed)?.flatten();
        self.is_made_ahead = spare.is_some();
        self.file = match spare {
            Some(file) => file,
            None => segment::create(&*self.storage, &self.folder, &head, bytes).map_err(failed)?,
        };
        self.file_bytes = bytes;
        self.position = segment::HEAD_BYTES as u64;
        self.began_at = self.position;
        if self.segments.last() != Some(&head.first) {
            self.segments.push(head.first);
        }
        Ok(())
    }

    fn check_poisoned(&self) -> Result<(), JournalError> {
        if self.is_poisoned { Err(JournalError::Poisoned) } else { Ok(()) }
    }
}
