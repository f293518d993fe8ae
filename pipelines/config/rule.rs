//! What a file of `rules/` says.

use std::path::PathBuf;
use std::time::Duration;

/// A file of `rules/`: a rule raises exceptions, a view is a stream of its own.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    pub file: PathBuf,
    /// `rule = "…"` or `view = "…"`.
    pub name: String,
    pub is_view: bool,
    pub severity: Severity,
    pub lane: Lane,
    pub kind: Option<ExceptionKind>,
    /// Columns that name one open condition; default: series, or the GROUP BY keys without the window.
    pub key: Option<Vec<String>>,
    pub latch: bool,
    pub raise_after: Duration,
    pub clear_after: Duration,
    /// Expression over the columns of SELECT: what clears, where it is not whatever does not match.
    pub clear_when: Option<String>,
    /// What matches again within it of its clearing is the same exception.
    pub realarm_after: Duration,
    /// Raised when nothing that matches has arrived for so long.
    pub silent_after: Option<Duration>,
    /// With it: when nothing has for so many of the key's usual intervals, if that is longer.
    pub silent_intervals: Option<u32>,
    /// Raised when a reading that matches has been the last of its key for so long.
    pub held_after: Option<Duration>,
    /// When silence, or what is held, counts.
    pub counts_while: CountsWhile,
    /// Rules whose open exceptions hold those of this one back.
    pub suppressed_by: Vec<String>,
    pub message: String,
    pub response: String,
    pub sql: String,
    /// Line of `sql` in the file, for messages.
    pub sql_line: usize,
    /// First 12 hex of BLAKE3 of the parsed content.
    pub version: String,
}

/// `severity = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

impl RuleSettings {
    /// How long it takes until silence, or what is held, is raised; none for rules over neither.
    #[must_use]
    pub fn lasts(&self) -> Option<Duration> {
        self.silent_after.or(self.held_after)
    }
}

impl Severity {
    /// The name in files and streams.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

/// `while = "…"`: when silence, or what is held, counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsWhile {
    Always,
    /// A step of the bay is active and not paused.
    Step,
    /// No step of the bay is.
    NoStep,
    /// The bay is open, as its status says.
    Open,
}

impl CountsWhile {
    /// By one of the words that [`super::rules`] allows.
    pub(super) fn named(word: &str) -> Self {
        match word {
            "step" => CountsWhile::Step,
            "open" => CountsWhile::Open,
            _ => CountsWhile::NoStep,
        }
    }
}

/// `lane = "…"`: when a rule looks at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// When its step is certain, or its window closes.
    Final,
    /// On arrival, and again when its step is certain.
    Instant,
}

/// `kind = "…"`: each row an exception, or one open per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    Event,
    Condition,
}
