//! The result of a backtest.

use std::collections::BTreeMap;

use super::difference::CellKey;
use super::{Change, Counts, Difference, Mode, Stored};
use crate::config::Config;

/// A configuration that was tried.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its folder, as given.
    pub folder: String,
    pub version: String,
    /// Rules that were tried.
    pub rules: usize,
}

impl Side {
    pub(super) fn new(config: &Config, rules: usize) -> Side {
        Side { folder: config.folder.display().to_string(), version: config.version.clone(), rules }
    }
}

/// What both configurations raised.
#[derive(Clone, Debug)]
pub struct Report {
    pub mode: Mode,
    pub old: Side,
    pub new: Side,
    /// Exceptions raised from and before these times are compared; of all times without them.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    /// Event times of the readings that were judged: first and last; none if only steps or bookings were.
    pub readings_ms: Option<(i64, i64)>,
    /// Rows that were judged, of all streams.
    pub rows: u64,
    /// In the order of raising.
    pub differences: Vec<Difference>,
    /// Counts by rule, site, bay, job.
    pub cells: BTreeMap<CellKey, Counts>,
    /// How the old configuration's exceptions stand to those that history has.
    pub stored: Option<Stored>,
    /// What is to be known beside it.
    pub notes: Vec<String>,
}

impl Report {
    /// Counts of all.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.cells.values().fold(Counts::default(), |sum, counts| sum.plus(*counts))
    }

    /// Counts by rule.
    #[must_use]
    pub fn by_rule(&self) -> BTreeMap<&str, Counts> {
        let mut rules: BTreeMap<&str, Counts> = BTreeMap::new();
        for (key, counts) in &self.cells {
            let sum = rules.entry(&key[0]).or_default();
            *sum = sum.plus(*counts);
        }
        rules
    }

    /// What is not the same.
    pub fn changes(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.change != Change::Same)
    }
}

impl Counts {
    fn plus(self, other: Counts) -> Counts {
        Counts {
            added: self.added + other.added,
            removed: self.removed + other.removed,
            changed: self.changed + other.changed,
            same: self.same + other.same,
        }
    }
}

/// A time as people read it, UTC, to the millisecond where it has some.
pub(crate) fn time(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms);
    time.map_or_else(|_| time_ms.to_string(), |time| time.to_string())
}
