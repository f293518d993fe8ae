//! Times as devices write them: milliseconds since 1970 or RFC 3339, floored to the millisecond.

use super::scan::Token;

/// The years that are times at all: 0000 to 9999.
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_300_799_999;

/// The time that a value says; else what is wrong with it.
#[inline]
pub(crate) fn read(token: Token<'_>) -> Result<i64, &'static str> {
    let time_ms = match token {
        Token::Number(number) => number.floor(),
        Token::Text(text) => match rfc3339(text.get().as_bytes()) {
            Some(time_ms) => return Ok(time_ms),
            None => return Err("is no RFC 3339 time such as 2026-11-22T07:34:00.123Z"),
        },
        Token::NonFinite(_) => None,
        _ => return Err("is neither a number (ms since 1970) nor an RFC 3339 text"),
    };
    let time_ms = time_ms.filter(|time_ms| is_in_range(*time_ms));
    time_ms.ok_or("is beyond the year 9999; a number counts milliseconds since 1970")
}

/// Whether it is in the years 0000 to 9999.
#[inline]
pub(crate) fn is_in_range(time_ms: i64) -> bool {
    (FIRST_MS..=LAST_MS).contains(&time_ms)
}

/// Milliseconds since 1970 of `2026-11-22T07:34:00.123456+01:00` and its variants: `t` or a space for `T`,
/// `Z`, `z`, `+01:00`, `+0100`, `+01` as the offset, and Mosquitto's `Z+0100`, which is `+0100`. A leap
/// second is the second before it.
#[must_use]
pub(crate) fn rfc3339(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let is_shaped = head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b't' | b' ')
        && head[13] == b':'
        && head[16] == b':';
    if !is_shaped {
        return None;
    }
    let year = two(head, 0)? * 100 + two(head, 2)?;
    let (month, day) = (two(head, 5)?, two(head, 8)?);
    let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, rest) = fraction(rest)?;
    let offset_minutes = offset(rest)?;
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second.min(59)) * 1000 + millis)
}

#[inline]
fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Whole milliseconds of `.123456`, and what comes behind.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let len = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(len);
    let digit = |place: usize| digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    (len > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Minutes east of Greenwich.
#[inline]
fn offset(text: &[u8]) -> Option<i64> {
    let text = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'Z', rest @ ..] => rest,
        _ => text,
    };
    let (sign, digits) = match text {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (two(digits, 0)?, 0),
        4 => (two(digits, 0)?, two(digits, 2)?),
        5 if digits[2] == b':' => (two(digits, 0)?, two(digits, 3)?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

#[inline]
fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years that begin in March.
#[inline]
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
