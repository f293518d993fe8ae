//! Jobs over all bays of their site: what several step events, or none, say of them.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::{NONE, StepEventKind};

use super::{CardKey, Record, Run, Steps, Told};

/// A row of stream `steps` that nobody sends, of a job.
#[derive(Debug)]
pub(in crate::engine) struct OfJob {
    pub site: Box<str>,
    /// Where it was worked on last; none of a job that waits for its next step.
    pub bay: Option<u32>,
    pub told: Told,
}

impl Record {
    /// Of what nobody sends: it happens when it is, and has the place of what it follows from. Job, step and technician are
    /// those of `run`.
    pub(super) fn unsent(event: StepEventKind, ts_ms: i64, run: &Run) -> Self {
        Record {
            ts_ms,
            message: run.id.message,
            index: run.id.index,
            arrived_ms: ts_ms,
            seq: NONE,
            job: run.job.clone(),
            step: run.step.clone(),
            technician: run.technician.clone(),
            event,
            told: true,
            is_refused: false,
            raw: None,
            is_imported: false,
        }
    }
}

/// Site and name of a bay by its number.
pub(super) type PlaceOf<'a> = &'a dyn Fn(u32) -> &'a (Box<str>, Box<str>);

/// The runs of jobs that nobody has ended, with their bays, by start.
pub(super) type JobRuns<'a> = BTreeMap<CardKey, Vec<(u32, &'a Run)>>;

impl Steps {
    /// Of some jobs. What was imported says nothing of what is live.
    pub(super) fn runs_of(&self, jobs: &BTreeSet<CardKey>, place_of: PlaceOf<'_>) -> JobRuns<'_> {
        let names: BTreeSet<&str> = jobs.iter().map(|(_, job)| &**job).collect();
        let mut found: JobRuns<'_> = BTreeMap::new();
        let open = self.open_runs().filter(|(_, run)| !run.is_imported);
        for (bay, run) in open.filter(|(_, run)| names.contains(&*run.job)) {
            let key: CardKey = (place_of(bay).0.clone(), (&*run.job).into());
            if jobs.contains(&key) {
                found.entry(key).or_default().push((bay, run));
            }
        }
        found.values_mut().for_each(|runs| runs.sort_by_key(|(_, run)| (run.started_ms, run.id)));
        found
    }
}

/// The whole second of a tick that passes a time.
pub(super) fn second_of(ms: i64) -> i64 {
    -(-ms).div_euclid(1000) * 1000
}
