//! Why an exception is there: what it said, what it rests on, and whether its rule says the same again.
//!
//! The rule is asked again by the engine's own evaluation: of the row that the evidence names, or of its window, with
//! the rows that had arrived by then, revision by revision.

mod found;
mod json;
mod recomputed;
mod text;

use std::path::Path;

pub use found::Found;
pub use json::json;
pub use recomputed::{Again, Recomputed};
pub use text::text;

use crate::config::Config;
use crate::engine::EngineError;
use crate::history::HistoryError;

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Something that the person can mend.
    #[error("{what}\n  {remedy}")]
    Input { what: String, remedy: String },
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// An exception in all its states, and what came of asking again.
#[derive(Debug)]
pub struct Explanation {
    pub found: Found,
    pub recomputed: Recomputed,
}

/// Finds the exception `id` (or the only one that begins so) and asks its rule again, if there is a configuration.
///
/// # Errors
/// There is no such exception, or more than one; history cannot be read.
pub fn explain(history: &Path, id: &str, config: Option<&Config>) -> Result<Explanation, ExplainError> {
    let found = Found::find(history, id)?;
    let recomputed = match config {
        Some(config) => recomputed::recompute(history, &found, config)?,
        None => Recomputed::not("there is no configuration to ask: name it with --config"),
    };
    Ok(Explanation { found, recomputed })
}
