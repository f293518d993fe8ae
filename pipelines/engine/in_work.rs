//! What a step that goes on is to measure and to use, and how far that is: for boards and for who does it.

use ingest::readings::Expectation;
use sinks::view::{ExpectedView, ReadingView, UsedView};

use super::Engine;
use super::in_hand::Kept;
use super::limits::{Limits, UNLIMITED, fits, of_step};
use super::steps::{BaySteps, Run};
use super::usage::{Book, BookKey, converted};
use crate::functions::Measured;

/// A step that goes on.
#[derive(Clone, Debug)]
pub(crate) struct InWork {
    pub job: String,
    pub step: String,
    pub expected: Vec<ExpectedView>,
    pub resources: Vec<UsedView>,
    /// The bay's watermark: what came before it is counted and booked.
    pub as_of_ms: Option<i64>,
}

impl Engine {
    /// The step that goes on on a bay.
    #[must_use]
    pub(crate) fn in_work(&self, site: &str, bay: &str) -> Option<InWork> {
        let bay = self.decoder.series().find_bay(site, bay)?;
        let run = self.steps.bay(bay).and_then(BaySteps::current)?;
        Some(InWork {
            job: run.job.to_string(),
            step: run.step.to_string(),
            expected: self.expected_of(site, bay, run),
            resources: self.used_of(site, run),
            as_of_ms: Some(self.bays.watermark_ms(bay)).filter(|&ms| ms != i64::MIN),
        })
    }

    /// What the card of the step of `run` expects: what of it has been measured, as far as is certain, and what its tool read
    /// last.
    pub(super) fn expected_of(&self, site: &str, bay: u32, run: &Run) -> Vec<ExpectedView> {
        let Some(plan) = run.plan.as_ref().filter(|plan| !plan.expect.is_empty()) else { return Vec::new() };
        let measured = self.book_of(site, run).map(|book| book.checks.measured()).unwrap_or_default();
        let view = plan.expect.iter().map(|expect| {
            let is_of = |one: &&Measured| {
                *one.metric == *expect.metric && fits(expect, one.joint.as_deref(), one.pset.as_deref())
            };
            let values = || measured.iter().filter(is_of).flat_map(|one| &one.values);
            let within = values().filter(|&&value| is_within(value, expect.min, expect.max)).count() as u64;
            ExpectedView {
                metric: expect.metric.clone(),
                joint: expect.joint.clone(),
                min: expect.min,
                max: expect.max,
                expected: expect.count,
                counted: values().count() as u64,
                within,
                missing: expect.count.map(|count| u64::from(count).saturating_sub(within)),
                newest: self.newest_of(bay, run, expect),
            }
        });
        view.collect()
    }

    /// What the step of `run` has used of what it is planned to use, and of what else, as far as is certain.
    pub(super) fn used_of(&self, site: &str, run: &Run) -> Vec<UsedView> {
        let (units, book) = (self.decoder.units(), self.book_of(site, run));
        let mut views: Vec<UsedView> = Vec::new();
        for planned in run.plan.iter().flat_map(|plan| &plan.resources) {
            if views.iter().any(|view| view.resource == planned.resource) {
                continue;
            }
            let amount = book.and_then(|book| book.amounts.get(planned.resource.as_str()));
            let of_plan = planned.unit.as_deref().unwrap_or_default();
            let of_plan = units.resolve(of_plan).unwrap_or(of_plan);
            let unit = amount.map_or(of_plan, |amount| &*amount.unit);
            views.push(UsedView {
                resource: planned.resource.clone(),
                quantity: amount.map_or(0.0, |amount| amount.quantity),
                planned: converted(planned.quantity, of_plan, unit, units),
                unit: unit.to_owned(),
            });
        }
        for (resource, amount) in book.iter().flat_map(|book| &book.amounts) {
            if !views.iter().any(|view| *view.resource == **resource) {
                views.push(UsedView {
                    resource: resource.to_string(),
                    quantity: amount.quantity,
                    planned: None,
                    unit: amount.unit.to_string(),
                });
            }
        }
        views
    }

    fn book_of(&self, site: &str, run: &Run) -> Option<&Book> {
        self.usage.books().get(&BookKey { site: site.into(), job: run.job.clone(), step: run.step.clone() })
    }

    fn newest_of(&self, bay: u32, run: &Run, expect: &Expectation) -> Option<ReadingView> {
        let (series, Kept { tags, joint, ts_ms, value, unit, .. }) =
            self.live.newest_in_hand(bay, run, expect, self.decoder.series())?;
        let names = self.decoder.series().get(series);
        let of_plan =
            run.plan.as_ref().and_then(|plan| of_step(plan, &names.metric, tags.as_deref()).0.limits);
        let of_asset = || self.assets.limits(&names.site, &names.tool, &names.metric);
        let Limits { min, max } = of_plan.or_else(of_asset).unwrap_or(UNLIMITED);
        let [spec_min, spec_max] = [min, max].map(|limit| Some(limit).filter(|limit| !limit.is_nan()));
        let has_limits = spec_min.is_some() || spec_max.is_some();
        Some(ReadingView {
            tool: names.tool.to_string(),
            joint: joint.clone(),
            ts_ms: *ts_ms,
            value: *value,
            unit: self.decoder.units().code(*unit).to_owned(),
            spec_min,
            spec_max,
            within_spec: has_limits.then(|| is_within(*value, spec_min, spec_max)),
        })
    }
}

fn is_within(value: f64, min: Option<f64>, max: Option<f64>) -> bool {
    min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
}
