//! Rows to their spans.

use std::borrow::Cow;

use ingest::series::SeriesTable;

use super::super::closed::OPEN;
use super::super::groups::OUTSIDE;
use super::super::selection::Selection;
use super::super::{Input, NO_RUN, Pushed, WindowError};
use super::{ABANDONED_MS, SPANS_MAX, Span, SpanKind, SpanOperator, Withdrawn};

/// A row on its way.
#[derive(Clone, Copy, Debug)]
struct Row {
    group: u32,
    bay: u32,
    closer: u32,
    ts_ms: i64,
    /// Start and end of its step.
    run_ms: (i64, i64),
}

/// Why a row has no span.
#[derive(Clone, Copy, Debug)]
enum Without {
    /// The correction horizon has passed it.
    Expired,
    /// There are as many as may be.
    Surplus,
}

impl SpanOperator {
    /// Folds rows into their spans, in order.
    pub(in crate::window) fn push(
        &mut self,
        input: &Input<'_>,
        table: &SeriesTable,
    ) -> Result<Pushed, WindowError> {
        self.compact(table)?;
        let codes = self.codes(input, table).map_err(WindowError::Row)?;
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(selection) = Selection::new(&plan, input, codes).map_err(WindowError::Row)? else {
            return Ok(Pushed::default());
        };
        let closers = &mut self.closers;
        let groups = match &mut self.of_rows {
            None => Cow::Borrowed(selection.codes.as_slice()),
            Some(of_rows) => {
                let closer_of = |row: usize| closers.of_bay(selection.bay_of(row), table);
                // Spans are bounded, and groups without any go.
                let all = (None, usize::MAX);
                let found =
                    selection.groups_in(&plan.keys, of_rows, &mut self.of_series.groups, all, closer_of);
                Cow::Owned(found.map_err(WindowError::State)?.groups)
            }
        };
        let mut pushed = Pushed::default();
        let mut places = vec![OUTSIDE; groups.len()];
        let place_of = |row| selection.place_of(u32::try_from(row).expect("a batch has fewer rows"));
        let run_of = |row| input.runs_ms.get(place_of(row) as usize).copied().unwrap_or(NO_RUN);
        let (mut first, mut next) = (0, 0);
        loop {
            let start_of = |row| run_of(next + row).0;
            let followed =
                self.follow(&groups[next..], &selection.ts_ms[next..], start_of, &mut places[next..]);
            pushed.folded += followed;
            let row = next + followed;
            let Some(&group) = groups.get(row) else { break };
            next = row + 1;
            if group == OUTSIDE {
                continue;
            }
            let run_ms = run_of(row);
            if self.kind == SpanKind::Step && run_ms == NO_RUN {
                continue;
            }
            let bay = selection.bay_of(row);
            let closer = self.closers.of_bay(bay, table);
            let this = Row { group, bay, closer, ts_ms: selection.ts_ms[row], run_ms };
            let found = match self.kind {
                SpanKind::Session { gap_ms } => self.session_of(this, gap_ms),
                SpanKind::Step => self.step_of(this).map(|place| (place, None)),
            };
            let (place, joins) = match found {
                Ok(found) => found,
                Err(Without::Expired) => {
                    pushed.expired.push(place_of(row));
                    continue;
                }
                Err(Without::Surplus) => {
                    pushed.surplus.push(place_of(row));
                    continue;
                }
            };
            if let Some(other) = joins {
                // What came before is folded first, so that nothing depends on where batches are cut.
                self.fold_rows(&selection, &places, first..row)?;
                first = row;
                self.join(place, other)?;
            }
            places[row] = place;
            pushed.folded += 1;
            if let Some(mark) = self.states.marks.get_mut(place as usize) {
                mark.changed = true;
                if mark.is_final {
                    self.changed.insert(place);
                }
            }
            self.renew(group);
        }
        self.fold_rows(&selection, &places, first..groups.len())?;
        Ok(pushed)
    }

    fn fold_rows(
        &mut self,
        selection: &Selection,
        places: &[u32],
        rows: std::ops::Range<usize>,
    ) -> Result<(), WindowError> {
        self.states.grow(self.spans.len());
        let part: Vec<u32>;
        let rows = if rows.len() == places.len() {
            None
        } else {
            part = rows.map(|row| u32::try_from(row).expect("a batch has fewer rows")).collect();
            Some(part.as_slice())
        };
        let folded = self.states.fold(&self.plan.states, places, rows, &selection.evaluated);
        folded.map_err(WindowError::State)
    }

    /// A new span, unless rows have made too many.
    fn begin(&mut self, span: Span) -> Result<u32, Without> {
        if self.of_rows.is_some() && self.len() >= SPANS_MAX {
            return Err(Without::Surplus);
        }
        Ok(self.open(span))
    }

    /// The span of a row's step.
    fn step_of(&mut self, row: Row) -> Result<u32, Without> {
        let (start_ms, ended_ms) = row.run_ms;
        let of_group = self.of_group.get(row.group as usize);
        let known = of_group.and_then(|places| {
            let is_it = |place: &&u32| self.spans[**place as usize].start_ms == start_ms;
            places.iter().rev().find(is_it).copied()
        });
        if let Some(place) = known {
            let span = &mut self.spans[place as usize];
            span.last_ms = span.last_ms.max(row.ts_ms);
            return Ok(place);
        }
        if ended_ms.saturating_add(self.horizon_ms) <= self.closers.seen(row.closer) {
            return Err(Without::Expired);
        }
        let due_ms = if ended_ms == OPEN { row.ts_ms.saturating_add(ABANDONED_MS) } else { ended_ms };
        let span = Span {
            group: row.group,
            closer: row.closer,
            bay: row.bay,
            start_ms,
            last_ms: row.ts_ms,
            ended_ms,
            due_ms,
        };
        self.begin(span)
    }

    /// The session of a row, and a second one that the row joins to it.
    fn session_of(&mut self, row: Row, gap_ms: i64) -> Result<(u32, Option<u32>), Without> {
        let empty: &[u32] = &[];
        let places = self.of_group.get(row.group as usize).map_or(empty, Vec::as_slice);
        // The last that begins no later than the row, and the first that begins after it.
        let begins_by = |place: &u32| self.spans[*place as usize].start_ms <= row.ts_ms;
        let at = match places.last() {
            Some(last) if !begins_by(last) => places.partition_point(begins_by),
            _ => places.len(),
        };
        let reaches = |place: &u32| row.ts_ms < self.span(*place).last_ms.saturating_add(gap_ms);
        let before = places[..at].last().copied().filter(reaches);
        let is_near = |place: &u32| self.spans[*place as usize].start_ms < row.ts_ms.saturating_add(gap_ms);
        let after = places.get(at).copied().filter(is_near);
        match (before, after) {
            (None, None) => {
                let end_ms = row.ts_ms.saturating_add(gap_ms);
                if end_ms.saturating_add(self.horizon_ms) <= self.closers.seen(row.closer) {
                    return Err(Without::Expired);
                }
                let span = Span {
                    group: row.group,
                    closer: row.closer,
                    bay: row.bay,
                    start_ms: row.ts_ms,
                    last_ms: row.ts_ms,
                    ended_ms: OPEN,
                    due_ms: end_ms,
                };
                Ok((self.begin(span)?, None))
            }
            (Some(place), other) => {
                let span = &mut self.spans[place as usize];
                span.last_ms = span.last_ms.max(row.ts_ms);
                Ok((place, other))
            }
            (None, Some(place)) => {
                self.withdraw(place);
                self.spans[place as usize].start_ms = row.ts_ms;
                Ok((place, None))
            }
        }
    }

    /// Session `other`, the later one, becomes part of `place`.
    pub(super) fn join(&mut self, place: u32, other: u32) -> Result<(), WindowError> {
        self.withdraw(other);
        self.states.grow(self.spans.len());
        self.states.merge(place, other).map_err(WindowError::State)?;
        let last_ms = self.span(other).last_ms;
        self.drop_span(other);
        let span = &mut self.spans[place as usize];
        span.last_ms = span.last_ms.max(last_ms);
        if let Some(mark) = self.states.marks.get_mut(place as usize) {
            mark.changed = true;
        }
        self.changed.insert(place);
        Ok(())
    }

    /// What was said of a span is said no more: its window will be another one.
    fn withdraw(&mut self, place: u32) {
        let span = self.span(place);
        let Some(mark) = self.states.marks.get_mut(place as usize) else { return };
        if mark.revision > 0 {
            let before = std::mem::take(mark);
            let end_ms = self.end_of(&span);
            let Span { group, start_ms, .. } = span;
            if before.is_told {
                self.withdrawn.push(Withdrawn { group, start_ms, end_ms, revision: before.revision + 1 });
            }
            self.changed.insert(place);
        }
    }
}
