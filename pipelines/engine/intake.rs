//! From a message to rows that wait: decoding, repeats, impossible times, lateness, the first look.

use ingest::entry::{Intake, MessageRef};
use sinks::emission::Emission;

use super::block::{BLOCK_ROWS, Block, Lateness, Rows, Stretch};
use super::repeats::{Print, Seen};
use super::{Engine, EngineError, clock};

impl Engine {
    pub(super) fn intake(&mut self, intake: &Intake, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.decoder.begin_intake();
        for message in intake.iter() {
            self.message(message)?;
            if self.decoded.readings.len() >= BLOCK_ROWS {
                self.seal()?;
            }
        }
        self.look_at_arrived()?;
        self.tell_exceptions(out)?;
        self.tell_rejects(out)
    }

    fn message(&mut self, message: MessageRef<'_>) -> Result<(), EngineError> {
        let start = self.decoded.readings.len();
        self.decoder.decode(message, &mut self.decoded);
        self.counts.messages += 1;
        if !self.decoded.rejects.is_empty() {
            self.count_rejects();
        }
        if self.decoded.rejects.iter().any(|reject| reject.reason.is_undecodable()) {
            self.counts.undecodable += 1;
        } else {
            self.counts.decoded += 1;
        }
        self.counts.ignored_outputs += u64::from(self.decoded.ignored_output);
        self.rejects.append(&mut self.decoded.rejects);
        if self.decoded.readings.len() > start {
            self.readings(start, message);
        }
        if !self.decoded.events.is_empty() {
            for event in std::mem::take(&mut self.decoded.events) {
                self.event(event, message)?;
            }
        }
        Ok(())
    }

    /// Readings and events that the decoder refused.
    fn count_rejects(&mut self) {
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

    /// Takes the readings `start..` of a message in: repeats and impossible times go, the rest is applied.
    fn readings(&mut self, start: usize, message: MessageRef<'_>) {
        let channel = self.decoded.channel;
        let end = self.decoded.readings.len();
        self.counts.readings += (end - start) as u64;
        let mut kept = start;
        let mut copied_bytes = 0;
        let mut has_time = true;
        for (place, element) in self.decoded.elements.iter().enumerate() {
            if element.readings.is_empty() {
                continue;
            }
            let rows = element.readings.len() as u64;
            let print = Print {
                channel,
                boot: element.boot,
                seq: element.seq,
                ts_ms: element.ts_ms,
                arrived_ms: message.arrived_ms,
                hash: element.hash,
                is_first: place == 0,
            };
            match self.repeats.see(print) {
                Seen::Repeat => {
                    self.counts.duplicates += rows;
                    continue;
                }
                Seen::Conflict => self.counts.sequence_conflicts += 1,
                Seen::New => {}
            }
            let own = element.has_time;
            if let Some(reason) = self.clock.judge(channel, element.ts_ms, own, message.arrived_ms) {
                self.counts.quarantined += rows;
                let raw = &message.payload[element.raw.clone()];
                for _ in element.readings.clone() {
                    let is_copied = copied_bytes + raw.len() <= clock::COPIES_BYTES_MAX;
                    let raw = if is_copied { raw } else { &[] };
                    copied_bytes += raw.len();
                    self.rejects.push(clock::reject(message, raw, reason, element.ts_ms));
                }
                continue;
            }
            self.counts.applied += rows;
            has_time &= element.has_time;
            if kept != element.readings.start {
                for row in element.readings.clone() {
                    self.decoded.readings.move_row(row, kept + (row - element.readings.start));
                }
            }
            kept += element.readings.len();
        }
        self.decoded.readings.truncate(kept);
        self.place(start, kept, has_time, message.arrived_ms);
    }

    /// Lateness of the rows `start..end` against what their bays had before this message. A message with a time that is
    /// its arrival tells nothing of how far its bay has come: the bay's backlog may still be on the way.
    fn place(&mut self, start: usize, end: usize, has_time: bool, arrived_ms: i64) {
        let bay_of = self.decoder.series().bay_of();
        for row in start..end {
            let ts_ms = self.decoded.readings.ts_ms[row];
            let bay = bay_of[self.decoded.readings.series[row] as usize];
            let watermark_ms = self.bays.watermark_ms(bay);
            let lateness = if ts_ms >= watermark_ms {
                self.counts.on_time += 1;
                Lateness::OnTime
            } else if watermark_ms - ts_ms <= self.correction_horizon_ms {
                self.counts.corrections += 1;
                Lateness::Correction
            } else {
                self.counts.late += 1;
                Lateness::Late
            };
            self.open_bay.push(bay);
            self.open_lateness.push(lateness as u8);
        }
        for row in start..end {
            let ts_ms = if has_time { self.decoded.readings.ts_ms[row] } else { i64::MIN };
            self.bays.heard(self.open_bay[row], ts_ms, arrived_ms);
        }
        self.live.arrived(&self.decoded.readings, start..end);
    }

    /// Takes in what series are new: at most once a block, for a rule's scope is evaluated for all of them at once.
    pub(super) fn follow_series(&mut self, assets_changed: bool) {
        let table = self.decoder.series();
        self.names.follow(table, self.decoder.units());
        self.usage.follow(table);
        self.rules.follow(table);
        self.joiner.follow(table, &self.assets, assets_changed);
    }

    /// Shows the fast rules the rows that they have not seen, with the steps as known at this moment.
    pub(super) fn look_at_arrived(&mut self) -> Result<(), EngineError> {
        let end = self.decoded.readings.len();
        let from = std::mem::replace(&mut self.unseen, end);
        if from == end || !self.rules.has_fast() {
            return Ok(());
        }
        self.follow_series(false);
        let (series, lateness) = (&self.decoded.readings.series[from..end], &self.open_lateness[from..end]);
        let stretches = self.rules.fast_stretches(series, lateness, from);
        if stretches.is_empty() {
            return Ok(());
        }
        let block = self.take_open();
        let blocks = [&block];
        let (joined, _) =
            self.joiner.join(&blocks, &stretches, &mut self.steps, self.decoder.series(), |_| false);
        let rows = Rows { blocks: &blocks, stretches: &stretches, names: &self.names, joined: Some(&joined) };
        let result = self.rules.look_on_arrival(
            rows,
            &self.bays,
            self.decoder.series(),
            &mut self.exceptions,
            &mut self.rejects,
        );
        self.put_open_back(block);
        result
    }

    fn take_open(&mut self) -> Block {
        Block {
            readings: std::mem::take(&mut self.decoded.readings),
            bay: std::mem::take(&mut self.open_bay),
            lateness: std::mem::take(&mut self.open_lateness),
        }
    }

    fn put_open_back(&mut self, block: Block) {
        self.decoded.readings = block.readings;
        self.open_bay = block.bay;
        self.open_lateness = block.lateness;
    }

    /// Closes the open block: windows that need no step fold it in, and its rows begin to wait.
    pub(super) fn seal(&mut self) -> Result<(), EngineError> {
        self.look_at_arrived()?;
        self.unseen = 0;
        let block = self.take_open();
        if block.readings.is_empty() {
            self.put_open_back(block);
            return Ok(());
        }
        self.follow_series(false);
        let whole = [Stretch { block: 0, from: 0, to: block.readings.len() }];
        let rows = Rows { blocks: &[&block], stretches: &whole, names: &self.names, joined: None };
        let (stretches, _) = rows.in_time();
        let rows = Rows { stretches: &stretches, ..rows };
        self.counts.windows_missed += self.rules.fold(rows, self.decoder.series(), &mut self.rejects)?;
        self.hold.take(block);
        Ok(())
    }
}
