//! Rules and views at work: rows are looked at, windows are folded, verdicts go to [`exceptions`].
//!
//! A rule of the fast lane looks at a reading twice, on arrival and when its step is certain; others look
//! once. A rule over steps, usage or checks looks at the rows of its stream as they are told. Windows that need no
//! step fold rows in on arrival, the others when the step is certain; all close at ticks.

mod looked;

mod row_rule;

mod told_rows;

mod window_rule;

mod windows;

mod view;

mod past;

mod said;

use arrow::array::RecordBatch;
use ingest::readings::{NONE, Reason, Reject};
use ingest::series::SeriesTable;
use sinks::emission::Emission;

pub(super) use self::looked::Verdicts;
use self::looked::{Look, Looked};
pub(super) use self::past::{Held, HeldOrder};
use self::row_rule::RowRule;
pub(crate) use self::said::Said;
use self::window_rule::WindowRule;
use super::bays::Bays;
use super::block::{Lateness, Rows, Stretch};
use super::exceptions::{Exceptions, RuleLife};
use super::{EngineError, rows_error};
use crate::config::{ExceptionKind, RuleSettings};
use crate::plan::{Plan, Planner, Stream, series_batch};
use crate::window::WindowOperator;

/// All rules and views of a configuration.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rows: Vec<RowRule>,
    windows: Vec<WindowRule>,
    /// By series: whether any rule of the fast lane wants it.
    fast: Vec<bool>,
    /// Columns of telemetry that the fast lane needs, ascending.
    fast_columns: Vec<usize>,
    /// Those that rules and views over single readings need when their step is certain, ascending.
    certain_columns: Vec<usize>,
    series: usize,
}

/// A window operator's state in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct WindowState {
    name: String,
    /// Of the query: state of another query is not taken.
    hash: String,
    state: Vec<u8>,
}

impl Rules {
    /// Compiles them.
    ///
    /// # Errors
    /// The first that does not compile.
    pub(super) fn new(settings: &[RuleSettings], correction_horizon_ms: i64) -> Result<Self, EngineError> {
        let planner = Planner::new();
        let mut rules = Rules::default();
        for one in settings {
            let plan =
                planner.plan(one).map_err(|source| EngineError::Rule { rule: one.name.clone(), source })?;
            let needs_steps = plan.uses_step_columns();
            match plan {
                Plan::Rows(plan) => rules.rows.push(RowRule {
                    life: RuleLife::new(one, ExceptionKind::Event),
                    is_view: one.is_view,
                    lane: one.lane,
                    key: one.key.clone(),
                    plan,
                    scope: Vec::new(),
                }),
                Plan::Window(plan) => rules.windows.push(WindowRule {
                    key: one.key.clone(),
                    scope: Vec::new(),
                    life: RuleLife::new(one, ExceptionKind::Condition),
                    is_view: one.is_view,
                    needs_steps,
                    operator: WindowOperator::new(&plan, correction_horizon_ms)
                        .map_err(|source| window_error(&one.name, source))?,
                }),
            }
        }
        rules.fast_columns = condition_columns(rules.rows.iter().filter(|rule| rule.is_fast()));
        rules.certain_columns = condition_columns(rules.over_readings());
        Ok(rules)
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        if table.all().len() == self.series {
            return;
        }
        let fresh = series_batch(table, self.series);
        for rule in &mut self.windows {
            let within = rule.operator.plan().scope().evaluate(&fresh);
            let within = within.expect("a scope cannot fail: the planner saw to it");
            rule.scope.extend(within.values());
        }
        self.fast.resize(table.all().len(), false);
        for rule in self.rows.iter_mut().filter(|rule| rule.plan.stream() == Stream::Telemetry) {
            let within =
                rule.plan.scope().evaluate(&fresh).expect("a scope cannot fail: the planner saw to it");
            rule.scope.extend(within.values());
            if rule.is_fast() {
                for (fast, within) in self.fast[self.series..].iter_mut().zip(&rule.scope[self.series..]) {
                    *fast |= within;
                }
            }
        }
        self.series = table.all().len();
    }

    /// Whether any rule looks at readings on arrival.
    #[must_use]
    pub(super) fn has_fast(&self) -> bool {
        self.rows.iter().any(RowRule::is_fast)
    }

    /// The rows that the fast lane wants, by `series` and `lateness` of each; `from` is the place of the first.
    #[must_use]
    pub(super) fn fast_stretches(&self, series: &[u32], lateness: &[u8], from: usize) -> Vec<Stretch> {
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

    /// The first look of the fast lane.
    pub(super) fn look_on_arrival(
        &mut self,
        rows: Rows<'_>,
        bays: &Bays,
        table: &SeriesTable,
        exceptions: &mut Exceptions,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), EngineError> {
        let batch = rows.batch(&self.fast_columns).map_err(|source| rows_error("telemetry", source))?;
        let series = rows.copy(|block| &block.readings.series);
        let (columns, look) = (&self.fast_columns, Look::Arrival);
        let looked = Looked { rows, series: &series, batch: &batch, columns, look };
        for rule in self.rows.iter().filter(|rule| rule.is_fast()) {
            rule.look(looked, bays, table, Verdicts { exceptions, rejects })?;
        }
        Ok(())
    }

    /// The columns that [`Rules::look_when_certain`] needs, ascending.
    #[must_use]
    pub(super) fn certain_columns(&self) -> &[usize] {
        &self.certain_columns
    }

    fn over_readings(&self) -> impl Iterator<Item = &RowRule> {
        self.rows.iter().filter(|rule| rule.plan.stream() == Stream::Telemetry)
    }

    /// The second look of the fast lane, and the only one of other rules over readings. `batch` holds those columns of
    /// telemetry that are named beside it.
    pub(super) fn look_when_certain(
        &self,
        rows: Rows<'_>,
        (batch, columns): (&RecordBatch, &[usize]),
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let series = rows.copy(|block| &block.readings.series);
        let looked = Looked { rows, series: &series, batch, columns, look: Look::Certain };
        for rule in self.over_readings() {
            if rule.is_view {
                rule.show(looked, rejects, out)?;
            } else {
                rule.look(looked, bays, table, Verdicts { exceptions, rejects })?;
            }
        }
        Ok(())
    }

    /// Looks at rows of `steps`, `usage` or `checks` as they are told.
    pub(super) fn look_at_stream(
        &mut self,
        stream: &str,
        batch: &RecordBatch,
        watermark_ms: i64,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        for rule in self.rows.iter().filter(|rule| rule.plan.stream().as_str() == stream) {
            rule.look_at_told(batch, watermark_ms, Verdicts { exceptions, rejects }, out)?;
        }
        Ok(())
    }

    /// Folds rows of `steps` of one bay into windows as they are told. Gives how often a row came too late for a window.
    pub(super) fn fold_told(
        &mut self,
        batch: &RecordBatch,
        bay: u32,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let mut expired = 0;
        for rule in self.windows.iter_mut().filter(|rule| rule.operator.plan().stream() == Stream::Steps) {
            expired += rule.fold_told(batch, bay, table, rejects)?;
        }
        Ok(expired)
    }

    /// A run of a step has ended.
    pub(super) fn end_run(&mut self, bay: u32, started_ms: i64, ended_ms: i64) {
        self.windows.iter_mut().for_each(|rule| rule.operator.end_run(bay, started_ms, ended_ms));
    }

    pub(super) fn snapshot(&mut self, table: &SeriesTable) -> Result<Vec<WindowState>, EngineError> {
        let state = |rule: &mut WindowRule| {
            let state =
                rule.operator.snapshot(table).map_err(|source| window_error(&rule.life.name, source))?;
            let hash = rule.operator.plan().hash().to_owned();
            Ok(WindowState { name: rule.life.name.to_string(), hash, state })
        };
        self.windows.iter_mut().map(state).collect()
    }

    pub(super) fn restore(
        &mut self,
        states: &[WindowState],
        correction_horizon_ms: i64,
        table: &SeriesTable,
    ) -> Result<(), EngineError> {
        for rule in &mut self.windows {
            let hash = rule.operator.plan().hash();
            let same = |state: &&WindowState| state.name == *rule.life.name && state.hash == hash;
            if let Some(state) = states.iter().find(same) {
                let restored =
                    WindowOperator::restore(rule.operator.plan(), correction_horizon_ms, &state.state, table);
                rule.operator = restored.map_err(|source| window_error(&rule.life.name, source))?;
            }
        }
        Ok(())
    }

    pub(super) fn state_lines(&mut self, table: &SeriesTable) -> Result<Vec<String>, EngineError> {
        let line = |rule: &mut WindowRule| {
            let taken = rule.operator.snapshot_and_hash(table);
            let (_, hash) = taken.map_err(|source| window_error(&rule.life.name, source))?;
            Ok(format!("window {} {}", rule.life.name, blake3::Hash::from_bytes(hash)))
        };
        self.windows.iter_mut().map(line).collect()
    }
}

/// The columns that the conditions of `rules` read, ascending.
fn condition_columns<'a>(rules: impl Iterator<Item = &'a RowRule>) -> Vec<usize> {
    let mut columns: Vec<usize> = rules.flat_map(|rule| rule.plan.condition_columns().to_vec()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The quarantine row of a verdict that could not be made; its time is that of the tick at which it is told.
fn failed_row(rule: &str, message: u64, error: &str) -> Reject {
    Reject {
        message,
        arrived_ms: NONE,
        topic: "".into(),
        payload: Box::default(),
        reason: Reason::RuleFailed,
        detail: format!("rule `{rule}` could not judge a row: {error}; mend its SQL"),
    }
}

fn window_error(rule: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Window { rule: rule.to_owned(), source: source.into() }
}
