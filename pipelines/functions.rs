//! The workshop's functions: what the engine knows, set in motion. Job cards and assignment, inspection, billing, what
//! customers are told, the audit stream.
//!
//! They stand right of the journal, as the engine does: deterministic, synchronous, no I/O, no clock. The engine hands in
//! what happens ([`Input`]), and asks at each tick and at each command what follows. Nothing follows in between, so it does
//! not matter how messages were grouped into entries: what came between two ticks is taken in the order of its messages,
//! exceptions in the order of their ids. What follows is rows of tables ([`told`]) and items of queues ([`queues`]).
//!
//! | module       | decides                                                     |
//! |--------------|-------------------------------------------------------------|
//! | `cards`      | which steps a job has, and which of them is next            |
//! | `progress`   | what a step event makes of a step                           |
//! | `inference`  | when a step was worked on though nobody has clocked it      |
//! | `assignment` | who does the next step, and where                           |
//! | `inspection` | whether a record is complete, and whether it needs a name   |
//! | `signing`    | who signs it, and when                                      |
//! | `billing`    | what is priced and what is held                             |
//! | `milestones` | what a customer is told, once each                          |
//! | `routing`    | who is told of an exception, and who next                   |
//! | `flood`      | how many exceptions call at once, and which most            |
//! | `orders`     | what people may do                                          |
//! | `deliveries` | how far each courier is in its queue                        |
//! | `audit`      | what is written down for good                               |

mod assignment;
mod audit;
mod billing;
mod cards;
mod deliveries;
mod flood;
mod inference;
mod input;
mod inspection;
mod job;
mod jobs;
mod milestones;
mod orders;
mod progress;
mod queues;
mod routing;
mod signing;
mod tables;
mod told;
mod views;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::audit::Occasion;
use self::deliveries::Deliveries;
use self::flood::Floods;
pub(crate) use self::inference::{Asks, Evidence, Parts, Sign, Sought, Trace, Watch};
pub(crate) use self::input::{CardPlan, Checked, ExceptionChange, Input, Measured, Used};
use self::job::{Job, JobKey};
use self::jobs::Jobs;
use self::milestones::Outbox;
pub(crate) use self::orders::{Done, Refusal};
pub(crate) use self::queues::Item;
use self::queues::Queues;
use self::routing::Calls;
pub use self::tables::STREAMS;
pub use self::tables::schemas;
use self::told::Told;
use crate::calendar::Calendars;
use crate::config::FunctionSettings;

/// Jobs that are kept. Beyond it released ones go first, then those of which nothing was heard for longest; a booking
/// or a signature that comes for one of these afterwards changes nothing here.
const JOBS_MAX: usize = 10_000;

/// All functions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Functions {
    jobs: Jobs,
    /// Jobs so far.
    accepted: u64,
    /// What came since it was last looked at.
    inputs: Vec<Input>,
    exceptions: Vec<ExceptionChange>,
    /// Jobs of which something has changed since the last tick.
    touched: BTreeSet<JobKey>,
    /// A bay, somebody or a step may be free since the last assignment.
    is_to_assign: bool,
    outbox: Outbox,
    queues: Queues,
    deliveries: Deliveries,
    calls: Calls,
    floods: Floods,
    /// Of the tick or command that is looked at. Between two, nothing depends on it: of a silent stretch not every
    /// second is looked at.
    #[serde(skip)]
    at_ms: i64,
    #[serde(skip)]
    told: Told,
    /// How often something was told, for who shows it.
    #[serde(skip)]
    changes: u64,
    #[serde(skip)]
    settings: Arc<FunctionSettings>,
    #[serde(skip)]
    calendars: Arc<Calendars>,
}

impl Functions {
    /// Nothing has happened yet.
    #[must_use]
    pub(crate) fn new(settings: &Arc<FunctionSettings>, calendars: &Arc<Calendars>) -> Self {
        Functions { settings: Arc::clone(settings), calendars: Arc::clone(calendars), ..Functions::default() }
    }

    /// The same state under other settings.
    #[must_use]
    pub(crate) fn under_settings_of(self, other: &Functions) -> Self {
        let (settings, calendars) = (Arc::clone(&other.settings), Arc::clone(&other.calendars));
        Functions { settings, calendars, ..self }
    }

    /// Other settings apply: what waits may have a place now, and records may need a signature. `changes` is what
    /// [`Functions::changes`] was before.
    pub(crate) fn settings_changed(&mut self, changes: u64) {
        self.changes = changes + 1;
        self.is_to_assign = true;
        self.touched.extend(self.jobs.keys().cloned());
    }

    /// What to look for as things stand.
    pub(crate) fn watch(&mut self) -> Arc<Watch> {
        self.jobs.watch()
    }

    /// Something has happened; it is looked at at the next tick or command.
    pub(crate) fn take(&mut self, input: Input) {
        self.inputs.push(input);
    }

    /// An exception has changed.
    pub(crate) fn take_exception(&mut self, change: ExceptionChange) {
        self.exceptions.push(change);
    }

    /// A second has passed: what has arrived in it is taken in, before what becomes certain by it.
    pub(crate) fn hear(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        self.take_inputs();
    }

    /// What the second has made certain is known as well.
    pub(crate) fn tick(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        self.look();
        for key in std::mem::take(&mut self.touched) {
            self.follow(&key);
        }
        if std::mem::take(&mut self.is_to_assign) {
            self.assign();
        }
        self.call();
        self.send_due();
        self.forget();
    }

    /// The next whole second after `at_ms` at which time alone brings something about.
    #[must_use]
    pub(crate) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        let due_ms = [self.outbox.next_due_ms(), self.calls.next_due_ms(&self.settings.routing.routes)];
        let seconds_ms = due_ms.into_iter().flatten().map(|ms| -(-ms).div_euclid(1000) * 1000);
        seconds_ms.filter(|&ms| ms > at_ms).min()
    }

    fn take_inputs(&mut self) {
        for input in std::mem::take(&mut self.inputs) {
            match input {
                Input::Card { site, card, ts_ms } => self.take_card(&site, card, ts_ms),
                Input::Step { site, event, ts_ms } => self.take_step(&site, &event, ts_ms),
                Input::Finished { site, job, step, started_ms, ended_ms, worked_ms } => {
                    self.finish_certain((&site, &job, &step), started_ms, ended_ms, worked_ms);
                }
                Input::Booked { site, job, step, checks, measured, used } => {
                    self.take_book((&site, &job, &step), checks, measured, used);
                }
                Input::Asked { site, job, steps } => self.take_asks(&(site, job), steps),
            }
        }
    }

    /// Takes in what has happened.
    fn look(&mut self) {
        self.take_inputs();
        let mut changes = std::mem::take(&mut self.exceptions);
        changes.sort_by(by_id);
        for change in changes {
            self.audit_exception(&change);
            self.calls.take(&change);
            self.floods.take(&change, self.at_ms, &self.settings.routing.flood_per_10min);
            self.exception_changed(change);
        }
    }

    /// Something has changed of a job: what follows for its steps, for itself, and for its bill.
    fn follow(&mut self, key: &JobKey) {
        self.inspect(key);
        self.advance(key);
        self.bill(key);
    }

    fn exception_changed(&mut self, change: ExceptionChange) {
        let Some(job) = &change.job else { return };
        let key = (change.site.clone(), job.clone());
        let Some(job) = self.jobs.get_mut(&key) else { return };
        if change.is_open {
            if job.exceptions.len() < job_exceptions_max(change.is_latched) {
                job.exceptions.insert(
                    change.id,
                    job::OpenException {
                        rule: change.rule,
                        step: change.step,
                        is_latched: change.is_latched,
                    },
                );
            }
        } else if job.exceptions.remove(&change.id).is_none() {
            return;
        }
        self.touched.insert(key);
    }

    /// Forgets jobs beyond [`JOBS_MAX`].
    fn forget(&mut self) {
        if self.jobs.len() <= JOBS_MAX {
            return;
        }
        // Some more than needed, so that it is not done for each new one.
        let surplus = self.jobs.len() - JOBS_MAX + JOBS_MAX / 100;
        let rank = |job: &Job| (job.head.released_ms.is_none(), job.head.released_ms, job.number);
        let mut oldest: Vec<_> = self.jobs.iter().map(|(key, job)| (rank(job), key.clone())).collect();
        oldest.sort_unstable();
        for (_, key) in oldest.into_iter().take(surplus) {
            self.jobs.remove(&key);
        }
    }

    /// A line for all that is known, for the hash of the state.
    pub(crate) fn state_lines(&self) -> impl Iterator<Item = String> {
        let hash = |bytes: postcard::Result<Vec<u8>>| {
            blake3::hash(&bytes.expect("what a checkpoint holds can be written")).to_hex()
        };
        let jobs = self.jobs.iter().map(move |((site, name), job)| {
            format!("job {site}/{name} {}", hash(postcard::to_allocvec(job)))
        });
        let mut exceptions: Vec<&ExceptionChange> = self.exceptions.iter().collect();
        exceptions.sort_by(|one, other| by_id(one, other));
        let rest = (self.accepted, &self.inputs, exceptions, &self.touched, self.is_to_assign);
        let rest = (rest, &self.outbox, &self.queues, &self.deliveries, &self.calls, &self.floods);
        let unclocked = self.unclocked_lines();
        jobs.chain([format!("functions {}", hash(postcard::to_allocvec(&rest)))]).chain(unclocked)
    }
}

/// In which order exceptions were raised within a second depends on how messages were grouped; what became of one in turn
/// does not, and a stable sort keeps it.
fn by_id(one: &ExceptionChange, other: &ExceptionChange) -> Ordering {
    one.id.cmp(&other.id)
}

/// Open exceptions that a job remembers: of those that only matter to who looks, fewer than of latched ones, which keep
/// the vehicle here.
fn job_exceptions_max(is_latched: bool) -> usize {
    if is_latched { 2_000 } else { 1_000 }
}
