//! The seconds and epochs of the time of arrival, where the engine had them.

use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::Arrivals;
use ingest::time::Epoch;

use crate::config::EngineSettings;

/// Where ticks and cuts stand between rows.
#[derive(Debug)]
pub(super) struct Time {
    arrivals: Option<Arrivals>,
    cut_interval: Duration,
}

impl Time {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Time { arrivals: None, cut_interval: settings.cut_interval }
    }

    /// Whether a second has passed before what arrives at `arrived_ms`.
    #[inline]
    pub(super) fn is_due(&self, arrived_ms: i64) -> bool {
        self.arrivals.as_ref().is_none_or(|arrivals| arrivals.next_tick_ms() <= arrived_ms)
    }

    /// The first and the last second that have passed since, and whether an epoch ends at the last.
    pub(super) fn pass(&mut self, arrived_ms: i64) -> Option<(i64, i64, bool)> {
        let begin = || Arrivals::new(None, arrived_ms, Epoch(0), self.cut_interval);
        let passed = self.arrivals.get_or_insert_with(begin).pass(arrived_ms)?;
        match passed.tick {
            Some(Entry::Tick { first_ms, last_ms }) => Some((first_ms, last_ms, passed.cut.is_some())),
            _ => None,
        }
    }
}
