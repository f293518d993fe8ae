//! Windows over history that nobody closes: their state, as an engine would have it that had seen those rows.

use ingest::readings::Reject;

use super::super::block::Rows;
use super::super::rules::{Rules, WindowState};
use super::super::told::Told;
use super::super::{EngineError, millis};
use super::{Part, Shop};
use crate::config::{Config, Lane, RuleSettings};

/// Windows of some rules and views, filled with rows up to a message.
#[derive(Debug)]
pub(crate) struct PastWindows {
    rules: Rules,
    until_message: u64,
    /// The quarantine has these already, or they are of rows before the rule: they are not told.
    rejects: Vec<Reject>,
    /// Rows up to the message, by hour.
    pub read: Told,
    /// A row behind the message has been seen: all before it have been.
    pub is_over: bool,
}

impl PastWindows {
    /// Of `rules`, under the times and calendars of `config`.
    ///
    /// # Errors
    /// The first that does not compile.
    pub(crate) fn new(
        rules: &[RuleSettings],
        config: &Config,
        until_message: u64,
    ) -> Result<Self, EngineError> {
        // History knows the step of every row.
        let once: Vec<_> =
            rules.iter().map(|rule| RuleSettings { lane: Lane::Final, ..rule.clone() }).collect();
        let horizon_ms = millis(config.engine.longest_horizon());
        let rules = Rules::new(&once, &config.calendars, horizon_ms, i64::MAX)?;
        Ok(PastWindows { rules, until_message, rejects: Vec::new(), read: Told::default(), is_over: false })
    }

    /// The columns of telemetry that they read, ascending.
    #[must_use]
    pub(crate) fn telemetry_columns(&self) -> Vec<usize> {
        self.rules.telemetry_columns()
    }

    /// Readings, in message order.
    ///
    /// # Errors
    /// As the engine's: only a mistake of ours.
    pub(crate) fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        let (blocks, table) = ([part.block], shop.table());
        let readings = &part.block.readings;
        let range = part.range();
        let known = readings.message[range.clone()].partition_point(|message| *message <= self.until_message);
        self.is_over |= known < range.len();
        self.read.count(readings.ts_ms[range.start..range.start + known].iter().copied());
        self.rules.follow(table);
        let rows = part.rows(&blocks, shop.names());
        let old = self.is_over.then(|| rows.up_to(self.until_message));
        let rows = Rows { at: old.as_deref().or(rows.at), ..rows };
        if rows.len() > 0 {
            self.rules.fold(Rows { joined: None, ..rows }, table, &mut self.rejects)?;
            self.rules.fold_joined(rows, table, &mut self.rejects)?;
            self.rejects.clear();
        }
        Ok(())
    }

    /// Their state.
    ///
    /// # Errors
    /// An aggregate fails.
    pub(crate) fn states(&mut self, shop: &Shop) -> Result<Vec<WindowState>, EngineError> {
        self.rules.snapshot(shop.table())
    }
}
