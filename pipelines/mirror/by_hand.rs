//! The mirror without its thread: it is written when whoever drives the service has it so. A simulation decides alone
//! what happens when; what happens is the service's own code.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ingest::entry::Entry;
use ingest::intake::{Log, LogError};
use ingest::time::Offset;
use tokio::runtime::Runtime;

use super::driver::{Driver, Kept, Turn};
use super::keeper::Keeper;
use super::writer::Writer;
use super::{Leader, MirrorStatus, MirroredLog};

/// A mirror that does nothing by itself. Clones are the same.
#[derive(Clone)]
pub struct MirrorByHand {
    hand: Arc<Mutex<Hand>>,
    status: Arc<MirrorStatus>,
}

struct Hand {
    runtime: Runtime,
    driver: Driver,
    keeper: Keeper,
    writer: Option<Writer>,
    kept: Kept,
}

impl std::fmt::Debug for MirrorByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorByHand").field("status", &self.status).finish_non_exhaustive()
    }
}

impl MirrorByHand {
    /// Of a process that begins to lead.
    ///
    /// # Errors
    /// The system has no threads to give, with which the store works.
    pub fn new(leader: Leader, status: Arc<MirrorStatus>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let kept = Kept { files: None, trimmed_us: leader.clock.boot_us() };
        let driver = Driver::new(leader, Arc::clone(&status));
        let hand = Hand { runtime, keeper: driver.keeper(), driver, writer: None, kept };
        Ok(MirrorByHand { hand: Arc::new(Mutex::new(hand)), status })
    }

    /// Writes what there is to write until that is done, or fails, and renews the lease.
    pub fn turn(&self) {
        let mut hand: MutexGuard<'_, Hand> = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        let Hand { runtime, driver, keeper, writer, kept } = &mut *hand;
        runtime.block_on(async {
            if writer.is_none() {
                match driver.locate().await {
                    Ok(located) => *writer = located,
                    Err(error) if error.is_passing() => self.status.set_trouble(Some(error.to_string())),
                    Err(error) => self.status.fence(error.to_string()),
                }
            }
            let Some(writer) = writer else { return };
            while !driver.is_over() && driver.turn(writer, kept).await == Turn::Done {}
            driver.beat(keeper).await;
        });
    }

    /// Every entry below is in the mirror.
    #[must_use]
    pub fn mirrored(&self) -> Offset {
        self.status.mirrored()
    }
}

/// A journal whose entries are durable here, or here and in a mirror that whoever syncs writes as well.
pub struct LogByHand {
    log: MirroredLog,
    mirror: MirrorByHand,
    /// Whether the mirror is ahead of the sync here, asked with each.
    is_ahead: Box<dyn FnMut() -> bool + Send>,
}

impl LogByHand {
    /// Appends to `journal`.
    #[must_use]
    pub fn new(
        journal: Box<dyn Log>,
        mirror: MirrorByHand,
        is_ahead: impl FnMut() -> bool + Send + 'static,
    ) -> Self {
        let log = MirroredLog::new(journal, Arc::clone(&mirror.status));
        LogByHand { log, mirror, is_ahead: Box::new(is_ahead) }
    }
}

impl std::fmt::Debug for LogByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogByHand").field("mirror", &self.mirror).finish_non_exhaustive()
    }
}

impl Log for LogByHand {
    fn append(&mut self, entry: &Entry) -> Result<Offset, LogError> {
        self.log.append(entry)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let LogByHand { log, mirror, is_ahead } = self;
        log.sync_with(&mut || {
            if is_ahead() {
                mirror.turn();
            }
        })?;
        mirror.turn();
        mirror.status.acknowledgeable()
    }
}
