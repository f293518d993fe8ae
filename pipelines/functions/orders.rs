//! What people may do: sign a record, hand a vehicle over, post a held line, begin and end their own steps.
//!
//! An order is looked at with all that has come before it, and takes effect at once, so that the next order sees it. What
//! makes no sense is refused, with what to do.

use ingest::entry::command::{StepVerb, What};

use super::Functions;
use super::job::{JobKey, JobState, Step, StepState};

/// Something was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub site: String,
    /// In words.
    pub detail: String,
}

/// Why an order makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is nothing of that name.
    Unknown(String),
    /// It is there, and stands otherwise.
    Conflict(String),
}

pub(super) type Result<T> = std::result::Result<T, Refusal>;

pub(super) fn conflict<T>(why: String) -> Result<T> {
    Err(Refusal::Conflict(why))
}

impl Refusal {
    /// In words.
    pub(super) fn into_why(self) -> String {
        let (Refusal::Unknown(why) | Refusal::Conflict(why)) = self;
        why
    }
}

impl Functions {
    /// Takes in all that came before `at_ms`.
    pub(crate) fn settle(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        self.look();
        for key in std::mem::take(&mut self.touched) {
            self.follow(&key);
        }
    }

    /// Does what `actor` asks for. Steps of technicians are checked alone: they take effect as the step event that the
    /// command brings.
    pub(crate) fn order(&mut self, what: &What, actor: &str, at_ms: i64) -> Result<Done> {
        self.settle(at_ms);
        let done = match what {
            What::SignOff { site, job, step, rework, note } => {
                let key = self.known(site, job)?;
                self.sign_off(&key, step, *rework, (actor, note.as_deref()), at_ms)?
            }
            What::Release { site, job, reason } => {
                let key = self.known(site, job)?;
                self.hand_over(&key, actor, reason.as_deref(), at_ms)?
            }
            What::PostLine { site, job, line, note, price_hundredths } => {
                let key = self.known(site, job)?;
                self.post(&key, (*line, *price_hundredths), actor, note)?
            }
            What::Step { site, bay, job, step, verb, .. } => {
                let key = self.known(site, job)?;
                self.may(&key, step, *verb, (actor, bay))?
            }
            other => unreachable!("`{}` is no order of a function", other.kind()),
        };
        self.settle(at_ms);
        Ok(done)
    }

    /// The step event that `order` let pass has been applied: what else it said.
    pub(crate) fn step_done(&mut self, what: &What, at_ms: i64) {
        self.settle(at_ms);
        let What::Step { site, job, step, verb: StepVerb::Pause, reason, .. } = what else { return };
        let key: JobKey = (site.as_str().into(), job.as_str().into());
        let Some(job) = self.jobs.get_mut(&key) else { return };
        let Some((place, step)) = job.step_mut(step) else { return };
        step.head.reason = reason.as_deref().map(Box::from);
        self.told.step(job, place, at_ms);
    }

    fn known(&self, site: &str, job: &str) -> Result<JobKey> {
        let key: JobKey = (site.into(), job.into());
        if self.jobs.contains_key(&key) {
            return Ok(key);
        }
        Err(Refusal::Unknown(format!(
            "there is no job `{job}` at `{site}`; GET /api/v1/jobs lists those that are known"
        )))
    }

    pub(super) fn step_of(&self, key: &JobKey, name: &str) -> Result<(usize, &Step)> {
        let steps = &self.jobs[key].steps;
        let found = steps.iter().enumerate().find(|(_, step)| *step.plan.step == *name);
        found.ok_or_else(|| {
            let names: Vec<&str> = steps.iter().map(|step| &*step.plan.step).collect();
            Refusal::Unknown(format!("job `{}` has no step `{name}`; it has {}", key.1, names.join(", ")))
        })
    }

    fn hand_over(&mut self, key: &JobKey, actor: &str, reason: Option<&str>, at_ms: i64) -> Result<Done> {
        self.may_inspect(&key.0, actor)?;
        let job = self.jobs.get_mut(key).expect("it is known");
        if job.head.state == JobState::Released {
            return conflict(format!("job `{}` was handed over already", key.1));
        }
        let open = job.in_the_way();
        if !open.is_empty() {
            return conflict(format!("job `{}` may not be handed over: {}", key.1, open.join("; ")));
        }
        let not_done = job.steps.iter().filter(|step| step.head.state.is_before_work());
        let not_done: Vec<&str> = not_done.map(|step| &*step.plan.step).collect();
        if !not_done.is_empty() && reason.is_none() {
            return conflict(format!(
                "{} of job `{}` is not done; say the `reason`",
                not_done.join(", "),
                key.1
            ));
        }
        self.release(key, Some(actor), at_ms);
        Ok(Done { site: key.0.to_string(), detail: format!("job `{}` is handed over", key.1) })
    }

    fn post(
        &mut self,
        key: &JobKey,
        (line, price_hundredths): (u32, Option<i64>),
        actor: &str,
        note: &str,
    ) -> Result<Done> {
        let lines = &self.jobs[key].bill.lines;
        let place = usize::try_from(line).unwrap_or(0).wrapping_sub(1);
        let Some(held) = lines.get(place) else {
            let why = format!("the bill of job `{}` has no line {line}; it has {}", key.1, lines.len());
            return Err(Refusal::Unknown(why));
        };
        if held.held.is_none() {
            return conflict(format!("line {line} of job `{}` is posted already", key.1));
        }
        if held.amount.is_none() && price_hundredths.is_none() {
            return conflict(format!(
                "line {line} of job `{}` has no price: say the `price` of a unit, 0 to write it off, or give {} one in \
                 functions.toml",
                key.1, held.item
            ));
        }
        let price = price_hundredths.map(|hundredths| hundredths as f64 / 100.0);
        let of_price = price.map_or(String::new(), |price| format!(" at {price:.2} a unit"));
        self.post_line(key, (place, price), actor, note);
        Ok(Done {
            site: key.0.to_string(),
            detail: format!("line {line} of job `{}` is posted{of_price}", key.1),
        })
    }

    /// Whether somebody may do that to a step now.
    fn may(&self, key: &JobKey, name: &str, verb: StepVerb, (actor, bay): (&str, &str)) -> Result<Done> {
        let (_, step) = self.step_of(key, name)?;
        let head = &step.head;
        let is = || format!("step {name} is {}", head.state.as_str());
        let is_others = head.technician.as_deref().is_some_and(|technician| technician != actor);
        if is_others && (head.state.is_placed() || verb != StepVerb::Start) {
            let technician = head.technician.as_deref().unwrap_or_default();
            return conflict(format!("step {name} is {technician}'s, and not {actor}'s"));
        }
        let fits = match (verb, head.state) {
            (StepVerb::Start, StepState::Planned) => {
                return conflict(format!("{}: a step before it is not closed", is()));
            }
            (StepVerb::Start, state) => {
                matches!(state, StepState::Ready | StepState::Assigned | StepState::Reworked)
            }
            (StepVerb::Pause, state) => state == StepState::Active,
            (StepVerb::Resume, state) => state == StepState::Paused,
            (StepVerb::Finish, state) => matches!(state, StepState::Active | StepState::Paused),
        };
        if !fits {
            return conflict(format!("{}; it cannot be made to {}", is(), verb.as_str()));
        }
        if verb == StepVerb::Start {
            self.may_start(key, step, (actor, bay))?;
        }
        let detail = format!("step {name} of job `{}`: {}", key.1, verb.as_str());
        Ok(Done { site: key.0.to_string(), detail })
    }

    fn may_start(&self, key: &JobKey, step: &Step, (actor, bay): (&str, &str)) -> Result<()> {
        let known = self.settings.assignment.technicians.get(actor);
        let lacks = |skill: &str| known.is_some_and(|known| !known.skills.iter().any(|own| own == skill));
        if let Some(skill) = step.plan.skills.iter().find(|skill| lacks(skill)) {
            return conflict(format!("step {} needs `{skill}`, which {actor} does not have", step.plan.step));
        }
        let is_running = |step: &&Step| {
            matches!(step.head.state, StepState::Active | StepState::Paused)
                && step.head.bay.as_deref() == Some(bay)
        };
        let here = self.jobs.values().filter(|job| job.head.site == key.0);
        for job in here {
            if let Some(other) = job.steps.iter().find(is_running) {
                let (step, job) = (&other.plan.step, &job.head.job);
                return conflict(format!("bay `{bay}` is taken: step {step} of job `{job}` is not finished"));
            }
        }
        Ok(())
    }
}
