//! What is remembered of channels, in columns: a checkpoint of many channels is copied, not written value by value.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chunk::{CHUNK, Full, Open, Prints};
use super::gaps::{Gaps, Missing};
use super::{Channel, Past, Repeats, Usual};

/// [`Repeats`], an element of each column a channel, or a chunk.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Columns {
    channels: ChannelColumns,
    chunks: ChunkColumns,
    /// Of all chunks that are being filled, as many of each channel as it has there.
    #[serde(with = "ingest::packed")]
    open: Vec<u64>,
    /// Of all full chunks, [`CHUNK`] of each: the numbered ones' halves, and the others.
    #[serde(with = "ingest::packed")]
    halves: Vec<u32>,
    #[serde(with = "ingest::packed")]
    wholes: Vec<u64>,
    /// By channel number, of those that have any.
    gaps: Vec<(u32, Gaps)>,
    missing: Missing,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ChannelColumns {
    #[serde(with = "ingest::packed")]
    newest_ts_ms: Vec<i64>,
    #[serde(with = "ingest::packed")]
    oldest_ts_ms: Vec<i64>,
    #[serde(with = "ingest::packed")]
    boot: Vec<i64>,
    #[serde(with = "ingest::packed")]
    highest: Vec<i64>,
    #[serde(with = "ingest::packed")]
    usual_messages: Vec<u16>,
    #[serde(with = "ingest::packed")]
    usual_readings: Vec<u16>,
    #[serde(with = "ingest::packed")]
    len: Vec<u8>,
    #[serde(with = "ingest::packed")]
    messages: Vec<u8>,
    #[serde(with = "ingest::packed")]
    is_numbered: Vec<u8>,
    /// How many full chunks it has.
    #[serde(with = "ingest::packed")]
    full: Vec<u32>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ChunkColumns {
    #[serde(with = "ingest::packed")]
    oldest_ts_ms: Vec<i64>,
    #[serde(with = "ingest::packed")]
    newest_ts_ms: Vec<i64>,
    #[serde(with = "ingest::packed")]
    last_arrived_ms: Vec<i64>,
    #[serde(with = "ingest::packed")]
    messages: Vec<u8>,
    #[serde(with = "ingest::packed")]
    is_numbered: Vec<u8>,
    /// Of the numbered ones.
    #[serde(with = "ingest::packed")]
    boot: Vec<i64>,
    #[serde(with = "ingest::packed")]
    first_seq: Vec<i64>,
}

impl Columns {
    fn of(repeats: &Repeats) -> Columns {
        let mut columns = Columns { missing: repeats.missing.clone(), ..Columns::default() };
        columns.reserve(repeats);
        for (number, channel) in (0..).zip(&repeats.channels) {
            columns.channels.push(channel);
            columns.open.extend_from_slice(channel.prints.first(channel.len));
            channel.past.full.for_each(|full| {
                columns.chunks.push(full);
                match &full.prints {
                    Prints::Numbered { halves, .. } => columns.halves.extend_from_slice(halves),
                    Prints::Whole(wholes) => columns.wholes.extend_from_slice(wholes),
                }
            });
            if !channel.past.gaps.is_empty() {
                columns.gaps.push((number, channel.past.gaps.clone()));
            }
        }
        columns
    }

    /// Makes room in the long ones: they are many megabytes, and would be copied again and again as they grow.
    fn reserve(&mut self, repeats: &Repeats) {
        let (mut open, mut halves, mut wholes) = (0, 0, 0);
        for channel in &repeats.channels {
            open += usize::from(channel.len);
            channel.past.full.for_each(|full| match &full.prints {
                Prints::Numbered { .. } => halves += CHUNK,
                Prints::Whole(_) => wholes += CHUNK,
            });
        }
        self.open.reserve_exact(open);
        self.halves.reserve_exact(halves);
        self.wholes.reserve_exact(wholes);
    }

    /// `None` where the columns do not fit each other.
    fn channels(mut self) -> Option<Vec<Channel>> {
        let mut reader =
            Reader { chunks: self.chunks, halves: &self.halves, wholes: &self.wholes, at: 0, numbered: 0 };
        let mut open = self.open.as_slice();
        let of = &self.channels;
        let mut channels = Vec::with_capacity(of.len.len());
        for row in 0..of.len.len() {
            let prints = open.split_off(..usize::from(of.len[row]))?;
            let full = (0..*of.full.get(row)?).map(|_| reader.next()).collect::<Option<Vec<Full>>>()?;
            let past = Past {
                full_messages: full.iter().map(|full| usize::from(full.messages)).sum(),
                full: full.into_iter().collect(),
                gaps: Gaps::default(),
            };
            channels.push(Channel {
                newest_ts_ms: *of.newest_ts_ms.get(row)?,
                oldest_ts_ms: *of.oldest_ts_ms.get(row)?,
                prints: Open::of(prints)?,
                oldest_arrived_ms: past.full.oldest().map_or(i64::MAX, |oldest| oldest.last_arrived_ms),
                boot: *of.boot.get(row)?,
                highest: *of.highest.get(row)?,
                usual: Usual {
                    messages: *of.usual_messages.get(row)?,
                    readings: *of.usual_readings.get(row)?,
                },
                past: Box::new(past),
                len: of.len[row],
                messages: *of.messages.get(row)?,
                is_numbered: *of.is_numbered.get(row)? != 0,
            });
        }
        for (number, gaps) in self.gaps.drain(..) {
            channels.get_mut(number as usize)?.past.gaps = gaps;
        }
        Some(channels)
    }
}

impl ChannelColumns {
    fn push(&mut self, channel: &Channel) {
        self.newest_ts_ms.push(channel.newest_ts_ms);
        self.oldest_ts_ms.push(channel.oldest_ts_ms);
        self.boot.push(channel.boot);
        self.highest.push(channel.highest);
        self.usual_messages.push(channel.usual.messages);
        self.usual_readings.push(channel.usual.readings);
        self.len.push(channel.len);
        self.messages.push(channel.messages);
        self.is_numbered.push(u8::from(channel.is_numbered));
        self.full.push(u32::try_from(channel.past.full.len()).expect("the bound is lower"));
    }
}

impl ChunkColumns {
    fn push(&mut self, full: &Full) {
        self.oldest_ts_ms.push(full.oldest_ts_ms);
        self.newest_ts_ms.push(full.newest_ts_ms);
        self.last_arrived_ms.push(full.last_arrived_ms);
        self.messages.push(full.messages);
        self.is_numbered.push(u8::from(matches!(full.prints, Prints::Numbered { .. })));
        if let Prints::Numbered { boot, first_seq, .. } = full.prints {
            self.boot.push(boot);
            self.first_seq.push(first_seq);
        }
    }
}

/// Full chunks, one after the other.
struct Reader<'a> {
    chunks: ChunkColumns,
    halves: &'a [u32],
    wholes: &'a [u64],
    at: usize,
    numbered: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Full> {
        let (chunks, at) = (&self.chunks, self.at);
        self.at += 1;
        let prints = if *chunks.is_numbered.get(at)? == 0 {
            Prints::Whole(self.wholes.split_off(..CHUNK)?.into())
        } else {
            let number = self.numbered;
            self.numbered += 1;
            let (boot, first_seq) = (*chunks.boot.get(number)?, *chunks.first_seq.get(number)?);
            let halves = self.halves.split_off(..CHUNK)?.into();
            Prints::Numbered { boot, first_seq, halves }
        };
        Some(Full {
            oldest_ts_ms: *chunks.oldest_ts_ms.get(at)?,
            newest_ts_ms: *chunks.newest_ts_ms.get(at)?,
            last_arrived_ms: *chunks.last_arrived_ms.get(at)?,
            messages: *chunks.messages.get(at)?,
            prints,
        })
    }
}

impl Serialize for Repeats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Columns::of(self).serialize(serializer)
    }
}

/// Its bounds are settings, and those of whoever takes it over ([`Repeats::under_settings_of`]).
impl<'de> Deserialize<'de> for Repeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut columns = Columns::deserialize(deserializer)?;
        let missing = std::mem::take(&mut columns.missing);
        let channels =
            columns.channels().ok_or_else(|| D::Error::custom("columns of repeats that do not fit"))?;
        Ok(Repeats { channels, missing, ..Repeats::default() })
    }
}
