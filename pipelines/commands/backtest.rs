//! `andon backtest`: what a changed configuration would have raised over stored history.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ingest::time::{Clock, SystemClock};

use super::CommandError;
use super::output::print_line;
use crate::analyst::Still;
use crate::backtest::{self, BacktestError, Mode, Progress, Report, Request};
use crate::config::Config;

mod progress;

use progress::ProgressLine;

/// Compares what two configurations raise over stored history: exceptions added, removed, changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
History is the export folder of a service, or what `andon replay --out` wrote; its readings must have been kept
([export] telemetry = true). Rules of both configurations look at the same rows; views are left out.

  as-corrected  in event time with all corrections in: each window is judged once, when nothing can change it
  as-arrived    as it was live: at each second, with what had arrived by then. With --against the configuration
                that made the history, its exceptions are also held against those in history. Only so rules with
                silent_after or held_after are tried, which go by when rows arrived

The settings of time in [engine] are those of --against. Exit code 0 whatever the differences.

Examples:
  andon backtest --config tried/andon.toml --against config/andon.toml --history config/data/export
  andon backtest --config tried/andon.toml --against config/andon.toml --history out --rule tool_drift --html drift.html
  andon backtest --config tried/andon.toml --against config/andon.toml --history out \\
      --from 2026-01-05T07:00:00Z --to 2026-01-06T00:00:00Z --mode as-arrived --json")]
pub struct BacktestArgs {
    /// The changed configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The configuration to compare it with, such as the one that runs.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    /// A folder of exports.
    #[arg(long, value_name = "DIR")]
    history: PathBuf,
    /// Exceptions raised from this time on.
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Exceptions raised before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Only this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// How time passes over history.
    #[arg(long, value_enum, default_value = "as-corrected")]
    mode: Mode,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Writes the report as a page as well, with a time line.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs and prints the report.
///
/// # Errors
/// The configurations, the history, or a page that cannot be written.
pub fn run(args: &BacktestArgs) -> Result<ExitCode, CommandError> {
    let load = |path: &Path| Config::load_without_secrets(path).map_err(CommandError::Configuration);
    let (new, old) = match (load(&args.config), load(&args.against)) {
        (Ok(new), Ok(old)) => (new, old),
        (Err(CommandError::Configuration(mut mistakes)), Err(CommandError::Configuration(more))) => {
            mistakes.extend(more.into_iter().filter(|_| args.config != args.against));
            return Err(CommandError::Configuration(mistakes));
        }
        (new, old) => (new?, old?),
    };
    if let (Some(from), Some(to)) = (args.from, args.to)
        && to <= from
    {
        return Err(CommandError::Input {
            what: format!("--to {to} is not after --from {from}"),
            remedy: "give the earlier time with --from; times are such as 2026-01-05T07:00:00Z".into(),
        });
    }
    let still = Still::of(&args.history);
    let request = Request {
        new: &new,
        old: &old,
        history: still.as_ref().map_or(&args.history, Still::folder),
        from_ms: args.from.map(jiff::Timestamp::as_millisecond),
        to_ms: args.to.map(jiff::Timestamp::as_millisecond),
        rule: args.rule.as_deref(),
        mode: args.mode,
    };
    let report = compared(request)?;
    if let Some(path) = &args.html {
        std::fs::write(path, backtest::page(&report))
            .map_err(|error| CommandError::failed(&format!("could not write {}", path.display()), error))?;
    }
    if args.json {
        print_line(backtest::json(&report))?;
    } else {
        print_line(backtest::text(&report).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compared(request: Request<'_>) -> Result<Report, CommandError> {
    let clock = SystemClock::default();
    let mut line = ProgressLine::new(clock.monotonic_us());
    let report = backtest::backtest(request, &mut |progress: Progress| line.show(progress, &clock));
    line.end();
    report.map_err(|error| match error {
        BacktestError::Input { what, remedy } => CommandError::Input { what, remedy },
        BacktestError::History(error) => CommandError::Input { what: error.what, remedy: error.remedy },
        BacktestError::Engine(error) => CommandError::failed("the backtest stopped", error),
    })
}
