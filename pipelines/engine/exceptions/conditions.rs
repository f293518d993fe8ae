//! Exceptions that go on: one is open per (rule, key) until its newest row no longer matches.

use std::sync::Arc;

use serde_json::json;

use super::super::ids::row_id;
use super::super::rule_row::RuleRow;
use super::{Condition, Exception, Exceptions, ReadingPlace, RuleLife, State, new_exception, with_evidence};

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
        if let Some(open) = condition.open.take_if(|open| open.raised_ms == ts_ms) {
            let evidence = with_evidence(&open.evidence, "reason", json!("rejoined"));
            self.tell(Exception { state: State::Cleared, cleared_ms: Some(ts_ms), evidence, ..open });
        }
    }

    /// Whether a verdict that does not match can change anything for `rule`.
    #[must_use]
    pub(in crate::engine) fn has_conditions(&self, rule: &RuleLife) -> bool {
        let from = (Arc::clone(&rule.name), String::new());
        self.conditions.range(from..).next().is_some_and(|((name, _), _)| *name == rule.name)
    }

    /// A row of `key` was judged by a condition rule.
    pub(in crate::engine) fn judge(&mut self, rule: &RuleLife, key: &str, matches: bool, row: &RuleRow) {
        self.judge_joined(rule, key, matches, row, false);
    }

    /// The same, `late_join` if the row matches only since its step is certain.
    pub(in crate::engine) fn judge_joined(
        &mut self,
        rule: &RuleLife,
        key: &str,
        matches: bool,
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
            if matches && let Some(cleared) = condition.take_right_before(ts_ms - 1) {
                self.tell(cleared);
            }
        } else if !matches {
            return;
        }
        let condition = self.conditions.entry(slot).or_default();
        condition.newest_ms = Some(ts_ms);
        condition.clear_after_ms = rule.clear_after_ms;
        if matches {
            condition.misses_since_ms = None;
            let since_ms = *condition.matches_since_ms.get_or_insert(ts_ms);
            if condition.open.is_none() && ts_ms - since_ms >= rule.raise_after_ms {
                let id = row_id(&rule.name, &[key.as_bytes(), &ts_ms.to_le_bytes()]);
                let mut evidence = row.evidence();
                if late_join {
                    evidence.insert("late_join".into(), json!(true));
                }
                let exception = new_exception(rule, row, id, State::Active, None, evidence);
                condition.open = Some(exception.clone());
                self.raise(exception);
            }
            return;
        }
        condition.matches_since_ms = None;
        condition.misses_since_ms.get_or_insert(ts_ms);
        if rule.latch {
            if let Some(open) = condition.open.take() {
                let latched = Exception { state: State::Latched, ..open };
                self.latched.insert(latched.id.clone(), latched.clone());
                self.tell(latched);
            }
        } else if let Some(cleared) = condition.take_right_before(ts_ms) {
            self.tell(cleared);
        }
    }

    /// Clears what has been right for long enough by the time of its bay, though no row says so any more.
    pub(in crate::engine) fn clear_passed(&mut self, frontier_ms: impl Fn(&str, &str) -> Option<i64>) {
        let mut cleared = Vec::new();
        for condition in self.conditions.values_mut() {
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
        self.conditions.retain(|_, condition| {
            condition.open.is_some() || condition.newest_ms.is_none_or(|newest_ms| newest_ms >= before_ms)
        });
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
        self.latched.retain(|_, exception| {
            let stays = is_there(&exception.rule);
            if !stays {
                ended.push(exception.clone());
            }
            stays
        });
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
        Some(Exception { state: State::Cleared, cleared_ms: Some(clears_ms), ..open })
    }
}
