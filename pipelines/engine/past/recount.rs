//! One rule asked again, of one window or one row.

use std::sync::Arc;

use arrow::array::RecordBatch;
use ingest::readings::Reject;
use ingest::series::{Series, SeriesTable};

use super::super::message::Message;
use super::super::rule_row::{RuleRow, text_of};
use super::super::rules::{Rules, Said};
use super::super::{EngineError, rows_error};
use super::{Part, Passed, Shop};
use crate::calendar::Calendars;
use crate::config::{Config, Lane, RuleSettings};
use crate::plan::{RowsPlan, Stream, series_batch};

/// What a rule over windows said of one of them, revision by revision.
#[derive(Debug)]
pub(crate) struct Recount {
    rules: Rules,
    start_ms: i64,
    rejects: Vec<Reject>,
    pub said: Vec<Said>,
}

impl Recount {
    /// Of the window that begins at `start_ms`.
    ///
    /// # Errors
    /// The rule does not compile.
    pub(crate) fn new(rule: &RuleSettings, config: &Config, start_ms: i64) -> Result<Self, EngineError> {
        let settings = &config.engine;
        let once = RuleSettings { lane: Lane::Final, ..rule.clone() };
        let horizon_ms = i64::try_from(settings.longest_horizon().as_millis()).unwrap_or(i64::MAX);
        let rules = Rules::new(&[once], &config.calendars, horizon_ms, i64::MAX)?;
        Ok(Recount { rules, start_ms, rejects: Vec::new(), said: Vec::new() })
    }

    /// The columns of telemetry that it reads, ascending.
    #[must_use]
    pub(crate) fn telemetry_columns(&self) -> Vec<usize> {
        self.rules.telemetry_columns()
    }

    /// Readings.
    ///
    /// # Errors
    /// As the engine's: only a mistake of ours.
    pub(crate) fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        let (blocks, table) = ([part.block], shop.table());
        let rows = part.rows(&blocks, shop.names());
        self.rules.follow(table);
        self.rules.fold(rows, table, &mut self.rejects)?;
        self.rules.fold_joined(rows, table, &mut self.rejects)?;
        Ok(())
    }

    /// Step events of one bay.
    ///
    /// # Errors
    /// As [`Recount::rows`].
    pub(crate) fn steps(&mut self, batch: &RecordBatch, bay: u32, shop: &Shop) -> Result<(), EngineError> {
        self.rules.fold_told(batch, bay, shop.table(), &mut self.rejects).map(|_| ())
    }

    /// Time has passed.
    ///
    /// # Errors
    /// As [`Recount::rows`].
    pub(crate) fn tick(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError> {
        let said = self.rules.say(&passed.released, shop.bays(), shop.table())?;
        self.keep(said);
        Ok(())
    }

    /// History ends.
    ///
    /// # Errors
    /// As [`Recount::rows`].
    pub(crate) fn end(&mut self) -> Result<(), EngineError> {
        let said = self.rules.say_all()?;
        self.keep(said);
        Ok(())
    }

    fn keep(&mut self, said: Vec<Said>) {
        let is_of_it =
            |said: &Said| said.window.as_ref().is_some_and(|window| window.start_ms == self.start_ms);
        self.said.extend(said.into_iter().filter(is_of_it));
    }
}

/// What a rule over single rows says of the first of `rows`, which has the columns of its stream.
///
/// # Errors
/// An expression fails on the row.
pub(crate) fn say_of_row(
    rule: &RuleSettings,
    plan: &RowsPlan,
    rows: &RecordBatch,
    calendars: &Arc<Calendars>,
) -> Result<Said, EngineError> {
    let wrong = |error: datafusion::error::DataFusionError| EngineError::Window {
        rule: rule.name.clone(),
        source: error.strip_backtrace().into(),
    };
    let wanted = rows.slice(0, 1).project(plan.columns()).map_err(|error| rows_error(&rule.name, error))?;
    let is_in_scope = plan.stream() != Stream::Telemetry || {
        let name = |name: &str| rows.column_by_name(name).and_then(|column| text_of(column.as_ref(), 0));
        let text = |column: &str| name(column).unwrap_or_default().into();
        let mut table = SeriesTable::default();
        table.intern(Series {
            site: text("site"),
            bay: text("bay"),
            tool: text("tool"),
            metric: text("metric"),
        });
        plan.scope().evaluate(&series_batch(&table, 0)).map_err(wrong)?.value(0)
    };
    let found = plan.evaluate(&wanted).map_err(wrong)?;
    let matches = is_in_scope && found.rows.value(0);
    let output = plan.outputs(&wanted).map_err(wrong)?;
    let message = Message::new(&rule.message, calendars);
    Ok(Said::new(&RuleRow::new(&output, 0, String::new(), 0), &message, matches, None))
}
