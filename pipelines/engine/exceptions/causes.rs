//! Exceptions that others hold back: what a lost gateway makes silent is one exception, not four hundred.
//!
//! What a rule with `suppressed_by` raises is told at the end of the moment in which it was raised: of a message,
//! or of a tick with all that it judges. Only then it is known which causes are open, so that neither the order
//! of rules nor that of their judgements within the moment can be seen. Rules are settled after those that
//! hold them back, for what is suppressed is itself no cause.
//!
//! What is suppressed is looked at again at ticks: once nothing holds it back and it still matches, it is active.
//! What was active before its cause stays so: somebody may be on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::kept::Slot;
use super::{Exception, Exceptions, ReadingPlace, State, with_evidence, without_evidence};
use crate::config::RuleSettings;

/// Which rules hold which back.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Causes {
    held: BTreeMap<Arc<str>, Held>,
}

/// A rule that others hold back.
#[derive(Clone, Debug)]
struct Held {
    /// Higher than that of each of these.
    rank: usize,
    by: Vec<Arc<str>>,
}

impl Causes {
    /// As the rules say.
    ///
    /// # Panics
    /// If they hold one another back in a circle, which loading a configuration refuses.
    #[must_use]
    pub(in crate::engine) fn new(rules: &[RuleSettings]) -> Self {
        let ranks = crate::config::ranks(rules.iter()).expect("loading a configuration refuses circles");
        let held = rules.iter().filter(|rule| !rule.suppressed_by.is_empty());
        let held = held.map(|rule| {
            let by = rule.suppressed_by.iter().map(|name| name.as_str().into()).collect();
            (rule.name.as_str().into(), Held { rank: ranks[rule.name.as_str()], by })
        });
        Causes { held: held.collect() }
    }

    /// Of rules with those that hold them back, from which nothing goes on.
    #[cfg(test)]
    pub(super) fn of(rules: &[(&str, &[&str])]) -> Self {
        let held = rules.iter().map(|(rule, by)| {
            (Arc::from(*rule), Held { rank: 1, by: by.iter().map(|name| Arc::from(*name)).collect() })
        });
        Causes { held: held.collect() }
    }

    /// Whether the rule holds others back, or is held back.
    #[must_use]
    pub(in crate::engine) fn concern(&self, rule: &str) -> bool {
        self.held.contains_key(rule) || self.held.values().any(|held| held.by.iter().any(|by| **by == *rule))
    }
}

/// Where an exception is kept.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Nowhere: it is over.
    None,
    /// By rule and key.
    Condition(Arc<str>, String),
    Reading(ReadingPlace),
    /// By rule and booking.
    Booking(Arc<str>, String),
}

/// Raised, and not told yet.
#[derive(Clone, Debug)]
pub(super) struct Unsettled {
    origin: Origin,
    /// How it was raised, and what became of it within the same moment.
    pub(super) changes: Vec<Exception>,
}

impl Exceptions {
    /// Without any, under rules of which some hold others back.
    #[must_use]
    pub(in crate::engine) fn new(rules: &[RuleSettings]) -> Self {
        Exceptions { causes: Causes::new(rules), ..Exceptions::default() }
    }

    /// What a checkpoint knows, under the rules of `fresh`.
    #[must_use]
    pub(in crate::engine) fn under_settings_of(self, fresh: &Exceptions) -> Self {
        Exceptions { causes: fresh.causes.clone(), ..self }
    }

    /// Tells what was raised, or was opened again; at once, unless others hold its rule back.
    pub(super) fn begin(&mut self, exception: Exception, origin: Origin) {
        if self.causes.held.contains_key(&exception.rule) {
            let empty = Unsettled { origin, changes: Vec::new() };
            self.unsettled.entry(exception.id.clone()).or_insert(empty);
        }
        self.tell(exception);
    }

    /// A moment ends: what was raised within it is told, as suppressed where a cause is open.
    pub(in crate::engine) fn settle(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let mut unsettled: Vec<Unsettled> = std::mem::take(&mut self.unsettled).into_values().collect();
        unsettled.sort_by_key(|one| self.causes.held[&one.changes[0].rule].rank);
        for Unsettled { origin, changes } in unsettled {
            let cause = self.cause_of(&changes[0]).map(|cause| json!(cause.id));
            // An event is over from the first; what comes later is told of it as it is.
            let is_event = changes[0].state == State::Cleared;
            for (place, change) in changes.into_iter().enumerate() {
                let is_held = change.state == State::Active || (is_event && place == 0);
                let Some(cause) = cause.as_ref().filter(|_| is_held) else {
                    self.tell(change);
                    continue;
                };
                let evidence = with_evidence(&change.evidence, "cause", cause.clone());
                let suppressed = Exception { state: State::Suppressed, evidence, ..change.clone() };
                if let Some(kept) = self.kept(&origin, &change.id).filter(|kept| **kept == change) {
                    kept.clone_from(&suppressed);
                }
                self.tell(suppressed);
            }
        }
    }

    fn kept(&mut self, origin: &Origin, id: &str) -> Option<&mut Exception> {
        let kept = match origin {
            Origin::None => None,
            Origin::Condition(rule, key) => {
                let slot = (Arc::clone(rule), key.clone());
                self.conditions.get_mut(&slot).and_then(|condition| condition.open.as_mut())
            }
            Origin::Reading(place) => {
                self.arrived.get_mut(place).and_then(|all| all.iter_mut().find(|one| one.id == id))
            }
            Origin::Booking(rule, booking) => {
                let slot = (Arc::clone(rule), booking.clone());
                self.amendable.get_mut(&slot).map(|(exception, _)| exception)
            }
        };
        kept.filter(|exception| exception.id == id)
    }

    /// The open exception that holds this one back: of several the first.
    fn cause_of(&self, exception: &Exception) -> Option<&Exception> {
        let held = self.causes.held.get(&exception.rule)?;
        let conditions = held.by.iter().flat_map(|rule| self.conditions_of(rule));
        let latched = held.by.iter().flat_map(|rule| self.latched.of_rule(rule));
        let open = conditions.filter_map(|(_, condition)| condition.open.as_ref()).chain(latched);
        open.filter(|cause| cause.state != State::Suppressed && covers(cause, exception))
            .min_by_key(|cause| (cause.raised_ms, &cause.id))
    }

    /// Under other rules: what no rule can hold back any more is active.
    pub(in crate::engine) fn release_unheld(&mut self) {
        let unheld = |(rule, _): &&(Arc<str>, String)| !self.causes.held.contains_key(rule);
        let unheld: Vec<(Arc<str>, String)> = self.conditions.keys().filter(unheld).cloned().collect();
        for slot in unheld {
            let open = self.conditions.get_mut(&slot).and_then(|condition| condition.open.as_mut());
            let Some(open) = open.filter(|open| open.state == State::Suppressed) else { continue };
            open.state = State::Active;
            open.evidence = without_evidence(&open.evidence, "cause");
            let active = open.clone();
            self.tell(active);
        }
    }

    /// A second has passed: what nothing holds back any more and still matches is active.
    pub(in crate::engine) fn release_suppressed(&mut self) {
        self.settle();
        let rank = |rule: &Arc<str>| self.causes.held.get(rule).map_or(0, |held| held.rank);
        let waiting = self.conditions.waiting();
        let is_suppressed = |slot: &Slot| {
            let open = self.conditions.get(slot).and_then(|condition| condition.open.as_ref());
            open.is_some_and(|open| open.state == State::Suppressed) && self.causes.held.contains_key(&slot.0)
        };
        let waiting = waiting.into_iter().filter(is_suppressed);
        let mut suppressed: Vec<(usize, Slot)> = waiting.map(|slot| (rank(&slot.0), slot)).collect();
        suppressed.sort();
        for (_, slot) in suppressed {
            let Some(open) = self.conditions[&slot].open.as_ref() else { continue };
            let cause = self.cause_of(open).map(|cause| cause.id.clone());
            let changed = match cause {
                // Mostly it has been told of it.
                Some(cause) if open.evidence.contains(&format!("\"cause\":{}", json!(cause))) => continue,
                Some(cause) => {
                    let evidence = with_evidence(&open.evidence, "cause", json!(cause));
                    Exception { evidence, ..open.clone() }
                }
                // It is right again, and waits for its delay alone.
                None if self.conditions[&slot].misses_since_ms.is_some() => continue,
                None => {
                    let evidence = without_evidence(&open.evidence, "cause");
                    Exception { state: State::Active, evidence, ..open.clone() }
                }
            };
            if changed != *open {
                if let Some(condition) = self.conditions.get_mut(&slot) {
                    condition.open = Some(changed.clone());
                }
                self.tell(changed);
            }
        }
    }
}

/// Whether both are of one place: of the site, and of the bay and the tool that `cause` has.
fn covers(cause: &Exception, other: &Exception) -> bool {
    let within = |of: &Option<String>, other: &Option<String>| of.is_none() || of == other;
    cause.site == other.site && within(&cause.bay, &other.bay) && within(&cause.tool, &other.tool)
}
