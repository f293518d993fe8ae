//! How many readings were told of each hour of their time: whoever reads them back knows by that whether any is missing.
//!
//! Exports may have been trimmed, begun late, or been switched off for a while, and nothing in the files says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
/// So many hours before the newest one are counted: the longest windows, of a bay that hangs a day behind.
const HOURS: i64 = 72;

/// Rows of stream `telemetry`, exported or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Nothing is known of hours that begin earlier.
    from_ms: i64,
    /// By the start of the hour.
    hours: BTreeMap<i64, u64>,
}

impl Default for Told {
    fn default() -> Self {
        Told { from_ms: i64::MIN, hours: BTreeMap::new() }
    }
}

/// The start of the hour of a time.
pub(crate) fn hour_of(ts_ms: i64) -> i64 {
    ts_ms.saturating_sub(ts_ms.rem_euclid(HOUR_MS))
}

impl Told {
    /// Where rows up to `newest_ms` were told before anybody counted.
    pub(super) fn uncounted_until(newest_ms: i64) -> Self {
        Told { from_ms: hour_of(newest_ms).saturating_add(HOUR_MS), hours: BTreeMap::new() }
    }

    /// Counts rows; most are of the same hour as the one before.
    pub(crate) fn count(&mut self, times_ms: impl Iterator<Item = i64>) {
        let (mut hour, mut rows) = (i64::MIN, 0);
        for ts_ms in times_ms {
            if ts_ms < hour || ts_ms >= hour.saturating_add(HOUR_MS) {
                self.add(hour, rows);
                (hour, rows) = (hour_of(ts_ms), 0);
            }
            rows += 1;
        }
        self.add(hour, rows);
    }

    fn add(&mut self, hour: i64, rows: u64) {
        if rows == 0 {
            return;
        }
        *self.hours.entry(hour).or_default() += rows;
        let newest = self.hours.last_key_value().map_or(hour, |(newest, _)| *newest);
        let oldest = newest.saturating_sub(HOURS * HOUR_MS);
        while self.hours.first_key_value().is_some_and(|(hour, _)| *hour < oldest) {
            self.hours.pop_first();
            self.from_ms = self.from_ms.max(oldest);
        }
    }

    /// The time from which on `read` has as many rows of each hour as were told, from the hour of `from_ms` on.
    #[must_use]
    pub(crate) fn whole_from(&self, from_ms: i64, read: &Told) -> i64 {
        let first = hour_of(from_ms);
        let known = first.max(self.from_ms);
        let unlike = self
            .hours
            .iter()
            .filter(|(hour, rows)| **hour >= known && read.hours.get(*hour).copied().unwrap_or(0) != **rows);
        let last_unlike = unlike.map(|(hour, _)| hour.saturating_add(HOUR_MS)).next_back();
        last_unlike.map_or(known, |whole| whole.max(known))
    }

    /// For a state's lines.
    pub(super) fn state_line(&self) -> String {
        format!("told from {} {:?}", self.from_ms, self.hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: i64 = 9 * HOUR_MS;

    fn told(times_ms: &[i64]) -> Told {
        let mut told = Told::default();
        told.count(times_ms.iter().copied());
        told
    }

    #[test]
    fn exports_without_a_row_are_whole_from_the_hour_after_it() {
        let all = [NINE, NINE + 1, NINE + HOUR_MS, NINE + HOUR_MS + 5, NINE + 3 * HOUR_MS];
        let engine = told(&all);
        assert_eq!(engine.whole_from(NINE + 500, &told(&all)), NINE, "the whole of the hour is read");
        assert_eq!(engine.whole_from(NINE, &told(&[])), NINE + 4 * HOUR_MS);
        let without = |missing: usize| {
            let rest: Vec<i64> = (0..all.len()).filter(|row| *row != missing).map(|row| all[row]).collect();
            engine.whole_from(NINE, &told(&rest))
        };
        assert_eq!([0, 2, 4].map(without), [1, 2, 4].map(|hours| NINE + hours * HOUR_MS));
    }

    #[test]
    fn hours_before_counting_began_are_not_whole_and_old_ones_go() {
        let mut told = Told::uncounted_until(NINE + 5);
        told.count([NINE + 6, NINE + HOUR_MS].into_iter());
        assert_eq!(told.whole_from(0, &told.clone()), NINE + HOUR_MS);
        let mut told = Told::default();
        told.count([NINE, NINE + 80 * HOUR_MS].into_iter());
        assert_eq!(told.whole_from(0, &told.clone()), NINE + 8 * HOUR_MS);
    }

    /// Hundreds of hours at once, as an import of old recordings tells them.
    #[test]
    fn rows_of_long_ago_are_bounded() {
        let mut told = Told::default();
        told.count((0..1_000).map(|hour| hour * HOUR_MS).rev());
        assert!(told.hours.len() <= 73, "{}", told.hours.len());
    }
}
