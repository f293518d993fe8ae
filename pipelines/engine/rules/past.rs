//! Rules over rows of history: each row is judged once, with its step certain.
//!
//! A condition goes by the order of its verdicts, and rows of history come in that of their messages. So verdicts on
//! conditions can wait, by bay, until time has passed them.

use std::collections::BTreeMap;
use std::ops::Range;

use ingest::series::SeriesTable;

use super::super::EngineError;
use super::super::bays::Bays;
use super::super::block::{Block, Rows};
use super::super::exceptions::{Exceptions, Says};
use super::super::names::Names;
use super::super::rows_error;
use super::super::rule_row::RuleRow;
use super::Rules;
use super::looked::{Look, Looked, Verdicts};
use super::row_rule::{JudgedRow, RowRule};
use crate::config::ExceptionKind;
use crate::plan::{Stream, WindowKind};
use crate::schema::TELEMETRY;

/// Verdicts on conditions that wait. Bound: the rows in scope of rules that raise conditions, of the time that a row
/// waits for.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By place of the rule and bay.
    rules: BTreeMap<usize, BTreeMap<u32, Seconds>>,
}

/// Verdicts of one rule on one bay, by second of event time: a tick touches each but once or twice.
#[derive(Debug, Default)]
struct Seconds(BTreeMap<i64, Vec<Waiting>>);

impl Seconds {
    fn push(&mut self, waiting: Waiting) {
        self.0.entry(waiting.ts_ms.div_euclid(1000)).or_default().push(waiting);
    }

    /// Takes those before a time.
    fn take(&mut self, before_ms: i64) -> Vec<Waiting> {
        let mut due = Vec::new();
        while let Some(mut first) = self.0.first_entry() {
            let second = *first.key();
            if (second + 1).saturating_mul(1000) <= before_ms {
                due.append(&mut first.remove());
                continue;
            }
            if second.saturating_mul(1000) < before_ms {
                due.extend(first.get_mut().extract_if(.., |waiting| waiting.ts_ms < before_ms));
            }
            break;
        }
        due
    }
}

#[derive(Debug)]
struct Waiting {
    ts_ms: i64,
    /// Ordinal of the message and place there.
    reading: (u64, u32),
    key: HeldKey,
    says: Says,
    found: Option<Box<RuleRow>>,
}

/// What names a condition.
#[derive(Debug)]
enum HeldKey {
    Series(u32),
    Named(Box<str>),
}

/// In what order verdicts are given that time has passed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldOrder {
    /// As the engine gives them: that of messages.
    Message,
    /// Of event time.
    Time,
}

impl Rules {
    /// Whether a rule reads rows of `stream`.
    #[must_use]
    pub(crate) fn reads(&self, stream: Stream) -> bool {
        let windows = self.windows.iter().map(|rule| rule.operator.plan().stream());
        let silences = self.silences.rules.iter().map(|rule| rule.plan.rows().stream());
        let rows = self.rows.iter().map(|rule| rule.plan.stream());
        rows.chain(windows).chain(silences).any(|read| read == stream)
    }

    /// The columns of telemetry that any rule reads, ascending.
    #[must_use]
    pub(crate) fn telemetry_columns(&self) -> Vec<usize> {
        let windows = self.windows.iter().filter(|rule| rule.operator.plan().stream() == Stream::Telemetry);
        let of_windows = windows.clone().flat_map(|rule| rule.operator.plan().columns());
        let of_rows = self.over_readings().flat_map(|rule| rule.plan.columns());
        let of_silences = self.silences.rules.iter().flat_map(|rule| rule.plan.rows().columns());
        let mut columns: Vec<usize> = of_rows.chain(of_windows).chain(of_silences).copied().collect();
        if self.silences.asks_openings() {
            columns.push(TELEMETRY.index_of("value").expect("a column of telemetry"));
        }
        if windows.into_iter().any(|rule| *rule.operator.plan().kind() == WindowKind::Step) {
            // They tell the runs that rows belong to.
            columns.extend(
                ["job", "step", "step_started"]
                    .map(|name| TELEMETRY.index_of(name).expect("a column of telemetry")),
            );
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Length of the longest window; 0 without any.
    #[must_use]
    pub(crate) fn longest_window_ms(&self) -> i64 {
        self.windows.iter().map(|rule| rule.operator.plan().kind().length_ms()).max().unwrap_or(0)
    }

    /// Judges readings of history. Verdicts on the conditions that `waits` names go to `held`.
    pub(crate) fn look_at_past(
        &mut self,
        rows: Rows<'_>,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        held: &mut Held,
        waits: impl Fn(&str) -> bool,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let columns = &self.certain_columns;
        let batch = rows.batch(columns).map_err(|source| rows_error("telemetry", source))?;
        let series = rows.copy(|block| &block.readings.series);
        let looked = Looked { rows, batch: &batch, columns, look: Look::Certain };
        self.row_routes.split(&series);
        for (place, rule) in self.rows.iter().enumerate() {
            let selected = self.row_routes.of(place);
            if rule.life.kind != ExceptionKind::Condition || !waits(&rule.life.name) {
                let say = |exceptions: &mut Exceptions, verdict| rule.apply(looked.look, verdict, exceptions);
                rule.look(looked, selected, bays, table, Verdicts { exceptions, rejects }, say)?;
                continue;
            }
            let Some(judged) = rule.judge_readings(looked, selected, rejects)? else { continue };
            let of_rule = held.rules.entry(place).or_default();
            rule.each(looked, &judged, bays, true, rejects, |row| {
                of_rule.entry(row.block.bay[row.row]).or_default().push(rule.waiting(row, table));
            })?;
        }
        Ok(())
    }

    /// Notes who is heard by `rows` of history, that a moment ends with; late ones count.
    pub(crate) fn hear_past(
        &mut self,
        block: &Block,
        rows: Range<usize>,
        names: &Names,
        verdicts: Verdicts<'_>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let (readings, mut said) = (&block.readings, Vec::new());
        self.silences.hear(readings, rows.start, rows.end, &mut said);
        let stretches = self.silences.stretches(&readings.series[rows.clone()], rows.start);
        if !stretches.is_empty() {
            let expected = Rows { blocks: &[block], stretches: &stretches, at: None, names, joined: None };
            self.silences.look(expected, &mut said, rejects)?;
        }
        self.silences.seal(readings, rows);
        self.take_effect(said, exceptions);
        Ok(())
    }

    /// Gives the verdicts of a bay on what was before `before_ms`.
    pub(crate) fn give_held(
        &self,
        held: &mut Held,
        (bay, before_ms): (u32, i64),
        order: HeldOrder,
        table: &SeriesTable,
        exceptions: &mut Exceptions,
    ) {
        for (place, bays) in &mut held.rules {
            let Some(seconds) = bays.get_mut(&bay) else { continue };
            let mut due = seconds.take(before_ms);
            match order {
                HeldOrder::Message => due.sort_by_key(|waiting| waiting.reading),
                HeldOrder::Time => due.sort_by_key(|waiting| (waiting.ts_ms, waiting.reading)),
            }
            let rule = &self.rows[*place];
            for Waiting { ts_ms, key, says, found, .. } in due {
                let key = match key {
                    HeldKey::Series(series) => rule.key_of(None, 0, table, series),
                    HeldKey::Named(key) => key.into(),
                };
                let judged = found.map_or_else(|| RuleRow { ts_ms, ..RuleRow::default() }, |found| *found);
                exceptions.judge(&rule.life, &key, says, &judged);
            }
        }
    }
}

impl RowRule {
    fn waiting(&self, judged: JudgedRow<'_>, table: &SeriesTable) -> Waiting {
        let JudgedRow { at, block, row, keys, says, found } = judged;
        let readings = &block.readings;
        let series = readings.series[row];
        Waiting {
            ts_ms: readings.ts_ms[row],
            reading: (readings.message[row], readings.index[row]),
            key: match keys {
                None => HeldKey::Series(series),
                Some(_) => HeldKey::Named(self.key_of(keys, at, table, series).into()),
            },
            says,
            found: found.map(Box::new),
        }
    }
}
