//! `andon backup`: a copy of all that a service keeps.

use std::path::PathBuf;
use std::process::ExitCode;

use ingest::time::SystemClock;
use serde_json::json;

use super::CommandError;
use super::output::print_line;
use super::restore::{Progress, failed};
use crate::backup::{Source, back_up};
use crate::config::Config;

/// Copies all that a service keeps, while it runs or not: journal, checkpoints, exports and tables.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The service goes on meanwhile: it takes messages, raises exceptions and shows them on the board. Exports and tables show
nothing new until the copy is done. The configuration's files are not in it; the text that applies is, in the journal.
Tables in PostgreSQL are not in it either: stop the service, make the backup, and copy them with pg_dump before it goes on.

Examples:
  andon backup --config config/andon.toml --out /srv/backups/2026-11-26
  andon backup --config config/andon.toml --out /srv/backups/small --without-exports
  andon restore /srv/backups/2026-11-26 --verify")]
pub struct BackupArgs {
    /// Configuration of the service; its folders are copied.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// Folder for the backup, empty or not there yet; best on another disk.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave the exports out: they are by far the most.
    #[arg(long)]
    without_exports: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Makes the backup.
///
/// # Errors
/// The configuration, or what cannot be copied.
pub fn run(args: &BackupArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load_without_secrets(&args.config).map_err(CommandError::Configuration)?;
    let source = Source { config: &config, with_exports: !args.without_exports };
    let mut progress = Progress::new("copied");
    let made = back_up(&source, &args.out, &SystemClock::default(), &mut |bytes| progress.show(bytes));
    progress.end();
    let made = made.map_err(failed)?;
    // Said on the way, since whoever misses them notices when it is too late.
    let url = &config.store.url;
    let elsewhere = url.file().is_none().then(|| url.to_string());
    let text = if args.json {
        json!({
            "folder": args.out, "files": made.files.len(), "bytes": made.bytes(), "epoch": made.epoch,
            "first_offset": made.first_offset, "last_offset": made.next_offset - 1, "messages": made.next_message - 1,
            "state_hash": made.state_hash, "exports": made.exports, "tables_elsewhere": elsewhere,
        })
        .to_string()
    } else {
        format!(
            "{} files, {} bytes: epoch {}, journal entries {} to {}, messages up to {}\n`andon restore {} --verify` proves it",
            made.files.len(),
            made.bytes(),
            made.epoch,
            made.first_offset,
            made.next_offset - 1,
            made.next_message - 1,
            args.out.display()
        )
    };
    print_line(text)?;
    if let Some(url) = &elsewhere {
        eprintln!(
            "the tables are not in the backup: they are in {url}. Copy them with `pg_dump --format=custom --file=FILE \
             DATABASE`; they belong to this backup if the service has not run in between"
        );
    }
    Ok(ExitCode::SUCCESS)
}
