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

impl Block {
    /// The tag set of a row, if it has one.
    #[must_use]
    pub(super) fn tags_of(&self, row: usize) -> Option<&str> {
        let tags = self.readings.tags[row];
        (tags > 0).then(|| self.readings.tag_sets[tags as usize - 1].as_ref())
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
    /// Start and end of the run, as known at the join; `i64::MAX` while it goes on.
    pub run_ms: (i64, i64),
}

impl Joined {
    /// Forgets all rows, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.run.clear();
        self.spec_min.clear();
        self.spec_max.clear();
        self.runs.clear();
    }

    /// Makes room for `rows` more.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.run.reserve(rows);
        self.spec_min.reserve(rows);
        self.spec_max.reserve(rows);
    }

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

    /// Start and end of each row's run of a step; empty where no step is asked for.
    pub(super) fn runs_ms(&self) -> Vec<(i64, i64)> {
        let Some(joined) = self.joined else { return Vec::new() };
        let of = |&run: &u32| joined.runs.get(run as usize).map_or(crate::window::NO_RUN, |run| run.run_ms);
        joined.run.iter().map(of).collect()
    }

    /// Where the rows at `positions` (ascending, counted over all stretches) are: block number and row.
    pub(super) fn locate(&self, positions: &[u32]) -> impl Iterator<Item = (usize, usize)> {
        let mut stretches = self.stretches.iter();
        let (mut current, mut before) = (stretches.next(), 0);
        positions.iter().map_while(move |&position| {
            while let Some(stretch) = current {
                let at = stretch.from + position as usize - before;
                if at < stretch.to {
                    return Some((stretch.block, at));
                }
                before += stretch.to - stretch.from;
                current = stretches.next();
            }
            None
        })
    }

    /// The rows at `positions` alone.
    #[must_use]
    pub(super) fn pick(&self, positions: &[u32]) -> (Vec<Stretch>, Joined) {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (block, row) in self.locate(positions) {
            match stretches.last_mut() {
                Some(last) if last.block == block && last.to == row => last.to += 1,
                _ => stretches.push(Stretch { block, from: row, to: row + 1 }),
            }
        }
        (stretches, self.joined.map(|joined| joined.pick(positions)).unwrap_or_default())
    }

    /// Whether any of them is late.
    #[must_use]
    pub(super) fn has_late(&self) -> bool {
        let is_late = |stretch: &Stretch| {
            let lateness = &self.blocks[stretch.block].lateness[stretch.from..stretch.to];
            lateness.contains(&(Lateness::Late as u8))
        };
        self.stretches.iter().any(is_late)
    }

    /// The late ones alone, or the others.
    #[must_use]
    pub(super) fn of_lateness(&self, is_late: bool) -> (Vec<Stretch>, Joined) {
        let lateness = self.copy(|block| &block.lateness);
        let wanted =
            (0..).zip(&lateness).filter(|(_, lateness)| (**lateness == Lateness::Late as u8) == is_late);
        self.pick(&wanted.map(|(position, _)| position).collect::<Vec<u32>>())
    }
}
