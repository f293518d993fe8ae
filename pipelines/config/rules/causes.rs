//! Which rules hold others back: names that are there, exceptions that can be open, and no circles.

use std::collections::BTreeMap;

use super::Rule;
use super::life::{PlanRule, default_kind};
use crate::config::mistake::{Mistake, nearest};
use crate::config::{ExceptionKind, RuleSettings};

/// How deep `suppressed_by` goes below each rule: what nothing holds back is 0, and each rule is judged after those
/// that hold it back.
///
/// # Errors
/// Rules that hold one another back in a circle, from one round to itself.
pub(crate) fn ranks<'a>(
    rules: impl Iterator<Item = &'a RuleSettings>,
) -> Result<BTreeMap<&'a str, usize>, Vec<&'a str>> {
    let all: BTreeMap<&str, &RuleSettings> = rules.map(|rule| (rule.name.as_str(), rule)).collect();
    let mut ranks = BTreeMap::new();
    let mut way = Vec::new();
    for name in all.keys() {
        rank(name, &all, &mut way, &mut ranks)?;
    }
    Ok(ranks)
}

fn rank<'a>(
    name: &'a str,
    all: &BTreeMap<&'a str, &'a RuleSettings>,
    way: &mut Vec<&'a str>,
    ranks: &mut BTreeMap<&'a str, usize>,
) -> Result<usize, Vec<&'a str>> {
    if let Some(rank) = ranks.get(name) {
        return Ok(*rank);
    }
    if let Some(start) = way.iter().position(|before| *before == name) {
        return Err([&way[start..], &[name]].concat());
    }
    way.push(name);
    let mut found = 0;
    for cause in all.get(name).into_iter().flat_map(|rule| &rule.suppressed_by) {
        found = found.max(1 + rank(cause, all, way, ranks)?);
    }
    way.pop();
    ranks.insert(name, found);
    Ok(found)
}

/// Holds `suppressed_by` of each rule against the others.
pub(in crate::config) fn check_causes(rules: &[Rule], plan: PlanRule<'_>) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let names = || rules.iter().filter(|rule| !rule.settings.is_view).map(|rule| rule.settings.name.as_str());
    for rule in rules {
        for cause in &rule.settings.suppressed_by {
            let named = |other: &&Rule| other.settings.name == *cause;
            let (message, remedy) = match rules.iter().find(named) {
                None => {
                    let remedy = match nearest(cause, names()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "name rules of this folder".to_owned(),
                    };
                    (format!("`suppressed_by` names `{cause}`, and there is no such rule"), remedy)
                }
                Some(other) if other.settings.is_view => {
                    let message = format!("`suppressed_by` names `{cause}`, which is a view");
                    (message, "name rules, whose exceptions can be open".to_owned())
                }
                Some(other) if is_over_at_once(&other.settings, plan) => {
                    let message = format!(
                        "`suppressed_by` names `{cause}`, whose exceptions are over at once: they hold nothing back"
                    );
                    (message, format!("name a rule of conditions, or give `{cause}` `kind = \"condition\"`"))
                }
                Some(_) => continue,
            };
            mistakes.push(rule.mistake(rule.suppressed_at, message, remedy));
        }
    }
    if let Err(circle) = ranks(rules.iter().map(|rule| &rule.settings)) {
        let first = rules.iter().find(|rule| rule.settings.name == circle[0]);
        let rule = first.expect("a circle goes over rules that are there");
        let message = format!("`suppressed_by` goes round in a circle: {}", circle.join(" by "));
        mistakes.push(rule.mistake(rule.suppressed_at, message, "take one of them out".to_owned()));
    }
    mistakes
}

/// Whether a rule makes events that nothing keeps open. Of a rule that does not compile that is told already.
fn is_over_at_once(settings: &RuleSettings, plan: PlanRule<'_>) -> bool {
    let kind = match settings.kind {
        Some(kind) => kind,
        None => match plan(settings) {
            Ok(planned) => default_kind(planned.looks_at, settings),
            Err(_) => return false,
        },
    };
    kind == ExceptionKind::Event && !settings.latch
}
