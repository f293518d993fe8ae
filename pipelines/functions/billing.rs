//! What a job costs: priced lines once it is released and all that was finished of it is certain.
//!
//! A line is posted, and goes into queue `billing` once, or held for a person: what is out of tolerance, has no price, or
//! belongs to a vehicle that left with something open. What is booked later is an amendment: a line of its own over the
//! difference, never a change of the line before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Functions;
use super::input::Used;
use super::job::{Job, JobKey, JobState, Step};
use super::queues::Draft;
use crate::config::{BillingSettings, Labour};

/// Lines of a job. Beyond it nothing of it is billed any more; table `usage` has what was booked.
const LINES_MAX: usize = 5_000;
const HOUR_MS: f64 = 3_600_000.0;

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
    /// A difference that was booked after the line before.
    Amendment,
}

impl LineKind {
    /// The name in tables.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LineKind::Labour => "labour",
            LineKind::Resource => "resource",
            LineKind::Amendment => "amendment",
        }
    }
}

impl Bill {
    /// What a step used of a resource, in all.
    pub(super) fn use_up(&mut self, step: &str, used: Used) {
        self.used.insert((step.into(), used.resource.clone()), used);
    }

    fn add(&mut self, line: Line) -> usize {
        self.lines.push(line);
        self.lines.len() - 1
    }
}

impl Functions {
    /// Makes or amends the bill of a released job.
    pub(super) fn bill(&mut self, key: &JobKey) {
        let at_ms = self.at_ms;
        let settings = std::sync::Arc::clone(&self.settings);
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.head.state == JobState::Released) else {
            return;
        };
        let is_certain = |step: &Step| step.head.ended_ms.is_none() || step.is_certain;
        let is_first = !job.bill.is_made;
        if is_first && !job.steps.iter().all(is_certain) {
            return;
        }
        job.bill.is_made = true;
        let whole = whole_job(job);
        let mut new = Vec::new();
        if is_first {
            for step in job.steps.iter().filter(|step| step.head.ended_ms.is_some()) {
                new.extend(labour(&settings.billing, step));
            }
        }
        let kind = if is_first { LineKind::Resource } else { LineKind::Amendment };
        for (place, used) in &job.bill.used {
            let quantity = used.quantity - job.bill.billed.get(place).copied().unwrap_or(0.0);
            if quantity == 0.0 || job.bill.lines.len() + new.len() >= LINES_MAX {
                continue;
            }
            // What is not sold has no line.
            new.extend(resource(&settings.billing, (&place.0, used), quantity, kind));
            job.bill.billed.insert(place.clone(), used.quantity);
        }
        for mut line in new {
            line.at_ms = at_ms;
            line.held = line.held.or_else(|| whole.clone().map(Box::from));
            let number = job.bill.add(line);
            self.told.line(job, number, at_ms);
            if job.bill.lines[number].held.is_none() {
                let draft = draft(job, number);
                self.queues.push(&mut self.told, "billing", draft);
            }
        }
    }

    /// A held line is posted by hand.
    pub(super) fn post_line(&mut self, key: &JobKey, number: usize, by: &str, note: &str) {
        let at_ms = self.at_ms;
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(line) = job.bill.lines.get_mut(number) else { return };
        line.held = None;
        line.posted_by = Some(by.into());
        line.note = Some(note.into());
        line.amount = line.amount.or(Some(0.0));
        self.told.line(job, number, at_ms);
        let draft = draft(job, number);
        self.queues.push(&mut self.told, "billing", Draft { at_ms, ..draft });
    }

    /// Step, resource and quantity that a person has taken as it is with a line that they posted; none while another line of
    /// the same resource is held, or if the line is over something else.
    pub(crate) fn accepted(&self, site: &str, job: &str, line: u32) -> Option<(&str, &str, f64)> {
        let bill = &self.jobs.get(&(site.into(), job.into()))?.bill;
        let line = bill.lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let is_of = |other: &&Line| {
            other.kind != LineKind::Labour && (&other.step, &other.item) == (&line.step, &line.item)
        };
        if line.kind == LineKind::Labour || bill.lines.iter().filter(is_of).any(|other| other.held.is_some())
        {
            return None;
        }
        let quantity = bill.billed.get(&(line.step.clone(), line.item.clone()))?;
        Some((&line.step, &line.item, *quantity))
    }
}

/// Why no line of the job is posted by itself.
fn whole_job(job: &Job) -> Option<String> {
    if !job.has_card {
        return Some("there is no card of the job".to_owned());
    }
    job.head.reason.as_ref().map(|reason| format!("handed over with something open: {reason}"))
}

fn labour(settings: &BillingSettings, step: &Step) -> Option<Line> {
    let worked_h = step.worked_ms() as f64 / HOUR_MS;
    let standard_h = step.plan.standard_ms.map(|ms| ms as f64 / HOUR_MS);
    let item = step.plan.operation.clone().unwrap_or_else(|| step.plan.step.clone());
    let price = settings.operations.get(&*item).copied().unwrap_or(settings.labour_per_h);
    let sold_h = match settings.labour {
        Labour::FlatRate => standard_h.unwrap_or(worked_h),
        Labour::Worked => worked_h,
    };
    let tolerance = 1.0 + f64::from(settings.worked_tolerance_percent) / 100.0;
    let over = standard_h.filter(|standard_h| worked_h > standard_h * tolerance);
    let held = over.map(|standard_h| {
        format!("{} h were worked, {} h are standard", hundredth(worked_h), hundredth(standard_h)).into()
    });
    let sold_h = rounded(sold_h, 1e4);
    (sold_h > 0.0).then(|| Line {
        kind: LineKind::Labour,
        step: step.plan.step.clone(),
        item,
        quantity: sold_h,
        unit: "h".into(),
        price: Some(price),
        amount: Some(hundredth(sold_h * price)),
        currency: settings.currency.as_str().into(),
        held,
        posted_by: None,
        note: None,
        at_ms: 0,
        revision: 0,
    })
}

/// None where it is not sold.
fn resource(
    settings: &BillingSettings,
    (step, used): (&str, &Used),
    quantity: f64,
    kind: LineKind,
) -> Option<Line> {
    let known = settings.prices.get(&*used.resource);
    if known.is_some_and(|known| known.price == 0.0) {
        return None;
    }
    let fits = |known: &&crate::config::Price| known.unit.as_deref().is_none_or(|unit| unit == &*used.unit);
    let price = known.filter(fits).map(|known| known.price);
    let held = match (known, price, used.planned) {
        (None, ..) => Some(format!("{} has no price", used.resource)),
        (Some(known), None, _) => Some(format!(
            "it is booked in {}, and its price is that of a {}",
            used.unit,
            known.unit.as_deref().unwrap_or_default()
        )),
        (.., Some(planned)) if settings.holds_quantity(&used.resource, used.quantity, Some(planned)) => {
            Some(format!("{} {} were used, {planned} are planned", hundredth(used.quantity), used.unit))
        }
        _ => None,
    };
    let quantity = rounded(quantity, 1e6);
    Some(Line {
        kind,
        quantity,
        price,
        amount: price.map(|price| hundredth(quantity * price)),
        currency: settings.currency.as_str().into(),
        held: held.map(Box::from),
        step: step.into(),
        item: used.resource.clone(),
        unit: used.unit.clone(),
        posted_by: None,
        note: None,
        at_ms: 0,
        revision: 0,
    })
}

fn hundredth(value: f64) -> f64 {
    rounded(value, 100.0)
}

/// To so many parts: what is added up of many bookings, or divided, has digits that nobody measured.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn draft(job: &Job, number: usize) -> Draft {
    let line = &job.bill.lines[number];
    let (site, name) = (&job.head.site, &job.head.job);
    let body = json!({
        "customer": job.head.customer, "vehicle": job.head.vehicle, "line": number + 1, "kind": line.kind.as_str(),
        "step": line.step, "item": line.item, "quantity": line.quantity, "unit": line.unit, "price": line.price,
        "amount": line.amount, "currency": line.currency, "posted_by": line.posted_by, "note": line.note,
    });
    Draft {
        at_ms: line.at_ms,
        site: Some(site.clone()),
        job: Some(name.clone()),
        kind: line.kind.as_str().into(),
        key: format!("{site}/{name}/{}", number + 1).into(),
        body,
    }
}
