//! What a reading may be: limits from the step of the job card, else from the asset.

use std::collections::BTreeMap;

use ingest::readings::{Asset, Expectation, PlannedStep};

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
/// tags had a say, so that the first holds for this reading alone.
#[must_use]
pub(super) fn of_step(plan: &PlannedStep, metric: &str, tags: Option<&str>) -> (StepLimits, bool) {
    let mut expected = plan.expect.iter().filter(|expect| expect.metric == metric).peekable();
    if expected.peek().is_none() {
        return (StepLimits { limits: None, is_expected: false }, false);
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
    (StepLimits { limits, is_expected: true }, asked)
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

    /// The limits of `tool`'s `metric` at `site`.
    #[must_use]
    pub(super) fn limits(&self, site: &str, tool: &str, metric: &str) -> Option<Limits> {
        if self.all.is_empty() {
            return None;
        }
        let asset =
            self.all.get(&(site.into(), tool.into())).or_else(|| self.all.get(&("".into(), tool.into())))?;
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
        assert_eq!(first, (StepLimits { limits, is_expected: true }, true));
        let (other, asked) = of_step(&plan, "torque", None);
        assert_eq!(other.limits.map(|limits| limits.min), Some(10.0));
        assert!(asked, "the first expectation asked for a joint");
        assert_eq!(of_step(&plan, "angle", None), (StepLimits { limits: None, is_expected: false }, false));
    }

    #[test]
    fn a_count_alone_sets_no_limits() {
        let (said, asked) = of_step(&plan(r#"[{"metric":"torque","count":5}]"#), "torque", None);
        assert_eq!((said, asked), (StepLimits { limits: None, is_expected: true }, false));
    }
}
