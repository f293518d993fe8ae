//! Repeats: what MQTT delivered again is recognised by channel, boot, seq, time and content.
//!
//! Per channel the prints (64-bit hashes of boot, seq, ts and content) of the newest elements are kept in
//! chunks of [`CHUNK`], each with the time range it spans. A repeat has the same ts, so an element newer
//! than all before it, the usual case, costs one comparison; others look only into chunks that span their
//! time. Bound: the prints (8 bytes each) of `repeat_messages` messages a channel, none older than `repeat_age`, and
//! at most [`ELEMENTS_OF_A_MESSAGE`] times as many; beyond it the oldest chunk is forgotten, and a repeat of it
//! would count as new.

use std::collections::VecDeque;

use ingest::readings::NONE;

const CHUNK: usize = 128;
/// Elements of a message that the bound allows for, on average.
const ELEMENTS_OF_A_MESSAGE: usize = 16;
/// Missing sequence numbers of a channel are kept as at most this many ranges; the oldest is forgotten.
const MISSING_RANGES_MAX: usize = 256;

/// What is remembered of all channels.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Repeats {
    channels: Vec<Channel>,
    messages_max: usize,
    age_max_ms: i64,
}

/// The chunk that is being filled stands here itself, so that the usual element touches this and one line of
/// prints.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Channel {
    newest_ts_ms: i64,
    open: Chunk,
    sequence: Sequence,
    full: VecDeque<Chunk>,
    /// Messages that begin in `full`.
    full_messages: usize,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Chunk {
    first_ts_ms: i64,
    last_ts_ms: i64,
    last_arrived_ms: i64,
    /// Messages whose first element is here.
    messages: usize,
    prints: Vec<u64>,
}

/// Which sequence numbers of the current boot have come.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Sequence {
    boot: i64,
    highest: i64,
    missing: VecDeque<(i64, i64)>,
}

/// An element, as far as repeats go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub channel: u32,
    pub boot: i64,
    pub seq: i64,
    pub ts_ms: i64,
    pub arrived_ms: i64,
    pub hash: u64,
    /// Whether it is the first element of its message.
    pub is_first: bool,
}

/// Verdict on an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Never seen.
    New,
    /// Same channel, boot, seq, ts and content as one before.
    Repeat,
    /// New, yet another content came with the same seq before.
    Conflict,
}

impl Repeats {
    /// Remembers up to `messages_max` elements a channel, for `age_max_ms`.
    #[must_use]
    pub(super) fn new(messages_max: usize, age_max_ms: i64) -> Self {
        Repeats { channels: Vec::new(), messages_max, age_max_ms }
    }

    /// What a checkpoint remembers, under the settings of `fresh`.
    #[must_use]
    pub(super) fn under_settings_of(self, fresh: &Repeats) -> Self {
        let Repeats { messages_max, age_max_ms, .. } = *fresh;
        Repeats { messages_max, age_max_ms, ..self }
    }

    /// Judges an element and remembers it.
    pub(super) fn see(&mut self, print: Print) -> Seen {
        let index = print.channel as usize;
        if index >= self.channels.len() {
            self.channels.resize_with(index + 1, Channel::default);
        }
        let channel = &mut self.channels[index];
        let mark = mark(&print);
        if print.ts_ms <= channel.newest_ts_ms && channel.holds(print.ts_ms, mark) {
            return Seen::Repeat;
        }
        channel.open.remember(&print, mark);
        channel.newest_ts_ms = channel.newest_ts_ms.max(print.ts_ms);
        if channel.open.prints.len() == CHUNK {
            channel.full_messages += channel.open.messages;
            channel.full.push_back(std::mem::replace(&mut channel.open, Chunk::new()));
            let elements_max = self.messages_max.saturating_mul(ELEMENTS_OF_A_MESSAGE);
            let oldest = channel.full.front().map_or(0, |chunk| chunk.messages);
            if channel.full_messages - oldest > self.messages_max
                || channel.full.len() * CHUNK > elements_max + CHUNK
            {
                channel.forget_oldest();
            }
        }
        let aged_ms = print.arrived_ms - self.age_max_ms;
        if channel.full.front().is_some_and(|chunk| chunk.last_arrived_ms < aged_ms) {
            channel.forget_oldest();
        }
        if print.seq != NONE && channel.sequence.see(print.boot, print.seq) {
            Seen::Conflict
        } else {
            Seen::New
        }
    }

    /// Prints by channel number, oldest first: for the state hash.
    pub(super) fn prints(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = u64>)> {
        let prints = |channel: &Channel| -> Vec<u64> {
            channel.chunks().flat_map(|chunk| chunk.prints.iter().copied()).collect()
        };
        self.channels.iter().enumerate().map(move |(number, channel)| (number, prints(channel).into_iter()))
    }
}

/// Two multiplications: the content's hash is good already, the rest only has to be kept apart.
fn mark(print: &Print) -> u64 {
    let fold = |one: u64, two: u64| {
        let wide = u128::from(one) * u128::from(two);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let [ts, seq, boot] = [print.ts_ms, print.seq, print.boot].map(i64::cast_unsigned);
    let content = fold(print.hash ^ 0xa076_1d64_78bd_642f, ts ^ 0xe703_7ed1_a0b4_28db);
    fold(content ^ boot.rotate_left(32) ^ 0x8ebc_6af0_9c88_c6e3, seq ^ 0x5899_65cc_7537_4cc3)
}

impl Default for Channel {
    fn default() -> Self {
        let sequence = Sequence { boot: NONE, highest: NONE, missing: VecDeque::new() };
        let full = VecDeque::new();
        Channel { newest_ts_ms: i64::MIN, open: Chunk::new(), sequence, full, full_messages: 0 }
    }
}

impl Channel {
    /// Oldest first.
    fn chunks(&self) -> impl DoubleEndedIterator<Item = &Chunk> {
        self.full.iter().chain(std::iter::once(&self.open))
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.full.pop_front() {
            self.full_messages -= oldest.messages;
        }
    }

    fn holds(&self, ts_ms: i64, mark: u64) -> bool {
        self.chunks().rev().any(|chunk| chunk.holds(ts_ms, mark))
    }
}

impl Chunk {
    fn new() -> Self {
        let (first_ts_ms, last_ts_ms, last_arrived_ms) = (i64::MAX, i64::MIN, i64::MIN);
        Chunk { first_ts_ms, last_ts_ms, last_arrived_ms, messages: 0, prints: Vec::with_capacity(CHUNK) }
    }

    fn holds(&self, ts_ms: i64, mark: u64) -> bool {
        self.first_ts_ms <= ts_ms && ts_ms <= self.last_ts_ms && self.prints.contains(&mark)
    }

    #[inline]
    fn remember(&mut self, print: &Print, mark: u64) {
        self.first_ts_ms = self.first_ts_ms.min(print.ts_ms);
        self.last_ts_ms = self.last_ts_ms.max(print.ts_ms);
        self.last_arrived_ms = print.arrived_ms;
        self.messages += usize::from(print.is_first);
        self.prints.push(mark);
    }
}

impl Sequence {
    /// Takes `seq` in; true if it had come before in this boot.
    fn see(&mut self, boot: i64, seq: i64) -> bool {
        if boot != self.boot || self.highest == NONE {
            *self = Sequence { boot, highest: seq, missing: VecDeque::new() };
            return false;
        }
        if seq > self.highest {
            if seq > self.highest + 1 {
                self.missing.push_back((self.highest + 1, seq - 1));
                if self.missing.len() > MISSING_RANGES_MAX {
                    self.missing.pop_front();
                }
            }
            self.highest = seq;
            return false;
        }
        let Some(place) = self.missing.iter().position(|&(first, last)| first <= seq && seq <= last) else {
            return true;
        };
        let (first, last) = self.missing[place];
        self.missing.remove(place);
        if seq < last {
            self.missing.insert(place, (seq + 1, last));
        }
        if first < seq {
            self.missing.insert(place, (first, seq - 1));
        }
        if self.missing.len() > MISSING_RANGES_MAX {
            self.missing.pop_front();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(seq: i64, ts_ms: i64, hash: u64) -> Print {
        Print { channel: 0, boot: NONE, seq, ts_ms, arrived_ms: ts_ms, hash, is_first: true }
    }

    #[test]
    fn a_redelivered_element_is_a_repeat_and_another_metric_of_the_same_time_is_not() {
        let mut repeats = Repeats::new(1000, 1_000_000);
        assert_eq!(repeats.see(element(NONE, 10, 1)), Seen::New);
        assert_eq!(repeats.see(element(NONE, 10, 2)), Seen::New);
        assert_eq!(repeats.see(element(NONE, 10, 1)), Seen::Repeat);
        assert_eq!(repeats.see(element(NONE, 5, 1)), Seen::New, "the same content at another time is news");
    }

    #[test]
    fn a_repeat_is_recognised_far_back_and_forgotten_at_the_bound() {
        let mut repeats = Repeats::new(1000, 1_000_000);
        for number in 0..1000 {
            assert_eq!(repeats.see(element(number, number, number as u64)), Seen::New);
        }
        assert_eq!(repeats.see(element(3, 3, 3)), Seen::Repeat);
        for number in 1000..4000 {
            repeats.see(element(number, number, number as u64));
        }
        assert_ne!(repeats.see(element(3, 3, 3)), Seen::Repeat);
        assert_eq!(repeats.see(element(3500, 3500, 3500)), Seen::Repeat);
    }

    #[test]
    fn a_message_of_many_elements_counts_as_one() {
        let mut repeats = Repeats::new(1000, 1_000_000);
        for number in 0..8000 {
            let is_first = number % 10 == 0;
            repeats.see(Print { is_first, ..element(number, number, number as u64) });
        }
        assert_eq!(repeats.see(element(3, 3, 3)), Seen::Repeat, "it is 800 messages back");
    }

    #[test]
    fn the_same_seq_with_other_content_is_applied_and_named_a_conflict() {
        let mut repeats = Repeats::new(1000, 1_000_000);
        for seq in [1, 2, 5] {
            assert_eq!(repeats.see(element(seq, seq, 7)), Seen::New);
        }
        assert_eq!(repeats.see(element(3, 3, 7)), Seen::New, "a gap that is filled is no conflict");
        assert_eq!(repeats.see(element(2, 2, 8)), Seen::Conflict);
        assert_eq!(repeats.see(Print { boot: 1, ..element(2, 9, 8) }), Seen::New, "a new boot counts anew");
    }
}
