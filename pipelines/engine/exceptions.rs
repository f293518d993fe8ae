//! The life of exceptions: raised, cleared, latched, each with its evidence.
//!
//! An *event* is over when it has happened: each row that matches is an exception of its own, closed at
//! once unless the rule latches. A *condition* goes on: one exception is open per (rule, key) from the row
//! that raised it until the newest row of that key no longer matches; delays count in event time.
//!
//! Rules of the fast lane judge a row twice, on arrival and when its step is certain. The second verdict
//! confirms the first (same id), raises what the first could not know (`late_join`), or takes it back
//! (cleared, reason `rejoined`).
//!
//! A condition that is right again for less than its rule's re-alarm time before it matches anew is the same
//! exception, open again. What other rules hold back (`suppressed_by`) is told as suppressed, see [`causes`].
//!
//! A booking is told in revisions, and is one exception in all of them: a later revision says it anew, or
//! takes it back (cleared, reason `amended`).

mod causes;
mod conditions;
mod events;
mod exception;
mod kept;
mod operator;
mod out_of_service;
mod overview;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

pub(super) use self::causes::Causes;
use self::causes::{Origin, Unsettled};
pub(super) use self::conditions::Says;
pub(crate) use self::exception::{Exception, State};
use self::kept::{Conditions, Latched};
pub(crate) use self::operator::{Operator, OperatorState};
pub(super) use self::operator::{Refusal, SHELVED_S_MAX};
pub(super) use self::out_of_service::OutOfService;
pub(super) use self::overview::Overview;
use super::message::Message;
use super::rule_row::RuleRow;
use crate::calendar::Calendars;
use crate::config::{ExceptionKind, RuleSettings, Severity};

/// Closed exceptions that are kept for the board; the oldest is forgotten.
const RECENT_MAX: usize = 200;
/// Latched exceptions that are kept open; at the end of an epoch the oldest beyond it are over, with reason `displaced`.
const LATCHED_MAX: usize = 10_000;
/// Exceptions of bookings that are kept for later revisions; those that were raised first are forgotten.
const AMENDABLE_MAX: usize = 20_000;

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
    pub realarm_after_ms: i64,
    pub message: Message,
}

impl RuleLife {
    /// Of a rule's settings; `kind` where the file leaves it open.
    #[must_use]
    pub(super) fn new(settings: &RuleSettings, kind: ExceptionKind, calendars: &Arc<Calendars>) -> Self {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        RuleLife {
            name: settings.name.as_str().into(),
            version: settings.version.as_str().into(),
            severity: settings.severity,
            kind: settings.kind.unwrap_or(kind),
            latch: settings.latch,
            raise_after_ms: millis(settings.raise_after),
            clear_after_ms: millis(settings.clear_after),
            realarm_after_ms: millis(settings.realarm_after),
            message: Message::new(&settings.message, calendars),
        }
    }
}

/// Place of a reading: ordinal of its message, and its index there.
pub(super) type ReadingPlace = (u64, u32);

/// All exceptions that are open or lately closed.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Exceptions {
    conditions: Conditions,
    /// Raised on arrival by reading, until its step is certain.
    arrived: FxHashMap<ReadingPlace, Vec<Exception>>,
    /// Verdicts of condition rules on arrival that matched, until the step is certain: rules by reading.
    arrived_matches: FxHashMap<ReadingPlace, Vec<Arc<str>>>,
    /// Last word on a booking by (rule, booking), and whether it was taken back.
    amendable: BTreeMap<(Arc<str>, String), (Exception, bool)>,
    latched: Latched,
    recent: VecDeque<Exception>,
    /// Distinct exceptions so far.
    pub raised: u64,
    #[serde(skip)]
    pub out_of_service: OutOfService,
    #[serde(skip)]
    changes: Vec<Exception>,
    /// Which rules hold which back.
    #[serde(skip)]
    causes: Causes,
    /// Raised by rules that others hold back, by id, until [`Exceptions::settle`]: never between two entries.
    #[serde(skip)]
    unsettled: BTreeMap<String, Unsettled>,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Condition {
    /// Newest time judged: older verdicts change nothing.
    newest_ms: Option<i64>,
    matches_since_ms: Option<i64>,
    misses_since_ms: Option<i64>,
    /// Of its rule, as is the next.
    clear_after_ms: i64,
    realarm_after_ms: i64,
    open: Option<Exception>,
    /// Time of the row that opened it, or opened it again.
    opened_ms: i64,
    /// How often it was opened again.
    realarms: u32,
    /// The last one, cleared, where it may be opened again, and up to when.
    ended: Option<Exception>,
    again_until_ms: i64,
    /// What is open, or opened again, is shelved.
    shelved: Option<Operator>,
    /// It is among those that are [`Conditions::waiting`].
    #[serde(skip)]
    is_noted: bool,
}

impl Exceptions {
    fn raise(&mut self, exception: Exception, origin: Origin) {
        self.raised += 1;
        if exception.state == State::Latched {
            self.latched.put(exception.clone());
        }
        self.begin(exception, origin);
    }

    fn tell(&mut self, exception: Exception) {
        if let Some(unsettled) = self.unsettled.get_mut(&exception.id) {
            unsettled.changes.push(exception);
            return;
        }
        // The board has one line for each: of what is open again, the open one.
        self.recent.retain(|known| known.id != exception.id);
        // What was held back to its end is no news either.
        if exception.state == State::Cleared && !exception.was_suppressed() {
            self.recent.push_front(exception.clone());
            self.recent.truncate(RECENT_MAX);
        }
        self.changes.push(exception);
    }

    /// What has changed since the last call, in order.
    pub(super) fn take_changes(&mut self) -> Vec<Exception> {
        self.settle();
        std::mem::take(&mut self.changes)
    }

    /// Open ones: active conditions and latched ones.
    pub(super) fn open(&self) -> impl Iterator<Item = &Exception> {
        let conditions = self.conditions.values().filter_map(|condition| condition.open.as_ref());
        conditions.filter(|exception| exception.state != State::Suppressed).chain(self.latched.values())
    }

    /// What is known of conditions, a line each, for the hash of the state.
    pub(super) fn state_lines(&self) -> impl Iterator<Item = String> {
        self.conditions.iter().map(|((rule, key), condition)| {
            let Condition { newest_ms, matches_since_ms, misses_since_ms, realarms, opened_ms, .. } = condition;
            let open = condition.open.as_ref().map(|open| (&open.id, open.state, &open.evidence));
            let ended = condition.ended.as_ref().map(|ended| (&ended.id, ended.cleared_ms));
            format!(
                "condition {rule} {key} {newest_ms:?} {matches_since_ms:?} {misses_since_ms:?} {opened_ms} {realarms} {open:?} {ended:?}"
            )
        })
    }

    /// What people have done about exceptions, a line each, for the hash of the state.
    pub(super) fn operator_lines(&self) -> impl Iterator<Item = String> {
        let conditions = self.conditions.values().filter_map(|condition| condition.open.as_ref());
        let kept = conditions.chain(self.latched.values()).chain(&self.recent);
        let touched = kept.filter(|exception| exception.operator != Operator::default());
        let touched = touched.map(|exception| format!("operator {} {:?}", exception.id, exception.operator));
        let out = self.out_of_service.all();
        touched.chain(out.map(|(site, tool, by)| format!("out of service {site}/{tool} {by:?}")))
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
    operator: Operator,
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
        message: rule.message.of(row),
        evidence: Value::Object(evidence).to_string(),
        operator,
    }
}

fn with_evidence(evidence: &str, name: &str, value: Value) -> String {
    let mut evidence: Map<String, Value> = serde_json::from_str(evidence).unwrap_or_default();
    evidence.insert(name.into(), value);
    Value::Object(evidence).to_string()
}

fn without_evidence(evidence: &str, name: &str) -> String {
    let mut evidence: Map<String, Value> = serde_json::from_str(evidence).unwrap_or_default();
    evidence.remove(name);
    Value::Object(evidence).to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod law;
