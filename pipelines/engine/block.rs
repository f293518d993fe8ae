//! Rows of telemetry as the engine holds them.

mod columns;
mod rows;

use std::sync::Arc;

use ingest::readings::Readings;

pub(super) use self::columns::{floats, numbers, times};
pub(super) use self::rows::Rows;
use super::aside::Asides;

/// Readings that have been applied, in message order. Full at [`BLOCK_ROWS`].
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Block {
    pub readings: Readings,
    /// Bay number of each row.
    #[serde(with = "ingest::packed")]
    pub bay: Vec<u32>,
    /// [`Lateness`] of each row.
    #[serde(with = "ingest::packed")]
    pub lateness: Vec<u8>,
}

impl Block {
    /// The tag set of a row, if it has one.
    #[must_use]
    pub(super) fn tags_of(&self, row: usize) -> Option<&str> {
        let tags = self.readings.tags[row];
        (tags > 0).then(|| self.readings.tag_sets[tags as usize - 1].as_ref())
    }

    /// Makes room for `rows`.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.readings.reserve(rows);
        self.bay.reserve(rows);
        self.lateness.reserve(rows);
    }

    /// Forgets all rows, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.readings.clear();
        self.bay.clear();
        self.lateness.clear();
    }
}

/// Rows of a full block.
pub(super) const BLOCK_ROWS: usize = 8192;

/// How a row stands to its bay's watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Lateness {
    OnTime = 0,
    Correction = 1,
    Late = 2,
}

impl Lateness {
    /// Of a row whose bay has come to `watermark_ms`, and that may correct what is later by `horizon_ms`.
    #[inline]
    pub(super) fn of(ts_ms: i64, watermark_ms: i64, horizon_ms: impl FnOnce() -> i64) -> Lateness {
        let late_ms = watermark_ms.saturating_sub(ts_ms);
        if late_ms <= 0 {
            Lateness::OnTime
        } else if late_ms <= horizon_ms() {
            Lateness::Correction
        } else {
            Lateness::Late
        }
    }
}

/// Names of [`Lateness`], by number.
pub(super) const LATENESS: [&str; 3] = ["on_time", "correction", "late"];

/// Rows `from..to` of block number `block` in the list that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub block: usize,
    pub from: usize,
    pub to: usize,
}

/// What the step join says of rows: for each the place of its run in `runs`, [`NO_RUN`] for none, and its
/// limits, NaN for none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joined {
    pub run: Vec<u32>,
    pub spec_min: Vec<f64>,
    pub spec_max: Vec<f64>,
    pub asides: Asides,
    pub runs: Vec<JoinedRun>,
}

/// Stands for "no step" in [`Joined::run`].
pub(crate) const NO_RUN: u32 = u32::MAX;

/// What the join adds.
#[derive(Clone, Debug)]
pub(crate) struct JoinedRun {
    pub bay: u32,
    /// Place among the runs of its bay.
    pub run: usize,
    pub job: Arc<str>,
    pub step: Arc<str>,
    pub operation: Option<Arc<str>>,
    pub technician: Option<Arc<str>>,
    /// Start of the run, and its end once that has been told; `i64::MAX` until then.
    pub run_ms: (i64, i64),
}

impl Joined {
    /// Forgets all rows, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.run.clear();
        self.spec_min.clear();
        self.spec_max.clear();
        self.asides.clear();
        self.runs.clear();
    }

    /// Makes room for `rows` more.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.run.reserve(rows);
        self.spec_min.reserve(rows);
        self.spec_max.reserve(rows);
    }
}
