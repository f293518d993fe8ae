//! Where vehicles stand and what to look for, kept up to date job by job.
//!
//! As large as the jobs that are kept. A job that changes costs what is known of it and of the vehicles on its bay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::job::{Job, JobKey, JobState, Step};
use super::standing::Standing;
use super::watch::{Place, Sought, Watch, counted};

/// What follows from the jobs.
#[derive(Clone, Debug, Default)]
pub(in crate::functions) struct Outlook {
    pub(super) standing: Standing,
    /// Jobs of which a step waits.
    waiting: BTreeSet<JobKey>,
    /// What speaks of each job whose vehicle stands somewhere.
    of_jobs: BTreeMap<JobKey, OfJob>,
    /// By site, of how many of its vehicles the cards ask for a number of readings of a metric.
    counted: BTreeMap<Box<str>, BTreeMap<Box<str>, usize>>,
    /// Where something else may be looked for than `watch` says.
    bays: BTreeSet<Place>,
    sites: BTreeSet<Box<str>>,
    watch: Arc<Watch>,
}

#[derive(Clone, Debug, PartialEq)]
struct OfJob {
    bay: Box<str>,
    sought: Sought,
    counted: BTreeSet<Box<str>>,
}

impl Outlook {
    /// A job has changed, or is forgotten.
    pub(in crate::functions) fn put(&mut self, key: &JobKey, job: Option<&Job>) {
        let job = job.filter(|job| job.head.state != JobState::Released);
        if job.is_some_and(|job| job.steps.iter().any(Step::waits)) {
            if !self.waiting.contains(key) {
                self.waiting.insert(key.clone());
            }
        } else {
            self.waiting.remove(key);
        }
        let bay = self.standing.put(key, job);
        let new = job.zip(bay).map(|(job, bay)| {
            let (sought, counted) = (Sought::of(job, &bay), counted(job));
            OfJob { bay, sought, counted }
        });
        if self.of_jobs.get(key) == new.as_ref() {
            return;
        }
        let old = match new.clone() {
            Some(new) => self.of_jobs.insert(key.clone(), new),
            None => self.of_jobs.remove(key),
        };
        let site = &key.0;
        let counts = self.counted.entry(site.clone()).or_default();
        for metric in new.iter().flat_map(|new| &new.counted) {
            *counts.entry(metric.clone()).or_default() += 1;
        }
        for metric in old.iter().flat_map(|old| &old.counted) {
            if let Some(count) = counts.get_mut(metric) {
                *count -= 1;
            }
        }
        self.sites.insert(site.clone());
        self.bays.extend(old.into_iter().chain(new).map(|of| (site.clone(), of.bay)));
    }

    /// What to look for.
    pub(in crate::functions) fn watch(&mut self) -> Arc<Watch> {
        if self.watch.any == self.waiting.is_empty() {
            Arc::make_mut(&mut self.watch).any = !self.waiting.is_empty();
        }
        for place in std::mem::take(&mut self.bays) {
            let mut jobs = self.standing.keys(&place).peekable();
            if jobs.peek().is_none() {
                Arc::make_mut(&mut self.watch).bays.remove(&place);
                continue;
            }
            let mut sought = Sought::default();
            jobs.filter_map(|key| self.of_jobs.get(key)).for_each(|of| sought.add(&of.sought));
            if self.watch.bays.get(&place).is_none_or(|known| **known != sought) {
                Arc::make_mut(&mut self.watch).bays.insert(place, Arc::new(sought));
            }
        }
        for site in std::mem::take(&mut self.sites) {
            let Some(counts) = self.counted.get_mut(&site) else { continue };
            counts.retain(|_, count| *count > 0);
            let known = self.watch.of_work.get(&site);
            if counts.is_empty() {
                self.counted.remove(&site);
                if known.is_some() {
                    Arc::make_mut(&mut self.watch).of_work.remove(&site);
                }
            } else if !known.is_some_and(|known| known.iter().eq(counts.keys())) {
                let metrics = counts.keys().cloned().collect();
                Arc::make_mut(&mut self.watch).of_work.insert(site, Arc::new(metrics));
            }
        }
        Arc::clone(&self.watch)
    }
}
