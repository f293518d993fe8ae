//! What a line costs, and why it is held.

use super::super::input::Used;
use super::super::job::Step;
use super::{Line, LineKind};
use crate::config::{BillingSettings, Labour};

const HOUR_MS: f64 = 3_600_000.0;

/// The time that is sold of a step, over that of which `billed_h` is in lines already; none where that is all.
pub(super) fn labour(settings: &BillingSettings, step: &Step, kind: LineKind, billed_h: f64) -> Option<Line> {
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
    let quantity = rounded(sold_h.max(0.0) - billed_h, 1e4);
    (quantity != 0.0).then(|| Line {
        kind,
        step: step.plan.step.clone(),
        item,
        quantity,
        unit: "h".into(),
        price: Some(price),
        amount: Some(hundredth(quantity * price)),
        currency: settings.currency.as_str().into(),
        held,
        posted_by: None,
        note: None,
        at_ms: 0,
        revision: 0,
    })
}

/// What was used of a resource; none where it is not sold.
pub(super) fn resource(
    settings: &BillingSettings,
    (step, used): (&str, &Used),
    quantity: f64,
    kind: LineKind,
) -> Option<Line> {
    let (price, held) = priced(settings, used, &used.unit);
    if price == Some(0.0) {
        return None;
    }
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

/// What one `unit` of a resource costs, and why a line over it is held. What costs nothing is never held.
pub(super) fn priced(settings: &BillingSettings, used: &Used, unit: &str) -> (Option<f64>, Option<String>) {
    let Some(known) = settings.prices.get(&*used.resource) else {
        return (None, Some(format!("{} has no price", used.resource)));
    };
    if known.price == 0.0 {
        return (Some(0.0), None);
    }
    if let Some(other) = known.unit.as_deref().filter(|known| *known != unit) {
        return (None, Some(format!("it is booked in {unit}, and its price is that of a {other}")));
    }
    let is_out = |planned: &f64| settings.holds_quantity(&used.resource, used.quantity, Some(*planned));
    let out = used.planned.filter(is_out);
    let held = out.map(|planned| {
        format!("{} {} were used, {planned} are planned", hundredth(used.quantity), used.unit)
    });
    (Some(known.price), held)
}

/// To two digits.
pub(super) fn hundredth(value: f64) -> f64 {
    rounded(value, 100.0)
}

/// To so many parts: what is added up of many bookings, or divided, has digits that nobody measured.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
