//! Reading: the frames of a segment.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::frame::{self, FrameHead};
use super::segment::{self, NoHead, SegmentHead};
use super::{ENTRY_BYTES_MAX, JournalError};
use crate::entry::Entry;
use crate::storage::{Storage, StorageFile};
use crate::time::Offset;

/// Segments are read in pieces of this size, or of a frame's.
const PIECE_BYTES: u64 = 1 << 20;

/// Looked at as one when searching for the end of the data.
const LINE_BYTES: usize = 256;

/// What is where a frame may be.
pub(super) enum Found {
    Frame {
        head: FrameHead,
        entry: Bytes,
        /// Where it begins.
        position: u64,
    },
    /// Zeroes, or the end of the file.
    End,
    /// Neither.
    Bad { expected: String },
}

/// The frames of a segment, one after the other.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: Box<dyn StorageFile>,
    path: PathBuf,
    pub(super) head: SegmentHead,
    pub(super) file_bytes: u64,
    /// Of the next frame.
    pub(super) position: u64,
    /// The file from `piece_position` on.
    piece: Bytes,
    piece_position: u64,
}

impl SegmentReader {
    pub(super) fn open(storage: &dyn Storage, folder: &Path, first: Offset) -> Result<Self, JournalError> {
        let path = folder.join(segment::name(first));
        let failed = |source| JournalError::Storage { source };
        let file = storage.open(&path).map_err(failed)?;
        let file_bytes = file.len().map_err(failed)?;
        let mut head = [0; segment::HEAD_BYTES];
        let head_bytes = segment::HEAD_BYTES.min(usize::try_from(file_bytes).unwrap_or(usize::MAX));
        read_exactly_at(&*file, &path, 0, &mut head[..head_bytes]).map_err(failed)?;
        let head = SegmentHead::decode(&head[..head_bytes], first).map_err(|error| match error {
            NoHead::Newer { found } => JournalError::Newer { file: path.clone(), found },
            NoHead::Wrong { position, expected } => {
                JournalError::Damaged { file: path.clone(), position, expected }
            }
        })?;
        let position = segment::HEAD_BYTES as u64;
        let piece = Bytes::new();
        Ok(SegmentReader { file, path, head, file_bytes, position, piece, piece_position: 0 })
    }

    pub(super) fn file(&self) -> &dyn StorageFile {
        &*self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The frame of entry `expected`; goes on only if it is there.
    pub(super) fn next(&mut self, expected: Offset) -> Result<Found, JournalError> {
        let failed = |source| JournalError::Storage { source };
        let left = self.file_bytes.saturating_sub(self.position);
        if left < frame::HEAD_BYTES as u64 {
            return Ok(Found::End);
        }
        let head = self.bytes(frame::HEAD_BYTES).map_err(failed)?;
        let head = FrameHead::decode(head.first_chunk().expect("as many bytes as asked for"));
        let entry_bytes = head.entry_bytes as usize;
        if entry_bytes == 0 {
            return Ok(Found::End);
        }
        let frame_bytes = frame::frame_bytes(entry_bytes);
        if entry_bytes > ENTRY_BYTES_MAX || frame_bytes > left {
            let expected = format!("the length of entry {}, at most {left} with its frame", expected.0);
            return Ok(Found::Bad { expected });
        }
        let entry = self.bytes(frame::HEAD_BYTES + entry_bytes).map_err(failed)?;
        let entry = entry.slice(frame::HEAD_BYTES..);
        if !head.is_of(&entry) {
            return Ok(Found::Bad { expected: format!("entry {} with its checksum", expected.0) });
        }
        if head.offset != expected {
            return Ok(Found::Bad { expected: format!("entry {}, not {}", expected.0, head.offset.0) });
        }
        let position = self.position;
        self.position += frame_bytes;
        Ok(Found::Frame { head, entry, position })
    }

    /// Whether the frame of entry `expected` is there by now: somebody may go on writing, and what was read before is of
    /// before.
    pub(super) fn has_come(&mut self, expected: Offset) -> Result<bool, JournalError> {
        let position = self.position;
        self.piece = Bytes::new();
        self.piece_position = position;
        let is_there = matches!(self.next(expected)?, Found::Frame { .. });
        self.position = position;
        Ok(is_there)
    }

    pub(super) fn decode(&self, entry: Bytes, position: u64) -> Result<Entry, JournalError> {
        let file = || self.path.clone();
        Entry::decode(entry).map_err(|source| JournalError::Unreadable { file: file(), position, source })
    }

    pub(super) fn damaged_at(&self, position: u64, expected: String) -> JournalError {
        JournalError::Damaged { file: self.path.clone(), position, expected }
    }

    /// The place behind the last byte from `position` on that is not zero.
    pub(super) fn end_of_data(&self) -> io::Result<Option<u64>> {
        let mut end = None;
        let mut piece = vec![0; PIECE_BYTES as usize];
        let mut position = self.position;
        while position < self.file_bytes {
            let bytes = self.file.read_at(position, &mut piece)?;
            if bytes == 0 {
                break;
            }
            // Almost all of it is zeroes, most of the time.
            let is_data = |line: &[u8]| line.iter().fold(0, |all, byte| all | byte) != 0;
            if let Some(line) = piece[..bytes].chunks(LINE_BYTES).rposition(is_data) {
                let line_end = ((line + 1) * LINE_BYTES).min(bytes);
                let zeroes = piece[..line_end].iter().rev().take_while(|byte| **byte == 0).count();
                end = Some(position + (line_end - zeroes) as u64);
            }
            position += bytes as u64;
        }
        Ok(end)
    }

    /// `bytes` bytes from `position` on.
    pub(super) fn read_exactly(&self, position: u64, bytes: u64) -> io::Result<Bytes> {
        let mut content = BytesMut::zeroed(usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?);
        read_exactly_at(&*self.file, &self.path, position, &mut content)?;
        Ok(content.freeze())
    }

    /// The next `count` bytes; the caller has seen that the file is long enough.
    fn bytes(&mut self, count: usize) -> io::Result<Bytes> {
        let behind = self.piece_position + self.piece.len() as u64;
        if self.position < self.piece_position || behind < self.position + count as u64 {
            let wanted = PIECE_BYTES.max(count as u64).min(self.file_bytes - self.position);
            self.piece = self.read_exactly(self.position, wanted)?;
            self.piece_position = self.position;
        }
        let at = (self.position - self.piece_position) as usize;
        Ok(self.piece.slice(at..at + count))
    }
}

/// Fills `buffer`, however little a read brings at once.
pub(super) fn read_exactly_at(
    file: &dyn StorageFile,
    path: &Path,
    position: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        let at = position + done as u64;
        match file.read_at(at, &mut buffer[done..])? {
            0 => {
                let reason = format!(
                    "`{}` ends at byte {at}, before the {} bytes that were there when it was opened",
                    path.display(),
                    position + buffer.len() as u64
                );
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
            }
            read => done += read,
        }
    }
    Ok(())
}
