//! What a channel said before of each metric, so that it need not be looked up by name again.

use rustc_hash::FxHashMap;

use super::short::{Name, Short};
use super::spellings::{Spellings, UnitUse};
use crate::units::Conversion;

/// What a channel said of a metric before. Small, so that those of most channels share a line of the cache or two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Of the metric's name: where it differs, the name does.
    tag: u32,
    /// The metric's name among the spellings, [`NO_METRIC`] if it is too long for them.
    metric: u32,
    pub(super) series: u32,
    /// The metric's own unit, 0 for none.
    pub(super) default_unit: u16,
    /// The unit as last written, among the spellings; [`NO_UNIT`] for none.
    unit: u16,
}

const NO_METRIC: u32 = u32::MAX;
const NO_UNIT: u16 = u16::MAX;

impl Slot {
    pub(super) fn new(series: u32, default_unit: u16) -> Self {
        Slot { tag: 0, metric: NO_METRIC, series, default_unit, unit: NO_UNIT }
    }

    #[inline(always)]
    fn is(&self, tag: u32, key: Short, spellings: &Spellings) -> bool {
        self.tag == tag && spellings.is_metric(self.metric, key)
    }

    /// For values without a unit.
    #[inline(always)]
    pub(super) fn own_unit(&self) -> UnitUse {
        UnitUse { number: self.default_unit, conversion: Conversion::Same }
    }

    /// For values in the unit that was written last.
    #[inline(always)]
    pub(super) fn known_unit(&self, text: Name<'_>, spellings: &Spellings) -> Option<UnitUse> {
        spellings.unit_use(self.unit, text)
    }

    pub(super) fn learn_unit(&mut self, text: &str, unit: UnitUse, spellings: &mut Spellings) {
        self.unit = spellings.unit(text, self.default_unit, unit).unwrap_or(NO_UNIT);
    }
}

/// The slots of a channel. Keys are metrics; with the names that came in the payload, where some did.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    /// Where the next key is looked for first: devices say the same things in the same order.
    guess: u32,
    /// Of channels with many slots, or with long keys.
    numbers: Option<Box<Numbers>>,
}

#[derive(Debug, Default)]
struct Numbers {
    /// Used beyond [`SEARCHED`] slots.
    shorts: FxHashMap<Short, usize>,
    longs: FxHashMap<Box<[u8]>, usize>,
}

/// So many slots are searched one by one.
const SEARCHED: usize = 16;

impl Slots {
    #[inline(always)]
    pub(super) fn find(&mut self, key: Name<'_>, spellings: &Spellings) -> Option<usize> {
        let place = match key {
            Name::Short(short) => {
                let tag = short.tag();
                let mut guess = self.guess as usize;
                if guess < self.all.len() && self.all[guess].is(tag, short, spellings) {
                    guess
                } else if self.all.len() <= SEARCHED {
                    guess = 0;
                    while !self.all.get(guess)?.is(tag, short, spellings) {
                        guess += 1;
                    }
                    guess
                } else {
                    self.numbers.as_ref()?.shorts.get(&short).copied()?
                }
            }
            Name::Long(long) => self.numbers.as_ref()?.longs.get(long).copied()?,
        };
        self.guess = if place + 1 < self.all.len() { place as u32 + 1 } else { 0 };
        Some(place)
    }

    pub(super) fn add(&mut self, key: &str, slot: Slot, spellings: &mut Spellings) -> usize {
        let place = self.all.len();
        let (mut tag, mut metric) = (0, NO_METRIC);
        match Name::new(key.as_bytes()) {
            Name::Short(short) => {
                (tag, metric) = (short.tag(), spellings.metric(short));
                if place >= SEARCHED {
                    self.numbers.get_or_insert_default().shorts.insert(short, place);
                }
            }
            Name::Long(long) => {
                self.numbers.get_or_insert_default().longs.insert(long.into(), place);
            }
        }
        self.all.push(Slot { tag, metric, ..slot });
        if place == SEARCHED {
            let shorts = &mut self.numbers.get_or_insert_default().shorts;
            let searched = self.all[..SEARCHED].iter().enumerate();
            shorts.extend(searched.filter_map(|(place, slot)| Some((spellings.short(slot.metric)?, place))));
        }
        place
    }

    /// The series of the first slot, 0 if there is none.
    #[inline(always)]
    pub(super) fn first_series(&self) -> u32 {
        self.all.first().map_or(0, |slot| slot.series)
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
