//! The pieces of a common message: each takes what begins at a place and says where to go on, or is
//! `None` for all that is unusual.

use super::number::{Parts, plain_i64};
use super::text;
use super::timestamp;

/// A name of at most seven bytes with its closing quote, as it lies in memory.
pub(super) const fn key(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut word = (b'"' as u64) << (8 * bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        word |= (bytes[place] as u64) << (8 * place);
        place += 1;
    }
    word
}

/// Where the next byte is that is no white space: most often here.
#[inline(always)]
pub(super) fn skip(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(..=b' ') => skip_blanks(bytes, at),
        _ => at,
    }
}

#[inline(never)]
fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// The name that begins at `start` (0 if it is longer than any key), and where it ends.
#[inline(always)]
pub(super) fn name_at(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let word = text::word(bytes, start);
    let len = text::stop_in(word);
    if len < 8 {
        let name = word & (u64::MAX >> (56 - 8 * len));
        if name >> (8 * len) == u64::from(b'"') && name & text::TOPS == 0 {
            return Some((name, start + len));
        }
    }
    Some((0, text::plain_end(bytes, start)?))
}

/// A plain text, and where to go on.
#[inline(always)]
pub(super) fn plain(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let end = text::plain_end(bytes, at + 1)?;
    Some((&bytes[at + 1..end], end + 1))
}

#[inline(always)]
pub(super) fn time(bytes: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    let (time_ms, end) = if bytes.get(at) == Some(&b'"') {
        let (text, end) = plain(bytes, at)?;
        (timestamp::rfc3339(text)?, end)
    } else {
        plain_i64(bytes, at)?
    };
    timestamp::is_in_range(time_ms).then_some((Some(time_ms), end))
}

/// A finite number or a boolean, and where to go on.
#[inline(always)]
pub(super) fn value(bytes: &[u8], at: usize) -> Option<(f64, usize)> {
    match bytes.get(at)? {
        b't' => Some((1.0, word(bytes, at, b"true")?)),
        b'f' => Some((0.0, word(bytes, at, b"false")?)),
        _ => {
            let (parts, end) = Parts::read(bytes, at).ok()?;
            let value = match parts.as_exact_f64() {
                Some(value) => value,
                None => std::str::from_utf8(&bytes[at..end]).ok()?.parse().ok()?,
            };
            value.is_finite().then_some((value, end))
        }
    }
}

/// Passes over a value that says nothing to us.
#[inline(always)]
pub(super) fn scalar(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => Some(text::plain_end(bytes, at + 1)? + 1),
        b't' => word(bytes, at, b"true"),
        b'f' => word(bytes, at, b"false"),
        b'n' => word(bytes, at, b"null"),
        _ => Parts::read(bytes, at).ok().map(|(_, end)| end),
    }
}

#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes[at..].starts_with(word).then_some(at + word.len())
}

/// Where an object without objects and escapes ends. Its parts are not checked: it only counts if the
/// very same bytes were checked before.
#[inline(always)]
pub(super) fn flat(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => at = text::plain_end(bytes, at + 1)? + 1,
            b'}' => return Some(at + 1),
            b'{' | b'[' => return None,
            _ => at += 1,
        }
    }
}
