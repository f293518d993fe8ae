//! The journal and its checkpoints in another region, so that a standby there can take over.
//!
//! ```text
//! journal ──► tail ──► andon-mirror ──► journal/00000000000000000041.chunk    put if absent, one after the other
//!    │                     │            checkpoints/…/part-…, manifest        the manifest last
//!    └── read again ───────┘            lease                                 the leader's heartbeat
//!        where the tail is cut          HEAD                                  whose mirror, and where it begins
//! ```
//!
//! **The log fences.** A chunk is named by the offset of its first entry and put only if nothing is there, and a
//! writer puts the next one after the answer to the last. So all writers of a journal share one order: whoever
//! finds the place taken by another has lost the lead, and acknowledges and sends nothing from then on. To take
//! over is to put a chunk with a generation entry at the end of the log.
//!
//! A chunk is, in bytes (integers little-endian):
//!
//! | at | bytes | what                                                                          |
//! |----|-------|-------------------------------------------------------------------------------|
//! | 0  | 8     | `ANDONM01`: what it is, and the version of this layout                        |
//! | 8  | 32    | BLAKE3 of all behind it                                                       |
//! | 40 | 8     | offset of its first entry, as in its name                                     |
//! | 48 | 8     | generation of the writer                                                      |
//! | 56 | 8     | ordinal of the next message before it                                         |
//! | 64 | 8     | time of the entries before, ms since 1970 UTC (`i64`, its minimum for none)   |
//! | 72 | 8     | last epoch cut before, 0 for none                                             |
//! | 80 | 4     | number of entries                                                             |
//! | 84 | 4     | bytes of the writer's name, which follow                                      |
//! | …  |       | each entry: its bytes `u32`, then these ([`ingest::entry`])                   |
//!
//! Left of the journal: leases are kept by a clock that counts suspension, and nothing here changes a result.

pub mod chunk;

pub mod store;

pub mod head;

pub mod manifest;

pub mod identity;

pub mod standing;

pub mod status;

mod lag;

mod tail;

mod log;

mod writer;

mod keeper;

mod driver;

mod thread;

pub mod by_hand;

pub mod follower;

pub mod opening;

pub mod forks;

mod regained;

pub mod configured;

pub mod drill;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ingest::time::Offset;

pub use self::identity::Identity;
pub use self::log::MirroredLog;
pub use self::status::MirrorStatus;
pub use self::store::{Store, StoreError};
pub use self::thread::{Leader, Mirror, ReadJournal};
use crate::config::{MirrorPlace, MirrorSettings};

/// A store that has not answered for so long, or for a lease, does not.
const PATIENCE_MIN: std::time::Duration = std::time::Duration::from_secs(10);
/// Folder of the chunks.
const JOURNAL: &str = "journal/";

/// Why a mirror cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{name}` in the mirror {place}: {reason}")]
    Object { place: String, name: String, reason: String },
    #[error(
        "entry {missing} is missing in the mirror {place}, which goes on with entry {next}; copy the chunk from the \
         region that has it, or begin a new mirror"
    )]
    Gap { place: String, missing: u64, next: u64 },
    #[error(
        "entry {wanted} is no longer in the mirror {place}, which begins with entry {lowest}: this region was away for \
         longer than `mirror.retain`; move its data folder aside, and it begins anew from the newest checkpoint"
    )]
    Trimmed { place: String, wanted: u64, lowest: u64 },
    #[error(
        "the mirror {place} belongs to journal {theirs}, and the one in this region is {ours}; name the mirror of this \
         journal in `mirror.url`, or an empty place"
    )]
    Foreign { place: String, ours: String, theirs: String },
    #[error(
        "the mirror {place} already holds a journal, and this region has none; start it with `andon run --standby` to \
         follow that one, or name an empty place in `mirror.url`"
    )]
    Occupied { place: String },
    #[error(
        "this region's journal holds entries up to {ours} that the mirror, which ends at {theirs}, does not have; start \
         it without --standby, so that they are mirrored first"
    )]
    Ahead { ours: u64, theirs: u64 },
    #[error(
        "entry {offset} of the journal differs from the one in the mirror {place}, and no other writer has been there; \
             put one of them back from a backup"
    )]
    Differs { place: String, offset: u64 },
    #[error(
        "the other region's configuration is not the one here: {difference}; copy the files and start again"
    )]
    Configuration { difference: String },
    #[error(transparent)]
    Journal(#[from] ingest::journal::JournalError),
    #[error("the mirror's note beside the journal: {0}")]
    Note(std::io::Error),
}

impl MirrorError {
    /// Whether trying again can help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, MirrorError::Store(StoreError::Unreachable { .. })) || self.is_full()
    }

    /// Whether the disk here is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            MirrorError::Note(error) => ingest::storage::is_full(error),
            MirrorError::Journal(error) => error.is_passing(),
            _ => false,
        }
    }
}

/// The store that the settings name.
///
/// # Errors
/// A bucket of which too little is known.
pub fn store(settings: &MirrorSettings) -> Result<Arc<dyn Store>, StoreError> {
    let store: Arc<dyn Store> = match &settings.place {
        MirrorPlace::Folder(folder) => Arc::new(store::FolderStore::new(folder.clone())),
        MirrorPlace::Bucket(bucket) => Arc::new(store::BucketStore::open(bucket)?),
    };
    Ok(Arc::new(store::Timed::new(store, settings.lease.max(PATIENCE_MIN))))
}

/// The node of a writer `NODE.PROCESS`.
#[must_use]
pub fn node_of(writer: &str) -> &str {
    writer.split('.').next().unwrap_or(writer)
}

/// An object of the mirror as a chunk.
fn decoded(store: &dyn Store, first: Offset, bytes: &bytes::Bytes) -> Result<chunk::Chunk, MirrorError> {
    chunk::Chunk::decode(bytes, first).map_err(|error| MirrorError::Object {
        place: store.place(),
        name: chunk::Chunk::name(first),
        reason: error.to_string(),
    })
}
