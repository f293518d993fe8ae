//! The thread `andon-mirror`.

use std::sync::Arc;
use std::thread::JoinHandle;

use ingest::journal::{Entries, JournalError, Place};
use ingest::time::{Clock, Offset};

use super::Identity;
use super::driver::Driver;
use super::status::MirrorStatus;
use super::store::Store;
use crate::config::MirrorSettings;

/// Reads the journal from an offset on.
pub type ReadJournal = Arc<dyn Fn(Offset) -> Result<Entries, JournalError> + Send + Sync>;

/// A mirror that is being written. Dropping it ends the thread.
#[derive(Debug)]
pub struct Mirror {
    status: Arc<MirrorStatus>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs.
pub struct Leader {
    pub settings: MirrorSettings,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub read: ReadJournal,
    /// Of this process: its generation and writer are in the journal, or will be at once.
    pub identity: Identity,
    /// Where the journal begins here.
    pub first: Place,
    /// Where our generation's entry is, or will be at once.
    pub leads_from: Offset,
    /// Where the mirror ends; `None` where it was not reachable.
    pub end: Option<Place>,
    /// Checkpoints that are kept.
    pub keep: usize,
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

impl Mirror {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn start(leader: Leader, status: Arc<MirrorStatus>) -> std::io::Result<Mirror> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&status);
        let thread = std::thread::Builder::new().name("andon-mirror".to_owned());
        let thread = thread.spawn(move || runtime.block_on(Driver::new(leader, shared).run()))?;
        Ok(Mirror { status, thread: Some(thread) })
    }

    /// What others may know.
    #[must_use]
    pub fn status(&self) -> Arc<MirrorStatus> {
        Arc::clone(&self.status)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.status.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the mirror's thread ended in a panic");
        }
    }
}
