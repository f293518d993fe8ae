//! Metrics with their values as they stand in an element, and the units beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::scan::{Scan, Scanner, Token};
use super::text::Text;

/// So many members are compared one by one.
const SEARCHED: usize = 12;

/// A metric with its value, not yet read into columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Text<'a>,
    pub(super) value: Token<'a>,
    /// The value, or the whole element, as it stands in the payload.
    pub(super) raw: &'a str,
}

impl<'a> Member<'a> {
    /// Takes the value of the member `name`.
    #[inline]
    pub(super) fn take(name: Text<'a>, scanner: &mut Scanner<'a>) -> Scan<Self> {
        scanner.peek();
        let start = scanner.at;
        let value = scanner.value()?;
        Ok(Member { name, value, raw: &scanner.text[start..scanner.at] })
    }
}

/// Of members with the same name the last one counts.
pub(super) fn keep_last(members: &mut Vec<Member<'_>>) {
    if members.len() <= SEARCHED {
        let is_repeated = |place: usize, member: &Member<'_>| {
            members[place + 1..].iter().any(|later| same(member.name, later.name))
        };
        if !members.iter().enumerate().any(|(place, member)| is_repeated(place, member)) {
            return;
        }
    }
    let last = places(members);
    let mut place = 0;
    members.retain(|member| {
        place += 1;
        last.get(&*member.name.get()) == Some(&(place - 1))
    });
}

/// Where the last one of each name stands.
fn places<'a>(members: &[Member<'a>]) -> BTreeMap<Cow<'a, str>, usize> {
    members.iter().enumerate().map(|(place, member)| (member.name.get(), place)).collect()
}

#[inline]
fn same(one: Text<'_>, other: Text<'_>) -> bool {
    if one.is_escaped || other.is_escaped { one.get() == other.get() } else { one.raw == other.raw }
}

/// The `units` of an element with several metrics.
pub(super) struct UnitsOf<'a> {
    /// No two of the same name.
    list: Vec<Member<'a>>,
    /// Filled where there are too many to search one by one.
    places: BTreeMap<Cow<'a, str>, usize>,
}

impl<'a> UnitsOf<'a> {
    pub(super) fn new(token: Option<Token<'a>>) -> Result<Self, String> {
        let mut units = UnitsOf { list: Vec::new(), places: BTreeMap::new() };
        let raw = match token {
            None | Some(Token::Null) => return Ok(units),
            Some(Token::Object(raw)) => raw,
            Some(other) => return Err(format!("`units` is {} and no object", other.kind())),
        };
        let scanned = Scanner::new(raw).members(|scanner, name| {
            units.list.push(Member::take(name, scanner)?);
            Ok(())
        });
        scanned.map_err(|error| format!("`units`: expected {}", error.expected))?;
        keep_last(&mut units.list);
        if units.list.len() > SEARCHED {
            units.places = places(&units.list);
        }
        Ok(units)
    }

    /// The unit of the metric `name`, which is most often as far back in its list.
    #[inline]
    pub(super) fn find(&self, place: usize, name: Text<'_>) -> Option<Token<'a>> {
        let guessed = self.list.get(place).filter(|unit| same(unit.name, name));
        let searched = || match self.list.len() {
            0..=SEARCHED => self.list.iter().find(|unit| same(unit.name, name)),
            _ => self.places.get(&*name.get()).map(|place| &self.list[*place]),
        };
        guessed.or_else(searched).map(|unit| unit.value)
    }
}
