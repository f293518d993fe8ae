//! The picture that boards show, painted a few times a second, and at once when an exception is raised.
//!
//! A thread of its own keeps readiness true while the loop waits for a sink or a disk.

mod pace;
mod sources;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ingest::intake::IntakeStatus;
use ingest::time::{Clock, Epoch, Offset};
use sinks::board::{Board, BoardPublisher, Configuration};
use sinks::deliver::Fanout;
use sinks::latency::LatencyRecorder;
use sinks::prometheus::Prometheus;
use sinks::view::{Counts, FloodView, Jobs, Status, View};

use self::pace::Pace;
pub use self::sources::Watched;
use self::sources::{Sources, reasons};
use crate::calendar::Calendars;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::tiles::Tiles;
use crate::run::{Refused, Stop};

const RATE_OVER_US: u64 = 5_000_000;
/// Rounds of half a second that a stuck sink may hold up a stop.
const STUCK_PATIENCE: u32 = 10;

/// The last picture, and what keeps the loop itself from being ready.
#[derive(Default)]
struct Last {
    view: View,
    own: Vec<String>,
}

/// Paints and publishes.
pub struct Painter {
    publisher: Arc<BoardPublisher>,
    board: Board,
    prometheus: Arc<Prometheus>,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Last>>,
    sources: Sources,
    sinks: Weak<Fanout>,
    latency: LatencyRecorder,
    rate: VecDeque<(u64, u64)>,
    pace: Pace,
    responses: BTreeMap<String, String>,
    idle_ms: i64,
    configuration: String,
    calendars: Arc<Mutex<Arc<Calendars>>>,
    refused: Refused,
    /// What the functions showed last, and at which change.
    jobs: (Option<u64>, Arc<Jobs>),
}

impl Painter {
    /// An empty picture.
    #[must_use]
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let (publisher, board) = Board::new();
        let prometheus = Prometheus::new(env!("CARGO_PKG_VERSION"));
        // A second service in one process (tests) shares the first one's recorder.
        let _ = prometheus.install();
        let mut painter = Painter {
            publisher: Arc::new(publisher),
            board,
            prometheus,
            latency: LatencyRecorder::default(),
            rate: VecDeque::new(),
            pace: Pace::default(),
            responses: BTreeMap::new(),
            idle_ms: 0,
            configuration: String::new(),
            calendars: Arc::default(),
            refused: Refused::default(),
            jobs: (None, Arc::default()),
            last: Arc::default(),
            sources: Sources::default(),
            sinks: Weak::new(),
            clock,
        };
        painter.configured(config);
        painter
    }

    /// This configuration applies from now on; false if it did already.
    pub fn configured(&mut self, config: &Config) -> bool {
        let responses = config.rules.iter().map(|rule| (rule.name.clone(), rule.response.clone()));
        self.responses = responses.collect();
        *self.calendars.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&config.calendars);
        self.idle_ms = i64::try_from(config.engine.idle.as_millis()).unwrap_or(i64::MAX);
        self.publisher.configure(Configuration {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            version: config.version.clone(),
            text: config.text.clone(),
        });
        std::mem::replace(&mut self.configuration, config.version.clone()) != config.version
    }

    /// Where it is said why changed files do not apply.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.refused.clone()
    }

    /// Those that apply at the moment.
    pub fn calendars(&self) -> Arc<Mutex<Arc<Calendars>>> {
        Arc::clone(&self.calendars)
    }

    /// What shows it.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// `/metrics`.
    #[must_use]
    pub fn prometheus(&self) -> Arc<Prometheus> {
        Arc::clone(&self.prometheus)
    }

    /// Publishes that the service is not ready, and why.
    pub fn say_not_ready(&mut self, reason: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.view.at_ms = self.clock.now_ms();
        last.view.status.version = env!("CARGO_PKG_VERSION").to_owned();
        last.own = vec![reason.to_owned()];
        last.view.status.not_ready = reasons(&last.own, &self.sources, self.sinks.upgrade().as_deref());
        self.publisher.publish(last.view.clone());
    }

    /// Tells of the intake from now on.
    pub fn follow(&self, intake: Arc<IntakeStatus>) {
        *self.sources.intake.lock().unwrap_or_else(PoisonError::into_inner) = Some(intake);
    }

    /// Tells of the other region from now on.
    pub fn watch_mirror(&self, mirror: Arc<dyn Watched>) {
        *self.sources.mirror.lock().unwrap_or_else(PoisonError::into_inner) = Some(mirror);
    }

    /// The intake is over, and so is the part in the mirror: another one begins.
    pub fn begin_anew(&mut self) {
        self.jobs.0 = None;
        *self.sources.intake.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.sources.mirror.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps readiness true from now on, also while the loop waits for a sink, and ends that wait when asked to stop.
    pub fn watch(&mut self, sinks: &Arc<Fanout>, stop: &Stop) {
        self.sinks = Arc::downgrade(sinks);
        let (sinks, stop, mut patience) = (Arc::downgrade(sinks), stop.clone(), STUCK_PATIENCE);
        let (publisher, sources) = (Arc::clone(&self.publisher), self.sources.clone());
        let (last, clock) = (Arc::downgrade(&self.last), Arc::clone(&self.clock));
        std::thread::spawn(move || {
            while let (Some(last), Some(sinks)) = (last.upgrade(), sinks.upgrade()) {
                if stop.is_asked() && !sinks.not_ready().is_empty() {
                    // A sink that waits for room must not keep a person from stopping the service.
                    patience = patience.saturating_sub(1);
                    if patience == 0 {
                        sinks.stopper().stop();
                    }
                }
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let not_ready = reasons(&last.own, &sources, Some(&sinks));
                if not_ready != last.view.status.not_ready {
                    last.view.at_ms = clock.now_ms();
                    last.view.status.not_ready = not_ready;
                    publisher.publish(last.view.clone());
                }
                drop((last, sinks));
                std::thread::sleep(Duration::from_millis(500));
            }
        });
    }

    /// Messages have been applied that came in at `received_us`.
    pub fn applied(&mut self, received_us: u64, messages: u64) {
        let now_us = self.clock.monotonic_us();
        self.latency.record_many(now_us, now_us.saturating_sub(received_us), messages);
        self.rate.push_back((now_us, messages));
        while self.rate.front().is_some_and(|(at_us, _)| at_us + RATE_OVER_US < now_us) {
            self.rate.pop_front();
        }
    }

    /// The next picture is due as soon as can be.
    pub fn hurry(&mut self) {
        self.pace.hurry();
    }

    /// Publishes a picture if one is due.
    pub fn paint(&mut self, engine: &Engine, applied: Offset, epoch: Epoch) {
        let now_us = self.clock.monotonic_us();
        if !self.pace.is_due(now_us) {
            return;
        }
        let now_ms = self.clock.now_ms();
        let shed = self.sources.intake().map_or(0, |intake| intake.counts().shed);
        let counts = Counts { shed, ..engine.counts() };
        let is_recent = |(at_us, _): &&(u64, u64)| at_us + RATE_OVER_US >= now_us;
        let recent: u64 = self.rate.iter().filter(is_recent).map(|(_, count)| count).sum();
        let mut own = Vec::new();
        if engine.is_clock_suspect() {
            own.push("clock suspect: most devices disagree with this machine's clock; set it".to_owned());
        }
        if !counts.adds_up() {
            own.push("counts do not add up: please report this with the journal".to_owned());
        }
        own.extend(engine.channels_at_odds());
        let mirror = self.sources.mirror();
        let floods = engine.floods();
        let Tiles { bays, exceptions, open, suppressed, shelved } =
            engine.tiles(now_ms, self.idle_ms, &self.responses);
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: self.configuration.clone(),
            configuration_refused: self.refused.mistakes(),
            windows_waiting: engine.filling().map(|filling| filling.rules.clone()).unwrap_or_default(),
            not_ready: reasons(&own, &self.sources, self.sinks.upgrade().as_deref()),
            counts,
            missing: engine.missing(),
            deliveries: engine.deliveries().deliveries,
            messages_per_second: recent as f64 / (RATE_OVER_US as f64 / 1e6),
            watermark_lag_ms: engine.watermark_lag_ms(),
            latency_ms: self.latency.latency(now_us),
            journal_offset: applied.0,
            epoch: epoch.0,
            exceptions_open: open,
            exceptions_suppressed: suppressed,
            exceptions_shelved: shelved,
            floods: FloodView::sites_in_flood(&floods),
            role: mirror.as_ref().map_or("primary", |mirror| mirror.role()).to_owned(),
            mirror: mirror.map(|mirror| mirror.view()),
        };
        let view = View {
            at_ms: now_ms,
            status,
            bays,
            exceptions,
            tools_out_of_service: engine.tools_out_of_service(),
            usage: engine.usage_views(),
            floods,
            jobs: self.jobs(engine),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last { view: view.clone(), own };
        self.publisher.publish(view);
        self.pace.painted(now_us, self.clock.monotonic_us());
    }

    /// What the functions show: made anew only when something has changed, for it is large.
    pub fn jobs(&mut self, engine: &Engine) -> Arc<Jobs> {
        let changes = Some(engine.functions().changes());
        if self.jobs.0 != changes {
            let (jobs, queue) = (engine.functions().job_views(), engine.functions().queued_steps());
            self.jobs = (changes, Arc::new(Jobs { jobs, queue }));
        }
        Arc::clone(&self.jobs.1)
    }
}

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Painter").finish_non_exhaustive()
    }
}
