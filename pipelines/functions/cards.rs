//! Which steps a job has, and which of them is next: a step may be begun when all before it are closed.

use std::sync::Arc;

use super::Functions;
use super::input::CardPlan;
use super::job::{Job, JobKey, JobState, Step, StepState};

/// Why a step was closed that nobody did.
const OFF_THE_CARD: &str = "not on the newest card";

impl Functions {
    /// The job of that name, made when new; whoever makes one tells it.
    pub(super) fn meet(&mut self, site: &str, job: &str, ts_ms: i64) -> JobKey {
        let key: JobKey = (site.into(), job.into());
        if !self.jobs.contains_key(&key) {
            self.accepted += 1;
            self.jobs.insert(key.clone(), Job::new(site, job, self.accepted, ts_ms));
        }
        self.touched.insert(key.clone());
        key
    }

    /// A card has come: it says which steps there are, and in which order. What has been begun stays.
    pub(super) fn take_card(&mut self, site: &str, card: CardPlan, ts_ms: i64) {
        let key = self.meet(site, &card.job, ts_ms);
        let job = self.jobs.get_mut(&key).expect("it was just met");
        let is_first = !std::mem::replace(&mut job.has_card, true);
        let promised_before_ms = job.head.promised_ms;
        job.head.customer = card.customer;
        job.head.contact = card.contact;
        job.head.vehicle = card.vehicle;
        job.head.promised_ms = card.promised_ms;
        let mut known = std::mem::take(&mut job.steps);
        let mut extra: Vec<Box<str>> = Vec::new();
        let places: Vec<Box<str>> = known.iter().map(|step| step.plan.step.clone()).collect();
        let mut changed = Vec::new();
        for plan in card.steps {
            let place = known.iter().position(|step| step.plan.step == plan.step);
            let is_same = place.is_some_and(|place| known[place].plan == plan)
                && places.get(job.steps.len()) == Some(&plan.step);
            changed.push(!is_same);
            job.steps.push(match place.map(|place| known.remove(place)) {
                Some(mut step) => {
                    if step.head.state == StepState::Closed && step.head.started_ms.is_none() {
                        step.head.state = StepState::Planned;
                        step.head.reason = None;
                    }
                    step.plan = plan;
                    step
                }
                None => {
                    if !is_first {
                        extra.push(plan.step.clone());
                    }
                    Step::new(plan)
                }
            });
        }
        for mut step in known {
            let is_moved = places.get(job.steps.len()) != Some(&step.plan.step);
            changed.push(is_moved || step.head.state.is_before_work());
            if step.head.state.is_before_work() {
                step.head.state = StepState::Closed;
                step.head.reason = Some(OFF_THE_CARD.into());
                step.end_inference();
            }
            job.steps.push(step);
        }
        self.told.job(job, ts_ms);
        for place in (0..job.steps.len()).filter(|place| changed[*place]) {
            self.told.step(job, place, ts_ms);
        }
        if is_first {
            self.milestone(&key, "accepted", "");
        }
        for step in extra {
            self.milestone(&key, "extra_work", &step);
        }
        let promised_ms = self.jobs[&key].head.promised_ms;
        if let (Some(before_ms), Some(now_ms)) = (promised_before_ms, promised_ms)
            && now_ms > before_ms
        {
            self.milestone(&key, "delayed", &now_ms.to_string());
        }
    }

    /// Which step is next, and how far the job has come.
    pub(super) fn advance(&mut self, key: &JobKey) {
        let at_ms = self.at_ms;
        let Some(job) = self.jobs.get_mut(key) else { return };
        self.is_to_assign = true;
        if job.head.state == JobState::Released {
            return;
        }
        let mut all_closed = true;
        for place in 0..job.steps.len() {
            let head = &mut job.steps[place].head;
            let next = match (head.state, all_closed) {
                (StepState::Planned, true) => Some(StepState::Ready),
                (StepState::Ready, false) => Some(StepState::Planned),
                _ => None,
            };
            if let Some(next) = next {
                head.state = next;
                self.told.step(job, place, at_ms);
            }
            all_closed &= job.steps[place].head.state == StepState::Closed;
        }
        let state = match job.head.started_ms {
            Some(_) if all_closed && !job.steps.is_empty() => JobState::Ready,
            Some(_) => JobState::Started,
            None => JobState::Accepted,
        };
        if state != job.head.state {
            job.head.state = state;
            job.head.ready_ms = (state == JobState::Ready).then_some(at_ms);
            self.told.job(job, at_ms);
            if state == JobState::Ready {
                self.milestone(key, "ready", "");
            }
        }
    }

    /// Place of a step in its job; one that is on no card is put behind the others.
    pub(super) fn place_of(&mut self, key: &JobKey, name: &str) -> usize {
        let job = self.jobs.get_mut(key).expect("it was met");
        if let Some(place) = job.steps.iter().position(|step| *step.plan.step == *name) {
            return place;
        }
        let plan = super::job::StepPlan { step: name.into(), ..super::job::StepPlan::default() };
        job.steps.push(Step::new(Arc::new(plan)));
        job.steps.len() - 1
    }
}
