//! Closing spans: which windows say something now, and what.

use datafusion::common::Result;

use super::super::closed::{Closed, OPEN, Said};
use super::super::frontier::Frontier;
use super::super::groups::GroupTable;
use super::super::mark::Mark;
use super::{ABANDONED_MS, Span, SpanOperator, Withdrawn};
use crate::plan::key::Closes;

impl SpanOperator {
    /// See [`super::super::WindowOperator::close`].
    pub(in crate::window) fn close(&mut self, frontier: &Frontier, out: &mut Vec<Closed>) -> Result<()> {
        self.closers.advance(frontier);
        let mut looked_at: Vec<u32> = std::mem::take(&mut self.changed).into_iter().collect();
        for closer in self.closers.all() {
            let seen_ms = self.closers.seen(closer);
            for place in self.calendar.take(closer, seen_ms) {
                let Span { closer: own, due_ms, .. } = self.spans[place as usize];
                if own == closer && due_ms <= seen_ms {
                    looked_at.push(place);
                } else if own == closer && due_ms.div_euclid(1000) == seen_ms.div_euclid(1000) {
                    // Later within this second.
                    self.calendar.put(closer, due_ms, place);
                }
            }
        }
        looked_at.sort_unstable();
        looked_at.dedup();
        let (mut chosen, mut shown, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
        self.states.grow(self.spans.len());
        self.states.marks_mut();
        for place in looked_at {
            let span = self.span(place);
            let (end_ms, seen_ms) = (self.end_of(&span), self.closers.seen(span.closer));
            let mark = self.states.marks[place as usize];
            if end_ms == OPEN {
                // A step that goes on: at the end of input it is shown, and after very long forgotten.
                let abandoned_ms = span.last_ms.saturating_add(ABANDONED_MS);
                if seen_ms == i64::MAX && (mark.revision == 0 || mark.changed) {
                    shown.push(place);
                } else if abandoned_ms <= seen_ms && seen_ms < i64::MAX {
                    forgotten.push(place);
                }
                self.set_due(place, abandoned_ms);
                continue;
            }
            if end_ms > seen_ms {
                self.set_due(place, end_ms);
                continue;
            }
            if !mark.is_final || mark.changed {
                chosen.push(place);
            }
            let forget_ms = end_ms.saturating_add(self.horizon_ms);
            if forget_ms <= seen_ms {
                forgotten.push(place);
            } else {
                self.set_due(place, forget_ms);
            }
        }
        self.tell_withdrawn(out)?;
        self.tell(&chosen, true, out)?;
        self.tell(&shown, false, out)?;
        for place in forgotten {
            self.drop_span(place);
        }
        Ok(())
    }

    /// See [`super::super::WindowOperator::release`].
    pub(in crate::window) fn release(&mut self, bay: u32, out: &mut Vec<Closed>) -> Result<()> {
        if self.closers.kind() != Closes::Bay {
            return Ok(());
        }
        let seen_ms = self.closers.seen(bay);
        let is_open = |place: &u32| {
            let span = self.span(*place);
            span.closer == bay && self.end_of(&span) > seen_ms
        };
        let is_new = |place: &u32| match self.states.marks.get(*place as usize) {
            // One that was final has grown again: it is told when it is final once more.
            Some(mark) => !mark.is_final && (mark.revision == 0 || mark.changed),
            None => true,
        };
        let all = self.of_group.iter().flatten().copied();
        let chosen: Vec<u32> = all.filter(is_open).filter(is_new).collect();
        self.tell(&chosen, false, out)
    }

    /// Emits spans, sorted by window and key, and marks them.
    fn tell(&mut self, places: &[u32], is_final: bool, out: &mut Vec<Closed>) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        self.states.grow(self.spans.len());
        self.states.marks_mut();
        let said = places.iter().map(|&place| {
            let span @ Span { group, start_ms, .. } = self.span(place);
            let before = self.states.marks[place as usize].say(is_final);
            Said { start_ms, end_ms: self.end_of(&span), group, place, revision: before.revision + 1, before }
        });
        let mut said: Vec<Said> = said.collect();
        said.iter().for_each(|said| self.renew(said.group));
        let table = self.of_rows.as_mut().unwrap_or(&mut self.of_series.groups);
        sort(table, &mut said)?;
        Closed::tell(&self.plan, table, &mut self.states, &said, is_final, out)
    }

    /// Emits the windows that are none any more.
    fn tell_withdrawn(&mut self, out: &mut Vec<Closed>) -> Result<()> {
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let said = withdrawn.iter().map(|&Withdrawn { group, start_ms, end_ms, revision }| {
            let before = Mark::default();
            Said { start_ms, end_ms, group, place: 0, revision, before }
        });
        let mut said: Vec<Said> = said.collect();
        let table = self.of_rows.as_mut().unwrap_or(&mut self.of_series.groups);
        sort(table, &mut said)?;
        Closed::withdraw(&self.plan, table, said, true, out)
    }
}

/// By window, then by key.
fn sort(table: &mut GroupTable, said: &mut [Said]) -> Result<()> {
    table.settle()?;
    said.sort_by_key(|said| (said.start_ms, said.end_ms, table.rank(said.group), said.revision));
    Ok(())
}
