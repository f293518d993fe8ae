//! Exceptions that go on: one is open per (rule, key) until its newest row no longer matches.

use std::sync::Arc;

use serde_json::json;

use super::super::ids::row_id;
use super::super::rule_row::RuleRow;
use super::kept::Slot;
use super::{
    Condition, Exception, Exceptions, Origin, ReadingPlace, RuleLife, State, new_exception, with_evidence,
};

/// What a row says of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Says {
    /// The SQL matches.
    Wrong,
    /// It does not, and what clears (`clear_when`) is not true either: nothing opens or closes, and delays begin anew.
    Between,
    Right,
}

impl Says {
    /// Of a row that matches or not, where `clears` tells what is right again.
    #[must_use]
    pub(in crate::engine) fn of(matches: bool, clears: bool) -> Self {
        match (matches, clears) {
            (true, _) => Says::Wrong,
            (false, false) => Says::Between,
            (false, true) => Says::Right,
        }
    }
}

impl Exceptions {
    /// A reading was judged on arrival by a condition rule, and matched.
    pub(in crate::engine) fn matched_on_arrival(&mut self, rule: &RuleLife, place: ReadingPlace) {
        self.arrived_matches.entry(place).or_default().push(Arc::clone(&rule.name));
    }

    /// The step of a reading is certain now: whether a condition rule had matched it on arrival.
    pub(in crate::engine) fn take_match(&mut self, rule: &RuleLife, place: ReadingPlace) -> bool {
        let Some(rules) = self.arrived_matches.get_mut(&place) else { return false };
        let found = rules.iter().position(|name| *name == rule.name);
        if let Some(found) = found {
            rules.swap_remove(found);
        }
        if rules.is_empty() {
            self.arrived_matches.remove(&place);
        }
        found.is_some()
    }

    /// Whether any reading waits for the second verdict of a condition rule.
    #[must_use]
    pub(in crate::engine) fn awaits_any_match(&self) -> bool {
        !self.arrived_matches.is_empty()
    }

    /// The step of a reading is certain now, and a condition rule takes back what it said on arrival: the exception that
    /// this reading raised is none.
    pub(in crate::engine) fn condition_rejoined(&mut self, rule: &RuleLife, key: &str, ts_ms: i64) {
        let Some(condition) = self.conditions.get_mut(&(Arc::clone(&rule.name), key.to_owned())) else {
            return;
        };
        if condition.matches_since_ms == Some(ts_ms) {
            condition.matches_since_ms = None;
        }
        let opened_ms = condition.opened_ms;
        if let Some(open) = condition.open.take_if(|_| opened_ms == ts_ms) {
            let evidence = with_evidence(&open.evidence, "reason", json!("rejoined"));
            let cleared = Exception { state: State::Cleared, cleared_ms: Some(ts_ms), evidence, ..open };
            // Before it was opened again it was one all the same; else it never was.
            let again_for_ms = if condition.realarms > 0 { rule.realarm_after_ms } else { 0 };
            condition.close(&cleared, again_for_ms);
            self.tell(cleared);
        }
    }

    /// Whether a verdict that does not match can change anything for `rule`.
    #[must_use]
    pub(in crate::engine) fn has_conditions(&self, rule: &RuleLife) -> bool {
        self.conditions_of(&rule.name).next().is_some()
    }

    pub(super) fn conditions_of(&self, rule: &Arc<str>) -> impl Iterator<Item = (&Slot, &Condition)> {
        let from = (Arc::clone(rule), String::new());
        self.conditions.range(from..).take_while(move |((name, _), _)| name == rule)
    }

    /// A row of `key` was judged by a condition rule.
    pub(in crate::engine) fn judge(&mut self, rule: &RuleLife, key: &str, says: Says, row: &RuleRow) {
        self.judge_joined(rule, key, says, row, false);
    }

    /// The same, `late_join` if the row matches only since its step is certain.
    pub(in crate::engine) fn judge_joined(
        &mut self,
        rule: &RuleLife,
        key: &str,
        says: Says,
        row: &RuleRow,
        late_join: bool,
    ) {
        let slot = (Arc::clone(&rule.name), key.to_owned());
        let ts_ms = row.ts_ms;
        if let Some(condition) = self.conditions.get_mut(&slot) {
            if condition.newest_ms.is_some_and(|newest_ms| ts_ms < newest_ms) {
                return;
            }
            // It had been right for long enough before this row, whether or not a tick came between.
            if says != Says::Right
                && let Some(cleared) = condition.take_right_before(ts_ms - 1)
            {
                self.tell(cleared);
            }
        } else if says != Says::Wrong {
            return;
        }
        let condition = self.conditions.get_or_new(&slot);
        condition.newest_ms = Some(ts_ms);
        condition.clear_after_ms = rule.clear_after_ms;
        condition.realarm_after_ms = rule.realarm_after_ms;
        if says != Says::Wrong {
            condition.matches_since_ms = None;
        }
        match says {
            Says::Wrong => {
                condition.misses_since_ms = None;
                let since_ms = *condition.matches_since_ms.get_or_insert(ts_ms);
                if condition.open.is_none() && ts_ms - since_ms >= rule.raise_after_ms {
                    self.open_condition(rule, slot, row, since_ms, late_join);
                }
            }
            Says::Between => condition.misses_since_ms = None,
            Says::Right => {
                condition.misses_since_ms.get_or_insert(ts_ms);
                if rule.latch {
                    if let Some(open) = condition.open.take() {
                        let latched = Exception { state: State::Latched, ..open };
                        self.latched.put(latched.clone());
                        self.tell(latched);
                    }
                } else if let Some(cleared) = condition.take_right_before(ts_ms) {
                    self.tell(cleared);
                }
            }
        }
    }

    /// A condition that has matched since `since_ms` is raised by `row`; the last one of its key is opened again if it
    /// was cleared so short a time before.
    fn open_condition(
        &mut self,
        rule: &RuleLife,
        slot: (Arc<str>, String),
        row: &RuleRow,
        since_ms: i64,
        late_join: bool,
    ) {
        let mut evidence = row.evidence();
        if late_join {
            evidence.insert("late_join".into(), json!(true));
        }
        let condition = self.conditions.get_or_new(&slot);
        condition.opened_ms = row.ts_ms;
        let again_until_ms = condition.again_until_ms;
        let again = condition.ended.take().filter(|_| since_ms <= again_until_ms);
        condition.realarms = if again.is_some() { condition.realarms + 1 } else { 0 };
        if again.is_some() {
            evidence.insert("realarms".into(), json!(condition.realarms));
        }
        let is_new = again.is_none();
        let (id, raised_ms) = match again {
            Some(again) => (again.id, again.raised_ms),
            None => (row_id(&rule.name, &[slot.1.as_bytes(), &row.ts_ms.to_le_bytes()]), row.ts_ms),
        };
        let out_of_service = self.out_of_service.by(&row.site, row.tool.as_deref());
        let operator = out_of_service.or_else(|| condition.shelved.clone()).unwrap_or_default();
        let exception = new_exception(rule, row, id, State::Active, None, evidence, operator);
        let exception = Exception { raised_ms, ..exception };
        condition.open = Some(exception.clone());
        let origin = Origin::Condition(slot.0, slot.1);
        if is_new { self.raise(exception, origin) } else { self.begin(exception, origin) }
    }

    /// Ends what is open of `key` for a `reason` that no row gives.
    pub(in crate::engine) fn end(&mut self, rule: &Arc<str>, key: &str, at_ms: i64, reason: &str) {
        let Some(condition) = self.conditions.get_mut(&(Arc::clone(rule), key.to_owned())) else {
            return;
        };
        condition.matches_since_ms = None;
        if let Some(open) = condition.open.take() {
            let evidence = with_evidence(&open.evidence, "reason", json!(reason));
            let cleared_ms = at_ms.max(condition.opened_ms);
            condition.newest_ms = condition.newest_ms.max(Some(cleared_ms));
            let cleared_ms = Some(cleared_ms);
            let cleared = Exception { state: State::Cleared, cleared_ms, evidence, ..open };
            condition.close(&cleared, condition.realarm_after_ms);
            self.tell(cleared);
        }
    }

    /// A rule judges otherwise from now on: its conditions are those of another rule.
    pub(in crate::engine) fn end_conditions(&mut self, rule: &Arc<str>, at_ms: i64, reason: &str) {
        let keys: Vec<String> = self.conditions_of(rule).map(|((_, key), _)| key.clone()).collect();
        for key in keys {
            self.end(rule, &key, at_ms, reason);
            self.conditions.remove(&(Arc::clone(rule), key));
        }
    }

    /// Clears what has been right for long enough by the time of its bay, though no row says so any more.
    pub(in crate::engine) fn clear_passed(&mut self, frontier_ms: impl Fn(&str, &str) -> Option<i64>) {
        let mut cleared = Vec::new();
        for slot in self.conditions.waiting() {
            let Some(condition) = self.conditions.get_mut(&slot) else { continue };
            let open = condition.open.as_ref().filter(|_| condition.misses_since_ms.is_some());
            let Some((site, bay)) = open.and_then(|open| Some((&open.site, open.bay.as_ref()?))) else {
                continue;
            };
            if let Some(passed_ms) = frontier_ms(site, bay) {
                cleared.extend(condition.take_right_before(passed_ms));
            }
        }
        cleared.into_iter().for_each(|exception| self.tell(exception));
    }

    /// Forgets the keys of conditions that nothing was heard of since `before_ms` and that are not open.
    pub(in crate::engine) fn forget(&mut self, before_ms: i64) {
        self.conditions.forget(before_ms);
    }

    /// After a restart: ends what rules raised that are not there any more, for nothing else would.
    pub(in crate::engine) fn end_rules(&mut self, is_there: impl Fn(&str) -> bool, at_ms: i64) {
        let mut ended: Vec<Exception> = Vec::new();
        self.conditions.retain(|(rule, _), condition| {
            let stays = is_there(rule);
            if !stays {
                ended.extend(condition.open.take());
            }
            stays
        });
        self.amendable.retain(|(rule, _), _| is_there(rule));
        self.arrived.retain(|_, exceptions| {
            exceptions.retain(|exception| is_there(&exception.rule));
            !exceptions.is_empty()
        });
        self.arrived_matches.retain(|_, rules| {
            rules.retain(|rule| is_there(rule));
            !rules.is_empty()
        });
        let gone = self.latched.values().filter(|latched| !is_there(&latched.rule));
        let gone: Vec<String> = gone.map(|latched| latched.id.clone()).collect();
        ended.extend(gone.iter().filter_map(|id| self.latched.remove(id)));
        for exception in ended {
            let evidence = with_evidence(&exception.evidence, "reason", json!("rule_removed"));
            let cleared_ms = Some(at_ms.max(exception.raised_ms));
            self.tell(Exception { state: State::Cleared, cleared_ms, evidence, ..exception });
        }
    }
}

impl Condition {
    /// The open exception, cleared, if by `at_ms` it has been right for long enough: as of the moment from which it was,
    /// whatever row or tick found out.
    fn take_right_before(&mut self, at_ms: i64) -> Option<Exception> {
        let clears_ms = self.misses_since_ms?.saturating_add(self.clear_after_ms);
        let open = self.open.take_if(|_| clears_ms <= at_ms)?;
        let cleared = Exception { state: State::Cleared, cleared_ms: Some(clears_ms), ..open };
        self.close(&cleared, self.realarm_after_ms);
        Some(cleared)
    }

    /// What was open is `cleared`, and the same again if it is wrong again within `again_for_ms`. What comes and goes
    /// within one millisecond has one id, so that is one in any case.
    fn close(&mut self, cleared: &Exception, again_for_ms: i64) {
        let cleared_ms = cleared.cleared_ms.unwrap_or(self.opened_ms);
        self.again_until_ms = cleared_ms.saturating_add(again_for_ms);
        let may_come_again = again_for_ms > 0 || cleared_ms == self.opened_ms;
        self.ended = may_come_again.then(|| cleared.clone());
    }
}
