//! The journal as the intake sees it where there is a mirror.

use std::sync::Arc;

use ingest::entry::Entry;
use ingest::intake::{Log, LogError};
use ingest::time::Offset;

use super::status::MirrorStatus;

/// A journal whose entries are durable where the settings say: here, or here and in the mirror.
pub struct MirroredLog {
    journal: Box<dyn Log>,
    status: Arc<MirrorStatus>,
}

impl MirroredLog {
    /// Appends to `journal` and hands the mirror what is durable in it.
    pub fn new(journal: Box<dyn Log>, status: Arc<MirrorStatus>) -> Self {
        MirroredLog { journal, status }
    }
}

impl MirroredLog {
    /// Makes what was appended durable here; what the mirror does meanwhile is done before.
    pub(super) fn sync_with(&mut self, meanwhile: &mut dyn FnMut()) -> Result<(), LogError> {
        self.status.syncing();
        meanwhile();
        self.journal.sync()?;
        self.status.synced();
        Ok(())
    }
}

impl std::fmt::Debug for MirroredLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirroredLog").finish_non_exhaustive()
    }
}

impl Log for MirroredLog {
    fn append(&mut self, entry: &Entry) -> Result<Offset, LogError> {
        let offset = self.journal.append(entry)?;
        self.status.appended(offset, entry);
        Ok(offset)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.sync_with(&mut || {})?;
        self.status.wait_until_acknowledgeable()
    }
}
