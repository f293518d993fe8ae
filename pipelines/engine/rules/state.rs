//! Windows in a checkpoint.

use ingest::series::SeriesTable;

use super::shared::Shared;
use super::window_rule::WindowRule;
use super::{Rules, window_error};
use crate::engine::EngineError;
use crate::window::WindowOperator;

/// A window operator's state in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct WindowState {
    name: String,
    /// Of the query: state of another query is not taken.
    hash: String,
    /// Windows that begin earlier are not whole.
    opens_ms: i64,
    #[serde(with = "ingest::packed")]
    state: Vec<u8>,
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

    pub(in crate::engine) fn restore(
        &mut self,
        states: &[WindowState],
        correction_horizon_ms: i64,
        empty_from_ms: i64,
        table: &SeriesTable,
    ) -> Result<(), EngineError> {
        let restore = |rule: &mut WindowRule| {
            let hash = rule.operator.plan().hash();
            let same = |state: &&WindowState| state.name == *rule.life.name && state.hash == hash;
            if let Some(state) = states.iter().find(same) {
                let restored =
                    WindowOperator::restore(rule.operator.plan(), correction_horizon_ms, &state.state, table);
                rule.operator = restored.map_err(|source| window_error(&rule.life.name, source))?;
                rule.opens_ms = state.opens_ms;
            } else {
                rule.open_at(empty_from_ms);
            }
            Ok(())
        };
        self.each_window(table, restore)?;
        self.shared = Shared::all(&self.windows)?;
        Ok(())
    }

    fn each_window<T: Send>(
        &mut self,
        table: &SeriesTable,
        work: impl Fn(&mut WindowRule) -> Result<T, EngineError> + Sync,
    ) -> Result<Vec<T>, EngineError> {
        let groups = table.all().len() * self.windows.len();
        self.threads.each(self.windows.iter_mut(), groups, work)
    }

    pub(in crate::engine) fn state_lines(&mut self, table: &SeriesTable) -> Result<Vec<String>, EngineError> {
        let line = |rule: &mut WindowRule| {
            let taken = rule.operator.snapshot_and_hash(table);
            let (_, hash) = taken.map_err(|source| window_error(&rule.life.name, source))?;
            let opens =
                if rule.opens_ms == i64::MIN { String::new() } else { format!(" from {}", rule.opens_ms) };
            Ok(format!("window {} {}{opens}", rule.life.name, blake3::Hash::from_bytes(hash)))
        };
        self.give_slides()?;
        self.each_window(table, line)
    }
}
