//! Jobs and their steps as people see them.

use serde::Serialize;
use utoipa::ToSchema;

/// What the functions show. Made anew when something of it changes, and not part of the live picture: who shows it asks.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Jobs {
    /// Open ones first, in the order of their promised time, then those that were handed over last; at most 2,000.
    pub jobs: Vec<JobView>,
    /// Steps that wait for a bay or for somebody, in the order in which they are placed.
    pub queue: Vec<QueuedStepView>,
}

/// A job; `/api/v1/jobs`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct JobView {
    pub site: String,
    pub job: String,
    pub customer: Option<String>,
    pub vehicle: Option<String>,
    /// `accepted`, `started`, `ready` or `released`.
    pub state: String,
    pub promised_ms: Option<i64>,
    pub accepted_ms: i64,
    pub started_ms: Option<i64>,
    pub ready_ms: Option<i64>,
    pub released_ms: Option<i64>,
    pub released_by: Option<String>,
    /// What was open when it was handed over.
    pub reason: Option<String>,
    /// Why it may not be handed over now, a fragment each.
    pub in_the_way: Vec<String>,
    /// Lines of its bill that wait for somebody to post them.
    pub lines_held: u64,
    /// In the order of the card.
    pub steps: Vec<JobStepView>,
}

/// A step of a job.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct JobStepView {
    pub step: String,
    pub operation: Option<String>,
    pub skills: Vec<String>,
    /// `planned`, `ready`, `assigned`, `active`, `paused`, `done`, `qa_hold`, `reworked` or `closed`.
    pub state: String,
    pub bay: Option<String>,
    pub technician: Option<String>,
    /// Why it is paused, held, or closed without being done.
    pub reason: Option<String>,
    pub assigned_ms: Option<i64>,
    /// Of the newest run.
    pub started_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    /// Since when it is worked on, on top of `worked_s`.
    pub active_since_ms: Option<i64>,
    /// Over all runs, pauses subtracted.
    pub worked_s: f64,
    pub standard_s: Option<f64>,
    /// When it was worked on by what its tools say, where nobody clocks; until its clocked end.
    pub inferred_started_ms: Option<i64>,
    pub inferred_ended_ms: Option<i64>,
    /// How sure that is, from 0 to 1.
    pub confidence: Option<f64>,
    /// What it is inferred from: `tags`, `booking`, `expected readings`, `tool use`, with commas between them.
    pub inferred_from: Option<String>,
    /// `open`, `passed`, `unsigned`, `failed` or `accepted`.
    pub verdict: String,
    pub needs_signature: bool,
    /// Good readings that lack; none before the record says so.
    pub missing: Option<u64>,
    pub signed_by: Option<String>,
    pub signed_ms: Option<i64>,
}

/// A step that nobody does yet, though somebody could.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct QueuedStepView {
    pub site: String,
    pub job: String,
    pub step: String,
    pub operation: Option<String>,
    pub promised_ms: Option<i64>,
    pub skills: Vec<String>,
    /// In words.
    pub waits_for: String,
}
