//! What boards and HTTP show of the functions.

use sinks::view::{FloodView, JobStepView, JobView, QueuedStepView};

use super::Functions;
use super::assignment::{Lacks, choose};
use super::job::{Job, JobState, Step, StepState};

/// Jobs that are shown: all that are open first, then those that were handed over last.
const SHOWN_MAX: usize = 2_000;

impl Functions {
    /// Changes with whatever is shown.
    #[must_use]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Site and name of those who steps are assigned to.
    pub(crate) fn technicians(&self) -> impl Iterator<Item = (&str, &str)> {
        let technicians = self.settings.assignment.technicians.iter();
        technicians.map(|(name, technician)| (technician.site.as_str(), name.as_str()))
    }

    /// How many exceptions call on each site, as of a time.
    #[must_use]
    pub(crate) fn floods(&self, at_ms: i64) -> Vec<FloodView> {
        self.floods.views(at_ms, &self.settings.routing.flood_per_10min)
    }

    /// Jobs, open ones first, in the order in which their steps are placed; then the ones handed over last.
    #[must_use]
    pub(crate) fn job_views(&self) -> Vec<JobView> {
        let mut jobs: Vec<&Job> = self.jobs.values().collect();
        jobs.sort_by_key(|job| {
            let released_ms = job.head.released_ms.unwrap_or(i64::MAX);
            let is_released = job.head.state == JobState::Released;
            let rank = if is_released {
                released_ms.saturating_neg()
            } else {
                job.head.promised_ms.unwrap_or(i64::MAX)
            };
            (is_released, rank, job.number)
        });
        jobs.into_iter().take(SHOWN_MAX).map(|job| self.job_view(job)).collect()
    }

    /// Steps that wait for a bay or for somebody, in the order in which they are placed, and what each waits for.
    #[must_use]
    pub(crate) fn queued_steps(&self) -> Vec<QueuedStepView> {
        let load = self.load();
        let waiting = self.waiting().into_iter().take(SHOWN_MAX);
        let view = waiting.map(|one| {
            let step = &one.job.steps[one.place];
            let lacks = choose(&self.settings.assignment, one, &load);
            QueuedStepView {
                site: one.job.head.site.to_string(),
                job: one.job.head.job.to_string(),
                step: step.plan.step.to_string(),
                operation: step.plan.operation.as_deref().map(str::to_owned),
                promised_ms: one.job.head.promised_ms,
                skills: step.plan.skills.iter().map(|skill| skill.to_string()).collect(),
                waits_for: lacks.err().map_or("the next second".to_owned(), |lacks: Lacks| lacks.said()),
            }
        });
        view.collect()
    }

    fn job_view(&self, job: &Job) -> JobView {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let head = &job.head;
        let open = head.state != JobState::Released;
        JobView {
            site: head.site.to_string(),
            job: head.job.to_string(),
            customer: text(&head.customer),
            vehicle: text(&head.vehicle),
            state: head.state.as_str().to_owned(),
            promised_ms: head.promised_ms,
            accepted_ms: head.accepted_ms,
            started_ms: head.started_ms,
            ready_ms: head.ready_ms,
            released_ms: head.released_ms,
            released_by: text(&head.released_by),
            reason: text(&head.reason),
            in_the_way: if open { job.in_the_way() } else { Vec::new() },
            lines_held: job.bill.lines.iter().filter(|line| line.held.is_some()).count() as u64,
            steps: job.steps.iter().map(|step| self.step_view(&head.site, step)).collect(),
        }
    }

    fn step_view(&self, site: &str, step: &Step) -> JobStepView {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let (head, record, inferred) = (&step.head, &step.inspection, step.inferred());
        JobStepView {
            step: step.plan.step.to_string(),
            operation: text(&step.plan.operation),
            skills: step.plan.skills.iter().map(|skill| skill.to_string()).collect(),
            state: head.state.as_str().to_owned(),
            bay: text(&head.bay),
            technician: text(&head.technician),
            reason: text(&head.reason),
            assigned_ms: head.assigned_ms,
            started_ms: head.started_ms,
            ended_ms: head.ended_ms,
            active_since_ms: head.since_ms,
            worked_s: step.worked_ms() as f64 / 1000.0,
            standard_s: step.plan.standard_ms.map(|ms| ms as f64 / 1000.0),
            inferred_started_ms: inferred.as_ref().map(|inferred| inferred.started_ms),
            inferred_ended_ms: inferred.as_ref().and_then(|inferred| inferred.ended_ms),
            confidence: inferred.as_ref().map(|inferred| inferred.confidence),
            inferred_from: inferred.map(|inferred| inferred.from),
            verdict: record.verdict.as_str().to_owned(),
            needs_signature: head.state != StepState::Closed
                && record.is_to_sign(&step.plan, self.settings.qa.of(site)),
            missing: record.is_told.then(|| record.missing()),
            signed_by: record.signature.as_ref().map(|signature| signature.actor.to_string()),
            signed_ms: record.signature.as_ref().map(|signature| signature.at_ms),
        }
    }
}
