//! From a message to rows that wait: decoding, repeats, impossible times, lateness, the first look.

mod seen;

use std::ops::Range;

use ingest::entry::{Intake, MessageRef};
use ingest::readings::Reject;
use sinks::channels::Sums;
use sinks::emission::Emission;

use super::block::{BLOCK_ROWS, Block, Lateness, Rows, Stretch};
use super::channels::{Became, HowLate};
use super::repeats::Seen;
use super::rules::{OnArrival, Verdicts};
use super::{Engine, EngineError, clock, expected};

/// Messages that go together: each step of the way is done for all of them before the next, so that the processor
/// fetches what they touch at the same time.
const TOGETHER: usize = 64;

/// A message whose readings have been decoded.
struct Taken<'a> {
    message: &'a MessageRef<'a>,
    channel: u32,
    elements: Range<usize>,
}

/// The rows that are left of a message.
struct Placed {
    rows: Range<usize>,
    has_time: bool,
    arrived_ms: i64,
    channel: u32,
    became: Became,
}

impl Engine {
    pub(super) fn intake(&mut self, intake: &Intake, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.decoder.begin_intake();
        let mut messages = intake.iter();
        let mut together = Vec::with_capacity(TOGETHER);
        loop {
            together.clear();
            together.extend(messages.by_ref().take(TOGETHER));
            if together.is_empty() {
                break;
            }
            self.messages(&together)?;
        }
        self.look_at_arrived()?;
        self.tell_exceptions(out)?;
        self.tell_rejects_of_messages(out)
    }

    fn messages(&mut self, messages: &[MessageRef<'_>]) -> Result<(), EngineError> {
        self.decoder.fetch(messages);
        let mut taken = Vec::with_capacity(messages.len());
        for message in messages {
            let first = self.decoded.elements.len();
            self.decoder.decode(*message, &mut self.decoded);
            self.counts.messages += 1;
            self.counts.ignored_outputs += u64::from(self.decoded.ignored_output);
            let is_decoded = !self.decoded.rejects.iter().any(|reject| reject.reason.is_undecodable());
            self.counts.decoded += u64::from(is_decoded);
            self.counts.undecodable += u64::from(!is_decoded);
            let elements = first..self.decoded.elements.len();
            let channel = self.decoded.channel;
            if elements.is_empty() {
                self.channels.message(channel, is_decoded);
            } else {
                taken.push(Taken { message, channel, elements });
            }
            if !self.decoded.rejects.is_empty() || !self.decoded.events.is_empty() {
                // In the order of the messages.
                self.readings(&mut taken);
                let before = Sums::of(&self.counts);
                self.count_rejects();
                self.rejects.append(&mut self.decoded.rejects);
                for event in std::mem::take(&mut self.decoded.events) {
                    self.event(event, *message)?;
                }
                self.channels.take(channel, &Sums::of(&self.counts).since(&before));
            }
            if self.decoded.readings.len() >= BLOCK_ROWS {
                self.readings(&mut taken);
                self.seal()?;
            }
        }
        self.readings(&mut taken);
        Ok(())
    }

    /// Readings and events that the decoder refused.
    pub(super) fn count_rejects(&mut self) {
        let refused =
            self.decoded.rejects.iter().filter(|reject| !reject.reason.is_undecodable()).count() as u64;
        if self.decoded.kind.is_none_or(|kind| kind.holds_readings()) {
            self.counts.readings += refused;
            self.counts.quarantined += refused;
        } else {
            self.counts.events += refused;
            self.counts.events_quarantined += refused;
        }
    }

    /// Takes the readings of some messages in: repeats and impossible times go, the rest is applied.
    fn readings(&mut self, taken: &mut Vec<Taken<'_>>) {
        let Some(first) = taken.first() else { return };
        // A message whose elements are all without readings is no exception: these have a place, too.
        let first = self.decoded.elements[first.elements.start].readings.start;
        let mut kept = first;
        let seen = self.seen(taken);
        let mut seen = seen.into_iter();
        let mut placed = Vec::with_capacity(taken.len());
        let mut all_became = Became::default();
        for Taken { message, channel, elements } in taken.drain(..) {
            let (start, mut became) = (kept, Became::default());
            let mut copied_bytes = 0;
            let mut has_time = true;
            for place in elements {
                let element = &self.decoded.elements[place];
                let verdict = seen.next().expect("each element has one");
                if element.readings.is_empty() {
                    continue;
                }
                let rows = element.readings.len() as u64;
                became.readings += rows;
                match verdict {
                    Seen::Repeat => {
                        became.duplicates += rows;
                        continue;
                    }
                    Seen::Conflict => self.counts.sequence_conflicts += 1,
                    Seen::New => {}
                }
                let own = element.has_time;
                let series = self.decoded.readings.series[element.readings.start];
                let bounds = self.bounds.of_series(series, self.decoder.series(), &self.assets);
                let (ts_ms, arrived_ms, ahead_max_ms) =
                    (element.ts_ms, message.arrived_ms, bounds.ahead_max_ms);
                if let Some(reason) = self.clock.judge(channel, ts_ms, own, arrived_ms, ahead_max_ms) {
                    became.quarantined += rows;
                    let raw = &message.payload[element.raw.clone()];
                    for row in element.readings.clone() {
                        let series = self.decoded.readings.series[row];
                        let metric = Some(self.decoder.series().get(series).metric.clone());
                        let is_copied = copied_bytes + raw.len() <= clock::COPIES_BYTES_MAX;
                        let raw = if is_copied { raw } else { &[] };
                        copied_bytes += raw.len();
                        let reject = clock::reject(*message, raw, reason, element.ts_ms);
                        self.rejects.push(Reject { metric, ..reject });
                    }
                    continue;
                }
                became.applied += rows;
                has_time &= element.has_time;
                if kept != element.readings.start {
                    for row in element.readings.clone() {
                        self.decoded.readings.move_row(row, kept + (row - element.readings.start));
                    }
                }
                kept += element.readings.len();
            }
            all_became.add(became);
            if kept > start {
                let arrived_ms = message.arrived_ms;
                placed.push(Placed { rows: start..kept, has_time, arrived_ms, channel, became });
            } else {
                self.channels.readings(&mut self.repeats, channel, became, HowLate::default());
            }
        }
        all_became.add_to(&mut self.counts);
        self.decoded.readings.truncate(kept);
        self.decoded.elements.clear();
        let bay_of = self.decoder.series().bay_of();
        let series = &self.decoded.readings.series[first..kept];
        self.open_bay.extend(series.iter().map(|&series| bay_of[series as usize]));
        let mut how_late = HowLate::default();
        placed.into_iter().for_each(|placed| how_late.add(self.place(placed)));
        how_late.add_to(&mut self.counts);
        self.live.arrived(&self.decoded.readings, first..kept);
    }

    /// Lateness of the rows of a message against what their bays had before it. A message with a time that is its arrival
    /// tells nothing of how far its bay has come: the bay's backlog may still be on the way.
    fn place(&mut self, Placed { rows, has_time, arrived_ms, channel, became }: Placed) -> HowLate {
        let mut how_late = HowLate::default();
        let table = self.decoder.series();
        let (ts_ms, series) = (&self.decoded.readings.ts_ms, &self.decoded.readings.series);
        if !self.bounds.is_uniform() {
            let series = series[rows.clone()].iter();
            series.for_each(|&series| self.bounds.meet(series, table, &self.assets, &mut self.bays));
        }
        for row in rows.clone() {
            let late_ms = self.bays.watermark_ms(self.open_bay[row]).saturating_sub(ts_ms[row]);
            let lateness = if late_ms <= 0 {
                how_late.on_time += 1;
                Lateness::OnTime
            } else if late_ms <= self.bounds.of_series(series[row], table, &self.assets).horizon_ms {
                how_late.corrections += 1;
                Lateness::Correction
            } else {
                how_late.late += 1;
                Lateness::Late
            };
            self.open_lateness.push(lateness as u8);
        }
        for row in rows {
            let ts_ms = if has_time { ts_ms[row] } else { i64::MIN };
            self.bays.heard(self.open_bay[row], ts_ms, arrived_ms);
        }
        self.channels.readings(&mut self.repeats, channel, became, how_late);
        how_late
    }

    /// Takes in what series are new: at most once a block, for a rule's scope is evaluated for all of them at once.
    pub(super) fn follow_series(&mut self, assets_changed: bool) {
        let table = self.decoder.series();
        self.names.follow(table, self.decoder.units().codes());
        self.usage.follow(table);
        self.rules.follow(table);
        self.joiner.follow(table, &self.assets, &self.calendars, assets_changed);
    }

    /// Shows the fast rules the rows that they have not seen, with the steps as known at this moment.
    pub(super) fn look_at_arrived(&mut self) -> Result<(), EngineError> {
        let end = self.decoded.readings.len();
        let from = std::mem::replace(&mut self.unseen, end);
        if from == end || !self.rules.see_arrivals() {
            return Ok(());
        }
        self.follow_series(false);
        let mut said = Vec::new();
        self.counts.keys_unwatched += self.rules.hear(&self.decoded.readings, from..end, &mut said);
        let (series, lateness) = (&self.decoded.readings.series[from..end], &self.open_lateness[from..end]);
        let expected = self.rules.expected_stretches(series, from);
        let stretches = self.rules.fast_stretches(series, lateness, from);
        if !stretches.is_empty() || !expected.is_empty() {
            let block = self.exchange_open(Block::default());
            let result = self.look_at_block(&block, &stretches, &expected, &mut said);
            self.exchange_open(block);
            result?;
        }
        self.rules.take_effect(said, &mut self.exceptions);
        Ok(())
    }

    /// Rows of the open block that have just arrived: those of the fast lane, and those that are expected.
    fn look_at_block(
        &mut self,
        block: &Block,
        stretches: &[Stretch],
        expected: &[Stretch],
        said: &mut Vec<(u64, OnArrival)>,
    ) -> Result<(), EngineError> {
        let blocks = [block];
        let rows = Rows { blocks: &blocks, stretches: expected, at: None, names: &self.names, joined: None };
        if !expected.is_empty() {
            self.counts.keys_unwatched += self.rules.hear_expected(rows, said, &mut self.rejects)?;
        }
        if stretches.is_empty() {
            return Ok(());
        }
        let table = self.decoder.series();
        let usage = &self.usage;
        let is_metered = |series, _| usage.is_metered(series);
        let (mut joined, used) =
            self.joiner.join(&blocks, stretches, &mut self.steps, table, is_metered, |_, _| false);
        let known = (usage, self.decoder.units());
        expected::resources(&mut joined, &used, &blocks, &mut self.steps, known);
        let rows = Rows { stretches, joined: Some(&joined), ..rows };
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        let result = self.rules.look_on_arrival(rows, &self.bays, table, verdicts, said);
        self.joiner.recycle(joined);
        result
    }

    /// Closes the open block: windows that need no step fold it in, and its rows begin to wait.
    pub(super) fn seal(&mut self) -> Result<(), EngineError> {
        self.look_at_arrived()?;
        self.unseen = 0;
        if self.decoded.readings.is_empty() {
            return Ok(());
        }
        // As many rows are to be expected as there were.
        let mut next = self.spare.pop().unwrap_or_default();
        next.reserve(self.decoded.readings.len());
        let block = self.exchange_open(next);
        self.follow_series(false);
        self.rules.silences.seal(&block.readings);
        let whole = [Stretch { block: 0, from: 0, to: block.readings.len() }];
        let rows = Rows { blocks: &[&block], stretches: &whole, at: None, names: &self.names, joined: None };
        let in_time = rows.has_late().then(|| rows.of_lateness(false));
        let rows = Rows { at: in_time.as_deref(), ..rows };
        self.counts.windows_missed += self.rules.fold(rows, self.decoder.series(), &mut self.rejects)?;
        self.hold.take(block);
        Ok(())
    }
}
