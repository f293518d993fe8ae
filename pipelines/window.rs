//! Windowed aggregates.
//!
//! A [`WindowOperator`] folds rows into the states of their groups, in the order in which they are pushed:
//! groups have dense numbers that a series looks up once, and nothing is hashed per row where site, bay, tool and metric
//! decide the group. Windows that the clock makes ([`panes`]) take rows unsorted; windows that the rows or the work
//! make ([`spans`]) grow with them. Windows close when the caller says how far event time has come ([`Frontier`]); what a
//! closed window said can be corrected until the correction horizon has passed.

mod closed;
mod columns;
pub(crate) mod exact;
mod frontier;
pub(crate) mod fused;
mod groups;
mod hash;
mod mark;
mod merging;
mod pane;
mod panes;
mod results;
mod section;
mod selection;
mod series;
mod shared;
mod snapshot;
mod spans;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use ingest::series::SeriesTable;

use crate::plan::{FailedRow, WindowKind, WindowPlan};
use panes::PaneOperator;
use selection::Selection;
use spans::{SpanKind, SpanOperator};

pub use closed::{Closed, FailedGroup};
pub use frontier::Frontier;
#[cfg(test)]
pub(crate) use groups::GROUPS_MAX;
pub(crate) use shared::SharedSlides;
pub use snapshot::RestoreError;

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

/// Rows to fold, an element each. Only rows on time and corrections are to be pushed: what is late the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The columns of [`WindowPlan::columns`].
    pub rows: &'a RecordBatch,
    /// Empty for streams that have none.
    pub series: &'a [u32],
    pub bay: &'a [u32],
    pub ts_ms: &'a [i64],
    /// Start and end of the run of a step, or of the calendar's window, that each row belongs to; [`NO_RUN`] for none,
    /// `i64::MAX` as the end of a run that goes on. Empty for plans that are over neither.
    pub runs_ms: &'a [(i64, i64)],
}

/// Stands for "in no run of a step" in [`Input::runs_ms`].
pub const NO_RUN: (i64, i64) = (i64::MIN, i64::MIN);

/// What became of pushed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Rows that count, which WHERE did not leave out.
    pub folded: usize,
    /// Rows whose window was closed and then forgotten, since the correction horizon has passed it by the
    /// watermark that closes it. They are in no result: places in the batch, ascending.
    pub expired: Vec<u32>,
    /// Rows that would have made one group too many: places in the batch, ascending.
    pub surplus: Vec<u32>,
}

/// Runs a [`WindowPlan`]: rows in, closed windows out.
#[derive(Debug)]
pub enum WindowOperator {
    /// Over windows that the clock makes.
    Panes(Box<PaneOperator>),
    /// Over windows that the rows or the work make.
    Spans(Box<SpanOperator>),
}

impl WindowOperator {
    /// An operator without rows. Closed windows are kept for correction until the watermark is
    /// `correction_horizon_ms` past their end.
    ///
    /// # Errors
    /// DataFusion cannot build one of the plan's aggregates.
    pub fn new(plan: &WindowPlan, correction_horizon_ms: i64) -> Result<Self, WindowError> {
        let horizon_ms = correction_horizon_ms.max(0);
        let kind = match &plan.kind {
            WindowKind::Fixed(windows) => {
                let operator = PaneOperator::new(Arc::new(plan.clone()), *windows, horizon_ms);
                return operator
                    .map(|panes| WindowOperator::Panes(Box::new(panes)))
                    .map_err(WindowError::State);
            }
            WindowKind::Session { gap_ms, .. } => SpanKind::Session { gap_ms: *gap_ms },
            // The end of a calendar's window is known from the first row on.
            WindowKind::Step | WindowKind::Calendar(_) => SpanKind::Step,
        };
        let operator = SpanOperator::new(Arc::new(plan.clone()), kind, horizon_ms);
        operator.map(|operator| WindowOperator::Spans(Box::new(operator))).map_err(WindowError::State)
    }

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> &WindowPlan {
        match self {
            WindowOperator::Panes(panes) => &panes.plan,
            WindowOperator::Spans(spans) => &spans.plan,
        }
    }

    /// How many windows it holds, those kept for correction included.
    #[must_use]
    pub fn windows(&self) -> usize {
        match self {
            WindowOperator::Panes(panes) => panes.len(),
            WindowOperator::Spans(spans) => spans.len(),
        }
    }

    /// Folds rows into their windows, in order.
    ///
    /// # Errors
    /// [`WindowError::Row`] leaves the state as it was; [`WindowError::State`] does not.
    pub fn push(&mut self, input: &Input<'_>, table: &SeriesTable) -> Result<Pushed, WindowError> {
        if input.ts_ms.is_empty() {
            return Ok(Pushed::default());
        }
        match self {
            WindowOperator::Panes(panes) => panes.push(input, table),
            WindowOperator::Spans(spans) => spans.push(input, table),
        }
    }

    /// The rows on which an expression of WHERE, GROUP BY or an aggregate fails: what to leave out after
    /// [`WindowError::Row`]. The state stays as it is.
    ///
    /// # Errors
    /// The scope cannot be evaluated on the names in `table`.
    pub fn failing_rows(
        &mut self,
        input: &Input<'_>,
        table: &SeriesTable,
    ) -> Result<Vec<FailedRow>, WindowError> {
        let codes = match self {
            WindowOperator::Panes(panes) => panes.codes(input, table),
            WindowOperator::Spans(spans) => spans.codes(input, table),
        };
        let codes = codes.map_err(WindowError::Row)?;
        let plan = self.plan();
        let (mut pieces, mut failed) = (Vec::new(), Vec::new());
        let mut evaluate = |range: std::ops::Range<usize>| {
            let part = input.rows.slice(range.start, range.len());
            let codes = codes[range.clone()].to_vec();
            let (bay, ts_ms) = (&input.bay[range.clone()], &input.ts_ms[range]);
            Selection::new(plan, &Input { rows: &part, bay, ts_ms, ..*input }, codes).map(|_| ())
        };
        let rows = 0..input.ts_ms.len();
        crate::plan::expression::isolate(rows, &mut evaluate, &mut pieces, &mut failed);
        Ok(failed)
    }

    /// Emits what `frontier` closes: for each group whose watermark has reached its window's end the final
    /// revision, and for closed ones to which rows came since the next. Windows come in order.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn close(&mut self, frontier: &Frontier, out: &mut Vec<Closed>) -> Result<(), WindowError> {
        match self {
            WindowOperator::Panes(panes) => panes.close(frontier, out),
            WindowOperator::Spans(spans) => spans.close(frontier, out),
        }
        .map_err(WindowError::State)
    }

    /// Time has come so far, and nothing is told of it yet: windows close once [`WindowOperator::close`] is called.
    pub fn stand_at(&mut self, frontier: &Frontier) {
        match self {
            WindowOperator::Panes(panes) => panes.closers.advance(frontier),
            WindowOperator::Spans(spans) => spans.closers.advance(frontier),
        };
    }

    /// Shows the open windows of a bay that has fallen silent, as a revision that is not final; they stay
    /// open. Groups that no row came to since they were last shown are not repeated. Plans whose keys lack
    /// the bay have nothing to show: their windows close by the site's or the overall watermark.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn release(&mut self, bay: u32, out: &mut Vec<Closed>) -> Result<(), WindowError> {
        match self {
            WindowOperator::Panes(panes) => panes.release(bay, out),
            WindowOperator::Spans(spans) => spans.release(bay, out),
        }
        .map_err(WindowError::State)
    }

    /// A run of a step on `bay` has ended: its windows close once the watermark has passed its end.
    pub fn end_run(&mut self, bay: u32, started_ms: i64, ended_ms: i64) {
        if let WindowOperator::Spans(spans) = self {
            spans.end_run(bay, started_ms, ended_ms);
        }
    }
}
