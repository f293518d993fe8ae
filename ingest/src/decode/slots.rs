//! What a channel said before of each metric, so that it need not be looked up by name again.

use rustc_hash::FxHashMap;

use super::short::{Name, Short};
use crate::units::Conversion;

/// What a channel said of a metric before.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) series: u32,
    /// The metric's own unit, 0 for none.
    pub(super) default_unit: u16,
    /// What the unit as last written comes to.
    unit: UnitUse,
    unit_text: Short,
    /// In place of `unit_text`, where that is too short.
    unit_long: Option<Box<[u8]>>,
}

/// What to do with a value in some unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitUse {
    /// The unit that it is kept in.
    pub(super) number: u16,
    pub(super) conversion: Conversion,
}

impl Slot {
    pub(super) fn new(series: u32, default_unit: u16) -> Self {
        let unit = UnitUse { number: default_unit, conversion: Conversion::Same };
        Slot { series, default_unit, unit, unit_text: Short::NONE, unit_long: None }
    }

    /// For values without a unit.
    #[inline(always)]
    pub(super) fn own_unit(&self) -> UnitUse {
        UnitUse { number: self.default_unit, conversion: Conversion::Same }
    }

    /// For values in the unit that was written last.
    #[inline(always)]
    pub(super) fn known_unit(&self, text: Name<'_>) -> Option<UnitUse> {
        let is_known = match text {
            Name::Short(text) => self.unit_text.is(text),
            Name::Long(text) => self.unit_long.as_deref() == Some(text),
        };
        is_known.then_some(self.unit)
    }

    pub(super) fn learn_unit(&mut self, text: &str, unit: UnitUse) {
        self.unit = unit;
        (self.unit_text, self.unit_long) = match Name::new(text.as_bytes()) {
            Name::Short(text) => (text, None),
            Name::Long(text) => (Short::NONE, Some(text.into())),
        };
    }
}

/// The slots of a channel. Keys are metrics; with the names that came in the payload, where some did.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    /// By slot; those alone, so that a search touches little memory.
    keys: Vec<Short>,
    /// Where the next key is looked for first: devices say the same things in the same order.
    guess: usize,
    /// Used beyond [`SEARCHED`] slots.
    shorts: FxHashMap<Short, usize>,
    longs: FxHashMap<Box<[u8]>, usize>,
}

/// So many slots are searched one by one.
const SEARCHED: usize = 16;

impl Slots {
    #[inline(always)]
    pub(super) fn find(&mut self, key: Name<'_>) -> Option<usize> {
        let place = match key {
            Name::Short(short) if self.keys.get(self.guess).is_some_and(|key| key.is(short)) => self.guess,
            Name::Short(short) if self.all.len() <= SEARCHED => {
                self.keys.iter().position(|key| key.is(short))?
            }
            _ => self.look_up(key)?,
        };
        self.guess = if place + 1 < self.keys.len() { place + 1 } else { 0 };
        Some(place)
    }

    fn look_up(&self, key: Name<'_>) -> Option<usize> {
        match key {
            Name::Short(short) => self.shorts.get(&short).copied(),
            Name::Long(long) => self.longs.get(long).copied(),
        }
    }

    pub(super) fn add(&mut self, key: &str, slot: Slot) -> usize {
        let place = self.all.len();
        self.all.push(slot);
        self.keys.push(match Name::new(key.as_bytes()) {
            Name::Short(short) => short,
            Name::Long(long) => {
                self.longs.insert(long.into(), place);
                Short::NONE
            }
        });
        if self.all.len() > SEARCHED {
            let missing = if place == SEARCHED { 0 } else { place };
            let shorts = self.keys.iter().copied().zip(0..).skip(missing);
            self.shorts.extend(shorts.filter(|(key, _)| *key != Short::NONE));
        }
        place
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> &Slot {
        &self.all[place]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> &mut Slot {
        &mut self.all[place]
    }
}
