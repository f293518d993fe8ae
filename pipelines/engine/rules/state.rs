//! Windows in a checkpoint.

use ingest::series::SeriesTable;

use super::shared::Shared;
use super::window_rule::WindowRule;
use super::{Rules, window_error};
use crate::engine::EngineError;
use crate::window::WindowOperator;

/// A window operator's state in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct WindowState {
    name: String,
    /// Of the query: state of another query is not taken.
    hash: String,
    /// Windows that begin earlier are not whole.
    opens_ms: i64,
    #[serde(with = "ingest::packed")]
    state: Vec<u8>,
}

impl WindowState {
    pub(in crate::engine) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is that of a rule, with the query that this has.
    pub(super) fn is_of(&self, rule: &WindowRule) -> bool {
        self.name == *rule.life.name && self.hash == rule.operator.plan().hash()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.state
    }
}

impl Rules {
    pub(in crate::engine) fn snapshot(
        &mut self,
        table: &SeriesTable,
    ) -> Result<Vec<WindowState>, EngineError> {
        let state = |rule: &mut WindowRule| {
            let state =
                rule.operator.snapshot(table).map_err(|source| window_error(&rule.life.name, source))?;
            let hash = rule.operator.plan().hash().to_owned();
            Ok(WindowState { name: rule.life.name.to_string(), hash, opens_ms: rule.opens_ms, state })
        };
        self.give_slides()?;
        self.each_window(table, state)
    }

    /// Gives the names of those that had a state.
    pub(in crate::engine) fn restore(
        &mut self,
        states: &[WindowState],
        correction_horizon_ms: i64,
        empty_from_ms: i64,
        table: &SeriesTable,
    ) -> Result<Vec<String>, EngineError> {
        let restore = |rule: &mut WindowRule| {
            if let Some(state) = states.iter().find(|state| state.is_of(rule)) {
                let restored =
                    WindowOperator::restore(rule.operator.plan(), correction_horizon_ms, &state.state, table);
                rule.operator = restored.map_err(|source| window_error(&rule.life.name, source))?;
                rule.opens_ms = state.opens_ms;
                return Ok(Some(rule.life.name.to_string()));
            }
            rule.open_at(empty_from_ms);
            Ok(None)
        };
        let restored = self.each_window(table, restore)?;
        self.shared = Shared::all(&self.windows)?;
        Ok(restored.into_iter().flatten().collect())
    }

    fn each_window<T: Send>(
        &mut self,
        table: &SeriesTable,
        work: impl Fn(&mut WindowRule) -> Result<T, EngineError> + Sync,
    ) -> Result<Vec<T>, EngineError> {
        let groups = table.all().len() * self.windows.len();
        self.threads.each(self.windows.iter_mut(), groups, work)
    }

    /// What [`Rules::snapshot`] has just taken, a line each.
    pub(in crate::engine) fn state_lines(
        &mut self,
        taken: &[WindowState],
        table: &SeriesTable,
    ) -> Result<Vec<String>, EngineError> {
        let line = |(rule, state): (&mut WindowRule, &WindowState)| {
            let WindowState { name, opens_ms, state, .. } = state;
            let hash = rule.operator.hash_of(state).map_err(|source| window_error(name, source))?;
            let opens = if *opens_ms == i64::MIN { String::new() } else { format!(" from {opens_ms}") };
            Ok(format!("window {name} {hash}{opens}"))
        };
        let groups = table.all().len() * taken.len();
        self.threads.each(self.windows.iter_mut().zip(taken), groups, line)
    }
}
