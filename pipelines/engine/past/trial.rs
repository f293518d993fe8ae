//! Some rules on rows of history.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use ingest::readings::Reject;
use sinks::emission::Emission;

use super::super::EngineError;
use super::super::exceptions::{Exception, Exceptions};
use super::super::rules::{Held, HeldOrder, Rules, Verdicts};
use super::{Mode, Part, Passed, Shop};
use crate::config::{Config, Lane, RuleSettings};
use crate::plan::Stream;

/// Rules of a configuration, and what they have raised.
#[derive(Debug)]
pub(crate) struct Trial {
    rules: Rules,
    held: Held,
    /// Rules whose verdicts on conditions wait for time to pass.
    waits: BTreeSet<String>,
    exceptions: Exceptions,
    rejects: Vec<Reject>,
    /// Rows on which an expression failed, and what was said of the first.
    pub failed: u64,
    pub failure: Option<String>,
    /// How often a row came too late for a window.
    pub missed: u64,
    age_bound_ms: i64,
}

impl Trial {
    /// Compiles `rules`, under times and calendars of `config`; views among them are left out.
    ///
    /// # Errors
    /// The first that does not compile.
    pub(crate) fn new(rules: &[RuleSettings], config: &Config, mode: Mode) -> Result<Self, EngineError> {
        let settings = &config.engine;
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let rules = rules.iter().filter(|rule| !rule.is_view);
        let waits = rules.clone().filter(|rule| mode == Mode::AsCorrected || rule.lane == Lane::Final);
        // History knows the step of every row, so there is nothing to look at twice.
        let once: Vec<_> =
            rules.clone().map(|rule| RuleSettings { lane: Lane::Final, ..rule.clone() }).collect();
        let horizon_ms = match mode {
            Mode::AsCorrected => 0,
            Mode::AsArrived => millis(settings.longest_horizon()),
        };
        Ok(Trial {
            rules: Rules::new(&once, &config.calendars, horizon_ms, millis(settings.idle_final))?,
            held: Held::default(),
            waits: waits.map(|rule| rule.name.clone()).collect(),
            exceptions: Exceptions::new(&once),
            rejects: Vec::new(),
            failed: 0,
            failure: None,
            missed: 0,
            age_bound_ms: millis(settings.age_bound),
        })
    }

    /// Whether a rule reads rows of `stream`.
    #[must_use]
    pub(crate) fn reads(&self, stream: Stream) -> bool {
        self.rules.reads(stream)
    }

    /// The columns of telemetry that any rule reads, ascending.
    #[must_use]
    pub(crate) fn telemetry_columns(&self) -> Vec<usize> {
        self.rules.telemetry_columns()
    }

    /// Length of the longest window; 0 without any.
    #[must_use]
    pub(crate) fn longest_window_ms(&self) -> i64 {
        self.rules.longest_window_ms()
    }

    /// Readings.
    ///
    /// # Errors
    /// As the engine's: only a mistake of ours.
    pub(crate) fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        let (blocks, table) = ([part.block], shop.table());
        let rows = part.rows(&blocks, shop.names());
        self.rules.follow(table);
        if shop.mode == Mode::AsArrived {
            let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
            self.rules.hear_past(part.block, part.range(), shop.names(), verdicts)?;
        }
        if rows.len() == 0 {
            return Ok(());
        }
        let unjoined = super::super::block::Rows { joined: None, ..rows };
        self.missed += self.rules.fold(unjoined, table, &mut self.rejects)?;
        self.missed += self.rules.fold_joined(rows, table, &mut self.rejects)?;
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        let waits = |rule: &str| self.waits.contains(rule);
        self.rules.look_at_past(rows, shop.bays(), table, verdicts, &mut self.held, waits)?;
        self.count_rejects();
        Ok(())
    }

    /// Step events of one bay.
    ///
    /// # Errors
    /// As [`Trial::rows`].
    pub(crate) fn steps(&mut self, batch: &RecordBatch, bay: u32, shop: &Shop) -> Result<(), EngineError> {
        self.told(Stream::Steps, batch, shop.bays().watermark_ms(bay))?;
        self.missed += self.rules.fold_told(batch, bay, shop.table(), &mut self.rejects)?;
        self.count_rejects();
        Ok(())
    }

    /// Bookings or checks, in the order of their revisions.
    ///
    /// # Errors
    /// As [`Trial::rows`].
    pub(crate) fn booked(&mut self, stream: Stream, batch: &RecordBatch) -> Result<(), EngineError> {
        self.told(stream, batch, i64::MIN)?;
        self.count_rejects();
        Ok(())
    }

    fn told(&mut self, stream: Stream, batch: &RecordBatch, watermark_ms: i64) -> Result<(), EngineError> {
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.look_at_stream(stream.as_str(), batch, watermark_ms, verdicts, &mut Vec::new())
    }

    /// Time has passed.
    ///
    /// # Errors
    /// As [`Trial::rows`].
    pub(crate) fn tick(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError> {
        self.give_held(passed, shop);
        let (table, bays) = (shop.table(), shop.bays());
        let mut out: Vec<Emission> = Vec::new();
        if shop.mode == Mode::AsArrived {
            for &bay in &passed.released {
                let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
                self.rules.release(bay, bays, table, verdicts, &mut out)?;
            }
        }
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.close(bays, table, verdicts, &mut out)?;
        self.exceptions.clear_passed(|site, bay| Some(bays.frontier_ms(table.find_bay(site, bay)?)));
        if shop.mode == Mode::AsArrived {
            let (exceptions, rejects) = (&mut self.exceptions, &mut self.rejects);
            self.rules.silences.tick(passed.at_ms, shop.surroundings(), exceptions, rejects)?;
        }
        self.exceptions.release_suppressed();
        self.count_rejects();
        Ok(())
    }

    /// The next second after `at_ms` at which a rule may have something to say though nothing arrives.
    #[must_use]
    pub(crate) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        self.rules.silences.next_deadline_ms(at_ms)
    }

    /// History ends: what is open is judged, timers stand.
    ///
    /// # Errors
    /// As [`Trial::rows`].
    pub(crate) fn end(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError> {
        self.give_held(passed, shop);
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.close_all(shop.bays(), shop.table(), verdicts, &mut Vec::new())?;
        self.count_rejects();
        Ok(())
    }

    fn give_held(&mut self, passed: &Passed, shop: &Shop) {
        let order = match shop.mode {
            Mode::AsCorrected => HeldOrder::Time,
            Mode::AsArrived => HeldOrder::Message,
        };
        for &until in &passed.until {
            self.rules.give_held(&mut self.held, until, order, shop.table(), &mut self.exceptions);
        }
    }

    /// An epoch ends: what is too old to matter is forgotten.
    pub(crate) fn forget(&mut self, at_ms: i64) {
        self.exceptions.forget(at_ms.saturating_sub(self.age_bound_ms));
    }

    /// What has changed since the last call, in order.
    pub(crate) fn take_changes(&mut self) -> Vec<Exception> {
        self.exceptions.take_changes()
    }

    fn count_rejects(&mut self) {
        self.failed += self.rejects.len() as u64;
        if let (None, Some(first)) = (&self.failure, self.rejects.first()) {
            self.failure = Some(first.detail.clone());
        }
        self.rejects.clear();
    }
}
