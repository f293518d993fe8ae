//! The journal in the two hands that hold it: the intake appends, the engine's thread reads and trims.

use std::sync::{Arc, Mutex, PoisonError};

use ingest::entry::Entry;
use ingest::intake::{Log, LogError};
use ingest::journal::{Journal, JournalError};
use ingest::time::Offset;

/// The journal, shared by the thread that appends and the loop that trims.
#[derive(Clone, Debug)]
pub(super) struct SharedJournal(pub(super) Arc<Mutex<Journal>>);

impl SharedJournal {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Journal) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for SharedJournal {
    fn append(&mut self, entry: &Entry) -> Result<Offset, LogError> {
        self.with(|journal| journal.append(entry)).map_err(log_error)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.with(Journal::sync).map_err(log_error)
    }
}

fn log_error(error: JournalError) -> LogError {
    match error {
        JournalError::Full { folder, .. } => LogError::Full { folder: folder.display().to_string() },
        other => LogError::Failed { reason: other.to_string() },
    }
}
