//! What a reading may be: limits from the step of the job card, else from the asset.

use std::collections::BTreeMap;

use ingest::readings::{Asset, Expectation, PlannedStep};
use ingest::series::SeriesTable;

use super::aside::Asides;
use super::expected;
use crate::calendar::Calendars;

/// Lowest and highest allowed value, NaN for none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    pub min: f64,
    pub max: f64,
}

/// No limits at all.
pub(super) const UNLIMITED: Limits = Limits { min: f64::NAN, max: f64::NAN };

impl Limits {
    fn of(min: Option<f64>, max: Option<f64>) -> Self {
        Limits { min: min.unwrap_or(f64::NAN), max: max.unwrap_or(f64::NAN) }
    }
}

/// What a planned step says of the readings of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepLimits {
    /// None where it sets none: the asset's hold then.
    pub limits: Option<Limits>,
    /// Whether it expects the metric at all, be it of other joints.
    pub is_expected: bool,
}

/// What a planned step says of a reading of a metric. `tags` are the reading's. The second answer tells whether the
/// tags had a say, so that the first holds for this reading alone; the third is the parameter set that is expected of it.
#[must_use]
pub(super) fn of_step(
    plan: &PlannedStep,
    metric: &str,
    tags: Option<&str>,
) -> (StepLimits, bool, Option<String>) {
    let mut expected = plan.expect.iter().filter(|expect| expect.metric == metric).peekable();
    if expected.peek().is_none() {
        return (StepLimits { limits: None, is_expected: false }, false, None);
    }
    let mut asked = false;
    let (joint, pset) = joint_and_pset(tags);
    let found = expected.find(|expect| {
        asked |= expect.joint.is_some() || expect.pset.is_some();
        fits(expect, joint.as_deref(), pset.as_deref())
    });
    // An expectation of a count alone sets no limits.
    let found = found.filter(|expect| expect.min.is_some() || expect.max.is_some());
    let limits = found.map(|expect| Limits::of(expect.min, expect.max));
    let of_metric = plan.expect.iter().filter(|expect| expect.metric == metric);
    let pset = if asked { expected::pset(of_metric, joint.as_deref(), pset.as_deref()) } else { None };
    (StepLimits { limits, is_expected: true }, asked, pset)
}

/// Whether an expectation of a metric speaks of a reading of this joint and parameter set: of all, where it names none.
/// Its class says what the joint is worth, which no tool knows.
#[must_use]
pub(super) fn fits(expect: &Expectation, joint: Option<&str>, pset: Option<&str>) -> bool {
    let is = |wanted: &Option<String>, tag: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| tag == Some(wanted))
    };
    is(&expect.joint, joint) && is(&expect.pset, pset)
}

/// The tags that an expectation can name.
#[must_use]
pub(super) fn joint_and_pset(tags: Option<&str>) -> (Option<String>, Option<String>) {
    let tags: Option<BTreeMap<String, String>> = tags.and_then(|tags| serde_json::from_str(tags).ok());
    let mut tags = tags.unwrap_or_default();
    (tags.remove("joint"), tags.remove("pset"))
}

/// What an asset says of its tool beside limits, as far as it is at odds with the tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AssetFacts {
    /// Its bay, where the tool reports from another.
    bay: Option<Box<str>>,
    calibration_due_ms: Option<i64>,
}

impl AssetFacts {
    /// Says them of a row.
    #[inline]
    pub(super) fn tell(&self, row: usize, ts_ms: i64, asides: &mut Asides) {
        if let Some(bay) = &self.bay {
            asides.asset_bay.set(row, bay);
        }
        if let Some(due_ms) = self.calibration_due_ms.filter(|&due_ms| due_ms <= ts_ms) {
            asides.set_due(row, due_ms);
        }
    }
}

/// Assets by name, from configuration and from retained messages. The newest word counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Assets {
    /// By (site, asset); an empty site means every site.
    all: BTreeMap<(Box<str>, Box<str>), Asset>,
}

impl Assets {
    /// Those of the configuration, for every site.
    #[must_use]
    pub(super) fn new(assets: &[Asset]) -> Self {
        let all =
            assets.iter().map(|asset| ((Box::from(""), Box::from(asset.asset.as_str())), asset.clone()));
        Assets { all: all.collect() }
    }

    /// As it is written to checkpoints.
    pub(super) fn to_parts(&self) -> Vec<(Box<str>, Asset)> {
        self.all.iter().map(|((site, _), asset)| (site.clone(), asset.clone())).collect()
    }

    /// From [`Assets::to_parts`]: what messages said. Those of the configuration are the ones of `fresh`, which
    /// may be another by now.
    pub(super) fn from_parts(parts: Vec<(Box<str>, Asset)>, fresh: &Assets) -> Self {
        let mut all = fresh.all.clone();
        let said = parts.into_iter().filter(|(site, _)| !site.is_empty());
        all.extend(said.map(|(site, asset)| ((site, asset.asset.as_str().into()), asset)));
        Assets { all }
    }

    /// Takes a message's word on an asset in.
    pub(super) fn take(&mut self, site: &str, asset: &Asset) {
        self.all.insert((site.into(), asset.asset.as_str().into()), asset.clone());
    }

    /// Whether a message of `site` has told of the asset.
    #[must_use]
    pub(super) fn has(&self, site: &str, asset: &str) -> bool {
        self.all.contains_key(&(site.into(), asset.into()))
    }

    /// The asset that `tool` is at `site`.
    fn get(&self, site: &str, tool: &str) -> Option<&Asset> {
        if self.all.is_empty() || tool.is_empty() {
            return None;
        }
        self.all.get(&(site.into(), tool.into())).or_else(|| self.all.get(&("".into(), tool.into())))
    }

    /// What kind of asset `tool` is at `site`.
    #[must_use]
    pub(super) fn kind(&self, site: &str, tool: &str) -> Option<&str> {
        self.get(site, tool)?.kind.as_deref()
    }

    /// The kinds of those that name `bay` of `site` as theirs.
    pub(super) fn kinds_on(&self, site: &str, bay: &str) -> impl Iterator<Item = &str> {
        let here = self.all.iter().filter(move |((of_site, name), asset)| {
            let is_said_here = of_site.is_empty() && !self.all.contains_key(&(site.into(), name.clone()));
            (**of_site == *site || is_said_here) && asset.bay.as_deref() == Some(bay)
        });
        here.filter_map(|(_, asset)| asset.kind.as_deref())
    }

    /// Takes in the facts of series that are new in `table`; nothing where no asset has any.
    pub(super) fn follow_facts(
        &self,
        table: &SeriesTable,
        calendars: &Calendars,
        facts: &mut Vec<AssetFacts>,
    ) {
        let has_facts = |asset: &Asset| asset.bay.is_some() || asset.calibration_due.is_some();
        if facts.is_empty() && !self.all.values().any(has_facts) {
            return;
        }
        for series in &table.all()[facts.len()..] {
            let asset = self.get(&series.site, &series.tool);
            let bay = asset.and_then(|asset| asset.bay.as_deref());
            let due = asset.and_then(|asset| asset.calibration_due.as_ref());
            facts.push(AssetFacts {
                bay: bay.filter(|bay| *bay != &*series.bay).map(Box::from),
                calibration_due_ms: due.and_then(|due| calendars.of(&series.site).time_ms(due)),
            });
        }
    }

    /// The limits of `tool`'s `metric` at `site`.
    #[must_use]
    pub(super) fn limits(&self, site: &str, tool: &str, metric: &str) -> Option<Limits> {
        let asset = self.get(site, tool)?;
        let limit = asset.limits.iter().find(|limit| limit.metric == metric)?;
        Some(Limits::of(limit.min, limit.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(expect: &str) -> PlannedStep {
        serde_json::from_str(&format!(r#"{{"step":"S1","expect":{expect}}}"#)).expect("a step")
    }

    #[test]
    fn a_joint_has_its_own_limits_and_others_share_the_general_ones() {
        let plan =
            plan(r#"[{"metric":"torque","joint":"J1","min":80,"max":95},{"metric":"torque","min":10}]"#);
        let first = of_step(&plan, "torque", Some(r#"{"joint":"J1"}"#));
        let limits = Some(Limits { min: 80.0, max: 95.0 });
        assert_eq!(first, (StepLimits { limits, is_expected: true }, true, None));
        let (other, asked, _) = of_step(&plan, "torque", None);
        assert_eq!(other.limits.map(|limits| limits.min), Some(10.0));
        assert!(asked, "the first expectation asked for a joint");
        assert_eq!(
            of_step(&plan, "angle", None),
            (StepLimits { limits: None, is_expected: false }, false, None)
        );
    }

    #[test]
    fn a_count_alone_sets_no_limits() {
        let (said, asked, _) = of_step(&plan(r#"[{"metric":"torque","count":5}]"#), "torque", None);
        assert_eq!((said, asked), (StepLimits { limits: None, is_expected: true }, false));
    }
}
