//! Closing windows: which groups say something now, and what.

use datafusion::common::Result;

use super::super::closed::{Closed, Said};
use super::super::frontier::Frontier;
use super::super::groups::GroupTable;
use super::super::pane::Pane;
use super::{PaneOperator, Slot};
use crate::plan::WindowPlan;
use crate::plan::key::Closes;

impl PaneOperator {
    /// See [`super::super::WindowOperator::close`].
    pub(in crate::window) fn close(&mut self, frontier: &Frontier, out: &mut Vec<Closed>) -> Result<()> {
        let passed = self.closers.advance(frontier);
        self.settle_slides(self.closers.highest())?;
        let mut forgotten = Vec::new();
        for (&start, slot) in &mut self.panes {
            let end = self.windows.end_of(start);
            if end > self.closers.highest() {
                break;
            }
            let is_old = end.saturating_add(self.horizon_ms) <= self.closers.highest();
            let Slot::Live(pane) = slot else {
                if is_old {
                    forgotten.push(start);
                }
                continue;
            };
            let is_passed = || passed.iter().any(|&(before, now)| before < end && end <= now);
            if pane.dirty || (!pane.complete && is_passed()) {
                let groups = pane.groups.as_mut().unwrap_or(&mut self.of_series.groups);
                let closers = groups.closers().to_vec();
                let is_closed = |closer: u32| end <= self.closers.seen(closer);
                let states = &self.plan.states;
                let present = |pane: &Pane, group: usize| pane.rows_of(states, group) > 0;
                pane.marks_mut();
                let mut chosen = Vec::new();
                let mut is_complete = true;
                for (group, &closer) in closers.iter().enumerate().take(pane.len()) {
                    if present(pane, group) {
                        if !is_closed(closer) {
                            is_complete = false;
                        } else if !pane.marks[group].is_final || pane.marks[group].changed {
                            chosen.push(u32::try_from(group).expect("groups are numbered in u32"));
                        }
                    }
                }
                pane.complete = is_complete;
                pane.dirty = false;
                emit(&self.plan, &mut self.of_series.groups, (start, end), pane, chosen, true, out)?;
            }
            if pane.complete && is_old {
                forgotten.push(start);
            }
        }
        forgotten.retain(|&start| self.is_forgotten(start));
        for start in forgotten {
            self.drop_pane(start);
        }
        Ok(())
    }

    /// Whether no row that still counts can come to a complete window.
    fn is_forgotten(&self, start: i64) -> bool {
        let expires = self.windows.end_of(start).saturating_add(self.horizon_ms);
        let pane = match &self.panes[&start] {
            Slot::Live(pane) => pane,
            Slot::Packed(packed) => {
                return packed.closers.iter().all(|&closer| expires <= self.closers.seen(closer));
            }
        };
        let closers = pane.groups.as_ref().unwrap_or(&self.of_series.groups).closers();
        (0..pane.len()).all(|group| {
            pane.rows_of(&self.plan.states, group) == 0 || expires <= self.closers.seen(closers[group])
        })
    }

    /// See [`super::super::WindowOperator::release`].
    pub(in crate::window) fn release(&mut self, bay: u32, out: &mut Vec<Closed>) -> Result<()> {
        if self.closers.kind() != Closes::Bay {
            return Ok(());
        }
        self.settle_slides(i64::MAX)?;
        for (&start, slot) in &mut self.panes {
            let end = self.windows.end_of(start);
            let Slot::Live(pane) = slot else {
                continue;
            };
            let groups = pane.groups.as_ref().unwrap_or(&self.of_series.groups);
            let of_bay = groups.closers().iter().take(pane.len()).enumerate();
            let of_bay = of_bay.filter(|(_, closer)| **closer == bay && end > self.closers.seen(bay));
            let states = &self.plan.states;
            let is_new = |group: usize| match pane.marks.get(group) {
                Some(mark) => mark.revision == 0 || mark.changed,
                None => true,
            };
            let chosen: Vec<u32> = of_bay
                .map(|(group, _)| group)
                .filter(|&group| is_new(group) && pane.rows_of(states, group) > 0)
                .map(|group| u32::try_from(group).expect("groups are numbered in u32"))
                .collect();
            pane.marks_mut();
            emit(&self.plan, &mut self.of_series.groups, (start, end), pane, chosen, false, out)?;
        }
        Ok(())
    }
}

/// Emits `chosen` groups of a pane and marks them.
fn emit(
    plan: &WindowPlan,
    of_series: &mut GroupTable,
    (start_ms, end_ms): (i64, i64),
    pane: &mut Pane,
    mut chosen: Vec<u32>,
    is_final: bool,
    out: &mut Vec<Closed>,
) -> Result<()> {
    if chosen.is_empty() {
        return Ok(());
    }
    let table = pane.groups.as_mut().unwrap_or(of_series);
    table.settle()?;
    table.sort(&mut chosen);
    let said = chosen.iter().map(|&group| {
        let before = pane.marks[group as usize].say(is_final);
        Said { start_ms, end_ms, group, place: group, revision: before.revision + 1, before }
    });
    let said: Vec<Said> = said.collect();
    Closed::tell(plan, of_series, pane, &said, is_final, out)
}
