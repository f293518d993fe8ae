//! Jobs that are worked on at two bays at once: a vehicle is in one place.
//!
//! A job that is pushed from bay to bay may be active on both for as long as it takes to say so. Told once it has been for
//! longer than [`MOVED_MS`], at the tick that passes that time or finds it passed, and after each step event of the job as long
//! as it is.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::StepEventKind;

use super::jobs::{JobRuns, OfJob, PlaceOf, second_of};
use super::{CardKey, Record, Run, Steps, Told};

/// As long as a vehicle takes from one bay to another.
const MOVED_MS: i64 = 60_000;

/// Jobs on two bays, and when that is too long.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Doubles {
    due: BTreeMap<CardKey, i64>,
    /// Jobs of which a step event has come since the last tick.
    changed: BTreeSet<CardKey>,
}

impl Doubles {
    /// A step event of a job has come.
    pub(super) fn change(&mut self, key: CardKey) {
        self.changed.insert(key);
    }

    /// Only jobs are looked at whose progress is known.
    pub(super) fn forget(&mut self, is_known: impl Fn(&CardKey) -> bool) {
        self.due.retain(|key, _| is_known(key));
        self.changed.retain(is_known);
    }

    /// For the hash of the state.
    pub(in crate::engine) fn state_lines(&self) -> impl Iterator<Item = String> {
        let due = self.due.iter().map(|(key, due_ms)| format!("double {key:?} {due_ms}"));
        due.chain(self.changed.iter().map(|key| format!("double {key:?} changed")))
    }
}

impl Steps {
    /// Jobs that have been worked on at two bays for too long by `at_ms`.
    pub(in crate::engine) fn pass_doubles(&mut self, at_ms: i64, place_of: PlaceOf<'_>) -> Vec<OfJob> {
        let passing = self.doubles.due.iter().filter(|(_, due_ms)| **due_ms <= at_ms).map(|(key, _)| key);
        let concerned: BTreeSet<CardKey> = self.doubles.changed.iter().chain(passing).cloned().collect();
        if concerned.is_empty() {
            return Vec::new();
        }
        let Doubles { mut due, changed } = std::mem::take(&mut self.doubles);
        let runs = self.runs_of(&concerned, place_of);
        for key in changed {
            match double(&runs, &key) {
                Some((since_ms, ..)) => due.insert(key, since_ms.saturating_add(MOVED_MS + 1).max(at_ms)),
                None => due.remove(&key),
            };
        }
        let passed: Vec<(CardKey, i64)> = due.extract_if(.., |_, due_ms| *due_ms <= at_ms).collect();
        let told = passed.into_iter().filter_map(|((site, job), ts_ms)| {
            let (_, first, (bay, run)) = double(&runs, &(site.clone(), job))?;
            Some(OfJob { site, bay: Some(bay), told: told(run, ts_ms, &place_of(first).1) })
        });
        let told = told.collect();
        self.doubles = Doubles { due, changed: BTreeSet::new() };
        told
    }

    /// The next whole second after `at_ms` at which there is one.
    pub(in crate::engine) fn next_double_ms(&self, at_ms: i64) -> Option<i64> {
        self.doubles.due.values().map(|&ms| second_of(ms)).filter(|&ms| ms > at_ms).min()
    }
}

/// Since when a job is worked on at two bays, the bay where it was first, and the run on the other.
fn double<'a>(runs: &JobRuns<'a>, key: &CardKey) -> Option<(i64, u32, (u32, &'a Run))> {
    let mut active: Vec<(i64, u32, &Run)> = Vec::new();
    for &(bay, run) in runs.get(key)?.iter().filter(|(_, run)| !run.is_paused()) {
        let resumed_ms = run.pauses.last().and_then(|(_, to_ms)| *to_ms);
        active.push((resumed_ms.map_or(run.started_ms, |ms| ms.max(run.started_ms)), bay, run));
    }
    active.sort_by_key(|(since_ms, bay, run)| (*since_ms, *bay, run.id));
    let &(_, first, _) = active.first()?;
    let &(since_ms, bay, run) = active.iter().find(|(_, bay, _)| *bay != first)?;
    Some((since_ms, first, (bay, run)))
}

fn told(run: &Run, ts_ms: i64, first_bay: &str) -> Told {
    let record = Record::unsent(StepEventKind::Doubled, ts_ms, run);
    let run = Run { overlaps: Some(first_bay.into()), ..run.clone() };
    Told { record, run: Some(run), facts: super::JobFacts::default() }
}
