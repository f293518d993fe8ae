//! `andon trace`: where a message went.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CommandError;
use super::output::print_line;
use crate::config::Config;
use crate::trace;

/// Where one message went: journal, decoding, repeats, rows, windows, exceptions, files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads the journal, the checkpoints and the exports of the service that --config configures; it may run or not. A message
has its ordinal in the column `message` of telemetry, steps, quarantine and late.

Examples:
  andon trace 4711 --config config/andon.toml
  andon trace 4711-0 --config config/andon.toml --json
  andon query \"SELECT message, ts, value FROM telemetry WHERE bay = 'bay-01' ORDER BY ts DESC LIMIT 5\"")]
pub struct TraceArgs {
    /// Ordinal of a message, or row id of one of its rows.
    id: String,
    /// Configuration of the service.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Traces it.
///
/// # Errors
/// The configuration, a journal or exports that cannot be read, a message that nobody knows.
pub fn run(args: &TraceArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load_without_secrets(&args.config).map_err(CommandError::Configuration)?;
    let traced = trace::trace(&config, &args.id)?;
    print_line(if args.json { serde_json::json!(traced).to_string() } else { trace::text(&traced) })?;
    Ok(ExitCode::SUCCESS)
}
