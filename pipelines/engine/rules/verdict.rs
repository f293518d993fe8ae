//! What a rule says of a reading, and the effect of it.

use super::super::exceptions::{Exceptions, ReadingPlace, Says};
use super::super::rule_row::RuleRow;
use super::looked::Look;
use super::row_rule::RowRule;
use crate::config::ExceptionKind;

/// What a rule says of a reading.
#[derive(Debug)]
pub(in crate::engine) struct Verdict {
    pub reading: ReadingPlace,
    pub ts_ms: i64,
    /// Of a condition.
    pub key: String,
    pub says: Says,
    /// If it matches.
    pub found: Option<RuleRow>,
}

impl RowRule {
    /// Lets a verdict have its effect.
    pub(super) fn apply(&self, look: Look, verdict: Verdict, exceptions: &mut Exceptions) {
        let Verdict { reading, ts_ms, key, says, found } = verdict;
        let is_match = found.is_some();
        let is_second = look == Look::Certain && self.is_fast();
        if self.life.kind == ExceptionKind::Condition {
            let judged = found.unwrap_or_else(|| RuleRow { ts_ms, ..RuleRow::default() });
            if !is_second {
                if is_match && self.is_fast() {
                    exceptions.matched_on_arrival(&self.life, reading);
                }
                exceptions.judge(&self.life, &key, says, &judged);
            } else if exceptions.take_match(&self.life, reading) {
                if !is_match {
                    exceptions.condition_rejoined(&self.life, &key, ts_ms);
                }
            } else if is_match {
                exceptions.judge_joined(&self.life, &key, says, &judged, true);
            }
        } else if look == Look::Arrival {
            if let Some(found) = &found {
                exceptions.event_on_arrival(&self.life, reading, found);
            }
        } else if self.is_fast() {
            if found.is_some() || exceptions.awaits(reading) {
                exceptions.event_rejoined(&self.life, reading, ts_ms, found.as_ref());
            }
        } else if let Some(found) = &found {
            exceptions.event(&self.life, found);
        }
    }
}
