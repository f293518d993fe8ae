//! Rows of stream `telemetry`, taken back from history.

use std::ops::Range;

use ingest::readings::Readings;

use super::super::block::{Block, Joined, LATENESS, Rows, Stretch};
use super::super::names::Names;
use super::shop::Shop;

/// Names of lateness by their number in [`PastRows::new`].
pub(crate) const LATENESS_NAMES: [&str; 3] = LATENESS;

/// Rows in message order, with what the step join said of them.
#[derive(Debug, Default)]
pub(crate) struct PastRows {
    block: Block,
    joined: Joined,
}

impl PastRows {
    /// `series` of the readings are numbers of `shop`; `lateness` and `joined` have an element a row.
    #[must_use]
    pub(crate) fn new(readings: Readings, lateness: Vec<u8>, joined: Joined, shop: &Shop) -> Self {
        let bay_of = shop.table().bay_of();
        let bay = readings.series.iter().map(|&series| bay_of[series as usize]).collect();
        PastRows { block: Block { readings, bay, lateness }, joined }
    }

    /// The rows themselves.
    #[must_use]
    pub(crate) fn readings(&self) -> &Readings {
        &self.block.readings
    }

    /// Bay number of each row.
    #[must_use]
    pub(crate) fn bays(&self) -> &[u32] {
        &self.block.bay
    }

    /// Some of them, without those that were late.
    #[must_use]
    pub(crate) fn part(&self, range: Range<usize>, shop: &Shop) -> Part<'_> {
        let Range { start, end } = range;
        let joined = Joined {
            run: self.joined.run[start..end].to_vec(),
            spec_min: self.joined.spec_min[start..end].to_vec(),
            spec_max: self.joined.spec_max[start..end].to_vec(),
            asides: self.joined.asides.part(start..end),
            runs: self.joined.runs.clone(),
        };
        let whole = Stretch { block: 0, from: start, to: end };
        let part = Part { block: &self.block, whole, at: None, joined };
        let blocks = [part.block];
        let rows = part.rows(&blocks, shop.names());
        let at = rows.has_late().then(|| rows.of_lateness(false));
        Part { at, ..part }
    }
}

/// Rows that count.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(super) block: &'a Block,
    whole: Stretch,
    /// Places of those that were not late, if any was.
    at: Option<Vec<u32>>,
    joined: Joined,
}

impl Part<'_> {
    /// Which rows of their block they are, late ones among them.
    pub(super) fn range(&self) -> Range<usize> {
        self.whole.from..self.whole.to
    }

    pub(super) fn rows<'b>(&'b self, blocks: &'b [&'b Block; 1], names: &'b Names) -> Rows<'b> {
        let stretches = std::slice::from_ref(&self.whole);
        Rows { blocks, stretches, at: self.at.as_deref(), names, joined: Some(&self.joined) }
    }
}
