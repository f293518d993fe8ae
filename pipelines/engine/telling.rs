//! What has changed since it was last told: exceptions, and what could not be used.

use arrow::array::RecordBatch;
use ingest::readings::{Decoded, NONE, Reject};
use sinks::emission::Emission;

use super::balances::Passed;
use super::ledger::Posting;
use super::rules::Verdicts;
use super::{Engine, EngineError, rows_error, tables};

/// Bytes of rejects that are told as one batch.
const QUARANTINE_BYTES_MAX: usize = 16 << 20;
/// Rejects of lines that are no messages are told at this many, for no entry may come between them.
const REFUSED_MAX: usize = 1_000;

impl Engine {
    /// Rows of stream `steps` that rules look at.
    pub(super) fn tell_judged_steps(
        &mut self,
        rows: RecordBatch,
        bay: u32,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        self.look_at_stream("steps", &rows, bay, out)?;
        self.counts.windows_missed +=
            self.rules.fold_told(&rows, bay, self.decoder.series(), &mut self.rejects)?;
        out.push(Emission { stream: "steps".into(), rows });
        Ok(())
    }

    pub(super) fn look_at_stream(
        &mut self,
        stream: &str,
        batch: &RecordBatch,
        bay: u32,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let watermark_ms = self.bays.watermark_ms(bay);
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.look_at_stream(stream, batch, watermark_ms, verdicts, out)
    }

    /// Whether it tells stream `telemetry`.
    #[must_use]
    pub fn tells_telemetry(&self) -> bool {
        self.tells_telemetry
    }

    /// Schemas of the streams that views make, by name.
    #[must_use]
    pub fn views(&self) -> Vec<(String, arrow::datatypes::SchemaRef)> {
        self.rules.views()
    }

    pub(super) fn tell_exceptions(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let changes = self.exceptions.take_changes();
        self.counts.exceptions = self.exceptions.raised;
        if changes.is_empty() {
            return Ok(());
        }
        self.tell_functions_of_exceptions(&changes);
        let rows = tables::exceptions(&changes).map_err(|source| rows_error("exceptions", source))?;
        out.push(Emission { stream: "exceptions".into(), rows });
        Ok(())
    }

    /// Rows of the ledger that are new.
    pub(super) fn tell_ledger(
        &self,
        bay: u32,
        postings: &[Posting],
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if postings.is_empty() {
            return Ok(());
        }
        let (site, bay) = &self.decoder.series().bays()[bay as usize];
        let rows = tables::ledger(site, bay, postings, self.calendars.of(site));
        let rows = rows.map_err(|source| rows_error("ledger", source))?;
        out.push(Emission { stream: "ledger".into(), rows });
        Ok(())
    }

    /// Balances of meters of `bay` that have something new to say, and what no step there accounts for. `is_silent`: it has
    /// just fallen silent.
    pub(super) fn tell_balances(
        &mut self,
        bay: u32,
        is_silent: bool,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let is_closed = self.bays.all().get(bay as usize).is_some_and(|time| time.closed);
        let passed = Passed { frontier_ms: self.bays.frontier_ms(bay), is_silent, is_closed };
        if !(self.balances.is_waited_for(bay) || self.unassigned.is_waited_for(bay)) {
            return Ok(());
        }
        let is_time = self.balances.is_time(bay, passed);
        let postings = self.unassigned.due(bay, passed, is_time);
        self.tell_ledger(bay, &postings, out)?;
        let mut due = self.balances.due(bay, passed, is_time);
        if due.is_empty() {
            return Ok(());
        }
        let rows = tables::balances(&mut due, self.decoder.series(), &self.calendars);
        let rows = rows.map_err(|source| rows_error("balances", source))?;
        out.push(Emission { stream: "balances".into(), rows });
        Ok(())
    }

    /// Sequence numbers that have not come for a while.
    pub(super) fn tell_gaps(&mut self, at_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let gaps = self.overdue.tick(at_ms, &mut self.repeats);
        if gaps.is_empty() {
            return Ok(());
        }
        let topics: Vec<&str> = self.decoder.channels().collect();
        let rows = tables::gaps(&gaps, &topics, self.decoder.topics());
        let rows = rows.map_err(|source| rows_error("gaps", source))?;
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.look_at_stream("gaps", &rows, i64::MIN, verdicts, out)?;
        out.push(Emission { stream: "gaps".into(), rows });
        Ok(())
    }

    /// Those of messages. Verdicts that could not be made have the time of the tick that tells them, whenever before it
    /// their rows were looked at.
    pub(super) fn tell_rejects_of_messages(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let rejects = std::mem::take(&mut self.rejects);
        let (waiting, of_messages): (Vec<Reject>, Vec<Reject>) =
            rejects.into_iter().partition(|reject| reject.arrived_ms == NONE);
        self.rejects = of_messages;
        let told = self.tell_rejects(out);
        self.rejects = waiting;
        told
    }

    pub(super) fn tell_rejects(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        if self.rejects.is_empty() {
            return Ok(());
        }
        let mut rejects = std::mem::take(&mut self.rejects);
        for reject in rejects.iter_mut().filter(|reject| reject.arrived_ms == NONE) {
            reject.arrived_ms = self.at_ms;
        }
        // One column of text or bytes holds less than 2 GiB.
        let mut bytes = 0;
        let parts = rejects.chunk_by(|before, next| {
            bytes += next.payload.len() + next.topic.len() + next.detail.len();
            let is_room = bytes < QUARANTINE_BYTES_MAX || before.message == next.message;
            bytes = if is_room { bytes } else { 0 };
            is_room
        });
        for part in parts {
            let rows = tables::quarantine(part, self.decoder.topics())
                .map_err(|source| rows_error("quarantine", source))?;
            out.push(Emission { stream: "quarantine".into(), rows });
        }
        Ok(())
    }

    /// A message that could not even be read as one: it counts, and its bytes go to quarantine.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn refuse(&mut self, reject: Reject, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.counts.messages += 1;
        self.counts.undecodable += 1;
        self.channels.message(Decoded::NO_CHANNEL, false);
        self.rejects.push(reject);
        if self.rejects.len() >= REFUSED_MAX { self.tell_rejects(out) } else { Ok(()) }
    }
}
