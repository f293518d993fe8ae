//! What is inferred of a step, and how a checkpoint keeps it.

use std::sync::Arc;

use ingest::units::Units;
use serde::{Deserialize, Serialize};

use super::super::Functions;
use super::super::job::{Job, JobKey, Step};
use super::{Asks, Trace};

/// Weights of evidence, in hundredths.
pub(super) const NAMED: u8 = 90;
pub(super) const OF_NAMED_JOB: u8 = 80;
pub(super) const EXPECTED: u8 = 70;
pub(super) const TOOL_USE: u8 = 30;

/// Words of what there was, as bits, in the order in which they are said.
const WORDS: [&str; 4] = ["tags", "booking", "expected readings", "tool use"];

/// What is inferred of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inference {
    pub(super) bay: Box<str>,
    pub(super) started_ms: i64,
    /// Of its newest evidence.
    last_ms: i64,
    pub(super) ended_ms: Option<i64>,
    /// The greatest, in hundredths.
    weight: u8,
    /// Bits of [`WORDS`].
    words: u8,
    confidence: f64,
    /// How much of each thing that its step asks for.
    pub(super) seen: Vec<f64>,
}

/// What is told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inferred {
    pub started_ms: i64,
    pub ended_ms: Option<i64>,
    pub confidence: f64,
    pub from: String,
}

/// What a step has beside its state: what its card asks of tools, and what is inferred.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unclocked {
    pub asks: Option<Arc<Asks>>,
    pub inference: Option<Inference>,
}

impl Inference {
    pub(super) fn new(bay: &str, ts_ms: i64, items: usize) -> Self {
        let (bay, seen) = (bay.into(), vec![0.0; items]);
        let (started_ms, last_ms) = (ts_ms, ts_ms);
        Inference { bay, started_ms, last_ms, ended_ms: None, weight: 0, words: 0, confidence: 0.0, seen }
    }

    fn told(&self) -> Inferred {
        let words = (0..).zip(WORDS).filter(|(bit, _)| self.words & 1 << bit != 0);
        let words: Vec<&str> = words.map(|(_, word)| word).collect();
        Inferred {
            started_ms: self.started_ms,
            ended_ms: self.ended_ms,
            confidence: self.confidence,
            from: words.join(", "),
        }
    }

    /// More evidence; `tolerance` is the share of a quantity that may lack.
    pub(super) fn take(
        &mut self,
        ts_ms: i64,
        trace: &Trace,
        weight: u8,
        asks: Option<&Asks>,
        tolerance: f64,
        units: &Units,
    ) {
        self.started_ms = self.started_ms.min(ts_ms);
        self.last_ms = self.last_ms.max(ts_ms);
        self.weight = self.weight.max(weight);
        let word = match weight {
            _ if trace.is_booking => 1,
            TOOL_USE => 3,
            EXPECTED => 2,
            _ => 0,
        };
        self.words |= 1 << word;
        if let Some(asks) = asks {
            asks.see(trace, units, &mut self.seen);
        }
        let (share, is_complete) = asks.map_or((1.0, false), |asks| asks.progress(&self.seen, tolerance));
        self.confidence = (f64::from(self.weight) * (1.0 + share) / 2.0).round() / 100.0;
        if is_complete {
            self.ended_ms = Some(self.last_ms);
        }
    }
}

impl Step {
    /// What is inferred of it.
    pub(in crate::functions) fn inferred(&self) -> Option<Inferred> {
        self.unclocked.inference.as_ref().map(Inference::told)
    }

    /// Nothing more of it will be inferred.
    pub(in crate::functions) fn end_inference(&mut self) {
        if let Some(inference) = &mut self.unclocked.inference {
            inference.ended_ms.get_or_insert(inference.last_ms);
        }
    }
}

impl Functions {
    /// What steps have beside their state, for a checkpoint: it stands behind all else there.
    pub(crate) fn unclocked(&self) -> Parts {
        let of = |job: &Job| {
            let steps = job.steps.iter().filter(|step| step.unclocked != Unclocked::default());
            steps.map(|step| (step.plan.step.clone(), step.unclocked.clone())).collect::<Vec<_>>()
        };
        let jobs = self.jobs.iter().map(|(key, job)| (key.clone(), of(job)));
        Parts(jobs.filter(|(_, steps)| !steps.is_empty()).collect())
    }

    /// From [`Functions::unclocked`].
    pub(crate) fn set_unclocked(&mut self, parts: Parts) {
        for (key, steps) in parts.0 {
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            for (name, unclocked) in steps {
                if let Some((_, step)) = job.step_mut(&name) {
                    step.unclocked = unclocked;
                }
            }
        }
    }

    /// A line for each job that has any, for the hash of the state.
    pub(in crate::functions) fn unclocked_lines(&self) -> Vec<String> {
        let line = |((site, job), steps): (JobKey, Vec<(Box<str>, Unclocked)>)| {
            format!("unclocked {site}/{job} {steps:?}")
        };
        self.unclocked().0.into_iter().map(line).collect()
    }
}

/// [`Functions::unclocked`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parts(Vec<(JobKey, OfJob)>);

/// By step.
type OfJob = Vec<(Box<str>, Unclocked)>;
