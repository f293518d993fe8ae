//! The same rules once more, as they are before the first entry, without planning them again.

use super::routes::Routes;
use super::row_rule::RowRule;
use super::shared::Shared;
use super::silence_rule::SilenceRule;
use super::silences::Silences;
use super::window_rule::WindowRule;
use super::{Rules, window_error};
use crate::engine::EngineError;
use crate::window::WindowOperator;

impl Rules {
    /// Rules of the same plans, without any state.
    ///
    /// # Errors
    /// If a window's operator cannot be made, which the first one could.
    pub(in crate::engine) fn fresh(
        &self,
        correction_horizon_ms: i64,
        idle_final_ms: i64,
    ) -> Result<Rules, EngineError> {
        let window = |rule: &WindowRule| {
            let operator = WindowOperator::new(rule.operator.plan(), correction_horizon_ms);
            let operator = operator.map_err(|source| window_error(&rule.life.name, source))?;
            let WindowRule { life, is_view, key, clear_when, needs_steps, calendar, .. } = rule;
            let (life, key, clear_when) = (life.clone(), key.clone(), clear_when.clone());
            let (is_view, needs_steps, calendar) = (*is_view, *needs_steps, calendar.clone());
            let (opens_ms, waits_behind) = (i64::MIN, None);
            Ok(WindowRule {
                life,
                is_view,
                key,
                operator,
                clear_when,
                needs_steps,
                opens_ms,
                waits_behind,
                calendar,
            })
        };
        let silences = self.silences.rules.iter().map(SilenceRule::fresh).collect();
        let windows = self.windows.iter().map(window).collect::<Result<Vec<_>, EngineError>>()?;
        Ok(Rules {
            rows: self.rows.iter().map(RowRule::fresh).collect(),
            shared: Shared::all(&windows)?,
            windows,
            row_routes: Routes::new(self.rows.len()),
            window_routes: [Routes::new(self.windows.len()), Routes::new(self.windows.len())],
            natures: self.natures.clone(),
            silences: Silences::new(silences, idle_final_ms),
            fast: Vec::new(),
            fast_columns: self.fast_columns.clone(),
            certain_columns: self.certain_columns.clone(),
            series: 0,
            threads: self.threads,
        })
    }
}
