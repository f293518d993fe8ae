//! How many exceptions call on a site at once: more than anybody can look at is a flood.
//!
//! Counted are exceptions that begin to be open, and events, by the tick or command at which they are seen. Ten minutes are
//! the field's measure: one in ten minutes is what a person can well answer, more than ten are a flood. Which rules and tools
//! call most is kept for a day, by the hour.
//!
//! Bounds, of a site: [`TIMES_MAX`] times; [`NAMES_MAX`] names an hour, further ones count as `others`. [`EVENTS_MAX`] events
//! are recognised when they are told anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use sinks::view::{ActorView, FloodView};

use super::input::ExceptionChange;
use crate::config::BySite;

const WINDOW_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;
const TIMES_MAX: usize = 1_000;
const NAMES_MAX: usize = 1_000;
const EVENTS_MAX: usize = 1_000;
/// Rules and tools that are named.
const WORST: usize = 10;

/// Of all sites.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Floods {
    sites: BTreeMap<Box<str>, SiteFlood>,
    /// Ids of exceptions that are open.
    open: BTreeSet<Box<str>>,
    /// Ids of the newest events.
    events: VecDeque<Box<str>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct SiteFlood {
    /// When its first one was raised.
    since_ms: i64,
    /// When those of the last ten minutes were raised.
    times: VecDeque<i64>,
    flood_since_ms: Option<i64>,
    floods: u64,
    /// In floods that are over.
    flood_ms: i64,
    hours: VecDeque<Hour>,
}

/// What was raised in an hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Hour {
    hour: i64,
    rules: BTreeMap<Box<str>, u32>,
    /// Bay and tool.
    sources: BTreeMap<Box<str>, u32>,
}

impl Floods {
    /// Takes in the newest word on an exception. More than `above` of a site in ten minutes are a flood there.
    pub(super) fn take(&mut self, change: &ExceptionChange, at_ms: i64, above: &BySite<usize>) {
        if change.is_open {
            if !self.open.insert(change.id.clone()) {
                return;
            }
        } else if self.open.remove(&change.id) || !change.is_event {
            return;
        } else {
            if self.events.contains(&change.id) {
                return;
            }
            self.events.push_back(change.id.clone());
            if self.events.len() > EVENTS_MAX {
                self.events.pop_front();
            }
        }
        let site = self.sites.entry(change.site.clone()).or_default();
        site.raised(change, at_ms, *above.of(&change.site));
    }

    /// As of a time.
    pub(super) fn views(&self, at_ms: i64, above: &BySite<usize>) -> Vec<FloodView> {
        self.sites.iter().map(|(site, flood)| flood.view(site, at_ms, *above.of(site))).collect()
    }
}

impl SiteFlood {
    fn raised(&mut self, change: &ExceptionChange, at_ms: i64, above: usize) {
        if self.times.is_empty() && self.hours.is_empty() {
            self.since_ms = at_ms;
        }
        self.pass(at_ms, above);
        self.times.push_back(at_ms);
        if self.times.len() > TIMES_MAX {
            self.times.pop_front();
        }
        if self.flood_since_ms.is_none() && self.times.len() > above {
            self.flood_since_ms = Some(at_ms);
            self.floods += 1;
        }
        let hour = at_ms.div_euclid(HOUR_MS);
        if self.hours.back().is_none_or(|newest| newest.hour < hour) {
            self.hours.push_back(Hour { hour, ..Hour::default() });
        }
        let newest = self.hours.back_mut().expect("it was just there");
        count(&mut newest.rules, &change.rule);
        let (bay, tool) = (change.bay.as_deref().unwrap_or("–"), change.tool.as_deref().unwrap_or("–"));
        count(&mut newest.sources, &format!("{bay}/{tool}"));
        while self.hours.front().is_some_and(|oldest| oldest.hour <= hour - HOURS) {
            self.hours.pop_front();
        }
    }

    /// Time has passed. It does not matter how often that is said.
    fn pass(&mut self, at_ms: i64, above: usize) {
        if let Some(since_ms) = self.flood_since_ms {
            // The flood is over when so many of them are older than ten minutes that the rest is none.
            let last = self.times.len().checked_sub(above + 1).map(|place| self.times[place] + WINDOW_MS);
            let end_ms = last.unwrap_or(at_ms);
            if end_ms <= at_ms {
                self.flood_ms += end_ms - since_ms;
                self.flood_since_ms = None;
            }
        }
        while self.times.front().is_some_and(|time_ms| time_ms + WINDOW_MS <= at_ms) {
            self.times.pop_front();
        }
    }

    fn view(&self, site: &str, at_ms: i64, above: usize) -> FloodView {
        let mut now = SiteFlood { hours: VecDeque::new(), ..self.clone() };
        now.pass(at_ms, above);
        let flood_ms = now.flood_ms + now.flood_since_ms.map_or(0, |since_ms| at_ms - since_ms);
        let oldest = at_ms.div_euclid(HOUR_MS) - HOURS;
        let recent = || self.hours.iter().filter(move |hour| hour.hour > oldest);
        FloodView {
            site: site.to_owned(),
            raised_per_10min: now.times.len() as u64,
            flood_above: above as u64,
            in_flood: now.flood_since_ms.is_some(),
            flood_since_ms: now.flood_since_ms,
            floods: now.floods,
            flood_s: flood_ms as f64 / 1000.0,
            since_ms: self.since_ms,
            rules: worst(recent().map(|hour| &hour.rules)),
            sources: worst(recent().map(|hour| &hour.sources)),
        }
    }
}

fn count(counts: &mut BTreeMap<Box<str>, u32>, name: &str) {
    let is_room = counts.len() < NAMES_MAX || counts.contains_key(name);
    let counted = counts.entry(if is_room { name } else { "others" }.into()).or_default();
    *counted = counted.saturating_add(1);
}

/// Those that were raised most, of these the first by name.
fn worst<'a>(hours: impl Iterator<Item = &'a BTreeMap<Box<str>, u32>>) -> Vec<ActorView> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in hours.flatten() {
        *sums.entry(name).or_default() += u64::from(*count);
    }
    let mut actors: Vec<ActorView> =
        sums.into_iter().map(|(name, raised)| ActorView { name: name.to_owned(), raised }).collect();
    actors.sort_by(|one, other| other.raised.cmp(&one.raised).then_with(|| one.name.cmp(&other.name)));
    actors.truncate(WORST);
    actors
}

#[cfg(test)]
mod tests;
