//! What is new since it was last put out, in order: rows of tables, items of queues.

use std::sync::Arc;

use super::billing::Line;
use super::inference::Inferred;
use super::inspection::{Signature, Verdict};
use super::job::{Job, JobHead, StepHead, StepPlan, StepState};
use super::queues::Item;

/// Rows by table.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub jobs: Vec<JobRow>,
    pub steps: Vec<StepRow>,
    pub inspections: Vec<InspectionRow>,
    pub lines: Vec<LineRow>,
    pub items: Vec<Item>,
}

/// A job as it stands from `at_ms` on.
#[derive(Clone, Debug)]
pub(super) struct JobRow {
    pub at_ms: i64,
    pub head: JobHead,
    pub steps: u64,
    pub closed: u64,
}

/// A step as it stands from `at_ms` on.
#[derive(Clone, Debug)]
pub(super) struct StepRow {
    pub at_ms: i64,
    pub site: Box<str>,
    pub job: Box<str>,
    /// From 1, in the order of the card.
    pub position: u64,
    pub head: StepHead,
    pub plan: Arc<StepPlan>,
    pub worked_ms: i64,
    pub inferred: Option<Inferred>,
}

/// The record of a step.
#[derive(Clone, Debug)]
pub(super) struct InspectionRow {
    pub at_ms: i64,
    pub site: Box<str>,
    pub job: Box<str>,
    pub step: Box<str>,
    pub bay: Option<Box<str>>,
    pub technician: Option<Box<str>>,
    pub classes: String,
    pub verdict: Verdict,
    pub reason: Option<Box<str>>,
    pub missing: u64,
    pub evidence: String,
    pub signature: Option<Signature>,
    pub revision: u32,
}

/// A line of a bill.
#[derive(Clone, Debug)]
pub(super) struct LineRow {
    pub at_ms: i64,
    pub site: Box<str>,
    pub job: Box<str>,
    pub number: u64,
    pub line: Line,
}

impl Told {
    pub(super) fn is_empty(&self) -> bool {
        let Told { jobs, steps, inspections, lines, items } = self;
        jobs.is_empty() && steps.is_empty() && inspections.is_empty() && lines.is_empty() && items.is_empty()
    }

    pub(super) fn job(&mut self, job: &mut Job, at_ms: i64) {
        job.head.revision += 1;
        let closed = job.steps.iter().filter(|step| step.head.state == StepState::Closed).count() as u64;
        let (head, steps) = (job.head.clone(), job.steps.len() as u64);
        self.jobs.push(JobRow { at_ms, head, steps, closed });
    }

    pub(super) fn step(&mut self, job: &mut Job, place: usize, at_ms: i64) {
        let step = &mut job.steps[place];
        step.head.revision += 1;
        self.steps.push(StepRow {
            at_ms,
            site: job.head.site.clone(),
            job: job.head.job.clone(),
            position: place as u64 + 1,
            head: step.head.clone(),
            plan: Arc::clone(&step.plan),
            worked_ms: step.worked_ms(),
            inferred: step.inferred(),
        });
    }

    pub(super) fn inspection(&mut self, job: &mut Job, place: usize, at_ms: i64) {
        let step = &mut job.steps[place];
        step.inspection.revision += 1;
        let record = &step.inspection;
        let classes: Vec<&str> = step.plan.classes.iter().map(|class| &**class).collect();
        self.inspections.push(InspectionRow {
            at_ms,
            site: job.head.site.clone(),
            job: job.head.job.clone(),
            step: step.plan.step.clone(),
            bay: step.head.bay.clone(),
            technician: step.head.technician.clone(),
            classes: classes.join(" "),
            verdict: record.verdict,
            reason: step.head.reason.clone(),
            missing: record.missing(),
            evidence: record.evidence().to_string(),
            signature: record.signature.clone(),
            revision: record.revision,
        });
    }

    pub(super) fn line(&mut self, job: &mut Job, place: usize, at_ms: i64) {
        let line = &mut job.bill.lines[place];
        line.revision += 1;
        let (site, job) = (job.head.site.clone(), job.head.job.clone());
        self.lines.push(LineRow { at_ms, site, job, number: place as u64 + 1, line: line.clone() });
    }
}
