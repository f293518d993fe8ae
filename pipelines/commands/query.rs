//! `andon query`: SQL over the exported history.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{SessionConfig, SessionContext};

pub(crate) mod still;

use still::Still;

use super::CommandError;
use super::output::Output;
use super::rows::{Format, Printer};
use crate::calendar::Calendars;
use crate::config::Config;

/// SQL over the exported streams: telemetry, steps, usage, checks, gaps, exceptions, late, quarantine, and every view.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  andon query --config config/andon.toml \"SELECT rule, count(*) FROM exceptions GROUP BY rule\"
  andon query --history out --format csv \"SELECT ts, value FROM telemetry WHERE metric = 'torque'\"
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
    // The history is for reading.
    let allowed = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false);
    let answer = context.sql_with_options(&args.sql, allowed).await.map_err(failed)?;
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
    Ok(printer.end()?)
}

/// A session with every stream under `folder` as a table, and the sites' calendars.
///
/// # Errors
/// The folder has no streams, or a file in it cannot be read.
pub async fn open(folder: &Path, calendars: &Arc<Calendars>) -> Result<SessionContext, CommandError> {
    let config = SessionConfig::new().with_information_schema(true);
    let mut context = SessionContext::new_with_config(config);
    crate::plan::register_window_functions(&mut context, calendars)
        .map_err(|error| CommandError::failed("could not start SQL", error))?;
    let no_streams = || CommandError::Input {
        what: format!("no exports in {}", folder.display()),
        remedy: "run the service or `andon replay --out` first, or name the folder with --history".into(),
    };
    let mut streams = 0;
    for entry in std::fs::read_dir(folder).map_err(|_| no_streams())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            let table = table(&context, &entry.path()).await;
            let table = table.map_err(|error| {
                CommandError::failed("could not read the exports", error.strip_backtrace())
            })?;
            if let Some(table) = table {
                let failed = |error: DataFusionError| {
                    CommandError::failed("could not open a stream", error.strip_backtrace())
                };
                context.register_table(name.as_str(), Arc::new(table)).map_err(failed)?;
                streams += 1;
            }
        }
    }
    if streams == 0 {
        return Err(no_streams());
    }
    Ok(context)
}

async fn table(context: &SessionContext, folder: &Path) -> Result<Option<ListingTable>, DataFusionError> {
    let url = ListingTableUrl::parse(format!("{}/", folder.display()))?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default().with_skip_metadata(true)));
    let state = context.state();
    let schema = options.infer_schema(&state, &url).await?;
    if schema.fields().is_empty() {
        return Ok(None);
    }
    // `date` and `site` are in the path alone.
    let partitions = [("date", DataType::Utf8), ("site", DataType::Utf8)];
    let fields =
        schema.fields().iter().filter(|field| !partitions.iter().any(|(name, _)| name == field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let partitions = partitions.map(|(name, kind)| (name.to_owned(), kind)).to_vec();
    let options = options.with_file_extension(".parquet").with_table_partition_cols(partitions);
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
    ListingTable::try_new(config).map(Some)
}
