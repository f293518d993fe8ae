//! An exception as it stands in its stream.

use std::cmp::Reverse;
use std::sync::Arc;

use super::super::ids::row_id;
use super::operator::{Operator, OperatorState};
use crate::config::Severity;

/// A row of stream `exceptions`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Exception {
    pub id: String,
    pub rule: Arc<str>,
    pub rule_version: Arc<str>,
    pub severity: Severity,
    pub site: String,
    pub bay: Option<String>,
    pub tool: Option<String>,
    pub job: Option<String>,
    pub step: Option<String>,
    pub raised_ms: i64,
    pub cleared_ms: Option<i64>,
    pub state: State,
    pub value: Option<f64>,
    pub limit_min: Option<f64>,
    pub limit_max: Option<f64>,
    pub message: String,
    /// JSON object as text: window, watermark, limits, ids of rows.
    pub evidence: String,
    pub operator: Operator,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum State {
    Active,
    Latched,
    /// Goes on, or was an event, while an open exception of another rule is its cause: nobody is called.
    Suppressed,
    Cleared,
}

impl State {
    /// The name in the stream.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Latched => "latched",
            State::Suppressed => "suppressed",
            State::Cleared => "cleared",
        }
    }
}

impl Exception {
    /// Whether its last word before it was cleared was that it is suppressed.
    #[must_use]
    pub(super) fn was_suppressed(&self) -> bool {
        let evidence: serde_json::Value = serde_json::from_str(&self.evidence).unwrap_or_default();
        evidence.get("cause").is_some()
    }

    /// Whether somebody has put it aside for a while.
    #[must_use]
    pub(crate) fn is_shelved(&self) -> bool {
        self.operator.state == OperatorState::Shelved
    }

    /// Whether it calls for nobody, for a while or while its tool is out of service.
    #[must_use]
    pub(crate) fn is_aside(&self) -> bool {
        matches!(self.operator.state, OperatorState::Shelved | OperatorState::OutOfService)
    }

    /// The least is what matters most: by severity, of these the newest.
    #[must_use]
    pub(crate) fn urgency(&self) -> (Severity, Reverse<i64>, &str) {
        (self.severity, Reverse(self.raised_ms), &self.id)
    }

    /// Id of this state of it; what is said anew, on other evidence, is another.
    #[must_use]
    pub(crate) fn row_id(&self) -> String {
        let cleared_ms = self.cleared_ms.unwrap_or(i64::MIN).to_le_bytes();
        let state = [self.state.as_str().as_bytes(), &cleared_ms].concat();
        if self.operator == Operator::default() {
            return row_id("exceptions", &[self.id.as_bytes(), &state, self.evidence.as_bytes()]);
        }
        let operator = format!("{:?}", self.operator);
        row_id("exceptions", &[self.id.as_bytes(), &state, self.evidence.as_bytes(), operator.as_bytes()])
    }
}
