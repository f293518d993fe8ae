//! What the card of a step asks of tools, and how much of it has been seen.
//! As large as the card, and kept as long as the job is open.

use std::collections::BTreeMap;

use ingest::readings::JobCard;
use ingest::units::Units;
use serde::{Deserialize, Serialize};

use super::Trace;
use crate::engine::converted;

/// Expected readings and planned resources of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asks(Vec<Item>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Readings {
        metric: Box<str>,
        joint: Option<Box<str>>,
        pset: Option<Box<str>>,
        min: Option<f64>,
        max: Option<f64>,
        count: Option<u32>,
    },
    Resource {
        resource: Box<str>,
        quantity: f64,
        unit: Box<str>,
    },
}

impl Item {
    /// How much of it something is; none if nothing of it. A reading out of its limits is none of those that are asked for,
    /// and speaks of the step all the same.
    fn measure(&self, trace: &Trace, units: &Units) -> Option<f64> {
        match (self, &trace.used) {
            (Item::Readings { metric, joint, pset, min, max, .. }, _) => {
                let is =
                    |wanted: &Option<Box<str>>, tag: &Option<Box<str>>| wanted.is_none() || wanted == tag;
                let fits = *metric == trace.metric && is(joint, &trace.joint) && is(pset, &trace.pset);
                let is_within =
                    min.is_none_or(|min| trace.value >= min) && max.is_none_or(|max| trace.value <= max);
                fits.then_some(if is_within { 1.0 } else { 0.0 })
            }
            (Item::Resource { resource, unit, .. }, Some((used, of))) if resource == used => {
                converted(trace.value, of, unit, units)
            }
            (Item::Resource { .. }, _) => None,
        }
    }

    /// How much there is to be, if that can be told.
    fn wanted(&self, tolerance: f64) -> Option<f64> {
        match self {
            Item::Readings { count, .. } => count.map(f64::from),
            Item::Resource { quantity, .. } => Some(quantity * (1.0 - tolerance)),
        }
    }

    /// How much of it has been seen, from 0 to 1. Without a count the first reading is all.
    fn share(&self, seen: f64, tolerance: f64) -> f64 {
        let wanted = self.wanted(tolerance).unwrap_or(1.0);
        if seen >= wanted { 1.0 } else { (seen / wanted).max(0.0) }
    }

    /// Whether the two ask for the same thing, be it for more of it.
    fn is_like(&self, other: &Item) -> bool {
        match (self, other) {
            (
                Item::Readings { metric, joint, pset, .. },
                Item::Readings { metric: other, joint: of_other, pset: and, .. },
            ) => (metric, joint, pset) == (other, of_other, and),
            (Item::Resource { resource, .. }, Item::Resource { resource: other, .. }) => resource == other,
            _ => false,
        }
    }
}

impl Asks {
    /// Of each step of a card that asks for anything. Of a step that is named twice the first counts, as everywhere.
    pub(crate) fn of(card: &JobCard, units: &Units) -> BTreeMap<Box<str>, Asks> {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let mut steps = BTreeMap::new();
        for step in card.steps.iter().rev() {
            let readings = step.expect.iter().map(|expect| Item::Readings {
                metric: expect.metric.as_str().into(),
                joint: text(&expect.joint),
                pset: text(&expect.pset),
                min: expect.min,
                max: expect.max,
                count: expect.count,
            });
            let resources = step.resources.iter().map(|planned| {
                let unit = planned.unit.as_deref().unwrap_or_default();
                Item::Resource {
                    resource: planned.resource.as_str().into(),
                    quantity: planned.quantity,
                    unit: units.resolve(unit).unwrap_or(unit).into(),
                }
            });
            steps.insert(step.step.as_str().into(), Asks(readings.chain(resources).collect()));
        }
        steps.retain(|_, asks: &mut Asks| asks.len() > 0);
        steps
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether something is asked for that has not all been seen.
    pub(super) fn lack(&self, trace: &Trace, seen: &[f64], units: &Units) -> bool {
        let is_open = |item: &Item, seen: f64| item.wanted(0.0).is_none_or(|wanted| seen < wanted);
        let seen = seen.iter().copied().chain(std::iter::repeat(0.0));
        self.0
            .iter()
            .zip(seen)
            .any(|(item, seen)| is_open(item, seen) && item.measure(trace, units).is_some())
    }

    /// Adds something to what has been seen.
    pub(super) fn see(&self, trace: &Trace, units: &Units, seen: &mut [f64]) {
        for (item, seen) in self.0.iter().zip(seen) {
            *seen += item.measure(trace, units).unwrap_or(0.0);
        }
    }

    /// How much has been seen of each thing on average, and whether that is all of it.
    pub(super) fn progress(&self, seen: &[f64], tolerance: f64) -> (f64, bool) {
        let shares: Vec<f64> =
            self.0.iter().zip(seen).map(|(item, seen)| item.share(*seen, tolerance)).collect();
        let can_be_complete = self.0.iter().any(|item| item.wanted(tolerance).is_some());
        let share = shares.iter().sum::<f64>() / shares.len() as f64;
        (share, can_be_complete && shares.iter().all(|share| *share >= 1.0))
    }

    /// What has been seen, under another card.
    pub(super) fn moved(before: Option<&Asks>, after: Option<&Asks>, seen: &[f64]) -> Vec<f64> {
        let before = || before.iter().flat_map(|asks| &asks.0).zip(seen);
        let of = |item: &Item| before().find(|(known, _)| known.is_like(item)).map_or(0.0, |(_, seen)| *seen);
        after.iter().flat_map(|asks| &asks.0).map(of).collect()
    }

    /// Metrics that are asked for, and whether as many as the card says.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().filter_map(|item| match item {
            Item::Readings { metric, count, .. } => Some((&**metric, count.is_some())),
            Item::Resource { .. } => None,
        })
    }

    pub(super) fn has_resources(&self) -> bool {
        self.0.iter().any(|item| matches!(item, Item::Resource { .. }))
    }
}
