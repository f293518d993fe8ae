//! The past, read back: exported streams as rows in the order of their messages.
//!
//! Files of a partition hold rows nearly in order, and partitions go side by side, so row groups are merged by what
//! their statistics and their `message` column say: memory holds the row groups that overlap, however long history is.

pub(crate) mod booked;
pub(crate) mod exceptions;
mod folder;
mod group;
mod merge;
pub(crate) mod one_row;
mod runs;
mod steps;
mod telemetry;

use std::path::Path;

pub(crate) use folder::{Span, StreamFiles};
pub(crate) use runs::{BeforeStart, StepRuns};
pub(crate) use steps::{StepRow, StepRows};
pub(crate) use telemetry::TelemetryRows;

/// Why history cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{what}\n  {remedy}")]
pub struct HistoryError {
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl HistoryError {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        HistoryError { what: what.into(), remedy: remedy.into() }
    }

    fn unreadable(path: &Path, error: impl std::fmt::Display) -> Self {
        HistoryError::new(
            format!("{} cannot be read: {error}", path.display()),
            "make it readable, or remove it if it is half a file of another program",
        )
    }
}
