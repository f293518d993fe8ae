//! The service: journal, engine, sinks, cuts.
//!
//! Intake and journal run on threads of their own; this loop takes the durable entries and applies them. [`epochs`]
//! hands emissions to the sinks and, at a cut, makes the epoch safe: snapshot, sinks prepare, checkpoint, sinks
//! commit, trim, in this order, since a crash may come between any two. After a start the newest
//! checkpoint's epoch is committed again and the journal is applied from there on by the same code.

pub mod epochs;

mod error;

mod desk;

mod opening;

mod reload;

mod shared_journal;

mod stop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::{Durable, IntakeHandle, IntakeSettings, IntakeStatus, Start};
use ingest::time::Clock;
use sinks::deliver::Fanout;
use sinks::desk::Desk;

use self::desk::Clerk;
use self::epochs::Epochs;
pub use self::error::RunError;
use self::reload::Reload;
pub use self::reload::{Files, Refused, Reread};
pub use self::stop::Stop;
use crate::config::Config;
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

/// Runs until asked to stop. `told` hears the board's address once it listens. Rules that change in `files` are taken up
/// meanwhile.
///
/// # Errors
/// What kept it from starting, or made it end.
pub fn serve(
    config: &Config,
    files: Option<Files>,
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
    let result = Service::open(config, clock, painter, &runtime, stop)
        .and_then(|service| service.run(config, files, &clerk));
    clerk.close();
    closing.notify_one();
    let _ = runtime.block_on(served.1);
    result
}

struct Service {
    epochs: Epochs<Fanout>,
    clock: Arc<dyn Clock>,
    painter: Painter,
    start: Start,
    stop: Stop,
    reload: Reload,
}

impl Service {
    fn run(mut self, config: &Config, files: Option<Files>, clerk: &Clerk) -> Result<(), RunError> {
        if self.stop.is_asked() {
            // What was not applied yet stays in the journal.
            return Ok(());
        }
        if let Some(files) = files {
            let stop = self.stop.clone();
            self.watch_files(config, files, &stop)?;
        }
        let (sender, entries) = sync_channel(ENTRIES_MAX);
        let settings = IntakeSettings {
            source: config.source.clone(),
            filters: wire::topics(config)?.filters(),
            commit_interval: config.journal.commit_interval,
            commit_bytes: config.journal.commit_bytes,
            cut_interval: config.engine.cut_interval,
        };
        let start = self.start.clone();
        let intake =
            IntakeHandle::spawn(settings, self.epochs.log(), Arc::clone(&self.clock), start, sender)?;
        self.painter.follow(intake.status());
        // Who asked for these is not there any more.
        self.epochs.engine.take_answers().for_each(drop);
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
            self.take_change(intake);
            match entries.recv_timeout(PATIENCE) {
                Ok(durable) => {
                    self.take(&durable)?;
                    self.epochs.engine.take_answers().for_each(|answer| clerk.answer(&answer));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let (applied, epoch) = self.epochs.place();
            self.painter.paint(&self.epochs.engine, &status, applied, epoch);
        }
    }

    fn take(&mut self, durable: &Durable) -> Result<(), RunError> {
        let Service { epochs, painter, stop, .. } = self;
        let raised = epochs.step(durable.offset, &durable.entry, &mut until_room(painter, stop))?;
        match &durable.entry {
            Entry::Intake(intake) => painter.applied(durable.received_us, u64::from(intake.messages())),
            Entry::Tick { .. } => epochs.engine.sample_trends(),
            Entry::Configuration { .. } => self.configured(durable.offset),
            Entry::Cut { .. } | Entry::Command(_) => {}
        }
        if raised {
            self.painter.hurry();
        }
        Ok(())
    }
}

/// Says what is waited for, waits, and goes on until somebody asks for the end.
fn until_room<'a>(painter: &'a mut Painter, stop: &'a Stop) -> impl FnMut(&str) -> bool + 'a {
    |reason| {
        if stop.is_asked() {
            return false;
        }
        painter.say_not_ready(reason);
        std::thread::sleep(FULL_PAUSE);
        true
    }
}
