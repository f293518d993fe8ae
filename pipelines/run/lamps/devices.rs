//! What the devices of technicians are told: the steps that are theirs, with what is measured and used so far.
//!
//! Readings come faster than anybody looks: a device is told at most once a second, what is newest then.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sinks::view::{Jobs, OwnStep, OwnStepView, OwnSteps};

use super::encoded;
use crate::engine::Engine;
use crate::engine::in_work::InWork;
use crate::engine::lamps::BayName;

/// From one telling to the next of the same device, and from one look at what is measured to the next.
const INTERVAL_US: u64 = 1_000_000;

/// All devices.
#[derive(Debug, Default)]
pub(super) struct Devices {
    all: BTreeMap<BayName, Device>,
    /// What the steps were made of.
    jobs: Option<Arc<Jobs>>,
    /// Something has changed that may not be told yet.
    is_withheld: bool,
    next_us: u64,
}

#[derive(Debug)]
struct Device {
    /// What it is told, but for the time as of which that is: time alone is nothing new.
    known: Bytes,
    told: Bytes,
    /// Nothing else before that.
    next_us: u64,
}

impl Devices {
    /// Looks at what has changed, if it is time; whether one of them is told something else now.
    pub(super) fn look(&mut self, engine: &Engine, jobs: &Arc<Jobs>, now_us: u64) -> bool {
        let is_same = self.jobs.as_ref().is_some_and(|known| Arc::ptr_eq(known, jobs));
        if is_same && !self.is_withheld && now_us < self.next_us {
            return false;
        }
        self.jobs = Some(Arc::clone(jobs));
        self.next_us = now_us + INTERVAL_US;
        self.is_withheld = false;
        let mut before = std::mem::take(&mut self.all);
        let mut is_changed = false;
        for ((site, technician), own) in whose(engine, jobs) {
            let work: Vec<_> = own.iter().map(|own| in_work(engine, own)).collect();
            let known = state(technician, &own, &work, false);
            let name: BayName = (site.into(), technician.into());
            let device = match before.remove(&name) {
                Some(device) if device.known == known => device,
                Some(device) if now_us < device.next_us => {
                    self.is_withheld = true;
                    device
                }
                _ => {
                    is_changed = true;
                    let told = state(technician, &own, &work, true);
                    Device { known, told, next_us: now_us + INTERVAL_US }
                }
            };
            self.all.insert(name, device);
        }
        is_changed || !before.is_empty()
    }

    /// What each of them is told.
    pub(super) fn told(&self) -> impl Iterator<Item = (&BayName, &Bytes)> {
        self.all.iter().map(|(name, device)| (name, &device.told))
    }
}

/// The steps of all technicians that are known, by site and name, what is worked on first; of some there are none.
fn whose<'a>(engine: &'a Engine, jobs: &'a Jobs) -> BTreeMap<(&'a str, &'a str), Vec<OwnStepView<'a>>> {
    let mut all: BTreeMap<(&str, &str), Vec<OwnStepView<'_>>> = BTreeMap::new();
    for technician in engine.functions().technicians() {
        all.entry(technician).or_default();
    }
    for job in &jobs.jobs {
        for step in &job.steps {
            let Some(technician) = step.technician.as_deref() else { continue };
            let own = all.entry((job.site.as_str(), technician)).or_default();
            own.extend(OwnStepView::of(job, step));
        }
    }
    all.values_mut().for_each(|own| own.sort_by_key(OwnStepView::rank));
    all
}

/// How far a step is that goes on.
fn in_work(engine: &Engine, own: &OwnStepView<'_>) -> Option<InWork> {
    let work = engine.in_work(own.site, own.step.bay.as_deref()?)?;
    (work.job == own.job && work.step == own.step.step).then_some(work)
}

fn state(technician: &str, own: &[OwnStepView<'_>], work: &[Option<InWork>], has_time: bool) -> Bytes {
    let steps = own.iter().zip(work).map(|(&own, work)| OwnStep {
        own,
        expected: work.as_ref().map_or(&[][..], |work| &work.expected),
        resources: work.as_ref().map_or(&[][..], |work| &work.resources),
        as_of_ms: work.as_ref().and_then(|work| work.as_of_ms).filter(|_| has_time),
    });
    encoded(&OwnSteps { technician, steps: steps.collect() })
}
