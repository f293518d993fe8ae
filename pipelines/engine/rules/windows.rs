//! All windows at once: rows in, verdicts and views out as the bays' watermarks pass.

use std::collections::BTreeMap;

use ingest::readings::Reject;
use ingest::series::SeriesTable;
use sinks::emission::Emission;

use super::super::EngineError;
use super::super::bays::Bays;
use super::super::block::Rows;
use super::looked::Verdicts;
use super::window_rule::WindowRule;
use super::{Rules, window_error};
use crate::window::Frontier;

/// How far bays, sites and all together have come.
pub(in crate::engine) struct Watermarks {
    bays: Vec<i64>,
    sites: BTreeMap<Box<str>, i64>,
    overall: i64,
}

impl Watermarks {
    pub(in crate::engine) fn of(bays: &Bays, table: &SeriesTable) -> Self {
        let count = u32::try_from(bays.all().len()).expect("bays are numbered in u32");
        let of_bays: Vec<i64> = (0..count).map(|bay| bays.frontier_ms(bay)).collect();
        let (sites, overall) = bays.least_ms(|bay| &table.bays()[bay as usize].0);
        Watermarks { bays: of_bays, sites, overall }
    }

    /// That of the bay which is furthest behind.
    pub(in crate::engine) fn overall_ms(&self) -> i64 {
        self.overall
    }

    pub(super) fn frontier(&self) -> Frontier<'_> {
        Frontier { bays: &self.bays, sites: &self.sites, overall: self.overall }
    }
}

impl Rules {
    /// Folds rows into the windows that need no step. Gives how often a row came too late for a window.
    pub(crate) fn fold(
        &mut self,
        rows: Rows<'_>,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        self.fold_into(rows, table, false, rejects)
    }

    /// Folds joined rows into the windows that need their step. Late rows must not be among them.
    pub(crate) fn fold_joined(
        &mut self,
        rows: Rows<'_>,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        self.fold_into(rows, table, true, rejects)
    }

    fn fold_into(
        &mut self,
        rows: Rows<'_>,
        table: &SeriesTable,
        joined: bool,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let routes = &mut self.window_routes[usize::from(joined)];
        if rows.len() == 0 || routes.is_idle() {
            return Ok(0);
        }
        let series = rows.copy(|block| &block.readings.series);
        if !routes.split(&series) {
            return Ok(0);
        }
        let mut expired = 0;
        let mut is_done = vec![false; self.windows.len()];
        for shared in self.shared.iter_mut().filter(|shared| shared.needs_steps() == joined) {
            shared.rules().iter().for_each(|&rule| is_done[rule] = true);
            // What one of them wants all want.
            let selected = routes.of(shared.rules()[0]);
            if !selected.is_empty() {
                let picked = (selected.len() < series.len()).then(|| rows.pick(selected));
                let rows = Rows { at: picked.as_deref().or(rows.at), ..rows };
                expired += shared.fold(rows, &mut self.windows, table, rejects)?;
            }
        }
        let rules = self.windows.iter_mut().enumerate();
        let rules =
            rules.filter(|(number, _)| !is_done[*number]).map(|(number, rule)| (rule, routes.of(number)));
        let rules: Vec<(&mut WindowRule, &[u32])> =
            rules.filter(|(_, selected)| !selected.is_empty()).collect();
        let work = rules.iter().map(|(_, selected)| selected.len()).sum();
        let folded = self.threads.each(rules.into_iter(), work, |(rule, selected)| {
            let mut rejects = Vec::new();
            let picked = (selected.len() < series.len()).then(|| rows.pick(selected));
            let rows = Rows { at: picked.as_deref().or(rows.at), ..rows };
            let newer = rule.waits_behind.map(|until_message| rows.newer_than(until_message));
            let rows = Rows { at: newer.as_deref().or(rows.at), ..rows };
            Ok((rule.fold(rows, table, &mut rejects)?, rejects))
        })?;
        for (more_expired, mut more_rejects) in folded {
            expired += more_expired;
            rejects.append(&mut more_rejects);
        }
        Ok(expired)
    }

    /// A bay has fallen silent: its windows are shown as they are.
    pub(crate) fn release(
        &mut self,
        bay: u32,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        self.give_slides()?;
        for rule in self.windows.iter_mut().filter(|rule| !rule.is_waiting()) {
            let mut shown = Vec::new();
            let done = rule.operator.release(bay, &mut shown);
            done.map_err(|source| window_error(&rule.life.name, source))?;
            let watermark_ms = |site: &str, bay: &str| bays.watermark_of(table, site, bay);
            rule.tell(&shown, watermark_ms, Verdicts { exceptions, rejects }, out)?;
        }
        Ok(())
    }

    /// Closes what the bays' watermarks have passed.
    pub(crate) fn close(
        &mut self,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if self.windows.is_empty() {
            return Ok(());
        }
        let watermarks = Watermarks::of(bays, table);
        self.close_to(&watermarks.frontier(), bays, table, verdicts, out)
    }

    /// Closes everything: no row will come any more.
    pub(crate) fn close_all(
        &mut self,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        self.close_to(&Frontier::end(), bays, table, verdicts, out)
    }

    /// Closes what has been closed elsewhere, and tells nobody: later rows correct it.
    pub(crate) fn close_unseen(&mut self, watermarks: &Watermarks) -> Result<(), EngineError> {
        self.before_close(&watermarks.frontier())?;
        for rule in &mut self.windows {
            let done = rule.operator.close(&watermarks.frontier(), &mut Vec::new());
            done.map_err(|source| window_error(&rule.life.name, source))?;
        }
        Ok(())
    }

    /// Windows that begin before `opens_ms` lack rows.
    pub(crate) fn open_at(&mut self, opens_ms: i64) {
        self.windows.iter_mut().for_each(|rule| rule.open_at(opens_ms));
    }

    /// Before windows are closed to `frontier`.
    pub(super) fn before_close(&mut self, frontier: &Frontier<'_>) -> Result<(), EngineError> {
        self.shared.iter_mut().try_for_each(|shared| shared.before_close(frontier, &mut self.windows))
    }

    /// From here on each rule has all that it has folded.
    pub(super) fn give_slides(&mut self) -> Result<(), EngineError> {
        self.shared.iter_mut().try_for_each(|shared| shared.give(i64::MAX, &mut self.windows))
    }

    fn close_to(
        &mut self,
        frontier: &Frontier<'_>,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        self.before_close(frontier)?;
        for rule in self.windows.iter_mut().filter(|rule| !rule.is_waiting()) {
            let mut closed = Vec::new();
            let done = rule.operator.close(frontier, &mut closed);
            done.map_err(|source| window_error(&rule.life.name, source))?;
            let watermark_ms = |site: &str, bay: &str| bays.watermark_of(table, site, bay);
            rule.tell(&closed, watermark_ms, Verdicts { exceptions, rejects }, out)?;
        }
        Ok(())
    }
}
