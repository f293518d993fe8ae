//! Checkpoints in a folder, the newest few of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ingest::storage::Storage;
use ingest::time::{Epoch, Offset};

use super::{Checkpoint, NoCheckpoint};

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
    /// Of another version, and there is no way around it.
    #[error(
        "checkpoint {path}: {reason}; no checkpoint before it serves here, and the journal begins with entry \
         {journal_from}, so that its state cannot be computed again",
        path = .path.display()
    )]
    Unusable { path: PathBuf, reason: String, journal_from: u64 },
}

impl CheckpointError {
    pub(super) fn of(path: &Path, reason: NoCheckpoint) -> CheckpointError {
        let path = path.to_owned();
        match reason {
            NoCheckpoint::Damaged(reason) => CheckpointError::Damaged { path, reason },
            reason @ NoCheckpoint::Newer { .. } => CheckpointError::Newer { path, reason },
        }
    }
}

/// Checkpoints in a folder, the newest few of them.
#[derive(Debug)]
pub struct CheckpointFolder {
    pub(super) storage: Arc<dyn Storage>,
    folder: PathBuf,
    keep: usize,
    bytes_max: u64,
    /// Whether [`ROOM`] is there, and put there by this process: after a power cut its file may have another name too.
    has_room: Mutex<bool>,
    /// The newest of the version before, and where it resumes ([`super::heading`]).
    pub(super) way_back: Mutex<Option<(PathBuf, Offset)>>,
}

/// So many are kept whatever their size: should the newest be damaged, the one before it serves.
const KEEP_MIN: usize = 2;

/// File of a checkpoint that is not needed any more: the next one is written over it. To give the room of a large file
/// back and to take it again costs tenths of a second, in which the journal's syncs wait.
pub(super) const ROOM: &str = "room.new";

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
        Ok(CheckpointFolder {
            storage,
            folder: folder.to_owned(),
            keep: keep.max(1),
            bytes_max: u64::MAX,
            has_room: Mutex::new(false),
            way_back: Mutex::default(),
        })
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
        let mut has_room = self.has_room.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *has_room) {
            let room = self.folder.join(ROOM);
            self.storage.rename_unsynced(&room, &ingest::storage::unfinished(&path)).map_err(failed)?;
        }
        drop(has_room);
        self.storage.create(&path, bytes).map_err(failed)
    }

    pub(super) fn path(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("checkpoint-{epoch:020}.andon"))
    }

    /// The newest checkpoint, if there is any.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn newest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        self.files()?.pop().map(|path| self.read(&path)).transpose()
    }

    pub(super) fn read(&self, path: &Path) -> Result<Checkpoint, CheckpointError> {
        let failed = |source| CheckpointError::Storage { path: path.to_owned(), what: "read", source };
        let bytes = self.storage.read(path).map_err(failed)?;
        Checkpoint::decode(&bytes).map_err(|reason| CheckpointError::of(path, reason))
    }

    /// Removes all but the newest few up to epoch `shown`: as many as are kept, and fewer where they are too large
    /// together. Later ones stay: until they are shown they are not yet what a restart begins at. So does one of the
    /// version before, while the journal, kept from `journal_from` on, reaches back to it. The room of one that goes is
    /// kept for the next, where it is not too much.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn trim(&self, shown: Epoch, journal_from: Offset) -> Result<(), CheckpointError> {
        let (newest, way_back) = (self.path(shown.0), self.way_back(journal_from));
        let mut files = self.files()?;
        files.retain(|path| *path <= newest && Some(path) != way_back.as_ref());
        let bytes: Vec<u64> = files.iter().map(|path| self.bytes_of(path)).collect::<Result<_, _>>()?;
        let kept_bytes = |over: usize| bytes[over..].iter().sum::<u64>();
        let mut over = files.len().saturating_sub(self.keep);
        while files.len() - over > KEEP_MIN && kept_bytes(over) > self.bytes_max {
            over += 1;
        }
        metrics::counter!("andon_checkpoint_removed_bytes_total").increment(bytes[..over].iter().sum());
        let Some((last, earlier)) = files[..over].split_last() else { return Ok(()) };
        self.remove_files(earlier)?;
        if kept_bytes(over - 1) <= self.bytes_max {
            let failed = |source| CheckpointError::Storage { path: last.clone(), what: "removed", source };
            // The next one may be on its way while this one goes.
            let mut has_room = self.has_room.lock().unwrap_or_else(PoisonError::into_inner);
            self.storage.rename(last, &self.folder.join(ROOM)).map_err(failed)?;
            *has_room = true;
        } else {
            self.remove_files(std::slice::from_ref(last))?;
        }
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
