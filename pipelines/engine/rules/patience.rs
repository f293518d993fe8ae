//! How long a rule with `silent_after` or `held_after` waits, and when.

use std::time::Duration;

use super::usual::Usual;
use crate::config::{CountsWhile, RuleSettings};

/// How long a rule waits, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub silent_after_ms: i64,
    /// At least so many of a key's usual intervals.
    pub intervals: Option<u32>,
    pub counts_while: CountsWhile,
    /// What matches is not expected, but is to be over soon.
    pub is_held: bool,
}

impl Patience {
    pub(super) fn new(settings: &RuleSettings, lasts: Duration) -> Self {
        Patience {
            silent_after_ms: i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX),
            intervals: settings.silent_intervals,
            counts_while: settings.counts_while,
            is_held: settings.held_after.is_some(),
        }
    }

    /// How long a key may be silent; none while it is not known how long is usual.
    pub(super) fn of(self, usual: Option<&Usual>) -> Option<i64> {
        let Some(intervals) = self.intervals else { return Some(self.silent_after_ms) };
        let usual_ms = usual?.interval_ms()?;
        Some(self.silent_after_ms.max(i64::from(intervals) * usual_ms))
    }
}
