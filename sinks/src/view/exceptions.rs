//! Exceptions as people see them.

use serde::Serialize;
use utoipa::ToSchema;

/// An exception as people see it; `/api/v1/exceptions`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ExceptionView {
    pub id: String,
    pub rule: String,
    pub severity: String,
    pub site: String,
    pub bay: String,
    pub tool: String,
    pub job: Option<String>,
    pub step: Option<String>,
    pub raised_ms: i64,
    pub cleared_ms: Option<i64>,
    /// `active`, `latched`, `suppressed` or `cleared`.
    pub state: String,
    /// `unacknowledged`, `acknowledged`, `shelved` or `out_of_service`.
    pub operator_state: String,
    /// Who changed that last, as they said themselves, why, and when.
    pub actor: Option<String>,
    pub operator_reason: Option<String>,
    pub operator_since_ms: Option<i64>,
    pub shelved_until_ms: Option<i64>,
    pub value: Option<f64>,
    pub limit_min: Option<f64>,
    pub limit_max: Option<f64>,
    pub message: String,
    pub response: String,
    /// JSON: rule version, window, watermark, ids of rows.
    pub evidence: serde_json::Value,
}

/// A tool that is out of service; `/api/v1/tools/out_of_service`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ToolView {
    pub site: String,
    pub tool: String,
    /// Who took it out, as they said themselves, why, and when.
    pub actor: String,
    pub reason: String,
    pub since_ms: i64,
}

impl ExceptionView {
    /// Whether it needs somebody: it is active, or latched until it is reset.
    #[must_use]
    pub fn is_open(&self) -> bool {
        ["active", "latched"].contains(&self.state.as_str())
    }
}
