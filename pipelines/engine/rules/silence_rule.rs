//! One rule with `silent_after`: its keys, and who of them is silent.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use ingest::readings::{Readings, Reject};
use ingest::series::SeriesTable;

use super::super::EngineError;
use super::super::exceptions::{Exceptions, RuleLife, Says};
use super::super::rule_row::{RuleRow, text_of};
use super::super::steps::BaySteps;
use super::arrival::OnArrival;
use super::heard::{Heard, LastRow, end_of, row_of};
use super::listening::Listening;
use super::silences::Surroundings;
use crate::plan::SilencePlan;

/// Keys of one rule that are watched on one site. Rows of further ones are not listened for, which `keys_unwatched`
/// counts, until others are forgotten.
const KEYS_PER_SITE_MAX: usize = 20_000;

/// A rule with `silent_after`.
#[derive(Debug)]
pub(in crate::engine) struct SilenceRule {
    pub life: RuleLife,
    pub plan: SilencePlan,
    silent_after_ms: i64,
    while_step: bool,
    /// By series: number of its key, [`NO_KEY`] where it is not expected.
    key_of: Vec<u32>,
    keys: Vec<Watched>,
    numbers: BTreeMap<String, u32>,
    known_of_site: BTreeMap<Box<str>, usize>,
    /// Before that a tick finds nothing, unless a step begins.
    pub next_ms: i64,
}

const NO_KEY: u32 = u32::MAX;

/// A key, whether or not it has been heard.
#[derive(Debug)]
struct Watched {
    key: String,
    site: Box<str>,
    bay: u32,
    /// Where series alone tell which rows are expected: those of the key.
    series: Vec<u32>,
    /// There, its row may be older than the last one.
    heard: Option<Heard>,
}

impl Watched {
    /// Whether the next row of it says something.
    fn is_awaited(&self) -> bool {
        self.heard.as_ref().is_none_or(|heard| heard.is_open)
    }
}

impl SilenceRule {
    #[must_use]
    pub(super) fn new(life: RuleLife, plan: SilencePlan, silent_after_ms: i64, while_step: bool) -> Self {
        SilenceRule {
            life,
            plan,
            silent_after_ms,
            while_step,
            key_of: Vec::new(),
            keys: Vec::new(),
            numbers: BTreeMap::new(),
            known_of_site: BTreeMap::new(),
            next_ms: i64::MIN,
        }
    }

    /// The same rule, before anything is heard.
    #[must_use]
    pub(super) fn fresh(&self) -> Self {
        SilenceRule::new(self.life.clone(), self.plan.clone(), self.silent_after_ms, self.while_step)
    }

    /// Whether the series alone tells which rows are expected.
    pub(super) fn hears_all(&self) -> bool {
        self.plan.rows().matches_by_series()
    }

    /// Whether rows of a series are.
    pub(super) fn expects(&self, series: u32) -> bool {
        self.key_of[series as usize] != NO_KEY
    }

    /// Takes in the series of `table` from number `first` on, with their names.
    pub(super) fn follow(
        &mut self,
        fresh: &RecordBatch,
        table: &SeriesTable,
        first: usize,
        looked_at: &mut [bool],
        listening: &mut Listening,
    ) {
        let within = self.plan.rows().scope().evaluate(fresh);
        let within = within.expect("a scope cannot fail: the planner saw to it");
        let columns = self.plan.key_columns(fresh).expect("a key cannot fail: the planner saw to it");
        for row in 0..fresh.num_rows() {
            if !within.value(row) {
                self.key_of.push(NO_KEY);
                continue;
            }
            let part = |column: &arrow::array::ArrayRef| text_of(column.as_ref(), row).unwrap_or_default();
            let key = columns.iter().map(part).collect::<Vec<_>>().join("/");
            let number = self.numbers.get(&key).copied().unwrap_or_else(|| {
                let number = u32::try_from(self.keys.len()).expect("keys are fewer than series");
                let (site, bay) = (table.all()[first + row].site.clone(), table.bay_of()[first + row]);
                self.numbers.insert(key.clone(), number);
                self.keys.push(Watched { key, site, bay, series: Vec::new(), heard: None });
                number
            });
            self.key_of.push(number);
            if self.hears_all() {
                let watched = &mut self.keys[number as usize];
                let series = u32::try_from(first + row).expect("series are numbered in u32");
                watched.series.push(series);
                if watched.is_awaited() {
                    listening.await_(&[series], true);
                }
            } else {
                looked_at[first + row] = true;
            }
        }
    }

    /// A row has arrived that is expected, if its series is, of a rule that must look at rows. `number` is that of this
    /// rule. Gives 1 if it is of a key beyond the bound.
    pub(super) fn hear(
        &mut self,
        number: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        let key = self.key_of[readings.series[row] as usize];
        if key == NO_KEY {
            return 0;
        }
        match &mut self.keys[key as usize].heard {
            Some(heard) if !heard.is_open => {
                *heard = Heard::of(readings, row);
                0
            }
            _ => self.hear_anew(number, key as usize, readings, row, said),
        }
    }

    /// The same of a rule that expects whole series, whose last row is noted: says something if its key was awaited.
    pub(super) fn hear_awaited(
        &mut self,
        number: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
        listening: &mut Listening,
    ) -> u64 {
        let key = self.key_of[readings.series[row] as usize] as usize;
        if key == NO_KEY as usize || !self.keys[key].is_awaited() {
            return 0;
        }
        let unwatched = self.hear_anew(number, key, readings, row, said);
        if unwatched == 0 {
            listening.await_(&self.keys[key].series, false);
        }
        unwatched
    }

    #[cold]
    fn hear_anew(
        &mut self,
        number: usize,
        key: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        let Watched { key, site, heard, .. } = &mut self.keys[key];
        let now = Heard::of(readings, row);
        let LastRow { message, arrived_ms, .. } = now.last;
        if heard.is_some() {
            said.push((message, OnArrival::Heard { rule: number, key: key.clone(), arrived_ms }));
        } else {
            let known = self.known_of_site.entry(site.clone()).or_default();
            if *known >= KEYS_PER_SITE_MAX {
                return 1;
            }
            *known += 1;
        }
        self.next_ms = self.next_ms.min(arrived_ms.saturating_add(self.silent_after_ms));
        *heard = Some(now);
        0
    }

    /// Lets it have its effect that a key was heard.
    pub(super) fn apply(&self, key: &str, arrived_ms: i64, exceptions: &mut Exceptions) {
        let row = RuleRow { ts_ms: arrived_ms, ..RuleRow::default() };
        exceptions.judge(&self.life, key, Says::Right, &row);
    }

    /// Tells who is silent by `at_ms`, and forgets who has been for so long that nobody expects them.
    pub(super) fn tick(
        &mut self,
        at_ms: i64,
        listening_ms: i64,
        idle_final_ms: i64,
        around: Surroundings<'_>,
        listening: &mut Listening,
        exceptions: &mut Exceptions,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), EngineError> {
        if at_ms < self.next_ms && !self.while_step {
            return Ok(());
        }
        let mut next_ms = i64::MAX;
        let forgotten_after_ms = idle_final_ms.max(self.silent_after_ms);
        for watched in &mut self.keys {
            let was_awaited = watched.is_awaited();
            let Watched { key, site, bay, series, heard: Some(heard) } = watched else { continue };
            // Whoever is not due by an older row is not by a newer one.
            let old_ms = heard.last.arrived_ms.max(listening_ms);
            if old_ms.saturating_add(self.silent_after_ms) <= at_ms {
                heard.last = listening.last_of(series).unwrap_or(heard.last);
            }
            let heard_ms = heard.last.arrived_ms.max(listening_ms);
            // A start ends no silence that had been told before it: still nobody is heard.
            let silent_ms = if heard.is_open { heard.last.arrived_ms } else { heard_ms };
            let run = self.while_step.then(|| around.steps.bay(*bay).and_then(BaySteps::current)).flatten();
            let since_ms = match (self.while_step, run) {
                (false, _) => Some(silent_ms),
                (true, Some(run)) if !run.is_paused() => {
                    let resumed_ms = run.pauses.last().and_then(|(_, to_ms)| *to_ms);
                    Some(silent_ms.max(run.started_ms).max(resumed_ms.unwrap_or(i64::MIN)))
                }
                (true, _) => None,
            };
            let due_ms = since_ms.map_or(i64::MAX, |since_ms| since_ms.saturating_add(self.silent_after_ms));
            if heard.is_open && (due_ms > at_ms || heard.run != run.map(|run| run.id)) {
                let (ended_ms, reason) = end_of(heard.run, around.steps.bay(*bay));
                exceptions.end(&self.life.name, key, ended_ms.unwrap_or(at_ms), reason);
                heard.is_open = false;
            }
            if !heard.is_open && due_ms <= at_ms {
                let row = row_of(&self.life, &self.plan, &heard.last, due_ms, run, around, rejects);
                exceptions.judge(&self.life, key, Says::Wrong, &row);
                heard.is_open = true;
                heard.run = run.map(|run| run.id);
            }
            let forgotten_ms = heard_ms.saturating_add(forgotten_after_ms);
            if forgotten_ms <= at_ms {
                exceptions.end(&self.life.name, key, forgotten_ms, "forgotten");
                if let Some(known) = self.known_of_site.get_mut(site) {
                    *known -= 1;
                }
                watched.heard = None;
            } else {
                next_ms = next_ms.min(forgotten_ms);
                if !heard.is_open {
                    next_ms = next_ms.min(due_ms);
                }
            }
            if watched.is_awaited() != was_awaited {
                listening.await_(&watched.series, !was_awaited);
            }
        }
        self.next_ms = next_ms;
        Ok(())
    }

    /// What was heard, by key, once the open block is sealed.
    pub(super) fn heard(&self, listening: &Listening) -> impl Iterator<Item = (String, Heard)> {
        let heard = |watched: &Watched| {
            let heard = watched.heard.clone()?;
            let last = listening.last_of(&watched.series).unwrap_or(heard.last);
            Some((watched.key.clone(), Heard { last, ..heard }))
        };
        self.keys.iter().filter_map(heard)
    }

    /// Goes on with a key of a checkpoint; false if it is not watched any more.
    pub(super) fn restore(&mut self, key: &str, heard: Heard, listening: &mut Listening) -> bool {
        let Some(&number) = self.numbers.get(key) else { return false };
        let hears_all = self.hears_all();
        let watched = &mut self.keys[number as usize];
        *self.known_of_site.entry(watched.site.clone()).or_default() += 1;
        if hears_all {
            listening.restore(heard.last);
        }
        watched.heard = Some(heard);
        if !watched.is_awaited() {
            listening.await_(&watched.series, false);
        }
        true
    }
}
