//! Who is told of an exception, and who next if nobody comes.
//!
//! A route says of which exceptions it tells (severity, site, bay, rule, hours by the site's clock), and whom after how long. An
//! exception calls from the tick at which it is first seen open and unacknowledged; it stops calling when somebody
//! acknowledges or shelves it, when it clears, or when it turns out to follow from another. What calls again begins anew. All
//! routes that fit tell their people, each person once for each call. Telling is an item of queue `notifications`; mail and
//! webhooks carry it. Events that are over at once, and not latched, call for nobody.
//!
//! Bound: [`CALLS_MAX`] exceptions call at a time; beyond it the next are told at once, at their first level alone.

use std::collections::{BTreeMap, BTreeSet};

use ingest::readings::Contact;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Functions;
use super::input::ExceptionChange;
use super::queues::Draft;
use crate::calendar::{CalendarUnit, SiteCalendar};
use crate::config::{Route, Told};

const CALLS_MAX: usize = 10_000;

/// Exceptions that call for somebody, by id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Calls(BTreeMap<Box<str>, Call>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call {
    what: ExceptionChange,
    /// When it began to call; none before the first tick.
    since_ms: Option<i64>,
    /// Routes that fit, by name, and how many of their levels are told.
    routes: BTreeMap<Box<str>, usize>,
    /// Who knows of it.
    told: BTreeSet<Box<str>>,
}

/// Somebody is to be told.
struct Telling {
    person: Box<str>,
    route: Box<str>,
    /// From 1, of so many.
    level: usize,
    levels: usize,
}

impl Calls {
    /// Takes in the newest word on an exception.
    pub(super) fn take(&mut self, change: &ExceptionChange) {
        let is_seen = change.operator_state.as_deref().is_some_and(|state| state != "unacknowledged");
        if !change.is_open || is_seen {
            self.0.remove(&change.id);
            return;
        }
        let call = self.0.entry(change.id.clone()).or_insert_with(|| Call {
            what: change.clone(),
            since_ms: None,
            routes: BTreeMap::new(),
            told: BTreeSet::new(),
        });
        call.what = change.clone();
    }

    /// When the next level of one is due.
    pub(super) fn next_due_ms(&self, routes: &BTreeMap<String, Route>) -> Option<i64> {
        let of_call = |call: &Call| {
            let since_ms = call.since_ms?;
            let levels = call.routes.iter().filter_map(|(name, next)| routes.get(&**name)?.levels.get(*next));
            let due = levels.map(|level| since_ms.saturating_add(level.after_ms));
            due.min()
        };
        self.0.values().filter_map(of_call).min()
    }
}

impl Functions {
    /// Tells whoever is to be told by now.
    pub(super) fn call(&mut self) {
        let settings = std::sync::Arc::clone(&self.settings);
        let routes = &settings.routing.routes;
        if routes.is_empty() {
            // What is open when there is a route again has begun to call before it.
            self.calls.0.clear();
            return;
        }
        let (at_ms, mut calls) = (self.at_ms, std::mem::take(&mut self.calls.0));
        let surplus = calls.len().saturating_sub(CALLS_MAX);
        for call in calls.values_mut() {
            let since_ms = *call.since_ms.get_or_insert_with(|| {
                let calendar = self.calendars.of(&call.what.site);
                let fits = routes.iter().filter(|(_, route)| route.fits(&call.what, calendar, at_ms));
                call.routes = fits.map(|(name, _)| (name.as_str().into(), 0)).collect();
                at_ms
            });
            let mut due = Vec::new();
            for (name, next) in &mut call.routes {
                let Some(route) = routes.get(&**name) else { continue };
                while let Some(level) = route.levels.get(*next)
                    && since_ms.saturating_add(level.after_ms) <= at_ms
                {
                    *next += 1;
                    for told in &level.tell {
                        for person in self.people(told, &call.what) {
                            let (route, level, levels) = (name.clone(), *next, route.levels.len());
                            due.push(Telling { person, route, level, levels });
                        }
                    }
                }
            }
            for telling in due {
                if call.told.insert(telling.person.clone()) {
                    self.tell_of(&call.what, since_ms, &telling);
                }
            }
        }
        if surplus > 0 {
            // Ids are hashes, so whichever it is; all of them were told of once.
            let beyond: Vec<Box<str>> = calls.keys().rev().take(surplus).cloned().collect();
            beyond.iter().for_each(|id| drop(calls.remove(id)));
        }
        self.calls.0 = calls;
    }

    /// Who is meant, by name.
    fn people(&self, told: &Told, what: &ExceptionChange) -> Vec<Box<str>> {
        let assignment = &self.settings.assignment;
        match told {
            Told::Person(name) => vec![name.as_str().into()],
            Told::Technician => {
                let (Some(job), Some(step)) = (&what.job, &what.step) else { return Vec::new() };
                let job = self.jobs.get(&(what.site.clone(), job.clone()));
                let step = job.and_then(|job| job.steps.iter().find(|known| known.plan.step == *step));
                step.and_then(|step| step.head.technician.clone()).into_iter().collect()
            }
            Told::Skill(skill) => {
                let of_site = assignment.technicians.iter().filter(|(_, who)| *who.site == *what.site);
                let able = of_site.filter(|(_, who)| who.skills.contains(skill));
                able.map(|(name, _)| name.as_str().into()).collect()
            }
        }
    }

    fn tell_of(&mut self, what: &ExceptionChange, since_ms: i64, telling: &Telling) {
        let Telling { person, route, level, levels } = telling;
        let calendar = self.calendars.of(&what.site);
        let mut body = json!({
            "told": person, "route": route, "level": level, "levels": levels, "exception": what.id, "rule": what.rule,
            "severity": what.severity, "bay": what.bay, "tool": what.tool, "step": what.step, "since_ms": since_ms,
            "text": text(what, calendar, since_ms, telling),
        });
        if let Some(Contact { channel, address }) = self.settings.contacts.get(&**person) {
            (body["channel"], body["address"]) = (channel.as_str().into(), address.as_str().into());
        }
        let draft = Draft {
            at_ms: self.at_ms,
            site: Some(what.site.clone()),
            job: what.job.clone(),
            kind: "exception".into(),
            // Of one call each person is told once.
            key: format!("{}/{since_ms}/{person}", what.id).into(),
            body,
        };
        self.queues.push(&mut self.told, "notifications", draft);
    }
}

impl Route {
    fn fits(&self, what: &ExceptionChange, calendar: &SiteCalendar, at_ms: i64) -> bool {
        let holds = |list: &[String], name: Option<&str>| {
            list.is_empty() || name.is_some_and(|name| list.iter().any(|one| one == name))
        };
        let is_in_hours = self.hours.is_none_or(|hours| {
            let calendar = SiteCalendar { zone: calendar.zone.clone(), shifts: vec![hours] };
            calendar.stretch(CalendarUnit::Shift, at_ms).is_some_and(|stretch| stretch.is_window)
        });
        holds(&self.severities, Some(&what.severity))
            && holds(&self.sites, Some(&what.site))
            && holds(&self.bays, what.bay.as_deref())
            && holds(&self.rules, Some(&what.rule))
            && is_in_hours
    }
}

/// The first line says what it is, for it is a mail's subject.
fn text(what: &ExceptionChange, calendar: &SiteCalendar, since_ms: i64, telling: &Telling) -> String {
    let bay = what.bay.as_deref().map_or(String::new(), |bay| format!(" on {bay}"));
    let since = Timestamp::from_millisecond(since_ms).unwrap_or_default().to_zoned(calendar.zone.clone());
    let step = match (&what.job, &what.step) {
        (Some(job), Some(step)) => format!(" Job {job}, step {step}."),
        _ => String::new(),
    };
    let nobody = if telling.level > 1 { " Nobody has acknowledged it yet." } else { "" };
    format!(
        "{}: {}{bay}, {}\n{}\nSince {}.{step}{nobody}\nException {}.",
        what.severity,
        what.rule,
        what.site,
        what.message,
        since.strftime("%Y-%m-%d %H:%M:%S"),
        what.id,
    )
}

#[cfg(test)]
mod tests;
