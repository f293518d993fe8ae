//! Whether the old configuration raises what history says was raised.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Outcome, Request};
use crate::config::RuleSettings;
use crate::history::exceptions::each_state;
use crate::history::{HistoryError, Span};

/// The old configuration's exceptions against those in history, of rules of the same version.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Exceptions that history has of these rules.
    pub exceptions: u64,
    /// With the same id, raised and cleared.
    pub same: u64,
    /// Raised on arrival, and taken back or raised when their step was known: history has no first looks.
    pub of_first_look: u64,
    /// Ids that only history has, only the backtest has, and that both have with other times.
    pub only_stored: Vec<String>,
    pub only_here: Vec<String>,
    pub other: Vec<String>,
    /// Of rules that have another version in history.
    pub other_version: u64,
}

/// Holds `outcomes` of the old configuration's `rules` against history; none if it has no exceptions.
pub(super) fn compare(
    request: &Request<'_>,
    rules: &[RuleSettings],
    mut outcomes: BTreeMap<String, Outcome>,
) -> Result<Option<Stored>, HistoryError> {
    let told = last_states(request.history, rules, request)?;
    if told.is_empty() {
        return Ok(None);
    }
    let mut stored = Stored::default();
    for (outcome, version) in told.into_values() {
        let Some(rule) = rules.iter().find(|rule| rule.name == outcome.rule) else { continue };
        let here = outcomes.remove(&outcome.id);
        if rule.version != version {
            stored.other_version += 1;
            continue;
        }
        stored.exceptions += 1;
        let is_of_first_look = outcome.is_taken_back || outcome.is_late_join;
        match here {
            Some(here) if times(&here) == times(&outcome) => stored.same += 1,
            _ if is_of_first_look => stored.of_first_look += 1,
            Some(here) => stored.other.push(here.id),
            None => stored.only_stored.push(outcome.id),
        }
    }
    if stored.exceptions > 0 || stored.other_version == 0 {
        stored.only_here = outcomes.into_keys().collect();
    }
    Ok(Some(stored))
}

fn times(outcome: &Outcome) -> (i64, Option<i64>) {
    (outcome.raised_ms, outcome.cleared_ms)
}

/// The last state of each exception of `rules`, with the rule's version.
fn last_states(
    history: &Path,
    rules: &[RuleSettings],
    request: &Request<'_>,
) -> Result<BTreeMap<String, (Outcome, String)>, HistoryError> {
    let span =
        Span { from_ms: request.from_ms.unwrap_or(i64::MIN), to_ms: request.to_ms.unwrap_or(i64::MAX) };
    let mut last = BTreeMap::new();
    each_state(
        history,
        span,
        |_| true,
        |state| {
            if rules.iter().any(|rule| *rule.name == *state.rule) {
                let version = state.rule_version.to_string();
                last.insert(state.id.clone(), (Outcome::from(state).standing_at(request.to_ms), version));
            }
        },
    )?;
    Ok(last)
}
