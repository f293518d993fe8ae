//! `andon check`: everything about a configuration that can be known without starting it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use self::against::Against;
use super::CommandError;
use super::output::Output;
use crate::config::{Config, Mistake};

mod against;

/// Check a configuration without starting or connecting anything.
///
/// Prints every mistake as `file:line:column: message` with a remedy, and exits with 78; with 0 if there is
/// none. Warnings say what is allowed and may not be meant, such as a rule that costs much.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  andon check --config config/andon.toml
  andon check --config config/andon.toml --against http://127.0.0.1:8080
  andon check --config tried/andon.toml --against config/andon.toml

--against tells for each rule and view what becomes of its state when the service goes over to this configuration:
  state kept    open windows, exceptions and timers go on
  back-filled   its windows begin anew, filled with what the journal or the exports hold
  empty         it begins anew, with the next whole window
  new, removed")]
pub struct CheckArgs {
    /// The configuration; metrics.toml, assets.toml and rules/ beside it are checked with it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Also compare with the configuration of a running service, or of another file or folder; exits with 1 if they differ
    #[arg(long, value_name = "URL|FILE")]
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
            report.against = args.against.as_deref().map(|other| Against::compare(other, &config));
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
    let counts = [(rules, "rule"), (views, "view"), (metrics, "metric"), (assets, "asset")];
    let counted = |(&count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    writeln!(out, "ok: configuration {version}, {}", counts.map(counted).join(", "))?;
    for topic in topics {
        writeln!(out, "  reads {topic}")?;
    }
    if let Some(against) = &report.against {
        against.print(version, out, errors)?;
    }
    Ok(())
}
