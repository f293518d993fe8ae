//! What a job costs: priced lines once it is released and all that was finished of it is certain.
//!
//! A line is posted, and goes into queue `billing` once, or held for a person: what is out of tolerance, has no price, or
//! belongs to a vehicle that left with something open. A person posts it with a note, and with a price where it has none
//! or another; a price in functions.toml lets lines go that lacked it alone. What is booked later, or worked later, is an
//! amendment: a line of its own over the difference, never a change of the line before.

mod pricing;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Functions;
use super::input::Used;
use super::job::{Job, JobKey, JobState, Step};
use super::queues::Draft;

/// Lines of a job. Beyond it nothing of it is billed any more; table `usage` has what was booked.
const LINES_MAX: usize = 5_000;

/// The bill of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bill {
    /// Newest word on what each step used, by step and resource.
    used: BTreeMap<(Box<str>, Box<str>), Used>,
    /// How much of that is in lines.
    billed: BTreeMap<(Box<str>, Box<str>), f64>,
    pub lines: Vec<Line>,
    is_made: bool,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub kind: LineKind,
    pub step: Box<str>,
    /// The operation, or the resource.
    pub item: Box<str>,
    pub quantity: f64,
    pub unit: Box<str>,
    /// Of a unit; none where none is known.
    pub price: Option<f64>,
    /// Rounded to the hundredth.
    pub amount: Option<f64>,
    pub currency: Box<str>,
    /// Why it is held; none once it is posted.
    pub held: Option<Box<str>>,
    /// Who posted it by hand, and why.
    pub posted_by: Option<Box<str>>,
    pub note: Option<Box<str>>,
    pub at_ms: i64,
    pub revision: u32,
}

/// What a line is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LineKind {
    Labour,
    Resource,
    /// A difference of a resource that was booked after the line before.
    Amendment,
    /// A difference of the time that is sold of a step, worked after the line before.
    LabourAmendment,
}

impl LineKind {
    /// Whether it is over time that was worked.
    fn is_labour(self) -> bool {
        matches!(self, LineKind::Labour | LineKind::LabourAmendment)
    }

    /// The name in tables.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LineKind::Labour => "labour",
            LineKind::Resource => "resource",
            LineKind::Amendment => "amendment",
            LineKind::LabourAmendment => "labour_amendment",
        }
    }
}

impl Bill {
    /// What a step used of a resource, in all.
    pub(super) fn use_up(&mut self, step: &str, used: Used) {
        self.used.insert((step.into(), used.resource.clone()), used);
    }

    /// Hours of a step that are in lines.
    fn sold_h(&self, step: &str) -> f64 {
        let is_labour = |line: &&Line| line.kind.is_labour();
        self.lines.iter().filter(is_labour).filter(|line| *line.step == *step).map(|line| line.quantity).sum()
    }
}

impl Functions {
    /// Makes or amends the bill of a released job.
    pub(super) fn bill(&mut self, key: &JobKey) {
        let settings = std::sync::Arc::clone(&self.settings);
        let settings = settings.billing.of(&key.0);
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.head.state == JobState::Released) else {
            return;
        };
        let is_certain = |step: &Step| step.head.ended_ms.is_none() || step.is_certain;
        let is_first = !job.bill.is_made;
        if is_first && !job.steps.iter().all(is_certain) {
            return;
        }
        job.bill.is_made = true;
        let mut new = Vec::new();
        if is_first {
            for step in job.steps.iter().filter(|step| step.head.ended_ms.is_some()) {
                new.extend(pricing::labour(settings, step, LineKind::Labour, 0.0));
            }
        }
        let kind = if is_first { LineKind::Resource } else { LineKind::Amendment };
        for (place, used) in &job.bill.used {
            let quantity = used.quantity - job.bill.billed.get(place).copied().unwrap_or(0.0);
            if quantity == 0.0 || job.bill.lines.len() + new.len() >= LINES_MAX {
                continue;
            }
            // What is not sold has no line.
            new.extend(pricing::resource(settings, (&place.0, used), quantity, kind));
            job.bill.billed.insert(place.clone(), used.quantity);
        }
        for line in new {
            self.add_line(key, line);
        }
        self.price_anew(key);
    }

    /// A finish of a step has become certain: if its bill is made, what is sold of it may be another time now.
    pub(super) fn amend_labour(&mut self, key: &JobKey, place: usize) {
        let Some(job) = self.jobs.get(key) else { return };
        let step = &job.steps[place];
        let is_over = step.head.ended_ms.is_some() && step.is_certain;
        if !(job.bill.is_made && is_over) || job.bill.lines.len() >= LINES_MAX {
            return;
        }
        let sold_h = job.bill.sold_h(&step.plan.step);
        let settings = self.settings.billing.of(&key.0);
        let line = pricing::labour(settings, step, LineKind::LabourAmendment, sold_h);
        if let Some(line) = line {
            self.add_line(key, line);
        }
    }

    /// Held lines that had no price get one, where there is one now.
    fn price_anew(&mut self, key: &JobKey) {
        let settings = std::sync::Arc::clone(&self.settings);
        let settings = settings.billing.of(&key.0);
        let job = self.jobs.get_mut(key).expect("it is billed");
        let whole = whole_job(job);
        let mut changed = Vec::new();
        for (number, line) in job.bill.lines.iter_mut().enumerate() {
            let place = (line.step.clone(), line.item.clone());
            let Some(used) =
                job.bill.used.get(&place).filter(|_| line.price.is_none() && line.held.is_some())
            else {
                continue;
            };
            let (price, held) = pricing::priced(settings, used, &line.unit);
            let held = held.or_else(|| whole.clone()).map(Box::from);
            if price.is_none() && held == line.held {
                continue;
            }
            line.price(price);
            line.currency = settings.currency.as_str().into();
            line.held = held;
            changed.push(number);
        }
        for number in changed {
            self.tell_line(key, number);
        }
    }

    /// A held line is posted by hand, at another price if one is given.
    pub(super) fn post_line(
        &mut self,
        key: &JobKey,
        (number, price): (usize, Option<f64>),
        by: &str,
        note: &str,
    ) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(line) = job.bill.lines.get_mut(number) else { return };
        if price.is_some() {
            line.price(price);
        }
        line.held = None;
        line.posted_by = Some(by.into());
        line.note = Some(note.into());
        self.tell_line(key, number);
    }

    /// Puts a line on the bill of a job.
    fn add_line(&mut self, key: &JobKey, mut line: Line) {
        let job = self.jobs.get_mut(key).expect("it is billed");
        line.at_ms = self.at_ms;
        line.held = line.held.or_else(|| whole_job(job).map(Box::from));
        job.bill.lines.push(line);
        let number = job.bill.lines.len() - 1;
        self.tell_line(key, number);
    }

    /// Tells a line as it is now; it is handed on once nothing holds it.
    fn tell_line(&mut self, key: &JobKey, number: usize) {
        let at_ms = self.at_ms;
        let job = self.jobs.get_mut(key).expect("it is billed");
        self.told.line(job, number, at_ms);
        if job.bill.lines[number].held.is_none() {
            let draft = draft(job, number, at_ms);
            self.queues.push(&mut self.told, "billing", draft);
        }
    }

    /// Step, resource and quantity that a person has taken as it is with a line that they posted; none while another line of
    /// the same resource is held, or if the line is over something else.
    pub(crate) fn accepted(&self, site: &str, job: &str, line: u32) -> Option<(&str, &str, f64)> {
        let bill = &self.jobs.get(&(site.into(), job.into()))?.bill;
        let line = bill.lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let is_of =
            |other: &&Line| !other.kind.is_labour() && (&other.step, &other.item) == (&line.step, &line.item);
        if line.kind.is_labour() || bill.lines.iter().filter(is_of).any(|other| other.held.is_some()) {
            return None;
        }
        let quantity = bill.billed.get(&(line.step.clone(), line.item.clone()))?;
        Some((&line.step, &line.item, *quantity))
    }
}

impl Line {
    /// A unit of it costs that.
    fn price(&mut self, price: Option<f64>) {
        self.price = price;
        self.amount = price.map(|price| pricing::hundredth(self.quantity * price));
    }
}

/// Why no line of the job is posted by itself.
fn whole_job(job: &Job) -> Option<String> {
    if !job.has_card {
        return Some("there is no card of the job".to_owned());
    }
    job.head.reason.as_ref().map(|reason| format!("handed over with something open: {reason}"))
}

fn draft(job: &Job, number: usize, at_ms: i64) -> Draft {
    let line = &job.bill.lines[number];
    let (site, name) = (&job.head.site, &job.head.job);
    let body = json!({
        "customer": job.head.customer, "vehicle": job.head.vehicle, "line": number + 1, "kind": line.kind.as_str(),
        "step": line.step, "item": line.item, "quantity": line.quantity, "unit": line.unit, "price": line.price,
        "amount": line.amount, "currency": line.currency, "posted_by": line.posted_by, "note": line.note,
    });
    Draft {
        at_ms,
        site: Some(site.clone()),
        job: Some(name.clone()),
        kind: line.kind.as_str().into(),
        key: format!("{site}/{name}/{}", number + 1).into(),
        body,
    }
}

#[cfg(test)]
mod tests;
