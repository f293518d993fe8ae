//! Jobs whose promise is at risk while nobody works on them: as time goes by, what is left does not fit any more.
//!
//! Of a job that is worked on, its step events and over-runs tell. Otherwise the moment follows from its card, the calendar
//! and what is finished alone; it is found when one of these changes, and told at the tick that passes it. A card that is new
//! or says something else is told as well, so that a later promise takes the risk away.
//!
//! A moment is looked for at ticks alone, so it is never told of a time before the tick that found it.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::{JobCard, NONE, StepEventKind};

use super::jobs::{OfJob, PlaceOf, second_of};
use super::progress::AHEAD_MAX_MS;
use super::{CardKey, Progress, Record, Run, Steps, Told};
use crate::calendar::{CalendarUnit, SiteCalendar};

/// So much work too much is told: a moment has no length.
const LATE_MS: i64 = 1_000;

/// What is to be told of promises, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Promises {
    /// When the time that is left becomes too short.
    due: BTreeMap<CardKey, i64>,
    /// Jobs of which something has come since the last tick, and whether that is a card.
    changed: BTreeMap<CardKey, bool>,
    /// Those of which it has been told.
    late: BTreeSet<CardKey>,
    /// The first of `due`.
    #[serde(skip)]
    next_ms: Option<i64>,
}

impl Promises {
    /// A step event or a card of a job has come.
    pub(super) fn change(&mut self, key: CardKey, is_card: bool) {
        *self.changed.entry(key).or_default() |= is_card;
    }

    /// As it was before a checkpoint.
    pub(super) fn restored(self) -> Self {
        Promises { next_ms: self.due.values().copied().min(), ..self }
    }

    /// Only jobs with a card are looked at.
    pub(super) fn forget(&mut self, has_card: impl Fn(&CardKey) -> bool) {
        self.due.retain(|key, _| has_card(key));
        self.changed.retain(|key, _| has_card(key));
        self.late.retain(|key| has_card(key));
        self.next_ms = self.due.values().copied().min();
    }

    /// For the hash of the state.
    pub(in crate::engine) fn state_lines(&self) -> impl Iterator<Item = String> {
        let due = self.due.iter().map(|(key, due_ms)| format!("promise {key:?} {due_ms}"));
        let changed = self.changed.iter().map(|(key, is_card)| format!("promise {key:?} changed {is_card}"));
        due.chain(changed).chain(self.late.iter().map(|key| format!("promise {key:?} late")))
    }
}

impl Steps {
    /// What is to be told of promises by `at_ms`, on sites of which `is_known` says that something has been heard.
    pub(in crate::engine) fn pass_promises<'a>(
        &mut self,
        at_ms: i64,
        calendar_of: impl Fn(&str) -> &'a SiteCalendar,
        is_known: impl Fn(&str) -> bool,
        place_of: PlaceOf<'_>,
    ) -> Vec<OfJob> {
        let is_due = self.promises.next_ms.is_some_and(|next_ms| next_ms <= at_ms);
        if !is_due && self.promises.changed.is_empty() {
            return Vec::new();
        }
        let Promises { mut due, changed, mut late, .. } = std::mem::take(&mut self.promises);
        let (changed, waiting): (BTreeMap<_, _>, _) =
            changed.into_iter().partition(|((site, _), _)| is_known(site));
        let passing = due.iter().filter(|(_, due_ms)| **due_ms <= at_ms).map(|(key, _)| key);
        let concerned: BTreeSet<CardKey> = changed.keys().chain(passing).cloned().collect();
        let runs = self.runs_of(&concerned, place_of);
        let mut told = Vec::new();
        for (key, is_card) in changed {
            due.remove(&key);
            let Some(of_job) = self.of_job(&key, runs.get(&key)) else { continue };
            let calendar = calendar_of(&key.0);
            if is_card {
                told.push(of_job.row(StepEventKind::Planned, at_ms, calendar));
            }
            match of_job.late_ms(at_ms, calendar) {
                Some(late_ms) if late_ms <= at_ms && is_card => {
                    late.insert(key);
                }
                Some(late_ms) if late_ms > at_ms || !late.contains(&key) => {
                    late.remove(&key);
                    due.insert(key, late_ms.max(at_ms));
                }
                Some(_) => {}
                None => {
                    late.remove(&key);
                }
            }
        }
        let passed: Vec<(CardKey, i64)> = due.extract_if(.., |_, due_ms| *due_ms <= at_ms).collect();
        for (key, due_ms) in passed {
            if let Some(of_job) = self.of_job(&key, runs.get(&key)) {
                told.push(of_job.row(StepEventKind::Slipped, due_ms, calendar_of(&key.0)));
                late.insert(key);
            }
        }
        let next_ms = due.values().copied().min();
        self.promises = Promises { due, changed: waiting, late, next_ms };
        told
    }

    /// The next whole second after `at_ms` at which there is something to tell.
    pub(in crate::engine) fn next_promise_ms(&self, at_ms: i64) -> Option<i64> {
        self.promises.next_ms.map(second_of).filter(|&ms| ms > at_ms)
    }

    /// All that is known of promises is looked at anew: they were not kept, or times have other shifts.
    pub(in crate::engine) fn look_at_promises_anew(&mut self) {
        let keys: Vec<CardKey> = self.cards.keys().cloned().collect();
        keys.into_iter().for_each(|key| self.promises.change(key, false));
    }

    fn of_job<'a>(&'a self, key: &'a CardKey, runs: Option<&Vec<(u32, &'a Run)>>) -> Option<Waiting<'a>> {
        let (message, card) = self.cards.get(key)?;
        let progress = self.progress.get(key);
        let newest = runs.and_then(|runs| runs.last());
        let is_worked_on = runs.is_some_and(|runs| runs.iter().any(|(_, run)| !run.is_paused()));
        let message = progress.map_or(*message, |progress| progress.message.max(*message));
        let (bay, run) = (newest.map(|(bay, _)| *bay), newest.map(|(_, run)| *run));
        Some(Waiting { key, message, card, progress, bay, run, is_worked_on })
    }
}

/// A job, and where it is.
struct Waiting<'a> {
    key: &'a CardKey,
    /// Ordinal of its newest message.
    message: u64,
    card: &'a JobCard,
    progress: Option<&'a Progress>,
    bay: Option<u32>,
    run: Option<&'a Run>,
    is_worked_on: bool,
}

impl Waiting<'_> {
    /// When what is left does not fit any more; none while it is worked on, when nothing is left, and of a promise that has
    /// been broken: that is no risk.
    fn late_ms(&self, at_ms: i64, calendar: &SiteCalendar) -> Option<i64> {
        let facts = self.row(StepEventKind::Slipped, at_ms, calendar).told.facts;
        let (promised_ms, remaining_ms, _) = (facts.promised_ms?, facts.remaining_ms?, facts.slack_ms?);
        let is_open = !self.is_worked_on && promised_ms > at_ms && remaining_ms > LATE_MS;
        is_open.then(|| calendar.worked_back_ms(promised_ms, remaining_ms - LATE_MS)).flatten()
    }

    fn row(&self, event: StepEventKind, ts_ms: i64, calendar: &SiteCalendar) -> OfJob {
        let unworked = Progress::default();
        let progress = self.progress.unwrap_or(&unworked);
        let next = self.card.steps.iter().find(|step| !progress.is_finished(&step.step, ts_ms));
        let step = match (self.run, next) {
            (Some(run), _) => run.step.clone(),
            (None, next) => next.map_or("", |step| step.step.as_str()).into(),
        };
        let record = Record {
            ts_ms,
            message: self.message,
            index: 0,
            arrived_ms: ts_ms,
            seq: NONE,
            job: self.key.1.as_ref().into(),
            step,
            technician: self.run.and_then(|run| run.technician.clone()),
            event,
            told: true,
            is_refused: false,
            raw: None,
            is_imported: false,
        };
        let facts = progress.facts(&record, self.run, Some(self.card), calendar);
        let told = Told { record, run: self.run.cloned(), facts };
        OfJob { site: self.key.0.clone(), bay: self.bay, told }
    }
}

impl SiteCalendar {
    /// Where work of `work_ms` has to begin to end at `end_ms`; none further back than a promise is looked at.
    fn worked_back_ms(&self, end_ms: i64, work_ms: i64) -> Option<i64> {
        let (mut at_ms, mut left_ms) = (end_ms, work_ms);
        while end_ms - at_ms <= AHEAD_MAX_MS {
            let stretch = self.stretch(CalendarUnit::Shift, at_ms - 1)?;
            if stretch.is_window && at_ms - stretch.start_ms >= left_ms {
                return Some(at_ms - left_ms);
            }
            left_ms -= if stretch.is_window { at_ms - stretch.start_ms } else { 0 };
            if stretch.start_ms == i64::MIN {
                return None;
            }
            at_ms = stretch.start_ms;
        }
        None
    }
}
