//! `andon query`: SQL over the exported history.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;

use super::CommandError;
use super::output::Output;
use crate::analyst::{Format, OpenError, Printer, Still, open, reading};
use crate::config::Config;

/// SQL over the exported streams: telemetry, steps, usage, checks, gaps, exceptions, late, quarantine, and every view.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  andon query --config config/andon.toml \"SELECT rule, count(*) FROM exceptions GROUP BY rule\"
  andon query --history out --format csv \"SELECT ts, value FROM telemetry WHERE metric = 'torque'\"
  andon query --history out --format hash \"SELECT * FROM telemetry\"      # the same rows have the same hash
  andon query --history out --config config/andon.toml \"SELECT site, window_start, count(*) FROM shift(telemetry, ts)
      GROUP BY site, window_start\"
  andon query --history out \"SELECT bay, window_start, avg(value) FROM tumble(telemetry, ts, INTERVAL '1 minute')
      GROUP BY bay, window_start ORDER BY window_start\"")]
pub struct QueryArgs {
    /// Configuration of the service whose exports are asked, config/andon.toml if neither it nor a history is named. With
    /// --history only its calendars are read, for shift(…) and day(…); else these are UTC's.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of exports, such as the `--out` of a replay.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// The same as `--format json`.
    #[arg(long)]
    json: bool,
    /// One SQL statement.
    sql: String,
}

/// Prints the answer.
///
/// # Errors
/// The configuration, the folder or the SQL.
pub fn run(args: &QueryArgs) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| CommandError::failed("could not start threads", error))?;
    runtime.block_on(ask(args))
}

async fn ask(args: &QueryArgs) -> Result<ExitCode, CommandError> {
    let named = match (&args.config, &args.history) {
        (None, Some(_)) => None,
        (config, _) => Some(config.as_deref().unwrap_or(Path::new("config/andon.toml"))),
    };
    let config = named.map(Config::load_without_secrets).transpose().map_err(CommandError::Configuration)?;
    let exported = config.as_ref().map(|config| config.export.folder.clone());
    let folder = args.history.clone().or(exported).expect("one of them is there");
    let calendars = config.map(|config| config.calendars).unwrap_or_default();
    let failed = |error: DataFusionError| CommandError::failed("could not answer", error.strip_backtrace());
    let still = Still::of(&folder);
    let context = open(still.as_ref().map_or(&folder, Still::folder), &calendars).await?;
    let answer = context.sql_with_options(&args.sql, reading()).await.map_err(failed)?;
    let mut rows = answer.execute_stream().await.map_err(failed)?;
    let mut out = Output::stdout();
    let format = if args.json { Format::Json } else { args.format };
    let printed = print(&mut rows, format, &mut out).await;
    out.end("could not answer", printed.map_err(|error| error.strip_backtrace()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints rows as they come, so that a long answer needs no room.
async fn print(
    rows: &mut SendableRecordBatchStream,
    format: Format,
    out: &mut Output,
) -> Result<(), DataFusionError> {
    let mut printer = Printer::begin(format, rows.schema(), out)?;
    while let Some(batch) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        printer.print(batch?)?;
    }
    printer.end()?;
    Ok(())
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NoStreams(_) => CommandError::Input {
                what: error.to_string(),
                remedy: "run the service or `andon replay --out` first, or name the folder with --history"
                    .into(),
            },
            OpenError::Failed(what, source) => CommandError::failed(&format!("could not {what}"), source),
        }
    }
}
