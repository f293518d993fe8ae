//! The thread `andon-journal`: appends a batch, makes it durable, says so, hands it to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gathering::{Batch, Gathered};
use super::handover::EntrySender;
use super::status::{IntakeStatus, JournalState};
use super::{Durable, IntakeError, Log, LogError};
use crate::time::Offset;

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(200);
/// The same for a log that has waited itself.
const WAITING_RETRY: Duration = Duration::from_millis(1);

pub(super) struct Committer {
    pub(super) log: Box<dyn Log>,
    pub(super) batches: tokio::sync::mpsc::Receiver<Batch>,
    /// Room for one answer, and one batch is out at a time: sending never waits.
    pub(super) durable: tokio::sync::mpsc::Sender<()>,
    pub(super) entries: EntrySender,
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
        let Committer { log, status, stopping, .. } = self;
        let mut told = |room: Room<'_>| tell(status, stopping, room);
        write(log.as_mut(), batch, &mut told).inspect_err(|error| {
            if let IntakeError::Journal(error) = error {
                tracing::error!(%error, "the journal failed");
                status.set_journal(JournalState::Failed { reason: error.to_string() });
            }
        })
    }
}

/// How it stands with the room for the journal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Room<'a> {
    /// There is none in this folder, at the first try or again.
    None { folder: &'a str, is_first: bool },
    /// Others have not done their part, such as a mirror.
    Waiting { reason: &'a str, is_first: bool },
    /// There is some again.
    Again,
}

/// Says that the disk is full and waits, until somebody asks for the end: who does so need not wait for an
/// administrator, and what is unacknowledged comes again after the restart.
fn tell(status: &IntakeStatus, stopping: &AtomicBool, room: Room<'_>) -> bool {
    match room {
        Room::Again => {
            tracing::info!("the journal goes on");
            status.set_journal(JournalState::Writing);
        }
        Room::None { .. } | Room::Waiting { .. } if stopping.load(Ordering::Relaxed) => return false,
        Room::Waiting { reason, is_first } => {
            if is_first {
                tracing::error!(reason, "nothing is acknowledged until that is over");
            }
            status.set_journal(JournalState::Waiting { reason: reason.to_owned() });
            std::thread::sleep(WAITING_RETRY);
        }
        Room::None { folder, is_first } => {
            if is_first {
                tracing::error!(folder, "no space for the journal: nothing is acknowledged until there is");
                status.set_journal(JournalState::Full { folder: folder.to_owned() });
            }
            std::thread::sleep(FULL_RETRY);
        }
    }
    true
}

/// Appends a batch and makes it durable; the places of its entries. `told` hears of a full disk and says whether to
/// try again.
pub(super) fn write(
    log: &mut dyn Log,
    batch: &Batch,
    told: &mut dyn FnMut(Room<'_>) -> bool,
) -> Result<Vec<Offset>, IntakeError> {
    let mut until_there_is_room = |write: &mut dyn FnMut() -> Result<Offset, LogError>| {
        let mut is_first = true;
        loop {
            match write() {
                Ok(written) => {
                    if !is_first {
                        told(Room::Again);
                    }
                    return Ok(written);
                }
                Err(LogError::Full { folder }) => {
                    if !told(Room::None { folder: &folder, is_first }) {
                        return Err(IntakeError::StoppedFull(LogError::Full { folder }, batch.entries.len()));
                    }
                    is_first = false;
                }
                Err(LogError::Waiting { reason }) => {
                    if !told(Room::Waiting { reason: &reason, is_first }) {
                        return Err(IntakeError::StoppedWaiting(LogError::Waiting { reason }));
                    }
                    is_first = false;
                }
                Err(error) => return Err(IntakeError::Journal(error)),
            }
        }
    };
    let mut offsets = Vec::with_capacity(batch.entries.len());
    for gathered in &batch.entries {
        offsets.push(until_there_is_room(&mut || log.append(&gathered.entry))?);
    }
    until_there_is_room(&mut || log.sync().map(|()| Offset::default()))?;
    Ok(offsets)
}
