//! The steps of one bay: its events in event time, and the runs and spans that follow from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::readings::{JobCard, PlannedStep, StepEventKind};
use rustc_hash::FxHashMap;

use super::{JobFacts, Record, Run, RunId, Told, needs_start, overrun};

/// From `from_ms` on, up to the next span, `run` is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Span {
    from_ms: i64,
    run: Option<u32>,
}

/// The steps of one bay.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct BaySteps {
    /// In (ts, message, index) order.
    pub(super) events: Vec<Record>,
    /// By start.
    pub runs: Vec<Run>,
    spans: Vec<Span>,
    /// How far recordings have come: a run out of one that has no end is active up to here, and says nothing of what is live.
    #[serde(default)]
    pub(super) imported_until_ms: i64,
}

impl BaySteps {
    /// Takes an event in. Most are the newest, and touch the runs that have no end, not all that are kept.
    pub(super) fn insert(&mut self, record: Record, card: Option<&JobCard>) {
        let key = |record: &Record| (record.ts_ms, record.message, record.index);
        let place = self.events.partition_point(|known| key(known) <= key(&record));
        let mut open = self.open();
        // How long what was imported goes on is told by what else was.
        let is_live = !record.is_imported && open.iter().all(|&run| !self.runs[run].is_imported);
        let is_last = self.spans.last().is_none_or(|last| last.from_ms <= record.ts_ms);
        let is_newest = is_live && is_last && place == self.events.len();
        self.events.insert(place, record);
        if !is_newest {
            return self.rebuild(card);
        }
        let newest = &self.events[place];
        if apply(&mut self.runs, &mut open, newest, None, card) {
            let span = Span { from_ms: newest.ts_ms, run: open.last().map(|&run| number(run)) };
            // Of a moment there is one span, as all that happened in it says.
            self.spans.pop_if(|last| last.from_ms == span.from_ms);
            self.spans.push(span);
        }
    }

    /// Places of the runs that nobody has ended, by start.
    fn open(&self) -> Vec<usize> {
        (0..).zip(&self.runs).filter(|(_, run)| run.ended_ms.is_none()).map(|(place, _)| place).collect()
    }

    /// Runs and spans from the events.
    pub(super) fn rebuild(&mut self, card: Option<&JobCard>) {
        let mut known: BTreeMap<RunId, Run> =
            std::mem::take(&mut self.runs).into_iter().map(|run| (run.id, run)).collect();
        let mut open = Vec::new();
        for record in &self.events {
            let id = RunId { message: record.message, index: record.index };
            apply(&mut self.runs, &mut open, record, known.remove(&id), card);
        }
        self.respan();
    }

    /// Recordings have come as far as `newest_ms`.
    pub(crate) fn import_until(&mut self, newest_ms: i64) {
        if newest_ms >= self.imported_until_ms && self.runs.iter().any(|run| run.is_imported) {
            self.imported_until_ms = newest_ms + 1;
            self.respan();
        }
    }

    /// In the order of time: of the runs that are active from a border on, the one that started last counts.
    fn respan(&mut self) {
        let imported_until_ms = self.imported_until_ms;
        let ended_ms = |run: &Run| {
            let is_open_past = run.is_imported && run.ended_ms.is_none();
            if is_open_past { Some(imported_until_ms.max(run.started_ms)) } else { run.ended_ms }
        };
        // An end stands before the starts of its moment: a run that ends when it starts is never active.
        let mut borders: Vec<(i64, bool, usize)> = Vec::with_capacity(2 * self.runs.len());
        for (place, run) in self.runs.iter().enumerate() {
            borders.push((run.started_ms, true, place));
            borders.extend(ended_ms(run).map(|ended_ms| (ended_ms, false, place)));
        }
        borders.sort_unstable();
        let mut active = BTreeSet::new();
        self.spans.clear();
        for moment in borders.chunk_by(|one, other| one.0 == other.0) {
            let from_ms = moment[0].0;
            for &(_, starts, run) in moment {
                if starts && ended_ms(&self.runs[run]).is_none_or(|ended_ms| from_ms < ended_ms) {
                    active.insert(run);
                } else if !starts {
                    active.remove(&run);
                }
            }
            self.spans.push(Span { from_ms, run: active.last().map(|&run| number(run)) });
        }
    }

    /// Which of [`BaySteps::runs`] was active at `ts_ms`, and from when until when that holds.
    #[must_use]
    pub(crate) fn active(&self, ts_ms: i64) -> ((i64, i64), Option<usize>) {
        let next = self.spans.partition_point(|span| span.from_ms <= ts_ms);
        let until_ms = self.spans.get(next).map_or(i64::MAX, |next| next.from_ms);
        match next.checked_sub(1).map(|at| self.spans[at]) {
            None => ((i64::MIN, until_ms), None),
            Some(Span { from_ms, run }) => ((from_ms, until_ms), run.map(|run| run as usize)),
        }
    }

    /// Events before `before_ms` that have not been told, or were refused and have a start now, and over-runs before `overran_before_ms`, in event time, each with
    /// its run as known now.
    pub(crate) fn tell(&mut self, before_ms: i64, overran_before_ms: i64) -> Vec<Told> {
        let mut told = Vec::new();
        for place in 0..self.events.len() {
            if self.events[place].ts_ms >= before_ms {
                break;
            }
            let event = &self.events[place];
            if event.told && !event.is_refused {
                continue;
            }
            let run = self.run_of(event).cloned();
            let is_refused = run.is_none() && needs_start(event.event);
            if event.is_refused && is_refused {
                continue;
            }
            let event = &mut self.events[place];
            (event.told, event.is_refused) = (true, is_refused);
            let raw = event.raw.take();
            let record = Record { raw, ..event.clone() };
            told.push(Told { record, run, facts: JobFacts::default() });
        }
        let overran = self.runs.iter_mut().flat_map(|run| overrun::tell(run, overran_before_ms));
        let events = told.len();
        told.extend(overran);
        if told.len() > events {
            // What happens when it is over is behind that.
            told.sort_by_key(|told| told.record.ts_ms);
        }
        told
    }

    /// The run that an event opened, changed or closed.
    fn run_of(&self, record: &Record) -> Option<&Run> {
        let same =
            |run: &&Run| run.job == record.job && run.step == record.step && run.started_ms <= record.ts_ms;
        let mut runs = self.runs.iter().rev().filter(same);
        match record.event {
            StepEventKind::Started => runs.next(),
            StepEventKind::Finished | StepEventKind::Failed => {
                runs.find(|run| run.ended_ms == Some(record.ts_ms))
            }
            StepEventKind::Paused | StepEventKind::Resumed => {
                runs.find(|run| run.ended_ms.is_none_or(|ended_ms| record.ts_ms <= ended_ms))
            }
            _ => runs.next(),
        }
    }

    /// Forgets told events of runs that ended before `before_ms`, and stray ones that old; and runs that nobody has ended
    /// since `abandoned_ms`. What has not been told yet keeps its run, however far the watermark has gone at once.
    pub(crate) fn forget(&mut self, before_ms: i64, abandoned_ms: i64) {
        let untold_ms =
            self.events.iter().find(|record| !record.told).map_or(i64::MAX, |record| record.ts_ms);
        let (before_ms, abandoned_ms) = (before_ms.min(untold_ms), abandoned_ms.min(untold_ms));
        if self.events.first().is_none_or(|first| first.ts_ms >= before_ms) {
            return;
        }
        let kept = self.runs.iter().filter(|run| match run.ended_ms {
            Some(ended_ms) => ended_ms >= before_ms,
            None => run.started_ms >= abandoned_ms,
        });
        // When the first kept run of a step began.
        let mut began_ms: FxHashMap<(&str, &str), i64> = FxHashMap::default();
        for run in kept {
            let began_ms = began_ms.entry((&run.job, &run.step)).or_insert(run.started_ms);
            *began_ms = run.started_ms.min(*began_ms);
        }
        let events = self.events.len();
        self.events.retain(|record| {
            let began_ms = began_ms.get(&(&*record.job, &*record.step));
            let is_of_kept_run = began_ms.is_some_and(|began_ms| record.ts_ms >= *began_ms);
            !record.told || record.ts_ms >= before_ms || is_of_kept_run
        });
        if self.events.len() < events {
            self.rebuild(None);
        }
    }

    /// The run that is active at the end of what is known: what a board shows.
    #[must_use]
    pub(crate) fn current(&self) -> Option<&Run> {
        self.spans.last().and_then(|span| span.run).map(|run| &self.runs[run as usize])
    }
}

fn number(run: usize) -> u32 {
    u32::try_from(run).expect("few runs are kept")
}

/// What an event does to the runs, of which those at the places `open` have no end; whether one began or ended. `before` is
/// the run that the event opened when it was last applied.
fn apply(
    runs: &mut Vec<Run>,
    open: &mut Vec<usize>,
    record: &Record,
    before: Option<Run>,
    card: Option<&JobCard>,
) -> bool {
    let is_same = |&place: &usize| runs[place].job == record.job && runs[place].step == record.step;
    let found = open.iter().rposition(is_same);
    match (record.event, found) {
        (StepEventKind::Started, None) => {
            let overlaps =
                open.last().map(|&other| format!("{}/{}", runs[other].job, runs[other].step).into());
            open.push(runs.len());
            let (plan, is_joined, uncounted, overruns_told) = match before {
                Some(run) => (run.plan, run.is_joined, run.uncounted, run.overruns_told),
                None => {
                    let card = card.filter(|card| *card.job == *record.job);
                    (card.and_then(|card| planned(card, &record.step)), false, BTreeSet::new(), 0)
                }
            };
            runs.push(Run {
                id: RunId { message: record.message, index: record.index },
                job: Arc::clone(&record.job),
                step: Arc::clone(&record.step),
                technician: record.technician.clone(),
                started_ms: record.ts_ms,
                ended_ms: None,
                pauses: Vec::new(),
                plan,
                is_joined,
                uncounted,
                overlaps,
                is_imported: record.is_imported,
                overruns_told,
                limits: FxHashMap::default(),
            });
            true
        }
        (StepEventKind::Paused, Some(found)) => {
            let run = &mut runs[open[found]];
            if !run.is_paused() {
                run.pauses.push((record.ts_ms, None));
            }
            false
        }
        (StepEventKind::Resumed, Some(found)) => {
            let run = &mut runs[open[found]];
            if run.is_paused()
                && let Some(pause) = run.pauses.last_mut()
            {
                pause.1 = Some(record.ts_ms);
            }
            false
        }
        (StepEventKind::Finished | StepEventKind::Failed, Some(found)) => {
            runs[open.remove(found)].ended_ms = Some(record.ts_ms);
            true
        }
        _ => false,
    }
}

/// What a card plans for a step.
pub(super) fn planned(card: &JobCard, step: &str) -> Option<Arc<PlannedStep>> {
    card.steps.iter().find(|planned| planned.step == step).map(|planned| Arc::new(planned.clone()))
}
