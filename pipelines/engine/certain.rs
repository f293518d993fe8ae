//! What the watermark has passed is certain: telemetry with its step, bookings, step events, usage, checks, what meters
//! showed.

use std::sync::Arc;

use sinks::emission::Emission;

use super::balances::{Balance, MeterDay};
use super::block::{BLOCK_ROWS, Block, Lateness, Rows, Stretch};
use super::hold::Released;
use super::join::Booked;
use super::ledger::Day;
use super::rules::Verdicts;
use super::usage::{Due, Metered, Subject};
use super::{Engine, EngineError, expected, rows_error, steps, tables, workshop};

/// Rows that are joined and told at a time, or those of one stretch: what a whole fleet's backlog lets go would take its
/// memory several times at once.
const PART_ROWS: usize = 8 * BLOCK_ROWS;

impl Engine {
    /// The given bays have come this far: rows, step events and bookings before it are certain.
    pub(super) fn pass(&mut self, until: &[(u32, i64)], out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let released = self.hold.release(until.iter().copied());
        if released.rows > 0 {
            self.certain(&released, out)?;
        }
        self.recycle(released.blocks);
        self.tell_certain(until, out)
    }

    /// Bookings, step events and books that are certain by now.
    pub(super) fn tell_certain(
        &mut self,
        until: &[(u32, i64)],
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let mut others = self.usage.take_amended();
        if !self.bookings.is_empty() {
            others.extend(self.book(until));
        }
        for &(bay, until_ms) in until {
            self.tell_steps(bay, until_ms, out)?;
            self.tell_books(bay, out)?;
            self.tell_balances(bay, until_ms == i64::MAX, out)?;
            others.remove(&bay);
        }
        self.infer();
        others.into_iter().try_for_each(|bay| self.tell_books(bay, out))
    }

    /// Rows whose step is certain: telemetry, what goes into books, the second look, windows that need steps.
    pub(super) fn certain(
        &mut self,
        released: &Released,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let blocks: Vec<&Block> = released.blocks.iter().map(Arc::as_ref).collect();
        self.look_out();
        let mut booked = Vec::new();
        for stretches in parts(&released.stretches) {
            booked.extend(self.certain_part(&blocks, stretches, out)?);
        }
        self.gather(&blocks, &booked);
        self.book_readings(&blocks, booked);
        Ok(())
    }

    /// Rows of these stretches; gives back what goes into books.
    fn certain_part(
        &mut self,
        blocks: &[&Block],
        stretches: &[Stretch],
        out: &mut Vec<Emission>,
    ) -> Result<Vec<Booked>, EngineError> {
        let table = self.decoder.series();
        let usage = &self.usage;
        let is_booked = |series, is_expected| is_expected || usage.is_metered(series);
        let lookout = &self.lookout;
        let is_evidence = |block: &Block, row| lookout.wants(block, row);
        let steps = &mut self.steps;
        let (mut joined, booked) = self.joiner.join(blocks, stretches, steps, table, is_booked, is_evidence);
        let known = (usage, self.decoder.units());
        expected::resources(&mut joined, &booked, blocks, &mut self.steps, known);
        for run in &joined.runs {
            self.steps.bay_mut(run.bay).runs[run.run].is_joined = true;
        }
        let rows = Rows { blocks, stretches, at: None, names: &self.names, joined: Some(&joined) };
        let times_ms = |stretch: &Stretch| &blocks[stretch.block].readings.ts_ms[stretch.from..stretch.to];
        self.told.count(stretches.iter().flat_map(times_ms).copied());
        let told = if self.tells_telemetry { &self.all_columns } else { self.rules.certain_columns() };
        let told = &told.to_vec();
        let batch = rows.batch(told).map_err(|source| rows_error("telemetry", source))?;
        // Late rows are told, and neither judged nor folded: a batch over history leaves them out as well.
        let parts = rows.has_late().then(|| (rows.of_lateness(true), rows.of_lateness(false)));
        let (rows, judged) = match &parts {
            None => (rows, batch.clone()),
            Some((late, in_time)) => {
                let late = Rows { at: Some(late), ..rows };
                let late = late.batch(&self.all_columns).map_err(|source| rows_error("late", source))?;
                out.push(Emission { stream: "late".into(), rows: late });
                let rows = Rows { at: Some(in_time), ..rows };
                (rows, rows.batch(told).map_err(|source| rows_error("telemetry", source))?)
            }
        };
        if rows.len() > 0 {
            let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
            self.rules.look_when_certain(rows, (&judged, told), &self.bays, table, verdicts, out)?;
            self.counts.windows_missed += self.rules.fold_joined(rows, table, &mut self.rejects)?;
        }
        if self.tells_telemetry {
            out.push(Emission { stream: "telemetry".into(), rows: batch });
        }
        self.joiner.recycle(joined);
        Ok(booked)
    }

    /// Readings of consumption, and those that their step expects, into the books, in event time.
    fn book_readings(&mut self, blocks: &[&Block], mut booked: Vec<Booked>) {
        let place = |booked: &Booked| {
            let readings = &blocks[booked.stretch_block].readings;
            (booked.ts_ms, readings.message[booked.row], readings.index[booked.row])
        };
        booked.sort_by_key(place);
        for Booked { at: _, ts_ms, stretch_block, row, run, is_expected } in booked {
            let block = blocks[stretch_block];
            if block.lateness[row] == Lateness::Late as u8 {
                continue;
            }
            let (series, value) = (block.readings.series[row], block.readings.value[row]);
            let unit = self.decoder.units().code(block.readings.unit[row]);
            let (tags, bay) = (block.tags_of(row), block.bay[row]);
            let at = (ts_ms, block.readings.message[row]);
            let names = self.decoder.series().get(series);
            let site: Arc<str> = names.site.as_ref().into();
            let run = run.map(|run| &self.steps.bay_mut(bay).runs[run]);
            if let Some(run) = run.filter(|_| is_expected) {
                let subject = Subject::of_reading(&names.metric, tags);
                self.usage.check(&site, bay, run, subject, (value, unit));
            }
            if value.is_nan() || !self.usage.is_metered(series) {
                continue;
            }
            let Some(metered) = self.usage.measure(series, at, value, unit, tags) else { continue };
            let Metered { kind, resource, unit, shown, used } = metered;
            let quantity = used.as_ref().map(|used| used.quantity);
            let written = used
                .as_ref()
                .zip(run)
                .map(|(used, run)| self.usage.write(&site, bay, run, used, self.decoder.units()));
            // No step was active, or the resource is booked in a unit of another kind. The reading itself is in
            // `telemetry` either way.
            let is_booked = matches!(written, Some(Ok(())));
            let unassigned = used.filter(|_| !is_booked);
            self.counts.usage_unassigned += u64::from(unassigned.is_some());
            let (started_ms, ended_ms) = self.days.window_ms(bay, ts_ms, self.decoder.series());
            let of_ledger = Day { started_ms, resource: resource.clone(), unit: unit.clone() };
            let day = MeterDay { site, resource, unit, started_ms, series };
            let fresh = Balance::new(kind, bay, ended_ms);
            let write = |balance: &mut Balance| balance.write(shown, quantity, is_booked);
            if !self.balances.take(day, fresh, write) {
                self.counts.balances_missed += 1;
            } else if let Some(used) = unassigned.filter(|used| used.quantity != 0.0) {
                self.unassigned.take(bay, of_ledger, ended_ms, &used);
            }
        }
    }

    pub(super) fn tell_steps(
        &mut self,
        bay: u32,
        until_ms: i64,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        // A bay that has fallen silent waits for nothing more: what time alone brings comes with the clock.
        let overran_before_ms = if until_ms == i64::MAX { self.at_ms } else { until_ms };
        let told = self.steps.bay_mut(bay).tell(until_ms, overran_before_ms);
        if told.is_empty() {
            return Ok(());
        }
        let (site, bay_name) = self.decoder.series().bays()[bay as usize].clone();
        let site_shared: Arc<str> = site.as_ref().into();
        let (stray, told): (Vec<_>, Vec<_>) = told.into_iter().partition(steps::Told::is_stray);
        for stray in stray {
            self.take_back(tables::stray_reject(&bay_name, &stray));
        }
        for told in &told {
            use ingest::readings::StepEventKind::{Failed, Finished, Started};
            if told.record.is_imported {
                continue;
            }
            if told.record.event == Started {
                self.evidence.push(workshop::started(&site, &bay_name, &told.record));
            }
            if let (Some(run), Finished | Failed) = (&told.run, told.record.event) {
                let plan = self.steps.newest_plan(&site, run);
                self.usage.finish(&site_shared, bay, run, plan.as_deref(), told.record.ts_ms);
                for started_ms in self.steps.bay_mut(bay).starts_of(run) {
                    self.rules.end_run(bay, started_ms, told.record.ts_ms);
                }
                self.functions.take(workshop::finished(&site, run, told.record.ts_ms));
            }
        }
        if told.is_empty() {
            return Ok(());
        }
        let mut told = told;
        for told in &mut told {
            told.facts = self.steps.facts(&site, told, self.calendars.of(&site));
        }
        // What is imported is history: it is told, and nobody judges it.
        let (imported, told): (Vec<_>, Vec<_>) = told.into_iter().partition(|told| told.record.is_imported);
        for (told, is_judged) in [(imported, false), (told, true)] {
            if told.is_empty() {
                continue;
            }
            let batch =
                tables::steps(&site, &bay_name, &told).map_err(|source| rows_error("steps", source))?;
            match is_judged {
                true => self.tell_judged_steps(batch, bay, out)?,
                false => out.push(Emission { stream: "steps".into(), rows: batch }),
            }
        }
        Ok(())
    }

    fn tell_books(&mut self, bay: u32, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let billing = &self.config.functions.billing;
        let mut due = self.usage.due(bay, self.bays.frontier_ms(bay), billing);
        if due.is_empty() {
            return Ok(());
        }
        let postings: Vec<_> = due.iter_mut().flat_map(|due| std::mem::take(&mut due.postings)).collect();
        due.retain(Due::says_amounts_or_checks);
        let bay_name = self.decoder.series().bays()[bay as usize].1.clone();
        self.live.booked(&bay_name, &due);
        due.iter().for_each(|due| self.functions.take(workshop::booked(due)));
        let usage = tables::usage(&bay_name, &due).map_err(|source| rows_error("usage", source))?;
        let checks = tables::checks(&bay_name, &due).map_err(|source| rows_error("checks", source))?;
        for (stream, batch) in [("usage", usage), ("checks", checks)] {
            if let Some(rows) = batch {
                self.look_at_stream(stream, &rows, bay, out)?;
                out.push(Emission { stream: stream.into(), rows });
            }
        }
        self.tell_ledger(bay, &postings, out)
    }
}

/// The stretches in their order, so many together that they have about [`PART_ROWS`] rows.
fn parts(stretches: &[Stretch]) -> impl Iterator<Item = &[Stretch]> {
    let mut rest = stretches;
    std::iter::from_fn(move || {
        let mut rows = 0;
        let is_more = |stretch: &&Stretch| {
            let before = rows;
            rows += stretch.to - stretch.from;
            before == 0 || rows <= PART_ROWS
        };
        let count = rest.iter().take_while(is_more).count();
        (count > 0).then(|| rest.split_off(..count).expect("there are so many"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_told_in_parts_that_have_each_row_once_and_in_order() {
        let stretch = |block, rows| Stretch { block, from: 0, to: rows };
        let all: Vec<Stretch> = (0..40).map(|block| stretch(block, BLOCK_ROWS / 2 + block)).collect();
        let rows = |part: &[Stretch]| part.iter().map(|stretch| stretch.to - stretch.from).sum::<usize>();
        let found: Vec<&[Stretch]> = parts(&all).collect();
        assert_eq!(found.concat(), all);
        assert!(found.len() > 2 && found.iter().all(|part| rows(part) <= PART_ROWS));
        let huge = [stretch(0, 3 * PART_ROWS), stretch(1, 1), stretch(2, PART_ROWS)];
        assert_eq!(parts(&huge).map(rows).collect::<Vec<_>>(), [3 * PART_ROWS, 1, PART_ROWS]);
        assert_eq!(parts(&[]).count(), 0);
    }
}
