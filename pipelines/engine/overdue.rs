//! Sequence numbers that have not come for a while: what stream `gaps` tells.
//!
//! [`super::repeats`] knows at any time what is missing of a channel. Here each stretch of it is remembered from the tick at
//! which it was found. What of it is still missing `gap_after` later is told, and told again, with the next revision, when
//! numbers of it come after all. What the bounds there forget stays as it was told last. There are never more stretches here
//! than there.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::NONE;

use super::repeats::Repeats;

/// Of all channels that miss something.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Overdue {
    after_ms: i64,
    channels: BTreeMap<u32, OfChannel>,
    /// When the oldest stretch of a channel that is not told yet was found.
    waiting: BTreeSet<(i64, u32)>,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct OfChannel {
    /// By boot and first number.
    stretches: BTreeMap<(i64, i64), Stretch>,
    /// Its place in `waiting`.
    waits_since_ms: Option<i64>,
}

/// Numbers that were passed over at once, of which some are missing.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Stretch {
    last: i64,
    since_ms: i64,
    missing: u64,
    told: Option<Told>,
}

/// What was said of a stretch.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Told {
    /// For the first time.
    ts_ms: i64,
    missing: u64,
    revision: u32,
}

/// What there is to say of a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub channel: u32,
    pub boot: Option<i64>,
    pub first: i64,
    pub last: i64,
    pub since_ms: i64,
    /// When it was told first: the time of all its revisions.
    pub ts_ms: i64,
    pub missing: u64,
    pub revision: u32,
}

impl Overdue {
    /// Nothing is missing; what is, is told after so long.
    #[must_use]
    pub(super) fn new(after_ms: i64) -> Self {
        Overdue { after_ms, ..Overdue::default() }
    }

    /// The same stretches under the settings of `fresh`.
    #[must_use]
    pub(super) fn under_settings_of(self, fresh: &Overdue) -> Self {
        Overdue { after_ms: fresh.after_ms, ..self }
    }

    /// The next whole second after `at_ms` at which something is to be told because nothing comes.
    #[must_use]
    pub(super) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        let (since_ms, _) = self.waiting.first()?;
        let due_ms = -(-since_ms.saturating_add(self.after_ms)).div_euclid(1000) * 1000;
        Some(due_ms).filter(|&ms| ms > at_ms)
    }

    /// A second has passed: what is to be told, by channel, boot and number.
    pub(super) fn tick(&mut self, at_ms: i64, repeats: &mut Repeats) -> Vec<Gap> {
        let mut looked_at: BTreeSet<u32> = BTreeSet::new();
        for (channel, has_forgotten) in repeats.take_changed() {
            let stretches = &mut self.channels.entry(channel).or_default().stretches;
            count(stretches, repeats.gaps(channel), at_ms);
            if has_forgotten {
                // Whether what is gone has come or was forgotten is not known any more.
                stretches.retain(|_, stretch| stretch.missing > 0);
                for Stretch { missing, told, .. } in stretches.values_mut() {
                    told.iter_mut().for_each(|told| told.missing = *missing);
                }
            }
            looked_at.insert(channel);
        }
        let due_ms = at_ms.saturating_sub(self.after_ms);
        looked_at.extend(self.waiting.iter().take_while(|(since, _)| *since <= due_ms).map(|(_, of)| *of));
        looked_at.into_iter().flat_map(|channel| self.tell(channel, at_ms, due_ms)).collect()
    }

    fn tell(&mut self, channel: u32, at_ms: i64, due_ms: i64) -> Vec<Gap> {
        let Some(OfChannel { stretches, waits_since_ms }) = self.channels.get_mut(&channel) else {
            return Vec::new();
        };
        let mut gaps = Vec::new();
        for (&(boot, first), stretch) in stretches.iter_mut() {
            let missing = stretch.missing;
            let (ts_ms, revision) = match stretch.told {
                Some(told) if told.missing != missing => (told.ts_ms, told.revision + 1),
                None if missing > 0 && stretch.since_ms <= due_ms => (at_ms, 0),
                _ => continue,
            };
            stretch.told = Some(Told { ts_ms, missing, revision });
            let Stretch { last, since_ms, .. } = *stretch;
            let boot = (boot != NONE).then_some(boot);
            gaps.push(Gap { channel, boot, first, last, since_ms, ts_ms, missing, revision });
        }
        stretches.retain(|_, stretch| stretch.missing > 0);
        let untold = stretches.values().filter(|stretch| stretch.told.is_none());
        let since_ms = untold.map(|stretch| stretch.since_ms).min();
        if let Some(before_ms) = std::mem::replace(waits_since_ms, since_ms) {
            self.waiting.remove(&(before_ms, channel));
        }
        self.waiting.extend(since_ms.map(|since_ms| (since_ms, channel)));
        if stretches.is_empty() {
            self.channels.remove(&channel);
        }
        gaps
    }
}

/// Counts anew what is missing of each stretch. A range that belongs to none was passed over just now.
fn count(
    stretches: &mut BTreeMap<(i64, i64), Stretch>,
    ranges: impl Iterator<Item = (i64, i64, i64)>,
    at_ms: i64,
) {
    stretches.values_mut().for_each(|stretch| stretch.missing = 0);
    for (boot, first, last) in ranges {
        let missing = last.abs_diff(first).saturating_add(1);
        let stretch = stretches.range_mut((boot, i64::MIN)..=(boot, first)).next_back();
        match stretch {
            Some((_, stretch)) if first <= stretch.last => {
                stretch.missing = stretch.missing.saturating_add(missing);
            }
            _ => {
                stretches.insert((boot, first), Stretch { last, since_ms: at_ms, missing, told: None });
            }
        }
    }
}

#[cfg(test)]
mod tests;
