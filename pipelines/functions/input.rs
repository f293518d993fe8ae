//! What the engine tells the functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::readings::{Contact, JobCard, StepEvent};
use serde::{Deserialize, Serialize};

use super::inference::Asks;
use super::job::StepPlan;
use crate::calendar::SiteCalendar;

/// Something that has happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Input {
    /// A job card has arrived.
    Card { site: Box<str>, card: CardPlan, ts_ms: i64 },
    /// A step event has arrived.
    Step { site: Box<str>, event: StepEvent, ts_ms: i64 },
    /// A run is finished, and no event before its end is expected any more.
    Finished { site: Box<str>, job: Box<str>, step: Box<str>, started_ms: i64, ended_ms: i64, worked_ms: i64 },
    /// The book of a finished step says something new.
    Booked {
        site: Box<str>,
        job: Box<str>,
        step: Box<str>,
        checks: Vec<Checked>,
        /// All that was measured of what is expected; empty where nothing of it is new.
        measured: Vec<Measured>,
        used: Vec<Used>,
    },
    /// What a job card asks of tools, by step; with the card.
    Asked { site: Box<str>, job: Box<str>, steps: BTreeMap<Box<str>, Asks> },
}

/// An expectation of a card, held against what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub metric: Box<str>,
    pub joint: Option<Box<str>>,
    pub pset: Option<Box<str>>,
    pub class: Option<Box<str>>,
    pub expected: Option<u64>,
    pub counted: Option<u64>,
    pub within: Option<u64>,
    pub missing: Option<u64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub unit: Option<Box<str>>,
}

/// What was measured of a metric, at a joint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub metric: Box<str>,
    pub joint: Option<Box<str>>,
    pub pset: Option<Box<str>>,
    pub unit: Box<str>,
    pub values: Vec<f64>,
}

/// What a step used of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub resource: Box<str>,
    pub quantity: f64,
    pub unit: Box<str>,
    pub planned: Option<f64>,
}

/// The newest word on an exception.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExceptionChange {
    pub id: Box<str>,
    pub rule: Box<str>,
    pub severity: Box<str>,
    pub site: Box<str>,
    pub bay: Option<Box<str>>,
    pub tool: Option<Box<str>>,
    pub job: Option<Box<str>>,
    pub step: Option<Box<str>>,
    /// In words.
    pub message: Box<str>,
    pub state: Box<str>,
    pub is_open: bool,
    /// It was over when it happened.
    pub is_event: bool,
    pub is_latched: bool,
    /// When it changed.
    pub at_ms: i64,
    /// Of people: their state, who, and why.
    pub operator_state: Option<Box<str>>,
    pub actor: Option<Box<str>>,
    pub reason: Option<Box<str>>,
}

/// What a card says of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CardPlan {
    pub job: Box<str>,
    pub customer: Option<Box<str>>,
    pub contact: Option<Contact>,
    pub vehicle: Option<Box<str>>,
    pub promised_ms: Option<i64>,
    pub steps: Vec<Arc<StepPlan>>,
}

impl CardPlan {
    /// What a card says; times of promise by the site's calendar.
    #[must_use]
    pub(crate) fn new(card: &JobCard, calendar: &SiteCalendar) -> CardPlan {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let mut steps: Vec<Arc<StepPlan>> = Vec::new();
        for step in &card.steps {
            // Named twice, the first counts, as everywhere.
            if steps.iter().any(|known| *known.step == *step.step) {
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float becomes the nearest number that there is"
            )]
            let standard_ms = step.standard_s.map(|seconds| (seconds * 1000.0).round() as i64);
            let classes = step.expect.iter().filter_map(|expect| expect.class.as_deref().map(Box::from));
            steps.push(Arc::new(StepPlan {
                step: step.step.as_str().into(),
                is_on_card: true,
                operation: text(&step.operation),
                standard_ms,
                skills: step.skills.iter().map(|skill| skill.as_str().into()).collect(),
                has_expectations: !step.expect.is_empty(),
                classes: classes.collect(),
            }));
        }
        CardPlan {
            job: card.job.as_str().into(),
            customer: text(&card.customer),
            contact: card.contact.clone(),
            vehicle: text(&card.vehicle),
            promised_ms: card.promised.as_ref().and_then(|promised| calendar.time_ms(promised)),
            steps,
        }
    }
}
