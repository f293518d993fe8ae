//! Who signs the record of a step, and when: QA by a command, or at a terminal of the shop, which sends the step event
//! `qa_signed`.
//!
//! One rule serves both: only inspectors sign, nobody for their own work, nothing while an exception of the step is
//! latched, and what lacks readings with a note alone. An event signs for all of its job that is held, and brings no
//! note. It may sign a record that is not complete yet, as whoever signs at the bay does not wait for its watermark:
//! if more turns out to lack, the signature is void. What an event may not sign stays held, and says why.

use super::Functions;
use super::inspection::UNSIGNED;
use super::job::{Job, JobKey, JobState, Step, StepState};
use super::orders::{Done, Result, conflict};

impl Functions {
    /// Whether `actor` may do what only QA of a site may.
    pub(crate) fn may_inspect(&self, site: &str, actor: &str) -> Result<()> {
        let qa = &self.settings.qa;
        let inspectors = &qa.of(site).inspectors;
        if inspectors.is_empty() || inspectors.iter().any(|inspector| inspector == actor) {
            return Ok(());
        }
        let is_own = *inspectors != qa.general.inspectors;
        let section = if is_own { format!("qa.sites.{site}") } else { "qa".to_owned() };
        let who = inspectors.join(", ");
        conflict(format!("`{actor}` is no inspector: `{section}.inspectors` in functions.toml names {who}"))
    }

    /// Whether `actor` may sign for a step or have it done again, as far as it is about who that is.
    fn may_judge(&self, site: &str, step: &Step, actor: &str) -> Result<()> {
        let name = &step.plan.step;
        if self.settings.qa.of(site).four_eyes && step.head.technician.as_deref() == Some(actor) {
            return conflict(format!("`{actor}` worked on step {name}; somebody else has to sign for it"));
        }
        Ok(())
    }

    /// QA signs a record, or has the step done again.
    pub(super) fn sign_off(
        &mut self,
        key: &JobKey,
        name: &str,
        rework: bool,
        (actor, note): (&str, Option<&str>),
        at_ms: i64,
    ) -> Result<Done> {
        self.may_inspect(&key.0, actor)?;
        let (place, step) = self.step_of(key, name)?;
        let state = step.head.state;
        if !matches!(state, StepState::Done | StepState::QaHold | StepState::Closed)
            || step.head.ended_ms.is_none()
        {
            return conflict(format!("step {name} is {}; it is signed when it is finished", state.as_str()));
        }
        if self.jobs[key].head.state == JobState::Released {
            return conflict(format!(
                "job `{}` was handed over; what is signed now says nothing of it",
                key.1
            ));
        }
        self.may_judge(&key.0, step, actor)?;
        let job = self.jobs.get_mut(key).expect("it is known");
        if rework {
            let step = &mut job.steps[place];
            step.inspection.void();
            step.head.state = StepState::Reworked;
            step.head.reason = note.map(Box::from);
            self.told.step(job, place, at_ms);
            self.touched.insert(key.clone());
            return Ok(Done { site: key.0.to_string(), detail: format!("step {name} is to be done again") });
        }
        let step = &job.steps[place];
        if !step.is_certain || (step.plan.has_expectations && !step.inspection.is_told) {
            return conflict(format!(
                "the record of step {name} is not complete yet: its bay may still have readings to send; ask again \
                 in a while"
            ));
        }
        is_signable(job, step, note)?;
        job.steps[place].inspection.sign(actor, at_ms, note);
        self.touched.insert(key.clone());
        Ok(Done { site: key.0.to_string(), detail: signed_by(name, actor) })
    }

    /// QA has signed at a terminal of the shop, for all of a job that is held.
    pub(super) fn signed(&mut self, key: &JobKey, by: Option<&str>, ts_ms: i64) {
        let (job, qa) = (&self.jobs[key], self.settings.qa.of(&key.0));
        let is_held = |step: &Step| match step.head.state {
            StepState::QaHold => true,
            StepState::Done => step.inspection.is_to_sign(&step.plan, qa),
            _ => false,
        };
        let held: Vec<usize> = (0..job.steps.len()).filter(|place| is_held(&job.steps[*place])).collect();
        if held.is_empty() {
            let why = format!("nothing of job `{}` waits for a signature", key.1);
            return self.audit_event((key, None), "sign_off", by, Err(why), ts_ms);
        }
        for place in held {
            let job = &self.jobs[key];
            let name = job.steps[place].plan.step.clone();
            let may = self.may_sign_unasked(job, &job.steps[place], by);
            let job = self.jobs.get_mut(key).expect("it was met");
            let outcome = match may {
                Ok(()) => {
                    let actor = by.unwrap_or("QA");
                    job.steps[place].inspection.sign(actor, ts_ms, None);
                    Ok(signed_by(&name, actor))
                }
                Err(refusal) => {
                    let why = refusal.into_why();
                    // A hold that says what is wrong with the record says it still.
                    let reason = &mut job.steps[place].head.reason;
                    if reason.as_deref().is_none_or(|reason| reason.starts_with(UNSIGNED)) {
                        *reason = Some(format!("{UNSIGNED}: {why}").into());
                        self.told.step(job, place, ts_ms);
                    }
                    Err(why)
                }
            };
            self.audit_event((key, Some(&name)), "sign_off", by, outcome, ts_ms);
        }
    }

    /// Whether an event may sign for a step.
    fn may_sign_unasked(&self, job: &Job, step: &Step, by: Option<&str>) -> Result<()> {
        let site = &*job.head.site;
        let qa = self.settings.qa.of(site);
        match by {
            Some(actor) => {
                self.may_inspect(site, actor)?;
                self.may_judge(site, step, actor)?;
            }
            None if qa.four_eyes || !qa.inspectors.is_empty() => {
                return conflict(
                    "the event says no `technician`, and `qa` in functions.toml asks who signs".into(),
                );
            }
            None => {}
        }
        is_signable(job, step, None)
    }
}

/// Whether the record of a step may be signed as it stands, whoever does.
fn is_signable(job: &Job, step: &Step, note: Option<&str>) -> Result<()> {
    let name = &step.plan.step;
    if let Some((id, exception)) = job.latched_of(name) {
        let rule = &exception.rule;
        return conflict(format!("exception `{id}` ({rule}) of step {name} is latched; reset it first"));
    }
    let missing = step.inspection.missing();
    if missing > 0 && note.is_none() {
        return conflict(format!(
            "{missing} good readings of step {name} lack; sign with a `note` that says why"
        ));
    }
    Ok(())
}

fn signed_by(name: &str, actor: &str) -> String {
    format!("the record of step {name} is signed by {actor}")
}

#[cfg(test)]
mod tests;
