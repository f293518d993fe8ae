//! What is to be known beside the figures.

use super::super::{Mode, Request};
use super::rules::Rules;
use crate::config::EngineSettings;
use crate::engine::past::Trial;

/// Notes on a backtest that is done.
pub(super) fn notes(request: &Request<'_>, rules: &Rules, trials: [&Trial; 3]) -> Vec<String> {
    let mut notes = Vec::new();
    if !rules.shared.rules.is_empty() {
        notes.push(format!(
            "{} rules are the same in both configurations and were judged once",
            rules.shared.rules.len()
        ));
    }
    if !rules.of_silence.is_empty() {
        notes.push(format!(
            "rules over silence and what is held go by when rows arrived; --mode as-arrived tries them: {}",
            rules.of_silence.join(", ")
        ));
    }
    if !is_same_time(&request.old.engine, &request.new.engine) {
        notes.push(
            "the settings of time in [engine] differ: lateness was decided when history was made, and both were \
             tried under those of --against"
                .into(),
        );
    }
    if request.old.calendars != request.new.calendars {
        notes.push("the calendars differ: both were tried under those of --against".into());
    }
    if request.mode == Mode::AsArrived {
        notes.push(
            "history keeps neither the first looks of the instant lane (exceptions that were taken back as \
             `rejoined`, or raised late) nor messages without rows (bookings as they came, job cards, repeats), \
             which kept bays from falling silent; and its end is judged as the end of a recording is"
                .into(),
        );
    }
    if request.mode == Mode::AsArrived && rules.any_of_silence() {
        notes.push(
            "history does not tell when the service was not running, and whoever was not heard then counts as silent"
                .into(),
        );
    }
    if request.from_ms.is_some() {
        notes.push(
            "rows of two windows before --from were judged as well, so that what goes on at that time is not \
             raised anew"
                .into(),
        );
    }
    if request.to_ms.is_some() {
        notes.push("what was still going on at --to stands as active".into());
    }
    for (trial, of) in trials.into_iter().zip(["rules of both", "the old rules", "the new rules"]) {
        if let Some(failure) = &trial.failure {
            notes.push(format!(
                "{of}: {} rows or windows could not be judged; the first: {failure}",
                trial.failed
            ));
        }
        if trial.missed > 0 {
            notes.push(format!(
                "{of}: {} times a row came too late for a window that had been judged, and is in none",
                trial.missed
            ));
        }
    }
    notes
}

fn is_same_time(old: &EngineSettings, new: &EngineSettings) -> bool {
    let times = |settings: &EngineSettings| {
        (
            (settings.lateness, settings.correction_horizon, settings.idle, settings.idle_final),
            (settings.sites.clone(), settings.kinds.clone()),
        )
    };
    times(old) == times(new)
}
