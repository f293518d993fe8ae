//! One pass over history for both configurations.

mod input;
mod notes;
mod rules;

use std::collections::BTreeMap;

use self::input::Input;
use self::rules::{Chosen, Rules};
use super::difference::compare;
use super::feed::{Feed, FeedError, Judge};
use super::outcome::Outcomes;
use super::report::Side;
use super::{BacktestError, Mode, Outcome, Progress, Report, Request, stored};
use crate::engine::EngineError;
use crate::engine::past::{Exception, Part, Passed, Shop, Trial};
use crate::history::{StepRow, StepRows, StepRuns, TelemetryRows, booked};
use crate::plan::Stream;

/// A backtest that runs.
pub(super) struct Run<'a> {
    request: Request<'a>,
    rules: Rules,
    tried: AllTried,
    input: Input,
}

/// Rules that both have, those of the old one, those of the new one.
struct AllTried([Tried; 3]);

/// Some rules, and what they have raised.
struct Tried {
    trial: Trial,
    outcomes: Outcomes,
    /// Names of rules whose exceptions are not told here.
    beside: Vec<String>,
    /// Bounds of the times of raising that count.
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

impl Judge for AllTried {
    fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        let mut reading = self.0.iter_mut().filter(|tried| tried.trial.reads(Stream::Telemetry));
        reading.try_for_each(|tried| tried.trial.rows(part, shop))
    }

    fn step(&mut self, step: &StepRow, bay: u32, shop: &Shop) -> Result<(), EngineError> {
        let mut reading = self.0.iter_mut().filter(|tried| tried.trial.reads(Stream::Steps));
        reading.try_for_each(|tried| tried.trial.steps(&step.row, bay, shop))
    }

    fn tick(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError> {
        self.0.iter_mut().try_for_each(|tried| tried.trial.tick(passed, shop))?;
        self.0.iter_mut().for_each(Tried::collect);
        Ok(())
    }

    fn cut(&mut self, at_ms: i64) {
        self.0.iter_mut().for_each(|tried| tried.trial.forget(at_ms));
    }

    fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        self.0.iter().filter_map(|tried| tried.trial.next_deadline_ms(at_ms)).min()
    }
}

impl Tried {
    fn collect(&mut self) {
        let mut changes: Vec<Exception> = self.trial.take_changes();
        changes.retain(|change| !self.beside.iter().any(|name| **name == *change.rule));
        self.outcomes.take(changes, self.from_ms, self.to_ms);
    }
}

impl<'a> Run<'a> {
    /// Compiles the rules and finds the files.
    pub(super) fn new(request: Request<'a>) -> Result<Self, BacktestError> {
        let rules = Rules::new(&request)?;
        let tried = |rules: &Chosen| -> Result<Tried, BacktestError> {
            let trial = Trial::new(&rules.all(), request.old, request.mode)?;
            let beside = rules.beside.iter().map(|rule| rule.name.clone()).collect();
            let Request { from_ms, to_ms, .. } = request;
            Ok(Tried { trial, outcomes: Outcomes::default(), beside, from_ms, to_ms })
        };
        let tried = [tried(&rules.shared)?, tried(&rules.old)?, tried(&rules.new)?];
        let input = Input::find(&request, &rules, tried.each_ref().map(|tried| &tried.trial))?;
        Ok(Run { request, rules, tried: AllTried(tried), input })
    }

    /// Judges all rows.
    pub(super) fn finish(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Report, BacktestError> {
        let Input { telemetry, steps, booked, columns, rows } = std::mem::take(&mut self.input);
        let mut runs = StepRuns::read(steps.clone())?;
        let steps = (StepRows::new(steps), runs.take_before_start());
        let telemetry = TelemetryRows::new(telemetry, &columns, runs);
        let mut feed = Feed::new(telemetry, steps, self.request.old, self.request.mode);
        while feed.next(&mut self.tried)? {
            let outcomes = || self.tried.0.iter().map(|tried| &tried.outcomes);
            outcomes().try_for_each(Outcomes::check)?;
            let exceptions = outcomes().map(Outcomes::len).sum();
            progress(Progress { read: feed.read(), rows, exceptions });
        }
        let (passed, shop) = feed.end(&mut self.tried)?;
        self.tried.0.iter_mut().try_for_each(|tried| tried.trial.end(&passed, shop))?;
        let (mut rows_booked, mut failed) = (0, None);
        for (stream, files) in booked {
            booked::each_batch(stream, files, |rows| {
                rows_booked += rows.num_rows() as u64;
                for tried in self.tried.0.iter_mut().filter(|tried| tried.trial.reads(stream)) {
                    failed = failed.take().or(tried.trial.booked(stream, rows).err());
                }
            })?;
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.tried.0.iter_mut().for_each(Tried::collect);
        self.tried.0.iter().try_for_each(|tried| tried.outcomes.check())?;
        if feed.rows + rows_booked == 0 {
            return Err(input::empty_span(&self.request));
        }
        self.report(feed.rows + rows_booked, feed.readings_ms)
    }

    fn report(self, rows: u64, readings_ms: Option<(i64, i64)>) -> Result<Report, BacktestError> {
        let notes =
            notes::notes(&self.request, &self.rules, self.tried.0.each_ref().map(|tried| &tried.trial));
        let Run { request, rules, tried: AllTried(tried), .. } = self;
        let is_last_word = request.mode == Mode::AsCorrected;
        let [shared, old, new] = tried.map(|tried| tried.outcomes.into_all(is_last_word));
        let stored = match request.mode {
            Mode::AsCorrected => None,
            Mode::AsArrived => {
                let all = shared.iter().chain(&old);
                let all: BTreeMap<String, Outcome> =
                    all.map(|(id, outcome)| (id.clone(), outcome.clone())).collect();
                stored::compare(&request, &[rules.shared.rules.as_slice(), &rules.old.rules].concat(), all)?
            }
        };
        let (differences, cells) = compare(old, new, &shared);
        Ok(Report {
            mode: request.mode,
            old: Side::new(request.old, rules.shared.rules.len() + rules.old.rules.len()),
            new: Side::new(request.new, rules.shared.rules.len() + rules.new.rules.len()),
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

impl From<FeedError> for BacktestError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::History(error) => BacktestError::History(error),
            FeedError::Engine(error) => BacktestError::Engine(error),
        }
    }
}
