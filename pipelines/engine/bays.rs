//! Time belongs to the bay: each has its own watermark, moved by its own messages alone.

use std::collections::BTreeMap;

use ingest::series::SeriesTable;

use super::bounds::BayBounds;

/// How far one bay has come.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct BayTime {
    /// Newest event time of its messages so far; `i64::MIN` before the first that has one.
    pub newest_ts_ms: i64,
    /// Arrival of its newest message; `i64::MIN` before the first.
    pub arrived_ms: i64,
    /// Silent for longer than the idle time: what it holds has been shown, and it holds nobody else.
    pub released: bool,
    /// Silent for so long that what it has is final.
    pub closed: bool,
    /// It had a message since the last tick.
    moved: bool,
    bounds: BayBounds,
    /// How far it had come when its lateness became longer: it does not go back.
    reached_ms: i64,
}

impl BayTime {
    fn unheard(bounds: BayBounds) -> Self {
        BayTime {
            newest_ts_ms: i64::MIN,
            arrived_ms: i64::MIN,
            released: false,
            closed: false,
            moved: false,
            bounds,
            reached_ms: i64::MIN,
        }
    }

    fn watermark_ms(&self) -> i64 {
        match self.newest_ts_ms {
            i64::MIN => i64::MIN,
            newest_ms => (newest_ms - self.bounds.lateness_ms).max(self.reached_ms),
        }
    }
}

/// All bays by number, and the bounds of those that have none of their own.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Bays {
    all: Vec<BayTime>,
    bounds: BayBounds,
    idle_final_ms: i64,
}

/// Watermarks of some bays, as they come together.
#[derive(Clone, Copy, Debug, Default)]
struct Least {
    waiting_ms: Option<i64>,
    released_ms: Option<i64>,
}

impl Least {
    fn take(&mut self, watermark_ms: i64, released: bool) {
        if released {
            self.released_ms = self.released_ms.max(Some(watermark_ms));
        } else {
            self.waiting_ms =
                Some(self.waiting_ms.map_or(watermark_ms, |least_ms| least_ms.min(watermark_ms)));
        }
    }

    fn ms(self) -> i64 {
        self.waiting_ms.or(self.released_ms).unwrap_or(i64::MIN)
    }
}

/// What a tick found.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticked {
    /// Bays whose watermark may have moved since the last tick.
    pub moved: Vec<u32>,
    /// Bays that have just fallen silent.
    pub released: Vec<u32>,
    /// Bays that have been silent so long that all they have is final.
    pub closed: Vec<u32>,
}

impl Bays {
    /// No bays yet.
    #[must_use]
    pub(super) fn new(lateness_ms: i64, idle_ms: i64, idle_final_ms: i64) -> Self {
        Bays { all: Vec::new(), bounds: BayBounds { lateness_ms, idle_ms }, idle_final_ms }
    }

    /// What a checkpoint knows of the bays, under the settings of `fresh`.
    #[must_use]
    pub(super) fn under_settings_of(self, fresh: &Bays) -> Self {
        let Bays { bounds, idle_final_ms, .. } = *fresh;
        Bays { bounds, idle_final_ms, ..self }
    }

    /// A bay has these bounds from now on. Its watermark does not go back.
    pub(super) fn bind(&mut self, bay: u32, bounds: BayBounds) {
        let time = self.time_mut(bay);
        if time.bounds != bounds {
            time.reached_ms = time.watermark_ms();
            time.bounds = bounds;
            time.moved |= time.watermark_ms() > time.reached_ms;
        }
    }

    /// The same after a start. Under other settings a bay is where it would be if they had always held.
    pub(super) fn rebind(&mut self, bay: u32, bounds: BayBounds) {
        let time = self.time_mut(bay);
        if time.bounds != bounds {
            time.reached_ms = i64::MIN;
            time.bounds = bounds;
        }
    }

    fn time_mut(&mut self, bay: u32) -> &mut BayTime {
        let index = bay as usize;
        if index >= self.all.len() {
            self.all.resize_with(index + 1, || BayTime::unheard(self.bounds));
        }
        &mut self.all[index]
    }

    /// No row of `bay` before this is still expected; `i64::MIN` before its first message.
    #[must_use]
    pub(super) fn watermark_ms(&self, bay: u32) -> i64 {
        self.all.get(bay as usize).map_or(i64::MIN, BayTime::watermark_ms)
    }

    /// A bay that is silent for so long is released.
    #[must_use]
    pub(super) fn idle_ms(&self, bay: u32) -> i64 {
        self.all.get(bay as usize).map_or(self.bounds.idle_ms, |time| time.bounds.idle_ms)
    }

    /// Whether it has been silent for so long that nothing of it is waited for.
    #[must_use]
    pub(super) fn is_silent(&self, bay: u32) -> bool {
        self.all.get(bay as usize).is_some_and(|time| time.released || time.closed)
    }

    /// The same by name; none before the bay's first message, and of a site as a whole.
    #[must_use]
    pub(super) fn watermark_of(&self, table: &SeriesTable, site: &str, bay: &str) -> Option<i64> {
        let watermark_ms = self.watermark_ms(table.find_bay(site, bay)?);
        Some(watermark_ms).filter(|&ms| ms != i64::MIN)
    }

    /// The watermark as windows see it: a bay that is closed waits for nothing that it has, which ends at most the
    /// final idle time after its newest row. It stays finite, for the bay may speak again.
    #[must_use]
    pub(super) fn frontier_ms(&self, bay: u32) -> i64 {
        match self.all.get(bay as usize) {
            // What a bay without any event time has is of its arrival.
            Some(time) if time.closed && time.newest_ts_ms == i64::MIN => {
                time.arrived_ms.saturating_add(self.idle_final_ms)
            }
            Some(time) if time.closed => time.newest_ts_ms.saturating_add(self.idle_final_ms),
            _ => self.watermark_ms(bay),
        }
    }

    /// A message of `bay` has been taken in whole; `newest_ts_ms` is the newest event time in it, `i64::MIN` if it has
    /// none of its own.
    pub(super) fn heard(&mut self, bay: u32, newest_ts_ms: i64, arrived_ms: i64) {
        self.meet(bay);
        self.hear(bay, newest_ts_ms, arrived_ms);
    }

    /// There are bays up to this one.
    pub(super) fn meet(&mut self, bay: u32) {
        self.time_mut(bay);
    }

    /// As [`Bays::heard`], of a bay that has been met. Gives back the watermark that it had before.
    #[inline]
    pub(super) fn hear(&mut self, bay: u32, newest_ts_ms: i64, arrived_ms: i64) -> i64 {
        let time = &mut self.all[bay as usize];
        let watermark_ms = time.watermark_ms();
        time.newest_ts_ms = time.newest_ts_ms.max(newest_ts_ms);
        time.arrived_ms = arrived_ms;
        time.released = false;
        time.closed = false;
        time.moved = true;
        watermark_ms
    }

    /// Bays that have come further, with the time before which nothing of them is expected any more; ascending.
    #[must_use]
    pub(super) fn until(&self, ticked: &Ticked) -> Vec<(u32, i64)> {
        let mut until: Vec<(u32, i64)> =
            ticked.moved.iter().map(|&bay| (bay, self.frontier_ms(bay))).collect();
        for &bay in ticked.released.iter().chain(&ticked.closed) {
            until.retain(|(known, _)| *known != bay);
            until.push((bay, i64::MAX));
        }
        until.sort_unstable();
        until
    }

    /// The second `at_ms` has passed.
    pub(super) fn tick(&mut self, at_ms: i64) -> Ticked {
        let mut ticked = Ticked::default();
        for (bay, time) in (0..).zip(&mut self.all) {
            if std::mem::take(&mut time.moved) {
                ticked.moved.push(bay);
            }
            if time.arrived_ms == i64::MIN || time.closed {
                continue;
            }
            let silent_ms = at_ms - time.arrived_ms;
            if !time.released && silent_ms >= time.bounds.idle_ms {
                time.released = true;
                ticked.released.push(bay);
            }
            if silent_ms >= self.idle_final_ms {
                time.closed = true;
                ticked.closed.push(bay);
            }
        }
        ticked
    }

    /// No message will come any more: everything is final.
    pub(super) fn close_all(&mut self) {
        self.all.iter_mut().filter(|time| time.arrived_ms != i64::MIN).for_each(|time| time.closed = true);
    }

    /// The next second after `at_ms` at which a tick can find something though nothing arrives.
    #[must_use]
    pub(super) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        let heard = self.all.iter().filter(|time| time.arrived_ms != i64::MIN && !time.closed);
        let deadlines = heard.map(|time| {
            time.arrived_ms + if time.released { self.idle_final_ms } else { time.bounds.idle_ms }
        });
        deadlines.map(|ms| -(-ms).div_euclid(1000) * 1000).filter(|&ms| ms > at_ms).min()
    }

    /// All that have been heard, by number.
    #[must_use]
    pub(super) fn all(&self) -> &[BayTime] {
        &self.all
    }

    /// The least watermark of each site's bays that are not released, and of all; where all are released, the
    /// highest. It stays finite, for they may speak again. `site_of` gives the name of a bay's site.
    #[must_use]
    pub(super) fn least_ms<'a>(
        &self,
        site_of: impl Fn(u32) -> &'a Box<str>,
    ) -> (BTreeMap<Box<str>, i64>, i64) {
        let mut sites: BTreeMap<Box<str>, Least> = BTreeMap::new();
        let mut all = Least::default();
        for (bay, time) in self.all.iter().enumerate().filter(|(_, time)| time.newest_ts_ms != i64::MIN) {
            let bay = u32::try_from(bay).expect("bays are numbered in u32");
            let site = site_of(bay);
            if !sites.contains_key(site) {
                sites.insert(site.clone(), Least::default());
            }
            let of_site = sites.get_mut(site).expect("it was just put there");
            for least in [of_site, &mut all] {
                least.take(self.frontier_ms(bay), time.released);
            }
        }
        (sites.into_iter().map(|(site, least)| (site, least.ms())).collect(), all.ms())
    }

    /// The least watermark of all bays that are not released; none if all are.
    #[must_use]
    pub(super) fn least_of_all_ms(&self) -> Option<i64> {
        let waiting = self.all.iter().filter(|time| time.newest_ts_ms != i64::MIN && !time.released);
        waiting.map(BayTime::watermark_ms).min()
    }
}

#[cfg(test)]
mod tests;
