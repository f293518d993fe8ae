//! What the board and the HTTP interface show: a picture of now, published by the run loop.
//!
//! It is made of what has arrived, not of what has become final: a step shows when it starts, and not
//! when the watermark has passed it.

mod counts;
mod deliveries;
mod exceptions;
mod floods;
mod jobs;
mod work;

use std::sync::Arc;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub use self::counts::Counts;
pub use self::deliveries::{Deliveries, DeliveryView};
pub use self::exceptions::{ExceptionView, ToolView};
pub use self::floods::{ActorView, FloodView};
pub use self::jobs::{JobStepView, JobView, Jobs, QueuedStepView};
pub use self::work::{ExpectedView, OwnStep, OwnStepView, OwnSteps, ReadingView, UsedView};
use crate::channels::Missing;

/// The whole picture. Serialised as it is to `/api/v1/live` (one JSON object an event) and in parts to the
/// other routes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// Wall time of the picture, ms since 1970 UTC.
    pub at_ms: i64,
    pub status: Status,
    pub bays: Vec<Bay>,
    /// Open ones first, then suppressed ones, newest first; then the newest closed ones. At most 200.
    pub exceptions: Vec<ExceptionView>,
    /// By site and tool, at most 200.
    pub tools_out_of_service: Vec<ToolView>,
    /// Newest bookings first, at most 200.
    pub usage: Vec<UsageView>,
    /// By site.
    #[serde(skip)]
    pub floods: Vec<FloodView>,
    #[serde(skip)]
    pub jobs: Arc<Jobs>,
}

/// `/api/v1/status`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Status {
    pub version: String,
    /// Version of the configuration that applies, as `andon check` prints it.
    pub configuration: String,
    /// Why the files, which have changed since, are not taken up: a mistake each, with its place and a remedy.
    pub configuration_refused: Vec<String>,
    /// Rules and views whose windows wait for what is read of the exports: they say nothing until then.
    pub windows_waiting: Vec<String>,
    /// Empty when ready; else why not, one sentence fragment each.
    pub not_ready: Vec<String>,
    pub counts: Counts,
    /// Sequence numbers that have not come; `/api/v1/status/gaps` names them.
    pub missing: Missing,
    /// How far couriers are.
    pub deliveries: Vec<DeliveryView>,
    pub messages_per_second: f64,
    /// Arrival of the newest message minus the least watermark of the bays that are not released.
    pub watermark_lag_ms: Option<i64>,
    /// From arrival to durable and applied, over the last minute.
    pub latency_ms: Latency,
    pub journal_offset: u64,
    pub epoch: u64,
    pub exceptions_open: u64,
    /// Those that go on while another exception, their cause, holds them back: nobody is called.
    pub exceptions_suppressed: u64,
    /// Part of the open ones: somebody has put them aside for a while.
    pub exceptions_shelved: u64,
    /// Sites on which more exceptions call than anybody can look at.
    pub floods: Vec<String>,
    /// `primary`, or `standby` while it follows another region.
    pub role: String,
    /// None where the journal is not mirrored.
    pub mirror: Option<Mirror>,
}

/// How it stands with the copy in another region. What the mirror does not have is what would be lost with the
/// leader's machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Mirror {
    pub place: String,
    /// `local` or `mirrored`.
    pub ack: String,
    pub generation: u64,
    /// `NODE.PROCESS` of the one that leads.
    pub leader: String,
    /// The newest entry that the mirror has.
    pub mirrored_offset: u64,
    pub lag_entries: u64,
    /// Messages in these entries, counted.
    pub lag_messages: u64,
    pub lag_bytes: u64,
    pub lag_seconds: f64,
    pub reachable: bool,
    /// Of a standby: the newest epoch at which its state was the leader's.
    pub compared_epoch: Option<u64>,
    /// How often it was not.
    pub state_differences: u64,
    /// The first time.
    pub state_difference: Option<StateDifference>,
}

/// Two states that should be the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateDifference {
    /// Journal offset.
    pub offset: u64,
    /// Hashes.
    pub ours: String,
    pub theirs: String,
}

/// Milliseconds at the percentile.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// A tile of the board; `/api/v1/bays`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Bay {
    pub site: String,
    pub bay: String,
    pub job: Option<String>,
    pub step: Option<String>,
    pub operation: Option<String>,
    pub technician: Option<String>,
    /// Event time the step started.
    pub started_ms: Option<i64>,
    /// Worked so far: elapsed minus pauses, in seconds.
    pub elapsed_s: Option<f64>,
    pub standard_s: Option<f64>,
    pub paused: bool,
    pub state: BayState,
    /// Why it has that state, in words.
    pub reason: String,
    /// Arrival of the newest message of the bay.
    pub last_arrived_ms: Option<i64>,
    /// No row before this is still expected, ms.
    pub watermark_ms: Option<i64>,
    pub exceptions_open: u32,
    /// Newest readings of the bay's liveliest metrics, at most four lines.
    pub trends: Vec<Trend>,
    /// What the step is to measure, what of it has been, up to the watermark, and what its tools read last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<ExpectedView>,
    /// What the step is to use, and what of it has been, up to the watermark.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<UsedView>,
}

/// Colour of a tile, with its meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BayState {
    /// Green: a step goes on, on time.
    Normal,
    /// Yellow: over standard time, or a medium or low exception is open.
    AtRisk,
    /// Red: stopped by a critical or high exception, or over 1.5 times the standard.
    Stopped,
    /// Blue: the step is paused.
    Waiting,
    /// White: no step.
    Free,
    /// Grey: nothing heard for longer than the idle time.
    #[default]
    NoData,
}

/// A small line: the newest points of one metric, oldest first, at most 60.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Trend {
    pub tool: String,
    pub metric: String,
    pub unit: String,
    /// Serialised to five significant digits: it is a line to look at.
    #[serde(serialize_with = "five_digits")]
    pub points: Vec<f64>,
}

fn five_digits<S: Serializer>(points: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(points.iter().map(|&point| round(point)))
}

/// To five significant digits; what cannot be scaled stays as it is.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = 4 - value.abs().log10().floor() as i32;
    // Powers of ten up to here are exact, so that the division gives the nearest number.
    if exponent.abs() > 22 {
        return value;
    }
    let scale = 10_f64.powi(exponent.abs());
    if exponent >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale }
}

/// A booking; `/api/v1/usage`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct UsageView {
    pub site: String,
    pub bay: String,
    pub job: String,
    pub step: String,
    pub resource: String,
    pub quantity: f64,
    pub unit: String,
    pub ended_ms: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_trend_is_written_short() {
        let points = vec![87.253_412_34, 0.1 + 0.2, -1234.567, 0.0, 98_765_432.1, 1e-30, f64::NAN];
        let trend = Trend { points, ..Trend::default() };
        let text = serde_json::to_string(&trend).expect("a trend is JSON");
        assert!(text.ends_with(r#""points":[87.253,0.3,-1234.6,0.0,98765000.0,1e-30,null]}"#), "{text}");
    }

    #[test]
    fn what_another_exception_holds_back_calls_for_nobody() {
        let states = ["active", "latched", "suppressed", "cleared"];
        let open = states.map(|state| ExceptionView { state: state.to_owned(), ..ExceptionView::default() });
        assert_eq!(open.map(|one| one.is_open()), [true, true, false, false]);
    }

    proptest! {
        #[test]
        fn rounding_moves_a_point_by_less_than_what_can_be_seen(value in -1e12_f64..1e12) {
            prop_assert!((round(value) - value).abs() <= value.abs() * 1e-4);
        }
    }
}
