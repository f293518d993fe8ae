//! Why the engine could not go on.

use arrow::error::ArrowError;

use super::PastError;
use crate::plan::PlanError;

/// Why the engine could not go on: always a mistake of ours, or state of another version.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A rule does not compile.
    #[error("rule `{rule}` cannot run: {source}")]
    Rule { rule: String, source: PlanError },
    /// Columns did not fit together.
    #[error("rows of `{stream}` could not be made: {source}")]
    Rows { stream: String, source: ArrowError },
    /// A rule's window could not be computed.
    #[error("window of `{rule}` could not be computed: {source}")]
    Window { rule: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// A configuration in the journal that this version cannot run.
    #[error(
        "the journaled configuration cannot run: {reason}; apply this journal with the version of Andon that wrote it"
    )]
    Configuration { reason: String },
    /// What new windows are filled with cannot be read.
    #[error("the journal from entry {from} on, which new windows are filled with, cannot be read: {source}")]
    Past { from: u64, source: PastError },
    /// A checkpoint that this version cannot read.
    #[error(
        "the checkpoint's state cannot be restored: {reason}; start from an older checkpoint or replay the journal"
    )]
    State { reason: String },
    /// A checkpoint of another version.
    #[error(
        "the checkpoint's state is of version {found}, and this program knows {known}: {remedy}",
        remedy = if found > known { NEWER } else { OLDER }
    )]
    StateVersion { found: u32, known: u32 },
}

const NEWER: &str = "start the Andon that wrote it, or a newer one";
const OLDER: &str = "start the Andon that wrote it, and after that one those between";
