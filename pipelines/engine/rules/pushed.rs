//! What a window's query is given beside the columns that it reads.

use arrow::array::RecordBatch;

use crate::window::Input;

/// Columns of rows to push, beside those of the query.
pub(super) struct Columns {
    pub series: Vec<u32>,
    pub bay: Vec<u32>,
    pub ts_ms: Vec<i64>,
    pub runs_ms: Vec<(i64, i64)>,
}

impl Columns {
    pub(super) fn input<'a>(&'a self, rows: &'a RecordBatch) -> Input<'a> {
        let Columns { series, bay, ts_ms, runs_ms } = self;
        Input { rows, series, bay, ts_ms, runs_ms }
    }

    pub(super) fn pick(&self, kept: &[usize]) -> Columns {
        fn of<T: Copy>(column: &[T], kept: &[usize]) -> Vec<T> {
            if column.is_empty() { Vec::new() } else { kept.iter().map(|&row| column[row]).collect() }
        }
        Columns {
            series: of(&self.series, kept),
            bay: of(&self.bay, kept),
            ts_ms: of(&self.ts_ms, kept),
            runs_ms: of(&self.runs_ms, kept),
        }
    }
}
