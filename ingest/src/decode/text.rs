//! JSON strings: where they end, what their escapes mean.

use std::borrow::Cow;

/// A string of the payload, between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a str,
    pub(crate) is_escaped: bool,
}

impl<'a> Text<'a> {
    /// What it says.
    #[inline]
    pub(crate) fn get(self) -> Cow<'a, str> {
        if self.is_escaped { Cow::Owned(unescaped(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of each byte: set in all bytes of characters beyond ASCII.
pub(super) const TOPS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes as they lie in memory; behind the end there are zeros.
#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => last_word(bytes, at),
    }
}

#[inline(never)]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let left = bytes.len().saturating_sub(at);
    match bytes.last_chunk::<8>() {
        Some(_) if left == 0 => 0,
        Some(chunk) => u64::from_le_bytes(*chunk) >> (64 - 8 * left),
        None => bytes[bytes.len() - left..].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Place of the first `"` among eight bytes; 8 if there is none.
#[inline(always)]
pub(crate) fn quote_in(word: u64) -> usize {
    let quote = word ^ (ONES * u64::from(b'"'));
    ((quote.wrapping_sub(ONES) & !quote & TOPS).trailing_zeros() / 8) as usize
}

/// Place of the first byte among eight that is one or the other; 8 if there is none.
#[inline(always)]
pub(crate) fn first_of(word: u64, one: u8, other: u8) -> usize {
    let (one, other) = (word ^ (ONES * u64::from(one)), word ^ (ONES * u64::from(other)));
    let found = (one.wrapping_sub(ONES) & !one) | (other.wrapping_sub(ONES) & !other);
    ((found & TOPS).trailing_zeros() / 8) as usize
}

/// Place of the first `"`, `\` or control character among eight bytes; 8 if there is none.
#[inline(always)]
pub(super) fn stop_in(word: u64) -> usize {
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    // The lowest set top bit is exact; a borrow can only disturb those above it.
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    ((found & TOPS).trailing_zeros() / 8) as usize
}

/// The first `"`, `\` or control character at or after `at`; the end if there is none.
#[inline]
pub(crate) fn stop(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let len = stop_in(word(bytes, at));
        at += len;
        if len < 8 {
            return at.min(bytes.len());
        }
    }
}

/// Where the string that begins at `start` ends, at its closing quote; `None` if it has escapes or is no
/// valid string.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut tops = 0;
    let end = loop {
        let word = word(bytes, at);
        let len = stop_in(word);
        if len < 8 {
            tops |= word & ((1 << (8 * len)) - 1);
            break at + len;
        }
        tops |= word;
        at += 8;
    };
    if bytes.get(end) != Some(&b'"') || (tops & TOPS != 0 && std::str::from_utf8(&bytes[start..end]).is_err())
    {
        return None;
    }
    Some(end)
}

/// The character of the escape that `bytes` begin with, and how many bytes it takes; `None` if it is none,
/// such as half of a surrogate pair.
pub(crate) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex(bytes.get(2..6)?)?;
            if !(0xd800..0xdc00).contains(&first) {
                return char::from_u32(first).map(|character| (character, 6));
            }
            let second = bytes.get(6..12)?.strip_prefix(b"\\u").and_then(hex)?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).map(|character| (character, 12));
        }
        _ => return None,
    };
    Some((simple, 2))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

/// What a string with checked escapes says.
pub(crate) fn unescaped(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let (character, len) = escape(&rest.as_bytes()[at..]).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        plain.push(character);
        rest = &rest[at + len..];
    }
    plain.push_str(rest);
    plain
}
