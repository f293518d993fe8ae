//! Repeats: what MQTT delivered again is recognised by channel, boot, seq, time and content.
//!
//! Per channel the prints (64-bit hashes of boot, seq, ts and content) of the newest elements are kept in
//! chunks of [`CHUNK`], each with the time range it spans. A repeat has the same ts, so an element newer
//! than all before it, the usual case, costs one comparison; others look only into chunks that can hold their
//! time. Where the elements of a full chunk are numbered without a gap, half of each print is enough, for a number has
//! one candidate alone. Bound: the prints (4 bytes each, or 8) of `repeat_messages` messages a channel, none older than
//! `repeat_age`, and at most [`ELEMENTS_OF_A_MESSAGE`] times as many; beyond it the oldest chunk is forgotten, and a
//! repeat of it would count as new.

use std::sync::Arc;

use ingest::readings::NONE;

use self::chunk::{CHUNK, Full, Open};
use self::chunks::Chunks;
use self::gaps::{Gaps, Missing};
pub(super) use self::numbers::Usual;
pub use self::room::Room;

mod chunk;
mod chunks;
mod gaps;
mod numbers;
mod room;
mod state;

/// Elements of a message that the bound allows for, on average.
const ELEMENTS_OF_A_MESSAGE: usize = 16;

/// What is remembered of all channels.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    channels: Vec<Channel>,
    messages_max: usize,
    age_max_ms: i64,
    missing: Missing,
    /// For old chunks, if they are not to be in memory.
    room: Option<Arc<dyn Room>>,
}

/// What the usual element touches: this, on a line of the cache, and one line of prints.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Channel {
    newest_ts_ms: i64,
    /// Of the elements in the chunk that is being filled.
    oldest_ts_ms: i64,
    prints: Open,
    /// Arrival of the newest element in the oldest full chunk.
    oldest_arrived_ms: i64,
    boot: i64,
    /// Sequence number.
    highest: i64,
    usual: Usual,
    past: Box<Past>,
    /// Elements in the chunk that is being filled, and how many of them are the first of their message.
    len: u8,
    messages: u8,
    /// Whether each of them had the sequence number that follows that before it.
    is_numbered: bool,
}

const _: () = assert!(size_of::<Channel>() == 64);

/// What the unusual element asks for.
#[derive(Clone, Debug, Default)]
struct Past {
    full: Chunks,
    /// Messages that begin in `full`.
    full_messages: usize,
    gaps: Gaps,
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
        Repeats { messages_max, age_max_ms, ..Repeats::default() }
    }

    /// What a checkpoint remembers, under the settings of `fresh`.
    #[must_use]
    pub(super) fn under_settings_of(self, fresh: &Repeats) -> Self {
        let Repeats { messages_max, age_max_ms, .. } = *fresh;
        Repeats { messages_max, age_max_ms, room: fresh.room.clone(), ..self }
    }

    /// Touches what is kept of these channels, so that it is near when their elements are seen. Changes nothing.
    pub(super) fn fetch(&self, channels: impl Iterator<Item = u32>) {
        let channels = channels.filter_map(|channel| self.channels.get(channel as usize));
        let touched = channels.fold(0, |touched, channel| {
            let print = channel.prints.first(channel.len).last();
            touched ^ print.copied().unwrap_or_default()
        });
        std::hint::black_box(touched);
    }

    /// Judges an element and remembers it.
    pub(super) fn see(&mut self, print: &Print) -> Seen {
        let index = self.meet(print.channel);
        let channel = &mut self.channels[index];
        let mark = mark(print);
        let follows = print.seq != NONE && channel.follows(print.boot, print.seq);
        // No element had a higher number than the highest.
        if !follows && print.ts_ms <= channel.newest_ts_ms && channel.holds(print, mark) {
            return Seen::Repeat;
        }
        let is_conflict = print.seq != NONE && !follows && channel.is_out_of_line(print, &mut self.missing);
        if follows {
            channel.highest = print.seq;
        }
        channel.remember(print, mark, follows);
        if usize::from(channel.len) == CHUNK {
            channel.keep_open(print.arrived_ms, self.messages_max, self.room.as_ref());
        }
        if channel.oldest_arrived_ms < print.arrived_ms - self.age_max_ms {
            channel.forget_oldest();
        }
        if is_conflict { Seen::Conflict } else { Seen::New }
    }

    /// Whether the element has come before. Remembers nothing.
    #[must_use]
    pub(super) fn holds(&self, print: &Print) -> bool {
        let channel = self.channels.get(print.channel as usize);
        channel
            .is_some_and(|channel| print.ts_ms <= channel.newest_ts_ms && channel.holds(print, mark(print)))
    }

    /// Prints by channel number, oldest first: for the state hash.
    pub(super) fn prints(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = u64>)> {
        let prints = |channel: &Channel| -> Vec<u64> {
            let mut prints = Vec::new();
            channel.past.full.for_each(|full| prints.extend(full.prints.all()));
            prints.extend_from_slice(channel.prints.first(channel.len));
            prints
        };
        self.channels.iter().enumerate().map(move |(number, channel)| (number, prints(channel).into_iter()))
    }

    fn meet(&mut self, channel: u32) -> usize {
        let index = channel as usize;
        if index >= self.channels.len() {
            self.channels.resize_with(index + 1, Channel::default);
        }
        index
    }
}

/// Two multiplications: the content's hash is good already, the rest only has to be kept apart.
fn mark(print: &Print) -> u64 {
    let fold = |one: u64, two: u64| {
        let wide = u128::from(one) * u128::from(two);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let (ts, seq, boot) =
        (print.ts_ms.cast_unsigned(), print.seq.cast_unsigned(), print.boot.cast_unsigned());
    let content = fold(print.hash ^ 0xa076_1d64_78bd_642f, ts ^ 0xe703_7ed1_a0b4_28db);
    fold(content ^ boot.rotate_left(32) ^ 0x8ebc_6af0_9c88_c6e3, seq ^ 0x5899_65cc_7537_4cc3)
}

impl Default for Channel {
    fn default() -> Self {
        Channel {
            newest_ts_ms: i64::MIN,
            oldest_ts_ms: i64::MAX,
            prints: Open::default(),
            oldest_arrived_ms: i64::MAX,
            boot: NONE,
            highest: NONE,
            usual: Usual::default(),
            past: Box::default(),
            len: 0,
            messages: 0,
            is_numbered: false,
        }
    }
}

impl Channel {
    /// Whether `seq` is the next one.
    #[inline]
    fn follows(&self, boot: i64, seq: i64) -> bool {
        boot == self.boot && self.highest != NONE && seq.checked_sub(1) == Some(self.highest)
    }

    /// Puts an element into the chunk. `follows` says whether it has the next sequence number.
    #[inline]
    fn remember(&mut self, print: &Print, mark: u64, follows: bool) {
        if self.len == 0 {
            (self.messages, self.oldest_ts_ms) = (0, i64::MAX);
            // The first one begins: it only has to be the newest, which is what the others follow.
            self.is_numbered = print.seq != NONE && print.boot == self.boot && print.seq == self.highest;
        } else {
            self.is_numbered &= follows;
        }
        self.newest_ts_ms = self.newest_ts_ms.max(print.ts_ms);
        self.oldest_ts_ms = self.oldest_ts_ms.min(print.ts_ms);
        self.messages += u8::from(print.is_first);
        self.prints.set(self.len, mark);
        self.len += 1;
    }

    /// The open chunk is full: the next begins, and beyond the bound the oldest goes.
    #[cold]
    fn keep_open(&mut self, arrived_ms: i64, messages_max: usize, room: Option<&Arc<dyn Room>>) {
        let full = Full {
            oldest_ts_ms: self.oldest_ts_ms,
            newest_ts_ms: self.newest_ts_ms,
            last_arrived_ms: arrived_ms,
            messages: self.messages,
            prints: self.prints.full(self.is_numbered.then_some((self.boot, self.highest))),
        };
        self.len = 0;
        let past = &mut self.past;
        past.full_messages += usize::from(full.messages);
        past.full.push(full, room);
        let elements_max = messages_max.saturating_mul(ELEMENTS_OF_A_MESSAGE);
        let Some(oldest) = past.full.oldest() else { return };
        self.oldest_arrived_ms = oldest.last_arrived_ms;
        if past.full_messages - usize::from(oldest.messages) > messages_max
            || past.full.len() * CHUNK > elements_max + CHUNK
        {
            self.forget_oldest();
        }
    }

    #[cold]
    fn forget_oldest(&mut self) {
        let past = &mut self.past;
        if let Some(oldest) = past.full.pop_oldest() {
            past.full_messages -= usize::from(oldest.messages);
        }
        self.oldest_arrived_ms = past.full.oldest().map_or(i64::MAX, |oldest| oldest.last_arrived_ms);
    }

    /// Takes a number in that is not the next one; true if it had come before in its boot.
    #[cold]
    fn is_out_of_line(&mut self, print: &Print, all: &mut Missing) -> bool {
        let has_come = self.has_come(print.boot, print.seq, all);
        all.note(print.channel, &self.past.gaps);
        has_come
    }

    fn has_come(&mut self, boot: i64, seq: i64, all: &mut Missing) -> bool {
        let gaps = &mut self.past.gaps;
        if self.highest == NONE {
            (self.boot, self.highest) = (boot, seq);
            return false;
        }
        if boot != self.boot {
            let highest = gaps.turn((self.boot, self.highest), boot, all);
            (self.boot, self.highest) = (boot, highest.unwrap_or(seq));
            if highest.is_none() {
                return false;
            }
        }
        if seq <= self.highest {
            return !gaps.fill(seq, all);
        }
        if seq - 1 > self.highest {
            gaps.open(self.highest + 1, seq - 1, all);
        }
        self.highest = seq;
        false
    }

    fn holds(&self, print: &Print, mark: u64) -> bool {
        self.prints.first(self.len).contains(&mark)
            || self.past.full.any_of_time(print.ts_ms, |full| full.holds(print, mark))
    }
}

#[cfg(test)]
mod tests;
