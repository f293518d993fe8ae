//! Names of metrics and units as devices write them, each kept once for all channels. Few differ, so they stay in
//! the nearest cache, and what a channel keeps of them is numbers ([`super::slots`]).
//!
//! Bound: a metric's name is there because a series has it, and series are bounded. Spellings of units beyond
//! [`UNITS_MAX`] are not kept, which only costs time: their messages take the exact way.

use rustc_hash::FxHashMap;

use super::short::{Name, Short};
use crate::units::Conversion;

const UNITS_MAX: usize = 4096;

/// What to do with a value in some unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitUse {
    /// The unit that it is kept in.
    pub(super) number: u16,
    pub(super) conversion: Conversion,
}

/// All spellings, by number.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    metrics: Vec<Short>,
    metric_numbers: FxHashMap<Short, u32>,
    units: Vec<UnitSpelling>,
    /// By text and the metric's own unit, which decide together what it comes to.
    unit_numbers: FxHashMap<(Box<[u8]>, u16), u16>,
}

#[derive(Debug)]
struct UnitSpelling {
    text: Short,
    /// In place of `text`, where that is too short.
    long: Option<Box<[u8]>>,
    comes_to: UnitUse,
}

impl Spellings {
    /// Whether metric number `number` is written so.
    #[inline(always)]
    pub(super) fn is_metric(&self, number: u32, text: Short) -> bool {
        self.metrics.get(number as usize).is_some_and(|known| known.is(text))
    }

    /// How metric number `number` is written.
    pub(super) fn short(&self, number: u32) -> Option<Short> {
        self.metrics.get(number as usize).copied()
    }

    /// The number of a metric's name; a new one for a new name.
    pub(super) fn metric(&mut self, text: Short) -> u32 {
        *self.metric_numbers.entry(text).or_insert_with(|| {
            self.metrics.push(text);
            u32::try_from(self.metrics.len() - 1).expect("metrics are bounded as series are")
        })
    }

    /// What unit number `number` comes to, if `text` is how it is written.
    #[inline(always)]
    pub(super) fn unit_use(&self, number: u16, text: Name<'_>) -> Option<UnitUse> {
        let known = self.units.get(usize::from(number))?;
        let is_known = match text {
            Name::Short(text) => known.text.is(text),
            Name::Long(text) => known.long.as_deref() == Some(text),
        };
        is_known.then_some(known.comes_to)
    }

    /// The number of a spelling of a unit for metrics whose own unit is `own`; `None` if there is no room.
    pub(super) fn unit(&mut self, text: &str, own: u16, comes_to: UnitUse) -> Option<u16> {
        let key = (Box::from(text.as_bytes()), own);
        if let Some(&number) = self.unit_numbers.get(&key) {
            return Some(number);
        }
        let number = u16::try_from(self.units.len()).ok().filter(|_| self.units.len() < UNITS_MAX)?;
        let (text, long) = match Name::new(text.as_bytes()) {
            Name::Short(text) => (text, None),
            Name::Long(text) => (Short::NONE, Some(text.into())),
        };
        self.units.push(UnitSpelling { text, long, comes_to });
        self.unit_numbers.insert(key, number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_units_have_a_bound_and_those_before_it_stay() {
        let mut spellings = Spellings::default();
        let metre = UnitUse { number: 7, conversion: Conversion::Same };
        for number in 0..UNITS_MAX {
            assert_eq!(spellings.unit(&format!("m{number}"), 7, metre).map(usize::from), Some(number));
        }
        assert_eq!(spellings.unit("one more", 7, metre), None);
        assert_eq!(spellings.unit("m5", 7, metre), Some(5));
        assert_eq!(spellings.unit_use(5, Name::new(b"m5")).map(|unit| unit.number), Some(7));
    }
}
