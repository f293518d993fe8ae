//! `andon check`: everything about a configuration that can be known without starting it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::CommandError;
use super::output::Output;
use crate::config::{Config, Mistake};
use crate::http::{self, AskError};

/// Check a configuration without starting or connecting anything.
///
/// Prints every mistake as `file:line:column: message` with a remedy, and exits with 78; with 0 if there is
/// none.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  andon check --config config/andon.toml
  andon check --config config/andon.toml --against http://127.0.0.1:8080")]
pub struct CheckArgs {
    /// The configuration; metrics.toml, assets.toml and rules/ beside it are checked with it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Also compare with the configuration that this running service has; exits with 1 if they differ
    #[arg(long, value_name = "URL")]
    pub against: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Debug, Default, serde::Serialize)]
struct Report {
    ok: bool,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

#[derive(Debug, serde::Serialize)]
struct Summary {
    version: String,
    rules: usize,
    views: usize,
    metrics: usize,
    assets: usize,
    topics: Vec<String>,
}

/// What came of `--against`.
#[derive(Debug, serde::Serialize)]
struct Against {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    same: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command on the process's own output.
///
/// # Errors
/// The output cannot be written, or nobody reads it.
pub fn run(args: &CheckArgs) -> Result<ExitCode, CommandError> {
    let mut out = Output::stdout();
    let reported = report(args, &mut out, &mut std::io::stderr().lock());
    let code = *reported.as_ref().unwrap_or(&1);
    out.end("could not print", reported.map(|_| ()))?;
    Ok(ExitCode::from(code))
}

/// Checks: mistakes and warnings to `errors`, the summary (or the JSON) to `out`. Returns the exit
/// code: 0, 1 if the running service differs or cannot be asked, 78 with mistakes.
///
/// # Errors
/// `out` or `errors` cannot be written to.
pub fn report(args: &CheckArgs, out: &mut dyn Write, errors: &mut dyn Write) -> std::io::Result<u8> {
    let mut report = Report::default();
    match Config::load(&args.config) {
        Err(mistakes) => report.mistakes = mistakes,
        Ok(config) => {
            report.ok = true;
            report.summary = Some(summary(&config));
            report.against = args.against.as_deref().map(|url| against(url, &config.version));
            report.warnings = config.warnings;
        }
    }
    let is_same = report.against.as_ref().is_none_or(|against| against.same);
    if args.json {
        report.ok &= is_same;
        writeln!(out, "{}", serde_json::to_string(&report).unwrap_or_default())?;
    } else {
        print(&report, out, errors)?;
    }
    Ok(match (report.mistakes.is_empty(), is_same) {
        (false, _) => 78,
        (true, false) => 1,
        (true, true) => 0,
    })
}

fn summary(config: &Config) -> Summary {
    let views = config.rules.iter().filter(|rule| rule.is_view).count();
    let topics = &config.topics;
    let read =
        [&topics.telemetry, &topics.steps, &topics.usage, &topics.jobs, &topics.status, &topics.assets];
    Summary {
        version: config.version.clone(),
        rules: config.rules.len() - views,
        views,
        metrics: config.metrics.len(),
        assets: config.assets.len(),
        topics: read.into_iter().flatten().cloned().collect(),
    }
}

fn against(url: &str, version: &str) -> Against {
    let asked = running_version(url);
    let same = asked.as_ref().is_ok_and(|running| running == version);
    let (version, error) = match asked {
        Ok(version) => (Some(version), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Against { url: url.to_owned(), version, same, error }
}

/// The `configuration` that a running service says it has.
fn running_version(url: &str) -> Result<String, AskError> {
    const STATUS: &str = "/api/v1/status";
    let status = serde_json::from_str::<serde_json::Value>(&http::get(url, STATUS)?).ok();
    let version = status.as_ref().and_then(|status| status.get("configuration")?.as_str());
    version.map(str::to_owned).ok_or(AskError::Unlike(STATUS, "configuration"))
}

fn print(report: &Report, out: &mut dyn Write, errors: &mut dyn Write) -> std::io::Result<()> {
    for mistake in &report.mistakes {
        writeln!(errors, "{mistake}")?;
    }
    for warning in &report.warnings {
        writeln!(errors, "warning: {warning}")?;
    }
    let Some(summary) = &report.summary else {
        let count = report.mistakes.len();
        return writeln!(errors, "{count} {}", if count == 1 { "mistake" } else { "mistakes" });
    };
    let Summary { version, rules, views, metrics, assets, topics } = summary;
    writeln!(
        out,
        "ok: configuration {version}, {rules} rules, {views} views, {metrics} metrics, {assets} assets"
    )?;
    for topic in topics {
        writeln!(out, "  reads {topic}")?;
    }
    match &report.against {
        None => {}
        Some(Against { url, same: true, .. }) => writeln!(out, "{url} runs this configuration")?,
        Some(Against { url, version: Some(other), .. }) => {
            writeln!(errors, "{url} runs configuration {other}, and this is {version}")?;
        }
        Some(Against { url, error, .. }) => {
            writeln!(errors, "{url} cannot be asked: {}", error.as_deref().unwrap_or_default())?;
        }
    }
    Ok(())
}
