//! Absence: what a rule expects to hear, by key, and since when nothing of it has arrived.
//!
//! Rows are seen as they arrive, whatever their event time: a gateway that delivers old ones has been heard. That
//! somebody is silent is decided at ticks alone. A key is known from its first row on.
//!
//! While the service was not running nobody could be heard: silence counts from its start at the earliest.

use std::ops::Range;

use ingest::readings::{Readings, Reject};
use ingest::series::SeriesTable;

use super::super::block::{Rows, Stretch};
use super::super::exceptions::Exceptions;
use super::super::names::Names;
use super::super::steps::Steps;
use super::super::{EngineError, rows_error};
use super::arrival::OnArrival;
use super::heard::Heard;
use super::listening::Listening;
use super::openings::Openings;
use super::silence_rule::SilenceRule;
use super::{failed_row, window_error};
use crate::plan::series_batch;

/// All rules with `silent_after`.
#[derive(Debug)]
pub(in crate::engine) struct Silences {
    pub(super) rules: Vec<SilenceRule>,
    /// By series: whether rows of it must be looked at to know whether they are expected.
    looked_at: Vec<bool>,
    listening: Listening,
    pub(super) openings: Openings,
    /// Whether any rule counts while a bay is open.
    pub(super) any_asks_openings: bool,
    /// Whether any rule expects whole series.
    any_hears_all: bool,
    /// Keys without a row for so long are forgotten.
    idle_final_ms: i64,
    /// From then on the service has listened without a break.
    listening_ms: i64,
    /// It has just started: the next tick entry spans the time that it was not running.
    is_starting: bool,
    series: usize,
}

/// [`Silences`] in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct SilenceState {
    listening_ms: i64,
    is_starting: bool,
    /// (rule, its keys).
    rules: Vec<(String, Vec<(String, Heard)>)>,
}

/// What a tick needs of the engine to tell of a silence.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Surroundings<'a> {
    pub steps: &'a Steps,
    pub names: &'a Names,
    pub table: &'a SeriesTable,
}

impl Silences {
    #[must_use]
    pub(super) fn new(rules: Vec<SilenceRule>, idle_final_ms: i64) -> Self {
        Silences {
            any_asks_openings: rules.iter().any(SilenceRule::asks_openings),
            openings: Openings::default(),
            any_hears_all: rules.iter().any(SilenceRule::hears_all),
            rules,
            looked_at: Vec::new(),
            listening: Listening::default(),
            idle_final_ms,
            listening_ms: i64::MIN,
            is_starting: false,
            series: 0,
        }
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        if self.rules.is_empty() || table.all().len() == self.series {
            return;
        }
        let fresh = series_batch(table, self.series);
        self.looked_at.resize(table.all().len(), false);
        self.listening.grow(table.all().len());
        for rule in &mut self.rules {
            rule.follow(&fresh, table, self.series, &mut self.looked_at, &mut self.listening);
        }
        if self.any_asks_openings {
            self.openings.follow(table, self.series);
        }
        self.series = table.all().len();
    }

    /// Whether any rule counts while a bay is open.
    pub(super) fn asks_openings(&self) -> bool {
        self.any_asks_openings
    }

    /// The service has started.
    pub(in crate::engine) fn started(&mut self) {
        self.is_starting = true;
    }

    /// A tick entry begins that ends at `last_ms`.
    pub(in crate::engine) fn begin_ticks(&mut self, last_ms: i64) {
        if std::mem::take(&mut self.is_starting) {
            self.listening_ms = last_ms;
        }
    }

    /// Rows `from..to` of the open block have arrived; `said` gets what they end. Gives how many came of keys that are
    /// not watched.
    pub(super) fn hear(
        &mut self,
        readings: &Readings,
        from: usize,
        to: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        if !self.any_hears_all {
            return 0;
        }
        let (mut unwatched, first) = (0, said.len());
        for (row, &series) in (from..to).zip(&readings.series[from..to]) {
            if self.listening.hear(series, row) {
                unwatched += self.hear_awaited(readings, row, said);
            }
        }
        // Of a message, rule by rule.
        said[first..].sort_by_key(|(_, said)| said.rule());
        unwatched
    }

    #[cold]
    fn hear_awaited(&mut self, readings: &Readings, row: usize, said: &mut Vec<(u64, OnArrival)>) -> u64 {
        let rules = self.rules.iter_mut().enumerate().filter(|(_, rule)| rule.hears_all());
        rules.map(|(number, rule)| rule.hear_awaited(number, readings, row, said, &mut self.listening)).sum()
    }

    /// The open block is full; `rows` of it have been heard.
    pub(in crate::engine) fn seal(&mut self, readings: &Readings, rows: Range<usize>) {
        if self.any_hears_all {
            self.listening.seal(readings, rows.clone());
        }
        for rule in &mut self.rules {
            rule.seal(readings, rows.clone());
        }
        if self.any_asks_openings {
            self.openings.seal(readings, rows);
        }
    }

    /// Those of the rows `from..` that must be looked at, by the `series` of each.
    #[must_use]
    pub(super) fn stretches(&self, series: &[u32], from: usize) -> Vec<Stretch> {
        if self.rules.iter().all(SilenceRule::hears_all) {
            return Vec::new();
        }
        let wanted = (0..)
            .zip(series)
            .filter(|(_, series)| self.looked_at.get(**series as usize).is_some_and(|looked_at| *looked_at));
        wanted
            .map(|(row, _): (usize, _)| Stretch { block: 0, from: from + row, to: from + row + 1 })
            .collect()
    }

    /// The same as [`Silences::hear`] for the rules whose rows must be looked at.
    pub(super) fn look(
        &mut self,
        rows: Rows<'_>,
        said: &mut Vec<(u64, OnArrival)>,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let mut unwatched = 0;
        for (number, rule) in self.rules.iter_mut().enumerate().filter(|(_, rule)| !rule.hears_all()) {
            let series = rows.copy(|block| &block.readings.series);
            let positions: Vec<u32> =
                (0..).zip(series).filter(|(_, series)| rule.expects(*series)).map(|(at, _)| at).collect();
            if positions.is_empty() {
                continue;
            }
            let at = rows.pick(&positions);
            let picked = Rows { at: Some(&at), joined: None, ..rows };
            let batch = picked.batch(rule.plan.rows().columns());
            let batch = batch.map_err(|source| rows_error(&rule.life.name, source))?;
            let each = rule.plan.rows().evaluate_each(&batch);
            let (found, failures) = each.map_err(|source| window_error(&rule.life.name, source))?;
            let places: Vec<(usize, usize)> = rows.locate(&positions).collect();
            for failure in failures {
                let (block, row) = places[failure.row];
                let message = rows.blocks[block].readings.message[row];
                rejects.push(failed_row(&rule.life.name, message, &failure.error));
            }
            for ((block, row), matches) in places.into_iter().zip(found.rows.values()) {
                let readings = &rows.blocks[block].readings;
                if matches {
                    unwatched += rule.hear(number, readings, row, said);
                } else {
                    rule.hear_other(number, readings, row, said);
                }
            }
        }
        Ok(unwatched)
    }

    /// A second has passed: tells who has been silent for too long.
    pub(in crate::engine) fn tick(
        &mut self,
        at_ms: i64,
        around: Surroundings<'_>,
        exceptions: &mut Exceptions,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), EngineError> {
        if self.openings.take_changed() {
            let asking = self.rules.iter_mut().filter(|rule| rule.asks_openings());
            asking.for_each(|rule| rule.next_ms = i64::MIN);
        }
        for rule in &mut self.rules {
            let heard = (&mut self.listening, &self.openings);
            let since_and_bound = (self.listening_ms, self.idle_final_ms);
            rule.tick(at_ms, since_and_bound, around, heard, exceptions, rejects)?;
        }
        Ok(())
    }

    /// The next second after `at_ms` at which a tick can find something though nothing arrives.
    #[must_use]
    pub(in crate::engine) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        let deadlines = self.rules.iter().map(|rule| rule.next_ms).filter(|&ms| ms < i64::MAX - 1000);
        deadlines.map(|ms| -(-ms).div_euclid(1000) * 1000).filter(|&ms| ms > at_ms).min()
    }

    #[must_use]
    pub(in crate::engine) fn snapshot(&self) -> SilenceState {
        let rules =
            self.rules.iter().map(|rule| (rule.life.name.to_string(), rule.heard(&self.listening).collect()));
        SilenceState {
            listening_ms: self.listening_ms,
            is_starting: self.is_starting,
            rules: rules.collect(),
        }
    }

    /// Goes on from a checkpoint, whose series `table` holds and [`Silences::follow`] has seen. What the rules do not
    /// watch any more is ended.
    pub(in crate::engine) fn restore(
        &mut self,
        state: SilenceState,
        exceptions: &mut Exceptions,
        at_ms: i64,
    ) {
        self.listening_ms = state.listening_ms;
        self.is_starting = state.is_starting;
        for (name, keys) in state.rules {
            let mut rule = self.rules.iter_mut().find(|rule| *rule.life.name == *name);
            for (key, heard) in keys {
                if !rule.as_mut().is_some_and(|rule| rule.restore(&key, heard, &mut self.listening)) {
                    exceptions.end(&name.as_str().into(), &key, at_ms, "rule_changed");
                }
            }
        }
    }

    /// A line for each key, by names, for the hash of the state.
    pub(in crate::engine) fn state_lines(&self, table: &SeriesTable) -> Vec<String> {
        let mut lines = vec![format!("listening {} {}", self.listening_ms, self.is_starting)];
        for rule in &self.rules {
            let line = |(key, heard): (String, Heard)| heard.line(&rule.life.name, &key, table);
            lines.extend(rule.heard(&self.listening).map(line));
            let name = &rule.life.name;
            lines.extend(rule.usual().map(|(key, usual)| format!("usual {name} {key} {usual:?}")));
        }
        lines.extend(self.openings.state_lines(table));
        lines
    }
}
