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
    runs: FxHashMap<Key, Vec<(i64, i64)>>,
}

/// Start and end of the runs of one step, by start; `i64::MAX` as the end of one that nobody has finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunsOfStep<'a>(&'a [(i64, i64)]);

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
        let mut runs: FxHashMap<Key, Vec<(i64, i64)>> = FxHashMap::default();
        for (ts_ms, _, key, is_start) in events {
            let of_step = runs.entry(key).or_default();
            let open = of_step.last_mut().filter(|(_, ended_ms)| *ended_ms == i64::MAX);
            match (open, is_start) {
                (None, true) => of_step.push((ts_ms, i64::MAX)),
                (Some(open), false) => open.1 = ts_ms,
                _ => {}
            }
        }
        Ok(StepRuns { runs })
    }

    pub(crate) fn of(&self, site: &str, bay: &str, job: &str, step: &str) -> RunsOfStep<'_> {
        let key = (site.to_owned(), bay.to_owned(), job.to_owned(), step.to_owned());
        RunsOfStep(self.runs.get(&key).map_or(&[], Vec::as_slice))
    }
}

impl RunsOfStep<'_> {
    /// The end of the run that began at `started_ms`. One that began earlier than was known when its readings were told has
    /// none: no end was told of it.
    pub(crate) fn end_of(&self, started_ms: i64) -> i64 {
        let found = self.0.binary_search_by_key(&started_ms, |(started_ms, _)| *started_ms);
        found.map_or(i64::MAX, |place| self.0[place].1)
    }

    /// The run that holds `ts_ms`.
    pub(crate) fn at(&self, ts_ms: i64) -> Option<(i64, i64)> {
        let begun = self.0.partition_point(|(started_ms, _)| *started_ms <= ts_ms);
        self.0[..begun].last().filter(|(_, ended_ms)| ts_ms < *ended_ms).copied()
    }
}

fn text(row: &RecordBatch, name: &str) -> String {
    row.column_by_name(name).and_then(|column| array_value_to_string(column, 0).ok()).unwrap_or_default()
}
