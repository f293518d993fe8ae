//! The life of exceptions: raised, cleared, latched, each with its evidence.
//!
//! An *event* is over when it has happened: each row that matches is an exception of its own, closed at
//! once unless the rule latches. A *condition* goes on: one exception is open per (rule, key) from the row
//! that raised it until the newest row of that key no longer matches; delays count in event time.
//!
//! Rules of the fast lane judge a row twice, on arrival and when its step is certain. The second verdict
//! confirms the first (same id), raises what the first could not know (`late_join`), or takes it back
//! (cleared, reason `rejoined`).

mod exception;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

pub(super) use self::exception::{Exception, State};
use super::ids::row_id;
use super::rule_row::RuleRow;
use crate::config::{ExceptionKind, RuleSettings, Severity};

/// Closed exceptions that are kept for the board; the oldest is forgotten.
const RECENT_MAX: usize = 200;

/// What a rule says of its exceptions, apart from its SQL.
#[derive(Clone, Debug)]
pub(super) struct RuleLife {
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub severity: Severity,
    pub kind: ExceptionKind,
    pub latch: bool,
    pub raise_after_ms: i64,
    pub clear_after_ms: i64,
    pub message: String,
}

impl RuleLife {
    /// Of a rule's settings; `kind` where the file leaves it open.
    #[must_use]
    pub(super) fn new(settings: &RuleSettings, kind: ExceptionKind) -> Self {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        RuleLife {
            name: settings.name.as_str().into(),
            version: settings.version.as_str().into(),
            severity: settings.severity,
            kind: settings.kind.unwrap_or(kind),
            latch: settings.latch,
            raise_after_ms: millis(settings.raise_after),
            clear_after_ms: millis(settings.clear_after),
            message: settings.message.clone(),
        }
    }
}

/// Place of a reading: ordinal of its message, and its index there.
pub(super) type ReadingPlace = (u64, u32);

/// All exceptions that are open or lately closed.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Exceptions {
    /// By (rule, key).
    conditions: BTreeMap<(Arc<str>, String), Condition>,
    /// Raised on arrival by reading, until its step is certain.
    arrived: FxHashMap<ReadingPlace, Vec<Exception>>,
    latched: BTreeMap<String, Exception>,
    recent: VecDeque<Exception>,
    /// Distinct exceptions so far.
    pub raised: u64,
    #[serde(skip)]
    changes: Vec<Exception>,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Condition {
    /// Newest time judged: older verdicts change nothing.
    newest_ms: Option<i64>,
    matches_since_ms: Option<i64>,
    misses_since_ms: Option<i64>,
    open: Option<Exception>,
}

impl Exceptions {
    /// A row matched an event rule, with a step that is certain.
    pub(super) fn event(&mut self, rule: &RuleLife, row: &RuleRow) {
        let exception = self.new_event(rule, row, false);
        self.raise(exception);
    }

    /// A reading matched an event rule on arrival.
    pub(super) fn event_on_arrival(&mut self, rule: &RuleLife, place: ReadingPlace, row: &RuleRow) {
        let exception = self.new_event(rule, row, false);
        self.arrived.entry(place).or_default().push(exception.clone());
        self.raise(exception);
    }

    /// The step of a reading is certain now; `row` if it (still) matches the event rule.
    pub(super) fn event_rejoined(
        &mut self,
        rule: &RuleLife,
        place: ReadingPlace,
        ts_ms: i64,
        row: Option<&RuleRow>,
    ) {
        let before = self.take_arrived(rule, place);
        match (before, row) {
            (None, Some(row)) => {
                let exception = self.new_event(rule, row, true);
                self.raise(exception);
            }
            (Some(before), None) => {
                self.latched.remove(&before.id);
                let evidence = with_evidence(&before.evidence, "reason", json!("rejoined"));
                let cleared_ms = Some(before.cleared_ms.unwrap_or(ts_ms).max(ts_ms));
                self.tell(Exception { state: State::Cleared, cleared_ms, evidence, ..before });
            }
            _ => {}
        }
    }

    fn take_arrived(&mut self, rule: &RuleLife, place: ReadingPlace) -> Option<Exception> {
        let raised = self.arrived.get_mut(&place)?;
        let found = raised.iter().position(|exception| exception.rule == rule.name)?;
        let exception = raised.swap_remove(found);
        if raised.is_empty() {
            self.arrived.remove(&place);
        }
        Some(exception)
    }

    /// Whether a reading was raised on arrival by some rule and waits for the second verdict.
    #[inline]
    #[must_use]
    pub(super) fn awaits(&self, place: ReadingPlace) -> bool {
        !self.arrived.is_empty() && self.arrived.contains_key(&place)
    }

    /// Whether any reading waits for the second verdict.
    #[must_use]
    pub(super) fn awaits_any(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether a verdict that does not match can change anything for `rule`.
    #[must_use]
    pub(super) fn has_conditions(&self, rule: &RuleLife) -> bool {
        let from = (Arc::clone(&rule.name), String::new());
        self.conditions.range(from..).next().is_some_and(|((name, _), _)| *name == rule.name)
    }

    /// A row of `key` was judged by a condition rule.
    pub(super) fn judge(&mut self, rule: &RuleLife, key: &str, matches: bool, row: &RuleRow) {
        let slot = (Arc::clone(&rule.name), key.to_owned());
        if !matches && !self.conditions.contains_key(&slot) {
            return;
        }
        let condition = self.conditions.entry(slot).or_default();
        let ts_ms = row.ts_ms;
        if condition.newest_ms.is_some_and(|newest_ms| ts_ms < newest_ms) {
            return;
        }
        condition.newest_ms = Some(ts_ms);
        if matches {
            condition.misses_since_ms = None;
            let since_ms = *condition.matches_since_ms.get_or_insert(ts_ms);
            if condition.open.is_none() && ts_ms - since_ms >= rule.raise_after_ms {
                let id = row_id(&rule.name, &[key.as_bytes(), &ts_ms.to_le_bytes()]);
                let exception = new_exception(rule, row, id, State::Active, None, row.evidence());
                condition.open = Some(exception.clone());
                self.raise(exception);
            }
            return;
        }
        condition.matches_since_ms = None;
        let since_ms = *condition.misses_since_ms.get_or_insert(ts_ms);
        match condition.open.take() {
            Some(open) if rule.latch => {
                let latched = Exception { state: State::Latched, ..open };
                self.latched.insert(latched.id.clone(), latched.clone());
                self.tell(latched);
            }
            Some(open) if ts_ms - since_ms >= rule.clear_after_ms => {
                self.tell(Exception { state: State::Cleared, cleared_ms: Some(ts_ms), ..open });
            }
            Some(open) => condition.open = Some(open),
            None => {}
        }
    }

    fn new_event(&self, rule: &RuleLife, row: &RuleRow, late_join: bool) -> Exception {
        let id = row_id(&rule.name, &[row.row_id.as_bytes()]);
        let (state, cleared_ms) =
            if rule.latch { (State::Latched, None) } else { (State::Cleared, Some(row.ts_ms)) };
        let mut evidence = row.evidence();
        if late_join {
            evidence.insert("late_join".into(), json!(true));
        }
        new_exception(rule, row, id, state, cleared_ms, evidence)
    }

    fn raise(&mut self, exception: Exception) {
        self.raised += 1;
        if exception.state == State::Latched {
            self.latched.insert(exception.id.clone(), exception.clone());
        }
        self.tell(exception);
    }

    fn tell(&mut self, exception: Exception) {
        if exception.state == State::Cleared {
            self.recent.retain(|known| known.id != exception.id);
            self.recent.push_front(exception.clone());
            self.recent.truncate(RECENT_MAX);
        }
        self.changes.push(exception);
    }

    /// What has changed since the last call, in order.
    pub(super) fn take_changes(&mut self) -> Vec<Exception> {
        std::mem::take(&mut self.changes)
    }

    /// Open ones: active conditions and latched ones.
    pub(super) fn open(&self) -> impl Iterator<Item = &Exception> {
        self.conditions.values().filter_map(|condition| condition.open.as_ref()).chain(self.latched.values())
    }

    /// Lately closed ones, newest first.
    pub(super) fn recent(&self) -> impl Iterator<Item = &Exception> {
        self.recent.iter()
    }
}

fn new_exception(
    rule: &RuleLife,
    row: &RuleRow,
    id: String,
    state: State,
    cleared_ms: Option<i64>,
    evidence: Map<String, Value>,
) -> Exception {
    Exception {
        id,
        rule: Arc::clone(&rule.name),
        rule_version: Arc::clone(&rule.version),
        severity: rule.severity,
        site: row.site.clone(),
        bay: row.bay.clone(),
        tool: row.tool.clone(),
        job: row.job.clone(),
        step: row.step.clone(),
        raised_ms: row.ts_ms,
        cleared_ms,
        state,
        value: row.value,
        limit_min: row.limit_min,
        limit_max: row.limit_max,
        message: row.fill(&rule.message),
        evidence: Value::Object(evidence).to_string(),
    }
}

fn with_evidence(evidence: &str, name: &str, value: Value) -> String {
    let mut evidence: Map<String, Value> = serde_json::from_str(evidence).unwrap_or_default();
    evidence.insert(name.into(), value);
    Value::Object(evidence).to_string()
}

#[cfg(test)]
mod tests;
