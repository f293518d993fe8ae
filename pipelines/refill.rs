//! Windows of rules that are new, read out of the exports: what they would hold had the rules been there before.
//!
//! Whole hours are read, and each is held against what the engine has told of it, so that windows which lack a reading are
//! known.

use std::path::Path;

use crate::analyst::Still;
use crate::backtest::feed::{Feed, FeedError, Judge};
use crate::config::Config;
use crate::engine::EngineError;
use crate::engine::past::{Mode, Part, Passed, PastWindows, Shop, hour_of};
use crate::engine::switch::filling::{Filled, Filling};
use crate::history::{
    BeforeStart, HistoryError, Span, StepRow, StepRows, StepRuns, StreamFiles, TelemetryRows,
};
use crate::schema::{STEPS, TELEMETRY};

/// Some minutes of reading.
const ROWS_MAX: u64 = 500_000_000;

/// Why history does not fill windows.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{rows} rows would have to be read, and at most {ROWS_MAX} are")]
    TooMany { rows: u64 },
    #[error("the service ends")]
    Stopped,
}

impl From<FeedError> for RefillError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::History(error) => RefillError::History(error),
            FeedError::Engine(error) => RefillError::Engine(error),
        }
    }
}

/// What the exports in `folder` tell of the windows that `filling` waits for, and how many rows that took. `is_over` is asked
/// every some ten thousand rows.
///
/// # Errors
/// A file that cannot be read, or more than can be.
pub(crate) fn read(
    filling: &Filling,
    config: &Config,
    folder: &Path,
    is_over: impl Fn() -> bool,
) -> Result<(Filled, u64), RefillError> {
    let waits = |name: &String| filling.rules.contains(name);
    let rules: Vec<_> = config.rules.iter().filter(|rule| waits(&rule.name)).cloned().collect();
    let mut windows = PastWindows::new(&rules, config, filling.until_message)?;
    let still = Still::of(folder);
    let folder = still.as_ref().map_or(folder, Still::folder);
    let span = Span { from_ms: hour_of(filling.from_ms), to_ms: i64::MAX };
    let telemetry = StreamFiles::find(folder, "telemetry", &TELEMETRY, "ts", span, None)?;
    // A step may have begun long before.
    let steps = StreamFiles::find(folder, "steps", &STEPS, "ts", Span::ALL, None)?;
    if telemetry.rows() > ROWS_MAX {
        return Err(RefillError::TooMany { rows: telemetry.rows() });
    }
    let telemetry = TelemetryRows::new(telemetry, &windows.telemetry_columns(), StepRuns::read(steps)?);
    let no_steps = (StepRows::new(StreamFiles::default()), BeforeStart::default());
    let mut feed = Feed::new(telemetry, no_steps, config, Mode::AsCorrected);
    while !windows.is_over && feed.next(&mut windows)? {
        if is_over() {
            return Err(RefillError::Stopped);
        }
    }
    let rows = feed.rows;
    let (_, shop) = feed.end(&mut windows)?;
    let opens_ms = filling.told.whole_from(filling.from_ms, &windows.read).max(filling.from_ms);
    Ok((Filled { opens_ms, windows: windows.states(shop)?, without: Vec::new() }, rows))
}

impl Judge for PastWindows {
    fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        PastWindows::rows(self, part, shop)
    }

    fn step(&mut self, _: &StepRow, _: u32, _: &Shop) -> Result<(), EngineError> {
        Ok(())
    }

    fn tick(&mut self, _: &Passed, _: &Shop) -> Result<(), EngineError> {
        Ok(())
    }

    fn cut(&mut self, _: i64) {}
}
