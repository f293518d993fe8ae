//! The books of meters, dispensers and tanks: a balance for each and each day of its site's calendar, of what it showed
//! against what was booked to steps and what no step accounts for.
//!
//! A counter's day begins with the reading before it, so that one day ends where the next begins. What falls off a
//! register (a reset, another meter in its place) is told, and is nobody's consumption. A dispenser has no register: what it
//! measured is the sum of its amounts. Of a tank the fall of its level is held against what the site's meters and
//! dispensers measured of its fluid: the difference is what got lost or, below zero, what was delivered.
//!
//! A balance is told as its bay's watermark passes an hour, when the bay falls silent, and as the final one when the
//! watermark has passed the day; what a correction changes later is the next revision. Late rows are in no balance, as they
//! are in no book. Bound: [`BALANCES_MAX`] days of meters are kept; readings of further ones are counted
//! (`balances_missed`), and their meters have no balance until days before are forgotten.

mod balance;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::balance::{Balance, Drawn, MeterKind, Shown};

/// Days of meters that are kept at once: a day or two of each.
const BALANCES_MAX: usize = 100_000;
const HOUR_MS: i64 = 3_600_000;
/// A bay that falls silent again and again tells its balances once in so long.
const SILENT_AGAIN_MS: i64 = 600_000;

/// Names a balance. The order puts what is of one resource on a site side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct MeterDay {
    pub site: Arc<str>,
    pub resource: Arc<str>,
    pub unit: Arc<str>,
    /// First moment of the day, ms since 1970.
    pub started_ms: i64,
    pub series: u32,
}

/// How far a bay has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub frontier_ms: i64,
    /// It has just fallen silent.
    pub is_silent: bool,
    /// All that it has is final.
    pub is_closed: bool,
}

/// All balances that may change.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Balances {
    days: BTreeMap<MeterDay, Balance>,
    /// By bay: days that are changed or not final yet.
    attention: BTreeMap<u32, BTreeSet<MeterDay>>,
    /// By bay: its frontier when it told what it had.
    told_ms: BTreeMap<u32, i64>,
    /// By bay: up to which frontier none of its balances has anything to say, unless it is time or one is changed.
    #[serde(skip)]
    idle_until_ms: BTreeMap<u32, i64>,
}

impl Balances {
    /// Writes a reading down. `fresh` is an empty balance of the day. Whether there was room for it.
    pub(super) fn take(&mut self, day: MeterDay, fresh: Balance, write: impl FnOnce(&mut Balance)) -> bool {
        if self.days.len() >= BALANCES_MAX && !self.days.contains_key(&day) {
            return false;
        }
        let bay = fresh.bay;
        let balance = self.days.entry(day.clone()).or_insert(fresh);
        write(balance);
        balance.is_changed = true;
        let ended_ms =
            if balance.is_passed || balance.kind == MeterKind::Level { i64::MIN } else { balance.ended_ms };
        self.idle_until_ms.entry(bay).and_modify(|until_ms| *until_ms = ended_ms.min(*until_ms));
        self.attention.entry(bay).or_default().insert(day);
        true
    }

    /// Whether balances of `bay` are not told yet, or not for good.
    #[must_use]
    pub(super) fn is_waited_for(&self, bay: u32) -> bool {
        self.attention.contains_key(&bay)
    }

    /// Whether it is time to tell what goes on at `bay`; then it has been told with this.
    pub(super) fn is_time(&mut self, bay: u32, passed: Passed) -> bool {
        let Passed { frontier_ms, is_silent, is_closed } = passed;
        let told_ms = *self.told_ms.entry(bay).or_insert(frontier_ms);
        let hour = |ms: i64| ms.div_euclid(HOUR_MS);
        let is_time = is_closed
            || hour(frontier_ms) > hour(told_ms)
            || (is_silent && frontier_ms.saturating_sub(told_ms) >= SILENT_AGAIN_MS);
        if is_time {
            self.told_ms.insert(bay, frontier_ms);
        }
        is_time
    }

    /// Balances of `bay` that have something new to say, and those of tanks that follow from them. `is_time` is when what goes
    /// on is told.
    pub(super) fn due(&mut self, bay: u32, passed: Passed, is_time: bool) -> Vec<(MeterDay, Balance)> {
        let Some(attention) = self.attention.get(&bay) else { return Vec::new() };
        let Passed { frontier_ms, is_closed, .. } = passed;
        let is_idle = |until_ms: &i64| frontier_ms < *until_ms;
        if !is_time && !is_closed && self.idle_until_ms.get(&bay).is_some_and(is_idle) {
            return Vec::new();
        }
        let (mut told, mut tanks) = (Vec::new(), BTreeSet::new());
        for day in attention {
            let Some(balance) = self.days.get_mut(day) else { continue };
            balance.is_passed |= is_closed || balance.ended_ms <= frontier_ms;
            if balance.kind == MeterKind::Level {
                tanks.insert(day.clone());
                continue;
            }
            balance.is_over = balance.is_passed;
            if balance.is_due(is_time) {
                told.push((day.clone(), balance.tell()));
                let beside = self.days.range(day.first()..).take_while(|(other, _)| other.is_beside(day));
                let of_tank = beside.filter(|(_, other)| other.kind == MeterKind::Level);
                tanks.extend(of_tank.map(|(tank, _)| tank.clone()));
            }
        }
        for tank in tanks {
            if let Some(balance) = self.tell_tank(&tank, |of_bay| is_time && of_bay == bay) {
                told.push((tank, balance));
            }
        }
        if let Some(attention) = self.attention.get_mut(&bay) {
            let days = &self.days;
            attention.retain(|day| days.get(day).is_some_and(|balance| !balance.is_settled()));
            // What a tank has to say follows from what others drew.
            let waits_alone = |balance: &Balance| !balance.is_passed && balance.kind != MeterKind::Level;
            let mut waiting = attention.iter().filter_map(|day| days.get(day)).peekable();
            if waiting.peek().is_some() && waiting.clone().all(waits_alone) {
                let ends_ms = waiting.map(|balance| balance.ended_ms).min();
                self.idle_until_ms.extend(ends_ms.map(|ms| (bay, ms)));
            } else {
                self.idle_until_ms.remove(&bay);
            }
        }
        told
    }

    /// A tank's balance by what is beside it, if it has something new to say.
    fn tell_tank(&mut self, tank: &MeterDay, is_time: impl Fn(u32) -> bool) -> Option<Balance> {
        let (mut drawn, mut all_passed) = (Drawn::default(), true);
        for (_, other) in self.days.range(tank.first()..).take_while(|(other, _)| other.is_beside(tank)) {
            all_passed &= other.is_passed;
            if other.kind != MeterKind::Level {
                drawn.booked += other.drawn.booked;
                drawn.unassigned += other.drawn.unassigned;
            }
        }
        let balance = self.days.get_mut(tank)?;
        balance.is_changed |= balance.drawn != drawn;
        balance.drawn = drawn;
        balance.is_over = all_passed;
        let is_time = is_time(balance.bay);
        balance.is_due(is_time).then(|| balance.tell())
    }

    /// What no step accounts for, of all that are kept: with the bay and the first moment of the next day.
    pub(super) fn unassigned(&self) -> impl Iterator<Item = (&MeterDay, u32, i64, f64)> {
        let drawn = self.days.iter().filter(|(_, balance)| balance.kind != MeterKind::Level);
        drawn
            .map(|(day, balance)| (day, balance.bay, balance.ended_ms, balance.drawn.unassigned))
            .filter(|(.., quantity)| *quantity != 0.0)
    }

    /// Forgets what is final and lies so far back that no correction can change it. `before_ms` is that time, by bay.
    pub(super) fn forget(&mut self, before_ms: impl Fn(u32) -> i64) {
        self.days.retain(|_, balance| !balance.is_settled() || balance.ended_ms >= before_ms(balance.bay));
        self.attention.retain(|_, days| !days.is_empty());
    }

    /// By name; what differs between two engines can be seen in it.
    pub(super) fn state_lines<'a>(
        &'a self,
        series_name: impl Fn(u32) -> String + 'a,
        bay_name: impl Fn(usize) -> String + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        let days = self.days.iter().map(move |(day, balance)| {
            let MeterDay { site, resource, unit, started_ms, series } = day;
            let name = series_name(*series);
            format!("balance {site} {resource} {unit} {started_ms} {name} {}", balance.state())
        });
        days.chain(
            self.told_ms.iter().map(move |(&bay, ms)| format!("balanced {} {ms}", bay_name(bay as usize))),
        )
    }
}

impl MeterDay {
    /// The least of those that are beside it.
    fn first(&self) -> MeterDay {
        MeterDay { series: 0, ..self.clone() }
    }

    /// Of the same resource, site and day.
    fn is_beside(&self, other: &MeterDay) -> bool {
        self.started_ms == other.started_ms
            && self.resource == other.resource
            && self.unit == other.unit
            && self.site == other.site
    }
}

#[cfg(test)]
mod tests;
