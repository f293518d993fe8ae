//! What a changed configuration would have raised over stored history, compared with the old one.
//!
//! Rows are read once, in message order, and judged by the engine's own rules ([`crate::engine::past`]). Rules that
//! both configurations have word for word are judged once, since they say the same of the same rows.

mod difference;
pub(crate) mod feed;
mod html;
mod json;
mod outcome;
mod report;
mod run;
mod stored;
mod text;

use std::path::Path;

pub use crate::engine::past::Mode;
pub use difference::{Change, Counts, Difference};
pub use html::page;
pub use json::json;
pub use outcome::Outcome;
pub(crate) use report::time;
pub use report::{Report, Side};
pub use stored::Stored;
pub use text::text;

use crate::config::Config;
use crate::engine::EngineError;
use crate::history::HistoryError;
use run::Run;

/// What is compared with what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The changed configuration.
    pub new: &'a Config,
    /// The configuration to hold it against; its settings of time hold for both.
    pub old: &'a Config,
    /// Folder of exports.
    pub history: &'a Path,
    /// Exceptions raised from this time on, ms since 1970.
    pub from_ms: Option<i64>,
    /// Exceptions raised before this time.
    pub to_ms: Option<i64>,
    /// Only this rule.
    pub rule: Option<&'a str>,
    pub mode: Mode,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Rows read so far, and all that there are to read.
    pub read: u64,
    pub rows: u64,
    /// Exceptions of both so far.
    pub exceptions: usize,
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// Something that the person can mend.
    #[error("{what}\n  {remedy}")]
    Input { what: String, remedy: String },
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Runs both configurations over history.
///
/// # Errors
/// There is no history, or none of that span or rule; a rule that raises too many exceptions to hold.
pub fn backtest(request: Request<'_>, progress: &mut dyn FnMut(Progress)) -> Result<Report, BacktestError> {
    Run::new(request)?.finish(progress)
}
