//! The thread `andon-journal`: appends a batch, makes it durable, says so, hands it to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::gathering::{Batch, Gathered};
use super::status::{IntakeStatus, JournalState};
use super::{Durable, IntakeError, Log, LogError};
use crate::time::Offset;

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(200);

pub(super) struct Committer {
    pub(super) log: Box<dyn Log>,
    pub(super) batches: tokio::sync::mpsc::Receiver<Batch>,
    /// Room for one answer, and one batch is out at a time: sending never waits.
    pub(super) durable: tokio::sync::mpsc::Sender<()>,
    pub(super) entries: SyncSender<Durable>,
    pub(super) status: Arc<IntakeStatus>,
    pub(super) stopping: Arc<AtomicBool>,
}

impl Committer {
    /// Runs until there are no more batches, or one cannot be written.
    pub(super) fn run(mut self) -> Result<(), IntakeError> {
        while let Some(batch) = self.batches.blocking_recv() {
            let offsets = self.write(&batch)?;
            // The receiver may be gone after a panic of its thread; what is durable still goes on.
            let _ = self.durable.blocking_send(());
            for (offset, Gathered { entry, received_us }) in offsets.into_iter().zip(batch.entries) {
                let durable = Durable { offset, entry, received_us };
                // Waits while the engine is behind: the next batch then waits here too, and so do its PUBACKs.
                self.entries.send(durable).map_err(|_| IntakeError::EngineGone)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch) -> Result<Vec<Offset>, IntakeError> {
        let mut offsets = Vec::with_capacity(batch.entries.len());
        for gathered in &batch.entries {
            let unwritten = batch.entries.len();
            offsets.push(self.until_there_is_room(unwritten, |log| log.append(&gathered.entry))?);
        }
        self.until_there_is_room(batch.entries.len(), |log| log.sync())?;
        Ok(offsets)
    }

    /// Tries again while the disk is full. The caller of a shutdown need not wait for an administrator: then
    /// it ends, and what is unacknowledged comes again after the restart.
    fn until_there_is_room<T>(
        &mut self,
        unwritten: usize,
        mut write: impl FnMut(&mut dyn Log) -> Result<T, LogError>,
    ) -> Result<T, IntakeError> {
        let mut is_full = false;
        loop {
            match write(self.log.as_mut()) {
                Ok(written) => {
                    if is_full {
                        tracing::info!("the journal has room again");
                        self.status.set_journal(JournalState::Writing);
                    }
                    return Ok(written);
                }
                Err(LogError::Full { folder }) => {
                    if self.stopping.load(Ordering::Relaxed) {
                        return Err(IntakeError::StoppedFull(LogError::Full { folder }, unwritten));
                    }
                    if !is_full {
                        tracing::error!(
                            folder,
                            "no space for the journal: nothing is acknowledged until there is"
                        );
                        self.status.set_journal(JournalState::Full { folder });
                        is_full = true;
                    }
                    std::thread::sleep(FULL_RETRY);
                }
                Err(error) => {
                    tracing::error!(%error, "the journal failed");
                    self.status.set_journal(JournalState::Failed { reason: error.to_string() });
                    return Err(IntakeError::Journal(error));
                }
            }
        }
    }
}
