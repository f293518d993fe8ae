//! Window queries that share slides: which they are, and how rows and slides go to them.

use ingest::readings::Reject;
use ingest::series::SeriesTable;

use super::super::block::Rows;
use super::super::{EngineError, rows_error};
use super::window_error;
use super::window_rule::WindowRule;
use crate::window::{Frontier, Input, SharedSlides};

/// Some rules, by their numbers, and the slides that they share.
#[derive(Debug)]
pub(super) struct Shared {
    slides: SharedSlides,
    /// Ascending, at least two.
    rules: Vec<usize>,
    needs_steps: bool,
}

impl Shared {
    /// All that there are among `windows` but for those that wait for history.
    pub(super) fn all(windows: &[WindowRule]) -> Result<Vec<Shared>, EngineError> {
        let mut together: Vec<Vec<usize>> = Vec::new();
        for (number, rule) in windows.iter().enumerate().filter(|(_, rule)| !rule.is_waiting()) {
            let shares = |others: &&mut Vec<usize>| {
                let other = &windows[others[0]];
                other.needs_steps == rule.needs_steps
                    && other.operator.plan().shares_slides_with(rule.operator.plan())
            };
            match together.iter_mut().find(shares) {
                Some(others) => others.push(number),
                None => together.push(vec![number]),
            }
        }
        let shared = |rules: Vec<usize>| {
            let first = &windows[rules[0]];
            let plans: Vec<_> = rules.iter().map(|&rule| windows[rule].operator.plan()).collect();
            let slides =
                SharedSlides::new(&plans).map_err(|source| window_error(&first.life.name, source))?;
            Ok(Shared { slides, needs_steps: first.needs_steps, rules })
        };
        together.into_iter().filter(|rules| rules.len() > 1).map(shared).collect()
    }

    pub(super) fn rules(&self) -> &[usize] {
        &self.rules
    }

    /// Whether it is joined rows that they fold.
    pub(super) fn needs_steps(&self) -> bool {
        self.needs_steps
    }

    /// Folds rows that went to its rules. Gives how often one came too late for a window.
    pub(super) fn fold(
        &mut self,
        rows: Rows<'_>,
        windows: &mut [WindowRule],
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let name = windows[self.rules[0]].life.name.clone();
        let wrong = |source| window_error(&name, source);
        let batch = rows.batch(self.slides.columns()).map_err(|source| rows_error(&name, source))?;
        let (bay, ts_ms) = (rows.copy(|block| &block.bay), rows.copy(|block| &block.readings.ts_ms));
        let series = rows.copy(|block| &block.readings.series);
        let input = Input { rows: &batch, series: &series, bay: &bay, ts_ms: &ts_ms, runs_ms: &[] };
        let ended_ms = self.rules.iter().map(|&rule| windows[rule].operator.ended_ms()).max();
        let ended = self.slides.push(&input, table, ended_ms.unwrap_or(i64::MIN)).map_err(wrong)?;
        if self.slides.are_behind() {
            for (member, &rule) in self.rules.iter().enumerate() {
                self.slides.follow(member, &mut windows[rule].operator, table).map_err(wrong)?;
            }
        }
        let mut expired = 0;
        if !ended.is_empty() {
            let rows = Rows { at: Some(&rows.pick(&ended)), ..rows };
            for &rule in &self.rules {
                expired += windows[rule].fold(rows, table, rejects)?;
            }
        }
        Ok(expired)
    }

    /// Its rules are about to be closed to `frontier`: the slides that will have ended become their own.
    pub(super) fn before_close(
        &mut self,
        frontier: &Frontier<'_>,
        windows: &mut [WindowRule],
    ) -> Result<(), EngineError> {
        let until_ms = self.rules.iter().map(|&rule| windows[rule].operator.ends_ms(frontier)).max();
        self.give(until_ms.unwrap_or(i64::MAX), windows)
    }

    /// The slides that end by `until_ms` become its rules' own.
    pub(super) fn give(&mut self, until_ms: i64, windows: &mut [WindowRule]) -> Result<(), EngineError> {
        let slides = self.slides.take(until_ms);
        if slides.is_empty() {
            return Ok(());
        }
        for (member, &rule) in self.rules.iter().enumerate() {
            let rule = &mut windows[rule];
            let given = self.slides.give(member, &slides, &mut rule.operator);
            given.map_err(|source| window_error(&rule.life.name, source))?;
        }
        self.slides.keep(slides);
        Ok(())
    }
}
