//! Tag sets: flat objects of strings, kept once each.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::reject::Fault;
use super::scan::{Scanner, Token};
use crate::readings::Readings;

/// So many spellings are remembered; then all are forgotten, which only costs time.
const SPELLINGS_MAX: usize = 8192;

/// Numbers tag sets in [`Readings::tag_sets`]. Every number is checked against that list before it is
/// used, so the list may be emptied or replaced at any time.
#[derive(Debug, Default)]
pub(super) struct TagSets {
    /// By hash of the raw text.
    spellings: FxHashMap<u64, Spelling>,
    numbers: FxHashMap<Box<str>, u32>,
}

#[derive(Debug)]
struct Spelling {
    raw: Box<str>,
    canonical: Box<str>,
    number: u32,
}

fn is_at(readings: &Readings, number: u32, canonical: &str) -> bool {
    let place = (number as usize).checked_sub(1);
    place.and_then(|place| readings.tag_sets.get(place)).is_some_and(|set| **set == *canonical)
}

impl TagSets {
    /// The number of the tags, 0 for none.
    #[inline]
    pub(super) fn number(&mut self, token: Option<Token<'_>>, readings: &mut Readings) -> Result<u32, Fault> {
        let raw = match token {
            None | Some(Token::Null) => return Ok(0),
            Some(Token::Object(raw)) => raw,
            Some(other) => return Err(Fault::bad_field(format!("`tags` is {} and no object", other.kind()))),
        };
        if let Some(number) = self.known(raw.as_bytes(), readings) {
            return Ok(number);
        }
        let Some(canonical) = canonical(raw)? else { return Ok(0) };
        let number = self.number_of(&canonical, readings);
        if self.spellings.len() >= SPELLINGS_MAX {
            self.spellings.clear();
        }
        self.spellings.insert(xxh3_64(raw.as_bytes()), Spelling { raw: raw.into(), canonical, number });
        Ok(number)
    }

    /// The number of tags that came before in the very same bytes.
    #[inline]
    pub(super) fn known(&mut self, raw: &[u8], readings: &mut Readings) -> Option<u32> {
        let hash = xxh3_64(raw);
        let spelling = self.spellings.get(&hash).filter(|spelling| spelling.raw.as_bytes() == raw)?;
        if is_at(readings, spelling.number, &spelling.canonical) {
            return Some(spelling.number);
        }
        // The list was emptied since.
        let canonical = spelling.canonical.clone();
        let number = self.number_of(&canonical, readings);
        self.spellings
            .insert(hash, Spelling { raw: std::str::from_utf8(raw).ok()?.into(), canonical, number });
        Some(number)
    }

    /// The number of tags as [`canonical`] writes them.
    pub(super) fn number_of(&mut self, canonical: &str, readings: &mut Readings) -> u32 {
        if readings.tag_sets.is_empty() {
            self.numbers.clear();
        }
        if let Some(&number) = self.numbers.get(canonical)
            && is_at(readings, number, canonical)
        {
            return number;
        }
        readings.tag_sets.push(canonical.into());
        let number =
            u32::try_from(readings.tag_sets.len()).expect("there are fewer tag sets than bytes read");
        self.numbers.insert(canonical.into(), number);
        number
    }
}

/// Sorted by name, numbers and booleans as texts, nulls left out; `None` if nothing is left.
fn canonical(raw: &str) -> Result<Option<Box<str>>, Fault> {
    let mut tags = BTreeMap::new();
    let mut nested = None;
    let scanned = Scanner::new(raw).members(|scanner, name| {
        let value = match scanner.value()? {
            Token::Text(text) => Some(text.get().into_owned()),
            Token::Number(number) => Some(number.raw.to_owned()),
            Token::NonFinite(word) => Some(word.to_owned()),
            Token::Bool(is_so) => Some(is_so.to_string()),
            Token::Null => None,
            other @ (Token::Object(_) | Token::Array) => {
                nested = Some(format!("tag \"{}\" is {} and no text", name.get(), other.kind()));
                None
            }
        };
        match value {
            Some(value) => tags.insert(name.get().into_owned(), value),
            None => tags.remove(&*name.get()),
        };
        Ok(())
    });
    if let Some(detail) = nested.or(scanned.err().map(|error| format!("`tags`: expected {}", error.expected)))
    {
        return Err(Fault::bad_field(detail));
    }
    if tags.is_empty() {
        return Ok(None);
    }
    let canonical = serde_json::to_string(&tags).map_err(|error| Fault::bad_field(error.to_string()))?;
    Ok(Some(canonical.into()))
}
