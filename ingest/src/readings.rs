//! Decoded readings as columns, and what else a message can say.
//!
//! A [`Readings`] is filled by the decoder message by message and emptied by the engine; its columns turn
//! into Arrow arrays without a copy. Names are interned ([`crate::series`]), so nothing behind it hashes a
//! string.

mod event;
mod reject;

use std::ops::Range;

pub use event::{
    Asset, AssetLimit, Booking, Contact, Event, Expectation, JobCard, PlannedResource, PlannedStep,
    StepEvent, StepEventKind, What,
};
pub use reject::{Reason, Reject};

/// Stands for "none" in the `boot` and `seq` columns.
pub const NONE: i64 = i64::MIN;

/// Readings of many messages, one element of each column a reading, in message order.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Readings {
    /// Ordinal of the message in the journal.
    #[serde(with = "crate::packed")]
    pub message: Vec<u64>,
    /// Place of the reading in its message: 0, 1, 2 …, counting rejected ones.
    #[serde(with = "crate::packed")]
    pub index: Vec<u32>,
    /// Event time, ms since 1970 UTC, floored.
    #[serde(with = "crate::packed")]
    pub ts_ms: Vec<i64>,
    /// Arrival, ms since 1970 UTC.
    #[serde(with = "crate::packed")]
    pub arrived_ms: Vec<i64>,
    /// (site, bay, tool, metric) as a number of the series table.
    #[serde(with = "crate::packed")]
    pub series: Vec<u32>,
    /// Restart counter of the device, or [`NONE`].
    #[serde(with = "crate::packed")]
    pub boot: Vec<i64>,
    /// Sequence number of the element, or [`NONE`].
    #[serde(with = "crate::packed")]
    pub seq: Vec<i64>,
    /// Number (finite), booleans as 1 and 0; NaN where the reading is a text. In the metric's own unit.
    #[serde(with = "crate::packed")]
    pub value: Vec<f64>,
    /// 1 + index into `texts`, 0 for none.
    #[serde(with = "crate::packed")]
    pub text: Vec<u32>,
    /// Number of the unit in the units table, 0 for none.
    #[serde(with = "crate::packed")]
    pub unit: Vec<u16>,
    /// 1 + index into `tag_sets`, 0 for none.
    #[serde(with = "crate::packed")]
    pub tags: Vec<u32>,
    /// Text values that `text` points at.
    pub texts: Vec<Box<str>>,
    /// Distinct tag sets that `tags` points at: flat JSON objects of strings, keys sorted, no spaces.
    pub tag_sets: Vec<Box<str>>,
}

impl Readings {
    /// How many readings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Makes room for `rows` more.
    pub fn reserve(&mut self, rows: usize) {
        self.message.reserve(rows);
        self.index.reserve(rows);
        self.ts_ms.reserve(rows);
        self.arrived_ms.reserve(rows);
        self.series.reserve(rows);
        self.boot.reserve(rows);
        self.seq.reserve(rows);
        self.value.reserve(rows);
        self.text.reserve(rows);
        self.unit.reserve(rows);
        self.tags.reserve(rows);
    }

    /// Forgets all readings, keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
        self.texts.clear();
        self.tag_sets.clear();
    }

    /// Copies reading `from` over reading `to`.
    pub fn move_row(&mut self, from: usize, to: usize) {
        self.message[to] = self.message[from];
        self.index[to] = self.index[from];
        self.ts_ms[to] = self.ts_ms[from];
        self.arrived_ms[to] = self.arrived_ms[from];
        self.series[to] = self.series[from];
        self.boot[to] = self.boot[from];
        self.seq[to] = self.seq[from];
        self.value[to] = self.value[from];
        self.text[to] = self.text[from];
        self.unit[to] = self.unit[from];
        self.tags[to] = self.tags[from];
    }

    /// Moves all rows of `other` behind these. Its texts and tag sets stay, and the rows mean those.
    pub fn take_rows(&mut self, other: &mut Readings) {
        self.message.append(&mut other.message);
        self.index.append(&mut other.index);
        self.ts_ms.append(&mut other.ts_ms);
        self.arrived_ms.append(&mut other.arrived_ms);
        self.series.append(&mut other.series);
        self.boot.append(&mut other.boot);
        self.seq.append(&mut other.seq);
        self.value.append(&mut other.value);
        self.text.append(&mut other.text);
        self.unit.append(&mut other.unit);
        self.tags.append(&mut other.tags);
    }

    /// Keeps the first `len` readings. Their texts and tag sets stay.
    pub fn truncate(&mut self, len: usize) {
        self.message.truncate(len);
        self.index.truncate(len);
        self.ts_ms.truncate(len);
        self.arrived_ms.truncate(len);
        self.series.truncate(len);
        self.boot.truncate(len);
        self.seq.truncate(len);
        self.value.truncate(len);
        self.text.truncate(len);
        self.unit.truncate(len);
        self.tags.truncate(len);
    }
}

/// One object of a payload: the unit in which repeats are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its readings in [`Readings`]; empty if all were rejected.
    pub readings: Range<usize>,
    /// Event time, boot and seq, as in the columns; without a usable time the element has no readings.
    pub ts_ms: i64,
    pub boot: i64,
    pub seq: i64,
    /// XXH3 of the element's raw bytes.
    pub hash: u64,
    /// Where these stand in the payload.
    pub raw: Range<usize>,
    /// Whether it brought its own time; a state may leave it out, and is of its arrival then.
    pub has_time: bool,
}

/// What one message said. Reused from message to message.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// Grows until the engine clears it.
    pub readings: Readings,
    /// Objects of the payloads. Grows until the engine clears it.
    pub elements: Vec<Element>,
    /// Step events, bookings, cards of this message, each with the hash of its raw bytes.
    pub events: Vec<Event>,
    /// What of this message could not be used.
    pub rejects: Vec<Reject>,
    /// Number of the message's topic among all topics seen: the channel in which repeats are recognised.
    /// [`Decoded::NO_CHANNEL`] where the topic is unknown, or beyond the bound.
    pub channel: u32,
    /// What its topic says it is; `None` where the topic is unknown.
    pub kind: Option<crate::topic::Kind>,
    /// Whether it is an own output that came back: counted, nothing else.
    pub ignored_output: bool,
}

impl Decoded {
    /// Stands for "none" in `channel`.
    pub const NO_CHANNEL: u32 = u32::MAX;
}
