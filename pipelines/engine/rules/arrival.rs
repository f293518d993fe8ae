//! What rules say of rows as they arrive: the fast lane's first look, and that somebody silent is heard again.
//!
//! Where one rule holds another back, verdicts have their effect in the order of the messages, whatever entries these
//! came in; a message is a moment in which all rules are heard before it is settled.

use std::ops::Range;

use ingest::readings::{Readings, Reject};
use ingest::series::SeriesTable;

use super::super::bays::Bays;
use super::super::block::{Lateness, Rows, Stretch};
use super::super::exceptions::Exceptions;
use super::super::{EngineError, rows_error};
use super::Rules;
use super::looked::{Look, Looked, Verdicts};
use super::ranges::Ranges;
use super::row_rule::RowRule;
use super::verdict::Verdict;

/// Something that waits for its turn.
#[derive(Debug)]
pub(in crate::engine) enum OnArrival {
    /// By a rule over single rows, by its number.
    Row { rule: usize, verdict: Box<Verdict> },
    /// A key of a rule with `silent_after` was silent, and is heard.
    Heard { rule: usize, key: String, arrived_ms: i64 },
}

impl OnArrival {
    /// The number of its rule among those of its kind.
    pub(super) fn rule(&self) -> usize {
        let (OnArrival::Row { rule, .. } | OnArrival::Heard { rule, .. }) = self;
        *rule
    }
}

impl Rules {
    /// Whether any rule looks at readings on arrival.
    #[must_use]
    pub(in crate::engine) fn see_arrivals(&self) -> bool {
        !self.silences.rules.is_empty() || self.rows.iter().any(RowRule::is_fast)
    }

    /// Rows have arrived: notes who is heard. Gives how many rows came of keys that are not watched.
    pub(in crate::engine) fn hear(
        &mut self,
        readings: &Readings,
        rows: Range<usize>,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        self.silences.hear(readings, rows.start, rows.end, said)
    }

    /// The same where it is not the series alone that tells which rows are expected. The first are the rows to look at.
    pub(in crate::engine) fn expected_stretches(&self, series: &[u32], from: usize) -> Vec<Stretch> {
        self.silences.stretches(series, from)
    }

    /// Notes who is heard by these rows.
    pub(in crate::engine) fn hear_expected(
        &mut self,
        rows: Rows<'_>,
        said: &mut Vec<(u64, OnArrival)>,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        self.silences.look(rows, said, rejects)
    }

    /// The rows that the fast lane wants, by `series` and `lateness` of each; `from` is the place of the first.
    #[must_use]
    pub(in crate::engine) fn fast_stretches(
        &self,
        series: &[u32],
        lateness: &[u8],
        from: usize,
    ) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (row, series) in series.iter().enumerate() {
            if !self.fast[*series as usize] || lateness[row] == Lateness::Late as u8 {
                continue;
            }
            match stretches.last_mut() {
                Some(last) if last.to == from + row => last.to += 1,
                _ => stretches.push(Stretch { block: 0, from: from + row, to: from + row + 1 }),
            }
        }
        stretches
    }

    /// The first look of the fast lane. Verdicts of rules that hold others back, or are held back, wait in `said`.
    pub(in crate::engine) fn look_on_arrival(
        &mut self,
        rows: Rows<'_>,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let batch = rows.batch(&self.fast_columns).map_err(|source| rows_error("telemetry", source))?;
        let series = rows.copy(|block| &block.readings.series);
        let (columns, look) = (&self.fast_columns, Look::Arrival);
        let looked = Looked { rows, batch: &batch, columns, look };
        self.row_routes.split(&series);
        let mut ranges = Ranges::new(&self.row_routes, &looked);
        for (number, rule) in self.rows.iter().enumerate().filter(|(_, rule)| rule.is_fast()) {
            if rule.is_quiet(look, exceptions, || ranges.of(number)) {
                continue;
            }
            let say = |exceptions: &mut Exceptions, verdict: Verdict| {
                if rule.waits_its_turn {
                    said.push((
                        verdict.reading.0,
                        OnArrival::Row { rule: number, verdict: Box::new(verdict) },
                    ));
                } else {
                    rule.apply(look, verdict, exceptions);
                }
            };
            let selected = self.row_routes.of(number);
            let selected = &*rule.loud(look, exceptions, selected, (&series, ranges.values()));
            rule.look(looked, selected, bays, table, Verdicts { exceptions, rejects }, say)?;
        }
        Ok(())
    }

    /// What was said on arrival has its effect, message by message.
    pub(in crate::engine) fn take_effect(
        &self,
        mut said: Vec<(u64, OnArrival)>,
        exceptions: &mut Exceptions,
    ) {
        said.sort_by_key(|(message, _)| *message);
        let mut moment = None;
        for (message, said) in said {
            if moment.replace(message).is_some_and(|before| before != message) {
                exceptions.settle();
            }
            match said {
                OnArrival::Row { rule, verdict } => {
                    self.rows[rule].apply(Look::Arrival, *verdict, exceptions)
                }
                OnArrival::Heard { rule, key, arrived_ms } => {
                    self.silences.rules[rule].apply(&key, arrived_ms, exceptions);
                }
            }
        }
        exceptions.settle();
    }
}
