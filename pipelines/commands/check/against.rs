//! `andon check --against`: what becomes of the state of each rule and view.

use std::io::Write;
use std::path::Path;

use crate::config::{Config, Mistake};
use crate::engine::switch::nature::{Fate, fates};
use crate::http::{self, AskError};
use crate::wire;

/// What came of `--against`.
#[derive(Debug, serde::Serialize)]
pub(super) struct Against {
    /// A running service, or a file.
    with: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Of the program that runs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
    pub(super) same: bool,
    /// By name.
    rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A rule or view, and what becomes of its state.
#[derive(Debug, serde::Serialize)]
struct Rule {
    name: String,
    kind: &'static str,
    fate: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

/// The other configuration.
struct Other {
    config: Config,
    engine: Option<String>,
}

impl Against {
    /// `config` with the configuration of `with`: of a running service by its URL, else of a file or its folder.
    pub(super) fn compare(with: &str, config: &Config) -> Against {
        let empty = Against {
            with: with.to_owned(),
            version: None,
            engine: None,
            same: false,
            rules: Vec::new(),
            error: None,
        };
        let compared = other(with).and_then(|other| Ok((rules(&other.config, config)?, other)));
        match compared {
            Ok((rules, Other { config: other, engine })) => Against {
                same: other.version == config.version,
                version: Some(other.version),
                engine,
                rules,
                ..empty
            },
            Err(error) => Against { error: Some(error), ..empty },
        }
    }

    /// For a person: `version` is that of the configuration that was checked.
    pub(super) fn print(
        &self,
        version: &str,
        out: &mut dyn Write,
        errors: &mut dyn Write,
    ) -> std::io::Result<()> {
        let Against { with, version: other, rules, error, .. } = self;
        if let Some(error) = error {
            let what = if with.contains("://") { "asked" } else { "compared with" };
            return writeln!(errors, "{with} cannot be {what}: {error}");
        }
        let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
        for Rule { name, kind, fate, why } in rules {
            let line = format!("  {name:width$}  {kind}  {fate:<11}  {why}");
            writeln!(out, "{}", line.trim_end())?;
        }
        if self.same {
            return writeln!(out, "{with} has this configuration");
        }
        let other = other.as_deref().unwrap_or_default();
        writeln!(errors, "{with} has configuration {other}, and this is {version}")
    }
}

fn rules(before: &Config, after: &Config) -> Result<Vec<Rule>, String> {
    let engine = |config: &Config| wire::engine(config).map_err(|error| error.to_string());
    let (before, after) = (engine(before)?, engine(after)?);
    let fated = fates(before.natures(), after.natures(), before.tells_telemetry());
    let rule = |fated: &crate::engine::switch::nature::Fated<'_>| Rule {
        name: fated.nature.name.clone(),
        kind: if fated.nature.is_view { "view" } else { "rule" },
        fate: Fate::as_str(fated.fate),
        why: fated.why.clone(),
    };
    Ok(fated.iter().map(rule).collect())
}

fn other(with: &str) -> Result<Other, String> {
    if with.contains("://") {
        return running(with).map_err(|error| error.to_string());
    }
    let path = Path::new(with);
    let file = if path.is_dir() { path.join("andon.toml") } else { path.to_owned() };
    let config = Config::load_without_secrets(&file).map_err(first)?;
    Ok(Other { config, engine: None })
}

/// What applies in the service at `url`.
fn running(url: &str) -> Result<Other, AskError> {
    const CONFIGURATION: &str = "/api/v1/configuration";
    let answer: serde_json::Value = serde_json::from_str(&http::get(url, CONFIGURATION)?).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let unlike = AskError::Unlike(CONFIGURATION, "text");
    let config = text("text").and_then(|text| Config::from_text(&text).ok()).ok_or(unlike)?;
    Ok(Other { config, engine: text("engine") })
}

fn first(mistakes: Vec<Mistake>) -> String {
    mistakes.first().map(Mistake::to_string).unwrap_or_default()
}
