//! Windows that overlap share their rows: each row is folded once into the slide that it is of, and a slide goes into
//! its windows as a whole when the first of them closes.
//!
//! Our own states do not depend on order, so a window is the same whether it took rows or slides in.

use std::sync::Arc;

use datafusion::common::Result;
use ingest::series::SeriesTable;

use super::super::merging::Part;
use super::super::pane::Pane;
use super::super::selection::Selection;
use super::super::{Input, Pushed, WindowError};
use super::routing::slides_of;
use super::{PaneOperator, Slot};

impl PaneOperator {
    /// Whether slides are kept by themselves.
    pub(super) fn keeps_slides(&self) -> bool {
        !self.windows.is_tumbling() && self.plan.hindrance(self.windows).is_none()
    }

    /// Folds those of `rows` (all, if `None`) of the slide that starts at `start`, if none of its windows has closed for
    /// anybody.
    pub(super) fn fold_slide(
        &mut self,
        start: i64,
        selection: &Selection,
        rows: Option<&[u32]>,
        pushed: &mut Pushed,
    ) -> Result<bool, WindowError> {
        if !self.keeps_slides() || start.saturating_add(self.windows.slide_ms) <= self.closers.highest() {
            return Ok(false);
        }
        self.fold_pending(start, selection, rows)?;
        pushed.folded += rows.map_or(selection.inside, <[u32]>::len) * self.windows.steps_back().count();
        Ok(true)
    }

    fn fold_pending(
        &mut self,
        start: i64,
        selection: &Selection,
        rows: Option<&[u32]>,
    ) -> Result<(), WindowError> {
        let mut pane = match self.pending.remove(&start) {
            Some(pane) => pane,
            None => Box::new(self.open_pane().map_err(WindowError::State)?),
        };
        pane.grow(self.of_series.groups.len());
        let folded = pane.fold(&self.plan.states, &selection.codes, rows, &selection.evaluated);
        self.pending.insert(start, pane);
        folded.map_err(WindowError::State)
    }

    /// Folds rows into slides and no windows, but for those of slides that end by `ended_ms`, whose places it gives.
    pub(in crate::window) fn fold_slides(
        &mut self,
        input: &Input<'_>,
        table: &SeriesTable,
        ended_ms: i64,
    ) -> Result<Vec<u32>, WindowError> {
        let codes = self.codes(input, table).map_err(WindowError::Row)?;
        let plan = Arc::clone(&self.plan);
        let Some(selection) = Selection::new(&plan, input, codes).map_err(WindowError::Row)? else {
            return Ok(Vec::new());
        };
        let slide_ms = self.windows.slide_ms;
        let has_ended = |start: i64| start.saturating_add(slide_ms) <= ended_ms;
        if let Some(start) = selection.one_slide(self.windows).filter(|start| !has_ended(*start)) {
            self.fold_pending(start, &selection, None)?;
            return Ok(Vec::new());
        }
        let mut ended = Vec::new();
        for (start, rows) in slides_of(&selection, self.windows) {
            if has_ended(start) {
                ended.extend(rows.iter().map(|&row| selection.place_of(row)));
            } else {
                self.fold_pending(start, &selection, Some(&rows))?;
            }
        }
        ended.sort_unstable();
        Ok(ended)
    }

    /// The slides that end by `until_ms`, which it forgets.
    pub(in crate::window) fn take_slides(&mut self, until_ms: i64) -> Vec<(i64, Box<Pane>)> {
        let mut taken = Vec::new();
        while let Some(first) = self.pending.first_entry()
            && first.key().saturating_add(self.windows.slide_ms) <= until_ms
        {
            taken.push(first.remove_entry());
        }
        taken
    }

    /// Takes over what a slide of several queries holds for this one.
    pub(in crate::window) fn take_part(&mut self, start: i64, part: &Part<'_>) -> Result<()> {
        let mut pane = match self.pending.remove(&start) {
            Some(pane) => pane,
            None => Box::new(self.open_pane()?),
        };
        pane.grow(self.of_series.groups.len());
        pane.merge_part(&self.plan.states, part);
        self.pending.insert(start, pane);
        Ok(())
    }

    /// Lets the slides that end by `until_ms` go into their windows.
    pub(super) fn settle_slides(&mut self, until_ms: i64) -> Result<()> {
        for (start, mut slide) in self.take_slides(until_ms) {
            if self.windows.is_tumbling() && !self.panes.contains_key(&start) {
                slide.dirty = self.windows.end_of(start) <= self.closers.highest();
                self.panes.insert(start, Slot::Live(slide));
                continue;
            }
            for back_ms in self.windows.steps_back() {
                let start = start.saturating_sub(back_ms);
                if !self.panes.contains_key(&start) {
                    let pane = self.open_pane()?;
                    self.panes.insert(start, Slot::Live(Box::new(pane)));
                }
                let Some(Slot::Live(window)) = self.panes.get_mut(&start) else {
                    unreachable!("what is packed has closed, and takes no slide in any more")
                };
                window.merge_all(&self.plan.states, &slide);
                if self.windows.end_of(start) <= self.closers.highest() || window.complete {
                    window.dirty = true;
                    window.complete = false;
                }
            }
            self.keep_spare(*slide);
        }
        Ok(())
    }
}
