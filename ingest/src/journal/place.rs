//! A place in the journal, and the two surgeries that a mirror asks for: to begin at one, and to go back to one.

use std::sync::Arc;

use super::read::{Found, SegmentReader};
use super::segment::{self, SegmentHead};
use super::{Journal, JournalError, recover};
use crate::config::JournalSettings;
use crate::entry::Entry;
use crate::storage::Storage;
use crate::time::{Epoch, Offset};

/// What was before an entry: all that is needed to go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the entry.
    pub offset: Offset,
    /// Ordinal of the next message.
    pub next_message: u64,
    /// The largest time of the entries before, ms since 1970 UTC.
    pub last_at_ms: Option<i64>,
    /// Epoch of the last cut before; 0 where there is none.
    pub last_epoch: Epoch,
}

impl Place {
    /// Where every journal begins.
    pub const FIRST: Place =
        Place { offset: Offset(1), next_message: 1, last_at_ms: None, last_epoch: Epoch(0) };

    /// Goes past an entry.
    pub fn pass(&mut self, entry: &Entry) {
        self.offset = self.offset.next();
        self.last_at_ms = self.last_at_ms.max(entry.at_ms());
        match entry {
            Entry::Intake(intake) => self.next_message += u64::from(intake.messages()),
            Entry::Cut { epoch, .. } => self.last_epoch = *epoch,
            _ => {}
        }
    }

    fn of_head(head: &SegmentHead) -> Place {
        let SegmentHead { first, next_message, last_at_ms, last_epoch, .. } = *head;
        Place { offset: first, next_message, last_at_ms, last_epoch }
    }
}

impl Journal {
    /// Makes a journal that begins at `place`, as a copy of one whose older entries are gone. One that is there stays
    /// as it is.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn begin(
        storage: &Arc<dyn Storage>,
        settings: &JournalSettings,
        place: Place,
    ) -> Result<(), JournalError> {
        let failed = |error| JournalError::from_storage(error, &settings.folder);
        storage.create_folder(&settings.folder).map_err(failed)?;
        if !segment::list(&**storage, &settings.folder).map_err(failed)?.is_empty() {
            return Ok(());
        }
        let Place { offset, next_message, last_at_ms, last_epoch } = place;
        let head =
            SegmentHead { first: offset, next_message, last_at_ms, last_epoch, previous: Offset::default() };
        segment::create(&**storage, &settings.folder, &head, settings.segment_bytes).map_err(failed)?;
        Ok(())
    }

    /// The place behind the last entry.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            offset: self.next_offset,
            next_message: self.next_message,
            last_at_ms: self.last_at_ms,
            last_epoch: self.last_epoch,
        }
    }

    /// The place of the oldest entry that is kept.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn first_place(&self) -> Result<Place, JournalError> {
        let reader = SegmentReader::open(&*self.storage, &self.folder, self.segments[0])?;
        Ok(Place::of_head(&reader.head))
    }

    /// Forgets the entries from `to` on, as if they had never been. After a crash in it the journal is whole and ends
    /// somewhere at or behind `to`: the same call goes on.
    ///
    /// # Errors
    /// When the storage fails, or `to` is not within the journal.
    pub fn cut_back(&mut self, to: Offset) -> Result<(), JournalError> {
        if to < self.segments[0] {
            return Err(JournalError::Trimmed { from: to, oldest: self.segments[0] });
        }
        if to > self.next_offset {
            return Err(JournalError::Ahead { from: to, next: self.next_offset });
        }
        let failed = |source| JournalError::Storage { source };
        self.sync()?;
        while let [_, .., newest] = self.segments[..]
            && newest >= to
        {
            self.storage.remove(&self.folder.join(segment::name(newest))).map_err(failed)?;
            self.segments.pop();
        }
        let newest = *self.segments.last().expect("a journal has at least one segment");
        let mut reader = SegmentReader::open(&*self.storage, &self.folder, newest)?;
        let mut place = Place::of_head(&reader.head);
        while place.offset < to {
            match reader.next(place.offset)? {
                Found::Frame { entry, position, .. } => place.pass(&reader.decode(entry, position)?),
                Found::End | Found::Bad { .. } => {
                    let expected = format!("entry {}", place.offset.0);
                    return Err(reader.damaged_at(reader.position, expected));
                }
            }
        }
        self.file = self.storage.open_write(&self.folder.join(segment::name(newest))).map_err(failed)?;
        recover::clear_from(&*self.file, reader.position).map_err(failed)?;
        self.file_bytes = self.file.len().map_err(failed)?;
        self.position = reader.position;
        self.next_offset = to;
        self.durable = to;
        self.next_message = place.next_message;
        self.last_at_ms = place.last_at_ms;
        self.last_epoch = place.last_epoch;
        Ok(())
    }
}
