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

mod aside;
mod balances;
mod bays;
mod belated;
mod block;
mod bookings;
mod bounds;
mod certain;
mod channels;
mod clock;
pub mod commands;
mod error;
mod events;
mod evidence;
mod exceptions;
mod expected;
mod fresh;
mod hold;
pub mod ids;
mod in_hand;
pub(crate) mod in_work;
mod intake;
mod jobs;
mod join;
pub(crate) mod lamps;
mod ledger;
mod limits;
mod live;
mod message;
mod names;
mod open_block;
mod overdue;
pub(crate) mod past;
mod repeats;
mod rule_row;
mod rules;
mod state;
mod steps;
pub(crate) mod switch;
mod tables;
mod tags;
mod telling;
mod template;
mod ticks;
pub mod tiles;
mod told;
mod usage;
mod workshop;

pub use self::error::EngineError;
pub use self::repeats::Room;
pub(crate) use self::rules::INTERVALS_MAX;
pub use self::state::{VERSION as STATE_VERSION, check_version as check_state_version, configuration_of};
pub use self::switch::backfill::{Entries as PastEntries, Past, PastError};

use std::sync::Arc;

use arrow::error::ArrowError;
use ingest::decode::Decoder;
use ingest::entry::{Entry, Intake};
use ingest::readings::{Decoded, Reject};
use sinks::emission::Emission;
use sinks::view::Counts;

use self::balances::Balances;
use self::bays::Bays;
use self::belated::Belated;
use self::block::{BLOCK_ROWS, Block};
use self::bookings::WaitingBooking;
use self::bounds::Bounds;
use self::channels::Channels;
use self::clock::ClockCheck;
use self::commands::Commands;
use self::evidence::Lookout;
use self::exceptions::Exceptions;
use self::hold::Hold;
use self::join::Joiner;
use self::ledger::Unassigned;
use self::limits::Assets;
use self::names::Names;
use self::overdue::Overdue;
use self::repeats::Repeats;
use self::rules::Rules;
use self::steps::Steps;
use self::switch::filling::Filling;
use self::told::Told;
use self::usage::Usage;
pub(crate) use self::usage::converted;
use crate::calendar::{CalendarMemo, CalendarUnit, Calendars};
use crate::config::Config;
use crate::functions::{Evidence, Functions, Occasion};
use crate::schema::TELEMETRY;

/// Job cards that are kept; beyond it those without an open step are forgotten, by name.
const CARDS_MAX: usize = 10_000;

/// The state machine right of the journal.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    /// Of the messages that are being taken in, and the texts and tag sets of the open block.
    decoded: Decoded,
    /// What has been applied since the last block was full.
    open: Block,
    /// A block of so many rows is full.
    block_rows: usize,
    /// First row of the open block that fast rules have not seen.
    unseen: usize,
    names: Names,
    counts: Counts,
    repeats: Repeats,
    channels: Channels,
    overdue: Overdue,
    clock: ClockCheck,
    bays: Bays,
    bounds: Bounds,
    steps: Steps,
    assets: Assets,
    joiner: Joiner,
    hold: Hold,
    /// Empty blocks.
    spare: Vec<Block>,
    bookings: Vec<WaitingBooking>,
    usage: Usage,
    balances: Balances,
    unassigned: Unassigned,
    /// Which day a time is in, by its site's calendar.
    days: CalendarMemo,
    rules: Rules,
    exceptions: Exceptions,
    commands: Commands,
    functions: Functions,
    lookout: Lookout,
    /// Gathered while something becomes certain; empty between two entries.
    evidence: Vec<Evidence>,
    belated: Belated,
    rejects: Vec<Reject>,
    live: live::Live,
    /// The longest that any tool has: state is kept for so long.
    correction_horizon_ms: i64,
    calendars: Arc<Calendars>,
    /// Rework within it adds to what the step used before.
    age_bound_ms: i64,
    /// Latest tick or cut.
    at_ms: i64,
    all_columns: Vec<usize>,
    tells_telemetry: bool,
    /// That applies.
    config: Arc<Config>,
    /// Ordinal of the newest message.
    last_message: u64,
    past: Option<Box<dyn Past>>,
    told: Told,
    /// What new windows wait for.
    filling: Option<Filling>,
    /// Of the newest snapshot.
    snapshot_bytes: usize,
    /// Compiled ahead of its entry.
    prepared: Option<Box<Engine>>,
}

impl Engine {
    /// A fresh engine for a configuration.
    ///
    /// # Errors
    /// If a rule does not compile.
    pub fn new(config: &Config, decoder: Decoder) -> Result<Self, EngineError> {
        let settings = &config.engine;
        let (horizon_ms, idle_final_ms) = (millis(settings.longest_horizon()), millis(settings.idle_final));
        let rules = Rules::new(&config.rules, &config.calendars, horizon_ms, idle_final_ms)?;
        Ok(Self::with_rules(config, decoder, rules))
    }

    fn with_rules(config: &Config, decoder: Decoder, rules: Rules) -> Self {
        let settings = &config.engine;
        let (horizon_ms, idle_final_ms) = (millis(settings.longest_horizon()), millis(settings.idle_final));
        Engine {
            decoder,
            decoded: Decoded::default(),
            open: Block::default(),
            block_rows: BLOCK_ROWS,
            unseen: 0,
            names: Names::new(),
            counts: Counts::default(),
            repeats: Repeats::new(settings.repeat_messages, millis(settings.repeat_age)),
            channels: Channels::default(),
            overdue: Overdue::new(millis(settings.gap_after)),
            clock: ClockCheck::new(millis(settings.clock_bound), millis(settings.age_bound)),
            bays: Bays::new(millis(settings.lateness), millis(settings.idle), idle_final_ms),
            bounds: Bounds::new(settings),
            steps: Steps::default(),
            assets: Assets::new(&config.assets),
            joiner: Joiner::default(),
            hold: Hold::default(),
            spare: Vec::new(),
            bookings: Vec::new(),
            usage: Usage::new(&config.metrics),
            balances: Balances::default(),
            unassigned: Unassigned::default(),
            days: CalendarMemo::new(&config.calendars, CalendarUnit::Day),
            rules,
            exceptions: Exceptions::new(&config.rules),
            commands: Commands::default(),
            functions: Functions::new(&config.functions, &config.calendars),
            lookout: Lookout::default(),
            evidence: Vec::new(),
            belated: Belated::new(Repeats::new(settings.repeat_messages, millis(settings.repeat_age))),
            rejects: Vec::new(),
            live: live::Live::default(),
            correction_horizon_ms: horizon_ms,
            calendars: Arc::clone(&config.calendars),
            age_bound_ms: millis(settings.age_bound),
            at_ms: i64::MIN,
            all_columns: (0..TELEMETRY.fields().len()).collect(),
            tells_telemetry: config.export.telemetry,
            config: Arc::new(config.clone()),
            last_message: 0,
            past: None,
            told: Told::default(),
            filling: None,
            snapshot_bytes: 0,
            prepared: None,
        }
    }

    /// Applies one entry. The same entries in the same order give the same emissions.
    ///
    /// # Errors
    /// Only for a mistake of ours: bad input ends in the quarantine.
    pub fn apply(&mut self, entry: &Entry, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        match entry {
            Entry::Intake(intake) => {
                self.has_come_to(intake);
                self.intake(intake, out)
            }
            Entry::Tick { first_ms, last_ms } => self.ticks(*first_ms, *last_ms, out),
            Entry::Cut { at_ms, .. } => self.cut(*at_ms, out),
            Entry::Configuration { engine, text, change } => {
                self.configure(text, *change, out)?;
                let (version, is_change) = (&blake3::hash(text.as_bytes()).to_hex()[..12], change.is_some());
                self.occasion(&Occasion::Configuration { engine, version, is_change }, out)
            }
            Entry::Command(command) => {
                self.has_come_to(&command.messages);
                self.command(command, out)
            }
            Entry::Filling { until_message, windows } => self.fill(*until_message, windows, out),
            Entry::Generation { generation, writer } => {
                self.occasion(&Occasion::Takeover { generation: *generation, writer }, out)
            }
        }
    }

    fn has_come_to(&mut self, messages: &Intake) {
        let next = messages.first_message + u64::from(messages.messages());
        self.last_message = next.saturating_sub(1).max(self.last_message);
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
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn rows_error(stream: &str, source: ArrowError) -> EngineError {
    EngineError::Rows { stream: stream.to_owned(), source }
}

#[cfg(test)]
mod tests;
