//! Where a row's file stands: `STREAM/date=YYYY-MM-DD/site=S/part-000001.parquet`.

use std::path::PathBuf;

use jiff::civil::Date;
use xxhash_rust::xxh3::xxh3_64;

/// What Hive, and every reader after it, calls the partition of rows without a value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The one file of a stream without rows, directly in the stream's folder.
pub(super) const EMPTY: &str = "empty.parquet";

/// Milliseconds of a day; UTC has no other days.
const DAY_MS: i64 = 86_400_000;

/// A file name may have 255 bytes on the usual file systems.
const SITE_BYTES_MAX: usize = 200;

/// The files that hold a row's like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    /// Index of the stream in the settings.
    pub(super) stream: usize,
    /// Days since 1970; none if the row has no time.
    pub(super) day: Option<i64>,
    /// None if the row has no site, or an empty one.
    pub(super) site: Option<String>,
}

impl Partition {
    /// Below the stream's folder.
    pub(super) fn folder(&self) -> PathBuf {
        let date = self.day.map_or_else(|| NO_VALUE.to_owned(), date_of);
        let site = self.site.as_deref().map_or_else(|| NO_VALUE.to_owned(), encoded);
        PathBuf::from(format!("date={date}")).join(format!("site={site}"))
    }
}

/// UTC day of a time.
pub(super) fn day_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS)
}

fn date_of(day: i64) -> String {
    // Nine digits of years are more than a calendar has; such a row keeps its day's number.
    let date = i32::try_from(day)
        .ok()
        .and_then(|day| Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(day).ok()?).ok());
    date.map_or_else(|| format!("day{day}"), |date| date.to_string())
}

/// A value as Hive escapes it in a folder name. Longer ones than a file name can hold keep their start and
/// end in a hash, so that different sites stay apart.
fn encoded(site: &str) -> String {
    let mut text = String::with_capacity(site.len());
    for letter in site.chars() {
        let is_plain =
            letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ' ' | '+' | ',' | '@' | '~');
        if is_plain {
            text.push(letter);
        } else {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    if text.len() > SITE_BYTES_MAX {
        let cut = (0..=SITE_BYTES_MAX - 20).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        // Not in the middle of an escape.
        if let Some(escape) = text.rfind('%').filter(|at| at + 3 > text.len()) {
            text.truncate(escape);
        }
        text.push_str(&format!("~{:016x}", xxh3_64(site.as_bytes())));
    }
    text
}

/// Name of a partition's nth file, from 1.
pub(super) fn part_name(part: u32) -> String {
    format!("part-{part:06}.parquet")
}

/// The number in a [`part_name`].
pub(super) fn part_number(name: &str) -> Option<u32> {
    name.strip_prefix("part-")?.strip_suffix(".parquet")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(time_ms: Option<i64>, site: Option<&str>) -> String {
        let partition = Partition { stream: 0, day: time_ms.map(day_of), site: site.map(str::to_owned) };
        partition.folder().display().to_string()
    }

    #[test]
    fn a_row_stands_under_its_utc_day_and_site() {
        assert_eq!(folder(Some(1_795_332_840_123), Some("bern")), "date=2026-11-22/site=bern");
        assert_eq!(folder(Some(-1), Some("bern")), "date=1969-12-31/site=bern");
        assert_eq!(folder(Some(0), None), "date=1970-01-01/site=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(folder(None, Some("x")), "date=__HIVE_DEFAULT_PARTITION__/site=x");
    }

    #[test]
    fn odd_sites_are_escaped_and_stay_inside_the_folder() {
        assert_eq!(folder(Some(0), Some("a/../b=c%")), "date=1970-01-01/site=a%2F..%2Fb%3Dc%25");
        assert_eq!(folder(Some(0), Some("Zürich 1")), "date=1970-01-01/site=Zürich 1");
        assert_eq!(folder(Some(0), Some("a\nb")), "date=1970-01-01/site=a%0Ab");
        let long = folder(Some(0), Some(&"ä".repeat(5_000)));
        assert!(long.len() < 255, "{long}");
        assert_ne!(long, folder(Some(0), Some(&"ä".repeat(5_001))), "different sites, different folders");
    }

    #[test]
    fn a_time_no_calendar_knows_keeps_its_day() {
        assert_eq!(folder(Some(i64::MAX), Some("x")), "date=day106751991167/site=x");
    }

    #[test]
    fn part_numbers_go_both_ways() {
        assert_eq!(part_number(&part_name(7)), Some(7));
        assert_eq!(part_number("empty.parquet"), None);
        assert_eq!(part_number("part-000007.parquet.tmp"), None);
    }
}
