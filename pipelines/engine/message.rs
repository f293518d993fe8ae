//! What a rule says of its exceptions, worded for people.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::rule_row::RuleRow;
use super::template;
use crate::calendar::{Calendars, SiteCalendar};
use crate::config::Wording;

/// A text with columns in braces.
#[derive(Clone, Debug)]
pub(super) struct Message {
    template: String,
    /// Whose clocks show times.
    calendars: Arc<Calendars>,
}

impl Message {
    pub(super) fn new(template: &str, calendars: &Arc<Calendars>) -> Self {
        Message { template: template.to_owned(), calendars: Arc::clone(calendars) }
    }

    /// With the values of a row.
    #[must_use]
    pub(super) fn of(&self, row: &RuleRow) -> String {
        let calendar = self.calendars.of(&row.site);
        template::fill(&self.template, |placeholder, filled| {
            let (column, wording) = Wording::of(placeholder);
            match row.columns.iter().find(|(name, _)| name == column) {
                Some((_, text)) => {
                    let words = wording.and_then(|wording| worded(text, wording, calendar));
                    filled.push_str(words.as_deref().unwrap_or(text));
                }
                None => filled.extend(["{", placeholder, "}"]),
            }
        })
    }
}

/// A column's text in these words; none where it has no value.
fn worded(text: &str, wording: Wording, calendar: &SiteCalendar) -> Option<String> {
    match wording {
        // What is longer than ages is a mistake, and stays as it is.
        Wording::Duration => text.parse().ok().filter(|seconds: &f64| seconds.abs() < 1e12).map(duration),
        Wording::Time => {
            // A time without a zone is one of UTC.
            let of_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
            let time = text.parse::<Timestamp>().ok().or_else(|| Some(of_utc()?.timestamp()))?;
            Some(calendar.minute(time))
        }
    }
}

/// Its two largest units, rounded to the smaller one: `3 d 4 h`, `1 h 15 min`, `6 min 30 s`; seconds to a tenth.
fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    // From so many seconds on, in these units.
    for (from, (unit, name), (part, part_name)) in [
        (172_800_u64, (86_400, "d"), (3600_u32, "h")),
        (3600, (3600, "h"), (60, "min")),
        (60, (60, "min"), (1, "s")),
    ] {
        let parts = (seconds / f64::from(part)).round() as u64;
        let (whole, rest) = (parts * u64::from(part) / unit, parts % (unit / u64::from(part)));
        if parts * u64::from(part) >= from {
            let rest = if rest > 0 { format!(" {rest} {part_name}") } else { String::new() };
            return format!("{sign}{whole} {name}{rest}");
        }
    }
    format!("{sign}{} s", (seconds * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_the_units_that_people_use() {
        let said =
            [0.0, 0.55, 21.0, 59.97, 60.0, 390.4, 3599.6, 4501.0, 90_000.0, 172_800.0, 190_000.0, -240.0];
        let words = said.map(duration).join(", ");
        assert_eq!(
            words,
            "0 s, 0.6 s, 21 s, 1 min, 1 min, 6 min 30 s, 1 h, 1 h 15 min, 25 h, 2 d, 2 d 5 h, -4 min"
        );
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        let zone = crate::calendar::zone("Europe/Paris").expect("a zone");
        let calendar = SiteCalendar { zone, ..Calendars::default().others };
        let time = |text: &str| worded(text, Wording::Time, &calendar);
        assert_eq!(time("2026-03-28T11:05:00Z").as_deref(), Some("2026-03-28 12:05"));
        assert_eq!(time("2026-03-29T11:05:00Z").as_deref(), Some("2026-03-29 13:05"), "clocks were changed");
        assert_eq!(time("2026-03-28T23:30:00").as_deref(), Some("2026-03-29 00:30"));
        assert_eq!(time("–"), None, "it has none");
    }
}
