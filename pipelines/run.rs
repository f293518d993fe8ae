//! The service: journal, engine, sinks, cuts.
//!
//! Intake and journal run on threads of their own; this loop takes the durable entries and applies them. [`epochs`]
//! hands emissions to the sinks and, at a cut, makes the epoch safe: snapshot, sinks prepare, checkpoint, sinks commit,
//! trim, in this order, since a crash may come between any two. After a start the newest checkpoint's epoch is committed
//! again and the journal is applied from there on by the same code.

mod abroad;
pub mod by_hand;
mod desk;
pub mod epochs;
mod error;
mod forks;
mod lamps;
mod opening;
mod parts;
pub mod rehearsal;
mod reload;
mod shared_journal;
pub mod standby;
mod stationery;
mod stop;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::{Durable, EntryReceiver, IntakeHandle, IntakeSettings, Log, Start, handover};
use ingest::journal::Maker;
use ingest::time::{Clock, Offset};
use sinks::courier::Courier;
use sinks::deliver::Fanout;
use sinks::desk::Desk;

use self::abroad::Abroad;
use self::desk::Clerk;
use self::epochs::Epochs;
pub use self::error::RunError;
use self::forks::Forks;
use self::lamps::Lamps;
use self::parts::{Ended, serve_parts};
pub use self::reload::{Files, Refused, Reread};
use self::reload::{Filler, Reload};
use self::stationery::Stationery;
pub use self::stop::Stop;
use crate::analyst::Analyst;
use crate::config::Config;
use crate::engine::commands::Answer;
use crate::mirror::{Mirror, MirrorError, MirroredLog};
use crate::picture::Painter;
use crate::wire;

/// Durable entries that may wait for the engine, which pauses for a checkpoint; the journal's thread waits at the bound, and
/// with it the acknowledgements.
const ENTRIES_BYTES_MAX: usize = 32 << 20;
/// Rows that may wait for a sink; the engine waits at the bound.
const SINK_ROWS_MAX: usize = 256 * 1024;
/// How long the loop waits for an entry before it looks around.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause before a full disk is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(500);
/// How long the end waits for the mirror to have all of the journal.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

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
    wants_standby: bool,
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
    let (topics, store) = (config.topics.clone(), config.store.url.clone());
    let stationery = Stationery { clock: Arc::clone(&clock), topics, store };
    let clerk = Clerk::begin(wishes, &runtime, &config.export.folder, stationery);
    let analyst =
        Analyst::new(config.export.folder.clone(), painter.calendars()).map_err(RunError::Threads)?;
    let served = runtime.block_on(sinks::board::serve(
        config.http.listen,
        painter.board().with_desk(desk.clone()).with_answers(Arc::new(analyst)),
        painter.prometheus(),
        async move { closed.notified().await },
    ))?;
    for settings in &config.couriers {
        runtime.spawn(Courier::new(settings.clone(), desk.clone()).run());
    }
    if let Some(forks) = Forks::of(config, &desk).map_err(MirrorError::from)? {
        runtime.spawn(forks.run());
    }
    told(served.0);
    let result = serve_parts(config, files, &clock, painter, &runtime, (stop, &clerk, wants_standby));
    clerk.close();
    closing.notify_one();
    let _ = runtime.block_on(served.1);
    result
}

struct Service {
    clerk: Clerk,
    /// Answers after which something leaves the house, at most one for each courier.
    going_out: VecDeque<Answer>,
    epochs: Epochs<Fanout>,
    clock: Arc<dyn Clock>,
    painter: Painter,
    /// While it leads, and where they are told.
    lamps: Option<Lamps>,
    /// The entries that come first.
    opening: Vec<Entry>,
    stop: Stop,
    reload: Reload,
}

impl Service {
    fn run(&mut self, config: &Config, files: Option<Files>) -> Result<Ended, RunError> {
        if self.stop.is_asked() {
            // What was not applied yet stays in the journal.
            return Ok(Ended::Stopped);
        }
        if let Some(files) = files {
            let stop = self.stop.clone();
            self.watch_files(config, files, &stop)?;
        }
        let (sender, entries) = handover(ENTRIES_BYTES_MAX);
        let settings = IntakeSettings {
            source: config.source.clone(),
            filters: wire::topics(config)?.filters(),
            commit_interval: config.journal.commit_interval,
            commit_bytes: config.journal.commit_bytes,
            cut_interval: config.engine.cut_interval,
        };
        let mut log: Box<dyn Log> = self.epochs.log();
        let mut mirror = None;
        let Service { epochs, painter, stop, .. } = self;
        if let Some((leading, generation)) = epochs.lead(&self.clock, &mut until_room(painter, stop))? {
            log = Box::new(MirroredLog::new(log, leading.status()));
            self.opening.push(generation);
            mirror = Some(leading);
        }
        self.reload.filler = Filler::of(&config.export.folder);
        self.begin(config)?;
        if let Some(abroad) = &self.epochs.abroad {
            self.painter.watch_mirror(abroad.leading());
        }
        let place = self.epochs.journal.with(|journal| {
            journal.make_ahead(Maker::Thread);
            journal.place()
        });
        let start = Start {
            next_message: place.next_message,
            last_at_ms: place.last_at_ms,
            last_epoch: place.last_epoch,
            opening: std::mem::take(&mut self.opening),
        };
        self.lamps = Lamps::begin(config, mirror.as_ref().map(Mirror::status), &self.clock)?;
        let intake = IntakeHandle::spawn(settings, log, Arc::clone(&self.clock), start, sender)?;
        self.painter.follow(intake.status());
        // Who asked for these is not there any more.
        self.epochs.engine.take_answers().for_each(drop);
        self.clerk.open(intake.submitter());
        let looped = self.take_entries(&entries, &intake);
        // Its threads may wait for room in the channel: that ends with the receiver.
        drop(entries);
        let joined = intake.join();
        self.clerk.close();
        if let Some(lamps) = self.lamps.take() {
            lamps.end();
        }
        let Some(mirror) = mirror else {
            looped?;
            joined?;
            self.settle()?;
            return Ok(Ended::Stopped);
        };
        let status = mirror.status();
        if status.fenced().is_some() {
            return Ok(Ended::SteppedDown);
        }
        looped?;
        joined?;
        if !status.wait_until_mirrored(LAST_PATIENCE) {
            tracing::warn!(
                "the mirror does not have the end of the journal; it gets that after the next start"
            );
        }
        self.settle()?;
        Ok(Ended::Stopped)
    }

    fn take_entries(&mut self, entries: &EntryReceiver, intake: &IntakeHandle) -> Result<(), RunError> {
        let mut asked = false;
        loop {
            if self.stop.is_asked() && !asked {
                asked = true;
                intake.shutdown();
            }
            self.take_change(intake);
            self.fill_windows(intake)?;
            match entries.recv_timeout(PATIENCE) {
                Ok(durable) => self.take(&durable)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.go_on()?;
            self.let_go_out();
            self.tell_board();
        }
    }

    /// Goes on with epochs that are on their way.
    fn go_on(&mut self) -> Result<(), RunError> {
        let Service { epochs, painter, stop, .. } = self;
        epochs.go_on(&mut until_room(painter, stop))
    }

    /// Waits until all that was cut is safe, and shown where it may be.
    fn settle(&mut self) -> Result<(), RunError> {
        let Service { epochs, painter, stop, .. } = self;
        epochs.settle(&mut until_room(painter, stop))
    }

    /// What is about to leave the house waits until the mirror knows of it, for so does whoever leads next.
    fn let_go_out(&mut self) {
        let mirrored = self.epochs.abroad.as_ref().map(Abroad::mirrored);
        let is_known = |answer: &Answer| mirrored.is_none_or(|mirrored| mirrored.0 > answer.offset);
        while let Some(answer) = self.going_out.pop_front_if(|answer| is_known(answer)) {
            self.clerk.answer(&answer);
        }
    }

    /// A picture if one is due, and answers to who has asked.
    fn tell_board(&mut self) {
        let (applied, epoch) = self.epochs.place();
        let Service { epochs, painter, lamps, .. } = self;
        painter.paint(&epochs.engine, applied, epoch);
        if let Some(lamps) = lamps {
            let mirrored = epochs.abroad.as_ref().map(Abroad::mirrored);
            lamps.tell(&epochs.engine, &painter.jobs(&epochs.engine), applied, mirrored);
        }
        self.clerk.tell(&self.epochs.engine);
    }

    fn take(&mut self, durable: &Durable) -> Result<(), RunError> {
        self.step(durable.offset, &durable.entry)?;
        if let Entry::Intake(intake) = &durable.entry {
            self.painter.applied(durable.received_us, u64::from(intake.messages()));
        }
        Ok(())
    }

    /// Takes one entry through the engine and to the sinks, and tells of it.
    fn step(&mut self, offset: Offset, entry: &Entry) -> Result<(), RunError> {
        let Service { epochs, painter, stop, clerk, going_out, .. } = self;
        let raised = epochs.step(offset, entry, &mut until_room(painter, stop))?;
        let waits = |answer: &Answer| answer.goes_out && clerk.is_awaited(&answer.key);
        let (later, now): (Vec<_>, Vec<_>) = epochs.engine.take_answers().partition(waits);
        now.iter().for_each(|answer| clerk.answer(answer));
        going_out.extend(later);
        match entry {
            Entry::Tick { .. } => epochs.engine.sample_trends(),
            Entry::Configuration { .. } => self.configured(offset),
            Entry::Filling { .. } => self.filled(),
            Entry::Intake(_) | Entry::Cut { .. } | Entry::Command(_) | Entry::Generation { .. } => {}
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
