//! Jobs and their steps, as the functions know them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::readings::Contact;
use serde::{Deserialize, Serialize};

use super::billing::Bill;
use super::inference::Unclocked;
use super::inspection::{Inspection, UNSIGNED};

/// Site and job.
pub(crate) type JobKey = (Box<str>, Box<str>);

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum JobState {
    /// There is a card, and nobody has begun.
    Accepted,
    Started,
    /// Every step is closed: the vehicle may be handed over.
    Ready,
    Released,
}

/// The state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum StepState {
    /// One before it is not closed.
    Planned,
    /// May be begun.
    Ready,
    /// Somebody is to do it, on a bay.
    Assigned,
    Active,
    Paused,
    /// Finished; its record is not complete yet.
    Done,
    /// Its record needs a signature, or shows that something is wrong.
    QaHold,
    /// Has to be done again.
    Reworked,
    Closed,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub head: JobHead,
    /// In the order of acceptance.
    pub number: u64,
    pub has_card: bool,
    /// In the order of the card; behind them those that were begun and are on no card.
    pub steps: Vec<Step>,
    /// Exceptions that are open, by id.
    pub exceptions: BTreeMap<Box<str>, OpenException>,
    pub bill: Bill,
    /// Milestones that were told or wait to be, with what distinguishes a repeat of one from it.
    pub milestones: BTreeSet<Box<str>>,
}

/// What a job is, without its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobHead {
    pub site: Box<str>,
    pub job: Box<str>,
    pub customer: Option<Box<str>>,
    pub contact: Option<Contact>,
    pub vehicle: Option<Box<str>>,
    pub promised_ms: Option<i64>,
    pub state: JobState,
    pub accepted_ms: i64,
    pub started_ms: Option<i64>,
    pub ready_ms: Option<i64>,
    pub released_ms: Option<i64>,
    pub released_by: Option<Box<str>>,
    /// Why it was released with something open.
    pub reason: Option<Box<str>>,
    pub revision: u32,
}

/// A step of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub head: StepHead,
    pub plan: Arc<StepPlan>,
    pub inspection: Inspection,
    /// Worked time of its finished runs by their start, once these are certain.
    pub runs: BTreeMap<i64, i64>,
    /// The newest finish is certain: its bay's watermark has passed it.
    pub is_certain: bool,
    /// Stands behind all else in a checkpoint, so that those from before it was kept are read.
    #[serde(skip)]
    pub unclocked: Unclocked,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepHead {
    pub state: StepState,
    pub bay: Option<Box<str>>,
    pub technician: Option<Box<str>>,
    /// Why it is paused, held, or closed without being done.
    pub reason: Option<Box<str>>,
    pub assigned_ms: Option<i64>,
    /// Start of the newest run.
    pub started_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    /// Worked in the newest run up to `since_ms`, or up to its end.
    pub worked_ms: i64,
    /// Since when it is active.
    pub since_ms: Option<i64>,
    pub revision: u32,
}

/// What the card says of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepPlan {
    pub step: Box<str>,
    /// A card names it.
    pub is_on_card: bool,
    pub operation: Option<Box<str>>,
    pub standard_ms: Option<i64>,
    pub skills: Vec<Box<str>>,
    /// Whether readings are expected.
    pub has_expectations: bool,
    /// Classes of these.
    pub classes: BTreeSet<Box<str>>,
}

/// An exception that is open on a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenException {
    pub rule: Box<str>,
    pub step: Option<Box<str>>,
    pub is_latched: bool,
}

impl JobState {
    /// The name in tables and over HTTP.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobState::Accepted => "accepted",
            JobState::Started => "started",
            JobState::Ready => "ready",
            JobState::Released => "released",
        }
    }
}

impl StepState {
    /// The name in tables and over HTTP.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            StepState::Planned => "planned",
            StepState::Ready => "ready",
            StepState::Assigned => "assigned",
            StepState::Active => "active",
            StepState::Paused => "paused",
            StepState::Done => "done",
            StepState::QaHold => "qa_hold",
            StepState::Reworked => "reworked",
            StepState::Closed => "closed",
        }
    }

    /// Whether it takes a bay and somebody's time.
    #[must_use]
    pub(super) fn is_placed(self) -> bool {
        matches!(self, StepState::Assigned | StepState::Active | StepState::Paused)
    }

    /// Whether nobody has begun it yet.
    #[must_use]
    pub(super) fn is_before_work(self) -> bool {
        matches!(self, StepState::Planned | StepState::Ready | StepState::Assigned)
    }
}

impl Step {
    /// One that nobody has begun.
    pub(super) fn new(plan: Arc<StepPlan>) -> Step {
        let head = StepHead {
            state: StepState::Planned,
            bay: None,
            technician: None,
            reason: None,
            assigned_ms: None,
            started_ms: None,
            ended_ms: None,
            worked_ms: 0,
            since_ms: None,
            revision: 0,
        };
        Step {
            head,
            plan,
            inspection: Inspection::default(),
            runs: BTreeMap::new(),
            is_certain: false,
            unclocked: Unclocked::default(),
        }
    }

    /// Worked over all runs, as far as it is known.
    #[must_use]
    pub(super) fn worked_ms(&self) -> i64 {
        let is_running = self.head.started_ms.is_some_and(|started_ms| !self.runs.contains_key(&started_ms));
        self.runs.values().sum::<i64>() + if is_running { self.head.worked_ms } else { 0 }
    }
}

impl Job {
    /// One without steps.
    pub(super) fn new(site: &str, job: &str, number: u64, accepted_ms: i64) -> Job {
        let head = JobHead {
            site: site.into(),
            job: job.into(),
            customer: None,
            contact: None,
            vehicle: None,
            promised_ms: None,
            state: JobState::Accepted,
            accepted_ms,
            started_ms: None,
            ready_ms: None,
            released_ms: None,
            released_by: None,
            reason: None,
            revision: 0,
        };
        Job {
            head,
            number,
            has_card: false,
            steps: Vec::new(),
            exceptions: BTreeMap::new(),
            bill: Bill::default(),
            milestones: BTreeSet::new(),
        }
    }

    /// A step by its name.
    pub(super) fn step_mut(&mut self, step: &str) -> Option<(usize, &mut Step)> {
        self.steps.iter_mut().enumerate().find(|(_, known)| *known.plan.step == *step)
    }

    /// Bay of the step that was begun last: where the vehicle is.
    #[must_use]
    pub(super) fn bay(&self) -> Option<&str> {
        let begun = self.steps.iter().filter(|step| step.head.started_ms.is_some());
        begun.max_by_key(|step| step.head.started_ms).and_then(|step| step.head.bay.as_deref())
    }

    /// The bay that its vehicle takes; none before work has begun, and while the vehicle is ready or handed over.
    #[must_use]
    pub(super) fn stands_on(&self) -> Option<&str> {
        self.bay().filter(|_| self.head.state < JobState::Ready)
    }

    /// A latched exception of a step, with its id.
    #[must_use]
    pub(super) fn latched_of(&self, step: &str) -> Option<(&str, &OpenException)> {
        let mut latched = self.exceptions.iter().filter(|(_, exception)| exception.is_latched);
        let found = latched.find(|(_, exception)| exception.step.as_deref() == Some(step));
        found.map(|(id, exception)| (&**id, exception))
    }

    /// Why it may not be handed over, a fragment each.
    #[must_use]
    pub(super) fn in_the_way(&self) -> Vec<String> {
        let latched = self.exceptions.iter().filter(|(_, exception)| exception.is_latched);
        let latched = latched.map(|(id, exception)| {
            format!("exception `{id}` ({}) is latched; rework and reset it", exception.rule)
        });
        let held = self.steps.iter().filter(|step| step.head.state == StepState::QaHold).map(|step| {
            let why = step.head.reason.as_deref().unwrap_or(UNSIGNED);
            format!("step {} is held: {why}", step.plan.step)
        });
        let running = self.steps.iter().filter(|step| {
            matches!(step.head.state, StepState::Active | StepState::Paused | StepState::Reworked)
        });
        let running = running.map(|step| format!("step {} is {}", step.plan.step, step.head.state.as_str()));
        let done = self.steps.iter().filter(|step| step.head.state == StepState::Done);
        let done = done.map(|step| format!("the record of step {} is not complete yet", step.plan.step));
        latched.chain(held).chain(running).chain(done).collect()
    }
}
