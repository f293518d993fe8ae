//! Which rules are tried, and what beside them.

use std::collections::BTreeSet;

use super::super::{BacktestError, Mode, Request};
use crate::config::{Config, RuleSettings, nearest_name};

/// Rules that both configurations have word for word, and those that only one has or has in another version.
#[derive(Debug)]
pub(super) struct Rules {
    pub shared: Chosen,
    pub old: Chosen,
    pub new: Chosen,
    /// Names of rules that go by when rows arrived, left out where all corrections are in.
    pub of_silence: Vec<String>,
}

/// Some rules, and others that they need beside them.
#[derive(Debug)]
pub(super) struct Chosen {
    pub rules: Vec<RuleSettings>,
    /// What holds them back: judged with them, and told elsewhere or not at all.
    pub beside: Vec<RuleSettings>,
}

impl Rules {
    /// Of a request.
    ///
    /// # Errors
    /// Neither has the rule that is asked for, or any rule.
    pub(super) fn new(request: &Request<'_>) -> Result<Self, BacktestError> {
        let is_left_out = |rule: &RuleSettings| request.mode == Mode::AsCorrected && rule.lasts().is_some();
        let is_wanted = |rule: &RuleSettings| request.rule.is_none_or(|name| name == rule.name);
        let of = |config: &Config| -> (Vec<RuleSettings>, Vec<RuleSettings>) {
            config.rules.iter().filter(|rule| !rule.is_view).cloned().partition(|rule| !is_left_out(rule))
        };
        let ((all_old, old_left_out), (all_new, new_left_out)) = (of(request.old), of(request.new));
        let left_out = old_left_out.into_iter().chain(new_left_out).filter(is_wanted);
        let of_silence: BTreeSet<String> = left_out.map(|rule| rule.name).collect();
        let wanted = |rules: &[RuleSettings]| -> Vec<RuleSettings> {
            rules.iter().filter(|rule| is_wanted(rule)).cloned().collect()
        };
        let (old, new) = (wanted(&all_old), wanted(&all_new));
        if let (true, true, Some(name)) = (old.is_empty(), new.is_empty(), of_silence.first()) {
            return Err(BacktestError::Input {
                what: format!("rule `{name}` goes by when rows arrive, not by what they say once all are in"),
                remedy: "try it with --mode as-arrived".into(),
            });
        }
        if old.is_empty() && new.is_empty() {
            return Err(no_rule(request));
        }
        let differing = differing(&all_old, &all_new);
        let apart = |rules: Vec<RuleSettings>, all: &[RuleSettings]| {
            let of_its_own = rules.into_iter().filter(|rule| differing.contains(&rule.name)).collect();
            Chosen::with_causes(of_its_own, all)
        };
        let shared = old.iter().filter(|rule| !differing.contains(&rule.name)).cloned().collect();
        Ok(Rules {
            shared: Chosen::with_causes(shared, &all_old),
            old: apart(old, &all_old),
            new: apart(new, &all_new),
            of_silence: of_silence.into_iter().collect(),
        })
    }

    /// Whether a rule is tried that goes by when rows arrived.
    pub(super) fn any_of_silence(&self) -> bool {
        let all = [&self.shared, &self.old, &self.new].into_iter().flat_map(|chosen| &chosen.rules);
        all.into_iter().any(|rule| rule.lasts().is_some())
    }
}

/// Names of the rules that are not the same in both, and of all that those hold back.
fn differing(old: &[RuleSettings], new: &[RuleSettings]) -> BTreeSet<String> {
    let has = |rules: &[RuleSettings], one: &RuleSettings| {
        rules.iter().any(|rule| rule.name == one.name && rule.version == one.version)
    };
    let all = || old.iter().chain(new);
    let is_changed = |rule: &&RuleSettings| !has(old, rule) || !has(new, rule);
    let mut differing: BTreeSet<String> = all().filter(is_changed).map(|rule| rule.name.clone()).collect();
    loop {
        let is_held = |rule: &&RuleSettings| rule.suppressed_by.iter().any(|cause| differing.contains(cause));
        let held: Vec<String> = all().filter(is_held).map(|rule| rule.name.clone()).collect();
        let known = differing.len();
        differing.extend(held);
        if differing.len() == known {
            return differing;
        }
    }
}

impl Chosen {
    /// `rules`, and what holds them back among `all`.
    fn with_causes(rules: Vec<RuleSettings>, all: &[RuleSettings]) -> Self {
        let mut chosen = Chosen { rules, beside: Vec::new() };
        loop {
            let known = chosen.all();
            let is_known = |name: &str| known.iter().any(|rule| rule.name == name);
            let is_cause =
                |one: &RuleSettings| known.iter().any(|rule| rule.suppressed_by.contains(&one.name));
            let more: Vec<RuleSettings> =
                all.iter().filter(|one| is_cause(one) && !is_known(&one.name)).cloned().collect();
            if more.is_empty() {
                return chosen;
            }
            chosen.beside.extend(more);
        }
    }

    /// All that are judged.
    pub(super) fn all(&self) -> Vec<RuleSettings> {
        [self.rules.as_slice(), &self.beside].concat()
    }
}

fn no_rule(request: &Request<'_>) -> BacktestError {
    let rules = request.old.rules.iter().chain(&request.new.rules).filter(|rule| !rule.is_view);
    let mut names: Vec<&str> = rules.map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match request.rule {
        None => BacktestError::Input {
            what: "neither configuration has a rule".into(),
            remedy: "put a rule into the folder that [rules] names; views raise nothing".into(),
        },
        Some(name) => {
            let remedy = match nearest_name(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.join(", ")),
            };
            BacktestError::Input { what: format!("neither configuration has a rule `{name}`"), remedy }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules as `name < cause cause`, a line each; the version is what stands behind `#`.
    fn rules(text: &str) -> Vec<RuleSettings> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("rules")).expect("a folder");
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (line, version) = line.split_once('#').unwrap_or((line, ""));
            let (name, causes) = line.split_once('<').unwrap_or((line, ""));
            let (name, causes): (_, Vec<&str>) = (name.trim(), causes.split_whitespace().collect());
            let text = format!(
                "rule = \"{name}\"\nseverity = \"low\"\nkind = \"condition\"\nsuppressed_by = {causes:?}\nmessage = \"so{version}\"\n\
                 sql = \"SELECT site, bay, tool FROM telemetry WHERE metric = 'x'\"\n"
            );
            std::fs::write(folder.path().join(format!("rules/{name}.toml")), text).expect("written");
        }
        let path = folder.path().join("andon.toml");
        std::fs::write(&path, "[rules]\nfolder = \"rules\"\n").expect("written");
        Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).rules
    }

    fn names(rules: &[RuleSettings]) -> Vec<&str> {
        rules.iter().map(|rule| rule.name.as_str()).collect()
    }

    #[test]
    fn what_a_changed_rule_holds_back_is_tried_with_it_and_its_causes_beside_it() {
        let shop = "gateway_lost
            bay_silent < gateway_lost
            tool_silent < bay_silent
            too_hot";
        let old = rules(shop);
        assert_eq!(differing(&old, &rules(shop)), BTreeSet::new());
        let held = differing(&old, &rules(&shop.replace("gateway_lost\n", "gateway_lost # now\n")));
        assert_eq!(Vec::from_iter(held), ["bay_silent", "gateway_lost", "tool_silent"]);
        let last = differing(&old, &rules(&shop.replace("too_hot", "too_hot # now")));
        assert_eq!(Vec::from_iter(last), ["too_hot"]);
        let tool: Vec<_> = old.iter().filter(|rule| rule.name == "tool_silent").cloned().collect();
        let chosen = Chosen::with_causes(tool, &old);
        assert_eq!(names(&chosen.rules), ["tool_silent"]);
        assert_eq!(names(&chosen.beside), ["bay_silent", "gateway_lost"]);
    }
}
