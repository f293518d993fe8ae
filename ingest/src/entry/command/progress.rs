//! How a step goes on, and an item on its way outside.

use serde::{Deserialize, Serialize};

/// What a technician does to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepVerb {
    Start,
    Pause,
    Resume,
    Finish,
}

/// How far an item is on its way outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The courier is new: this is the first item that it is to take.
    Begin,
    /// It, and what waits before it, is for others: nothing is sent.
    Passed,
    /// It is about to be sent. In the journal before anything goes out.
    Attempt,
    /// The other side has it.
    Sent,
    /// The other side does not have it; it is sent again.
    Failed,
    /// A person has to look: the other side refuses it, or it is not known whether it has it.
    Held,
    /// A person says that it is to be sent, again or for the first time.
    Resend,
    /// A person says that it is not to be sent any more.
    Skip,
}

impl Progress {
    /// As in the JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Progress::Begin => "begin",
            Progress::Passed => "passed",
            Progress::Attempt => "attempt",
            Progress::Sent => "sent",
            Progress::Failed => "failed",
            Progress::Held => "held",
            Progress::Resend => "resend",
            Progress::Skip => "skip",
        }
    }

    /// Whether people want to find it in the audit: not each step of each item.
    #[must_use]
    pub fn is_decision(self) -> bool {
        !matches!(self, Progress::Passed | Progress::Attempt | Progress::Sent | Progress::Failed)
    }
}

impl StepVerb {
    /// As in the JSON and in the route.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StepVerb::Start => "start",
            StepVerb::Pause => "pause",
            StepVerb::Resume => "resume",
            StepVerb::Finish => "finish",
        }
    }

    /// The step event that says it is done.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            StepVerb::Start => "started",
            StepVerb::Pause => "paused",
            StepVerb::Resume => "resumed",
            StepVerb::Finish => "finished",
        }
    }
}
