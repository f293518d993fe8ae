//! Which jobs' vehicles stand on which bays, and which of their steps may be on there though nobody has clocked them.
//!
//! A vehicle stands where a step of it is assigned, else where one was begun last, clocked or inferred; while a step of it
//! is clocked, nothing else of it is on. On a bay those to which it is assigned are the ones; without any, the one that
//! began there last.
//!
//! Of such a job may be on: the step that is inferred to go on; the one that is assigned, unless a later one has begun; the
//! next one, in the order of the card, that asks for readings or resources, for what asks for nothing says nothing when
//! it is done; and what is to be done again.

use std::collections::BTreeMap;

use ingest::units::Units;

use super::super::job::{Job, JobKey, Step, StepState};
use super::Trace;
use super::watch::Place;

/// Vehicles by bay.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    vehicles: BTreeMap<Place, BTreeMap<JobKey, Vehicle>>,
    bays: BTreeMap<JobKey, Box<str>>,
}

#[derive(Clone, Debug)]
struct Vehicle {
    /// A step of it is assigned to the bay.
    is_assigned: bool,
    /// Since when it is there.
    since_ms: i64,
    /// When a step of it began there last.
    newest_ms: i64,
}

impl Standing {
    /// A job may stand elsewhere now, or nowhere: gives back on which bay it stands.
    pub(super) fn put(&mut self, key: &JobKey, job: Option<&Job>) -> Option<Box<str>> {
        if let Some(bay) = self.bays.remove(key) {
            let place = (key.0.clone(), bay);
            if let Some(there) = self.vehicles.get_mut(&place) {
                there.remove(key);
                if there.is_empty() {
                    self.vehicles.remove(&place);
                }
            }
        }
        let (bay, vehicle) = vehicle(job?)?;
        let place = (key.0.clone(), bay.into());
        self.vehicles.entry(place).or_default().insert(key.clone(), vehicle);
        self.bays.insert(key.clone(), bay.into());
        Some(bay.into())
    }

    /// The jobs on a bay at a time.
    pub(super) fn on(&self, site: &str, bay: &str, ts_ms: i64) -> Vec<&JobKey> {
        let all = self.vehicles.get(&(site.into(), bay.into()));
        let there = || all.into_iter().flatten().filter(|(_, vehicle)| vehicle.since_ms <= ts_ms);
        let rank = |vehicle: &Vehicle| {
            (vehicle.is_assigned, if vehicle.is_assigned { 0 } else { vehicle.newest_ms })
        };
        let Some(first) = there().map(|(_, vehicle)| rank(vehicle)).max() else { return Vec::new() };
        there().filter(|(_, vehicle)| rank(vehicle) == first).map(|(key, _)| key).collect()
    }

    /// All that stand on a bay.
    pub(super) fn keys(&self, place: &Place) -> impl Iterator<Item = &JobKey> {
        self.vehicles.get(place).into_iter().flat_map(BTreeMap::keys)
    }
}

/// When and where steps of a job have begun, clocked or inferred.
fn begun(job: &Job) -> impl Iterator<Item = (i64, &str)> {
    job.steps.iter().flat_map(|step| {
        let clocked = step.head.started_ms.zip(step.head.bay.as_deref());
        let inferred = step.unclocked.inference.as_ref();
        [clocked, inferred.map(|inference| (inference.started_ms, &*inference.bay))].into_iter().flatten()
    })
}

fn vehicle(job: &Job) -> Option<(&str, Vehicle)> {
    if job.steps.iter().any(|step| matches!(step.head.state, StepState::Active | StepState::Paused)) {
        return None;
    }
    let assigned = job.steps.iter().find(|step| step.head.state == StepState::Assigned);
    let assigned = assigned.and_then(|step| Some((step.head.assigned_ms?, step.head.bay.as_deref()?)));
    let newest = begun(job).max();
    let (_, bay) = assigned.or(newest)?;
    // What began there says so as long as it has not begun elsewhere since.
    let here =
        || begun(job).filter(|(_, begun)| *begun == bay && newest.is_some_and(|(_, newest)| newest == bay));
    let since = here().chain(assigned).map(|(ms, _)| ms);
    let vehicle = Vehicle {
        is_assigned: assigned.is_some(),
        since_ms: since.min().unwrap_or(i64::MIN),
        newest_ms: here().map(|(ms, _)| ms).max().unwrap_or(i64::MIN),
    };
    Some((bay, vehicle))
}

impl Job {
    /// Places of its steps that may be on though nobody has clocked them, in the order of the card.
    pub(super) fn may_be_on(&self) -> Vec<usize> {
        let has_begun = |step: &Step| step.unclocked.inference.is_some() || step.head.started_ms.is_some();
        let last = self.steps.iter().rposition(has_begun);
        let inferred = |step: &Step| step.unclocked.inference.as_ref().map(|inference| inference.started_ms);
        let newest = (0..).zip(&self.steps).filter_map(|(place, step)| Some((inferred(step)?, place))).max();
        let mut is_next_found = false;
        let may_be_on = |(place, step): (usize, &Step)| {
            if !step.waits() {
                return None;
            }
            let is_behind = last.is_none_or(|last| place > last);
            let is_next = is_behind && !is_next_found && step.unclocked.asks.is_some();
            is_next_found |= is_next;
            let is_on = match step.head.state {
                _ if inferred(step).is_some() => newest.is_some_and(|(_, on)| on == place),
                StepState::Reworked => true,
                StepState::Assigned => is_behind || last == Some(place),
                _ => false,
            };
            (is_on || is_next).then_some(place)
        };
        self.steps.iter().enumerate().filter_map(may_be_on).collect()
    }
}

impl Step {
    /// Whether somebody may be at it whom nobody has clocked, and who is not known to be done.
    pub(super) fn waits(&self) -> bool {
        let is_open = self.unclocked.inference.as_ref().is_none_or(|inference| inference.ended_ms.is_none());
        is_open && (self.head.state.is_before_work() || self.head.state == StepState::Reworked)
    }

    /// Whether something of that time may speak of it: of what is done again, only what came after it was done.
    pub(super) fn takes_evidence(&self, ts_ms: i64) -> bool {
        self.waits() && self.head.ended_ms.is_none_or(|ended_ms| ts_ms >= ended_ms)
    }

    pub(super) fn is_assigned_to(&self, bay: &str, ts_ms: i64) -> bool {
        self.head.state == StepState::Assigned
            && self.head.bay.as_deref() == Some(bay)
            && self.head.assigned_ms.is_some_and(|assigned_ms| assigned_ms <= ts_ms)
    }

    /// Whether its card asks for something that has not all been seen.
    pub(super) fn lacks(&self, trace: &Trace, units: &Units) -> bool {
        let seen = self.unclocked.inference.as_ref().map_or(&[][..], |inference| &inference.seen);
        self.unclocked.asks.as_ref().is_some_and(|asks| asks.lack(trace, seen, units))
    }
}
