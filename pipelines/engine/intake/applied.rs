//! The readings of some messages: repeats and impossible times go, the rest is applied.
//!
//! What is usual is kept in few numbers that are written once: a number that is read right after it was written in parts
//! makes the processor wait.

use std::ops::Range;

use ingest::entry::MessageRef;
use ingest::readings::Reject;

use crate::engine::block::Lateness;
use crate::engine::channels::{Became, HowLate};
use crate::engine::repeats::Seen;
use crate::engine::{Engine, clock};

/// A message whose readings have been decoded.
pub(super) struct Taken<'a> {
    pub(super) ordinal: u64,
    pub(super) arrived_ms: i64,
    pub(super) channel: u32,
    /// Its payload, and anything behind it.
    pub(super) from_payload: &'a [u8],
    pub(super) elements: Range<usize>,
}

/// The rows that are left of a message.
struct Placed {
    rows: Range<usize>,
    has_time: bool,
    channel: u32,
    arrived_ms: i64,
    dropped: Dropped,
}

/// Readings of a message that were not applied.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    duplicates: u32,
    quarantined: u32,
}

impl Dropped {
    #[inline]
    fn is_nothing(self) -> bool {
        self.duplicates | self.quarantined == 0
    }

    fn became(self, applied: usize) -> Became {
        let (duplicates, quarantined) = (u64::from(self.duplicates), u64::from(self.quarantined));
        let applied = applied as u64;
        Became { readings: applied + duplicates + quarantined, applied, duplicates, quarantined }
    }
}

impl Engine {
    /// Takes the readings of some messages in.
    pub(super) fn readings(&mut self, taken: &mut Vec<Taken<'_>>) {
        if taken.is_empty() {
            return;
        }
        let mut kept = 0;
        let looked = self.look(taken);
        if looked.are_usual {
            self.apply_usual(taken);
            return self.take_rows();
        }
        let mut seen = looked.seen.into_iter();
        let mut placed = Vec::with_capacity(taken.len());
        let mut all_became = Became::default();
        for Taken { ordinal, arrived_ms, channel, from_payload, elements } in taken.drain(..) {
            let start = kept;
            let mut dropped = Dropped::default();
            let mut copied_bytes = 0;
            let mut has_time = true;
            for place in elements {
                let element = &self.decoded.elements[place];
                let verdict = seen.next().expect("each element has one");
                let rows = element.readings.len() as u32;
                if rows == 0 {
                    continue;
                }
                match verdict {
                    Seen::Repeat => {
                        dropped.duplicates += rows;
                        continue;
                    }
                    Seen::Conflict => self.counts.sequence_conflicts += 1,
                    Seen::New => {}
                }
                let (ts_ms, own) = (element.ts_ms, element.has_time);
                let series = self.decoded.readings.series[element.readings.start];
                let bounds = self.bounds.of_series(series, self.decoder.series(), &self.assets);
                if let Some(reason) = self.clock.judge(channel, ts_ms, own, arrived_ms, bounds.ahead_max_ms) {
                    dropped.quarantined += rows;
                    let raw = &from_payload[element.raw.clone()];
                    let message = MessageRef {
                        ordinal,
                        topic: self.decoder.topic(channel),
                        topic_index: u32::MAX,
                        arrived_ms,
                        payload: from_payload,
                        from_payload,
                    };
                    for row in element.readings.clone() {
                        let series = self.decoded.readings.series[row];
                        let metric = Some(self.decoder.series().get(series).metric.clone());
                        let is_copied = copied_bytes + raw.len() <= clock::COPIES_BYTES_MAX;
                        let raw = if is_copied { raw } else { &[] };
                        copied_bytes += raw.len();
                        let reject = clock::reject(message, raw, reason, ts_ms);
                        self.rejects.push(Reject { metric, ..reject });
                    }
                    continue;
                }
                has_time &= own;
                if kept != element.readings.start {
                    for row in element.readings.clone() {
                        self.decoded.readings.move_row(row, kept + (row - element.readings.start));
                    }
                }
                kept += rows as usize;
            }
            if !dropped.is_nothing() {
                all_became.add(dropped.became(0));
            }
            if kept > start {
                placed.push(Placed { rows: start..kept, has_time, channel, arrived_ms, dropped });
            } else {
                let became = dropped.became(0);
                self.channels.readings(&mut self.repeats, channel, became, HowLate::default());
            }
        }
        all_became.add(Dropped::default().became(kept));
        all_became.add_to(&mut self.counts);
        self.decoded.readings.truncate(kept);
        self.decoded.elements.clear();
        let bay_of = self.decoder.series().bay_of();
        let series = &self.decoded.readings.series;
        self.open.bay.extend(series.iter().map(|&series| bay_of[series as usize]));
        let mut how_late = HowLate::default();
        let before = self.open.readings.len();
        placed.into_iter().for_each(|placed| self.place(before, placed, &mut how_late));
        how_late.add_to(&mut self.counts);
        self.take_rows();
    }

    /// The readings that have been applied, behind those of the open block.
    fn take_rows(&mut self) {
        self.live.arrived(&self.decoded.readings, self.decoder.series(), &self.steps);
        self.open.readings.take_rows(&mut self.decoded.readings);
    }

    /// Lateness of the rows of a message against what their bays had before it. A message with a time that is its arrival
    /// tells nothing of how far its bay has come: the bay's backlog may still be on the way. `before` rows of the open block are there already.
    #[inline]
    fn place(&mut self, before: usize, placed: Placed, all: &mut HowLate) {
        let Placed { rows, has_time, channel, arrived_ms, dropped } = placed;
        let table = self.decoder.series();
        let (ts_ms, series) = (&self.decoded.readings.ts_ms, &self.decoded.readings.series);
        if !self.bounds.is_uniform() {
            let series = series[rows.clone()].iter();
            series.for_each(|&series| self.bounds.meet(series, table, &self.assets, &mut self.bays));
        }
        let mut how_late = HowLate::default();
        for row in rows.clone() {
            let watermark_ms = self.bays.watermark_ms(self.open.bay[before + row]);
            let horizon_ms = || self.bounds.of_series(series[row], table, &self.assets).horizon_ms;
            let lateness = Lateness::of(ts_ms[row], watermark_ms, horizon_ms);
            how_late.count(lateness);
            self.open.lateness.push(lateness as u8);
        }
        all.add(how_late);
        for row in rows.clone() {
            let ts_ms = if has_time { ts_ms[row] } else { i64::MIN };
            self.bays.heard(self.open.bay[before + row], ts_ms, arrived_ms);
        }
        if how_late.corrections | how_late.late == 0 && dropped.is_nothing() {
            return self.channels.usual(&mut self.repeats, channel, rows.len() as u64);
        }
        self.channels.readings(&mut self.repeats, channel, dropped.became(rows.len()), how_late);
    }
}
