//! A copy of all that a service keeps, made while it runs or not, put back into empty folders, and proved.
//!
//! ```text
//! BACKUP/journal/          segments up to the last whole entry, and what a mirror needs beside them
//!        checkpoints/      the newest one that is shown, and those before it
//!        export/           the exports with their marker
//!        store/andon.db    the tables
//!        manifest          last: without it the folder is no backup
//! ```
//!
//! A service that runs is not stopped: the copy takes the hold of its journal ([`ingest::journal::hold()`]), and until it is
//! done epochs are made safe and not shown, and nothing is removed. So what is copied belongs together: the exports show
//! no epoch that the store does not have or the journal does not reach. What is staged for later epochs is left out, for
//! the journal brings it again. Of a service that does not run everything is taken as it is, as a restart would find it.
//!
//! Tables in PostgreSQL are no part of it. They belong to the copy if nothing was shown between the two.
//!
//! The manifest is a line of 64 hex digits, the BLAKE3 of all behind it, and a [`Contents`] in JSON.

mod copying;

mod proof;

mod restoring;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::copying::{Source, back_up};
pub use self::proof::{Proof, prove};
pub use self::restoring::restore;
use crate::checkpoint::{CheckpointError, NoCheckpoint};
use crate::engine::EngineError;

const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest";
const JOURNAL: &str = "journal";
const CHECKPOINTS: &str = "checkpoints";
const EXPORT: &str = "export";
const STORE: &str = "store/andon.db";

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub format: u32,
    /// Program version that made it.
    pub version: String,
    /// When it was made, ms since 1970 UTC.
    pub at_ms: i64,
    /// Of the newest checkpoint in it; 0 where there is none yet.
    pub epoch: u64,
    /// The first entry not applied there.
    pub resume_at: u64,
    /// [`crate::engine::Engine::state_hash`] of that checkpoint, as the service wrote it; empty where there is none.
    pub state_hash: String,
    /// Whether the exports are in it.
    pub exports: bool,
    /// First entry of the journal, and the place behind its last.
    pub first_offset: u64,
    pub next_offset: u64,
    /// Ordinal of the next message.
    pub next_message: u64,
    /// By path below the backup's folder.
    pub files: Vec<Copied>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    pub path: String,
    pub bytes: u64,
    /// BLAKE3.
    pub hash: String,
}

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("`{path}` could not be {what}: {source}", path = .path.display())]
    File { path: PathBuf, what: &'static str, source: io::Error },
    #[error("`{path}` is not empty; {remedy}", path = .path.display())]
    Occupied { path: PathBuf, remedy: &'static str },
    #[error("`{path}` is no backup: {reason}", path = .path.display())]
    NoBackup { path: PathBuf, reason: String },
    #[error("the backup is damaged: `{path}` {reason}; use another backup")]
    Damaged { path: String, reason: String },
    #[error(
        "the state at entry {offset} is {replayed} when it is computed from the journal, and {stored} in the checkpoint; \
         keep the backup and report this"
    )]
    Differs { offset: u64, replayed: String, stored: String },
    #[error("{0}")]
    Unfit(String),
    #[error(transparent)]
    Journal(#[from] ingest::journal::JournalError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("a checkpoint in the backup: {0}")]
    NoCheckpoint(#[from] NoCheckpoint),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Wire(#[from] crate::wire::WireError),
    #[error(transparent)]
    Sink(#[from] sinks::sink::SinkError),
}

impl Contents {
    /// All bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether it holds the tables: those of SQLite, once there are any.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.files.iter().any(|file| file.path == STORE)
    }

    /// Of a backup, as its hash says.
    ///
    /// # Errors
    /// A folder that is none, or one of a newer version.
    pub fn read(backup: &Path) -> Result<Contents, BackupError> {
        let no_backup = |reason: String| BackupError::NoBackup { path: backup.to_owned(), reason };
        let text = std::fs::read_to_string(backup.join(MANIFEST))
            .map_err(|error| no_backup(format!("its `{MANIFEST}` cannot be read: {error}")))?;
        let (hash, body) =
            text.split_once('\n').ok_or_else(|| no_backup("its manifest has no hash".into()))?;
        if blake3::hash(body.as_bytes()).to_hex().as_str() != hash {
            return Err(no_backup("its manifest's hash does not fit its content; use another backup".into()));
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let wrong = |error: serde_json::Error| no_backup(error.to_string());
        let Format { format } = serde_json::from_str(body).map_err(wrong)?;
        if format > FORMAT {
            let reason =
                format!("it is of format {format}, and this program knows {FORMAT}; upgrade Andon first");
            return Err(no_backup(reason));
        }
        serde_json::from_str(body).map_err(wrong)
    }

    /// The manifest's text.
    pub(crate) fn text(&self) -> String {
        let body = serde_json::to_string(self).expect("plain fields are JSON");
        format!("{}\n{body}", blake3::hash(body.as_bytes()).to_hex())
    }
}

/// Says what failed on what.
fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::File { path: path.to_owned(), what, source }
}

/// Whether nothing is in a folder, or no folder there.
fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed(folder, "listed")(error)),
        Ok(mut entries) => Ok(entries.next().is_none()),
    }
}

#[cfg(test)]
mod tests;
