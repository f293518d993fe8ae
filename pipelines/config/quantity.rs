//! Durations and sizes as text with a unit: `"5s"`, `"64MiB"`.

use std::time::Duration;

/// Units of durations, longest first, in milliseconds. The first name of a unit is the one printed.
const DURATION_UNITS: [(&[&str], u64); 5] = [
    (&["d"], 24 * 60 * 60 * 1000),
    (&["h"], 60 * 60 * 1000),
    (&["min", "m"], 60 * 1000),
    (&["s"], 1000),
    (&["ms"], 1),
];

/// Units of sizes, largest first, in bytes. The decimal ones are understood, not printed.
const SIZE_UNITS: [(&[&str], u64); 7] = [
    (&["GiB"], 1 << 30),
    (&["GB"], 1_000_000_000),
    (&["MiB"], 1 << 20),
    (&["MB"], 1_000_000),
    (&["KiB"], 1 << 10),
    (&["kB", "KB"], 1000),
    (&["B"], 1),
];

/// Units as error texts list them.
pub(super) const DURATION_UNIT_NAMES: &str = "ms, s, min, h, d";
pub(super) const SIZE_UNIT_NAMES: &str = "B, KiB, MiB, GiB";

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("`{0}` has no unit")]
    NoUnit(String),
    #[error("`{0}` does not start with a whole number")]
    NoNumber(String),
    #[error("`{0}` is no unit of {1}")]
    UnknownUnit(String, &'static str),
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Reads `"250ms"`, `"5s"`, `"15min"`, `"24h"`, `"30d"`.
///
/// # Errors
/// No whole number in front, no unit, or another unit behind.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    parse(text, &DURATION_UNITS, "time").map(Duration::from_millis)
}

/// As [`parse_duration`], of a command line: above zero, and the error says how to write it.
///
/// # Errors
/// No duration, or none above zero.
pub fn parse_period(text: &str) -> Result<Duration, String> {
    let form = "write a whole number and a unit, such as 30s, 10min or 2h";
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("`{text}` is not above zero; {form}")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; {form}")),
    }
}

/// Reads `"512B"`, `"256KiB"`, `"64MiB"`, `"2GiB"`, and the decimal `kB`, `MB`, `GB`. Returns bytes.
///
/// # Errors
/// No whole number in front, no unit, or another unit behind.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    parse(text, &SIZE_UNITS, "size")
}

/// The shortest text that [`parse_duration`] reads as this; below a millisecond is cut off.
#[must_use]
pub fn print_duration(duration: Duration) -> String {
    let total_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if total_ms == 0 { "0s".to_owned() } else { print(total_ms, &DURATION_UNITS) }
}

/// The shortest text in binary units that [`parse_size`] reads as this.
#[must_use]
pub fn print_size(bytes: u64) -> String {
    let binary = SIZE_UNITS.iter().filter(|(_, factor)| factor.is_power_of_two());
    let unit =
        binary.filter(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)).max_by_key(|unit| unit.1);
    unit.map_or_else(|| format!("{bytes}B"), |(names, factor)| format!("{}{}", bytes / factor, names[0]))
}

type Units = [(&'static [&'static str], u64)];

fn parse(text: &str, units: &Units, kind: &'static str) -> Result<u64, QuantityError> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim_start());
    if number.is_empty() {
        return Err(QuantityError::NoNumber(text.to_owned()));
    }
    if unit.is_empty() {
        return Err(QuantityError::NoUnit(text.to_owned()));
    }
    let known = units.iter().find(|(names, _)| names.contains(&unit));
    let (_, factor) = known.ok_or_else(|| QuantityError::UnknownUnit(unit.to_owned(), kind))?;
    let number: Option<u64> = number.parse().ok();
    let total =
        number.and_then(|number| number.checked_mul(*factor)).filter(|total| i64::try_from(*total).is_ok());
    total.ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

fn print(total: u64, units: &Units) -> String {
    let unit = units.iter().find(|(_, factor)| total.is_multiple_of(*factor));
    let (names, factor) = unit.expect("the smallest unit is 1");
    format!("{}{}", total / factor, names[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_carry_their_unit() {
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("15 m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("256 kB"), Ok(256_000));
        assert_eq!(parse_duration("30"), Err(QuantityError::NoUnit("30".to_owned())));
        assert_eq!(parse_duration("s"), Err(QuantityError::NoNumber("s".to_owned())));
        assert_eq!(parse_duration("-5s"), Err(QuantityError::NoNumber("-5s".to_owned())));
        assert_eq!(parse_size("5s"), Err(QuantityError::UnknownUnit("s".to_owned(), "size")));
        assert_eq!(parse_size("9999999999GiB"), Err(QuantityError::TooLarge("9999999999GiB".to_owned())));
    }

    #[test]
    fn a_command_line_is_told_how_to_write_a_duration() {
        assert_eq!(parse_period("90min"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_period("8h"), Ok(Duration::from_secs(28_800)));
        for text in ["", "30", "soon", "-5s", "0s", "2 months", "1h 30m"] {
            let message = parse_period(text).expect_err(text);
            assert!(message.contains("such as 30s"), "{message}");
        }
    }

    #[test]
    fn quantities_print_in_the_largest_unit_that_is_whole() {
        assert_eq!(print_duration(Duration::from_secs(90)), "90s");
        assert_eq!(print_duration(Duration::from_secs(24 * 60 * 60)), "1d");
        assert_eq!(print_duration(Duration::ZERO), "0s");
        assert_eq!(print_size(256 << 10), "256KiB");
        assert_eq!(print_size(1_000_000), "1000000B");
        assert_eq!(print_size(0), "0B");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(number in 0_u64..1 << 52) {
            let duration = Duration::from_millis(number);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&print_size(number)), Ok(number));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
