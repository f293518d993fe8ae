//! Names as devices write them: most have at most 23 bytes, and are then compared as three words in place
//! of byte by byte.

use super::text;
use super::words::Words;

/// A plain text with the quote behind it, as it lies in memory; zeros follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Short([u64; WORDS]);

const WORDS: usize = 3;

/// A text. What is to be found again was made by [`Name::new`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    Short(Short),
    /// Longer, or one that has to be escaped.
    Long(&'a [u8]),
}

impl Short {
    /// Equal to no text.
    pub(super) const NONE: Short = Short([0; WORDS]);

    /// As `==` does, without a call.
    #[inline(always)]
    pub(super) fn is(self, other: Short) -> bool {
        let differ = |place: usize| self.0[place] ^ other.0[place];
        differ(0) == 0 && differ(1) | differ(2) == 0
    }

    /// Differs for most texts that differ.
    #[inline(always)]
    pub(super) fn tag(self) -> u32 {
        let [first, second, third] = self.0;
        let mixed = first ^ second.rotate_left(23) ^ third.rotate_left(46);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }

    fn new(text: &[u8]) -> Option<Self> {
        if text::stop(text, 0) < text.len() {
            return None;
        }
        let mut bytes = [0; 8 * WORDS];
        *bytes.get_mut(text.len())? = b'"';
        bytes[..text.len()].copy_from_slice(text);
        let (words, _) = bytes.as_chunks::<8>();
        Some(Short(std::array::from_fn(|place| u64::from_le_bytes(words[place]))))
    }

    /// What goes on at `start` up to the next quote, and what comes behind that; `None` if it is longer. It
    /// is not looked at any further: it only counts if it equals a text that is known to be plain.
    #[inline(always)]
    fn read(words: Words<'_>, start: usize) -> Option<(Self, usize)> {
        let mut short = Short::NONE;
        let mut at = start;
        for slot in &mut short.0 {
            let word = words.at(at);
            let len = text::quote_in(word);
            if len < 8 {
                *slot = word & (u64::MAX >> (56 - 8 * len));
                return Some((short, at + len + 1));
            }
            *slot = word;
            at += 8;
        }
        None
    }
}

impl<'a> Name<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Short::new(text).map_or(Name::Long(text), Name::Short)
    }

    /// The string that goes on at `start`, behind its opening quote, and what comes behind it. It only
    /// counts if it equals one of [`Name::new`].
    #[inline(always)]
    pub(super) fn read(words: Words<'_>, bytes: &'a [u8], start: usize) -> Option<(Self, usize)> {
        match Short::read(words, start) {
            Some((short, end)) => Some((Name::Short(short), end)),
            None => Name::read_long(bytes, start),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Name::Short(Short([0x22, 0, 0])))
    }

    #[cold]
    fn read_long(bytes: &'a [u8], start: usize) -> Option<(Self, usize)> {
        let end = text::plain_end(bytes, start)?;
        bytes.get(start..end).map(|text| (Name::new(text), end + 1))
    }
}
