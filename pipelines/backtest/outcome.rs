//! What became of an exception.

use std::collections::BTreeMap;

use super::BacktestError;
use crate::config::Severity;
use crate::engine::past::{Exception, State};

/// Exceptions that a configuration may raise; beyond it the backtest ends, for they are compared in memory.
const OUTCOMES_MAX: usize = 500_000;

/// An exception in its last state.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub id: String,
    pub rule: String,
    pub severity: Severity,
    pub site: String,
    pub bay: Option<String>,
    pub tool: Option<String>,
    pub job: Option<String>,
    pub step: Option<String>,
    pub raised_ms: i64,
    pub cleared_ms: Option<i64>,
    /// `active`, `latched` or `cleared`.
    pub state: &'static str,
    pub value: Option<f64>,
    pub message: String,
    /// It was taken back: by a later revision of a booking, or when its step was known.
    pub(super) is_taken_back: bool,
    /// It was raised only when the step was known.
    pub(super) is_late_join: bool,
}

impl From<Exception> for Outcome {
    fn from(exception: Exception) -> Self {
        let evidence: serde_json::Value = serde_json::from_str(&exception.evidence).unwrap_or_default();
        Outcome {
            id: exception.id,
            rule: exception.rule.to_string(),
            severity: exception.severity,
            site: exception.site,
            bay: exception.bay,
            tool: exception.tool,
            job: exception.job,
            step: exception.step,
            raised_ms: exception.raised_ms,
            cleared_ms: exception.cleared_ms,
            state: exception.state.as_str(),
            value: exception.value,
            message: exception.message,
            is_taken_back: matches!(evidence["reason"].as_str(), Some("rejoined" | "amended")),
            is_late_join: evidence["late_join"] == true,
        }
    }
}

impl Outcome {
    /// As it stood at `to_ms`: what comes after is not known.
    pub(super) fn standing_at(mut self, to_ms: Option<i64>) -> Self {
        if to_ms.is_some_and(|to_ms| self.cleared_ms.is_some_and(|cleared_ms| cleared_ms >= to_ms)) {
            self.cleared_ms = None;
            self.state = State::Active.as_str();
        }
        self
    }
}

/// All outcomes of some rules, by id.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    of_id: BTreeMap<String, Outcome>,
}

impl Outcomes {
    /// Takes over what has changed of exceptions raised from `from_ms` and before `to_ms`.
    pub(super) fn take(&mut self, changes: Vec<Exception>, from_ms: Option<i64>, to_ms: Option<i64>) {
        for change in changes {
            let is_before = from_ms.is_some_and(|from_ms| change.raised_ms < from_ms);
            if is_before || to_ms.is_some_and(|to_ms| to_ms <= change.raised_ms) {
                continue;
            }
            self.of_id.insert(change.id.clone(), Outcome::from(change).standing_at(to_ms));
        }
    }

    /// Whether there are more than can be held.
    pub(super) fn check(&self) -> Result<(), BacktestError> {
        if self.of_id.len() > OUTCOMES_MAX { Err(self.too_many()) } else { Ok(()) }
    }

    fn too_many(&self) -> BacktestError {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        self.of_id.values().for_each(|outcome| *counts.entry(&outcome.rule).or_default() += 1);
        let most = counts.into_iter().max_by_key(|(_, count)| *count).unwrap_or_default();
        BacktestError::Input {
            what: format!("over {OUTCOMES_MAX} exceptions, of rule `{}` alone {}", most.0, most.1),
            remedy: "mend that rule, leave it out with --rule, or narrow the time with --from and --to"
                .into(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.of_id.len()
    }

    /// Them; without those that were taken back if only the last word counts.
    pub(super) fn into_all(mut self, is_last_word: bool) -> BTreeMap<String, Outcome> {
        if is_last_word {
            self.of_id.retain(|_, outcome| !outcome.is_taken_back);
        }
        self.of_id
    }
}
