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

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest::storage::Storage;
use ingest::time::{Epoch, Offset};
use sinks::sink::Receipt;

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
        let damaged = |reason: &str| NoCheckpoint::Damaged(reason.to_owned());
        let Some((head, body)) = bytes.split_at_checked(BODY_AT) else {
            return Err(damaged("it is shorter than its head"));
        };
        let is_version =
            |version: &[u8]| version.iter().all(u8::is_ascii_digit) && version > VERSION.as_slice();
        if head.starts_with(MAGIC) && is_version(&head[6..8]) {
            return Err(NoCheckpoint::Newer { found: head[..8].escape_ascii().to_string() });
        }
        if !head.starts_with(MAGIC) || !head[6..].starts_with(VERSION) {
            return Err(damaged("it does not begin as a checkpoint does"));
        }
        if blake3::hash(body).as_bytes() != &head[8..] {
            return Err(damaged("its hash does not fit its content"));
        }
        postcard::from_bytes(body).map_err(|error| damaged(&error.to_string()))
    }
}

/// Why checkpoints could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder or a file in it.
    #[error("checkpoint {path} could not be {what}: {source}", path = .path.display())]
    Storage { path: PathBuf, what: &'static str, source: io::Error },
    /// A file that is not whole.
    #[error(
        "checkpoint {path} is damaged: {reason}; move it away, then Andon starts from the checkpoint before it and \
         replays the journal",
        path = .path.display()
    )]
    Damaged { path: PathBuf, reason: String },
    /// A file of a version to come.
    #[error("checkpoint {path}: {reason}", path = .path.display())]
    Newer { path: PathBuf, reason: NoCheckpoint },
}

/// Checkpoints in a folder, the newest few of them.
#[derive(Debug)]
pub struct CheckpointFolder {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    keep: usize,
    bytes_max: u64,
}

/// So many are kept whatever their size: should the newest be damaged, the one before it serves.
const KEEP_MIN: usize = 2;

impl CheckpointFolder {
    /// Opens `folder`, made if need be; the newest `keep` checkpoints stay in it.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(storage: Arc<dyn Storage>, folder: &Path, keep: usize) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Storage { path: folder.to_owned(), what: "made", source };
        storage.create_folder(folder).map_err(failed)?;
        // Whoever put the newest may have ended before its name was durable.
        storage.sync_folder(folder).map_err(failed)?;
        Ok(CheckpointFolder { storage, folder: folder.to_owned(), keep: keep.max(1), bytes_max: u64::MAX })
    }

    /// Fewer than so many are kept where they are larger than this together.
    #[must_use]
    pub fn bounded(self, bytes_max: u64) -> Self {
        CheckpointFolder { bytes_max, ..self }
    }

    /// The bytes of a checkpoint's file.
    ///
    /// # Errors
    /// If it cannot be written as bytes.
    pub fn encode(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, CheckpointError> {
        let failed = |error| {
            let source = io::Error::other(error);
            CheckpointError::Storage { path: self.path(checkpoint.epoch), what: "written", source }
        };
        checkpoint.encode().map_err(failed)
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// If it cannot be written; the one before stays the newest.
    pub fn put(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        self.put_bytes(checkpoint.epoch, &self.encode(checkpoint)?)
    }

    /// The same, of [`Checkpoint::encode`]'s bytes. All of them are durable when this returns; nothing of them is seen before.
    ///
    /// # Errors
    /// As there.
    pub fn put_bytes(&self, epoch: u64, bytes: &[u8]) -> Result<(), CheckpointError> {
        let path = self.path(epoch);
        let failed = |source| CheckpointError::Storage { path: path.clone(), what: "written", source };
        self.storage.create(&path, bytes).map_err(failed)
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("checkpoint-{epoch:020}.andon"))
    }

    /// The newest checkpoint, if there is any.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn newest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        let Some(path) = self.files()?.pop() else { return Ok(None) };
        let failed = |source| CheckpointError::Storage { path: path.clone(), what: "read", source };
        let bytes = self.storage.read(&path).map_err(failed)?;
        Checkpoint::decode(&bytes).map(Some).map_err(|reason| match reason {
            NoCheckpoint::Damaged(reason) => CheckpointError::Damaged { path: path.clone(), reason },
            reason @ NoCheckpoint::Newer { .. } => CheckpointError::Newer { path: path.clone(), reason },
        })
    }

    /// Removes all but the newest few up to epoch `shown`: as many as are kept, and fewer where they are too large
    /// together. Later ones stay: until they are shown they are not yet what a restart begins at.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn trim(&self, shown: Epoch) -> Result<(), CheckpointError> {
        let newest = self.path(shown.0);
        let mut files = self.files()?;
        files.retain(|path| *path <= newest);
        let mut over = files.len().saturating_sub(self.keep);
        if self.bytes_max < u64::MAX && files.len() > KEEP_MIN {
            let mut bytes: Vec<u64> =
                files.iter().map(|path| self.bytes_of(path)).collect::<Result<_, _>>()?;
            bytes.drain(..over);
            while bytes.len() > KEEP_MIN && bytes.iter().sum::<u64>() > self.bytes_max {
                bytes.remove(0);
                over += 1;
            }
        }
        let removed = files[..over].iter().map(|path| self.bytes_of(path)).sum::<Result<u64, _>>()?;
        self.remove_files(&files[..over])?;
        metrics::counter!("andon_checkpoint_removed_bytes_total").increment(removed);
        Ok(())
    }

    fn bytes_of(&self, path: &Path) -> Result<u64, CheckpointError> {
        let failed = |source| CheckpointError::Storage { path: path.to_owned(), what: "looked at", source };
        self.storage.open(path).and_then(|file| file.len()).map_err(failed)
    }

    /// Removes those that resume behind `until`: a restart must not begin at them.
    ///
    /// # Errors
    /// If one is damaged, or cannot be removed.
    pub fn forget_after(&self, until: Offset) -> Result<(), CheckpointError> {
        while let Some(newest) = self.newest()?
            && newest.resume_at() > until
        {
            self.remove_files(&[self.path(newest.epoch)])?;
        }
        Ok(())
    }

    /// Removes that of an epoch.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, epoch: Epoch) -> Result<(), CheckpointError> {
        self.remove_files(&[self.path(epoch.0)])
    }

    fn remove_files(&self, paths: &[PathBuf]) -> Result<(), CheckpointError> {
        for path in paths {
            let failed = |source| CheckpointError::Storage { path: path.clone(), what: "removed", source };
            self.storage.remove(path).map_err(failed)?;
        }
        Ok(())
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let failed = |source| CheckpointError::Storage { path: self.folder.clone(), what: "listed", source };
        let mut files = self.storage.list(&self.folder).map_err(failed)?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "andon"));
        Ok(files)
    }
}

#[cfg(test)]
mod tests;
