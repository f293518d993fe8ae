//! What a board shows of the engine: what has arrived, not what has become final.
//!
//! None of it feeds back into results, and none of it is in checkpoints.

use std::collections::VecDeque;

use ingest::readings::{Expectation, Readings};
use ingest::series::SeriesTable;
use sinks::view::UsageView;

use super::Engine;
use super::in_hand::{InHand, Kept};
use super::steps::{BaySteps, Run, Steps};
use super::usage::Due;

/// Points of a trend line.
const POINTS: usize = 60;
/// Lines of a tile.
const TRENDS: usize = 4;
/// Bookings that are kept for the board.
const BOOKED_MAX: usize = 200;

/// Newest values, lines and bookings. Off (and free) in replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    is_on: bool,
    /// By series.
    newest: Vec<Newest>,
    lines: Vec<VecDeque<f64>>,
    booked: VecDeque<UsageView>,
    in_hand: InHand,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    /// NaN for none.
    value: f64,
    /// Its number.
    unit: u16,
    /// By the step on its bay.
    is_expected: bool,
}

impl Live {
    /// Begins to keep what boards need.
    pub(super) fn turn_on(&mut self) {
        self.is_on = true;
    }

    /// Rows have arrived, of series of `table`, while bays are at `steps`.
    #[inline]
    pub(super) fn arrived(&mut self, readings: &Readings, table: &SeriesTable, steps: &Steps) {
        if !self.is_on {
            return;
        }
        if table.all().len() > self.newest.len() || self.in_hand.is_turned() {
            self.look(table, steps);
        }
        for row in 0..readings.len() {
            let newest = &mut self.newest[readings.series[row] as usize];
            (newest.value, newest.unit) = (readings.value[row], readings.unit[row]);
            if newest.is_expected {
                self.in_hand.take(readings, row);
            }
        }
    }

    /// Finds out what is expected now, where that may have changed.
    #[cold]
    fn look(&mut self, table: &SeriesTable, steps: &Steps) {
        let Live { newest, in_hand, .. } = self;
        newest.resize(table.all().len(), Newest { value: f64::NAN, unit: 0, is_expected: false });
        in_hand.look(table, steps, |series, is_expected| newest[series as usize].is_expected = is_expected);
    }

    /// Something has changed of the steps of a bay.
    pub(super) fn turn(&mut self, bay: u32) {
        if self.is_on {
            self.in_hand.turn(bay);
        }
    }

    /// As [`InHand::newest`].
    pub(super) fn newest_in_hand(
        &self,
        bay: u32,
        run: &Run,
        expect: &Expectation,
        table: &SeriesTable,
    ) -> Option<(u32, &Kept)> {
        self.in_hand.newest(bay, run, expect, table)
    }

    /// A second has passed: every line gets its newest value.
    pub(super) fn sample(&mut self) {
        self.lines.resize_with(self.newest.len(), VecDeque::new);
        for (line, newest) in self.lines.iter_mut().zip(&mut self.newest) {
            if !newest.value.is_nan() {
                line.push_back(std::mem::replace(&mut newest.value, f64::NAN));
                if line.len() > POINTS {
                    line.pop_front();
                }
            }
        }
    }

    /// Books were closed.
    pub(super) fn booked(&mut self, bay: &str, due: &[Due]) {
        if !self.is_on {
            return;
        }
        for Due { key, book, .. } in due {
            for (resource, amount) in &book.amounts {
                let same = |view: &UsageView| {
                    *view.site == *key.site
                        && *view.job == *key.job
                        && *view.step == *key.step
                        && *view.resource == **resource
                };
                self.booked.retain(|view| !same(view));
                self.booked.push_front(UsageView {
                    site: key.site.to_string(),
                    bay: bay.to_owned(),
                    job: key.job.to_string(),
                    step: key.step.to_string(),
                    resource: resource.to_string(),
                    quantity: amount.quantity,
                    unit: amount.unit.to_string(),
                    ended_ms: book.ended_ms.unwrap_or(book.started_ms),
                });
            }
        }
        self.booked.truncate(BOOKED_MAX);
    }
}

impl Live {
    /// The longest lines of each bay that are not flat; `bay_of` gives the bay of a series.
    pub(super) fn liveliest(&self, bays: usize, bay_of: &[u32]) -> Vec<Vec<usize>> {
        let mut of_bays = vec![Vec::new(); bays];
        for (series, _) in self.lines.iter().enumerate().filter(|(_, line)| line.len() > 1) {
            if let Some(of_bay) = of_bays.get_mut(bay_of[series] as usize) {
                of_bay.push(series);
            }
        }
        for of_bay in &mut of_bays {
            of_bay.sort_by_key(|&series| (std::cmp::Reverse(self.lines[series].len()), series));
            let lively = of_bay.iter().copied().filter(|&series| is_lively(&self.lines[series]));
            *of_bay = lively.take(TRENDS).collect();
        }
        of_bays
    }

    /// The line of a series, and the number of its unit.
    pub(super) fn line(&self, series: usize) -> (Vec<f64>, u16) {
        (self.lines[series].iter().copied().collect(), self.newest[series].unit)
    }
}

fn is_lively(line: &VecDeque<f64>) -> bool {
    line.iter().any(|point| point != &line[0])
}

impl Engine {
    /// Begins to keep what boards need.
    pub fn watch(&mut self) {
        self.live.turn_on();
    }

    /// A card of `site` is new: what it says of the steps that go on may be, too.
    pub(super) fn turn_in_hand(&mut self, site: &str, job: &str) {
        let is_of = |run: &Run| *run.job == *job;
        for (bay, (of_site, _)) in (0_u32..).zip(self.decoder.series().bays()) {
            if **of_site == *site && self.steps.bay(bay).and_then(BaySteps::current).is_some_and(is_of) {
                self.live.turn(bay);
            }
        }
    }

    /// One second of trend lines has passed.
    pub fn sample_trends(&mut self) {
        self.live.sample();
    }

    /// Newest bookings first.
    #[must_use]
    pub fn usage_views(&self) -> Vec<UsageView> {
        self.live.booked.iter().cloned().collect()
    }

    /// Newest arrival minus the least watermark of the bays that are not released.
    #[must_use]
    pub fn watermark_lag_ms(&self) -> Option<i64> {
        let newest_ms =
            self.bays.all().iter().map(|time| time.arrived_ms).max().filter(|&ms| ms != i64::MIN)?;
        self.bays.least_of_all_ms().map(|least_ms| newest_ms - least_ms)
    }
}
