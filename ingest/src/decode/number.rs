//! JSON numbers: read once, then taken as float, integer or floored time.

use super::scan::{Scan, Scanner, Syntax};
use super::text;

/// A number of the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    pub(crate) raw: &'a str,
    parts: Parts,
}

/// ± `mantissa` · 10^`exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// All digits, unless there are more than fit.
    mantissa: u64,
    exponent: i32,
    is_negative: bool,
    /// Whether the mantissa holds all digits.
    is_exact: bool,
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Takes the number that begins here.
pub(super) fn read<'a>(scanner: &mut Scanner<'a>) -> Scan<Number<'a>> {
    let start = scanner.at;
    let (parts, end) = Parts::read(scanner.bytes, start)?;
    scanner.at = end;
    Ok(Number { raw: &scanner.text[start..end], parts })
}

impl Parts {
    /// Reads the number that begins at `start`; says where it ends.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8], start: usize) -> Scan<(Self, usize)> {
        let is_negative = bytes.get(start) == Some(&b'-');
        let mut mantissa = 0;
        let whole = start + usize::from(is_negative);
        let mut at = digits(bytes, whole, &mut mantissa);
        if at == whole {
            return Err(Syntax { at, expected: "a digit" });
        }
        if at > whole + 1 && bytes[whole] == b'0' {
            return Err(Syntax { at: whole + 1, expected: "no digit after a leading 0" });
        }
        let mut count = at - whole;
        let mut exponent = 0;
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits(bytes, fraction, &mut mantissa);
            if at == fraction {
                return Err(Syntax { at, expected: "a digit" });
            }
            count += at - fraction;
            exponent = -i32::try_from(at - fraction).unwrap_or(i32::MAX);
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            let (power, end) = power_of_ten(bytes, at + 1)?;
            exponent = exponent.saturating_add(power);
            at = end;
        }
        Ok((Parts { mantissa, exponent, is_negative, is_exact: count <= 19 }, at))
    }

    /// The nearest float, where one operation on exact floats gives it, so that it is rounded once.
    #[inline(always)]
    pub(super) fn as_exact_f64(self) -> Option<f64> {
        if !self.is_exact || self.mantissa > 1 << 53 || !(-22..=22).contains(&self.exponent) {
            return None;
        }
        let mantissa = self.mantissa as f64;
        let power = POWERS[self.exponent.unsigned_abs() as usize];
        let size = if self.exponent < 0 { mantissa / power } else { mantissa * power };
        Some(if self.is_negative { -size } else { size })
    }
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The top bit of each byte that is no digit, where `word` has digits as 0 to 9. Exact up to the first such
/// byte, and behind it if it is ASCII.
#[inline(always)]
fn others(word: u64) -> u64 {
    (word.wrapping_add(0x7676_7676_7676_7676) | word) & text::TOPS
}

/// How many digits eight bytes begin with.
#[inline(always)]
pub(crate) fn digits_in(text: u64) -> usize {
    (others(text ^ ZEROS).trailing_zeros() / 8) as usize
}

/// Whether all of eight bytes are 0 to 9.
#[inline(always)]
pub(crate) fn are_digits(values: u64) -> bool {
    others(values) == 0
}

/// Eight digits as a number, the first in the lowest byte; put together in pairs.
#[inline(always)]
fn joined(eight: u64) -> u64 {
    let pairs = eight.wrapping_mul(10).wrapping_add(eight >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// Takes digits, eight at a time, and says where they end. Too many of them wrap around.
#[inline(always)]
fn digits(bytes: &[u8], start: usize, mantissa: &mut u64) -> usize {
    let mut at = start;
    loop {
        let word = text::word(bytes, at) ^ ZEROS;
        let len = (others(word).trailing_zeros() / 8) as usize;
        if len == 0 {
            return at;
        }
        // The digits move up, with leading zeros in front.
        *mantissa = mantissa.wrapping_mul(WHOLE_POWERS[len]).wrapping_add(joined(word << (64 - 8 * len)));
        at += len;
        if len < 8 {
            return at;
        }
    }
}

/// The decimal of at most seven characters that eight bytes begin with, and its length.
#[inline(always)]
pub(super) fn short_decimal(text: u64) -> Option<(f64, usize)> {
    let word = text ^ ZEROS;
    let others = others(word);
    let point = (others.trailing_zeros() / 8) as usize;
    if !(1..=7).contains(&point) || (point > 1 && byte(word, 0) == 0) {
        return None;
    }
    let (packed, count, end) = if byte(text, point) == b'.' {
        let end = ((others & (others - 1)).trailing_zeros() / 8) as usize;
        if end == 8 || end == point + 1 {
            return None;
        }
        // The fraction moves down over the point.
        let whole = (1 << (8 * point)) - 1;
        ((word & whole) | (word >> 8 & !whole), end - 1, end)
    } else {
        (word, point, point)
    };
    if byte(text, end) | 0x20 == b'e' {
        return None;
    }
    // Both are exact, so the result is rounded once.
    Some((joined(packed << (64 - 8 * count)) as f64 / POWERS[(count - point) % 8], end))
}

/// The whole number of at most seven digits that eight bytes begin with, and its length.
#[inline(always)]
pub(super) fn short_whole(text: u64) -> Option<(i64, usize)> {
    let word = text ^ ZEROS;
    let len = (others(word).trailing_zeros() / 8) as usize;
    let is_one = (1..=7).contains(&len) && (len == 1 || byte(word, 0) != 0);
    let goes_on = matches!(byte(text, len % 8), b'.' | b'e' | b'E');
    (is_one && !goes_on).then(|| (joined(word << (64 - 8 * len)) as i64, len))
}

/// The whole number of 13 digits, as milliseconds have them in our days, that 16 bytes are with what ends
/// a member behind.
#[inline(always)]
pub(super) fn thirteen_digits(first: u64, second: u64) -> Option<i64> {
    let (first, last) = (first ^ ZEROS, second ^ ZEROS);
    let is_one = others(first) == 0 && others(last).trailing_zeros() / 8 == 5 && byte(first, 0) != 0;
    if is_one && matches!(byte(second, 5), b',' | b'}') {
        return Some((joined(first) * 100_000 + joined(last << 24)) as i64);
    }
    None
}

#[inline(always)]
fn byte(word: u64, place: usize) -> u8 {
    (word >> (8 * place)) as u8
}

const WHOLE_POWERS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A whole number of at most 18 digits that begins at `start`, and where it ends; `None` for all others.
#[inline(always)]
pub(super) fn plain_i64(bytes: &[u8], start: usize) -> Option<(i64, usize)> {
    let is_negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(is_negative);
    let mut size = 0;
    let end = digits(bytes, first, &mut size);
    let has_leading_zero = end > first + 1 && bytes[first] == b'0';
    if !(1..=18).contains(&(end - first))
        || has_leading_zero
        || matches!(bytes.get(end), Some(b'.' | b'e' | b'E'))
    {
        return None;
    }
    let size = size as i64;
    Some((if is_negative { -size } else { size }, end))
}

/// The exponent that begins at `start`, behind its `e`.
fn power_of_ten(bytes: &[u8], start: usize) -> Scan<(i32, usize)> {
    let falls = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(matches!(bytes.get(start), Some(b'-' | b'+')));
    let mut at = first;
    let mut power: i32 = 0;
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        power = power.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
        at += 1;
    }
    if at == first {
        return Err(Syntax { at, expected: "a digit" });
    }
    Ok((if falls { -power } else { power }, at))
}

impl Number<'_> {
    /// The nearest float; infinite where there is none.
    #[inline]
    pub(crate) fn to_f64(self) -> f64 {
        self.parts.as_exact_f64().unwrap_or_else(|| self.raw.parse().unwrap_or(f64::NAN))
    }

    /// The whole number that it is, such as 12, 12.0 or 1.2e1; `None` where it is none or does not fit.
    #[inline]
    pub(crate) fn to_i64(self) -> Option<i64> {
        let Parts { mantissa, exponent, .. } = self.parts;
        let whole = self.floor()?;
        let is_whole = exponent >= 0 || mantissa.is_multiple_of(power(exponent.unsigned_abs())?);
        is_whole.then_some(whole)
    }

    /// The largest whole number that is not above it; `None` where it does not fit.
    #[inline]
    pub(crate) fn floor(self) -> Option<i64> {
        let Parts { mantissa, exponent, is_negative, is_exact } = self.parts;
        if !is_exact {
            return floor_of(self.to_f64());
        }
        let signed = if is_negative { -i128::from(mantissa) } else { i128::from(mantissa) };
        let floored = match exponent {
            0 => signed,
            _ if mantissa == 0 => 0,
            ..0 => match power(exponent.unsigned_abs()) {
                Some(power) => signed.div_euclid(i128::from(power)),
                None => -i128::from(is_negative),
            },
            1.. => signed.checked_mul(i128::from(power(exponent.unsigned_abs())?))?,
        };
        i64::try_from(floored).ok()
    }
}

fn power(exponent: u32) -> Option<u64> {
    10u64.checked_pow(exponent)
}

fn floor_of(value: f64) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let floored = value.floor();
    (-BOUND..BOUND).contains(&floored).then_some(floored as i64)
}
