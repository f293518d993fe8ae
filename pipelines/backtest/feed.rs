//! History handed over in the order in which it came, or in large pieces where the order of time does not matter.

mod time;

use std::ops::Range;

use self::time::Time;
use crate::config::Config;
use crate::engine::EngineError;
use crate::engine::past::{Mode, Part, Passed, PastRows, Shop};
use crate::history::{BeforeStart, HistoryError, StepRow, StepRows, TelemetryRows};

/// Whoever judges rows of history.
pub(crate) trait Judge {
    /// Readings that count.
    fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError>;
    /// A step event of a bay.
    fn step(&mut self, step: &StepRow, bay: u32, shop: &Shop) -> Result<(), EngineError>;
    /// Time has passed.
    fn tick(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError>;
    /// An epoch has ended.
    fn cut(&mut self, at_ms: i64);
    /// The next second after `at_ms` at which it may have something to say though nothing arrives.
    fn next_deadline_ms(&self, _at_ms: i64) -> Option<i64> {
        None
    }
}

/// Why it went no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Readings and step events of history, on their way to a judge.
pub(crate) struct Feed {
    telemetry: TelemetryRows,
    steps: StepRows,
    shop: Shop,
    time: Time,
    mode: Mode,
    /// What time alone brings and has not brought yet, with the second that does.
    awaited: Vec<(i64, StepRow)>,
    before_start: BeforeStart,
    /// Events that wait for the start that they need, with its message.
    startless: Vec<(u64, StepRow)>,
    /// Rows handed over so far.
    pub rows: u64,
    /// Event times of readings: first and last.
    pub readings_ms: Option<(i64, i64)>,
}

impl Feed {
    /// Of these rows, under the configuration that they were made with.
    pub(crate) fn new(
        telemetry: TelemetryRows,
        (steps, before_start): (StepRows, BeforeStart),
        config: &Config,
        mode: Mode,
    ) -> Self {
        Feed {
            telemetry,
            steps,
            shop: Shop::new(config, mode),
            time: Time::new(&config.engine),
            mode,
            awaited: Vec::new(),
            before_start,
            startless: Vec::new(),
            rows: 0,
            readings_ms: None,
        }
    }

    /// Rows of telemetry's row groups read so far.
    #[must_use]
    pub(crate) fn read(&self) -> u64 {
        self.telemetry.read()
    }

    /// Hands over some more; false at the end.
    ///
    /// # Errors
    /// A file that cannot be read, or what the judge says.
    pub(crate) fn next(&mut self, judge: &mut impl Judge) -> Result<bool, FeedError> {
        let Some(rows) = self.telemetry.next(&mut self.shop)? else { return Ok(false) };
        let times = &rows.readings().ts_ms;
        if let Some((&least, &most)) = times.iter().min().zip(times.iter().max()) {
            let (first, last) = self.readings_ms.unwrap_or((least, most));
            self.readings_ms = Some((first.min(least), last.max(most)));
        }
        self.rows += times.len() as u64;
        match self.mode {
            Mode::AsCorrected => self.corrected(&rows, judge)?,
            Mode::AsArrived => self.arrived(&rows, judge)?,
        }
        Ok(true)
    }

    /// What is left once there are no more readings; the last time is the end of all.
    ///
    /// # Errors
    /// As [`Feed::next`].
    pub(crate) fn end(&mut self, judge: &mut impl Judge) -> Result<(Passed, &Shop), FeedError> {
        while let Some(step) = self.steps.next_before(u64::MAX)? {
            self.step_arrived(step, judge)?;
        }
        self.brought(i64::MAX, judge)?;
        Ok((self.shop.end(), &self.shop))
    }

    /// All rows at once: what closes can wait.
    fn corrected(&mut self, rows: &PastRows, judge: &mut impl Judge) -> Result<(), FeedError> {
        let readings = rows.readings();
        let (Some(&last), Some(&arrived_ms)) = (readings.message.last(), readings.arrived_ms.last()) else {
            return Ok(());
        };
        while let Some(step) = self.steps.next_before(last)? {
            self.step_arrived(step, judge)?;
        }
        self.judge(rows, 0..readings.len(), judge)?;
        self.tick(arrived_ms, judge)?;
        judge.cut(arrived_ms);
        Ok(())
    }

    /// As they came: step events between them, and each second by itself.
    fn arrived(&mut self, rows: &PastRows, judge: &mut impl Judge) -> Result<(), FeedError> {
        let readings = rows.readings();
        let mut next_step = self.steps.next_message()?.unwrap_or(u64::MAX);
        let mut start = 0;
        for row in 0..readings.len() {
            let (message, arrived_ms) = (readings.message[row], readings.arrived_ms[row]);
            if next_step < message {
                self.judge(rows, start..row, judge)?;
                start = row;
                while let Some(step) = self.steps.next_before(message)? {
                    self.step_arrived(step, judge)?;
                }
                next_step = self.steps.next_message()?.unwrap_or(u64::MAX);
            }
            if self.time.is_due(arrived_ms) {
                self.judge(rows, start..row, judge)?;
                start = row;
                self.pass(arrived_ms, judge)?;
            }
        }
        self.judge(rows, start..readings.len(), judge)
    }

    fn judge(
        &mut self,
        rows: &PastRows,
        range: Range<usize>,
        judge: &mut impl Judge,
    ) -> Result<(), FeedError> {
        if range.is_empty() {
            return Ok(());
        }
        let part = rows.part(range.clone(), &self.shop);
        judge.rows(&part, &self.shop)?;
        self.shop.heard(rows, range);
        Ok(())
    }

    /// What time alone brings stands where the message does that it follows from, and waits until its time has come. What came
    /// before the start that it needs was heard then, and is told now that this has come.
    fn step_arrived(&mut self, step: StepRow, judge: &mut impl Judge) -> Result<(), FeedError> {
        if step.event().is_none() {
            // An over-run is told by the second after it, what becomes of jobs at a second.
            let behind_ms = if step.is_overrun() { step.ts_ms + 1 } else { step.ts_ms };
            self.awaited.push((-(-behind_ms).div_euclid(1000) * 1000, step));
            return Ok(());
        }
        if self.mode == Mode::AsArrived {
            self.pass(step.arrived_ms, judge)?;
            if let Some(&start) = self.before_start.get(&(step.message, step.index)) {
                let bay = self.shop.bay_of_step(&step);
                self.shop.heard_step(bay, &step);
                self.startless.push((start, step));
                return Ok(());
            }
        }
        self.step(&step, judge)?;
        let now = |(start, _): &mut (u64, StepRow)| *start == step.message;
        for (_, waited) in self.startless.extract_if(.., now) {
            self.rows += 1;
            let bay = self.shop.bay_of_step(&waited);
            judge.step(&waited, bay, &self.shop)?;
        }
        Ok(())
    }

    /// Hands over what its time has come of by `at_ms`; gives the bays of over-runs.
    fn brought(&mut self, at_ms: i64, judge: &mut impl Judge) -> Result<Vec<u32>, FeedError> {
        let mut due: Vec<(i64, StepRow)> =
            self.awaited.extract_if(.., |(second_ms, _)| *second_ms <= at_ms).collect();
        due.sort_by_key(|(_, step)| step.ts_ms);
        due.iter().try_for_each(|(_, step)| self.step(step, judge))?;
        let overran = due.iter().filter(|(_, step)| step.is_overrun());
        Ok(overran.map(|(_, step)| self.shop.bay_of_step(step)).collect())
    }

    /// The second `at_ms` has passed.
    fn tick(&mut self, at_ms: i64, judge: &mut impl Judge) -> Result<(), FeedError> {
        let mut passed = self.shop.tick(at_ms);
        let overran = self.brought(at_ms, judge)?;
        self.shop.show(overran, &mut passed);
        Ok(judge.tick(&passed, &self.shop)?)
    }

    fn step(&mut self, step: &StepRow, judge: &mut impl Judge) -> Result<(), FeedError> {
        self.rows += 1;
        let bay = self.shop.bay_of_step(step);
        judge.step(step, bay, &self.shop)?;
        self.shop.heard_step(bay, step);
        Ok(())
    }

    /// The seconds before what arrives now.
    fn pass(&mut self, arrived_ms: i64, judge: &mut impl Judge) -> Result<(), FeedError> {
        let Some((first_ms, last_ms, is_cut)) = self.time.pass(arrived_ms) else { return Ok(()) };
        let mut at_ms = first_ms;
        loop {
            self.tick(at_ms, judge)?;
            let awaited_ms = self.awaited.iter().map(|(second_ms, _)| *second_ms).min();
            let deadlines = [self.shop.next_deadline_ms(at_ms), judge.next_deadline_ms(at_ms), awaited_ms];
            match deadlines.into_iter().flatten().min() {
                Some(next_ms) if next_ms <= last_ms => at_ms = next_ms,
                _ => break,
            }
        }
        if is_cut {
            self.shop.forget();
            judge.cut(last_ms);
        }
        Ok(())
    }
}
