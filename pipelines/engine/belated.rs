//! Messages about the past: mended ones out of quarantine, recordings, and what a former leader has left.
//!
//! They are decoded as all others are, and enter at their event time, but they say nothing of the present: no watermark, no
//! clock and no silence follows from them, and the fast lane does not look at them on arrival, so they raise no live
//! alarm. At the next tick or cut they are joined with the steps known by then.
//!
//! * A message **replayed** out of quarantine is a correction while it lies within the correction horizon of its bay's
//!   watermark (of the clock, where the bay has none): windows say their next revision, and rules judge it with its step,
//!   as they do any correction. Beyond, it is late: told, neither judged nor folded. Its step events, bookings and cards
//!   apply as if they had just come; books say their next revision.
//! * What is **imported** is late, all of it, however young: told with its step in `telemetry` and `late`, neither judged nor
//!   folded, so that no rule of any kind can raise on it. Its step events are told, serve the join, and are judged and booked
//!   by nobody. A card or asset that is known stays as it is; bookings go to quarantine, for their steps are booked.
//! * What comes out of a **fork** goes the way of what is replayed. Much of it the broker may have brought again meanwhile.
//!
//! Repeats of what came live are recognised as long as that is remembered; and among themselves. A record of quarantine is
//! known by its name, so its own elements, which have been seen before, are no repeats of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::entry::{Intake, MessageRef};
use ingest::readings::{Event, Reject, What};
use sinks::channels::Sums;
use sinks::emission::Emission;

use super::block::{Block, Lateness, Rows, Stretch};
use super::bookings::WaitingBooking;
use super::hold::Released;
use super::repeats::{Print, Repeats, Seen};
use super::{Engine, EngineError, clock};

mod events;

/// Which way messages about the past go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane<'a> {
    /// Out of quarantine; of its readings only `metric`, if that is named.
    Replay { metric: Option<&'a str> },
    /// Out of a recording.
    Import,
    /// Taken in by one who led before.
    Fork,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    pub messages: u64,
    rows: u64,
    events: u64,
    duplicates: u64,
    rejects: u64,
    /// What was wrong with the first that was refused.
    pub refused: Option<String>,
}

impl Taken {
    /// Whether nothing of it could be used.
    pub(super) fn is_nothing(&self) -> bool {
        self.rows + self.events == 0
    }

    /// In words.
    pub(super) fn said(&self) -> String {
        let Taken { messages, rows, events, duplicates, rejects, .. } = self;
        format!(
            "{messages} messages with {rows} readings and {events} events applied, {duplicates} repeats, {rejects} \
             quarantined"
        )
    }
}

/// What waits for the next tick. Empty at each cut.
#[derive(Debug)]
pub(super) struct Belated {
    blocks: Vec<Arc<Block>>,
    /// Newest event time by bay.
    bays: BTreeMap<u32, i64>,
    /// What was replayed and imported.
    pub repeats: Repeats,
}

impl Belated {
    pub(super) fn new(repeats: Repeats) -> Self {
        Belated { blocks: Vec::new(), bays: BTreeMap::new(), repeats }
    }

    fn concerns(&mut self, bay: u32, ts_ms: i64) {
        let newest_ms = self.bays.entry(bay).or_insert(ts_ms);
        *newest_ms = ts_ms.max(*newest_ms);
    }
}

impl Engine {
    /// Takes all but the first few messages in. Of a replay that is of no use nothing stays.
    pub(super) fn take_belated(
        &mut self,
        messages: &Intake,
        skipped: usize,
        lane: &Lane<'_>,
        at_ms: i64,
    ) -> Result<Taken, EngineError> {
        let counts = self.counts;
        let rejects = self.rejects.len();
        let mut added = Vec::new();
        // The open block is of the present.
        let open = std::mem::take(&mut self.decoded);
        let mut block = Block::default();
        let mut taken = Taken::default();
        self.decoder.begin_intake();
        for message in messages.iter().skip(skipped) {
            let before = Sums::of(&self.counts);
            self.belated_message(message, lane, at_ms, &mut block, &mut taken)?;
            added.push((self.decoded.channel, Sums::of(&self.counts).since(&before)));
        }
        block.readings = std::mem::replace(&mut self.decoded, open).readings;
        if !block.bay.is_empty() {
            self.belated.blocks.push(Arc::new(block));
        }
        if matches!(lane, Lane::Replay { .. }) && taken.is_nothing() {
            self.counts = counts;
            self.rejects.truncate(rejects);
            added.clear();
        }
        added.iter().for_each(|(channel, added)| self.channels.take(*channel, added));
        Ok(taken)
    }

    fn belated_message(
        &mut self,
        message: MessageRef<'_>,
        lane: &Lane<'_>,
        at_ms: i64,
        block: &mut Block,
        taken: &mut Taken,
    ) -> Result<(), EngineError> {
        self.decoder.decode(message, &mut self.decoded);
        if let Lane::Replay { metric: Some(metric) } = lane {
            // The others have records of their own.
            let is_asked = |reject: &Reject| reject.metric.as_deref().is_none_or(|other| other == *metric);
            self.decoded.rejects.retain(is_asked);
        }
        let is_decoded = !self.decoded.rejects.iter().any(|reject| reject.reason.is_undecodable());
        taken.messages += 1;
        self.counts.messages += 1;
        self.counts.ignored_outputs += u64::from(self.decoded.ignored_output);
        self.counts.decoded += u64::from(is_decoded);
        self.counts.undecodable += u64::from(!is_decoded);
        self.count_rejects();
        let mut rejects = std::mem::take(&mut self.decoded.rejects);
        for event in std::mem::take(&mut self.decoded.events) {
            self.belated_event(event, message, lane, (taken, &mut rejects));
        }
        self.belated_readings(message, lane, at_ms, (block, taken, &mut rejects));
        taken.rejects += rejects.len() as u64;
        if let (None, Some(reject)) = (&taken.refused, rejects.first()) {
            taken.refused = Some(format!("{}: {}", reject.reason.as_str(), reject.detail));
        }
        self.rejects.append(&mut rejects);
        Ok(())
    }

    fn belated_readings(
        &mut self,
        message: MessageRef<'_>,
        lane: &Lane<'_>,
        at_ms: i64,
        (block, taken, rejects): (&mut Block, &mut Taken, &mut Vec<Reject>),
    ) {
        let mut kept = block.bay.len();
        for (place, element) in std::mem::take(&mut self.decoded.elements).into_iter().enumerate() {
            let asked: Vec<usize> = match lane {
                Lane::Replay { metric: Some(metric) } => {
                    let table = self.decoder.series();
                    let is_asked =
                        |row: &usize| *table.get(self.decoded.readings.series[*row]).metric == **metric;
                    element.readings.clone().filter(is_asked).collect()
                }
                _ => element.readings.clone().collect(),
            };
            let rows = asked.len() as u64;
            self.counts.readings += rows;
            if rows == 0 {
                continue;
            }
            let print = Print {
                channel: self.decoded.channel,
                boot: element.boot,
                seq: element.seq,
                ts_ms: element.ts_ms,
                arrived_ms: at_ms,
                hash: element.hash,
                is_first: place == 0,
            };
            if let Some(reason) = self.clock.judge_past(element.ts_ms, message.arrived_ms) {
                self.counts.quarantined += rows;
                let raw = &message.payload[element.raw.clone()];
                for row in asked {
                    let metric =
                        Some(self.decoder.series().get(self.decoded.readings.series[row]).metric.clone());
                    rejects.push(Reject { metric, ..clock::reject(message, raw, reason, element.ts_ms) });
                }
                continue;
            }
            if self.is_belated_repeat(print, lane) {
                self.counts.duplicates += rows;
                taken.duplicates += rows;
                continue;
            }
            self.repeats.fill(&print);
            self.counts.applied += rows;
            taken.rows += rows;
            for row in asked {
                self.decoded.readings.move_row(row, kept);
                let series = self.decoded.readings.series[kept];
                let bay = self.decoder.series().bay_of()[series as usize];
                let horizon_ms =
                    self.bounds.of_series(series, self.decoder.series(), &self.assets).horizon_ms;
                let lateness = self.belated_lateness(bay, element.ts_ms, horizon_ms, lane, at_ms);
                match lateness {
                    Lateness::Late => self.counts.late += 1,
                    _ => self.counts.corrections += 1,
                }
                block.bay.push(bay);
                block.lateness.push(lateness as u8);
                self.belated.concerns(bay, element.ts_ms);
                kept += 1;
            }
        }
        self.decoded.readings.truncate(kept);
    }

    fn belated_lateness(
        &self,
        bay: u32,
        ts_ms: i64,
        horizon_ms: i64,
        lane: &Lane<'_>,
        at_ms: i64,
    ) -> Lateness {
        let watermark_ms = self.bays.watermark_ms(bay);
        let reached_ms = if watermark_ms == i64::MIN { at_ms } else { watermark_ms };
        let is_late = reached_ms.saturating_sub(ts_ms) > horizon_ms;
        if is_late || matches!(lane, Lane::Import) { Lateness::Late } else { Lateness::Correction }
    }

    /// Whether it came before: live, where that is remembered, or in the same way.
    fn is_belated_repeat(&mut self, print: Print, lane: &Lane<'_>) -> bool {
        match lane {
            // Of an element with one metric refused, each record is of another metric.
            Lane::Replay { metric: Some(_) } => false,
            Lane::Replay { metric: None } => self.belated.repeats.see(&print) == Seen::Repeat,
            Lane::Import | Lane::Fork => {
                self.repeats.holds(&print) || self.belated.repeats.see(&print) == Seen::Repeat
            }
        }
    }

    /// Time has passed: what came of the past is joined and told.
    pub(super) fn settle_belated(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        if self.belated.bays.is_empty() {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.belated.blocks);
        let bays = std::mem::take(&mut self.belated.bays);
        let mut until = Vec::new();
        for (bay, newest_ms) in bays {
            self.steps.bay_mut(bay).import_until(newest_ms);
            let watermark_ms = self.bays.watermark_ms(bay);
            let is_unheard = watermark_ms == i64::MIN;
            until.push((bay, if is_unheard { newest_ms.saturating_add(1) } else { watermark_ms }));
        }
        self.follow_series(false);
        let stretch = |(block, rows): (usize, &Arc<Block>)| Stretch { block, from: 0, to: rows.bay.len() };
        let stretches: Vec<Stretch> = blocks.iter().enumerate().map(stretch).collect();
        if !stretches.is_empty() {
            let whole: Vec<&Block> = blocks.iter().map(Arc::as_ref).collect();
            let rows =
                Rows { blocks: &whole, stretches: &stretches, at: None, names: &self.names, joined: None };
            let in_time = rows.of_lateness(false);
            let rows = Rows { at: Some(&in_time), ..rows };
            if rows.len() > 0 {
                self.counts.windows_missed +=
                    self.rules.fold(rows, self.decoder.series(), &mut self.rejects)?;
            }
            let rows = stretches.iter().map(|stretch| stretch.to).sum();
            self.certain(&Released { blocks, stretches, rows }, out)?;
        }
        self.tell_certain(&until, out)?;
        // No checkpoint keeps what functions have to tell.
        self.tell_functions(out)
    }
}

#[cfg(test)]
mod tests;
