//! The passing of time as entries: ticks and cuts (rule 6.2).
//!
//! Arrival time never goes back: it is the clock, or the last arrival where that is later. A tick stands at
//! each whole second of it, between the messages before and after; seconds in which nothing was asked are
//! one tick `first_ms..=last_ms`. A cut follows the first tick at or past each multiple of the cut interval.
//! Live intake and replay place ticks and cuts by this one rule.
//!
//! Where the clock is put back, entries are timed from the last one on at the pace of the monotonic clock ([`Pace`]): a
//! day without ticks would be a day without windows, exports, checkpoints and absences.

use std::time::Duration;

use super::gathering::Moment;
use crate::entry::Entry;
use crate::time::Epoch;

/// Places ticks and cuts.
#[derive(Debug)]
pub struct Arrivals {
    last_ms: i64,
    next_tick_ms: i64,
    cut_interval_ms: i64,
    epoch: Epoch,
}

/// A clock that is behind by no more is waited for.
const BEHIND_MS_MAX: i64 = 1_000;

/// The clock, as long as it does not go back.
#[derive(Debug)]
pub(super) struct Pace {
    last: Moment,
    behind_ms: i64,
}

impl Pace {
    /// Goes on after `last_at_ms`, the time of the newest entry; `now_us` is the monotonic clock's time.
    pub(super) fn new(last_at_ms: i64, now_us: u64) -> Self {
        Pace { last: Moment { ms: last_at_ms, us: now_us }, behind_ms: 0 }
    }

    /// What time it is, ms since 1970 UTC: never before what it was.
    #[inline]
    pub(super) fn at_ms(&mut self, now: Moment) -> i64 {
        if now.ms >= self.last.ms - BEHIND_MS_MAX {
            self.last = Moment { ms: self.last.ms.max(now.ms), us: now.us };
            self.behind_ms = 0;
            return self.last.ms;
        }
        let passed_ms = now.us.saturating_sub(self.last.us) / 1000;
        self.last.us += passed_ms * 1000;
        self.last.ms = self.last.ms.saturating_add_unsigned(passed_ms);
        self.behind_ms = self.last.ms - now.ms;
        self.last.ms
    }

    /// How far the clock is behind the entries, where it was put back.
    pub(super) fn behind_ms(&self) -> i64 {
        self.behind_ms
    }
}

/// What stands before a message because of the time that has passed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub tick: Option<Entry>,
    pub cut: Option<Entry>,
}

impl Arrivals {
    /// Goes on after `last_at_ms`, the time of the journal's last entry, or begins at `now_ms`.
    #[must_use]
    pub fn new(last_at_ms: Option<i64>, now_ms: i64, last_epoch: Epoch, cut_interval: Duration) -> Self {
        let last_ms = last_at_ms.unwrap_or(now_ms);
        let cut_interval_ms = i64::try_from(cut_interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let next_tick_ms = floor_to(last_ms, 1000).saturating_add(1000);
        Arrivals { last_ms, next_tick_ms, cut_interval_ms, epoch: last_epoch }
    }

    /// Arrival time of what comes now: of the clock's `now_ms`, but never before the last.
    #[must_use]
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// When the next tick is due, on the clock.
    #[must_use]
    pub fn next_tick_ms(&self) -> i64 {
        self.next_tick_ms
    }

    /// Moves arrival time to `now_ms`, if that is later. What it gives stands before anything that arrives
    /// from now on: first the tick, then the cut.
    #[inline]
    pub fn pass(&mut self, now_ms: i64) -> Option<Passed> {
        self.last_ms = self.last_ms.max(now_ms);
        if self.last_ms < self.next_tick_ms { None } else { Some(self.tick()) }
    }

    #[cold]
    fn tick(&mut self) -> Passed {
        let first_ms = self.next_tick_ms;
        let last_ms = floor_to(self.last_ms, 1000);
        self.next_tick_ms = last_ms.saturating_add(1000);
        let interval = self.cut_interval_ms;
        let is_cut_due = last_ms.div_euclid(interval) > (first_ms - 1000).div_euclid(interval);
        let cut = is_cut_due.then(|| self.cut_at(last_ms));
        Passed { tick: Some(Entry::Tick { first_ms, last_ms }), cut }
    }

    /// A cut out of turn, at the last arrival: the end of an input, a shutdown.
    #[must_use]
    pub fn cut(&mut self) -> Entry {
        self.cut_at(self.last_ms)
    }

    fn cut_at(&mut self, at_ms: i64) -> Entry {
        self.epoch = Epoch(self.epoch.0 + 1);
        Entry::Cut { epoch: self.epoch, at_ms }
    }

    /// Takes a cut back that nobody has seen: its number is given to the next.
    pub(crate) fn uncut(&mut self) {
        self.epoch = Epoch(self.epoch.0 - 1);
    }
}

fn floor_to(ms: i64, unit_ms: i64) -> i64 {
    ms - ms.rem_euclid(unit_ms)
}
