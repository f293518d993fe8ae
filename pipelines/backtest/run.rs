//! One pass over history for both configurations.

mod input;
mod notes;
mod time;

use std::collections::BTreeMap;

use self::input::{Input, Rules};
use self::time::Time;
use super::difference::compare;
use super::outcome::Outcomes;
use super::report::Side;
use super::{BacktestError, Mode, Outcome, Progress, Report, Request, stored};
use crate::engine::past::{PastRows, Shop, Trial};
use crate::history::{StepRow, StepRows, TelemetryRows, usage};
use crate::plan::Stream;

/// A backtest that runs.
pub(super) struct Run<'a> {
    request: Request<'a>,
    rules: Rules,
    /// Of rules that both have, only the old one, only the new one.
    tried: [Tried; 3],
    input: Input,
    shop: Shop,
    time: Time,
    rows: u64,
    readings_ms: Option<(i64, i64)>,
}

/// Some rules, and what they have raised.
struct Tried {
    trial: Trial,
    outcomes: Outcomes,
}

impl<'a> Run<'a> {
    /// Compiles the rules and finds the files.
    pub(super) fn new(request: Request<'a>) -> Result<Self, BacktestError> {
        let rules = Rules::new(&request)?;
        let settings = &request.old.engine;
        let tried = |rules: &[crate::config::RuleSettings]| -> Result<Tried, BacktestError> {
            let trial = Trial::new(rules, settings, request.mode)?;
            Ok(Tried { trial, outcomes: Outcomes::default() })
        };
        let tried = [tried(&rules.shared)?, tried(&rules.old)?, tried(&rules.new)?];
        let input = Input::find(&request, &rules, tried.each_ref().map(|tried| &tried.trial))?;
        Ok(Run {
            request,
            rules,
            tried,
            input,
            shop: Shop::new(settings, request.mode),
            time: Time::new(settings),
            rows: 0,
            readings_ms: None,
        })
    }

    /// Judges all rows.
    pub(super) fn to_end(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Report, BacktestError> {
        let Input { telemetry, steps, usage, columns, rows: all_rows } = std::mem::take(&mut self.input);
        let mut telemetry = TelemetryRows::new(telemetry, &columns);
        let mut steps = StepRows::new(steps);
        while let Some(rows) = telemetry.next(&mut self.shop)? {
            let times = &rows.readings().ts_ms;
            let bounds = times.iter().min().zip(times.iter().max());
            if let Some((&least, &most)) = bounds {
                let (first, last) = self.readings_ms.unwrap_or((least, most));
                self.readings_ms = Some((first.min(least), last.max(most)));
            }
            self.rows += times.len() as u64;
            match self.request.mode {
                Mode::AsCorrected => self.corrected(&rows, &mut steps)?,
                Mode::AsArrived => self.arrived(&rows, &mut steps)?,
            }
            let exceptions = self.tried.iter().map(|tried| tried.outcomes.len()).sum();
            progress(Progress { read: telemetry.read(), rows: all_rows, exceptions });
        }
        while let Some(step) = steps.next_before(u64::MAX)? {
            self.step(&step)?;
        }
        let passed = self.shop.end();
        for tried in &mut self.tried {
            tried.trial.end(&passed, &self.shop)?;
        }
        let mut failed = None;
        usage::each_batch(usage, |rows| {
            self.rows += rows.num_rows() as u64;
            for tried in self.tried.iter_mut().filter(|tried| tried.trial.reads(Stream::Usage)) {
                failed = failed.take().or(tried.trial.usage(rows).err());
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.collect()?;
        if self.rows == 0 {
            return Err(input::empty_span(&self.request));
        }
        self.report()
    }

    /// All rows at once: what closes can wait.
    fn corrected(&mut self, rows: &PastRows, steps: &mut StepRows) -> Result<(), BacktestError> {
        let readings = rows.readings();
        let (Some(&last), Some(&arrived_ms)) = (readings.message.last(), readings.arrived_ms.last()) else {
            return Ok(());
        };
        while let Some(step) = steps.next_before(last)? {
            self.step(&step)?;
        }
        self.judge(rows, 0..readings.len())?;
        self.tick(arrived_ms)?;
        self.tried.iter_mut().for_each(|tried| tried.trial.forget(arrived_ms));
        Ok(())
    }

    /// As they came: step events between them, and each second by itself.
    fn arrived(&mut self, rows: &PastRows, steps: &mut StepRows) -> Result<(), BacktestError> {
        let readings = rows.readings();
        let mut next_step = steps.next_message()?.unwrap_or(u64::MAX);
        let mut start = 0;
        for row in 0..readings.len() {
            let (message, arrived_ms) = (readings.message[row], readings.arrived_ms[row]);
            if next_step < message {
                self.judge(rows, start..row)?;
                start = row;
                while let Some(step) = steps.next_before(message)? {
                    self.pass(step.arrived_ms)?;
                    self.step(&step)?;
                }
                next_step = steps.next_message()?.unwrap_or(u64::MAX);
            }
            if self.time.is_due(arrived_ms) {
                self.judge(rows, start..row)?;
                start = row;
                self.pass(arrived_ms)?;
            }
        }
        self.judge(rows, start..readings.len())
    }

    fn judge(&mut self, rows: &PastRows, range: std::ops::Range<usize>) -> Result<(), BacktestError> {
        if range.is_empty() {
            return Ok(());
        }
        let part = rows.part(range.clone(), &self.shop);
        for tried in self.tried.iter_mut().filter(|tried| tried.trial.reads(Stream::Telemetry)) {
            tried.trial.rows(&part, &self.shop)?;
        }
        self.shop.heard(rows, range);
        Ok(())
    }

    fn step(&mut self, step: &StepRow) -> Result<(), BacktestError> {
        self.rows += 1;
        let bay = self.shop.bay(&step.site, &step.bay);
        for tried in self.tried.iter_mut().filter(|tried| tried.trial.reads(Stream::Steps)) {
            tried.trial.steps(&step.row, bay, &self.shop)?;
        }
        self.shop.heard_step(bay, step.ts_ms, step.arrived_ms);
        Ok(())
    }

    /// The seconds before what arrives now.
    fn pass(&mut self, arrived_ms: i64) -> Result<(), BacktestError> {
        let Some((first_ms, last_ms, is_cut)) = self.time.pass(arrived_ms) else { return Ok(()) };
        let mut at_ms = first_ms;
        loop {
            self.tick(at_ms)?;
            match self.shop.next_deadline_ms(at_ms) {
                Some(next_ms) if next_ms <= last_ms => at_ms = next_ms,
                _ => break,
            }
        }
        if is_cut {
            self.tried.iter_mut().for_each(|tried| tried.trial.forget(last_ms));
        }
        Ok(())
    }

    fn tick(&mut self, at_ms: i64) -> Result<(), BacktestError> {
        let passed = self.shop.tick(at_ms);
        for tried in &mut self.tried {
            tried.trial.tick(&passed, &self.shop)?;
        }
        self.collect()
    }

    fn collect(&mut self) -> Result<(), BacktestError> {
        for tried in &mut self.tried {
            let changes = tried.trial.take_changes();
            tried.outcomes.take(changes, self.request.from_ms, self.request.to_ms)?;
        }
        Ok(())
    }

    fn report(self) -> Result<Report, BacktestError> {
        let notes = notes::notes(&self.request, &self.rules, self.tried.each_ref().map(|tried| &tried.trial));
        let Run { request, rules, tried, rows, readings_ms, .. } = self;
        let is_last_word = request.mode == Mode::AsCorrected;
        let [shared, old, new] = tried.map(|tried| tried.outcomes.into_all(is_last_word));
        let stored = match request.mode {
            Mode::AsCorrected => None,
            Mode::AsArrived => {
                let all = shared.iter().chain(&old);
                let all: BTreeMap<String, Outcome> =
                    all.map(|(id, outcome)| (id.clone(), outcome.clone())).collect();
                stored::compare(&request, &[rules.shared.as_slice(), &rules.old].concat(), all)?
            }
        };
        let (differences, cells) = compare(old, new, &shared);
        Ok(Report {
            mode: request.mode,
            old: Side::new(request.old, rules.shared.len() + rules.old.len()),
            new: Side::new(request.new, rules.shared.len() + rules.new.len()),
            from_ms: request.from_ms,
            to_ms: request.to_ms,
            readings_ms,
            rows,
            differences,
            cells,
            stored,
            notes,
        })
    }
}
