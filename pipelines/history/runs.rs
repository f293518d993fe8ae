//! The runs of steps in history, found from its step events as the engine finds them.

use rustc_hash::FxHashMap;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;

use super::HistoryError;
use super::folder::StreamFiles;
use super::steps::StepRows;

/// Site, bay, job, step.
type Key = (String, String, String, String);

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct StepRuns {
    of_step: FxHashMap<Key, RunsOfStep>,
}

/// The runs of one step.
#[derive(Debug, Default)]
pub(crate) struct RunsOfStep {
    /// Start and end, by start; `i64::MAX` as the end of one that nobody has finished.
    runs: Vec<(i64, i64)>,
    /// All ends, ascending.
    ends_ms: Vec<i64>,
}

impl StepRuns {
    /// Of the files of stream `steps`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(files: StreamFiles) -> Result<Self, HistoryError> {
        let mut events: Vec<(i64, u64, Key, bool)> = Vec::new();
        let mut rows = StepRows::new(files);
        while let Some(step) = rows.next_before(u64::MAX)? {
            let event = text(&step.row, "event");
            let is_start = event == "started";
            if is_start || event == "finished" || event == "failed" {
                let key = (step.site, step.bay, text(&step.row, "job"), text(&step.row, "step"));
                events.push((step.ts_ms, step.message, key, is_start));
            }
        }
        events.sort();
        let mut runs = StepRuns::default();
        for (ts_ms, _, key, is_start) in events {
            let RunsOfStep { runs, ends_ms } = runs.of_step.entry(key).or_default();
            let open = runs.last_mut().filter(|(_, ended_ms)| *ended_ms == i64::MAX);
            match (open, is_start) {
                (None, true) => runs.push((ts_ms, i64::MAX)),
                (Some(open), false) => open.1 = ts_ms,
                _ => {}
            }
            if !is_start {
                ends_ms.push(ts_ms);
            }
        }
        Ok(runs)
    }

    pub(crate) fn of(&self, site: &str, bay: &str, job: &str, step: &str) -> Option<&RunsOfStep> {
        self.of_step.get(&(site.to_owned(), bay.to_owned(), job.to_owned(), step.to_owned()))
    }
}

impl RunsOfStep {
    /// The end of the run that began at `started_ms`, or was thought to.
    pub(crate) fn end_of(&self, started_ms: i64) -> i64 {
        let next = self.ends_ms.partition_point(|ended_ms| *ended_ms <= started_ms);
        self.ends_ms.get(next).copied().unwrap_or(i64::MAX)
    }

    /// The run that holds `ts_ms`.
    pub(crate) fn at(&self, ts_ms: i64) -> Option<(i64, i64)> {
        let begun = self.runs.partition_point(|(started_ms, _)| *started_ms <= ts_ms);
        self.runs[..begun].last().filter(|(_, ended_ms)| ts_ms < *ended_ms).copied()
    }
}

fn text(row: &RecordBatch, name: &str) -> String {
    row.column_by_name(name).and_then(|column| array_value_to_string(column, 0).ok()).unwrap_or_default()
}
