//! Shop calendars: which zone a site keeps, and when its shifts begin and end.
//!
//! A day goes from midnight to midnight of the site's zone and has 23 or 25 hours when the clocks are changed; a shift
//! goes from one time of the clock on its wall to another. A time that the clock leaves out is the moment at which it is
//! put forward, one that it shows twice is the first of the two: so what lies side by side on other days does then, too,
//! and each moment is in one window at most. Zones are those that the program brings along, not those of the machine,
//! for the same journal must give the same windows everywhere.

mod memo;
mod shift;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

pub use self::memo::CalendarMemo;
pub use self::shift::{Shift, ShiftError};

/// What a site's calendar parts time into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    Shift,
    Day,
}

/// A stretch of time, ms since 1970: from (within) and to (not within).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub start_ms: i64,
    pub end_ms: i64,
    /// Whether it is a window; else it lies between two, where no shift is.
    pub is_window: bool,
}

/// The calendar of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteCalendar {
    pub zone: TimeZone,
    /// They do not overlap; in any order.
    pub shifts: Vec<Shift>,
}

/// The calendars of all sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendars {
    /// Of sites that are not named.
    pub others: SiteCalendar,
    pub sites: BTreeMap<String, SiteCalendar>,
}

impl Default for Calendars {
    fn default() -> Self {
        let shifts = ["06:00-14:00", "14:00-22:00", "22:00-06:00"];
        let shifts = shifts.map(|shift| shift.parse().expect("the default shifts are shifts")).to_vec();
        Calendars { others: SiteCalendar { zone: TimeZone::UTC, shifts }, sites: BTreeMap::new() }
    }
}

impl Calendars {
    /// The calendar of a site.
    #[must_use]
    pub fn of(&self, site: &str) -> &SiteCalendar {
        self.sites.get(site).unwrap_or(&self.others)
    }
}

/// The zone of an IANA name such as `Europe/Paris`.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// The names of all zones.
#[must_use]
pub fn zone_names() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
}

impl SiteCalendar {
    /// The window that holds a time, or what lies between two. None only for times that no calendar has (year 9999).
    #[must_use]
    pub fn stretch(&self, unit: CalendarUnit, ts_ms: i64) -> Option<Stretch> {
        let today = Timestamp::from_millisecond(ts_ms).ok()?.to_zoned(self.zone.clone()).date();
        let (mut before_ms, mut after_ms) = (i64::MIN, i64::MAX);
        // Where clocks go back over midnight a day is shown that is over, and a night shift is yesterday's.
        for day in [today.yesterday().ok()?, today, today.tomorrow().ok()?] {
            for (from, to) in self.spans_of(unit, day)? {
                let (start_ms, end_ms) = (self.moment_ms(from)?, self.moment_ms(to)?);
                if start_ms <= ts_ms && ts_ms < end_ms {
                    return Some(Stretch { start_ms, end_ms, is_window: true });
                }
                if end_ms <= ts_ms {
                    before_ms = before_ms.max(end_ms);
                } else {
                    after_ms = after_ms.min(start_ms);
                }
            }
        }
        Some(Stretch { start_ms: before_ms, end_ms: after_ms, is_window: false })
    }

    /// The date that the calendar shows at a time, as 2026-03-29.
    #[must_use]
    pub fn date(&self, ts_ms: i64) -> String {
        let time = Timestamp::from_millisecond(ts_ms).unwrap_or(Timestamp::MAX);
        time.to_zoned(self.zone.clone()).date().to_string()
    }

    /// Date and time of day that the calendar's clock shows at a time, as 2026-03-29 14:05.
    #[must_use]
    pub fn minute(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// A time as cards and assets write it: ms since 1970, RFC 3339, or a day, which is meant to its end here.
    #[must_use]
    pub fn time_ms(&self, said: &serde_json::Value) -> Option<i64> {
        if let Some(ms) = said.as_i64() {
            return Some(ms);
        }
        let text = said.as_str()?;
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time.as_millisecond());
        }
        let day: Date = text.parse().ok()?;
        self.moment_ms(day.tomorrow().ok()?.to_datetime(Time::midnight()))
    }

    /// What begins on a day, as the clock on the wall shows it.
    fn spans_of(&self, unit: CalendarUnit, day: Date) -> Option<Vec<(DateTime, DateTime)>> {
        let tomorrow = day.tomorrow().ok()?;
        let of_shift = |shift: &Shift| {
            let last = if shift.to <= shift.from { tomorrow } else { day };
            (day.to_datetime(shift.from), last.to_datetime(shift.to))
        };
        Some(match unit {
            CalendarUnit::Day => {
                vec![(day.to_datetime(Time::midnight()), tomorrow.to_datetime(Time::midnight()))]
            }
            CalendarUnit::Shift => self.shifts.iter().map(of_shift).collect(),
        })
    }

    /// When the clock shows that.
    fn moment_ms(&self, shown: DateTime) -> Option<i64> {
        let ambiguous = self.zone.to_ambiguous_timestamp(shown);
        let moment = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok()?,
            AmbiguousOffset::Gap { .. } => {
                // The clock is put forward before the left out time would have come.
                let later = ambiguous.later().ok()?.checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
                self.zone.preceding(later).next()?.timestamp()
            }
        };
        Some(moment.as_millisecond())
    }
}

#[cfg(test)]
mod tests;
