//! When a step was worked on though nobody has clocked it, and how sure that is.
//!
//! Many shops do not clock. What happens on a bay while no clocked step is active there is [`Evidence`] of a step that
//! waits: planned, ready, assigned, or to be done again. The engine hands it in once it is certain, with what arrived
//! before looked at already. Which step it speaks of, the first that says so:
//!
//! | word                | which step                                                              | weight |
//! |---------------------|-------------------------------------------------------------------------|--------|
//! | `tags`              | the one that the reading's tags name by job and step                    | 0.9    |
//! | `tags`              | of the job that they name, the first that may be on and asks for it     | 0.8    |
//! | `expected readings` | of the only job on that bay with one that may be on and asks for it, the first such | 0.7 |
//! | `tool use`          | the only one that was assigned to that bay by then                      | 0.3    |
//!
//! [`standing`] says which may be on. To ask for something is to expect readings, or plan a resource, and not have had all.
//!
//! A booking by hand is evidence as a reading is, and says `booking`. Where two jobs' steps are equally likely nothing is
//! inferred, and nothing is of what names a job or a step that does not wait.
//!
//! An inference begins with its first evidence. It ends with the evidence that completes what the card asks for with a
//! count or a quantity (within the tolerance of bills), or with its last, once another step of that bay or that job is
//! clocked or inferred to have begun after it, or the job is handed over. Its confidence is the weight of its strongest
//! evidence × (1 + share) / 2: `share` is how much of each thing that the card asks for has been seen, on average, good
//! readings alone; 1 where the card asks for nothing.
//!
//! It stands beside what was clocked and changes nothing of that: no state, no worked time, no booking, no bill. A clocked
//! start takes no more evidence in, and the clocked end removes it. Once it has ended it is never changed; while it goes
//! on, a late reading within the correction horizon counts as any other, so it may begin earlier.
//!
//! Bounds: one inference for each step of a job that is kept; what cards ask for is forgotten when the job is handed over.

mod asks;
mod evidence;
mod inferred;
mod outlook;
mod standing;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::units::Units;

pub(crate) use self::asks::Asks;
pub(crate) use self::evidence::{Evidence, Sign, Trace};
use self::inferred::{EXPECTED, Inference, NAMED, OF_NAMED_JOB, TOOL_USE};
pub(crate) use self::inferred::{Inferred, Parts, Unclocked};
pub(super) use self::outlook::Outlook;
use self::standing::Standing;
pub(crate) use self::watch::{Sought, Watch};
use super::Functions;
use super::job::{JobKey, JobState, Step};

/// A step, and how a trace speaks of it.
struct Found {
    key: JobKey,
    place: usize,
    weight: u8,
}

/// Names a step.
type StepKey = (JobKey, Box<str>);

impl Functions {
    /// What the card of a job asks of tools, by step.
    pub(super) fn take_asks(&mut self, key: &JobKey, mut steps: BTreeMap<Box<str>, Asks>) {
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.head.state != JobState::Released) else {
            return;
        };
        for step in &mut job.steps {
            let asks = steps.remove(&step.plan.step).map(Arc::new);
            if let Some(inference) = &mut step.unclocked.inference {
                let before = step.unclocked.asks.as_deref();
                inference.seen = Asks::moved(before, asks.as_deref(), &inference.seen);
            }
            step.unclocked.asks = asks;
        }
    }

    /// Takes in what has become certain.
    pub(crate) fn infer(&mut self, mut evidence: Vec<Evidence>, units: &Units, at_ms: i64) {
        evidence.sort_by_key(|one| (one.ts_ms, one.place));
        let mut outlook = self.jobs.take_outlook();
        let mut before: BTreeMap<(JobKey, usize), Option<Inferred>> = BTreeMap::new();
        let (mut clocked, mut has_begun) = (Vec::new(), false);
        for Evidence { site, bay, ts_ms, sign, .. } in evidence {
            let trace = match sign {
                Sign::Started { job, step } => {
                    clocked.push((bay, ts_ms, ((site, job), step)));
                    continue;
                }
                Sign::Trace(trace) => trace,
            };
            let found = self.spoken_of((&site, &bay), ts_ms, &trace, &outlook.standing, units);
            let Some(Found { key, place, weight }) = found else { continue };
            let tolerance = self.settings.billing.of(&key.0).quantity_tolerance();
            let job = self.jobs.get_mut(&key).expect("it was just found");
            let step = &mut job.steps[place];
            before.entry((key.clone(), place)).or_insert_with(|| step.inferred());
            let asks = step.unclocked.asks.clone();
            let is_new = step.unclocked.inference.is_none();
            let items = asks.as_ref().map_or(0, |asks| asks.len());
            let inference =
                step.unclocked.inference.get_or_insert_with(|| Inference::new(&bay, ts_ms, items));
            inference.take(ts_ms, &trace, weight, asks.as_deref(), tolerance, units);
            if is_new {
                has_begun = true;
                outlook.put(&key, Some(job));
            }
        }
        self.jobs.keep(outlook);
        if has_begun || !clocked.is_empty() {
            self.end_overtaken(&clocked, &mut before);
        }
        for ((key, place), before) in before {
            let job = self.jobs.get_mut(&key).expect("it was just found");
            if job.steps[place].inferred() != before {
                self.told.step(job, place, at_ms);
            }
        }
    }

    /// Which step something speaks of.
    fn spoken_of(
        &self,
        (site, bay): (&str, &str),
        ts_ms: i64,
        trace: &Trace,
        standing: &Standing,
        units: &Units,
    ) -> Option<Found> {
        if let Some(name) = &trace.job {
            let key: JobKey = (site.into(), name.clone());
            let job = self.jobs.get(&key).filter(|job| job.head.state != JobState::Released)?;
            let (place, weight) = match &trace.step {
                Some(step) => (job.steps.iter().position(|known| known.plan.step == *step)?, NAMED),
                None => {
                    let on = job.may_be_on();
                    let lacks = on.iter().copied().find(|&place| job.steps[place].lacks(trace, units));
                    (lacks.or(on.first().copied())?, OF_NAMED_JOB)
                }
            };
            return job.steps[place].takes_evidence(ts_ms).then_some(Found { key, place, weight });
        }
        let here = standing.on(site, bay, ts_ms);
        let may_take = |key: &JobKey, is_of: &dyn Fn(&Step) -> bool| {
            let job = &self.jobs[key];
            let on = job.may_be_on();
            on.into_iter().find(|&place| job.steps[place].takes_evidence(ts_ms) && is_of(&job.steps[place]))
        };
        let expecting: Vec<(&JobKey, usize)> = here
            .iter()
            .filter_map(|&key| Some((key, may_take(key, &|step| step.lacks(trace, units))?)))
            .collect();
        match expecting[..] {
            [(key, place)] => return Some(Found { key: key.clone(), place, weight: EXPECTED }),
            [] if trace.is_use => {}
            _ => return None,
        }
        let is_assigned = |step: &Step| step.is_assigned_to(bay, ts_ms);
        let assigned: Vec<(&JobKey, usize)> =
            here.iter().filter_map(|&key| Some((key, may_take(key, &is_assigned)?))).collect();
        let [(key, place)] = assigned[..] else { return None };
        Some(Found { key: key.clone(), place, weight: TOOL_USE })
    }

    /// Ends what goes on of a bay or a job where something began later: an inference, or what was `clocked`.
    fn end_overtaken(
        &mut self,
        clocked: &[(Box<str>, i64, StepKey)],
        before: &mut BTreeMap<(JobKey, usize), Option<Inferred>>,
    ) {
        /// Of a bay or a job: when what began last on it did, its place in its job, and which it is.
        type Newest = BTreeMap<(Box<str>, Box<str>, bool), (i64, usize, StepKey)>;
        let mut newest = Newest::new();
        let mut begun = |bay: &str, began: (i64, usize, StepKey)| {
            let (site, job) = began.2.0.clone();
            for place in [(site.clone(), bay.into(), true), (site, job, false)] {
                let known = newest.entry(place).or_insert_with(|| began.clone());
                if *known < began {
                    known.clone_from(&began);
                }
            }
        };
        for (bay, ts_ms, step) in clocked {
            begun(bay, (*ts_ms, usize::MAX, step.clone()));
        }
        let mut open = BTreeSet::new();
        for (key, job) in self.jobs.iter().filter(|(_, job)| job.head.state != JobState::Released) {
            for (place, step) in job.steps.iter().enumerate() {
                let Some(inference) = &step.unclocked.inference else { continue };
                let name = (key.clone(), step.plan.step.clone());
                begun(&inference.bay, (inference.started_ms, place, name));
                if inference.ended_ms.is_none() {
                    open.insert((key.clone(), place));
                }
            }
        }
        for (key, place) in open {
            let job = self.jobs.get_mut(&key).expect("it was just looked at");
            let step = &mut job.steps[place];
            let Some(inference) = &step.unclocked.inference else { continue };
            let own = (key.clone(), step.plan.step.clone());
            let is_overtaken = |place: (Box<str>, Box<str>, bool)| {
                let (began_ms, _, step) = &newest[&place];
                *step != own && inference.started_ms <= *began_ms
            };
            let (site, name) = key.clone();
            if is_overtaken((site.clone(), inference.bay.clone(), true)) || is_overtaken((site, name, false))
            {
                before.entry((key, place)).or_insert_with(|| step.inferred());
                step.end_inference();
            }
        }
    }
}

#[cfg(test)]
mod tests;
