//! Sequence numbers that have not come, by channel and boot.
//!
//! A gap lies between two numbers of one boot that came, so what was lost before a device's first message or after its
//! last is not in it; nor is a number known that stands in a message which cannot be read. Bounds: the gaps of the newest
//! [`BOOTS_MAX`] boots of a channel, [`RANGES_MAX`] ranges of it and [`ALL_RANGES_MAX`] of all channels. Beyond, the
//! channel's oldest are forgotten: counted, told no more, and what fills them would be taken for a conflict.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Boots of a channel before the current one.
const BOOTS_MAX: usize = 8;
const RANGES_MAX: usize = 256;
const ALL_RANGES_MAX: u64 = 1 << 20;

/// A stretch of numbers; both ends belong to it.
type Range = (i64, i64);

/// What is missing of all channels together.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Missing {
    numbers: u128,
    ranges: u64,
    forgotten: u128,
    /// Numbers of the channels that miss something.
    channels: BTreeSet<u32>,
    /// Channels of which something else is missing than when it was last asked, and whether a bound had to do with it.
    changed: BTreeMap<u32, bool>,
    /// At the bound something was forgotten of the channel that is looked at.
    has_forgotten: bool,
}

/// What is missing of one channel.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Gaps {
    /// Of the current boot, lowest first.
    current: VecDeque<Range>,
    /// Of boots before; the one that was current last at the end.
    earlier: VecDeque<Boot>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Boot {
    boot: i64,
    highest: i64,
    missing: VecDeque<Range>,
}

impl Missing {
    /// How many numbers have not come.
    pub(in crate::engine) fn numbers(&self) -> u64 {
        u64::try_from(self.numbers).unwrap_or(u64::MAX)
    }

    /// In how many stretches.
    pub(in crate::engine) fn ranges(&self) -> u64 {
        self.ranges
    }

    /// How many have not come and are told no more, at the bound.
    pub(in crate::engine) fn forgotten(&self) -> u64 {
        u64::try_from(self.forgotten).unwrap_or(u64::MAX)
    }

    /// Channels that miss something, lowest number first.
    pub(in crate::engine) fn channels(&self) -> &BTreeSet<u32> {
        &self.channels
    }

    fn add(&mut self, range: Range) {
        self.numbers += numbers(range);
        self.ranges += 1;
    }

    fn remove(&mut self, range: Range) {
        self.numbers -= numbers(range);
        self.ranges -= 1;
    }

    fn forget(&mut self, range: Range) {
        self.has_forgotten = true;
        self.remove(range);
        self.forgotten += numbers(range);
    }

    /// Remembers whether a channel misses something.
    pub(super) fn note(&mut self, channel: u32, gaps: &Gaps) {
        let is_missing = gaps.ranges() > 0;
        let was_missing = match is_missing {
            true => !self.channels.insert(channel),
            false => self.channels.remove(&channel),
        };
        if is_missing || was_missing {
            *self.changed.entry(channel).or_default() |= self.has_forgotten;
        }
        self.has_forgotten = false;
    }

    /// Channels of which something else is missing than at the last call, and whether numbers of theirs were forgotten.
    pub(in crate::engine) fn take_changed(&mut self) -> BTreeMap<u32, bool> {
        std::mem::take(&mut self.changed)
    }
}

fn numbers((first, last): Range) -> u128 {
    u128::from(last.abs_diff(first)) + 1
}

impl Gaps {
    /// The device speaks of another boot than before: its highest number, if it is one of those remembered.
    pub(super) fn turn(&mut self, from: (i64, i64), boot: i64, all: &mut Missing) -> Option<i64> {
        let (before, highest) = from;
        let place = self.earlier.iter().position(|earlier| earlier.boot == boot);
        let back = place.and_then(|place| self.earlier.remove(place));
        let missing = std::mem::take(&mut self.current);
        self.earlier.push_back(Boot { boot: before, highest, missing });
        if self.earlier.len() > BOOTS_MAX {
            let oldest = self.earlier.pop_front().into_iter().flat_map(|oldest| oldest.missing);
            oldest.for_each(|range| all.forget(range));
        }
        let back = back?;
        self.current = back.missing;
        Some(back.highest)
    }

    /// Numbers of the current boot were passed over.
    pub(super) fn open(&mut self, first: i64, last: i64, all: &mut Missing) {
        self.current.push_back((first, last));
        all.add((first, last));
        self.keep_bound(all);
    }

    /// A number of the current boot has come: whether it was missing.
    pub(super) fn fill(&mut self, seq: i64, all: &mut Missing) -> bool {
        let filled = fill(&mut self.current, seq, all);
        self.keep_bound(all);
        filled
    }

    /// The same for any boot.
    pub(super) fn fill_of(&mut self, boot: i64, seq: i64, current: i64, all: &mut Missing) -> bool {
        if boot == current {
            return self.fill(seq, all);
        }
        let earlier = self.earlier.iter_mut().find(|earlier| earlier.boot == boot);
        let filled = earlier.is_some_and(|earlier| fill(&mut earlier.missing, seq, all));
        self.keep_bound(all);
        filled
    }

    /// Boots and ranges, oldest boot first.
    pub(super) fn all(&self, current: i64) -> impl Iterator<Item = (i64, i64, i64)> {
        let of = |boot: i64| move |&(first, last): &Range| (boot, first, last);
        let earlier =
            self.earlier.iter().flat_map(move |earlier| earlier.missing.iter().map(of(earlier.boot)));
        earlier.chain(self.current.iter().map(of(current)))
    }

    /// Earlier boots with their highest numbers.
    pub(super) fn boots(&self) -> impl Iterator<Item = (i64, i64)> {
        self.earlier.iter().map(|earlier| (earlier.boot, earlier.highest))
    }

    /// Whether nothing is missing, and no boot before is known.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty() && self.earlier.is_empty()
    }

    fn ranges(&self) -> usize {
        self.current.len() + self.earlier.iter().map(|earlier| earlier.missing.len()).sum::<usize>()
    }

    fn keep_bound(&mut self, all: &mut Missing) {
        while self.ranges() > RANGES_MAX || (all.ranges > ALL_RANGES_MAX && self.ranges() > 0) {
            let oldest = self.earlier.iter_mut().map(|earlier| &mut earlier.missing);
            let oldest = oldest.chain([&mut self.current]).find_map(VecDeque::pop_front);
            all.forget(oldest.expect("there are some"));
        }
    }
}

/// Takes a number out of the range that holds it.
fn fill(missing: &mut VecDeque<Range>, seq: i64, all: &mut Missing) -> bool {
    let place = missing.partition_point(|&(_, last)| last < seq);
    let Some(&(first, last)) = missing.get(place).filter(|&&(first, _)| first <= seq) else { return false };
    all.remove((first, last));
    missing.remove(place);
    let rests = [(seq < last).then(|| (seq + 1, last)), (first < seq).then(|| (first, seq - 1))];
    for rest in rests.into_iter().flatten() {
        missing.insert(place, rest);
        all.add(rest);
    }
    true
}
