//! `andon replay`: recordings through the same pipeline as fast as it goes, offline.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ingest::journal::{Journal, JournalError, ReadOnlyJournal};
use ingest::recording::{Recording, RecordingError};
use ingest::time::{Clock, SystemClock};

use super::CommandError;
use super::output::print_line;
use crate::config::Config;

mod pipeline;
mod progress;
mod reading;

use pipeline::Replay;
pub use reading::INTAKE_BYTES;

/// Runs recordings (or a journal) through the pipeline and writes every stream as Parquet.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A recording is what `mosquitto_sub -F %J` prints, one message a line; .gz and .zst are read as they are.
Time is the recording's own `tst`; lines without one take the largest `ts` so far (with --topic).
At the end of input all windows are shown; open steps stay open and are not booked.
A journal's entries are applied exactly as they are, its configurations too (--config holds up to the first of them), so
what it left open stays open. A running service trims
what its checkpoints hold: its journal can then be replayed from where it begins now, with --partial.

Examples:
  mosquitto_sub -t 'workshop/#' -F %J > shift.ndjson
  andon replay --config config/andon.toml --input shift.ndjson --out out
  andon replay --config config/andon.toml --topic workshop/lyon/bay-01/rig/telemetry --input readings.ndjson.zst --out out
  andon replay --config config/andon.toml --journal config/data/journal --out out

The last line of stdout is one JSON object; `rows` are applied readings, the same as rows of stream telemetry."
)]
pub struct ReplayArgs {
    /// Configuration; its rules and views run.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// A recording; `TOPIC=FILE` gives the lines of that file this topic. May be repeated: merged by time.
    #[arg(long = "input", value_name = "[TOPIC=]FILE", required_unless_present = "journal")]
    inputs: Vec<String>,
    /// Topic of all lines of all inputs.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// A journal's folder, read and never changed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["inputs", "topic"])]
    journal: Option<PathBuf>,
    /// Go on with a journal whose beginning is trimmed, from where it begins now.
    #[arg(long, requires = "journal")]
    partial: bool,
    /// Where the streams go; must hold no Parquet yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Replays and prints the figures.
///
/// # Errors
/// The configuration, an input, or the folder.
pub fn run(args: &ReplayArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load_without_secrets(&args.config).map_err(CommandError::Configuration)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    // Inputs first: what cannot be replayed leaves no output.
    match &args.journal {
        Some(folder) => {
            let journal = journal(folder, args.partial)?;
            let mut replay = Replay::open(&config, &args.out, clock)?;
            replay.journal(&Arc::new(journal))?;
            replay.finish()
        }
        None => {
            let inputs = inputs(args)?;
            let mut replay = Replay::open(&config, &args.out, clock)?;
            replay.recordings(&config, inputs)?;
            replay.finish()
        }
    }
    .and_then(print_line)?;
    Ok(ExitCode::SUCCESS)
}

/// The journal in `folder`; one whose beginning is trimmed only if that is asked for.
fn journal(folder: &Path, is_partial: bool) -> Result<ReadOnlyJournal, CommandError> {
    let journal = Journal::open_read_only(folder).map_err(no_journal)?;
    let (message, entry) = (journal.recovered().first_message, journal.first_offset().0);
    if entry > 1 {
        let what = format!(
            "the journal in {} begins at message {message} (entry {entry}); what was before is trimmed, \
             and with it the beginning of steps and windows",
            folder.display()
        );
        if !is_partial {
            let remedy =
                format!("replay a recording of it all, or add --partial to begin at message {message}");
            return Err(CommandError::Input { what, remedy });
        }
        let _ = writeln!(std::io::stderr(), "andon: warning: {what}");
    }
    Ok(journal)
}

fn no_journal(error: JournalError) -> CommandError {
    CommandError::failed("could not read the journal", error)
}

/// `TOPIC=FILE` or `FILE`. A file whose name holds `=` is found by its being there.
fn inputs(args: &ReplayArgs) -> Result<Vec<Recording>, CommandError> {
    let input = |text: &String| match text.split_once('=') {
        Some((topic, file)) if !Path::new(text).exists() => Recording::open(Path::new(file), Some(topic)),
        _ => Recording::open(Path::new(text), args.topic.as_deref()),
    };
    args.inputs.iter().map(input).collect::<Result<_, _>>().map_err(unreadable)
}

fn unreadable(error: RecordingError) -> CommandError {
    CommandError::Input {
        what: error.to_string(),
        remedy: "mend or leave out that input; what was written so far is not the whole".into(),
    }
}
