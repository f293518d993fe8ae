//! Rows to their windows.

use std::collections::BTreeMap;

use ingest::series::SeriesTable;

use super::super::groups::{GROUPS_MAX, OUTSIDE};
use super::super::pane::{Evaluated, Pane};
use super::super::selection::{Found, Selection};
use super::super::{Pushed, WindowError};
use super::{PaneOperator, Slot};
use crate::plan::Windows;

impl PaneOperator {
    /// Folds selected rows into their windows.
    pub(super) fn fold(&mut self, selection: &Selection, table: &SeriesTable) -> Result<Pushed, WindowError> {
        let mut pushed = Pushed::default();
        let windows = self.windows;
        let is_even = windows.size_ms % windows.slide_ms == 0;
        if let Some(newest) = selection.one_slide(windows).filter(|_| is_even) {
            if !self.fold_slide(newest, selection, None, &mut pushed)? {
                for back_ms in windows.steps_back() {
                    self.fold_window(newest.saturating_sub(back_ms), selection, None, table, &mut pushed)?;
                }
            }
        } else {
            let mut slides = BTreeMap::new();
            for (start, rows) in slides_of(selection, windows) {
                if !self.fold_slide(start, selection, Some(&rows), &mut pushed)? {
                    slides.insert(start, rows);
                }
            }
            if windows.is_tumbling() {
                for (start, rows) in slides {
                    self.fold_window(start, selection, Some(&rows), table, &mut pushed)?;
                }
            } else {
                for (start, rows) in hops_of(&slides, selection, windows) {
                    self.fold_window(start, selection, Some(&rows), table, &mut pushed)?;
                }
            }
        }
        pushed.expired.sort_unstable();
        // Where windows overlap a row may be one too many in several.
        pushed.surplus.sort_unstable();
        pushed.surplus.dedup();
        Ok(pushed)
    }

    /// Folds those of `rows` (all, if `None`) that are of the window that starts at `start`.
    fn fold_window(
        &mut self,
        start: i64,
        selection: &Selection,
        rows: Option<&[u32]>,
        table: &SeriesTable,
        pushed: &mut Pushed,
    ) -> Result<(), WindowError> {
        let end = self.windows.end_of(start);
        let expires = end.saturating_add(self.horizon_ms);
        let mut kept = None;
        if expires <= self.closers.highest() {
            let all: Vec<u32> = match rows {
                Some(rows) => rows.to_vec(),
                None => (0..)
                    .zip(&selection.codes)
                    .filter(|(_, code)| **code != OUTSIDE)
                    .map(|(row, _)| row)
                    .collect(),
            };
            let (expired, alive): (Vec<u32>, Vec<u32>) = all.into_iter().partition(|&row| {
                let closer = self.closers.of_bay(selection.bay_of(row as usize), table);
                expires <= self.closers.seen(closer)
            });
            pushed.expired.extend(expired.iter().map(|&row| selection.place_of(row)));
            if alive.is_empty() {
                return Ok(());
            }
            kept = Some(alive);
        }
        let rows = kept.as_deref().or(rows);
        let inside = match rows {
            Some(rows) => rows.len(),
            None => selection.inside,
        };
        if inside == 0 {
            return Ok(());
        }
        pushed.folded += inside;
        match self.panes.get(&start) {
            Some(Slot::Live(_)) => {}
            Some(Slot::Packed(_)) => self.unpack(start, table).map_err(WindowError::State)?,
            None => {
                let pane = self.open_pane().map_err(WindowError::State)?;
                self.panes.insert(start, Slot::Live(Box::new(pane)));
            }
        }
        let (plan, closers) = (&self.plan, &mut self.closers);
        let Some(Slot::Live(pane)) = self.panes.get_mut(&start) else {
            unreachable!("it was put there or unpacked")
        };
        let fold = |pane: &mut Pane, groups: &[u32], rows: Option<&[u32]>, evaluated: &Evaluated| {
            if !pane.marks.is_empty() {
                pane.mark_changed(groups, rows);
            }
            pane.fold(&plan.states, groups, rows, evaluated)
        };
        let folded = match &mut pane.groups {
            None => {
                pane.grow(self.of_series.groups.len());
                fold(pane, &selection.codes, rows, &selection.evaluated)
            }
            Some(of_pane) => {
                let closer_of = |row: usize| closers.of_bay(selection.bay_of(row), table);
                let Found { groups, surplus } = selection
                    .groups_in(&plan.keys, of_pane, &mut self.of_series.groups, (rows, GROUPS_MAX), closer_of)
                    .map_err(WindowError::State)?;
                let len = of_pane.len();
                pane.grow(len);
                pushed.folded -= surplus.len();
                pushed.surplus.extend(surplus.iter().map(|&row| selection.place_of(row)));
                let within = rows.filter(|_| !surplus.is_empty()).map(|rows| {
                    let is_in = |row: &u32| groups[*row as usize] != OUTSIDE;
                    rows.iter().copied().filter(is_in).collect::<Vec<_>>()
                });
                fold(pane, &groups, within.as_deref().or(rows), &selection.evaluated)
            }
        };
        folded.map_err(WindowError::State)?;
        if end <= self.closers.highest() || pane.complete {
            pane.dirty = true;
            pane.complete = false;
        }
        Ok(())
    }
}

/// Rows that count, by the start of the newest window that holds them, in order.
pub(super) fn slides_of(selection: &Selection, windows: Windows) -> BTreeMap<i64, Vec<u32>> {
    let mut slides: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    let mut current = (i64::MAX, Vec::new());
    for (row, (&ts_ms, &code)) in (0..).zip(selection.ts_ms.iter().zip(&selection.codes)) {
        if code == OUTSIDE {
            continue;
        }
        if ts_ms < current.0 || ts_ms - current.0 >= windows.slide_ms {
            // Rows of one slide come in runs: look it up once a run.
            let start = windows.start_of(ts_ms);
            let rows = slides.remove(&start).unwrap_or_default();
            let before = std::mem::replace(&mut current, (start, rows));
            if !before.1.is_empty() {
                slides.insert(before.0, before.1);
            }
        }
        current.1.push(row);
    }
    if !current.1.is_empty() {
        slides.insert(current.0, current.1);
    }
    slides
}

/// The rows of each window, in order, where windows overlap.
fn hops_of(
    slides: &BTreeMap<i64, Vec<u32>>,
    selection: &Selection,
    windows: Windows,
) -> BTreeMap<i64, Vec<u32>> {
    let mut hops: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (&newest, rows) in slides {
        for back_ms in windows.steps_back() {
            let start = newest.saturating_sub(back_ms);
            let end = windows.end_of(start);
            // Where the size is no multiple of the slide, the oldest window ends within the slide.
            let held = rows.iter().filter(|&&row| selection.ts_ms[row as usize] < end);
            hops.entry(start).or_default().extend(held);
        }
    }
    hops.retain(|_, rows| !rows.is_empty());
    // Slides came one after the other; sums are to be those of the rows in order.
    hops.values_mut().for_each(|rows| rows.sort_unstable());
    hops
}
