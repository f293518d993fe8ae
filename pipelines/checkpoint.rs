//! All that is needed to go on after a cut in another process.
//!
//! A checkpoint is one file, `checkpoint-<epoch, 20 digits>.andon`, made whole and durable or not at all:
//!
//! | at | bytes | what                                                                                |
//! |----|-------|-------------------------------------------------------------------------------------|
//! | 0  | 8     | `ANDONC01`: what it is, and the version of this layout                              |
//! | 8  | 32    | BLAKE3 of all behind it                                                             |
//! | 40 |       | epoch; the first entry not yet applied: a varint each                               |
//! | …  |       | program version that wrote it: its bytes (varint), then these                       |
//! | …  |       | the engine's state, likewise; it has a version of its own ([`crate::engine`])       |
//! | …  |       | receipts (varint), each the sink's name and JSON of its own, both likewise          |
//!
//! A varint has seven bits a byte, the lowest first; the upper bit says that more follow (the `postcard` format).

mod folder;
mod heading;

use std::collections::BTreeMap;

use ingest::time::{Epoch, Offset};
use sinks::sink::Receipt;

pub use folder::{CheckpointError, CheckpointFolder};

const MAGIC: &[u8; 6] = b"ANDONC";
const VERSION: &[u8; 2] = b"01";
const BODY_AT: usize = 40;

/// Why bytes are no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCheckpoint {
    #[error(
        "it is of format `{found}`, and this program knows `ANDONC01`: start the Andon that wrote it, or a newer one"
    )]
    Newer { found: String },
    #[error("{0}")]
    Damaged(String),
}

/// State and receipts as of a cut.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    pub epoch: u64,
    /// The first entry not yet applied.
    pub resume_at: u64,
    /// Program version that wrote it.
    pub version: String,
    /// [`crate::engine::Engine::snapshot`].
    #[serde(with = "ingest::packed")]
    pub engine: Vec<u8>,
    /// Per sink: what its commit needs.
    pub receipts: BTreeMap<String, Receipt>,
}

impl Checkpoint {
    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    /// Where to go on in the journal.
    #[must_use]
    pub fn resume_at(&self) -> Offset {
        Offset(self.resume_at)
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// If it cannot be written as bytes.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let mut bytes = Vec::with_capacity(self.engine.len() + (1 << 16));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(VERSION);
        bytes.resize(BODY_AT, 0);
        let mut bytes = postcard::to_extend(self, bytes)?;
        let hash = blake3::hash(&bytes[BODY_AT..]);
        bytes[BODY_AT - blake3::OUT_LEN..BODY_AT].copy_from_slice(hash.as_bytes());
        Ok(bytes)
    }

    /// Reads [`Checkpoint::encode`]'s bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, NoCheckpoint> {
        check_kind(bytes)?;
        let damaged = |reason: &str| NoCheckpoint::Damaged(reason.to_owned());
        let (head, body) = bytes.split_at(BODY_AT);
        if blake3::hash(body).as_bytes() != &head[8..] {
            return Err(damaged("its hash does not fit its content"));
        }
        postcard::from_bytes(body).map_err(|error| damaged(&error.to_string()))
    }
}

/// Whether bytes begin as a checkpoint of this layout does, head and all.
fn check_kind(bytes: &[u8]) -> Result<(), NoCheckpoint> {
    let damaged = |reason: &str| NoCheckpoint::Damaged(reason.to_owned());
    let Some((head, _)) = bytes.split_at_checked(BODY_AT) else {
        return Err(damaged("it is shorter than its head"));
    };
    let is_newer = |version: &[u8]| version.iter().all(u8::is_ascii_digit) && version > VERSION.as_slice();
    if head.starts_with(MAGIC) && is_newer(&head[6..8]) {
        return Err(NoCheckpoint::Newer { found: head[..8].escape_ascii().to_string() });
    }
    if !head.starts_with(MAGIC) || !head[6..].starts_with(VERSION) {
        return Err(damaged("it does not begin as a checkpoint does"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
