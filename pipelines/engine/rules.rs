//! Rules and views at work: rows are looked at, windows are folded, verdicts go to [`exceptions`].
//!
//! A rule of the fast lane looks at a reading twice, on arrival and when its step is certain; others look
//! once. A rule over steps, usage or checks looks at the rows of its stream as they are told. Windows that need no
//! step fold rows in on arrival, the others when the step is certain; all close at ticks.

mod looked;

mod routes;

mod arrival;

mod beside;
mod certain;

mod ranges;

mod row_rule;

mod shared;

mod shown;

mod told_rows;

mod verdict;

mod pushed;
mod waiting;
mod window_rule;

mod windows;

mod heard;

mod hearing;

mod listening;

mod openings;

mod pace;

mod patience;

mod silence_rule;

mod silences;

mod usual;

mod view;

mod past;

mod fresh;

mod said;

mod state;

use std::sync::Arc;

use arrow::array::RecordBatch;
use ingest::readings::{NONE, Reason, Reject};
use ingest::series::SeriesTable;
use sinks::emission::Emission;

pub(super) use self::arrival::OnArrival;
pub(super) use self::beside::Threads;
pub(super) use self::looked::Verdicts;
pub(super) use self::pace::PaceState;
pub(super) use self::past::{Held, HeldOrder};
use self::patience::Patience;
use self::routes::Routes;
use self::row_rule::RowRule;
pub(crate) use self::said::Said;
use self::shared::Shared;
use self::silence_rule::SilenceRule;
pub(super) use self::silences::{SilenceState, Silences, Surroundings};
pub(crate) use self::state::WindowState;
pub(crate) use self::usual::INTERVALS_MAX;
use self::window_rule::WindowRule;
pub(super) use self::windows::Watermarks;
use super::EngineError;
use super::exceptions::{Causes, RuleLife};
use super::switch::nature::Nature;
use crate::calendar::{CalendarMemo, Calendars};
use crate::config::{ExceptionKind, RuleSettings};
use crate::plan::{Clearing, Plan, Planner, Scope, SilencePlan, Stream, WindowKind, series_batch};
use crate::window::WindowOperator;

/// All rules and views of a configuration.
#[derive(Debug)]
pub(super) struct Rules {
    rows: Vec<RowRule>,
    windows: Vec<WindowRule>,
    /// Those of `windows` that share slides.
    shared: Vec<Shared>,
    /// Readings to `rows`.
    row_routes: Routes,
    /// Readings to `windows`: to those that need no step, and to those that do.
    window_routes: [Routes; 2],
    pub(super) silences: Silences,
    /// By series: whether any rule of the fast lane wants it.
    fast: Vec<bool>,
    /// Columns of telemetry that the fast lane needs, ascending.
    fast_columns: Vec<usize>,
    /// Those that rules and views over single readings need when their step is certain, ascending.
    certain_columns: Vec<usize>,
    series: usize,
    natures: Vec<Nature>,
    pub(super) threads: Threads,
}

impl Rules {
    /// Compiles them.
    ///
    /// # Errors
    /// The first that does not compile.
    pub(super) fn new(
        settings: &[RuleSettings],
        calendars: &Arc<Calendars>,
        correction_horizon_ms: i64,
        idle_final_ms: i64,
    ) -> Result<Self, EngineError> {
        let planner = Planner::new();
        let causes = Causes::new(settings);
        let (mut rows, mut windows, mut silences) = (Vec::new(), Vec::new(), Vec::new());
        let mut natures = Vec::with_capacity(settings.len());
        for one in settings {
            let wrong = |source| EngineError::Rule { rule: one.name.clone(), source };
            let plan = planner.plan(one).map_err(wrong)?;
            natures.push(Nature::new(one, &plan));
            let clear_when = one.clear_when.as_deref();
            let clear_when = clear_when.map(|text| Clearing::new(&planner, text, plan.output_schema()));
            let clear_when = clear_when.transpose().map_err(wrong)?;
            let needs_steps = plan.uses_step_columns();
            match (plan, one.lasts()) {
                (Plan::Rows(plan), Some(lasts)) => {
                    let expected = SilencePlan::new(&plan, one.key.as_deref(), one.counts_while);
                    let expected = expected.map_err(|refusal| wrong(refusal.locate(&one.sql)))?;
                    let life = RuleLife::new(one, ExceptionKind::Condition, calendars);
                    silences.push(SilenceRule::new(life, expected, Patience::new(one, lasts)));
                }
                (Plan::Rows(plan), None) => rows.push(RowRule {
                    life: RuleLife::new(one, ExceptionKind::Event, calendars),
                    is_view: one.is_view,
                    lane: one.lane,
                    key: one.key.clone(),
                    waits_its_turn: causes.concern(&one.name),
                    clear_when: clear_when
                        .map(|clearing| plan.clearing(&clearing))
                        .transpose()
                        .map_err(|source| window_error(&one.name, source))?,
                    plan: *plan,
                    quiet_of_series: Vec::new(),
                }),
                (Plan::Window(plan), _) => windows.push(WindowRule {
                    key: one.key.clone(),
                    clear_when,
                    life: RuleLife::new(one, ExceptionKind::Condition, calendars),
                    is_view: one.is_view,
                    needs_steps,
                    opens_ms: i64::MIN,
                    waits_behind: None,
                    calendar: match plan.kind() {
                        WindowKind::Calendar(unit) => Some(CalendarMemo::new(calendars, *unit)),
                        _ => None,
                    },
                    operator: WindowOperator::new(&plan, correction_horizon_ms)
                        .map_err(|source| window_error(&one.name, source))?,
                }),
            }
        }
        let over_readings = rows.iter().filter(|rule: &&RowRule| rule.plan.stream() == Stream::Telemetry);
        Ok(Rules {
            fast: Vec::new(),
            fast_columns: condition_columns(rows.iter().filter(|rule| rule.is_fast())),
            certain_columns: condition_columns(over_readings),
            row_routes: Routes::new(rows.len()),
            window_routes: [Routes::new(windows.len()), Routes::new(windows.len())],
            rows,
            shared: Shared::all(&windows)?,
            windows,
            silences: Silences::new(silences, idle_final_ms),
            series: 0,
            natures,
            threads: Threads::of_machine(),
        })
    }

    /// What decides the state of each.
    pub(super) fn natures(&self) -> &[Nature] {
        &self.natures
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        if table.all().len() == self.series {
            return;
        }
        self.silences.follow(table);
        let fresh = series_batch(table, self.series);
        let within =
            |scope: &Scope| scope.evaluate(&fresh).expect("a scope cannot fail: the planner saw to it");
        let mut wanted = [Vec::new(), Vec::new()];
        for (number, rule) in self.windows.iter().enumerate() {
            let plan = rule.operator.plan();
            if plan.stream() == Stream::Telemetry {
                wanted[usize::from(rule.needs_steps)].push((number, within(plan.scope())));
            }
        }
        for (routes, wanted) in self.window_routes.iter_mut().zip(&wanted) {
            routes.follow(fresh.num_rows(), wanted);
        }
        let mut wanted = Vec::new();
        self.fast.resize(table.all().len(), false);
        for (number, rule) in self.rows.iter_mut().enumerate() {
            rule.follow(&fresh);
            if rule.plan.stream() == Stream::Telemetry {
                let within = within(rule.plan.scope());
                if rule.is_fast() {
                    let fast = self.fast[self.series..].iter_mut();
                    fast.zip(within.values()).for_each(|(fast, within)| *fast |= within);
                }
                wanted.push((number, within));
            }
        }
        self.row_routes.follow(fresh.num_rows(), &wanted);
        self.series = table.all().len();
    }

    /// Looks at rows of `steps`, `usage`, `checks` or `gaps` as they are told.
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
        metric: None,
    }
}

fn window_error(rule: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Window { rule: rule.to_owned(), source: source.into() }
}
