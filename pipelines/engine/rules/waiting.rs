//! Windows that wait for what history tells of them.
//!
//! While they wait they fold in what is newer than history tells, time stands for them, and they say nothing.

use ingest::series::SeriesTable;

use super::shared::Shared;
use super::state::WindowState;
use super::window_rule::WindowRule;
use super::windows::Watermarks;
use super::{Rules, window_error};
use crate::engine::EngineError;
use crate::window::{Frontier, RestoreError, WindowOperator};

impl Rules {
    /// Names of those that wait.
    pub(in crate::engine) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.windows.iter().filter(|rule| rule.is_waiting()).map(|rule| &*rule.life.name)
    }

    /// Empties the windows of `names`: from here on they wait for what history tells of messages up to `until_message`.
    /// What has ended by now is not told any more.
    pub(in crate::engine) fn wait(
        &mut self,
        names: &[String],
        until_message: u64,
        watermarks: &Watermarks,
        correction_horizon_ms: i64,
    ) -> Result<(), EngineError> {
        self.give_slides()?;
        for rule in self.windows.iter_mut().filter(|rule| names.iter().any(|name| **name == *rule.life.name))
        {
            let operator = WindowOperator::new(rule.operator.plan(), correction_horizon_ms);
            rule.operator = operator.map_err(|source| window_error(&rule.life.name, source))?;
            rule.operator.stand_at(&watermarks.frontier());
            rule.waits_behind = Some(until_message);
        }
        self.shared = Shared::all(&self.windows)?;
        Ok(())
    }

    /// Those of `names` wait on, after a restart: their state is that of before.
    pub(in crate::engine) fn wait_on(
        &mut self,
        names: &[String],
        until_message: u64,
    ) -> Result<(), EngineError> {
        let waits = |rule: &&mut WindowRule| names.iter().any(|name| **name == *rule.life.name);
        self.windows.iter_mut().filter(waits).for_each(|rule| rule.waits_behind = Some(until_message));
        self.shared = Shared::all(&self.windows)?;
        Ok(())
    }

    /// History has told of those that have a state, from `opens_ms` on. Those of `without` wait no more, and begin with
    /// the first window after `empty_from_ms`.
    pub(in crate::engine) fn fill(
        &mut self,
        (states, opens_ms): (&[WindowState], i64),
        (without, empty_from_ms): (&[String], i64),
        correction_horizon_ms: i64,
        table: &SeriesTable,
    ) -> Result<(), EngineError> {
        self.give_slides()?;
        for rule in self.windows.iter_mut().filter(|rule| rule.is_waiting()) {
            let state = states.iter().find(|state| state.is_of(rule));
            if state.is_none() && !without.iter().any(|name| **name == *rule.life.name) {
                continue;
            }
            // What another version kept otherwise is not read: these windows go without as well.
            let known = state.and_then(|state| {
                let plan = rule.operator.plan();
                WindowOperator::restore(plan, correction_horizon_ms, state.bytes(), table).ok()
            });
            rule.waits_behind = None;
            rule.open_at(if known.is_some() { opens_ms } else { empty_from_ms });
            if let Some(known) = known {
                rule.put_behind(known, table)?;
            }
        }
        self.shared = Shared::all(&self.windows)?;
        Ok(())
    }
}

impl WindowRule {
    /// What it has folded comes behind what `known` knows. Windows that had ended when it began to wait are told to nobody.
    fn put_behind(&mut self, mut known: WindowOperator, table: &SeriesTable) -> Result<(), EngineError> {
        let name = &self.life.name.clone();
        let newer = self.operator.snapshot(table).map_err(|source| window_error(name, source))?;
        let damaged = |error: RestoreError| EngineError::State { reason: format!("rule `{name}`: {error}") };
        known.absorb(&newer, table).map_err(damaged)?;
        let ended = known.close(&Frontier::still(), &mut Vec::new());
        ended.map_err(|source| window_error(name, source))?;
        self.operator = known;
        Ok(())
    }
}
