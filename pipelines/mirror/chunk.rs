//! A stretch of the journal as an object. The head of [`super`] has the layout.

use bytes::Bytes;
use ingest::entry::{Entry, EntryError};
use ingest::journal::Place;
use ingest::time::{Epoch, Offset};

const MAGIC: &[u8; 6] = b"ANDONM";
const VERSION: &[u8; 2] = b"01";
const HASH_AT: usize = 8;
const BODY_AT: usize = 40;
/// Of the fixed part of the head.
const HEAD_BYTES: usize = 88;

/// A stretch of the journal, whole and as its hash says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Of its first entry.
    pub place: Place,
    pub generation: u64,
    /// The process that put it there: `NODE.PROCESS`.
    pub writer: String,
    /// In the journal's order, at least one.
    pub entries: Vec<Entry>,
}

/// Why an object is no chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error(
        "it is of format `{0}`, which this version does not know; upgrade this Andon before the one that writes"
    )]
    Newer(String),
    #[error("it is damaged: {0}; copy it anew from the region that has it, or begin a new mirror")]
    Damaged(String),
    #[error("entry {offset} in it cannot be read: {source}")]
    Entry { offset: u64, source: EntryError },
}

impl Chunk {
    /// Name of the chunk that begins with entry `first`.
    #[must_use]
    pub fn name(first: Offset) -> String {
        format!("{}{:020}.chunk", super::JOURNAL, first.0)
    }

    /// The first offset in a chunk's name.
    #[must_use]
    pub fn first_of(name: &str) -> Option<Offset> {
        let digits = name.strip_prefix(super::JOURNAL)?.strip_suffix(".chunk")?;
        if digits.len() == 20 { digits.parse().ok().map(Offset) } else { None }
    }

    /// The place behind its last entry.
    #[must_use]
    pub fn end(&self) -> Place {
        let mut place = self.place;
        self.entries.iter().for_each(|entry| place.pass(entry));
        place
    }

    /// The object's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let number = |length: usize| u32::try_from(length).expect("a chunk is far below 4 GiB").to_le_bytes();
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(VERSION);
        bytes.extend_from_slice(&[0; BODY_AT - HASH_AT]);
        bytes.extend_from_slice(&self.place.offset.0.to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.place.next_message.to_le_bytes());
        bytes.extend_from_slice(&self.place.last_at_ms.unwrap_or(i64::MIN).to_le_bytes());
        bytes.extend_from_slice(&self.place.last_epoch.0.to_le_bytes());
        bytes.extend_from_slice(&number(self.entries.len()));
        bytes.extend_from_slice(&number(self.writer.len()));
        bytes.extend_from_slice(self.writer.as_bytes());
        for entry in &self.entries {
            let at = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            entry.encode(&mut bytes);
            let length = number(bytes.len() - at - 4);
            bytes[at..at + 4].copy_from_slice(&length);
        }
        let hash = *blake3::hash(&bytes[BODY_AT..]).as_bytes();
        bytes[HASH_AT..BODY_AT].copy_from_slice(&hash);
        bytes.into()
    }

    /// Reads an object that is named by the first offset `first`.
    ///
    /// # Errors
    /// When it is another, damaged, or of a newer version. Never panics, whatever the bytes are.
    pub fn decode(bytes: &Bytes, first: Offset) -> Result<Chunk, ChunkError> {
        let damaged = |what: &str| ChunkError::Damaged(what.to_owned());
        if bytes.len() < HEAD_BYTES || !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as a chunk does"));
        }
        if bytes[6..8] != *VERSION {
            return Err(ChunkError::Newer(bytes[..8].escape_ascii().to_string()));
        }
        if blake3::hash(&bytes[BODY_AT..]).as_bytes() != &bytes[HASH_AT..BODY_AT] {
            return Err(damaged("its hash does not fit its content"));
        }
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let last_at_ms = u64_at(64).cast_signed();
        let place = Place {
            offset: Offset(u64_at(40)),
            next_message: u64_at(56),
            last_at_ms: (last_at_ms != i64::MIN).then_some(last_at_ms),
            last_epoch: Epoch(u64_at(72)),
        };
        if place.offset != first {
            return Err(ChunkError::Damaged(format!(
                "it begins with entry {} and not {}",
                place.offset.0, first.0
            )));
        }
        let mut rest = bytes.slice(80..);
        let count = take_length(&mut rest).ok_or_else(|| damaged("it ends within its head"))?;
        let writer = take(&mut rest).ok_or_else(|| damaged("it ends within its writer"))?;
        let writer = String::from_utf8(writer.to_vec()).map_err(|_| damaged("its writer is no text"))?;
        let mut entries = Vec::new();
        for number in 0..count as u64 {
            let offset = place.offset.0 + number;
            let entry = take(&mut rest).ok_or_else(|| damaged("it ends within an entry"))?;
            entries.push(Entry::decode(entry).map_err(|source| ChunkError::Entry { offset, source })?);
        }
        if entries.is_empty() || !rest.is_empty() {
            return Err(damaged("it has no entries, or goes on behind them"));
        }
        Ok(Chunk { place, generation: u64_at(48), writer, entries })
    }
}

/// The fixed part's last number is the writer's length, so it and each entry are read alike.
fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = take_length(bytes)?;
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

fn take_length(bytes: &mut Bytes) -> Option<usize> {
    let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length))?;
    let _ = bytes.split_to(4);
    usize::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::entry::IntakeBuilder;
    use proptest::prelude::*;

    fn chunk() -> Chunk {
        let mut builder = IntakeBuilder::new();
        builder.push("workshop/lyon/bay-01/steps", b"{}", 5_250);
        let entries = vec![
            Entry::Generation { generation: 3, writer: "5f1c.9a".to_owned() },
            Entry::Intake(builder.finish(17)),
            Entry::Cut { epoch: Epoch(5), at_ms: 6_000 },
        ];
        let place =
            Place { offset: Offset(41), next_message: 17, last_at_ms: Some(5_000), last_epoch: Epoch(4) };
        Chunk { place, generation: 3, writer: "5f1c.9a".to_owned(), entries }
    }

    #[test]
    fn a_chunk_reads_back_as_it_was_put_and_says_where_it_ends() {
        let read = Chunk::decode(&chunk().encode(), Offset(41)).expect("reads");
        assert_eq!(read, chunk());
        let end =
            Place { offset: Offset(44), next_message: 18, last_at_ms: Some(6_000), last_epoch: Epoch(5) };
        assert_eq!(read.end(), end);
        assert_eq!(Chunk::first_of(&Chunk::name(Offset(41))), Some(Offset(41)));
        assert_eq!(Chunk::first_of("journal/41.chunk"), None);
    }

    #[test]
    fn the_bytes_of_version_01_stay_readable() {
        let mut bytes = b"ANDONM01".to_vec();
        bytes.extend_from_slice(&[0; 32]);
        for number in [7_u64, 2, 100, 5_000, 3] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&[1, 0, 0, 0, 3, 0, 0, 0]);
        bytes.extend_from_slice(b"a.b");
        bytes.extend_from_slice(&[17, 0, 0, 0, 0x12]);
        bytes.extend_from_slice(&[6_000_i64.to_le_bytes(), 6_000_i64.to_le_bytes()].concat());
        let hash = *blake3::hash(&bytes[40..]).as_bytes();
        bytes[8..40].copy_from_slice(&hash);
        let read = Chunk::decode(&bytes.into(), Offset(7)).expect("reads");
        assert_eq!((read.generation, read.writer.as_str(), read.place.next_message), (2, "a.b", 100));
        assert_eq!(read.entries, [Entry::Tick { first_ms: 6_000, last_ms: 6_000 }]);
    }

    #[test]
    fn a_newer_version_another_place_and_a_changed_byte_are_refused() {
        let bytes = chunk().encode();
        let error = Chunk::decode(&bytes, Offset(40)).expect_err("another place").to_string();
        assert!(error.contains("begins with entry 41 and not 40"), "{error}");
        let mut newer = bytes.to_vec();
        newer[7] = b'2';
        let error = Chunk::decode(&newer.into(), Offset(41)).expect_err("newer").to_string();
        assert!(error.contains("`ANDONM02`") && error.contains("upgrade"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_changed_byte_passes(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let mut bytes = chunk().encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert!(Chunk::decode(&bytes.into(), Offset(41)).is_err());
        }
    }
}
