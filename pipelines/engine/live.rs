//! What a board shows of the engine: what has arrived, not what has become final.
//!
//! None of it feeds back into results, and none of it is in checkpoints.

use std::collections::VecDeque;
use std::ops::Range;

use ingest::readings::Readings;
use sinks::view::UsageView;

use super::Engine;
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
    /// By series: newest value, NaN for none, and the unit's number.
    newest: Vec<(f64, u16)>,
    lines: Vec<VecDeque<f64>>,
    booked: VecDeque<UsageView>,
}

impl Live {
    /// Begins to keep what boards need.
    pub(super) fn turn_on(&mut self) {
        self.is_on = true;
    }

    /// Rows have arrived.
    #[inline]
    pub(super) fn arrived(&mut self, readings: &Readings, rows: Range<usize>) {
        if !self.is_on {
            return;
        }
        for row in rows {
            let series = readings.series[row] as usize;
            if series >= self.newest.len() {
                self.newest.resize(series + 1, (f64::NAN, 0));
            }
            self.newest[series] = (readings.value[row], readings.unit[row]);
        }
    }

    /// A second has passed: every line gets its newest value.
    pub(super) fn sample(&mut self) {
        self.lines.resize_with(self.newest.len(), VecDeque::new);
        for (line, (value, _)) in self.lines.iter_mut().zip(&mut self.newest) {
            if !value.is_nan() {
                line.push_back(std::mem::replace(value, f64::NAN));
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
        (self.lines[series].iter().copied().collect(), self.newest[series].1)
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
