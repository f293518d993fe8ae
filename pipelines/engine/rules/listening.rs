//! The newest row of each series: what rules with `silent_after` that expect whole series have in common.
//!
//! A row that has arrived is noted by its place alone; what is to be known of it is kept when its block is full.

use std::ops::Range;

use ingest::readings::Readings;

use super::heard::LastRow;

/// A row, on a line of the cache by itself: they are written in no order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Newest(Option<LastRow>);

/// The newest row of each series.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// By series: row of the open block that was its last. Of a series without a row there it says nothing.
    row_of: Vec<u32>,
    /// By series: its newest row in full blocks.
    last_of: Vec<Newest>,
    /// By series: how many rules have a key of it that is silent or has not been heard.
    awaited: Vec<u32>,
}

impl Listening {
    /// Makes room for `series` of them.
    pub(super) fn grow(&mut self, series: usize) {
        self.row_of.resize(series, 0);
        self.last_of.resize(series, Newest::default());
        self.awaited.resize(series, 0);
    }

    /// Notes a row of the open block. Whether a rule waits for it.
    #[inline]
    pub(super) fn hear(&mut self, series: u32, row: usize) -> bool {
        self.row_of[series as usize] = row as u32;
        self.awaited[series as usize] > 0
    }

    /// A block is full; `rows` of it have been heard.
    pub(super) fn seal(&mut self, readings: &Readings, rows: Range<usize>) {
        for (row, &series) in rows.clone().zip(&readings.series[rows]) {
            if self.row_of[series as usize] == row as u32 {
                self.last_of[series as usize] = Newest(Some(LastRow::of(readings, row)));
            }
        }
    }

    /// A checkpoint knows of this row.
    pub(super) fn restore(&mut self, last: LastRow) {
        let Newest(known) = &mut self.last_of[last.series as usize];
        if known.is_none_or(|known| known.place() < last.place()) {
            *known = Some(last);
        }
    }

    /// The newest row of some series in full blocks.
    pub(super) fn last_of(&self, series: &[u32]) -> Option<LastRow> {
        series.iter().filter_map(|&series| self.last_of[series as usize].0).max_by_key(LastRow::place)
    }

    /// One more rule waits for these series, or one less.
    pub(super) fn await_(&mut self, series: &[u32], is_awaited: bool) {
        for &series in series {
            let awaited = &mut self.awaited[series as usize];
            *awaited = if is_awaited { *awaited + 1 } else { *awaited - 1 };
        }
    }
}
