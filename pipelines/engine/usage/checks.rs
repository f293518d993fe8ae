//! What one step measured of what its job card expects.
//!
//! Values are kept, so that a card that comes later can be held against them. What was measured before any card
//! expected its metric was not looked at: its count is not known, and none is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::readings::Expectation;

use super::super::limits;
use super::super::steps::Run;

/// Values that a step keeps. Beyond it readings are tallied under the card of their time, and a later one is held
/// against the kept ones alone.
const VALUES_MAX: usize = 256;

/// What a reading is of, or an expectation speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct Subject {
    pub metric: Arc<str>,
    pub joint: Option<Arc<str>>,
    pub pset: Option<Arc<str>>,
}

/// How many readings there are, and how many of them inside the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tally {
    pub counted: u64,
    pub within: u64,
}

/// An expectation held against what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub subject: Subject,
    /// As on the newest card; of nothing if that does not name it any more.
    pub expect: Expectation,
    /// None if nobody counted.
    pub tally: Option<Tally>,
    pub unit: Option<Arc<str>>,
    pub revision: u32,
}

/// Readings of one step that its cards expected, over all its runs, and what they expect.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Checks {
    measured: BTreeMap<Subject, Measured>,
    values: usize,
    items: BTreeMap<Subject, Item>,
    /// Metrics that all runs so far were to measure from their start on; none before the first has ended.
    counted: Option<BTreeSet<Arc<str>>>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Measured {
    unit: Arc<str>,
    values: Vec<f64>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Item {
    expect: Expectation,
    /// Readings beyond [`VALUES_MAX`].
    beyond: Tally,
    /// Revision last told, 0 for none.
    revision: u32,
    /// It has changed since.
    is_changed: bool,
}

impl Subject {
    fn of(expect: &Expectation) -> Self {
        let name = |name: &Option<String>| name.as_deref().map(Arc::from);
        Subject {
            metric: expect.metric.as_str().into(),
            joint: name(&expect.joint),
            pset: name(&expect.pset),
        }
    }

    /// Of a reading, by its tags.
    #[must_use]
    pub(crate) fn of_reading(metric: &str, tags: Option<&str>) -> Self {
        let (joint, pset) = limits::joint_and_pset(tags);
        Subject { metric: metric.into(), joint: joint.map(Arc::from), pset: pset.map(Arc::from) }
    }

    fn fits(&self, expect: &Expectation) -> bool {
        *self.metric == *expect.metric && limits::fits(expect, self.joint.as_deref(), self.pset.as_deref())
    }
}

impl Tally {
    /// A value that is no number is inside where there are no limits.
    fn add(&mut self, value: f64, expect: &Expectation) {
        let above = expect.min.is_none_or(|min| value >= min);
        let below = expect.max.is_none_or(|max| value <= max);
        self.counted += 1;
        self.within += u64::from(above && below);
    }
}

impl Check {
    /// Good readings that lack; none where that is not known, or no count is expected.
    #[must_use]
    pub(crate) fn missing(&self) -> Option<u64> {
        Some(u64::from(self.expect.count?).saturating_sub(self.tally?.within))
    }

    /// Readings beyond the count; none as of [`Check::missing`].
    #[must_use]
    pub(crate) fn surplus(&self) -> Option<u64> {
        Some(self.tally?.counted.saturating_sub(u64::from(self.expect.count?)))
    }
}

impl Checks {
    /// Takes a reading in. `expected` is what the card says where it is not known here yet.
    pub(super) fn add(&mut self, subject: Subject, value: f64, unit: &str, expected: Option<&[Expectation]>) {
        let is_kept = self.values < VALUES_MAX;
        if let Some(expected) = expected.filter(|expected| !is_kept && !self.is_of(expected)) {
            self.expect(expected);
        }
        for item in self.items.values_mut().filter(|item| subject.fits(&item.expect)) {
            item.is_changed = true;
            if !is_kept {
                item.beyond.add(value, &item.expect);
            }
        }
        if is_kept {
            self.values += 1;
            let measured = self.measured.entry(subject);
            let new = || Measured { unit: unit.into(), values: Vec::new() };
            measured.or_insert_with(new).values.push(value);
        }
    }

    /// Takes a card's word in; whether it says anything new. Where it names the same twice the first counts, as for
    /// limits; what it does not name any more is expected no more.
    pub(super) fn expect(&mut self, expected: &[Expectation]) -> bool {
        let mut named: BTreeMap<Subject, &Expectation> = BTreeMap::new();
        for expect in expected {
            named.entry(Subject::of(expect)).or_insert(expect);
        }
        self.items.retain(|subject, item| item.revision > 0 || named.contains_key(subject));
        for (subject, item) in &mut self.items {
            if !named.contains_key(subject) {
                let gone =
                    Expectation { min: None, max: None, count: None, class: None, ..item.expect.clone() };
                item.is_changed |= gone != item.expect;
                item.expect = gone;
            }
        }
        for (subject, expect) in named {
            let item = self.items.entry(subject).or_insert_with(|| Item {
                expect: expect.clone(),
                beyond: Tally::default(),
                revision: 0,
                is_changed: true,
            });
            item.is_changed |= item.expect != *expect;
            item.expect = expect.clone();
        }
        self.items.values().any(|item| item.is_changed)
    }

    /// The values that are kept.
    pub(crate) fn measured(&self) -> Vec<crate::functions::Measured> {
        let name = |name: &Option<Arc<str>>| name.as_deref().map(Box::from);
        let one = |(subject, measured): (&Subject, &Measured)| crate::functions::Measured {
            metric: (&*subject.metric).into(),
            joint: name(&subject.joint),
            pset: name(&subject.pset),
            unit: (&*measured.unit).into(),
            values: measured.values.clone(),
        };
        self.measured.iter().map(one).collect()
    }

    /// Whether the items are those of a card, as far as is quick to see.
    fn is_of(&self, expected: &[Expectation]) -> bool {
        let has = |expect: &Expectation| self.items.values().any(|item| item.expect == *expect);
        self.items.len() == expected.len() && expected.iter().all(has)
    }

    /// A run has ended: what it was not to measure throughout is not known of the step as a whole.
    pub(super) fn end_run(&mut self, run: &Run) {
        let expected = run.plan.iter().flat_map(|plan| &plan.expect).map(|expect| &expect.metric);
        let watched = expected.filter(|metric| !run.uncounted.contains(*metric));
        let watched: BTreeSet<Arc<str>> = watched.map(|metric| metric.as_str().into()).collect();
        self.counted = Some(match self.counted.take() {
            Some(before) => before.intersection(&watched).cloned().collect(),
            None => watched,
        });
    }

    /// Those that have something new to say, or all. `units` are those of metrics.
    pub(super) fn due(&mut self, all: bool, units: &BTreeMap<String, Arc<str>>) -> Vec<Check> {
        let mut due = Vec::new();
        for (subject, item) in &mut self.items {
            if !(all || item.is_changed) {
                continue;
            }
            item.revision += 1;
            item.is_changed = false;
            let of_metric = Subject { joint: None, pset: None, ..subject.clone() };
            let of_metric = self.measured.range(of_metric..);
            let mut measured = of_metric
                .take_while(|(measured, _)| measured.metric == subject.metric)
                .filter(|(measured, _)| measured.fits(&item.expect))
                .map(|(_, measured)| measured)
                .peekable();
            let unit = units.get(&*subject.metric);
            let unit = unit.or(measured.peek().map(|measured| &measured.unit)).cloned();
            let mut tally = item.beyond;
            measured.flat_map(|measured| &measured.values).for_each(|&value| tally.add(value, &item.expect));
            let is_counted = self.counted.iter().any(|counted| counted.contains(&subject.metric));
            due.push(Check {
                subject: subject.clone(),
                expect: item.expect.clone(),
                tally: is_counted.then_some(tally),
                unit: unit.filter(|unit| !unit.is_empty()),
                revision: item.revision,
            });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(text: &str) -> Vec<Expectation> {
        serde_json::from_str(text).expect("a list of expectations")
    }

    /// A step that was to measure torque from its start on.
    fn measured(values: &[(&str, f64)]) -> Checks {
        let mut checks = Checks { counted: Some(["torque".into()].into()), ..Checks::default() };
        for (joint, value) in values {
            let tags = format!(r#"{{"joint":"{joint}","pset":"P1"}}"#);
            checks.add(Subject::of_reading("torque", Some(&tags)), *value, "N.m", None);
        }
        checks
    }

    /// `joint counted/within missing surplus revision` of each that is due.
    fn due(checks: &mut Checks) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
        let line = |check: &Check| {
            let tally = check.tally.map(|tally| format!("{}/{}", tally.counted, tally.within));
            let joint = check.subject.joint.as_deref().unwrap_or("all");
            let (missing, surplus) = (number(check.missing()), number(check.surplus()));
            format!("{joint} {} {missing} {surplus} {}", tally.unwrap_or("?".to_owned()), check.revision)
        };
        checks.due(false, &BTreeMap::new()).iter().map(line).collect()
    }

    #[test]
    fn a_reject_is_counted_and_does_not_fill_the_place_of_a_good_one() {
        let mut checks = measured(&[("J1", 87.0), ("J1", 70.0), ("J2", 88.0)]);
        checks.expect(&expect(
            r#"[{"metric":"torque","min":80,"max":95,"count":3},
                {"metric":"torque","joint":"J2","count":2,"class":"A"},{"metric":"torque","joint":"J3","count":1}]"#,
        ));
        assert_eq!(due(&mut checks), ["all 3/2 1 0 1", "J2 1/1 1 0 1", "J3 0/0 1 0 1"]);
        assert!(due(&mut checks).is_empty());
    }

    #[test]
    fn a_later_card_is_held_against_what_was_measured() {
        let mut checks = measured(&[("J1", 87.0), ("J2", 99.0)]);
        assert!(checks.expect(&expect(r#"[{"metric":"torque","min":80,"max":95,"count":1}]"#)));
        assert_eq!(due(&mut checks), ["all 2/1 0 1 1"]);
        assert!(!checks.expect(&expect(r#"[{"metric":"torque","min":80,"max":95,"count":1}]"#)));
        checks.expect(&expect(r#"[{"metric":"torque","min":80,"max":100,"count":2}]"#));
        assert_eq!(due(&mut checks), ["all 2/2 0 0 2"]);
        checks.expect(&expect(r#"[{"metric":"angle","count":2}]"#));
        assert_eq!(due(&mut checks), ["all ? ? ? 1", "all 2/2 ? ? 3"], "nobody counted angles");
    }

    #[test]
    fn beyond_the_bound_readings_keep_the_verdict_of_their_time() {
        let all: Vec<_> = std::iter::repeat_n(("J1", 87.0), VALUES_MAX).collect();
        let mut checks = measured(&all);
        let card = expect(r#"[{"metric":"torque","min":80,"max":95,"count":5}]"#);
        checks.add(Subject::of_reading("torque", None), 70.0, "N.m", Some(&card));
        assert_eq!(due(&mut checks), ["all 257/256 0 252 1"]);
        checks.expect(&expect(r#"[{"metric":"torque","min":60,"max":80,"count":5}]"#));
        assert_eq!(due(&mut checks), ["all 257/0 5 252 2"]);
    }
}
