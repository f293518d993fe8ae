//! The runs of steps in history, found from its step events as the engine finds them.

use rustc_hash::FxHashMap;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use ingest::readings::StepEventKind;

use super::HistoryError;
use super::folder::StreamFiles;
use super::steps::StepRows;

/// Site, bay, job, step.
type Key = (String, String, String, String);

/// Events that came before the start that they need, by message and place in it, with the message of the start: they were
/// told when that came.
pub(crate) type BeforeStart = FxHashMap<(u64, u32), u64>;

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct StepRuns {
    of_step: FxHashMap<Key, RunsOfStep>,
    before_start: BeforeStart,
}

/// The runs of one step.
#[derive(Debug, Default)]
pub(crate) struct RunsOfStep {
    /// Start and end, by start; `i64::MAX` as the end of one that nobody has finished.
    runs: Vec<(i64, i64)>,
    /// All ends, ascending.
    ends_ms: Vec<i64>,
    /// Message that started the last.
    started_by: u64,
}

impl StepRuns {
    /// Of the files of stream `steps`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(files: StreamFiles) -> Result<Self, HistoryError> {
        let mut events: Vec<(i64, u64, u32, Key, StepEventKind)> = Vec::new();
        let mut rows = StepRows::new(files);
        while let Some(step) = rows.next_before(u64::MAX)? {
            let kind = serde_json::from_value(serde_json::Value::from(text(&step.row, "event")));
            // What time alone brings is no event.
            let Ok(kind) = kind else { continue };
            let key = (step.site, step.bay, text(&step.row, "job"), text(&step.row, "step"));
            events.push((step.ts_ms, step.message, step.index, key, kind));
        }
        events.sort_by_key(|&(ts_ms, message, index, ..)| (ts_ms, message, index));
        let mut all = StepRuns::default();
        for (ts_ms, message, index, key, kind) in events {
            use StepEventKind::{Failed, Finished, Paused, Resumed, Started};
            let RunsOfStep { runs, ends_ms, started_by } = all.of_step.entry(key).or_default();
            let open = runs.last_mut().filter(|(_, ended_ms)| *ended_ms == i64::MAX);
            if open.is_some() && *started_by > message && matches!(kind, Finished | Failed | Paused | Resumed)
            {
                all.before_start.insert((message, index), *started_by);
            }
            match (open, kind) {
                (None, Started) => {
                    runs.push((ts_ms, i64::MAX));
                    *started_by = message;
                }
                (Some(open), Finished | Failed) => open.1 = ts_ms,
                _ => {}
            }
            if matches!(kind, Finished | Failed) {
                ends_ms.push(ts_ms);
            }
        }
        Ok(all)
    }

    /// What came before its start; it is not kept.
    pub(crate) fn take_before_start(&mut self) -> BeforeStart {
        std::mem::take(&mut self.before_start)
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
