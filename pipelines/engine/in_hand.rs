//! What the tools in hand read: the newest reading of each metric, joint and parameter set that the step on a bay expects.
//!
//! It is kept from what arrives, of those series alone that the step which goes on there expects; whether that is so is found
//! out when a step event, a card or a tool is new. As with all that boards show, nothing of it feeds back into results.
//!
//! Bound: [`KEPT_MAX`] readings a series, of the series of bays on which a step goes on.

use std::collections::BTreeSet;

use ingest::readings::{Expectation, Readings};
use ingest::series::SeriesTable;
use rustc_hash::FxHashMap;

use super::limits::{fits, joint_and_pset};
use super::steps::{BaySteps, Run, Steps};

/// Joints and parameter sets of which a series keeps the newest reading; beyond it the oldest one goes.
const KEPT_MAX: usize = 32;

/// The newest readings of what is expected.
#[derive(Clone, Debug, Default)]
pub(super) struct InHand {
    bays: Vec<OfBay>,
    /// How many series are in `bays`.
    known: usize,
    /// Bays on which something else may be expected now.
    turned: BTreeSet<u32>,
    kept: FxHashMap<u32, Vec<Kept>>,
}

/// Series of a bay.
#[derive(Clone, Debug, Default)]
struct OfBay {
    all: Vec<u32>,
    /// Those of them that the step expects.
    expected: Vec<u32>,
}

/// A reading.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub tags: Option<Box<str>>,
    pub joint: Option<String>,
    pset: Option<String>,
    pub ts_ms: i64,
    pub value: f64,
    /// Its number.
    pub unit: u16,
}

impl InHand {
    /// Something has changed of the steps of a bay.
    pub(super) fn turn(&mut self, bay: u32) {
        self.turned.insert(bay);
    }

    /// Whether something may be expected now that was not.
    #[inline]
    pub(super) fn is_turned(&self) -> bool {
        !self.turned.is_empty()
    }

    /// Finds out which series are expected now, and says so of those of which it may have changed.
    pub(super) fn look(&mut self, table: &SeriesTable, steps: &Steps, mut say: impl FnMut(u32, bool)) {
        self.bays.resize_with(table.bays().len(), OfBay::default);
        for &bay in &table.bay_of()[self.known..] {
            let series = u32::try_from(self.known).expect("series are numbered in u32");
            self.bays[bay as usize].all.push(series);
            self.turned.insert(bay);
            self.known += 1;
        }
        for bay in std::mem::take(&mut self.turned) {
            let plan = steps.bay(bay).and_then(BaySteps::current).and_then(|run| run.plan.as_deref());
            let expect = plan.map_or(&[][..], |plan| &plan.expect);
            let OfBay { all, expected } = &mut self.bays[bay as usize];
            expected.clear();
            for &series in &*all {
                let metric = &*table.get(series).metric;
                let is_expected = expect.iter().any(|expect| expect.metric == *metric);
                say(series, is_expected);
                if is_expected {
                    expected.push(series);
                } else {
                    self.kept.remove(&series);
                }
            }
        }
    }

    /// Keeps a reading, unless a newer one of its joint is known. A text is none.
    pub(super) fn take(&mut self, readings: &Readings, row: usize) {
        let (ts_ms, value, unit) = (readings.ts_ms[row], readings.value[row], readings.unit[row]);
        if value.is_nan() {
            return;
        }
        let tags = (readings.tags[row] as usize).checked_sub(1).map(|set| &*readings.tag_sets[set]);
        let kept = self.kept.entry(readings.series[row]).or_default();
        let found = match kept.iter().position(|one| one.tags.as_deref() == tags) {
            Some(found) => found,
            None => {
                let (joint, pset) = joint_and_pset(tags);
                let same = kept.iter().position(|one| one.joint == joint && one.pset == pset);
                same.unwrap_or_else(|| {
                    if kept.len() == KEPT_MAX {
                        let oldest = (0..KEPT_MAX).min_by_key(|&place| kept[place].ts_ms).unwrap_or(0);
                        kept.swap_remove(oldest);
                    }
                    kept.push(Kept { tags: None, joint, pset, ts_ms: i64::MIN, value, unit });
                    kept.len() - 1
                })
            }
        };
        let one = &mut kept[found];
        if ts_ms >= one.ts_ms {
            (one.ts_ms, one.value, one.unit) = (ts_ms, value, unit);
            if one.tags.as_deref() != tags {
                one.tags = tags.map(Box::from);
            }
        }
    }

    /// The newest reading within `run`, which goes on on `bay`, that `expect` speaks of, with its series.
    pub(super) fn newest(
        &self,
        bay: u32,
        run: &Run,
        expect: &Expectation,
        table: &SeriesTable,
    ) -> Option<(u32, &Kept)> {
        let expected = self.bays.get(bay as usize)?.expected.iter();
        let of_metric = expected.filter(|&&series| *table.get(series).metric == *expect.metric);
        let kept = of_metric
            .flat_map(|&series| self.kept.get(&series).into_iter().flatten().map(move |one| (series, one)));
        let fit = kept.filter(|(_, one)| {
            one.ts_ms >= run.started_ms && fits(expect, one.joint.as_deref(), one.pset.as_deref())
        });
        fit.max_by_key(|(_, one)| one.ts_ms)
    }
}
