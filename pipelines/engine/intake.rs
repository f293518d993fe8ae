//! From a message to rows that wait: decoding, repeats, impossible times, lateness, the first look.

mod ahead;
mod applied;
mod seen;
mod usual;

use ingest::decode::TOGETHER;
use ingest::entry::{Intake, MessageRef};
use sinks::channels::Sums;
use sinks::emission::Emission;

use self::applied::Taken;
use super::block::{Block, Rows, Stretch};
use super::rules::{OnArrival, Verdicts};
use super::{Engine, EngineError, expected};

impl Engine {
    pub(super) fn intake(&mut self, intake: &Intake, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.decoder.begin_intake();
        let mut messages = intake.iter();
        let mut together = Vec::with_capacity(TOGETHER);
        loop {
            together.clear();
            messages.take_into(TOGETHER, &mut together);
            if together.is_empty() {
                break;
            }
            self.messages(&together)?;
        }
        self.messages_taken(out)
    }

    /// The messages of an entry have been taken in.
    fn messages_taken(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.look_at_arrived()?;
        self.tell_exceptions(out)?;
        self.tell_rejects_of_messages(out)
    }

    fn messages(&mut self, messages: &[MessageRef<'_>]) -> Result<(), EngineError> {
        self.decoder.fetch(messages);
        let mut taken = Vec::with_capacity(messages.len());
        let mut undecodable = 0;
        for message in messages {
            let first = self.decoded.elements.len();
            self.decoder.decode(*message, &mut self.decoded);
            let elements = first..self.decoded.elements.len();
            let channel = self.decoded.channel;
            if elements.is_empty() {
                let is_decoded = !self.decoded.rejects.iter().any(|reject| reject.reason.is_undecodable());
                undecodable += u64::from(!is_decoded);
                self.counts.ignored_outputs += u64::from(self.decoded.ignored_output);
                self.channels.message(channel, is_decoded);
            } else {
                let MessageRef { ordinal, arrived_ms, payload: from_payload, .. } = *message;
                taken.push(Taken { ordinal, arrived_ms, channel, from_payload, elements });
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
            if self.open.readings.len() + self.decoded.readings.len() >= self.block_rows {
                self.readings(&mut taken);
                self.seal()?;
            }
        }
        self.readings(&mut taken);
        let all = messages.len() as u64;
        self.counts.messages += all;
        self.counts.decoded += all - undecodable;
        self.counts.undecodable += undecodable;
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
        let end = self.open.readings.len();
        let from = std::mem::replace(&mut self.unseen, end);
        if from == end || !self.rules.see_arrivals() {
            return Ok(());
        }
        self.follow_series(false);
        let mut said = Vec::new();
        self.counts.keys_unwatched += self.rules.hear(&self.open.readings, from..end, &mut said);
        let (series, lateness) = (&self.open.readings.series[from..end], &self.open.lateness[from..end]);
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
        if self.open.readings.is_empty() {
            return Ok(());
        }
        let block = self.take_open();
        self.follow_series(false);
        self.rules.silences.seal(&block.readings, 0..block.readings.len());
        let whole = [Stretch { block: 0, from: 0, to: block.readings.len() }];
        let rows = Rows { blocks: &[&block], stretches: &whole, at: None, names: &self.names, joined: None };
        let in_time = rows.has_late().then(|| rows.of_lateness(false));
        let rows = Rows { at: in_time.as_deref(), ..rows };
        self.counts.windows_missed += self.rules.fold(rows, self.decoder.series(), &mut self.rejects)?;
        self.hold.take(block);
        Ok(())
    }
}
