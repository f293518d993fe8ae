//! One rule with `silent_after`: its keys, and who of them is silent. Or with `held_after`: whose last row has matched for
//! too long; a key of these is known from a row that matches to the next that does not.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use ingest::readings::{Readings, Reject};
use ingest::series::SeriesTable;

use super::super::EngineError;
use super::super::exceptions::{Exceptions, RuleLife, Says};
use super::super::rule_row::text_of;
use super::super::steps::BaySteps;
use super::heard::{Heard, end_of, row_of};
use super::listening::Listening;
use super::openings::Openings;
use super::patience::Patience;
use super::silences::Surroundings;
use super::usual::Usual;
use crate::config::CountsWhile;
use crate::plan::SilencePlan;

/// Keys of one rule that are watched on one site. Rows of further ones are not listened for, which `keys_unwatched`
/// counts, until others are forgotten.
pub(super) const KEYS_PER_SITE_MAX: usize = 20_000;

/// A rule with `silent_after`.
#[derive(Debug)]
pub(in crate::engine) struct SilenceRule {
    pub life: RuleLife,
    pub plan: SilencePlan,
    pub(super) patience: Patience,
    /// By series: number of its key, [`NO_KEY`] where it is not expected.
    pub(super) key_of: Vec<u32>,
    pub(super) keys: Vec<Watched>,
    /// By key: how often it is usually heard. Empty where the rule does not ask.
    pub(super) usual: Vec<Usual>,
    numbers: BTreeMap<String, u32>,
    pub(super) known_of_site: BTreeMap<Box<str>, usize>,
    /// Before that a tick finds nothing, unless a step begins or a bay opens.
    pub next_ms: i64,
}

pub(super) const NO_KEY: u32 = u32::MAX;

/// A key, whether or not it has been heard.
#[derive(Debug)]
pub(super) struct Watched {
    pub key: String,
    pub site: Box<str>,
    pub bay: u32,
    /// Where series alone tell which rows are expected: those of the key.
    pub series: Vec<u32>,
    /// There, its row may be older than the last one.
    pub heard: Option<Heard>,
}

impl Watched {
    /// Whether the next row of it says something.
    pub(super) fn is_awaited(&self) -> bool {
        self.heard.as_ref().is_none_or(|heard| heard.is_open)
    }
}

impl SilenceRule {
    #[must_use]
    pub(super) fn new(life: RuleLife, plan: SilencePlan, patience: Patience) -> Self {
        SilenceRule {
            life,
            plan,
            patience,
            key_of: Vec::new(),
            keys: Vec::new(),
            usual: Vec::new(),
            numbers: BTreeMap::new(),
            known_of_site: BTreeMap::new(),
            next_ms: i64::MIN,
        }
    }

    /// The same rule, before anything is heard.
    #[must_use]
    pub(super) fn fresh(&self) -> Self {
        SilenceRule::new(self.life.clone(), self.plan.clone(), self.patience)
    }

    /// Whether the series alone tells which rows are expected.
    pub(super) fn hears_all(&self) -> bool {
        self.plan.rows().matches_by_series()
    }

    /// Whether it counts while a bay is open.
    pub(super) fn asks_openings(&self) -> bool {
        self.patience.counts_while == CountsWhile::Open
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
                if self.patience.intervals.is_some() {
                    self.usual.push(Usual::UNHEARD);
                }
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

    /// Tells who is silent by `at_ms`, and forgets who has been for so long that nobody expects them.
    pub(super) fn tick(
        &mut self,
        at_ms: i64,
        (listening_ms, idle_final_ms): (i64, i64),
        around: Surroundings<'_>,
        (listening, openings): (&mut Listening, &Openings),
        exceptions: &mut Exceptions,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), EngineError> {
        let Patience { silent_after_ms, counts_while, .. } = self.patience;
        let asks_steps = matches!(counts_while, CountsWhile::Step | CountsWhile::NoStep);
        if at_ms < self.next_ms && !asks_steps {
            return Ok(());
        }
        let mut next_ms = i64::MAX;
        for (number, watched) in self.keys.iter_mut().enumerate() {
            let was_awaited = watched.is_awaited();
            let Watched { key, site, bay, series, heard: Some(heard) } = watched else { continue };
            let patience_ms = self.patience.of(self.usual.get(number));
            // Whoever is not due by an older row is not by a newer one.
            let old_ms = heard.last.arrived_ms.max(listening_ms);
            if old_ms.saturating_add(patience_ms.unwrap_or(silent_after_ms)) <= at_ms {
                heard.last = listening.last_of(series).unwrap_or(heard.last);
            }
            let heard_ms = heard.last.arrived_ms.max(listening_ms);
            // A start ends no silence that had been told before it: still nobody is heard.
            let silent_ms = if heard.is_open { heard.last.arrived_ms } else { heard_ms };
            let steps = around.steps.bay(*bay);
            let run = asks_steps.then(|| steps.and_then(BaySteps::current)).flatten();
            let opening = openings.of(*bay);
            let since_ms = match (counts_while, run) {
                (CountsWhile::Always, _) => Some(silent_ms),
                (CountsWhile::Open, _) => match opening {
                    None => Some(silent_ms),
                    Some(opening) => opening.is_open.then_some(silent_ms.max(opening.since_ms)),
                },
                (CountsWhile::NoStep, None) => {
                    let ended_ms =
                        steps.and_then(|steps| steps.runs.iter().filter_map(|run| run.ended_ms).max());
                    Some(silent_ms.max(ended_ms.unwrap_or(i64::MIN)))
                }
                (CountsWhile::Step, Some(run)) if !run.is_paused() => {
                    let resumed_ms = run.pauses.last().and_then(|(_, to_ms)| *to_ms);
                    Some(silent_ms.max(run.started_ms).max(resumed_ms.unwrap_or(i64::MIN)))
                }
                _ => None,
            };
            let due_ms = match (since_ms, patience_ms) {
                (Some(since_ms), Some(patience_ms)) => since_ms.saturating_add(patience_ms),
                _ => i64::MAX,
            };
            if heard.is_open && (due_ms > at_ms || heard.run != run.map(|run| run.id)) {
                let (ended_ms, reason) = match run {
                    Some(run) if counts_while == CountsWhile::NoStep => {
                        (Some(run.started_ms), "step_started")
                    }
                    None if counts_while == CountsWhile::Open => {
                        (opening.map(|opening| opening.since_ms), "bay_closed")
                    }
                    _ => end_of(heard.run, steps),
                };
                exceptions.end(&self.life.name, key, ended_ms.unwrap_or(at_ms), reason);
                heard.is_open = false;
            }
            if !heard.is_open && due_ms <= at_ms {
                let mut row = row_of(&self.life, &self.plan, &heard.last, due_ms, run, around, rejects);
                row.usual_interval_ms = self.usual.get(number).and_then(|usual| usual.interval_ms());
                exceptions.judge(&self.life, key, Says::Wrong, &row);
                heard.is_open = true;
                heard.run = run.map(|run| run.id);
            }
            let forgotten_after_ms = idle_final_ms.max(patience_ms.unwrap_or(silent_after_ms));
            let forgotten_ms = heard_ms.saturating_add(forgotten_after_ms);
            if forgotten_ms <= at_ms {
                exceptions.end(&self.life.name, key, forgotten_ms, "forgotten");
                if let Some(known) = self.known_of_site.get_mut(site) {
                    *known -= 1;
                }
                watched.heard = None;
                if let Some(usual) = self.usual.get_mut(number) {
                    *usual = Usual::UNHEARD;
                }
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

    /// A block is full: how often its keys were heard, where whole series are expected.
    pub(super) fn seal(&mut self, readings: &Readings, rows: Range<usize>) {
        if self.usual.is_empty() || !self.hears_all() {
            return;
        }
        for (&series, &arrived_ms) in readings.series[rows.clone()].iter().zip(&readings.arrived_ms[rows]) {
            let key = self.key_of[series as usize];
            if key != NO_KEY && self.usual[key as usize].hear(arrived_ms) {
                // It was not due at any time.
                self.next_ms = i64::MIN;
            }
        }
    }

    /// How often keys are usually heard, of those that are.
    pub(super) fn usual(&self) -> impl Iterator<Item = (&str, Usual)> {
        let known = self.keys.iter().zip(&self.usual).filter(|(_, usual)| **usual != Usual::UNHEARD);
        known.map(|(watched, usual)| (watched.key.as_str(), *usual))
    }

    /// Goes on with how often a key of a checkpoint was heard, if it is watched.
    pub(super) fn restore_usual(&mut self, key: &str, usual: Usual) {
        let Some(&number) = self.numbers.get(key) else { return };
        if let Some(known) = self.usual.get_mut(number as usize).filter(|known| **known != Usual::UNHEARD) {
            *known = usual;
        }
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
        if let Some(usual) = self.usual.get_mut(number as usize) {
            *usual = Usual::first(heard.last.arrived_ms);
        }
        watched.heard = Some(heard);
        if !watched.is_awaited() {
            listening.await_(&watched.series, false);
        }
        true
    }
}
