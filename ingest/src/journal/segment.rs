//! The files of the journal: names, heads, making.

use std::io;
use std::path::{Path, PathBuf};

use super::frame::{u32_at, u64_at};
use crate::storage::{Storage, StorageFile};
use crate::time::{Epoch, Offset};

pub(super) const HEAD_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"ANDONJ01";
const SUFFIX: &str = ".journal";
const UNFINISHED_SUFFIX: &str = ".journal.new";

/// What a segment says of all that was before it. The journal's head has the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) first: Offset,
    pub(super) next_message: u64,
    pub(super) last_at_ms: Option<i64>,
    pub(super) last_epoch: Epoch,
    /// First offset of the segment before; 0 for none.
    pub(super) previous: Offset,
}

/// Why bytes are no head.
#[derive(Debug)]
pub(super) enum NoHead {
    /// Of a version to come.
    Newer { found: String },
    /// Something else is at that byte.
    Wrong { position: u64, expected: String },
}

impl SegmentHead {
    /// Of the first segment of a new journal.
    pub(super) fn of_first() -> Self {
        SegmentHead {
            first: Offset(1),
            next_message: 1,
            last_at_ms: None,
            last_epoch: Epoch(0),
            previous: Offset(0),
        }
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.next_message.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.last_at_ms.unwrap_or(i64::MIN).to_le_bytes());
        bytes[32..40].copy_from_slice(&self.last_epoch.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.previous.0.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[0..60]);
        bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the head, or tells what is wrong with it.
    pub(super) fn decode(bytes: &[u8], first: Offset) -> Result<Self, NoHead> {
        let wrong = |position: u64, expected: String| Err(NoHead::Wrong { position, expected });
        if bytes.len() < HEAD_BYTES {
            return wrong(bytes.len() as u64, format!("{HEAD_BYTES} bytes of a segment's head"));
        }
        let is_whole = crc32c::crc32c(&bytes[0..60]) == u32_at(bytes, 60);
        if bytes[0..8] != MAGIC {
            let is_newer = bytes[6..8].iter().all(u8::is_ascii_digit) && bytes[6..8] > MAGIC[6..8];
            if is_whole && is_newer && bytes[0..6] == MAGIC[0..6] {
                return Err(NoHead::Newer { found: bytes[0..8].escape_ascii().to_string() });
            }
            return wrong(0, format!("`{}`, the beginning of a segment", MAGIC.escape_ascii()));
        }
        if !is_whole {
            return wrong(60, "the checksum of the segment's head".to_owned());
        }
        let last_at_ms = u64_at(bytes, 24).cast_signed();
        let head = SegmentHead {
            first: Offset(u64_at(bytes, 8)),
            next_message: u64_at(bytes, 16),
            last_at_ms: (last_at_ms != i64::MIN).then_some(last_at_ms),
            last_epoch: Epoch(u64_at(bytes, 32)),
            previous: Offset(u64_at(bytes, 40)),
        };
        if head.first != first {
            return wrong(8, format!("first offset {}, as in the name", first.0));
        }
        Ok(head)
    }
}

/// File name of the segment that begins with entry `first`.
pub(super) fn name(first: Offset) -> String {
    format!("{:020}{SUFFIX}", first.0)
}

/// First offsets of the segments in a folder, oldest first. Other files are none of the journal's business.
pub(super) fn list(storage: &dyn Storage, folder: &Path) -> io::Result<Vec<Offset>> {
    let paths = storage.list(folder)?;
    let mut segments: Vec<Offset> = paths.iter().filter_map(|path| first_of(path)).collect();
    segments.sort_unstable();
    Ok(segments)
}

fn first_of(path: &Path) -> Option<Offset> {
    let digits = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if is_ours { digits.parse().ok().map(Offset) } else { None }
}

/// Makes a segment of `bytes` bytes: there whole, with its head and its room, or not at all.
pub(super) fn create(
    storage: &dyn Storage,
    folder: &Path,
    head: &SegmentHead,
    bytes: u64,
) -> io::Result<Box<dyn StorageFile>> {
    let unfinished = folder.join(format!("{:020}{UNFINISHED_SUFFIX}", head.first.0));
    let take_room = |file: &dyn StorageFile| {
        file.set_len(0)?;
        file.preallocate(bytes.max(HEAD_BYTES as u64))
    };
    name_for_good(storage, folder, &unfinished, head, take_room)
}

/// Makes a segment of a file that is there and full of zeroes: it has a segment's name and head, or no longer is.
pub(super) fn begin_on(
    storage: &dyn Storage,
    folder: &Path,
    spare: &Path,
    head: &SegmentHead,
) -> io::Result<Box<dyn StorageFile>> {
    name_for_good(storage, folder, spare, head, |_| Ok(()))
}

fn name_for_good(
    storage: &dyn Storage,
    folder: &Path,
    unfinished: &Path,
    head: &SegmentHead,
    take_room: impl FnOnce(&dyn StorageFile) -> io::Result<()>,
) -> io::Result<Box<dyn StorageFile>> {
    let path = folder.join(name(head.first));
    let made = storage.open_write(unfinished).and_then(|file| {
        take_room(&*file)?;
        file.write_at(0, &head.encode())?;
        file.sync_data()
    });
    if let Err(error) = made.and_then(|()| storage.rename(unfinished, &path)) {
        // It must not keep room from others. Should it stay, the next opening removes it.
        let _ = storage.remove(unfinished);
        return Err(error);
    }
    storage.open_write(&path)
}

/// Where a segment is made ahead; what a crash leaves there is removed with the rest that is unfinished.
pub(super) fn spare_path(folder: &Path) -> PathBuf {
    folder.join(format!("spare{UNFINISHED_SUFFIX}"))
}

/// Removes what a crash while a segment was made has left.
pub(super) fn remove_unfinished(storage: &dyn Storage, folder: &Path) -> io::Result<()> {
    let is_unfinished = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(UNFINISHED_SUFFIX))
    };
    storage.list(folder)?.iter().filter(|path| is_unfinished(path)).try_for_each(|path| storage.remove(path))
}
