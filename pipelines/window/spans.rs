//! Windows that the rows or the work make: a session ends when nothing has come for its gap, a step when it is finished.
//!
//! Each group has its spans, sorted by start, each with a place for its states in one pane. A row finds its span, makes
//! it longer, or joins two; places are used again when the correction horizon has passed. A session that a correction
//! makes begin earlier, or joins to another, is another window: the one that was told is withdrawn.

mod calendar;
mod closing;
mod newest;
mod routing;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::Result;
use ingest::series::SeriesTable;

use self::calendar::Calendar;
use self::newest::Newest;
use super::frontier::Closers;
use super::groups::{GroupTable, OUTSIDE};
use super::pane::Pane;
use super::series::OfSeries;
use super::{Input, WindowError};
use crate::plan::WindowPlan;

/// What ends a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanKind {
    /// Nothing comes for `gap_ms`.
    Session { gap_ms: i64 },
    /// The step is finished; or the shift or the day is over, which is known beforehand.
    Step,
}

/// A step that nobody finishes, and to which nothing comes for so long, is forgotten.
const ABANDONED_MS: i64 = 30 * 86_400_000;

/// Spans of groups that rows make, those kept for correction among them: a row that would make one more is told, and is in
/// none. Of groups that series make there are no more than series allow.
pub(super) const SPANS_MAX: usize = 200_000;

/// Places that may lie idle before the state is made anew without them.
const IDLE_MAX: usize = 1024;

/// A window of one group.
#[derive(Clone, Copy, Debug)]
struct Span {
    group: u32,
    /// Whose watermark closes it.
    closer: u32,
    bay: u32,
    start_ms: i64,
    /// Newest row; of the last span of a group, [`Newest`] may know a newer one.
    last_ms: i64,
    /// Of a step; `OPEN` while it goes on, and for sessions.
    ended_ms: i64,
    /// When to look at it again: no later than at its end, or when it is to be forgotten.
    due_ms: i64,
}

/// A window that was told and is none any more.
#[derive(Clone, Copy, Debug)]
struct Withdrawn {
    group: u32,
    start_ms: i64,
    end_ms: i64,
    revision: u32,
}

/// Runs a [`WindowPlan`] over sessions or steps.
#[derive(Debug)]
pub struct SpanOperator {
    pub(super) plan: Arc<WindowPlan>,
    kind: SpanKind,
    horizon_ms: i64,
    of_series: OfSeries,
    /// All groups, where rows decide some of the keys.
    of_rows: Option<GroupTable>,
    pub(super) closers: Closers,
    /// States, by place.
    states: Pane,
    /// By place; those in `free` mean nothing.
    spans: Vec<Span>,
    free: Vec<u32>,
    /// Places of each group's spans, by start.
    of_group: Vec<Vec<u32>>,
    /// By group.
    newest: Vec<Newest>,
    calendar: Calendar,
    /// Spans to look at, at the next close, whatever time it is.
    changed: BTreeSet<u32>,
    withdrawn: Vec<Withdrawn>,
    /// Spans of steps, by bay and start of the run.
    of_runs: BTreeMap<(u32, i64), Vec<u32>>,
}

impl SpanOperator {
    pub(super) fn new(plan: Arc<WindowPlan>, kind: SpanKind, horizon_ms: i64) -> Result<Self> {
        Ok(SpanOperator {
            kind,
            horizon_ms,
            of_series: OfSeries::new(&plan)?,
            of_rows: OfSeries::table_of_rows(&plan)?,
            closers: Closers::new(plan.closes),
            states: Pane::new(&plan.states, None)?,
            plan,
            spans: Vec::new(),
            free: Vec::new(),
            of_group: Vec::new(),
            newest: Vec::new(),
            calendar: Calendar::default(),
            changed: BTreeSet::new(),
            withdrawn: Vec::new(),
            of_runs: BTreeMap::new(),
        })
    }

    /// How many windows it holds, those kept for correction included.
    pub(super) fn len(&self) -> usize {
        self.spans.len() - self.free.len()
    }

    pub(super) fn codes(&mut self, input: &Input<'_>, table: &SeriesTable) -> Result<Vec<u32>> {
        self.of_series.codes(&self.plan, input.series, input.ts_ms.len(), table, &mut self.closers)
    }

    /// A run of a step has ended, or ended earlier than it was told: then its windows are told again.
    pub(super) fn end_run(&mut self, bay: u32, started_ms: i64, ended_ms: i64) {
        for place in self.of_runs.get(&(bay, started_ms)).cloned().unwrap_or_default() {
            let span = &mut self.spans[place as usize];
            if span.ended_ms == ended_ms {
                continue;
            }
            span.ended_ms = ended_ms;
            self.set_due(place, ended_ms);
            if let Some(mark) = self.states.marks.get_mut(place as usize).filter(|mark| mark.is_final) {
                mark.changed = true;
                self.changed.insert(place);
            }
        }
    }

    /// End of a span; `OPEN` for a step that goes on.
    fn end_of(&self, span: &Span) -> i64 {
        match self.kind {
            SpanKind::Session { gap_ms } => span.last_ms.saturating_add(gap_ms),
            SpanKind::Step => span.ended_ms,
        }
    }

    fn set_due(&mut self, place: u32, due_ms: i64) {
        let span = &mut self.spans[place as usize];
        span.due_ms = due_ms;
        self.calendar.put(span.closer, due_ms, place);
    }

    /// Makes a span, at a place of its own.
    fn open(&mut self, span: Span) -> u32 {
        let place = match self.free.pop() {
            Some(place) => {
                self.spans[place as usize] = span;
                place
            }
            None => {
                self.spans.push(span);
                u32::try_from(self.spans.len() - 1).expect("fewer spans than rows in memory")
            }
        };
        let group = span.group as usize;
        if self.of_group.len() <= group {
            self.of_group.resize(group + 1, Vec::new());
            self.newest.resize(group + 1, Newest::NONE);
        }
        let spans = &self.spans;
        let of_group = &mut self.of_group[group];
        let is_before = |known: &u32| spans[*known as usize].start_ms < span.start_ms;
        let at = match of_group.last() {
            Some(last) if !is_before(last) => of_group.partition_point(is_before),
            _ => of_group.len(),
        };
        of_group.insert(at, place);
        self.renew(span.group);
        self.calendar.put(span.closer, span.due_ms, place);
        if self.kind == SpanKind::Step {
            self.of_runs.entry((span.bay, span.start_ms)).or_default().push(place);
        }
        place
    }

    /// Forgets a span.
    fn drop_span(&mut self, place: u32) {
        let span = self.spans[place as usize];
        let of_group = &mut self.of_group[span.group as usize];
        of_group.retain(|&known| known != place);
        if self.kind == SpanKind::Step {
            let run = (span.bay, span.start_ms);
            let of_run = self.of_runs.get_mut(&run).expect("each is listed");
            of_run.retain(|&known| known != place);
            if of_run.is_empty() {
                self.of_runs.remove(&run);
            }
        }
        self.changed.remove(&place);
        self.states.reset(place);
        self.renew(span.group);
        // What the calendar says of this place means nothing from here on.
        self.spans[place as usize].closer = OUTSIDE;
        self.free.push(place);
    }

    /// Makes the state anew when most of it is idle: places of spans, and keys that no span has any more.
    fn compact(&mut self, table: &SeriesTable) -> Result<(), WindowError> {
        let groups = self.of_rows.as_ref().map_or(0, GroupTable::len);
        let idle = self.free.len().max(groups.saturating_sub(self.len()));
        if idle <= IDLE_MAX + self.len() {
            return Ok(());
        }
        let bytes = self.encode(table).map_err(WindowError::State)?;
        let mut fresh = SpanOperator::new(Arc::clone(&self.plan), self.kind, self.horizon_ms)
            .map_err(WindowError::State)?;
        let decoded = fresh.decode(&bytes, table);
        decoded.map_err(|error| WindowError::State(datafusion::common::exec_datafusion_err!("{error}")))?;
        *self = fresh;
        Ok(())
    }
}
