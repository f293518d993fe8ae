//! What a step expects of the tags of a reading: its parameter set, and the resource that it takes.
//!
//! It is told where the reading's own is another: where all is well, and where a tool does not say what it did, nothing is.

use ingest::readings::{Expectation, PlannedStep};
use ingest::units::Units;

use super::block::{Block, Joined};
use super::join::Booked;
use super::steps::Steps;
use super::usage::Usage;

/// All names, unless the own one is among them.
fn others<'a>(own: Option<&str>, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let own = own?;
    let mut all: Vec<&str> = Vec::new();
    for name in names {
        if name == own {
            return None;
        }
        if !all.contains(&name) {
            all.push(name);
        }
    }
    (!all.is_empty()).then(|| all.join(" or "))
}

/// The parameter set that `expected`, all of a metric, asks for at a joint, where `pset` is another.
#[must_use]
pub(super) fn pset<'a>(
    expected: impl Iterator<Item = &'a Expectation>,
    joint: Option<&str>,
    pset: Option<&str>,
) -> Option<String> {
    let is_here = |expect: &&Expectation| expect.joint.as_deref().is_none_or(|wanted| Some(wanted) == joint);
    others(pset, expected.filter(is_here).filter_map(|expect| expect.pset.as_deref()))
}

/// Tells of readings of consumption what their step is planned to use of the kind, where they are of another.
pub(super) fn resources(
    joined: &mut Joined,
    booked: &[Booked],
    blocks: &[&Block],
    steps: &mut Steps,
    (usage, units): (&Usage, &Units),
) {
    for reading in booked {
        let (block, row) = (blocks[reading.stretch_block], reading.row);
        let Some(run) = reading.run else { continue };
        let Some(plan) = &steps.bay_mut(block.bay[row]).runs[run].plan else { continue };
        if plan.resources.is_empty() {
            continue;
        }
        let Some(own) = usage.resource_of(block.readings.series[row], block.tags_of(row)) else { continue };
        let unit = units.code(block.readings.unit[row]);
        if let Some(expected) = others(Some(&own), planned_in(plan, unit, units)) {
            joined.asides.expected_resource.set(reading.at, &expected);
        }
    }
}

/// The resources of a plan that are measured as `unit` measures.
fn planned_in<'a>(plan: &'a PlannedStep, unit: &'a str, units: &'a Units) -> impl Iterator<Item = &'a str> {
    let is_alike = move |planned: Option<&str>| {
        let planned = planned.map_or("", |text| units.resolve(text).unwrap_or(text));
        planned == unit || (!planned.is_empty() && units.conversion_of(planned, unit).is_some())
    };
    let alike = plan.resources.iter().filter(move |planned| is_alike(planned.unit.as_deref()));
    alike.map(|planned| planned.resource.as_str())
}
