//! Which step was active on a bay, and when: an as-of join over the step events of each bay.
//!
//! A bay's events are kept in event time, so one that comes a little late still finds its place. A step is
//! active from its start up to its finish, the end not included; where two overlap on a bay, the later
//! start wins. From the events follow the runs (one start to one finish), and from the runs the spans: for
//! each stretch of time the one run that is active, or none.

mod bay;
mod doubles;
mod ends;
mod jobs;
mod known;
mod overrun;
mod parts;
mod progress;
mod promises;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::readings::{Event, JobCard, PlannedStep, StepEvent, StepEventKind};
use rustc_hash::FxHashMap;

pub(super) use self::bay::BaySteps;
use self::doubles::Doubles;
pub(super) use self::jobs::OfJob;
pub(super) use self::known::Known;
pub(super) use self::progress::{JobFacts, Progress};
use self::promises::Promises;
use super::limits::StepLimits;

/// A step event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Record {
    pub ts_ms: i64,
    pub message: u64,
    pub index: u32,
    pub arrived_ms: i64,
    pub seq: i64,
    pub job: Arc<str>,
    pub step: Arc<str>,
    pub technician: Option<Arc<str>>,
    pub event: StepEventKind,
    /// Its row has been emitted, or it has been refused.
    pub told: bool,
    /// It was refused because no start precedes it. Its row is told once one does.
    #[serde(default)]
    pub is_refused: bool,
    /// Topic and payload as they came, of an event that asks for a start, until it is told.
    #[serde(default)]
    pub raw: Option<(Box<str>, Box<str>)>,
    /// It came out of a recording: told, and neither judged nor booked.
    #[serde(default)]
    pub is_imported: bool,
}

/// Names a run for as long as it is kept: journal place of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct RunId {
    pub message: u64,
    pub index: u32,
}

/// One stretch of work on a step.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Run {
    pub id: RunId,
    pub job: Arc<str>,
    pub step: Arc<str>,
    pub technician: Option<Arc<str>>,
    pub started_ms: i64,
    /// Not included.
    pub ended_ms: Option<i64>,
    /// Pauses as (from, to); the last may be open.
    pub pauses: Vec<(i64, Option<i64>)>,
    /// The job card's step, if there is one.
    pub plan: Option<Arc<PlannedStep>>,
    /// Rows have been joined to it.
    pub is_joined: bool,
    /// Metrics that a card expected only when rows had been joined already: how many of these there were is not known.
    pub uncounted: BTreeSet<String>,
    /// The step that was open on the bay when this one started.
    pub overlaps: Option<Arc<str>>,
    /// Its start came out of a recording.
    #[serde(default)]
    pub is_imported: bool,
    /// How many levels of over-run were told.
    #[serde(default)]
    pub overruns_told: u8,
    /// What the plan says of a series, found once. Left out of snapshots.
    #[serde(skip)]
    pub limits: FxHashMap<u32, StepLimits>,
}

impl Run {
    /// Worked time up to `until_ms`, pauses subtracted, in milliseconds.
    #[must_use]
    pub(super) fn worked_ms(&self, until_ms: i64) -> i64 {
        let until_ms = self.ended_ms.map_or(until_ms, |ended_ms| ended_ms.min(until_ms));
        let paused_ms: i64 = self
            .pauses
            .iter()
            .map(|&(from_ms, to_ms)| to_ms.unwrap_or(until_ms).min(until_ms) - from_ms.min(until_ms))
            .sum();
        (until_ms - self.started_ms - paused_ms).max(0)
    }

    /// Takes another card's word in.
    fn replan(&mut self, plan: Option<Arc<PlannedStep>>) {
        if self.is_joined {
            let expects = |plan: &Option<Arc<PlannedStep>>, metric: &str| {
                plan.iter().flat_map(|plan| &plan.expect).any(|expect| expect.metric == metric)
            };
            let new = plan.iter().flat_map(|plan| &plan.expect).map(|expect| &expect.metric);
            self.uncounted.extend(new.filter(|metric| !expects(&self.plan, metric)).cloned());
        }
        self.plan = plan;
        self.limits.clear();
    }

    /// Whether it is paused at the end of what is known.
    #[must_use]
    pub(super) fn is_paused(&self) -> bool {
        self.ended_ms.is_none() && self.pauses.last().is_some_and(|(_, to_ms)| to_ms.is_none())
    }
}

/// Site and job.
type CardKey = (Box<str>, Box<str>);

/// What is known of the steps of all bays, and the job cards.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    bays: Vec<BaySteps>,
    /// Newest card by (site, job), with the ordinal of its message.
    cards: BTreeMap<CardKey, (u64, Arc<JobCard>)>,
    /// How far the jobs of steps have come, by (site, job).
    progress: BTreeMap<CardKey, Progress>,
    /// What time does to promises.
    pub promises: Promises,
    /// Jobs on two bays.
    pub doubles: Doubles,
}

/// A step event whose time has come: a row of stream `steps`, or a reject.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub record: Record,
    /// The run it belongs to; none for a finish, pause or resume that no start precedes.
    pub run: Option<Run>,
    /// What its job is like.
    pub facts: JobFacts,
}

impl Told {
    /// Whether it asks for a step that had not been started.
    #[must_use]
    pub(super) fn is_stray(&self) -> bool {
        self.record.is_refused
    }
}

fn needs_start(event: StepEventKind) -> bool {
    use StepEventKind::{Failed, Finished, Paused, Resumed};
    matches!(event, Finished | Failed | Paused | Resumed)
}

impl Steps {
    /// The steps of `bay`.
    #[must_use]
    pub(super) fn bay(&self, bay: u32) -> Option<&BaySteps> {
        self.bays.get(bay as usize)
    }

    /// The same, to change; made when new.
    pub(super) fn bay_mut(&mut self, bay: u32) -> &mut BaySteps {
        let index = bay as usize;
        if index >= self.bays.len() {
            self.bays.resize_with(index + 1, BaySteps::default);
        }
        &mut self.bays[index]
    }

    /// Takes a step event in; it is active from now on for whoever asks. `raw` are its topic and payload.
    pub(super) fn take(&mut self, site: &str, bay: u32, event: &Event, step: &StepEvent, raw: (&str, &[u8])) {
        self.take_past(site, bay, event, step, (raw, false));
    }

    /// The same, of an event that perhaps came out of a recording.
    pub(super) fn take_past(
        &mut self,
        site: &str,
        bay: u32,
        event: &Event,
        step: &StepEvent,
        (raw, is_imported): ((&str, &[u8]), bool),
    ) {
        let payload = || String::from_utf8_lossy(raw.1).into_owned().into_boxed_str();
        let record = Record {
            ts_ms: event.ts_ms,
            message: event.message,
            index: event.index,
            arrived_ms: event.arrived_ms,
            seq: event.seq,
            job: step.job.as_ref().into(),
            step: step.step.as_ref().into(),
            technician: step.technician.as_deref().map(Arc::from),
            event: step.event,
            told: false,
            is_refused: false,
            raw: needs_start(step.event).then(|| (raw.0.into(), payload())),
            is_imported,
        };
        self.progress.entry((site.into(), step.job.clone())).or_default().take(&record);
        let key: CardKey = (site.into(), step.job.clone());
        let card = self.cards.get(&key).map(|(_, card)| Arc::clone(card));
        if card.is_some() && !is_imported {
            self.promises.change(key.clone(), false);
        }
        if !is_imported {
            self.doubles.change(key);
        }
        self.bay_mut(bay).insert(record, card.as_deref());
    }

    /// Takes a job card in: it applies to its steps that are still open, and to all that start later.
    pub(super) fn take_card(
        &mut self,
        site: &str,
        message: u64,
        card: &JobCard,
        bays_of_site: impl Iterator<Item = u32>,
    ) {
        let card = Arc::new(card.clone());
        for bay in bays_of_site {
            let Some(bay) = self.bays.get_mut(bay as usize) else { continue };
            for run in bay.runs.iter_mut().filter(|run| run.ended_ms.is_none() && *run.job == *card.job) {
                run.replan(bay::planned(&card, &run.step));
            }
        }
        let key: CardKey = (site.into(), card.job.as_str().into());
        let before = self.cards.insert(key.clone(), (message, Arc::clone(&card)));
        if before.is_none_or(|(_, before)| before != card) {
            self.promises.change(key, true);
        }
    }

    /// What the newest card says of the step of `run`: that of the run itself where the card is forgotten.
    pub(super) fn newest_plan(&self, site: &str, run: &Run) -> Option<Arc<PlannedStep>> {
        match self.cards.get(&(site.into(), (&*run.job).into())) {
            Some((_, card)) => bay::planned(card, &run.step),
            None => run.plan.clone(),
        }
    }

    /// Job cards with their sites.
    pub(super) fn cards(&self) -> impl Iterator<Item = (&str, &JobCard)> {
        self.cards.iter().map(|((site, _), (_, card))| (&**site, &**card))
    }

    /// Forgets the oldest cards beyond `keep` of all sites that no open step needs, and how far the jobs have come of which
    /// nothing has been heard for longest: the bound of these tables.
    pub(super) fn bound_cards(&mut self, keep: usize) {
        if self.progress.len() > keep {
            let mut oldest: Vec<(u64, CardKey)> =
                self.progress.iter().map(|(key, progress)| (progress.message, key.clone())).collect();
            oldest.sort_unstable();
            for (_, key) in oldest.into_iter().take(self.progress.len() - keep) {
                self.progress.remove(&key);
            }
            let progress = &self.progress;
            self.doubles.forget(|key| progress.contains_key(key));
        }
        if self.cards.len() <= keep {
            return;
        }
        let runs = self.bays.iter().flat_map(|bay| &bay.runs);
        let open: BTreeSet<&str> = runs.filter(|run| run.ended_ms.is_none()).map(|run| &*run.job).collect();
        let idle = self.cards.iter().filter(|((_, job), _)| !open.contains(&**job));
        let mut idle: Vec<(u64, CardKey)> = idle.map(|(key, (message, _))| (*message, key.clone())).collect();
        idle.sort_unstable();
        for (_, key) in idle.into_iter().take(self.cards.len() - keep) {
            self.cards.remove(&key);
        }
        let cards = &self.cards;
        self.promises.forget(|key| cards.contains_key(key));
    }

    /// Open runs by bay number.
    pub(super) fn open_runs(&self) -> impl Iterator<Item = (u32, &Run)> {
        let runs =
            (0..).zip(&self.bays).flat_map(|(bay, of_bay)| of_bay.runs.iter().map(move |run| (bay, run)));
        runs.filter(|(_, run)| run.ended_ms.is_none())
    }
}

#[cfg(test)]
mod tests;
