//! Exceptions that are over when they have happened: of readings, in two looks, and of bookings, in revisions.

use std::sync::Arc;

use serde_json::json;

use super::super::ids::row_id;
use super::super::rule_row::RuleRow;
use super::{
    AMENDABLE_MAX, Exception, Exceptions, Origin, ReadingPlace, RuleLife, State, new_exception, with_evidence,
};

impl Exceptions {
    /// A row matched an event rule, with a step that is certain.
    pub(in crate::engine) fn event(&mut self, rule: &RuleLife, row: &RuleRow) {
        let exception = self.new_event(rule, row, false);
        self.raise(exception, Origin::None);
    }

    /// A reading matched an event rule on arrival.
    pub(in crate::engine) fn event_on_arrival(
        &mut self,
        rule: &RuleLife,
        place: ReadingPlace,
        row: &RuleRow,
    ) {
        let exception = self.new_event(rule, row, false);
        self.arrived.entry(place).or_default().push(exception.clone());
        self.raise(exception, Origin::Reading(place));
    }

    /// The step of a reading is certain now; `row` if it (still) matches the event rule.
    pub(in crate::engine) fn event_rejoined(
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
                self.raise(exception, Origin::None);
            }
            (Some(before), None) => {
                self.latched.remove(&before.id);
                let evidence = with_evidence(&before.evidence, "reason", json!("rejoined"));
                let cleared_ms = Some(before.cleared_ms.unwrap_or(ts_ms).max(ts_ms));
                self.tell(Exception { state: State::Cleared, cleared_ms, evidence, ..before });
            }
            (Some(before), Some(row)) => {
                let certain = as_before(&before, self.new_event(rule, row, false));
                let says = |one: &Exception| {
                    (one.job.clone(), one.step.clone(), one.limit_min, one.limit_max, one.message.clone())
                };
                if says(&before) != says(&certain) {
                    if self.latched.contains_key(&certain.id) {
                        self.latched.put(certain.clone());
                    }
                    self.tell(certain);
                }
            }
            (None, None) => {}
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
    pub(in crate::engine) fn awaits(&self, place: ReadingPlace) -> bool {
        !self.arrived.is_empty() && self.arrived.contains_key(&place)
    }

    /// Whether any reading waits for the second verdict.
    #[must_use]
    pub(in crate::engine) fn awaits_any(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// A revision of a booking was told: `row` if it matches the rule.
    pub(in crate::engine) fn event_amended(&mut self, rule: &RuleLife, booking: &str, row: Option<&RuleRow>) {
        let slot = (Arc::clone(&rule.name), booking.to_owned());
        let before = self.amendable.get(&slot).cloned();
        let exception = match (&before, row) {
            (None, Some(row)) => {
                let id = row_id(&rule.name, &[booking.as_bytes()]);
                let exception = Exception { id, ..self.new_event(rule, row, false) };
                self.raise(exception.clone(), Origin::Booking(slot.0.clone(), slot.1.clone()));
                exception
            }
            (Some((before, was_taken_back)), Some(row)) => {
                let now = self.new_event(rule, row, false);
                let now = Exception { id: before.id.clone(), raised_ms: before.raised_ms, ..now };
                // What was taken back and is there again begins anew, a reset of it too.
                let now = if *was_taken_back {
                    Exception { operator: before.operator.clone(), ..now }
                } else {
                    as_before(before, now)
                };
                if !was_taken_back && (now.value, &now.message) == (before.value, &before.message) {
                    return;
                }
                if now.state == State::Latched {
                    self.latched.put(now.clone());
                }
                self.tell(now.clone());
                now
            }
            (Some((before, false)), None) => {
                self.latched.remove(&before.id);
                let evidence = with_evidence(&before.evidence, "reason", json!("amended"));
                let cleared_ms = before.cleared_ms.or(Some(before.raised_ms));
                let taken_back = Exception { state: State::Cleared, cleared_ms, evidence, ..before.clone() };
                self.tell(taken_back.clone());
                self.amendable.insert(slot, (taken_back, true));
                return;
            }
            _ => return,
        };
        self.amendable.insert(slot, (exception, false));
        if self.amendable.len() > AMENDABLE_MAX {
            let oldest = self.amendable.iter().min_by_key(|(slot, (one, _))| (one.raised_ms, *slot));
            if let Some(oldest) = oldest.map(|(slot, _)| slot.clone()) {
                self.amendable.remove(&oldest);
            }
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
        let operator = self.out_of_service.by(&row.site, row.tool.as_deref()).unwrap_or_default();
        new_exception(rule, row, id, state, cleared_ms, evidence, operator)
    }
}

/// What is said anew of an event: what people did about it stays, so one that was reset stays over; and it is suppressed as
/// it was when it was first told.
fn as_before(before: &Exception, now: Exception) -> Exception {
    let now = Exception { operator: before.operator.clone(), ..now };
    match before.state {
        State::Cleared if now.state == State::Latched => {
            Exception { state: State::Cleared, cleared_ms: before.cleared_ms, ..now }
        }
        State::Suppressed => {
            let told: serde_json::Value = serde_json::from_str(&before.evidence).unwrap_or_default();
            let evidence = with_evidence(&now.evidence, "cause", told["cause"].clone());
            Exception { state: State::Suppressed, evidence, ..now }
        }
        _ => now,
    }
}
