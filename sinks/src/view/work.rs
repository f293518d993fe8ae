//! Steps as whoever does them sees them: what is to be measured and used, how far that is, and what the tool in hand reads.

use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::{JobStepView, JobView};

/// A step as whoever does it sees it; `/api/v1/technicians/{technician}/steps`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OwnStepView<'a> {
    pub site: &'a str,
    pub job: &'a str,
    pub vehicle: Option<&'a str>,
    pub promised_ms: Option<i64>,
    #[serde(flatten)]
    pub step: &'a JobStepView,
}

impl<'a> OwnStepView<'a> {
    /// None once the job is handed over.
    #[must_use]
    pub fn of(job: &'a JobView, step: &'a JobStepView) -> Option<OwnStepView<'a>> {
        let (vehicle, promised_ms) = (job.vehicle.as_deref(), job.promised_ms);
        let own = OwnStepView { site: &job.site, job: &job.job, vehicle, promised_ms, step };
        (job.state != "released").then_some(own)
    }

    /// How far in front it stands: what is worked on first, then what is to be.
    #[must_use]
    pub fn rank(&self) -> usize {
        ["active", "paused", "assigned"].iter().position(|first| *first == self.step.state).unwrap_or(3)
    }
}

/// A step of a technician, with how far it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnStep<'a> {
    #[serde(flatten)]
    pub own: OwnStepView<'a>,
    /// Of a step that goes on: what it is to measure, what of that has been, before `as_of_ms`, and what its tools read last.
    #[serde(skip_serializing_if = "<[ExpectedView]>::is_empty")]
    pub expected: &'a [ExpectedView],
    /// Of a step that goes on: what it is to use, and what of that has been, before `as_of_ms`.
    #[serde(skip_serializing_if = "<[UsedView]>::is_empty")]
    pub resources: &'a [UsedView],
    pub as_of_ms: Option<i64>,
}

/// What is a technician's, what is worked on first; `/api/v1/technicians/{technician}/steps`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnSteps<'a> {
    pub technician: &'a str,
    pub steps: Vec<OwnStep<'a>>,
}

/// What a step is to measure, and how far that is.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ExpectedView {
    pub metric: String,
    pub joint: Option<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// As many good readings as the card asks for, if it does.
    pub expected: Option<u32>,
    pub counted: u64,
    /// Those of them inside the limits.
    pub within: u64,
    pub missing: Option<u64>,
    /// What its tool read last since the step began: what has arrived, not what is certain.
    pub newest: Option<ReadingView>,
}

/// What a tool read, against its limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ReadingView {
    pub tool: String,
    pub joint: Option<String>,
    pub ts_ms: i64,
    pub value: f64,
    pub unit: String,
    /// Of the job card, else of the tool itself.
    pub spec_min: Option<f64>,
    pub spec_max: Option<f64>,
    /// None where there are no limits.
    pub within_spec: Option<bool>,
}

/// How much of a resource a step has used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UsedView {
    pub resource: String,
    /// So far.
    pub quantity: f64,
    /// Of the job card; none where it does not name the resource, or measures it otherwise.
    pub planned: Option<f64>,
    /// Of both.
    pub unit: String,
}
