//! Reading: the entries of a journal, segment after segment.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read::{Found, SegmentReader};
use super::{JournalError, Recovered, recover};
use crate::entry::Entry;
use crate::storage::Storage;
use crate::time::Offset;

/// A journal that is only read.
#[derive(Debug)]
pub struct ReadOnlyJournal {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    segments: Vec<Offset>,
    recovered: Recovered,
}

impl ReadOnlyJournal {
    /// As [`Journal::open_read_only`](super::Journal::open_read_only), from any storage.
    ///
    /// # Errors
    /// When there is no journal in the folder, when it is damaged, when the storage fails.
    pub fn open(storage: Arc<dyn Storage>, folder: &Path) -> Result<Self, JournalError> {
        let survey = recover::survey(&*storage, folder)?;
        let survey = survey.ok_or_else(|| JournalError::Missing { folder: folder.to_owned() })?;
        let recover::Survey { segments, recovered, .. } = survey;
        Ok(ReadOnlyJournal { storage, folder: folder.to_owned(), segments, recovered })
    }

    /// What was found at opening. The torn tail that it may count is still there.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The oldest entry that is kept, or the next one's place.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        self.recovered.first_offset
    }

    /// The place behind the last entry.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.recovered.next_offset
    }

    /// As [`Journal::read`](super::Journal::read), up to the end that was found at opening.
    ///
    /// # Errors
    /// When `from` is trimmed, or behind the end.
    pub fn read(&self, from: Offset) -> Result<Entries, JournalError> {
        let storage = Arc::clone(&self.storage);
        Entries::new(storage, &self.folder, &self.segments, from, self.recovered.next_offset)
    }
}

/// Entries of the journal in order, each with its place. After an error there are no more.
#[derive(Debug)]
pub struct Entries {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    /// Segments to come, by first offset.
    segments: VecDeque<Offset>,
    reader: Option<SegmentReader>,
    /// The next frame; entries before `from` are passed over.
    next: Offset,
    from: Offset,
    until: Offset,
}

impl Entries {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        folder: &Path,
        segments: &[Offset],
        from: Offset,
        until: Offset,
    ) -> Result<Self, JournalError> {
        let from = from.max(Offset(1));
        let oldest = segments[0];
        if from < oldest {
            return Err(JournalError::Trimmed { from, oldest });
        }
        if from > until {
            return Err(JournalError::Ahead { from, next: until });
        }
        let before = segments.partition_point(|first| *first <= from) - 1;
        // The frames before `from` in its segment are read as well: they lead the way.
        let next = if from < until { segments[before] } else { until };
        let segments = segments[before..].iter().copied().collect();
        Ok(Entries { storage, folder: folder.to_owned(), segments, reader: None, next, from, until })
    }

    fn advance(&mut self) -> Result<Option<(Offset, Entry)>, JournalError> {
        while self.next < self.until {
            let Some(reader) = &mut self.reader else {
                self.reader = Some(self.open_next()?);
                continue;
            };
            match reader.next(self.next)? {
                Found::Frame { entry, position, .. } => {
                    let offset = self.next;
                    self.next = offset.next();
                    if offset >= self.from {
                        return Ok(Some((offset, reader.decode(entry, position)?)));
                    }
                }
                Found::End if self.segments.front() == Some(&self.next) => self.reader = None,
                Found::End => {
                    let expected = format!("entry {}, not the end of the file's frames", self.next.0);
                    return Err(reader.damaged_at(reader.position, expected));
                }
                Found::Bad { expected } => return Err(reader.damaged_at(reader.position, expected)),
            }
        }
        Ok(None)
    }

    fn open_next(&mut self) -> Result<SegmentReader, JournalError> {
        let first = self.segments.pop_front().expect("entries before `until` have a segment");
        SegmentReader::open(&*self.storage, &self.folder, first)
    }
}

impl Iterator for Entries {
    type Item = Result<(Offset, Entry), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if let Some(Err(_)) = item {
            self.until = self.next;
        }
        item
    }
}
