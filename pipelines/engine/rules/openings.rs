//! Which bays are open, as their status says: for rules that count silence while a bay is.
//!
//! A state counts from the arrival of the first message that says it: silence is a matter of arrival. One whose own time
//! is older than that of another that is known says nothing any more.

use std::collections::BTreeMap;
use std::ops::Range;

use ingest::readings::Readings;
use ingest::series::SeriesTable;

/// What the status of a bay calls it.
const METRIC: &str = "open";

const NO_BAY: u32 = u32::MAX;

/// What the status of a bay says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Opening {
    pub is_open: bool,
    /// Since then, by arrival.
    pub since_ms: i64,
    ts_ms: i64,
}

/// The state of each bay that has told one.
#[derive(Debug, Default)]
pub(super) struct Openings {
    /// By series: the bay whose state it says, [`NO_BAY`] where it says none.
    bay_of: Vec<u32>,
    /// By bay.
    said: BTreeMap<u32, Opening>,
    /// A bay has been opened or closed since the last tick.
    has_changed: bool,
}

impl Openings {
    /// Takes in the series of `table` from number `first` on.
    pub(super) fn follow(&mut self, table: &SeriesTable, first: usize) {
        let fresh = table.all().iter().zip(table.bay_of()).skip(first);
        self.bay_of.extend(fresh.map(|(series, &bay)| {
            let is_status = &*series.metric == METRIC && series.tool.is_empty() && !series.bay.is_empty();
            if is_status { bay } else { NO_BAY }
        }));
    }

    /// A block is full; `rows` of it have been heard.
    pub(super) fn seal(&mut self, readings: &Readings, rows: Range<usize>) {
        for row in rows {
            let bay = self.bay_of[readings.series[row] as usize];
            if bay != NO_BAY {
                let (is_open, ts_ms) = (readings.value[row] != 0.0, readings.ts_ms[row]);
                let now = Opening { is_open, since_ms: readings.arrived_ms[row], ts_ms };
                let known = self.said.get(&bay);
                let is_older = known.is_some_and(|known| ts_ms < known.ts_ms);
                if !is_older {
                    let same = known.filter(|known| known.is_open == is_open);
                    self.has_changed |= same.is_none();
                    self.said.insert(bay, same.map_or(now, |same| Opening { ts_ms, ..*same }));
                }
            }
        }
    }

    /// Whether any bay has been opened or closed since it was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// What a bay has told; one that tells nothing is always open.
    pub(super) fn of(&self, bay: u32) -> Option<Opening> {
        self.said.get(&bay).copied()
    }

    /// For a checkpoint, by the numbers of the bays.
    pub(super) fn snapshot(&self) -> Vec<(u32, Opening)> {
        self.said.iter().map(|(&bay, &opening)| (bay, opening)).collect()
    }

    pub(super) fn restore(&mut self, said: Vec<(u32, Opening)>) {
        self.said = said.into_iter().collect();
    }

    /// A line for each bay, by names, for the hash of the state.
    pub(super) fn state_lines<'a>(&'a self, table: &'a SeriesTable) -> impl Iterator<Item = String> + 'a {
        self.said.iter().map(|(&bay, opening)| {
            let place = &table.bays()[bay as usize];
            let Opening { is_open, since_ms, ts_ms } = opening;
            format!("opening {place:?} {is_open} {since_ms} {ts_ms}")
        })
    }
}
