//! Entries in, emissions out: deterministic, synchronous, no I/O.
//!
//! A message is decoded, its repeats and impossible times are set aside, and its readings go three ways:
//! fast rules see them at once, windows that need no step fold them in, and all wait in [`hold`] until
//! their bay's watermark has passed. Then, at a tick, they are joined with the step of their time: that
//! makes rows of stream `telemetry`, bookings in [`usage`], and the second look of the fast rules.
//!
//! Whatever is decided by time is decided at ticks, which the journal holds, so results do not depend on
//! how messages were grouped into entries.
//!
//! Not here: where entries come from (`run`, `commands::replay`) and where emissions go (`sinks`).

pub mod ids;

mod intake;

mod events;

mod certain;

mod tags;

mod template;

mod names;

mod block;

mod repeats;

mod clock;

mod bays;

mod limits;

mod steps;

mod join;

mod hold;

mod usage;

mod rule_row;

mod exceptions;

mod rules;

mod tables;

mod state;

mod live;

use arrow::error::ArrowError;
use ingest::decode::Decoder;
use ingest::entry::Entry;
use ingest::readings::{Decoded, Event, Reject};
use sinks::emission::Emission;
use sinks::view::Counts;

use self::bays::Bays;
use self::clock::ClockCheck;
use self::exceptions::Exceptions;
use self::hold::Hold;
use self::join::Joiner;
use self::limits::Assets;
use self::names::Names;
use self::repeats::Repeats;
use self::rules::Rules;
use self::steps::Steps;
use self::usage::Usage;
use crate::config::Config;
use crate::plan::PlanError;
use crate::schema::TELEMETRY;

/// Job cards that are kept; beyond it those without an open step are forgotten, by name.
const CARDS_MAX: usize = 10_000;

/// Why the engine could not go on: always a mistake of ours, or state of another version.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A rule does not compile.
    #[error("rule `{rule}` cannot run: {source}")]
    Rule { rule: String, source: PlanError },
    /// Columns did not fit together.
    #[error("rows of `{stream}` could not be made: {source}")]
    Rows { stream: String, source: ArrowError },
    /// A rule's window could not be computed.
    #[error("window of `{rule}` could not be computed: {source}")]
    Window { rule: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// A checkpoint that this version cannot read.
    #[error(
        "the checkpoint's state cannot be restored: {reason}; start from an older checkpoint or replay the journal"
    )]
    State { reason: String },
}

/// The state machine right of the journal.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    /// Its readings are the open block.
    decoded: Decoded,
    open_bay: Vec<u32>,
    open_lateness: Vec<u8>,
    /// First row of the open block that fast rules have not seen.
    unseen: usize,
    names: Names,
    counts: Counts,
    repeats: Repeats,
    clock: ClockCheck,
    bays: Bays,
    steps: Steps,
    assets: Assets,
    joiner: Joiner,
    hold: Hold,
    bookings: Vec<Event>,
    usage: Usage,
    rules: Rules,
    exceptions: Exceptions,
    rejects: Vec<Reject>,
    live: live::Live,
    correction_horizon_ms: i64,
    /// Latest tick or cut.
    at_ms: i64,
    all_columns: Vec<usize>,
}

impl Engine {
    /// A fresh engine for a configuration.
    ///
    /// # Errors
    /// If a rule does not compile.
    pub fn new(config: &Config, decoder: Decoder) -> Result<Self, EngineError> {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let settings = &config.engine;
        Ok(Engine {
            decoder,
            decoded: Decoded::default(),
            open_bay: Vec::new(),
            open_lateness: Vec::new(),
            unseen: 0,
            names: Names::new(),
            counts: Counts::default(),
            repeats: Repeats::new(settings.repeat_messages, millis(settings.repeat_age)),
            clock: ClockCheck::new(millis(settings.clock_bound), millis(settings.age_bound)),
            bays: Bays::new(millis(settings.lateness), millis(settings.idle), millis(settings.idle_final)),
            steps: Steps::default(),
            assets: Assets::new(&config.assets),
            joiner: Joiner::default(),
            hold: Hold::default(),
            bookings: Vec::new(),
            usage: Usage::new(&config.metrics),
            rules: Rules::new(&config.rules, millis(settings.correction_horizon))?,
            exceptions: Exceptions::default(),
            rejects: Vec::new(),
            live: live::Live::default(),
            correction_horizon_ms: millis(settings.correction_horizon),
            at_ms: i64::MIN,
            all_columns: (0..TELEMETRY.fields().len()).collect(),
        })
    }

    /// Applies one entry. The same entries in the same order give the same emissions.
    ///
    /// # Errors
    /// Only for a mistake of ours: bad input ends in the quarantine.
    pub fn apply(&mut self, entry: &Entry, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        match entry {
            Entry::Intake(intake) => self.intake(intake, out),
            Entry::Tick { first_ms, last_ms } => self.ticks(*first_ms, *last_ms, out),
            Entry::Cut { at_ms, .. } => self.cut(*at_ms, out),
            Entry::Configuration { .. } => Ok(()),
        }
    }

    /// Every second of a tick entry in turn; of a silent stretch only those at which something can happen.
    fn ticks(&mut self, first_ms: i64, last_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let mut at_ms = first_ms;
        loop {
            self.tick(at_ms, out)?;
            match self.bays.next_deadline_ms(at_ms) {
                Some(next_ms) if next_ms <= last_ms => at_ms = next_ms,
                _ => break,
            }
        }
        // The devices' say on our clock ends with time alone, so the end of the stretch counts as well.
        self.clock.tick(last_ms);
        self.at_ms = last_ms;
        Ok(())
    }

    fn tick(&mut self, at_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        self.at_ms = at_ms;
        self.clock.tick(at_ms);
        let ticked = self.bays.tick(at_ms);
        let mut until: Vec<(u32, i64)> =
            ticked.moved.iter().map(|&bay| (bay, self.bays.frontier_ms(bay))).collect();
        for &bay in ticked.released.iter().chain(&ticked.closed) {
            until.retain(|(known, _)| *known != bay);
            until.push((bay, i64::MAX));
        }
        until.sort_unstable();
        self.pass(&until, out)?;
        for &bay in &ticked.released {
            self.rules.release(bay, &mut self.exceptions, &mut self.rejects, out)?;
        }
        let table = self.decoder.series();
        self.rules.close(&self.bays, table, &mut self.exceptions, &mut self.rejects, out)?;
        self.tell_exceptions(out)?;
        self.tell_rejects(out)
    }

    fn tell_exceptions(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let changes = self.exceptions.take_changes();
        self.counts.exceptions = self.exceptions.raised;
        if changes.is_empty() {
            return Ok(());
        }
        let rows = tables::exceptions(&changes).map_err(|source| rows_error("exceptions", source))?;
        out.push(Emission { stream: "exceptions".into(), rows });
        Ok(())
    }

    fn tell_rejects(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        if self.rejects.is_empty() {
            return Ok(());
        }
        let rejects = std::mem::take(&mut self.rejects);
        let rows = tables::quarantine(&rejects, self.decoder.topics())
            .map_err(|source| rows_error("quarantine", source))?;
        out.push(Emission { stream: "quarantine".into(), rows });
        Ok(())
    }

    /// An epoch ends: what is too old to matter is forgotten.
    fn cut(&mut self, at_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        self.at_ms = self.at_ms.max(at_ms);
        let horizon_ms = self.correction_horizon_ms;
        for bay in 0..self.bays.all().len() {
            let bay = u32::try_from(bay).expect("bays are numbered in u32");
            let watermark_ms = self.bays.watermark_ms(bay);
            self.steps.bay_mut(bay).forget(watermark_ms.saturating_sub(horizon_ms));
        }
        let bays = &self.bays;
        self.usage.forget(|bay| bays.watermark_ms(bay).saturating_sub(horizon_ms));
        self.steps.bound_cards(CARDS_MAX);
        self.tell_exceptions(out)?;
        self.tell_rejects(out)
    }

    /// A message that could not even be read as one: it counts, and its bytes go to quarantine.
    pub fn refuse(&mut self, reject: Reject) {
        self.counts.messages += 1;
        self.counts.undecodable += 1;
        self.rejects.push(reject);
    }

    /// No more entries will come: every watermark goes to infinity. Open steps stay open, timers stand.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn end_of_input(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        let bays = u32::try_from(self.decoder.series().bays().len()).expect("bays are numbered in u32");
        let all: Vec<(u32, i64)> = (0..bays).map(|bay| (bay, i64::MAX)).collect();
        self.bays.close_all();
        self.pass(&all, out)?;
        self.rules.close_all(&mut self.exceptions, &mut self.rejects, out)?;
        self.tell_exceptions(out)?;
        self.tell_rejects(out)
    }

    /// The conservation law's counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether most devices say that our own clock is wrong.
    #[must_use]
    pub fn is_clock_suspect(&self) -> bool {
        self.clock.is_suspect()
    }

    /// Schemas of the streams that views make, by name.
    #[must_use]
    pub fn views(&self) -> Vec<(String, arrow::datatypes::SchemaRef)> {
        self.rules.views()
    }
}

fn rows_error(stream: &str, source: ArrowError) -> EngineError {
    EngineError::Rows { stream: stream.to_owned(), source }
}
