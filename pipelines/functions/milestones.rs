//! What a customer is told of a job: each milestone once, and not while the shop is quiet.
//!
//! Bound: [`WAITING_MAX`] messages wait for the end of quiet hours; beyond, the oldest is told at once.

use std::collections::VecDeque;

use ingest::readings::Contact;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Functions;
use super::job::{Job, JobKey};
use super::queues::Draft;
use crate::calendar::{CalendarUnit, SiteCalendar};

const WAITING_MAX: usize = 10_000;
/// Milestones of one job: a promise that is moved more often is not told again.
const OF_JOB_MAX: usize = 200;

/// What waits to be told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outbox(VecDeque<Message>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    site: Box<str>,
    job: Box<str>,
    customer: Box<str>,
    /// None: whoever reads the queue has to know.
    contact: Option<Contact>,
    milestone: Box<str>,
    key: Box<str>,
    text: Box<str>,
    /// When it may be told; none before the first tick.
    due_ms: Option<i64>,
}

impl Outbox {
    pub(super) fn next_due_ms(&self) -> Option<i64> {
        self.0.iter().filter_map(|message| message.due_ms).min()
    }
}

impl Functions {
    /// A job has come to a milestone; `distinct` parts what may come several times.
    pub(super) fn milestone(&mut self, key: &JobKey, milestone: &str, distinct: &str) {
        let settings = std::sync::Arc::clone(&self.settings);
        let notification = settings.notification.of(&key.0);
        if !notification.milestones.iter().any(|told| told == milestone) {
            return;
        }
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(customer) = job.head.customer.clone() else { return };
        let known = settings.contacts.get(&*customer);
        let contact = job.head.contact.as_ref().or(known).cloned();
        let name = if distinct.is_empty() { milestone.to_owned() } else { format!("{milestone}/{distinct}") };
        if job.milestones.len() >= OF_JOB_MAX || !job.milestones.insert(name.as_str().into()) {
            return;
        }
        let template = notification.templates.get(milestone).map_or(shipped(milestone), String::as_str);
        let text = filled(template, job, self.calendars.of(&key.0), distinct);
        self.outbox.0.push_back(Message {
            site: key.0.clone(),
            job: key.1.clone(),
            customer,
            contact,
            milestone: milestone.into(),
            key: format!("{}/{}/{name}", key.0, key.1).into(),
            text: text.into(),
            due_ms: None,
        });
    }

    /// Tells what may be told by now.
    pub(super) fn send_due(&mut self) {
        let at_ms = self.at_ms;
        let surplus = self.outbox.0.len().saturating_sub(WAITING_MAX);
        let waits = |message: &Message| message.due_ms.is_some_and(|due_ms| due_ms > at_ms);
        // Through quiet hours all of them wait, second by second.
        if surplus == 0 && self.outbox.0.iter().all(waits) {
            return;
        }
        let mut waiting = VecDeque::new();
        for (place, mut message) in std::mem::take(&mut self.outbox.0).into_iter().enumerate() {
            let due_ms = *message.due_ms.get_or_insert_with(|| self.end_of_quiet_ms(&message.site, at_ms));
            if due_ms > at_ms && place >= surplus {
                waiting.push_back(message);
                continue;
            }
            let Message { site, job, customer, contact, milestone, key, text, .. } = message;
            let mut body = json!({ "customer": customer, "milestone": milestone, "text": text });
            if let Some(Contact { channel, address }) = contact {
                (body["channel"], body["address"]) = (channel.into(), address.into());
            }
            let draft = Draft { at_ms, site: Some(site), job: Some(job), kind: milestone, key, body };
            self.queues.push(&mut self.told, "notifications", draft);
        }
        self.outbox.0 = waiting;
    }

    /// The end of the quiet hours that `at_ms` lies in, or `at_ms`.
    fn end_of_quiet_ms(&self, site: &str, at_ms: i64) -> i64 {
        let Some(quiet) = self.settings.notification.of(site).quiet_hours else { return at_ms };
        let calendar = SiteCalendar { zone: self.calendars.of(site).zone.clone(), shifts: vec![quiet] };
        let stretch = calendar.stretch(CalendarUnit::Shift, at_ms);
        stretch.filter(|stretch| stretch.is_window).map_or(at_ms, |stretch| stretch.end_ms)
    }
}

fn shipped(milestone: &str) -> &'static str {
    match milestone {
        "accepted" => "We have taken in {vehicle} as job {job}; it is promised for {promised}.",
        "started" => "Work on {vehicle} has begun.",
        "delayed" => "{vehicle} will be ready later than promised: {promised}.",
        "extra_work" => "We have found more to do on {vehicle}: {steps}.",
        "ready" => "{vehicle} is ready.",
        other => unreachable!("`{other}` is no milestone: the configuration is checked"),
    }
}

/// What is done in a step, where its card says so.
fn named<'a>(job: &'a Job, step: &'a str) -> &'a str {
    let found = job.steps.iter().find(|known| *known.plan.step == *step);
    found.and_then(|found| found.plan.operation.as_deref()).unwrap_or(step)
}

fn filled(template: &str, job: &Job, calendar: &SiteCalendar, step: &str) -> String {
    let head = &job.head;
    let promised = head.promised_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let promised = promised.map(|time| calendar.minute(time));
    let vehicle = head.vehicle.as_deref().unwrap_or("your vehicle");
    // What is filled in is never looked through for places itself.
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        let Some((place, after)) = behind.split_once('}') else {
            text.push('{');
            rest = behind;
            continue;
        };
        text.push_str(match place {
            "job" => &head.job,
            "vehicle" => vehicle,
            "customer" => head.customer.as_deref().unwrap_or_default(),
            "site" => &head.site,
            "promised" => promised.as_deref().unwrap_or("a time to be agreed"),
            "steps" => named(job, step),
            _ => "",
        });
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
