//! Which readings can be evidence, so that the engine hands no others in: of nearly all nothing can be inferred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::Functions;
use super::super::job::{JobState, Step};
use super::standing::Standing;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Some step waits: a reading that names its job can speak of it.
    pub any: bool,
    /// By site and bay.
    pub bays: BTreeMap<(Box<str>, Box<str>), Sought>,
    /// By site: metrics of which a card of a vehicle on its bays asks for a number of readings. Such a reading comes of
    /// work, on whichever bay; what is measured all the time says nothing of that.
    pub of_work: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
}

/// What is looked for on a bay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sought {
    pub metrics: BTreeSet<Box<str>>,
    /// A resource, dispensed or booked.
    pub resources: bool,
    /// Any work: a step is assigned there.
    pub work: bool,
}

impl Functions {
    /// What to look for as things stand: a function of what a checkpoint holds.
    pub(crate) fn watch(&mut self) -> Arc<Watch> {
        if let Some(watch) = &self.watch {
            return Arc::clone(watch);
        }
        let watch = Arc::new(self.new_watch());
        self.watch = Some(Arc::clone(&watch));
        watch
    }

    fn new_watch(&self) -> Watch {
        let mut watch = Watch::default();
        let mut open = self.jobs.values().filter(|job| job.head.state != JobState::Released);
        watch.any = open.any(|job| job.steps.iter().any(Step::waits));
        for ((site, bay), key) in Standing::of(&self.jobs).all() {
            let job = &self.jobs[key];
            let counted = job.steps.iter().filter_map(|step| step.unclocked.asks.as_ref());
            let counted = counted.flat_map(|asks| asks.metrics()).filter(|(_, is_counted)| *is_counted);
            let of_work = watch.of_work.entry(site.clone()).or_default();
            of_work.extend(counted.map(|(metric, _)| Box::from(metric)));
            let sought = watch.bays.entry((site.clone(), bay.clone())).or_default();
            for step in job.may_be_on().into_iter().map(|place| &job.steps[place]) {
                sought.work |= step.is_assigned_to(bay, i64::MAX);
                if let Some(asks) = &step.unclocked.asks {
                    sought.metrics.extend(asks.metrics().map(|(metric, _)| Box::from(metric)));
                    sought.resources |= asks.has_resources();
                }
            }
        }
        watch
    }
}
