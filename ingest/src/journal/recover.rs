//! Reopening: where the journal ends, and whether what follows is a torn tail or damage.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::JournalError;
use super::frame::{self, FrameHead};
use super::hold::{self, LOCK};
use super::read::{Found, SegmentReader, read_exactly_at};
use super::segment::{self, SegmentHead};
use crate::entry::Entry;
use crate::storage::{Storage, StorageFile, is_full};
use crate::time::{Epoch, Offset};

/// What was found when the journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The oldest entry that is kept; equal to `next_offset` where there is none.
    pub first_offset: Offset,
    /// Ordinal of the first message that is kept; above 1 where older ones are trimmed.
    pub first_message: u64,
    /// The place of the next entry.
    pub next_offset: Offset,
    /// Ordinal of the next message.
    pub next_message: u64,
    /// The largest time of any entry so far, ms since 1970 UTC.
    pub last_at_ms: Option<i64>,
    /// The last epoch that was cut; 0 where none was.
    pub last_epoch: Epoch,
    /// Bytes of a torn tail, which are gone: never synced, hence never acknowledged.
    pub torn_bytes: u64,
}

/// A journal as it stands.
#[derive(Debug)]
pub(super) struct Survey {
    /// First offsets, oldest first; at least one.
    pub(super) segments: Vec<Offset>,
    pub(super) recovered: Recovered,
    /// Where in the newest segment the frames end.
    pub(super) position: u64,
    /// Where those begin of which no frame says that they are durable.
    in_doubt: u64,
}

/// A journal that can be written on.
#[derive(Debug)]
pub(super) struct Reopened {
    pub(super) survey: Survey,
    /// The newest segment, and its length.
    pub(super) file: Box<dyn StorageFile>,
    pub(super) file_bytes: u64,
    pub(super) lock: Box<dyn StorageFile>,
}

/// Makes the journal ours, and durable up to where its frames end. Makes one where there is none.
pub(super) fn reopen(
    storage: &dyn Storage,
    folder: &Path,
    segment_bytes: u64,
) -> Result<Reopened, JournalError> {
    let failed = |error| JournalError::from_storage(error, folder);
    storage.create_folder(folder).map_err(failed)?;
    let lock = storage.lock(&folder.join(LOCK)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => JournalError::InUse { folder: folder.to_owned() },
        _ => failed(error),
    })?;
    // Made now, so that a disk which is full later need not be waited for because of it.
    match hold::hold(storage, folder) {
        Ok(_) | Err(JournalError::Held { .. }) => {}
        Err(error) => return Err(error),
    }
    segment::remove_unfinished(storage, folder).map_err(failed)?;
    let mut found = survey(storage, folder)?;
    if found.is_none() {
        segment::create(storage, folder, &SegmentHead::of_first(), segment_bytes).map_err(failed)?;
        found = survey(storage, folder)?;
    }
    let survey = found.ok_or_else(|| JournalError::Missing { folder: folder.to_owned() })?;
    // Whoever made the newest segment may have ended before its name was durable.
    storage.sync_folder(folder).map_err(failed)?;

    let newest = survey.segments.last().expect("a survey finds at least one segment");
    let path = folder.join(segment::name(*newest));
    let file = storage.open_write(&path).map_err(failed)?;
    if survey.recovered.torn_bytes > 0 {
        cut_tail(&*file, &path, survey.position, survey.recovered.torn_bytes).map_err(failed)?;
    }
    // A killed process may have left what it wrote in the page cache alone, and where its sync has failed the system
    // takes these pages for written: they must be written again, or a sync that succeeds proves nothing.
    write_again(&*file, &path, survey.in_doubt..survey.position).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    let file_bytes = file.len().map_err(failed)?;
    Ok(Reopened { survey, file, file_bytes, lock })
}

/// Looks at the heads of all segments and at all of the newest; changes nothing. `None` where there is no
/// journal. The frames of older segments are checked when they are read.
pub(super) fn survey(storage: &dyn Storage, folder: &Path) -> Result<Option<Survey>, JournalError> {
    let segments = match segment::list(storage, folder) {
        Ok(segments) => segments,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(JournalError::Storage { source }),
    };
    let mut newest = None;
    let mut first_message = 1;
    let mut previous: Option<Offset> = None;
    for &first in &segments {
        let reader = SegmentReader::open(storage, folder, first)?;
        if let Some(previous) = previous.filter(|previous| *previous != reader.head.previous) {
            let missing = segment::name(reader.head.previous);
            let expected = format!("`{missing}` before this file, and not `{}`", segment::name(previous));
            return Err(reader.damaged_at(40, expected));
        }
        if previous.is_none() {
            first_message = reader.head.next_message;
        }
        previous = Some(first);
        newest = Some(reader);
    }
    let Some(mut reader) = newest else { return Ok(None) };

    let mut recovered = Recovered {
        first_offset: segments[0],
        first_message,
        next_offset: reader.head.first,
        next_message: reader.head.next_message,
        last_at_ms: reader.head.last_at_ms,
        last_epoch: reader.head.last_epoch,
        torn_bytes: 0,
    };
    let mut in_doubt = VecDeque::new();
    let mut looked_again_at = 0;
    recovered.torn_bytes = loop {
        let expected = loop {
            match reader.next(recovered.next_offset)? {
                Found::Frame { head, entry, position } => {
                    if head.next_message != recovered.next_message {
                        break format!("a frame with message {} as the next", recovered.next_message);
                    }
                    let entry = reader.decode(entry, position)?;
                    while in_doubt.front().is_some_and(|(offset, _)| *offset < head.durable) {
                        in_doubt.pop_front();
                    }
                    in_doubt.push_back((head.offset, position));
                    recovered.next_offset = recovered.next_offset.next();
                    recovered.last_at_ms = recovered.last_at_ms.max(entry.at_ms());
                    recovered.next_message +=
                        entry.messages().map_or(0, |messages| u64::from(messages.messages()));
                    if let Entry::Cut { epoch, .. } = entry {
                        recovered.last_epoch = epoch;
                    }
                }
                Found::End => break "a frame, not zeroes".to_owned(),
                Found::Bad { expected } => break expected,
            }
        };
        let why = match look_at_tail(&reader, recovered.next_offset)? {
            Tail::Torn { bytes } => break bytes,
            // Written after it was looked for, as what is behind it.
            _ if reader.position != looked_again_at && reader.has_come(recovered.next_offset)? => {
                looked_again_at = reader.position;
                continue;
            }
            Tail::Damaged { witness } => format!("since entry {} behind it was written later", witness.0),
            Tail::OneBit => "since all but one bit of it is there, so it was written whole".to_owned(),
        };
        return Err(reader.damaged_at(reader.position, format!("{expected}, {why}")));
    };
    let in_doubt = in_doubt.front().map_or(reader.position, |(_, position)| *position);
    Ok(Some(Survey { segments, recovered, position: reader.position, in_doubt }))
}

enum Tail {
    /// Never synced; 0 bytes if the tail is all zeroes.
    Torn { bytes: u64 },
    /// A whole frame says that the entry which should be here was durable.
    Damaged { witness: Offset },
    /// The frame is there but for one bit. It may have been acknowledged, and nothing behind it could say so.
    OneBit,
}

/// Judges what follows where frame `expected` should be and is not.
fn look_at_tail(reader: &SegmentReader, expected: Offset) -> Result<Tail, JournalError> {
    let failed = |source| JournalError::Storage { source };
    let Some(end) = reader.end_of_data().map_err(failed)? else {
        return Ok(Tail::Torn { bytes: 0 });
    };
    let bytes = end - reader.position;
    // All in memory, but only where there is something: a crash seldom happens, and a segment is bounded.
    let tail = reader.read_exactly(reader.position, reader.file_bytes - reader.position).map_err(failed)?;
    for at in (0..tail.len().saturating_sub(frame::HEAD_BYTES)).step_by(frame::ALIGN_BYTES) {
        let (head, rest) = tail[at..].split_first_chunk().expect("the loop stops before the last head");
        let head = FrameHead::decode(head);
        // A frame that was written in the same group, or whose bytes are part of some payload, proves nothing.
        let could_know = head.durable > expected && head.offset >= head.durable;
        if !could_know || head.entry_bytes == 0 {
            continue;
        }
        if rest.get(..head.entry_bytes as usize).is_some_and(|entry| head.is_of(entry)) {
            return Ok(Tail::Damaged { witness: head.offset });
        }
    }
    if let Some((head, content)) = tail.split_first_chunk()
        && FrameHead::decode(head).is_whole_but_for_a_bit(content)
    {
        return Ok(Tail::OneBit);
    }
    Ok(Tail::Torn { bytes })
}

/// Writes what is there once more.
fn write_again(file: &dyn StorageFile, path: &Path, range: Range<u64>) -> io::Result<()> {
    let mut position = range.start;
    let mut piece = vec![0; usize::try_from((range.end - range.start).min(1 << 20)).unwrap_or(1 << 20)];
    while position < range.end {
        let bytes = piece.len().min(usize::try_from(range.end - position).unwrap_or(usize::MAX));
        read_exactly_at(file, path, position, &mut piece[..bytes])?;
        file.write_at(position, &piece[..bytes])?;
        position += bytes as u64;
    }
    Ok(())
}

/// Puts zeroes for the torn tail, so that nothing of it can ever be taken for a frame.
fn cut_tail(file: &dyn StorageFile, path: &Path, position: u64, bytes: u64) -> io::Result<()> {
    tracing::warn!(
        file = %path.display(), position, bytes,
        "the journal had a torn tail, which is cut off; it was never acknowledged"
    );
    metrics::counter!("andon_journal_torn_bytes_total").increment(bytes);
    clear_from(file, position)
}

/// Puts zeroes from `position` to the end, durably.
pub(super) fn clear_from(file: &dyn StorageFile, position: u64) -> io::Result<()> {
    let file_bytes = file.len()?;
    file.set_len(position)?;
    match file.preallocate(file_bytes) {
        // Then the file stays short, and the next entry asks for a new segment.
        Err(error) if is_full(&error) => {}
        preallocated => preallocated?,
    }
    file.sync_data()
}
