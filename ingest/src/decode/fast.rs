//! The common telemetry message, read without a detour: one element, plain names, numbers as values, a channel that
//! said the same metrics in the same units before.
//!
//! A message of the shape that its channel's last one had ([`super::shape`]) is compared with it; any other is
//! taken member by member, which teaches its shape.
//!
//! Anything else is `None` and has changed nothing: then the exact path ([`super::json`]) decides what it
//! is. What is read here, the exact path would read alike; tests hold the two against each other.

use xxhash_rust::xxh3::xxh3_64;

use super::common::{Common, compare};
use super::plain::skip;
use super::shape::{Seen, Shapes};
use super::short::Name;
use super::slots::Slots;
use super::spellings::{Spellings, UnitUse};
use super::tags::TagSets;
use super::words::Copied;
use crate::entry::MessageRef;
use crate::readings::{Decoded, Element};
use crate::units::Conversion;

/// A metric of an element with several: where its name is, and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) value: f64,
}

/// What the fast path works on.
pub(super) struct Fast<'w, 'a> {
    pub(super) message: &'w MessageRef<'a>,
    /// Whether the topic names bay and tool.
    pub(super) is_complete: bool,
    pub(super) slots: &'w mut Slots,
    pub(super) spellings: &'w Spellings,
    pub(super) tags: &'w mut TagSets,
    pub(super) out: &'w mut Decoded,
    /// Kept for its memory.
    pub(super) measured: &'w mut Vec<Measured>,
    pub(super) copied: &'w mut Copied,
    pub(super) shapes: &'w mut Shapes,
    /// Number of the shape of the channel's last message.
    pub(super) shape: &'w mut u32,
    /// Kept for its memory.
    pub(super) seen: &'w mut Vec<Seen>,
}

impl Fast<'_, '_> {
    /// Takes a payload that is one element, if it is a common one.
    #[inline(always)]
    pub(super) fn element(&mut self, bytes: &[u8]) -> Option<()> {
        let mut common = Common::EMPTY;
        if let Some(steps) = self.shapes.get(*self.shape as usize)
            && let Some(words) = self.copied.words(self.message)
            && compare(steps, words, bytes, self.is_complete, &mut common).is_some()
        {
            return self.take(bytes, &common);
        }
        self.unlike(bytes)
    }

    /// Takes one of another shape than the last one had.
    #[inline(never)]
    fn unlike(&mut self, bytes: &[u8]) -> Option<()> {
        self.seen.clear();
        let common = self.read(bytes)?;
        if skip(bytes, common.end) != bytes.len() {
            return None;
        }
        if common.has_metrics {
            return self.take(bytes, &common);
        }
        self.take(bytes, &common)?;
        if common.end == bytes.len()
            && let Some(number) = self.shapes.learn(bytes, self.seen)
        {
            *self.shape = number as u32;
        }
        Some(())
    }

    #[inline(always)]
    fn take(&mut self, bytes: &[u8], common: &Common<'_>) -> Option<()> {
        let ts_ms = common.ts_ms?;
        let tags = match common.tags {
            Some(raw) => self.tags.known(raw, &mut self.out.readings)?,
            None => 0,
        };
        let first = self.out.readings.len();
        let stamp = (ts_ms, common.boot, common.seq, tags);
        match (common.metric, common.value, common.has_metrics) {
            (Some(metric), Some(value), false) => {
                let place = self.slots.find(metric, self.spellings)?;
                let slot = self.slots.get(place);
                let unit = match common.unit {
                    None => slot.own_unit(),
                    Some(text) => {
                        let known = slot.known_unit(text, self.spellings);
                        known.or_else(|| text.is_empty().then(|| slot.own_unit()))?
                    }
                };
                let value = converted(value, unit)?;
                let series = slot.series;
                self.push(0, stamp, series, value, unit);
            }
            (None, None, true) => self.several(bytes, stamp)?,
            _ => return None,
        }
        self.out.elements.push(Element {
            readings: first..self.out.readings.len(),
            ts_ms,
            boot: common.boot,
            seq: common.seq,
            hash: xxh3_64(&bytes[..common.end]),
            raw: 0..common.end,
            has_time: true,
        });
        Some(())
    }

    /// The readings in `measured`, in units of their own.
    fn several(&mut self, bytes: &[u8], stamp: (i64, i64, i64, u32)) -> Option<()> {
        let first = self.out.readings.len();
        let measured = std::mem::take(self.measured);
        let mut next_place = 0;
        let mut count = 0;
        for one in &measured {
            let name = Name::new(&bytes[one.start as usize..one.end as usize]);
            let place = self.slots.find(name, self.spellings);
            // Places that rise are places that differ: no name comes twice.
            let Some(place) = place.filter(|place| *place >= next_place) else { break };
            next_place = place + 1;
            let slot = self.slots.get(place);
            let (series, unit) = (slot.series, slot.own_unit());
            self.push(count, stamp, series, one.value, unit);
            count += 1;
        }
        let is_whole = count as usize == measured.len();
        *self.measured = measured;
        if !is_whole {
            self.out.readings.truncate(first);
            return None;
        }
        Some(())
    }

    #[inline(always)]
    fn push(&mut self, index: u32, stamp: (i64, i64, i64, u32), series: u32, value: f64, unit: UnitUse) {
        let (ts_ms, boot, seq, tags) = stamp;
        let columns = &mut self.out.readings;
        columns.message.push(self.message.ordinal);
        columns.index.push(index);
        columns.ts_ms.push(ts_ms);
        columns.arrived_ms.push(self.message.arrived_ms);
        columns.series.push(series);
        columns.boot.push(boot);
        columns.seq.push(seq);
        columns.value.push(value);
        columns.text.push(0);
        columns.unit.push(unit.number);
        columns.tags.push(tags);
    }
}

/// `None` where it is not finite afterwards.
#[inline(always)]
fn converted(value: f64, unit: UnitUse) -> Option<f64> {
    match unit.conversion {
        Conversion::Same => Some(value),
        conversion => Some(conversion.apply(value)).filter(|value| value.is_finite()),
    }
}
