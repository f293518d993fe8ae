//! What windows say, for whoever asks again: nothing is judged by it.

use ingest::series::SeriesTable;

use super::super::EngineError;
use super::super::bays::Bays;
use super::super::exceptions::Says;
use super::super::message::Message;
use super::super::rule_row::RuleRow;
use super::windows::Watermarks;
use super::{Rules, window_error};
use crate::window::{Closed, Frontier};

/// What a rule says of a row, or of one condition in a window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub matches: bool,
    pub value: Option<f64>,
    pub limit_min: Option<f64>,
    pub limit_max: Option<f64>,
    pub message: String,
    /// Of a window.
    pub window: Option<SaidWindow>,
}

/// Which window it was said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaidWindow {
    pub start_ms: i64,
    pub end_ms: i64,
    /// What names the condition.
    pub key: String,
    pub revision: u32,
    pub is_final: bool,
}

impl Said {
    /// Of a row of SELECT, worded by a rule's message.
    #[must_use]
    pub(in crate::engine) fn new(
        row: &RuleRow,
        message: &Message,
        matches: bool,
        window: Option<SaidWindow>,
    ) -> Self {
        let RuleRow { value, limit_min, limit_max, .. } = *row;
        Said { matches, value, limit_min, limit_max, message: message.of(row), window }
    }
}

impl Rules {
    /// What windows say once bays have come this far, and what those of bays say that have fallen silent.
    pub(crate) fn say(
        &mut self,
        released: &[u32],
        bays: &Bays,
        table: &SeriesTable,
    ) -> Result<Vec<Said>, EngineError> {
        let mut said = Vec::new();
        if !released.is_empty() {
            self.give_slides()?;
        }
        let watermarks = Watermarks::of(bays, table);
        self.before_close(&watermarks.frontier())?;
        for rule in &mut self.windows {
            let mut closed = Vec::new();
            let wrong = |source| window_error(&rule.life.name, source);
            for &bay in released {
                rule.operator.release(bay, &mut closed).map_err(wrong)?;
            }
            rule.operator.close(&watermarks.frontier(), &mut closed).map_err(wrong)?;
            said.extend(closed.iter().flat_map(|closed| rule.said(closed)));
        }
        Ok(said)
    }

    /// What windows say at the end of all.
    pub(crate) fn say_all(&mut self) -> Result<Vec<Said>, EngineError> {
        let mut said = Vec::new();
        self.before_close(&Frontier::end())?;
        for rule in &mut self.windows {
            let mut closed = Vec::new();
            let done = rule.operator.close(&Frontier::end(), &mut closed);
            done.map_err(|source| window_error(&rule.life.name, source))?;
            said.extend(closed.iter().flat_map(|closed| rule.said(closed)));
        }
        Ok(said)
    }
}

impl super::WindowRule {
    fn said(&self, closed: &Closed) -> Vec<Said> {
        if closed.is_withdrawn {
            return Vec::new();
        }
        let said = |(key, row): (String, usize)| {
            let (start_ms, end_ms) = (closed.starts_ms[row], closed.ends_ms[row]);
            let found = RuleRow::new(&closed.rows, row, String::new(), end_ms);
            let (revision, is_final) = (closed.revisions[row], closed.is_final);
            let window = SaidWindow { start_ms, end_ms, key, revision, is_final };
            Said::new(&found, &self.life.message, closed.matches.value(row), Some(window))
        };
        let says: Vec<Says> = closed.matches.values().iter().map(|matches| Says::of(matches, true)).collect();
        self.judged_rows(closed, &says).into_iter().map(said).collect()
    }
}
