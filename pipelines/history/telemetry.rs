//! Readings in message order, as the engine's rules take them.

mod batch;
mod gather;

use super::HistoryError;
use super::folder::{Span, StreamFiles};
use super::merge::Merge;
use super::runs::StepRuns;
use crate::engine::past::{PastRows, Shop};
use crate::schema::TELEMETRY;
use batch::Batch;

/// What every row is placed by; the rest only where a rule reads it.
const ALWAYS: [&str; 8] = ["row_id", "message", "ts", "arrived", "bay", "tool", "metric", "lateness"];

/// All of them, in message order, some ten thousand at a time.
#[derive(Debug)]
pub(crate) struct TelemetryRows {
    merge: Merge<Batch>,
    span: Span,
    runs: StepRuns,
}

impl TelemetryRows {
    /// Of a stream's files; `columns` are those of [`TELEMETRY`] that rules read, `runs` the steps that rows belong to.
    pub(crate) fn new(files: StreamFiles, columns: &[usize], runs: StepRuns) -> Self {
        let read = columns.iter().map(|&column| TELEMETRY.field(column).name().as_str());
        let mut wanted: Vec<String> = ALWAYS.into_iter().chain(read).map(str::to_owned).collect();
        wanted.sort();
        wanted.dedup();
        let span = files.span.unwrap_or(Span::ALL);
        TelemetryRows { merge: Merge::new(files, wanted), span, runs }
    }

    /// The next ones; none at the end.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn next(&mut self, shop: &mut Shop) -> Result<Option<PastRows>, HistoryError> {
        let (span, runs) = (self.span, &self.runs);
        let places = self.merge.next(|rows, site| Batch::new(rows, site, span, runs, shop))?;
        if places.is_empty() {
            return Ok(None);
        }
        shop.follow();
        let rows = gather::rows(&self.merge, &places, shop);
        self.merge.release(&places);
        Ok(Some(rows))
    }

    /// Rows of the row groups so far.
    #[must_use]
    pub(crate) fn read(&self) -> u64 {
        self.merge.read
    }
}
