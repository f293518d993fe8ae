//! The service: journal, engine, sinks, cuts.
//!
//! Intake and journal run on threads of their own; this loop takes the durable entries, applies them, hands
//! emissions to the sinks and, at a cut, makes the epoch safe: snapshot, sinks prepare, checkpoint, sinks
//! commit, trim, in this order, since a crash may come between any two. After a start the newest
//! checkpoint's epoch is committed again and the journal is applied from there on by the same code.

mod error;

mod desk;

mod opening;

mod shared_journal;

mod stop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::{Durable, IntakeHandle, IntakeSettings, IntakeStatus, Start};
use ingest::time::{Clock, Epoch, Offset};
use sinks::deliver::Fanout;
use sinks::desk::Desk;
use sinks::emission::Emission;

use self::desk::Clerk;
pub use self::error::RunError;
use self::shared_journal::SharedJournal;
pub use self::stop::Stop;
use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointFolder};
use crate::config::Config;
use crate::engine::Engine;
use crate::picture::Painter;
use crate::wire;

/// Durable entries that may wait for the engine; the journal's thread waits at the bound, and with it the
/// acknowledgements.
const ENTRIES_MAX: usize = 64;
/// Rows that may wait for a sink; the engine waits at the bound.
const SINK_ROWS_MAX: usize = 256 * 1024;
/// How long the loop waits for an entry before it looks around.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause before a full disk is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// Runs until asked to stop. `told` hears the board's address once it listens.
///
/// # Errors
/// What kept it from starting, or made it end.
pub fn serve(
    config: &Config,
    clock: Arc<dyn Clock>,
    stop: &Stop,
    told: impl FnOnce(SocketAddr),
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("andon-http")
        .enable_all()
        .build()
        .map_err(RunError::Threads)?;
    let painter = Painter::new(config, Arc::clone(&clock));
    let closing = Arc::new(tokio::sync::Notify::new());
    let closed = Arc::clone(&closing);
    let (desk, wishes) = Desk::new();
    let clerk = Clerk::begin(wishes, &runtime, &config.export.folder);
    let served = runtime.block_on(sinks::board::serve(
        config.http.listen,
        painter.board().with_desk(desk),
        painter.prometheus(),
        async move { closed.notified().await },
    ))?;
    told(served.0);
    let result =
        Service::open(config, clock, painter, &runtime, stop).and_then(|service| service.run(config, &clerk));
    clerk.close();
    closing.notify_one();
    let _ = runtime.block_on(served.1);
    result
}

struct Service {
    engine: Engine,
    sinks: Arc<Fanout>,
    checkpoints: CheckpointFolder,
    journal: SharedJournal,
    clock: Arc<dyn Clock>,
    painter: Painter,
    out: Vec<Emission>,
    applied: Offset,
    epoch: Epoch,
    /// Where to resume by kept checkpoint, oldest first: the journal before the first is not needed.
    resumes: Vec<Offset>,
    keep: usize,
    start: Start,
    stop: Stop,
}

impl Service {
    fn run(mut self, config: &Config, clerk: &Clerk) -> Result<(), RunError> {
        if self.stop.is_asked() {
            // What was not applied yet stays in the journal.
            return Ok(());
        }
        let (sender, entries) = sync_channel(ENTRIES_MAX);
        let settings = IntakeSettings {
            source: config.source.clone(),
            filters: wire::topics(config)?.filters(),
            commit_interval: config.journal.commit_interval,
            commit_bytes: config.journal.commit_bytes,
            cut_interval: config.engine.cut_interval,
        };
        let log = Box::new(self.journal.clone());
        let start = self.start.clone();
        let intake = IntakeHandle::spawn(settings, log, Arc::clone(&self.clock), start, sender)?;
        self.painter.follow(intake.status());
        // Who asked for these is not there any more.
        self.engine.take_answers().for_each(drop);
        clerk.open(intake.submitter());
        let looped = self.take_entries(&entries, &intake, clerk);
        if looped.is_err() {
            // Its threads may wait for room in the channel: that ends with the receiver.
            drop(entries);
            let _ = intake.join();
            return looped;
        }
        intake.join()?;
        Ok(())
    }

    fn take_entries(
        &mut self,
        entries: &Receiver<Durable>,
        intake: &IntakeHandle,
        clerk: &Clerk,
    ) -> Result<(), RunError> {
        let status: Arc<IntakeStatus> = intake.status();
        let mut asked = false;
        loop {
            if self.stop.is_asked() && !asked {
                asked = true;
                intake.shutdown();
            }
            match entries.recv_timeout(PATIENCE) {
                Ok(durable) => {
                    self.step(durable.offset, &durable.entry)?;
                    self.engine.take_answers().for_each(|answer| clerk.answer(&answer));
                    if let Entry::Intake(intake) = &durable.entry {
                        self.painter.applied(durable.received_us, u64::from(intake.messages()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.painter.paint(&self.engine, &status, self.applied, self.epoch);
        }
    }

    /// Takes one entry through the engine and to the sinks.
    fn step(&mut self, offset: Offset, entry: &Entry) -> Result<(), RunError> {
        assert_eq!(offset, self.applied.next(), "entries are applied in order, each once");
        self.engine.stands_at(offset);
        self.engine.apply(entry, &mut self.out)?;
        self.applied = offset;
        let raised = self.out.iter().any(|emission| &*emission.stream == "exceptions");
        for emission in self.out.drain(..) {
            self.sinks.write(&emission)?;
        }
        if raised {
            self.painter.hurry();
        }
        match entry {
            Entry::Cut { epoch, .. } => self.cut(*epoch),
            Entry::Tick { .. } => {
                self.engine.sample_trends();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Makes an epoch safe, then seen.
    fn cut(&mut self, epoch: Epoch) -> Result<(), RunError> {
        let engine = self.engine.snapshot()?;
        let receipts: BTreeMap<_, _> = self.sinks.prepare(epoch, self.applied.next())?;
        let checkpoint = Checkpoint {
            epoch: epoch.0,
            resume_at: self.applied.next().0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine,
            receipts,
        };
        self.put(&checkpoint)?;
        self.sinks.commit(epoch, &checkpoint.receipts)?;
        self.epoch = epoch;
        self.resumes.push(checkpoint.resume_at());
        self.checkpoints.trim()?;
        if self.resumes.len() > self.keep {
            let before = self.resumes.remove(0);
            // Whole segments only, so at least the newest stays to be replayed by hand.
            self.journal.with(|journal| journal.trim(before))?;
        }
        Ok(())
    }

    /// Writes a checkpoint; a full disk is waited for, and said. Who asks for the end need not wait for room:
    /// the journal since the checkpoint before is applied again after the next start.
    fn put(&mut self, checkpoint: &Checkpoint) -> Result<(), RunError> {
        loop {
            match self.checkpoints.put(checkpoint) {
                Ok(()) => return Ok(()),
                Err(CheckpointError::Storage { path, source, .. })
                    if ingest::storage::is_full(&source) && !self.stop.is_asked() =>
                {
                    self.painter
                        .say_not_ready(&format!("checkpoints: no space for {}, waiting", path.display()));
                    std::thread::sleep(FULL_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
