//! Who does the next step, and where.
//!
//! Steps are placed at ticks, by a policy that looks at nothing but what is known then:
//!
//! 1. Steps go in the order of their job's promised time (none comes last), then of acceptance, then of the card.
//! 2. A step goes to the bay where its vehicle stands, if that is free, else to the first free bay of the site.
//! 3. It goes to somebody of the site who has all skills that the card names and has room for it: to whoever has the
//!    fewest steps, then to whoever worked on the job before, then to whoever can do least else, then by name.
//!
//! A vehicle is in one place: while a step of a job is placed, no other of it is. What is assigned stays so: whoever begins another step, or on another bay, is right.
//!
//! A bay is taken by a placed step, and by a vehicle that stands there: that of a job that was begun and is neither ready
//! nor handed over, on the bay of the step that was begun last. A vehicle that is ready is taken to stand on the lot. For
//! its own steps a vehicle is in nobody's way, so a job that waits for somebody keeps its bay and goes on there. Should
//! two stand on one bay, both may go on there, one after the other, and no third is placed there.

use std::collections::{BTreeMap, BTreeSet};

use super::Functions;
use super::job::{Job, JobState, Step, StepState};
use crate::config::{AssignmentSettings, Technician};

/// What is taken.
#[derive(Debug, Default)]
pub(super) struct Load<'a> {
    /// Site and bay of placed steps.
    bays: BTreeSet<(&'a str, &'a str)>,
    /// Site and bay where a vehicle stands.
    standing: BTreeSet<(&'a str, &'a str)>,
    /// Steps by technician.
    technicians: BTreeMap<&'a str, usize>,
}

/// A step that somebody could do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting<'a> {
    pub job: &'a Job,
    pub place: usize,
}

/// Why a step waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lacks {
    /// Nothing is assigned on its site.
    Assignment,
    Bay,
    /// Somebody with all of these.
    Technician(String),
}

impl Waiting<'_> {
    fn step(&self) -> &Step {
        &self.job.steps[self.place]
    }
}

impl Functions {
    /// Steps that somebody could do now, in the order in which they are placed.
    pub(super) fn waiting(&self) -> Vec<Waiting<'_>> {
        let is_free = |job: &&Job| !job.steps.iter().any(|step| step.head.state.is_placed());
        let open = self.jobs.values().filter(|job| job.head.state != JobState::Released).filter(is_free);
        let mut waiting: Vec<Waiting<'_>> = open
            .flat_map(|job| (0..job.steps.len()).map(move |place| Waiting { job, place }))
            .filter(|one| matches!(one.step().head.state, StepState::Ready | StepState::Reworked))
            .collect();
        waiting.sort_by_key(|one| {
            let promised_ms = one.job.head.promised_ms.unwrap_or(i64::MAX);
            (promised_ms, one.job.number, one.place)
        });
        waiting
    }

    pub(super) fn load(&self) -> Load<'_> {
        let mut load = Load::default();
        for job in self.jobs.values() {
            load.standing.extend(job.stands_on().map(|bay| (&*job.head.site, bay)));
            for step in job.steps.iter().filter(|step| step.head.state.is_placed()) {
                if let Some(bay) = &step.head.bay {
                    load.bays.insert((&*job.head.site, &**bay));
                }
                if let Some(technician) = &step.head.technician {
                    *load.technicians.entry(technician).or_default() += 1;
                }
            }
        }
        load
    }

    /// Places what can be placed.
    pub(super) fn assign(&mut self) {
        if self.settings.assignment.bays.is_empty() {
            return;
        }
        let settings = std::sync::Arc::clone(&self.settings);
        let mut load = self.load();
        let mut placed = Vec::new();
        for one in self.waiting() {
            if let Ok((bay, technician)) = choose(&settings.assignment, one, &load) {
                load.bays.insert((&one.job.head.site, bay));
                *load.technicians.entry(technician).or_default() += 1;
                let key = (one.job.head.site.clone(), one.job.head.job.clone());
                placed.push((key, one.place, bay.to_owned(), technician.to_owned()));
            }
        }
        for (key, place, bay, technician) in placed {
            let job = self.jobs.get_mut(&key).expect("it was just looked at");
            let head = &mut job.steps[place].head;
            head.state = StepState::Assigned;
            head.bay = Some(bay.into());
            head.technician = Some(technician.into());
            head.assigned_ms = Some(self.at_ms);
            self.told.step(job, place, self.at_ms);
        }
    }
}

/// Bay and technician for a step, or what it lacks.
pub(super) fn choose<'a>(
    settings: &'a AssignmentSettings,
    one: Waiting<'_>,
    load: &Load<'_>,
) -> Result<(&'a str, &'a str), Lacks> {
    let site = &*one.job.head.site;
    let bays = settings.bays.get(site).ok_or(Lacks::Assignment)?;
    let own = one.job.bay();
    let stands = one.job.stands_on();
    let is_free = |bay: &&String| {
        let place = (site, bay.as_str());
        !load.bays.contains(&place) && (stands == Some(place.1) || !load.standing.contains(&place))
    };
    let mut free = bays.iter().filter(is_free);
    let bay = free.clone().find(|bay| Some(bay.as_str()) == own).or_else(|| free.next()).ok_or(Lacks::Bay)?;
    let step = one.step();
    let has_skills = |technician: &Technician| {
        step.plan.skills.iter().all(|skill| technician.skills.iter().any(|own| *own == **skill))
    };
    let had_job = |name: &str| {
        one.job
            .steps
            .iter()
            .any(|step| step.head.started_ms.is_some() && step.head.technician.as_deref() == Some(name))
    };
    let steps_of = |name: &str| load.technicians.get(name).copied().unwrap_or(0);
    let able = settings.technicians.iter().filter(|(name, technician)| {
        technician.site == site && has_skills(technician) && steps_of(name) < settings.steps_per_technician
    });
    let best = able.min_by_key(|(name, technician)| {
        (steps_of(name), !had_job(name), technician.skills.len(), name.as_str())
    });
    let (technician, _) = best.ok_or_else(|| Lacks::Technician(step.plan.skills.join(", ")))?;
    Ok((bay, technician))
}

impl Lacks {
    /// In words.
    pub(super) fn said(&self) -> String {
        match self {
            Lacks::Assignment => "somebody to start it: no bays of its site are configured".to_owned(),
            Lacks::Bay => "a free bay".to_owned(),
            Lacks::Technician(skills) if skills.is_empty() => "a free technician".to_owned(),
            Lacks::Technician(skills) => format!("a free technician with {skills}"),
        }
    }
}
