//! Windows that overlap share their rows: each row is folded once into the slide that it is of, and a slide goes into
//! its windows as a whole when the first of them closes.
//!
//! Our own states do not depend on order, so a window is the same whether it took rows or slides in.

use datafusion::common::Result;

use super::super::selection::Selection;
use super::super::{Pushed, WindowError};
use super::{PaneOperator, Slot};

impl PaneOperator {
    /// Whether slides can be kept by themselves: DataFusion's accumulators cannot be merged at no cost, and groups that
    /// rows decide are of one pane.
    pub(super) fn shares_slides(&self) -> bool {
        let windows = self.windows;
        !windows.is_tumbling()
            && windows.size_ms % windows.slide_ms == 0
            && self.pane_groups.is_none()
            && self.plan.states.others.is_empty()
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
        if !self.shares_slides() || start.saturating_add(self.windows.slide_ms) <= self.closers.highest() {
            return Ok(false);
        }
        let mut pane = match self.pending.remove(&start) {
            Some(pane) => pane,
            None => Box::new(self.open_pane().map_err(WindowError::State)?),
        };
        pane.grow(self.of_series.groups.len());
        let folded = pane.fold(&self.plan.states, &selection.codes, rows, &selection.evaluated);
        self.pending.insert(start, pane);
        folded.map_err(WindowError::State)?;
        pushed.folded += rows.map_or(selection.inside, <[u32]>::len) * self.windows.steps_back().count();
        Ok(true)
    }

    /// Lets the slides that end by `until_ms` go into their windows.
    pub(super) fn settle_slides(&mut self, until_ms: i64) -> Result<()> {
        let slide_ms = self.windows.slide_ms;
        while let Some(first) = self.pending.first_entry()
            && first.key().saturating_add(slide_ms) <= until_ms
        {
            let (start, slide) = first.remove_entry();
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
