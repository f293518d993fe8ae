//! Which readings can be evidence, so that the engine hands no others in: of nearly all nothing can be inferred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::job::{Job, Step};

/// Site and bay.
pub(crate) type Place = (Box<str>, Box<str>);

/// What is looked for. A bay or a site of which nothing else is looked for keeps its `Arc`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Some step waits: a reading that names its job can speak of it.
    pub any: bool,
    pub bays: BTreeMap<Place, Arc<Sought>>,
    /// By site: metrics of which a card of a vehicle on its bays asks for a number of readings. Such a reading comes of
    /// work, on whichever bay; what is measured all the time says nothing of that.
    pub of_work: BTreeMap<Box<str>, Arc<BTreeSet<Box<str>>>>,
}

/// What is looked for on a bay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    pub metrics: BTreeSet<Box<str>>,
    /// A resource, dispensed or booked.
    pub resources: bool,
    /// Any work: a step is assigned there.
    pub work: bool,
}

impl Sought {
    /// What speaks of a job whose vehicle stands on the bay.
    pub(super) fn of(job: &Job, bay: &str) -> Self {
        let mut sought = Sought::default();
        for step in job.may_be_on().into_iter().map(|place| &job.steps[place]) {
            sought.work |= step.is_assigned_to(bay, i64::MAX);
            if let Some(asks) = &step.unclocked.asks {
                sought.metrics.extend(asks.metrics().map(|(metric, _)| Box::from(metric)));
                sought.resources |= asks.has_resources();
            }
        }
        sought
    }

    /// And what else is looked for there.
    pub(super) fn add(&mut self, other: &Sought) {
        let new = other.metrics.iter().filter(|metric| !self.metrics.contains(*metric));
        let new: Vec<Box<str>> = new.cloned().collect();
        self.metrics.extend(new);
        self.resources |= other.resources;
        self.work |= other.work;
    }
}

/// Metrics of which the card of a job asks for a number of readings.
pub(super) fn counted(job: &Job) -> BTreeSet<Box<str>> {
    let asks = job.steps.iter().filter_map(|step: &Step| step.unclocked.asks.as_ref());
    let counted = asks.flat_map(|asks| asks.metrics()).filter(|(_, is_counted)| *is_counted);
    counted.map(|(metric, _)| Box::from(metric)).collect()
}
