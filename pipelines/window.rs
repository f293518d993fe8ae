//! Windowed aggregates on panes.
//!
//! A [`WindowOperator`] folds rows into the states of their groups, in the order in which they are pushed:
//! groups have dense numbers that a series looks up once, rows are routed to their window unsorted, and
//! nothing is hashed per row where site, bay, tool and metric decide the group. Windows close when the
//! caller says how far event time has come ([`Frontier`]); what a closed window said can be corrected
//! until the correction horizon has passed.

mod closing;
pub(crate) mod exact;
mod frontier;
pub(crate) mod fused;
mod groups;
mod pane;
mod results;
mod routing;
mod section;
mod selection;
mod snapshot;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use ingest::series::SeriesTable;

use crate::plan::key::Key;
use crate::plan::{FailedRow, WindowPlan, series_batch};
use frontier::Closers;
use groups::{GroupTable, OUTSIDE};
use pane::Pane;
use selection::Selection;

pub use closing::{Closed, FailedGroup};
pub use frontier::Frontier;
use section::Packed;
pub use snapshot::RestoreError;

/// Panes kept for the next windows, so that opening one allocates nothing.
const SPARE_PANES: usize = 4;

/// A window that something went wrong in.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// An expression fails on some row. Nothing was folded; [`WindowOperator::failing_rows`] tells which
    /// rows to leave out.
    #[error("an expression failed on a row: {0}; leave that row out and push the others")]
    Row(#[source] DataFusionError),
    /// An accumulator failed, which no row explains. The state is not to be used any more.
    #[error("an aggregate failed: {0}; restart from the last checkpoint")]
    State(#[source] DataFusionError),
}

/// What became of pushed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Rows that count, which WHERE did not leave out.
    pub folded: usize,
    /// Rows whose window was closed and then forgotten, since the correction horizon has passed it by the
    /// watermark that closes it. They are in no result: places in the batch, ascending.
    pub expired: Vec<u32>,
}

/// Runs a [`WindowPlan`]: rows in, closed windows out.
#[derive(Debug)]
pub struct WindowOperator {
    plan: Arc<WindowPlan>,
    horizon_ms: i64,
    /// Groups that series decide; in plans with other keys, the part of the key that series decide.
    groups: GroupTable,
    /// An empty table for the panes of plans with other keys.
    pane_groups: Option<GroupTable>,
    /// Series to group, or [`OUTSIDE`] the scope.
    of_series: Vec<u32>,
    closers: Closers,
    panes: BTreeMap<i64, Slot>,
    spare: Vec<Pane>,
}

/// A window.
#[derive(Debug)]
enum Slot {
    Live(Box<Pane>),
    /// Complete, and encoded since by a snapshot.
    Packed(Packed),
}

impl WindowOperator {
    /// An operator without rows. Closed windows are kept for correction until the watermark is
    /// `correction_horizon_ms` past their end.
    ///
    /// # Errors
    /// DataFusion cannot build one of the plan's aggregates.
    pub fn new(plan: &WindowPlan, correction_horizon_ms: i64) -> Result<Self, WindowError> {
        let keys = plan.key_schema();
        let of_row = |key: &&Key| matches!(key, Key::Row(_));
        let table = |pick: &dyn Fn(&Key) -> bool| {
            let fields = plan.group_schema.fields().iter().zip(&plan.keys);
            let fields: Vec<_> =
                fields.filter(|(_, key)| pick(key)).map(|(field, _)| field.clone()).collect();
            GroupTable::new(&arrow::datatypes::Schema::new(fields)).map_err(WindowError::State)
        };
        let groups = table(&|key| matches!(key, Key::Series(_)))?;
        let pane_groups = if plan.keys.iter().any(|key| of_row(&key)) {
            Some(GroupTable::new(&keys).map_err(WindowError::State)?)
        } else {
            None
        };
        Ok(WindowOperator {
            plan: Arc::new(plan.clone()),
            horizon_ms: correction_horizon_ms.max(0),
            groups,
            pane_groups,
            of_series: Vec::new(),
            closers: Closers::new(plan.closes),
            panes: BTreeMap::new(),
            spare: Vec::new(),
        })
    }

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> &WindowPlan {
        &self.plan
    }

    /// How many windows it holds, those kept for correction included.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.panes.len()
    }

    /// Folds rows into their windows, in order.
    ///
    /// `rows` has the columns of [`WindowPlan::columns`]; `series`, `bay` and `ts_ms` have an element for
    /// each row, `series` is empty for streams that have none. Only rows on time and corrections are to be
    /// pushed: what is late the caller knows.
    ///
    /// # Errors
    /// [`WindowError::Row`] leaves the state as it was; [`WindowError::State`] does not.
    pub fn push(
        &mut self,
        rows: &RecordBatch,
        series: &[u32],
        bay: &[u32],
        ts_ms: &[i64],
        table: &SeriesTable,
    ) -> Result<Pushed, WindowError> {
        if ts_ms.is_empty() {
            return Ok(Pushed::default());
        }
        let codes = self.codes(series, ts_ms.len(), table).map_err(WindowError::Row)?;
        let selection = Selection::new(&self.plan, rows, codes, bay, ts_ms).map_err(WindowError::Row)?;
        match selection {
            Some(selection) => self.fold(&selection, table),
            None => Ok(Pushed::default()),
        }
    }

    /// The rows on which an expression of WHERE, GROUP BY or an aggregate fails: what to leave out after
    /// [`WindowError::Row`]. Arguments as for [`WindowOperator::push`]; the state stays as it is.
    ///
    /// # Errors
    /// The scope cannot be evaluated on the names in `table`.
    pub fn failing_rows(
        &mut self,
        rows: &RecordBatch,
        series: &[u32],
        bay: &[u32],
        ts_ms: &[i64],
        table: &SeriesTable,
    ) -> Result<Vec<FailedRow>, WindowError> {
        let codes = self.codes(series, ts_ms.len(), table).map_err(WindowError::Row)?;
        let plan = &self.plan;
        let (mut pieces, mut failed) = (Vec::new(), Vec::new());
        let mut evaluate = |range: std::ops::Range<usize>| {
            let part = rows.slice(range.start, range.len());
            let codes = codes[range.clone()].to_vec();
            Selection::new(plan, &part, codes, &bay[range.clone()], &ts_ms[range]).map(|_| ())
        };
        crate::plan::expression::isolate(0..ts_ms.len(), &mut evaluate, &mut pieces, &mut failed);
        Ok(failed)
    }

    /// The group of each row, as far as its series decides it.
    fn codes(&mut self, series: &[u32], rows: usize, table: &SeriesTable) -> Result<Vec<u32>> {
        if series.is_empty() {
            // The empty key is the one part that rows without a series have in common.
            self.groups.intern(&[], 1, |_| 0)?;
            return Ok(vec![0; rows]);
        }
        let known = self.of_series.len();
        if known < table.all().len() {
            let names = series_batch(table, known);
            let within = self.plan.scope.evaluate(&names)?;
            let inside: Vec<u32> =
                (0..).zip(within.iter()).filter(|(_, bit)| *bit == Some(true)).map(|(row, _)| row).collect();
            let names = arrow::compute::take_record_batch(&names, &UInt32Array::from(inside.clone()))?;
            let mut keys = Vec::new();
            for key in &self.plan.keys {
                if let Key::Series(key) = key {
                    keys.push(key.evaluate(&names)?.into_array(inside.len())?);
                }
            }
            let (closers, bay_of) = (&mut self.closers, table.bay_of());
            let numbers = self.groups.intern(&keys, inside.len(), |row| {
                closers.of_bay(bay_of[known + inside[row] as usize], table)
            })?;
            self.of_series.resize(table.all().len(), OUTSIDE);
            for (row, number) in inside.iter().zip(numbers) {
                self.of_series[known + *row as usize] = number;
            }
        }
        Ok(series.iter().map(|&series| self.of_series[series as usize]).collect())
    }

    fn open_pane(&mut self) -> Result<Pane> {
        let groups = self.pane_groups.as_ref().map(GroupTable::fresh);
        match self.spare.pop() {
            Some(pane) => pane.recycle(&self.plan.states, groups),
            None => Pane::new(&self.plan.states, groups),
        }
    }

    fn drop_pane(&mut self, start: i64) {
        if let Some(Slot::Live(pane)) = self.panes.remove(&start) {
            self.keep_spare(*pane);
        }
    }

    fn keep_spare(&mut self, pane: Pane) {
        if self.spare.len() < SPARE_PANES {
            self.spare.push(pane);
        }
    }
}
