//! What became of all that each channel said: the conservation law, device by device.
//!
//! The engine counts where things happen, once for all channels; a channel is given what a message of it has added there. So
//! each message must add up by itself, and those that do not are told by name. The usual message, whose readings are all
//! applied and on time, is counted beside what its channel knows of repeats ([`Usual`]), where it looks anyway; the
//! numbers of the others are kept here.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::{Decoded, NONE, Reject};
use sinks::channels::{ChannelQuery, Device, Devices, Gap, Gaps, Missing, Sums};
use sinks::view::Counts;

use super::Engine;
use super::block::Lateness;
use super::repeats::{Repeats, Usual};

/// Of all channels, but for what is usual.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Channels {
    unusual: BTreeMap<u32, Sums>,
    /// Of messages without a channel.
    elsewhere: Sums,
    /// Channels of which a message did not add up.
    at_odds: BTreeSet<u32>,
    /// Whether the sums of all were not the total, when last looked.
    differs: bool,
}

/// What has become of readings, but for how late they are. Counted by itself for each message and added to the total
/// later: a total that is read right after it was written makes the processor wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Became {
    pub readings: u64,
    pub applied: u64,
    pub duplicates: u64,
    pub quarantined: u64,
}

impl Became {
    #[inline]
    pub(super) fn add(&mut self, other: Became) {
        self.readings += other.readings;
        self.applied += other.applied;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
    }

    pub(super) fn add_to(self, counts: &mut Counts) {
        counts.readings += self.readings;
        counts.applied += self.applied;
        counts.duplicates += self.duplicates;
        counts.quarantined += self.quarantined;
    }
}

/// How late those are that were applied.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HowLate {
    pub on_time: u64,
    pub corrections: u64,
    pub late: u64,
}

impl HowLate {
    #[inline]
    pub(super) fn count(&mut self, lateness: Lateness) {
        match lateness {
            Lateness::OnTime => self.on_time += 1,
            Lateness::Correction => self.corrections += 1,
            Lateness::Late => self.late += 1,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, other: HowLate) {
        self.on_time += other.on_time;
        self.corrections += other.corrections;
        self.late += other.late;
    }

    pub(super) fn add_to(self, counts: &mut Counts) {
        counts.on_time += self.on_time;
        counts.corrections += self.corrections;
        counts.late += self.late;
    }
}

impl Usual {
    fn sums(self) -> Sums {
        let (messages, readings) = (u64::from(self.messages), u64::from(self.readings));
        let (applied, on_time) = (readings, readings);
        Sums { messages, decoded: messages, readings, applied, on_time, ..Sums::default() }
    }
}

impl Channels {
    /// A message with readings has been taken in: this has become of them.
    pub(super) fn readings(
        &mut self,
        repeats: &mut Repeats,
        channel: u32,
        became: Became,
        how_late: HowLate,
    ) {
        let Became { readings, applied, duplicates, quarantined } = became;
        let HowLate { on_time, corrections, late } = how_late;
        if applied == readings && on_time == readings && duplicates | quarantined | corrections | late == 0 {
            return self.usual(repeats, channel, readings);
        }
        let common = Sums { messages: 1, decoded: 1, ..Sums::default() };
        let added = Sums { readings, applied, duplicates, quarantined, on_time, corrections, late, ..common };
        self.take(channel, &added);
    }

    /// A message has been taken in, all of whose readings are applied and on time.
    #[inline]
    pub(super) fn usual(&mut self, repeats: &mut Repeats, channel: u32, readings: u64) {
        if readings >= 1 << 14 {
            let sums = Sums { messages: 1, decoded: 1, readings, applied: readings, ..Sums::default() };
            return self.take(channel, &Sums { on_time: readings, ..sums });
        }
        let readings = u16::try_from(readings).expect("it is less than that");
        if let Some(full) = repeats.count_usual(channel, readings) {
            self.add(channel, &full.sums());
        }
    }

    /// A message without readings has been taken in.
    pub(super) fn message(&mut self, channel: u32, is_decoded: bool) {
        let (decoded, undecodable) = (u64::from(is_decoded), u64::from(!is_decoded));
        self.take(channel, &Sums { messages: 1, decoded, undecodable, ..Sums::default() });
    }

    /// This has become of a message, or of the rest of it.
    pub(super) fn take(&mut self, channel: u32, added: &Sums) {
        self.add(channel, added);
        self.look_at(channel, added);
    }

    fn look_at(&mut self, channel: u32, added: &Sums) {
        if !added.adds_up() {
            self.at_odds.insert(channel);
        }
    }

    fn add(&mut self, channel: u32, added: &Sums) {
        let sums = match channel {
            Decoded::NO_CHANNEL => &mut self.elsewhere,
            channel => self.unusual.entry(channel).or_default(),
        };
        *sums = sums.and(added);
    }

    fn of(&self, repeats: &Repeats, channel: usize) -> Sums {
        let unusual = u32::try_from(channel).ok().and_then(|channel| self.unusual.get(&channel));
        repeats.usual(channel).sums().and(&unusual.copied().unwrap_or_default())
    }

    /// All of so many channels together.
    fn sums(&self, repeats: &Repeats, channels: usize) -> Sums {
        let unusual = self.unusual.values().fold(self.elsewhere, |sums, unusual| sums.and(unusual));
        (0..channels).fold(unusual, |sums, channel| sums.and(&repeats.usual(channel).sums()))
    }

    /// Looks whether all channels together are the total.
    pub(super) fn check(&mut self, repeats: &Repeats, channels: usize, counts: &Counts) {
        self.differs = self.sums(repeats, channels) != Sums::of(counts);
    }
}

impl Engine {
    /// An event that was applied turns out to be of no use.
    pub(super) fn take_back(&mut self, reject: Reject) {
        self.counts.events_applied -= 1;
        self.counts.events_quarantined += 1;
        let channel = self.decoder.channel_of(&reject.topic).unwrap_or(Decoded::NO_CHANNEL);
        let one_less = 0_u64.wrapping_sub(1);
        let moved = Sums { events_applied: one_less, events_quarantined: 1, ..Sums::default() };
        self.channels.take(channel, &moved);
        self.rejects.push(reject);
    }

    /// What has come and what has not, channel by channel, for the state hash.
    pub(super) fn channel_lines(&self) -> Vec<String> {
        let topics: Vec<&str> = self.decoder.channels().collect();
        let numbers =
            self.repeats.numbers().map(|(channel, said)| format!("numbers {} {said}", topics[channel]));
        let sums = (0..topics.len()).map(|channel| (channel, self.channels.of(&self.repeats, channel)));
        let sums = sums.filter(|(_, sums)| *sums != Sums::default());
        let sums = sums.map(|(channel, sums)| format!("sums {} {sums:?}", topics[channel]));
        numbers.chain(sums).chain([format!("sums {:?}", self.channels.elsewhere)]).collect()
    }

    /// What does not add up channel by channel, if anything does not.
    #[must_use]
    pub fn channels_at_odds(&self) -> Option<String> {
        let at_odds = &self.channels.at_odds;
        let report = "please report this with the journal";
        let Some(&first) = at_odds.first() else {
            let differs = "counts of all channels together are not the total";
            return self.channels.differs.then(|| format!("{differs}: {report}"));
        };
        let topic = self.decoder.channels().nth(first as usize).unwrap_or("an unknown topic");
        Some(format!("counts of {} channels do not add up, of {topic} first: {report}", at_odds.len()))
    }

    /// What became of all that came, channel by channel.
    #[must_use]
    pub fn devices(&self, query: &ChannelQuery) -> Devices {
        let asked = self.decoder.channels().enumerate().filter(|(_, topic)| query.asks_for(topic));
        let (lines, next_skip) = query.page(asked);
        let device = |(number, topic): (usize, &str)| {
            let sums = self.channels.of(&self.repeats, number);
            let number = number as u32;
            let missing = self.repeats.gaps(number).map(|(_, first, last)| width(first, last));
            Device {
                topic: topic.to_owned(),
                sums,
                adds_up: sums.adds_up() && !self.channels.at_odds.contains(&number),
                missing: missing.fold(0, u64::saturating_add),
            }
        };
        Devices {
            all: self.channels.sums(&self.repeats, self.decoder.channels().len()),
            elsewhere: self.channels.elsewhere,
            channels: self.decoder.channels().len() as u64,
            at_odds: self.channels.at_odds.len() as u64,
            devices: lines.into_iter().map(device).collect(),
            next_skip,
        }
    }

    /// How many sequence numbers have not come.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let missing = self.repeats.missing();
        Missing {
            missing: missing.numbers(),
            ranges: missing.ranges(),
            channels: missing.channels().len() as u64,
            forgotten: missing.forgotten(),
        }
    }

    /// Which sequence numbers have not come, by channel, boot and number.
    #[must_use]
    pub fn gaps(&self, query: &ChannelQuery) -> Gaps {
        let missing = self.repeats.missing().channels();
        let mut topics = self.decoder.channels().enumerate();
        // Both go by number, so one pass over the topics is enough.
        let named = missing.iter().filter_map(|&channel| {
            let topic = topics.by_ref().find(|(number, _)| *number == channel as usize);
            topic.map(|(_, topic)| (channel, topic))
        });
        let asked = named.filter(|(_, topic)| query.asks_for(topic));
        let gaps = asked.flat_map(|(channel, topic)| {
            self.repeats.gaps(channel).map(move |(boot, first, last)| Gap {
                topic: topic.to_owned(),
                boot: (boot != NONE).then_some(boot),
                first,
                last,
                missing: width(first, last),
            })
        });
        let (gaps, next_skip) = query.page(gaps);
        Gaps { missing: self.missing(), gaps, next_skip }
    }
}

fn width(first: i64, last: i64) -> u64 {
    last.abs_diff(first).saturating_add(1)
}

#[cfg(test)]
mod tests;
