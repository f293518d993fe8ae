//! The steps of one bay: its events in event time, and the runs and spans that follow from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::readings::{JobCard, StepEventKind};
use rustc_hash::FxHashMap;

use super::{JobFacts, Record, Run, RunId, Told, planned};

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
    events: Vec<Record>,
    /// By start.
    pub runs: Vec<Run>,
    spans: Vec<Span>,
    /// How far recordings have come: a run out of one that has no end is active up to here, and says nothing of what is live.
    #[serde(default)]
    imported_until_ms: i64,
}

impl BaySteps {
    pub(super) fn insert(&mut self, record: Record, card: Option<&JobCard>) {
        let key = |record: &Record| (record.ts_ms, record.message, record.index);
        let place = self.events.partition_point(|known| key(known) <= key(&record));
        self.events.insert(place, record);
        self.rebuild(card);
    }

    /// Runs and spans from the events. Few events are kept, and new ones are rare.
    fn rebuild(&mut self, card: Option<&JobCard>) {
        let known: BTreeMap<RunId, Run> =
            std::mem::take(&mut self.runs).into_iter().map(|run| (run.id, run)).collect();
        for record in &self.events {
            let same =
                |run: &&mut Run| run.job == record.job && run.step == record.step && run.ended_ms.is_none();
            let open = self.runs.iter_mut().rev().find(same);
            match (record.event, open) {
                (StepEventKind::Started, None) => {
                    let id = RunId { message: record.message, index: record.index };
                    let before = known.get(&id);
                    let plan = match before {
                        Some(run) => run.plan.clone(),
                        None => card
                            .filter(|card| *card.job == *record.job)
                            .and_then(|card| planned(card, &record.step)),
                    };
                    let other = self.runs.iter().rev().find(|run| run.ended_ms.is_none());
                    let overlaps = other.map(|run| Arc::from(format!("{}/{}", run.job, run.step)));
                    self.runs.push(Run {
                        id,
                        job: Arc::clone(&record.job),
                        step: Arc::clone(&record.step),
                        technician: record.technician.clone(),
                        started_ms: record.ts_ms,
                        ended_ms: None,
                        pauses: Vec::new(),
                        plan,
                        is_joined: before.is_some_and(|run| run.is_joined),
                        uncounted: before.map(|run| run.uncounted.clone()).unwrap_or_default(),
                        overlaps,
                        is_imported: record.is_imported,
                        limits: FxHashMap::default(),
                    });
                }
                (StepEventKind::Paused, Some(run)) if !run.is_paused() => {
                    run.pauses.push((record.ts_ms, None))
                }
                (StepEventKind::Resumed, Some(run)) if run.is_paused() => {
                    if let Some(pause) = run.pauses.last_mut() {
                        pause.1 = Some(record.ts_ms);
                    }
                }
                (StepEventKind::Finished | StepEventKind::Failed, Some(run)) => {
                    run.ended_ms = Some(record.ts_ms)
                }
                _ => {}
            }
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

    fn respan(&mut self) {
        let imported_until_ms = self.imported_until_ms;
        let ended_ms = |run: &Run| {
            let is_open_past = run.is_imported && run.ended_ms.is_none();
            if is_open_past { Some(imported_until_ms.max(run.started_ms)) } else { run.ended_ms }
        };
        let mut borders: Vec<i64> =
            self.runs.iter().flat_map(|run| [Some(run.started_ms), ended_ms(run)]).flatten().collect();
        borders.sort_unstable();
        borders.dedup();
        self.spans.clear();
        for from_ms in borders {
            let active = |run: &Run| {
                run.started_ms <= from_ms && ended_ms(run).is_none_or(|ended_ms| from_ms < ended_ms)
            };
            let run =
                self.runs.iter().rposition(active).map(|run| u32::try_from(run).expect("few runs are kept"));
            self.spans.push(Span { from_ms, run });
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

    /// Events before `before_ms` that have not been told, in event time, each with its run as known now.
    pub(crate) fn tell(&mut self, before_ms: i64) -> Vec<Told> {
        let mut told = Vec::new();
        for place in 0..self.events.len() {
            if self.events[place].ts_ms >= before_ms {
                break;
            }
            if self.events[place].told {
                continue;
            }
            self.events[place].told = true;
            let raw = self.events[place].raw.take();
            let record = Record { raw, ..self.events[place].clone() };
            let run = self.run_of(&record).cloned();
            told.push(Told { record, run, facts: JobFacts::default() });
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
        let kept: Vec<(Arc<str>, Arc<str>, i64)> = self
            .runs
            .iter()
            .filter(|run| match run.ended_ms {
                Some(ended_ms) => ended_ms >= before_ms,
                None => run.started_ms >= abandoned_ms,
            })
            .map(|run| (Arc::clone(&run.job), Arc::clone(&run.step), run.started_ms))
            .collect();
        let events = self.events.len();
        self.events.retain(|record| {
            let of_kept_run = kept.iter().any(|(job, step, started_ms)| {
                *job == record.job && *step == record.step && record.ts_ms >= *started_ms
            });
            !record.told || record.ts_ms >= before_ms || of_kept_run
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
