//! What people do about exceptions, beside what the conditions do: acknowledge, shelve, unshelve, reset.
//!
//! The state of the condition and the state of the operator are two fields; each goes its own way. Who acknowledges has
//! seen it. What is shelved calls for nobody until its time is over, at a tick, or somebody unshelves it; then it calls
//! anew. Shelving is of a condition (its rule and key): if it clears and is raised again meanwhile, that is shelved as
//! well. An exception that is raised again for other reasons is unacknowledged. What is latched is over when it is reset.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Exception, Exceptions, LATCHED_MAX, State, with_evidence};

/// Nothing is shelved for longer than a shift.
pub(in crate::engine) const SHELVED_S_MAX: u32 = 8 * 3600;

const OUT_OF_SERVICE: &str = "calls for nobody: its tool is out of service; return that to service first";

/// Who has done what about an exception.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Operator {
    pub state: OperatorState,
    /// Who changed it last; nobody where that was a timer.
    pub actor: Option<String>,
    pub reason: Option<String>,
    /// When it was changed last.
    pub since_ms: Option<i64>,
    /// When shelving ends.
    pub until_ms: Option<i64>,
}

/// Whether it calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum OperatorState {
    #[default]
    Unacknowledged,
    Acknowledged,
    Shelved,
    /// Its tool is.
    OutOfService,
}

impl OperatorState {
    /// The name in the stream.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OperatorState::Unacknowledged => "unacknowledged",
            OperatorState::Acknowledged => "acknowledged",
            OperatorState::Shelved => "shelved",
            OperatorState::OutOfService => "out_of_service",
        }
    }
}

/// Why an operator's wish makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Refusal {
    /// There is nothing of that id.
    Unknown(String),
    /// It is there, in another state.
    Conflict(String),
}

type Done = Result<Exception, Refusal>;

impl Exceptions {
    /// Somebody has seen it.
    pub(in crate::engine) fn acknowledge(&mut self, id: &str, by: Operator) -> Done {
        let known = self.known(id)?;
        let conflict = |what: String| Err(Refusal::Conflict(format!("exception `{id}` {what}")));
        match (known.operator.state, known.state) {
            (OperatorState::Acknowledged, _) => {
                let actor = known.operator.actor.as_deref().unwrap_or("somebody");
                conflict(format!("is acknowledged already, by {actor}"))
            }
            (OperatorState::Shelved, State::Active | State::Latched) => {
                conflict("is shelved; unshelve it first".into())
            }
            (OperatorState::OutOfService, _) => conflict(OUT_OF_SERVICE.into()),
            (_, State::Suppressed) => {
                conflict("is held back by its cause and calls for nobody; acknowledge the cause".into())
            }
            _ => Ok(self.mark(id, &Operator { state: OperatorState::Acknowledged, until_ms: None, ..by })),
        }
    }

    /// It calls for nobody until `by.until_ms`.
    pub(in crate::engine) fn shelve(&mut self, id: &str, by: Operator) -> Done {
        let known = self.known(id)?;
        let conflict = |what: &str| Err(Refusal::Conflict(format!("exception `{id}` {what}")));
        match (known.state, known.operator.state) {
            (State::Cleared, _) => conflict("is over: there is nothing to shelve"),
            (State::Suppressed, _) => {
                conflict("is held back by its cause and calls for nobody; shelve the cause")
            }
            (_, OperatorState::Shelved) => conflict("is shelved already; unshelve it first"),
            (_, OperatorState::OutOfService) => conflict(OUT_OF_SERVICE),
            _ => {
                let by = Operator { state: OperatorState::Shelved, ..by };
                for condition in self.conditions.all_mut() {
                    if condition.open.as_ref().is_some_and(|open| open.id == id) {
                        condition.shelved = Some(by.clone());
                    }
                }
                Ok(self.mark(id, &by))
            }
        }
    }

    /// It calls again.
    pub(in crate::engine) fn unshelve(&mut self, id: &str, by: Operator) -> Done {
        let known = self.known(id)?;
        if known.operator.state != OperatorState::Shelved || known.state == State::Cleared {
            return Err(Refusal::Conflict(format!("exception `{id}` is not shelved")));
        }
        for condition in self.conditions.all_mut() {
            if condition.open.as_ref().is_some_and(|open| open.id == id) {
                condition.shelved = None;
            }
        }
        Ok(self.mark(id, &Operator { state: OperatorState::Unacknowledged, until_ms: None, ..by }))
    }

    /// What a latched one stood for has been put right.
    pub(in crate::engine) fn reset(&mut self, id: &str, by: Operator) -> Done {
        let known = self.known(id)?;
        if known.state != State::Latched {
            let state = known.state.as_str();
            return Err(Refusal::Conflict(format!("exception `{id}` is {state}: there is nothing to reset")));
        }
        let cleared_ms = by.since_ms.map(|ms| ms.max(known.raised_ms));
        let operator = Operator { state: OperatorState::Acknowledged, until_ms: None, ..by };
        let mut over = self.latched.remove(id).expect("what is latched is kept as such");
        (over.state, over.cleared_ms, over.operator) = (State::Cleared, cleared_ms, operator);
        self.end_copies(|one| (one == id).then_some(&over));
        self.tell(over.clone());
        Ok(over)
    }

    /// An epoch ends: of latched ones beyond [`LATCHED_MAX`] those that were raised first are over, and say so.
    pub(in crate::engine) fn bound_latched(&mut self, at_ms: i64) {
        let surplus = self.latched.len().saturating_sub(LATCHED_MAX);
        if surplus == 0 {
            return;
        }
        let mut by_age: Vec<(i64, &str)> =
            self.latched.values().map(|latched| (latched.raised_ms, latched.id.as_str())).collect();
        by_age.sort_unstable();
        let oldest: Vec<String> = by_age.into_iter().take(surplus).map(|(_, id)| id.to_owned()).collect();
        let over = oldest.into_iter().map(|id| {
            let latched = self.latched.remove(&id).expect("it was just there");
            let evidence = with_evidence(&latched.evidence, "reason", json!("displaced"));
            let cleared_ms = Some(at_ms.max(latched.raised_ms));
            (id, Exception { state: State::Cleared, cleared_ms, evidence, ..latched })
        });
        let over: BTreeMap<String, Exception> = over.collect();
        self.end_copies(|id| over.get(id));
        over.into_values().for_each(|exception| self.tell(exception));
    }

    /// Later words on what is over are made from copies, which are over as well.
    fn end_copies<'a>(&mut self, over: impl Fn(&str) -> Option<&'a Exception>) {
        let kept = self.arrived.values_mut().flatten();
        for exception in kept.chain(self.amendable.values_mut().map(|(exception, _)| exception)) {
            if let Some(over) = over(&exception.id) {
                (exception.state, exception.cleared_ms) = (over.state, over.cleared_ms);
                exception.operator = over.operator.clone();
            }
        }
    }

    /// A second has passed: what was shelved up to now calls again.
    pub(in crate::engine) fn end_shelving(&mut self, at_ms: i64) {
        let is_over = |operator: &Operator| {
            operator.state == OperatorState::Shelved && operator.until_ms.is_some_and(|ms| ms <= at_ms)
        };
        let mut over: Vec<String> = Vec::new();
        for slot in self.conditions.waiting() {
            let Some(condition) = self.conditions.get_mut(&slot) else { continue };
            if condition.shelved.as_ref().is_some_and(is_over) {
                condition.shelved = None;
            }
            over.extend(
                condition.open.iter().filter(|open| is_over(&open.operator)).map(|open| open.id.clone()),
            );
        }
        let ended = self.latched.ends().iter().take_while(|(ms, _)| *ms <= at_ms);
        let mut latched: Vec<String> = ended.map(|(_, id)| id.clone()).collect();
        latched.sort_unstable();
        over.extend(latched);
        for id in over {
            let reason = Some("shelved until now".to_owned());
            self.mark(&id, &Operator { reason, since_ms: Some(at_ms), ..Operator::default() });
        }
    }

    /// The next whole second after `at_ms` at which a shelving ends.
    pub(in crate::engine) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        let latched = self.latched.ends().iter().map(|(ms, _)| *ms);
        let ends = self.conditions.ends_ms().chain(latched);
        ends.map(|ms| -(-ms).div_euclid(1000) * 1000).filter(|&ms| ms > at_ms).min()
    }

    /// Where an exception is, if it is known.
    pub(in crate::engine) fn site_of(&self, id: &str) -> Option<&str> {
        self.known(id).ok().map(|known| known.site.as_str())
    }

    /// The newest word on an exception that is open, suppressed or lately closed.
    fn known(&self, id: &str) -> Result<&Exception, Refusal> {
        let open = self.conditions.values().filter_map(|condition| condition.open.as_ref());
        let mut all = open.chain(self.latched.values()).chain(&self.recent);
        all.find(|known| known.id == id).ok_or_else(|| {
            Refusal::Unknown(format!(
                "no exception `{id}` is open or among the {} closed last; GET /api/v1/exceptions?state=all lists them",
                super::RECENT_MAX
            ))
        })
    }

    /// Changes every copy of an exception that later words are made from, and tells it.
    pub(super) fn mark(&mut self, id: &str, operator: &Operator) -> Exception {
        let mut latched = self.latched.remove(id);
        let conditions = self.conditions.all_mut();
        let kept = conditions.flat_map(|condition| condition.open.iter_mut().chain(&mut condition.ended));
        let kept = kept.chain(&mut latched).chain(self.arrived.values_mut().flatten());
        let kept = kept.chain(self.amendable.values_mut().map(|(exception, _)| exception));
        let mut told: Option<Exception> = None;
        for exception in kept.chain(&mut self.recent).filter(|exception| exception.id == id) {
            exception.operator = operator.clone();
            let is_news = exception.state != State::Cleared || told.is_none();
            if is_news {
                told = Some(exception.clone());
            }
        }
        latched.into_iter().for_each(|latched| self.latched.put(latched));
        let told = told.expect("only what is known is marked");
        self.changes.push(told.clone());
        told
    }
}
