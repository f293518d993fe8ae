//! Windows that the clock makes: rows go to their windows unsorted, each window has its states of all groups.

mod closing;
mod pending;
mod routing;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::Result;
use ingest::series::SeriesTable;

use super::frontier::Closers;
use super::groups::GroupTable;
use super::pane::Pane;
use super::section::Packed;
use super::selection::Selection;
use super::series::OfSeries;
use super::{Input, Pushed, WindowError};
use crate::plan::{WindowPlan, Windows};

/// Panes kept for the next windows, so that opening one allocates nothing.
const SPARE_PANES: usize = 4;

/// Runs a [`WindowPlan`] over windows that the clock makes.
#[derive(Debug)]
pub struct PaneOperator {
    pub(super) plan: Arc<WindowPlan>,
    windows: Windows,
    horizon_ms: i64,
    pub(super) of_series: OfSeries,
    /// An empty table for the panes of plans whose keys rows decide.
    pane_groups: Option<GroupTable>,
    pub(super) closers: Closers,
    panes: BTreeMap<i64, Slot>,
    /// Where windows overlap: slides that have not gone into their windows, by start.
    pending: BTreeMap<i64, Box<Pane>>,
    spare: Vec<Pane>,
}

/// A window.
#[derive(Debug)]
enum Slot {
    Live(Box<Pane>),
    /// Complete, and encoded since by a snapshot.
    Packed(Packed),
}

impl PaneOperator {
    pub(super) fn new(plan: Arc<WindowPlan>, windows: Windows, horizon_ms: i64) -> Result<Self> {
        Ok(PaneOperator {
            windows,
            horizon_ms,
            of_series: OfSeries::new(&plan)?,
            pane_groups: OfSeries::table_of_rows(&plan)?,
            closers: Closers::new(plan.closes),
            plan,
            panes: BTreeMap::new(),
            pending: BTreeMap::new(),
            spare: Vec::new(),
        })
    }

    /// How many windows it holds, those kept for correction included, and slides.
    pub(super) fn len(&self) -> usize {
        self.panes.len() + self.pending.len()
    }

    pub(super) fn codes(&mut self, input: &Input<'_>, table: &SeriesTable) -> Result<Vec<u32>> {
        self.of_series.codes(&self.plan, input.series, input.ts_ms.len(), table, &mut self.closers)
    }

    /// Folds rows into their windows, in order.
    pub(super) fn push(&mut self, input: &Input<'_>, table: &SeriesTable) -> Result<Pushed, WindowError> {
        let codes = self.codes(input, table).map_err(WindowError::Row)?;
        let plan = Arc::clone(&self.plan);
        match Selection::new(&plan, input, codes).map_err(WindowError::Row)? {
            Some(selection) => self.fold(&selection, table),
            None => Ok(Pushed::default()),
        }
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

    pub(super) fn keep_spare(&mut self, pane: Pane) {
        if self.spare.len() < SPARE_PANES {
            self.spare.push(pane);
        }
    }
}
