//! All that is needed to go on after a cut in another process.
//!
//! A checkpoint is one file, `checkpoint-<epoch>.andon`, made whole and durable or not at all:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `ANDONC01` |
//! | 32 | BLAKE3 of what follows |
//! | rest | [`Checkpoint`] in postcard |

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest::storage::Storage;
use ingest::time::{Epoch, Offset};
use sinks::sink::Receipt;

const MAGIC: &[u8; 8] = b"ANDONC01";

/// State and receipts as of a cut.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    pub epoch: u64,
    /// The first entry not yet applied.
    pub resume_at: u64,
    /// Program version that wrote it.
    pub version: String,
    /// [`crate::engine::Engine::snapshot`].
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
        let body = postcard::to_allocvec(self)?;
        Ok([MAGIC.as_slice(), blake3::hash(&body).as_bytes(), &body].concat())
    }

    /// Reads [`Checkpoint::encode`]'s bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
        let Some((head, body)) = bytes.split_at_checked(MAGIC.len() + 32) else {
            return Err("it is shorter than its head".to_owned());
        };
        if !head.starts_with(MAGIC) {
            return Err("it is no checkpoint of this version".to_owned());
        }
        if blake3::hash(body).as_bytes() != &head[MAGIC.len()..] {
            return Err("its hash does not fit its content".to_owned());
        }
        postcard::from_bytes(body).map_err(|error| error.to_string())
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
}

/// Checkpoints in a folder, the newest few of them.
#[derive(Debug)]
pub struct CheckpointFolder {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    keep: usize,
}

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
        Ok(CheckpointFolder { storage, folder: folder.to_owned(), keep: keep.max(1) })
    }

    /// Writes a checkpoint. All of it is durable when this returns; nothing of it is seen before.
    ///
    /// # Errors
    /// If it cannot be written; the one before stays the newest.
    pub fn put(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let path = self.path(checkpoint.epoch);
        let failed = |source| CheckpointError::Storage { path: path.clone(), what: "written", source };
        let bytes = checkpoint.encode().map_err(|error| failed(io::Error::other(error)))?;
        self.put_bytes(checkpoint.epoch, &bytes)
    }

    /// As [`CheckpointFolder::put`], of [`Checkpoint::encode`]'s bytes.
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
        let damaged =
            |reason: &str| CheckpointError::Damaged { path: path.clone(), reason: reason.to_owned() };
        let bytes = self.storage.read(&path).map_err(failed)?;
        Checkpoint::decode(&bytes).map(Some).map_err(|reason| damaged(&reason))
    }

    /// Removes all but the newest few up to epoch `shown`. Later ones stay: until they are shown they are not yet what
    /// a restart begins at.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn trim(&self, shown: Epoch) -> Result<(), CheckpointError> {
        let newest = self.path(shown.0);
        let mut files = self.files()?;
        files.retain(|path| *path <= newest);
        let over = files.len().saturating_sub(self.keep);
        self.remove_files(&files[..over])
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

    fn files(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let failed = |source| CheckpointError::Storage { path: self.folder.clone(), what: "listed", source };
        let mut files = self.storage.list(&self.folder).map_err(failed)?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "andon"));
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::storage::DiskStorage;

    fn checkpoint(epoch: u64) -> Checkpoint {
        Checkpoint {
            epoch,
            resume_at: epoch * 10,
            version: "0".into(),
            engine: vec![1, 2, 3],
            receipts: BTreeMap::new(),
        }
    }

    #[test]
    fn the_newest_is_found_and_old_ones_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
        let checkpoints = CheckpointFolder::open(storage, folder.path(), 2).expect("opens");
        assert_eq!(checkpoints.newest().expect("reads"), None);
        for epoch in [1, 2, 10] {
            checkpoints.put(&checkpoint(epoch)).expect("writes");
        }
        checkpoints.trim(Epoch(10)).expect("trims");
        assert_eq!(checkpoints.newest().expect("reads"), Some(checkpoint(10)));
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 2);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
        checkpoints.put(&checkpoint(1)).expect("writes");
        let path = folder.path().join(format!("checkpoint-{:020}.andon", 1));
        let mut bytes = std::fs::read(&path).expect("reads");
        *bytes.last_mut().expect("not empty") ^= 1;
        std::fs::write(&path, bytes).expect("writes");
        let error = checkpoints.newest().expect_err("damaged").to_string();
        assert!(error.contains("hash does not fit"), "{error}");
    }
}
