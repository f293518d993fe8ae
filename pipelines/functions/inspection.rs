//! The inspection record of a step: what was measured of what its card expects, the verdict, and who signed.
//!
//! A record is looked at when the step's finish is certain, and again whenever a later reading, card or exception changes
//! it. A signature covers what lacked when it was given: if more lacks later, it is void.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Functions;
use super::input::{Checked, Measured, Used};
use super::job::{Job, JobKey, JobState, StepPlan, StepState};
use crate::config::QaSettings;

/// Why a step is held whose record lacks nothing but a name; what follows it says who might not sign.
pub(super) const UNSIGNED: &str = "its record is not signed";

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inspection {
    /// By metric, joint and parameter set.
    pub checks: Vec<Checked>,
    pub measured: Vec<Measured>,
    /// The step's book has said what was measured.
    pub is_told: bool,
    pub verdict: Verdict,
    pub signature: Option<Signature>,
    /// Something of it is new.
    pub is_changed: bool,
    pub revision: u32,
}

/// What the record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// Nothing yet.
    #[default]
    Open,
    Passed,
    /// All is right, and a class that needs a signature is in it.
    Unsigned,
    /// Readings lack, or an exception is latched.
    Failed,
    /// Somebody has signed.
    Accepted,
}

/// Who signed, and for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signature {
    pub actor: Box<str>,
    pub at_ms: i64,
    pub note: Option<Box<str>>,
    /// Readings that lacked then.
    pub missing: u64,
}

impl Verdict {
    /// The name in tables.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verdict::Open => "open",
            Verdict::Passed => "passed",
            Verdict::Unsigned => "unsigned",
            Verdict::Failed => "failed",
            Verdict::Accepted => "accepted",
        }
    }
}

impl Inspection {
    /// The step is done again: nobody has signed for that.
    pub(super) fn void(&mut self) {
        self.is_changed |= self.signature.take().is_some();
    }

    /// Somebody signs.
    pub(super) fn sign(&mut self, actor: &str, at_ms: i64, note: Option<&str>) {
        let missing = self.missing();
        self.signature = Some(Signature { actor: actor.into(), at_ms, note: note.map(Box::from), missing });
        self.is_changed = true;
    }

    /// Readings that lack.
    #[must_use]
    pub(super) fn missing(&self) -> u64 {
        self.checks.iter().filter_map(|check| check.missing).sum()
    }

    /// Whether it needs a signature that it does not have.
    #[must_use]
    pub(super) fn is_to_sign(&self, plan: &StepPlan, settings: &QaSettings) -> bool {
        let is_classed = settings.classes.iter().any(|class| plan.classes.contains(class.as_str()));
        self.signature.is_none() && (is_classed || self.missing() > 0)
    }

    fn take(&mut self, checks: Vec<Checked>, measured: Vec<Measured>) {
        self.is_told |= !checks.is_empty();
        self.is_changed |= !checks.is_empty();
        for check in checks {
            let same = |known: &Checked| {
                (&known.metric, &known.joint, &known.pset) == (&check.metric, &check.joint, &check.pset)
            };
            match self.checks.iter_mut().find(|known| same(known)) {
                Some(known) => *known = check,
                None => self.checks.push(check),
            }
        }
        let subject = |check: &Checked| (check.metric.clone(), check.joint.clone(), check.pset.clone());
        self.checks.sort_by_key(subject);
        if !measured.is_empty() {
            self.is_changed = true;
            self.measured = measured;
        }
    }

    /// What is wrong with it, if something is.
    fn fault(&self, job: &Job, step: &str) -> Option<String> {
        if let Some((id, exception)) = job.latched_of(step) {
            return Some(format!("exception `{id}` ({}) is latched", exception.rule));
        }
        let missing = self.checks.iter().find(|check| check.missing.is_some_and(|missing| missing > 0))?;
        let lack = missing.missing.unwrap_or(0);
        let of = missing.joint.as_ref().map_or(String::new(), |joint| format!(" of {joint}"));
        Some(format!(
            "{lack} of {} good readings of {}{of} lack",
            missing.expected.unwrap_or(0),
            missing.metric
        ))
    }

    /// Its evidence, as JSON.
    #[must_use]
    pub(super) fn evidence(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            json!({
                "metric": check.metric, "joint": check.joint, "pset": check.pset, "class": check.class,
                "expected": check.expected, "counted": check.counted, "within": check.within,
                "missing": check.missing, "min": check.min, "max": check.max, "unit": check.unit,
            })
        });
        let measured = self.measured.iter().map(|measured| {
            json!({
                "metric": measured.metric, "joint": measured.joint, "pset": measured.pset, "unit": measured.unit,
                "values": measured.values,
            })
        });
        json!({ "checks": checks.collect::<Vec<_>>(), "measured": measured.collect::<Vec<_>>() })
    }
}

impl Functions {
    /// The book of a step says something new.
    pub(super) fn take_book(
        &mut self,
        (site, job, name): (&str, &str, &str),
        checks: Vec<Checked>,
        measured: Vec<Measured>,
        used: Vec<Used>,
    ) {
        let key: JobKey = (site.into(), job.into());
        let Some(job) = self.jobs.get_mut(&key) else { return };
        let Some((_, step)) = job.step_mut(name) else { return };
        step.inspection.take(checks, measured);
        for used in used {
            job.bill.use_up(name, used);
        }
        self.touched.insert(key);
    }

    /// Looks at the records of a job's finished steps.
    pub(super) fn inspect(&mut self, key: &JobKey) {
        let (at_ms, qa) = (self.at_ms, self.settings.qa.of(&key.0));
        let Some(job) = self.jobs.get_mut(key) else { return };
        let is_released = job.head.state == JobState::Released;
        for place in 0..job.steps.len() {
            let step = &job.steps[place];
            let is_over = matches!(step.head.state, StepState::Done | StepState::QaHold | StepState::Closed);
            let was_done = step.head.ended_ms.is_some();
            let is_complete = step.is_certain && (!step.plan.has_expectations || step.inspection.is_told);
            if !(is_over && was_done && is_complete) {
                continue;
            }
            let record = &step.inspection;
            let fault = record.fault(job, &step.plan.step);
            let needs_signature = qa.classes.iter().any(|class| step.plan.classes.contains(class.as_str()));
            let is_latched = job.latched_of(&step.plan.step).is_some();
            let is_covered = |signature: &Signature| record.missing() <= signature.missing && !is_latched;
            let (verdict, reason) = match (fault, &record.signature) {
                (_, Some(signature)) if is_covered(signature) => (Verdict::Accepted, None),
                (Some(fault), _) => (Verdict::Failed, Some(fault)),
                (None, _) if needs_signature => {
                    // Why somebody might not sign it stays with it.
                    let known = step.head.reason.as_deref().filter(|reason| reason.starts_with(UNSIGNED));
                    (Verdict::Unsigned, Some(known.unwrap_or(UNSIGNED).to_owned()))
                }
                (None, _) => (Verdict::Passed, None),
            };
            let is_closed = matches!(verdict, Verdict::Passed | Verdict::Accepted);
            let state = if is_closed { StepState::Closed } else { StepState::QaHold };
            let step = &mut job.steps[place];
            if !is_released
                && (step.head.state, &step.head.reason) != (state, &reason.as_deref().map(Box::from))
            {
                step.head.state = state;
                step.head.reason = reason.map(Box::from);
                self.told.step(job, place, at_ms);
            }
            let record = &mut job.steps[place].inspection;
            if std::mem::take(&mut record.is_changed) | (record.verdict != verdict) {
                record.verdict = verdict;
                self.told.inspection(job, place, at_ms);
            }
        }
    }
}
