//! `andon explain`: why an exception is there.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CommandError;
use super::output::print_line;
use crate::analyst::Still;
use crate::config::Config;
use crate::explain::{self, ExplainError};

/// The configuration where none is named.
const USUAL: &str = "config/andon.toml";

/// Says why an exception is there, and whether its rule says the same again of the same rows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exception is looked up in the exports: those of the service that --config configures, or of --history. Its rule
is taken from the configuration and asked again of the very rows that the evidence names. Six characters of the id
are enough where only one begins so; `andon query` lists them.

Examples:
  andon explain 3f2a91c4 --config config/andon.toml
  andon explain 3f2a91c4 --history out --config tried/andon.toml --json
  andon query --history out \"SELECT id, rule, bay, raised FROM exceptions ORDER BY raised\"")]
pub struct ExplainArgs {
    /// Id of the exception, or its beginning.
    id: String,
    /// Configuration with its rule [default: config/andon.toml, if it is there].
    #[arg(long, value_name = "FILE", required_unless_present = "history")]
    config: Option<PathBuf>,
    /// A folder of exports, such as the `--out` of a replay.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Explains.
///
/// # Errors
/// The configuration, the history, or an id that it does not have.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, CommandError> {
    let usual = PathBuf::from(USUAL);
    let path = args.config.as_ref().or_else(|| Some(&usual).filter(|usual| usual.exists()));
    let config = path.map(|path| Config::load_without_secrets(path).map_err(CommandError::Configuration));
    let config = config.transpose()?;
    let history = match (&args.history, &config) {
        (Some(history), _) => history.clone(),
        (None, Some(config)) => config.export.folder.clone(),
        (None, None) => {
            return Err(CommandError::Input {
                what: "neither --config nor --history says where the exports are".into(),
                remedy: "name one of them".into(),
            });
        }
    };
    let still = Still::of(&history);
    let history = still.as_ref().map_or(history.as_path(), Still::folder);
    let explained = explain::explain(history, &args.id, config.as_ref()).map_err(|error| match error {
        ExplainError::Input { what, remedy } => CommandError::Input { what, remedy },
        ExplainError::History(error) => CommandError::Input { what: error.what, remedy: error.remedy },
        ExplainError::Engine(error) => CommandError::failed("the rule could not be asked again", error),
    })?;
    if args.json {
        print_line(explain::json(&explained))?;
    } else {
        print_line(explain::text(&explained).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
