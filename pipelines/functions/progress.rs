//! What a step event makes of a step.
//!
//! Events are taken as they arrive, so that a board and a technician see them at once. What is certain later, when the
//! bay's watermark has passed a finish, has the last word: it closes a step whose events came in disorder, and says how
//! long it was worked on.

use ingest::readings::{StepEvent, StepEventKind};

use super::Functions;
use super::job::{JobKey, JobState, Step, StepState};

/// Steps of a job; events of others beyond are not taken here. The engine has all of them in stream `steps`.
const STEPS_MAX: usize = 1_000;
/// Runs of a step that are remembered one by one; the worked time of the oldest is added to the next one's.
const RUNS_MAX: usize = 64;

impl Functions {
    /// A step event has arrived.
    pub(super) fn take_step(&mut self, site: &str, event: &StepEvent, ts_ms: i64) {
        let key = self.meet(site, &event.job, ts_ms);
        if let Some(job) = self.jobs.get_mut(&key).filter(|job| job.head.revision == 0) {
            self.told.job(job, ts_ms);
        }
        match event.event {
            StepEventKind::Released => return self.released(&key, event.technician.as_deref(), ts_ms),
            StepEventKind::QaSigned => return self.signed(&key, event.technician.as_deref(), ts_ms),
            _ => {}
        }
        let is_known = self.jobs[&key].steps.iter().any(|step| *step.plan.step == *event.step);
        if !is_known && self.jobs[&key].steps.len() >= STEPS_MAX {
            return;
        }
        let place = self.place_of(&key, &event.step);
        let job = self.jobs.get_mut(&key).expect("it was met");
        if !job.steps[place].take(event, ts_ms) {
            return;
        }
        let is_started = event.event == StepEventKind::Started;
        let is_extra = !is_known && job.has_card;
        self.told.step(job, place, ts_ms);
        if is_started && job.head.started_ms.is_none() {
            job.head.started_ms = Some(ts_ms);
            self.told.job(job, ts_ms);
            self.milestone(&key, "started", "");
        }
        if is_extra {
            self.milestone(&key, "extra_work", &event.step);
        }
    }

    /// A finish is certain.
    pub(super) fn finish_certain(
        &mut self,
        (site, job, step): (&str, &str, &str),
        started_ms: i64,
        ended_ms: i64,
        worked_ms: i64,
    ) {
        let key: JobKey = (site.into(), job.into());
        let Some(job) = self.jobs.get_mut(&key) else { return };
        let Some((place, step)) = job.step_mut(step) else { return };
        step.runs.insert(started_ms, worked_ms);
        while step.runs.len() > RUNS_MAX {
            let forgotten_ms = step.runs.pop_first().map_or(0, |(_, worked_ms)| worked_ms);
            step.runs.first_entry().into_iter().for_each(|mut oldest| *oldest.get_mut() += forgotten_ms);
        }
        let head = &mut step.head;
        let is_running = matches!(head.state, StepState::Active | StepState::Paused);
        if is_running && head.started_ms.is_none_or(|running_ms| running_ms <= ended_ms) {
            head.state = StepState::Done;
            head.ended_ms = Some(ended_ms);
            head.since_ms = None;
            head.reason = None;
            step.unclocked.inference = None;
        }
        if head.ended_ms == Some(ended_ms) {
            step.is_certain = true;
            head.started_ms = Some(started_ms);
            head.worked_ms = worked_ms;
        }
        self.told.step(job, place, self.at_ms);
        self.amend_labour(&key, place);
        self.touched.insert(key);
    }

    /// The vehicle was handed over, whoever has asked: it is a fact.
    pub(super) fn released(&mut self, key: &JobKey, by: Option<&str>, ts_ms: i64) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        if job.head.state == JobState::Released {
            let why = format!("job `{}` was handed over already", key.1);
            return self.audit_event((key, None), "release", by, Err(why), ts_ms);
        }
        let open = job.in_the_way();
        job.head.reason = (!open.is_empty()).then(|| open.join("; ").into());
        let with =
            job.head.reason.as_ref().map_or(String::new(), |open| format!(" with something open: {open}"));
        self.release(key, by, ts_ms);
        let detail = format!("job `{}` is handed over{with}", key.1);
        self.audit_event((key, None), "release", by, Ok(detail), ts_ms);
    }

    /// The job is over: what nobody did is closed.
    pub(super) fn release(&mut self, key: &JobKey, by: Option<&str>, ts_ms: i64) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        job.head.state = JobState::Released;
        job.head.released_ms = Some(ts_ms);
        job.head.released_by = by.map(Box::from);
        for place in 0..job.steps.len() {
            let step = &mut job.steps[place];
            step.end_inference();
            step.unclocked.asks = None;
            let head = &mut step.head;
            if head.state.is_before_work() {
                head.state = StepState::Closed;
                head.reason = Some("not done before the hand-over".into());
                self.told.step(job, place, ts_ms);
            }
        }
        self.told.job(job, ts_ms);
        self.touched.insert(key.clone());
    }
}

impl Step {
    /// What an event makes of it; false if nothing.
    fn take(&mut self, event: &StepEvent, ts_ms: i64) -> bool {
        use StepEventKind::{Assigned, Failed, Finished, Paused, Resumed, Reworked, Started};
        let head = &mut self.head;
        let is_over = matches!(head.state, StepState::Done | StepState::QaHold | StepState::Closed);
        let work_ms = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (ts_ms - since_ms).max(0));
        match (event.event, head.state) {
            (Assigned, state) if state.is_before_work() || state == StepState::Reworked => {
                head.state = StepState::Assigned;
                head.assigned_ms = Some(ts_ms);
                head.bay = Some(event.bay.clone());
                head.technician = event.technician.clone();
            }
            (Started, StepState::Active) => return false,
            (Started | Resumed, StepState::Paused) => {
                head.state = StepState::Active;
                head.since_ms = Some(ts_ms);
                head.reason = None;
            }
            // One that comes late, of a run that is over.
            (Started, _) if is_over && head.ended_ms.is_some_and(|ended_ms| ts_ms <= ended_ms) => {
                return false;
            }
            (Started, _) => {
                head.state = StepState::Active;
                head.bay = Some(event.bay.clone());
                head.technician = event.technician.clone().or(head.technician.take());
                head.reason = None;
                (head.started_ms, head.ended_ms) = (Some(ts_ms), None);
                (head.since_ms, head.worked_ms) = (Some(ts_ms), 0);
                self.is_certain = false;
                self.inspection.void();
            }
            (Paused, StepState::Active) => {
                head.worked_ms += work_ms(head.since_ms.take());
                head.state = StepState::Paused;
            }
            (Finished | Failed, StepState::Active | StepState::Paused) => {
                head.worked_ms += work_ms(head.since_ms.take());
                head.ended_ms = Some(ts_ms);
                let is_failed = event.event == Failed;
                head.state = if is_failed { StepState::Reworked } else { StepState::Done };
                self.unclocked.inference = None;
                head.reason = is_failed.then(|| "failed".into());
            }
            (Reworked, _) if is_over => {
                head.state = StepState::Reworked;
                head.reason = Some("to be done again".into());
                self.inspection.void();
            }
            _ => return false,
        }
        true
    }
}
