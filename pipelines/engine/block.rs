//! Rows of telemetry as the engine holds them.

mod columns;

use std::sync::Arc;

use ingest::readings::Readings;

pub(super) use self::columns::{floats, numbers, times};
use super::names::Names;

/// Readings that have been applied, in message order. Full at [`BLOCK_ROWS`].
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Block {
    pub readings: Readings,
    /// Bay number of each row.
    pub bay: Vec<u32>,
    /// [`Lateness`] of each row.
    pub lateness: Vec<u8>,
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
pub(super) struct Joined {
    pub run: Vec<u32>,
    pub spec_min: Vec<f64>,
    pub spec_max: Vec<f64>,
    pub runs: Vec<JoinedRun>,
}

/// Stands for "no step" in [`Joined::run`].
pub(super) const NO_RUN: u32 = u32::MAX;

/// The names that the join adds.
#[derive(Clone, Debug)]
pub(super) struct JoinedRun {
    pub job: Arc<str>,
    pub step: Arc<str>,
    pub operation: Option<Arc<str>>,
    pub technician: Option<Arc<str>>,
}

impl Joined {
    /// What it says of the rows at `positions`.
    fn pick(&self, positions: &[u32]) -> Joined {
        let limits = |of: &[f64]| positions.iter().map(|&position| of[position as usize]).collect();
        Joined {
            run: positions.iter().map(|&position| self.run[position as usize]).collect(),
            spec_min: limits(&self.spec_min),
            spec_max: limits(&self.spec_max),
            runs: self.runs.clone(),
        }
    }
}

/// Some rows of some blocks, to be turned into columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub blocks: &'a [&'a Block],
    pub stretches: &'a [Stretch],
    pub names: &'a Names,
    /// Where the step columns are asked for; else they are null.
    pub joined: Option<&'a Joined>,
}

impl Rows<'_> {
    /// How many rows there are.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.to - stretch.from).sum()
    }

    /// One column of each row, copied.
    pub(super) fn copy<T: Copy>(&self, column: impl Fn(&Block) -> &[T]) -> Vec<T> {
        let mut copied = Vec::with_capacity(self.len());
        for stretch in self.stretches {
            let rows = &column(self.blocks[stretch.block])[stretch.from..stretch.to];
            if let [row] = rows {
                copied.push(*row);
            } else {
                copied.extend_from_slice(rows);
            }
        }
        copied
    }

    /// Where the rows at `positions` (ascending, counted over all stretches) are: block number and row.
    #[must_use]
    pub(super) fn locate(&self, positions: &[u32]) -> Vec<(usize, usize)> {
        let mut located = Vec::with_capacity(positions.len());
        let mut stretches = self.stretches.iter();
        let (mut current, mut before) = (stretches.next(), 0);
        for &position in positions {
            while let Some(stretch) = current {
                let at = stretch.from + position as usize - before;
                if at < stretch.to {
                    located.push((stretch.block, at));
                    break;
                }
                before += stretch.to - stretch.from;
                current = stretches.next();
            }
        }
        located
    }

    /// The rows at `positions` alone.
    #[must_use]
    pub(super) fn pick(&self, positions: &[u32]) -> (Vec<Stretch>, Joined) {
        let located = self.locate(positions);
        let stretch = |(block, row)| Stretch { block, from: row, to: row + 1 };
        let joined = self.joined.map(|joined| joined.pick(positions)).unwrap_or_default();
        (located.into_iter().map(stretch).collect(), joined)
    }

    /// The same without late rows.
    #[must_use]
    pub(super) fn in_time(&self) -> (Vec<Stretch>, Joined) {
        let lateness = self.copy(|block| &block.lateness);
        let in_time = (0..).zip(&lateness).filter(|(_, late)| **late != Lateness::Late as u8);
        self.pick(&in_time.map(|(position, _)| position).collect::<Vec<u32>>())
    }
}
