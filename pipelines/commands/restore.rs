//! `andon restore`: a backup proved, or put back.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::CommandError;
use super::output::print_line;
use crate::backup::{BackupError, Proof, prove, restore};
use crate::config::Config;

/// Puts a backup back into empty folders, or proves that it can be.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --verify every file is held against its hash, the journal in the backup is applied from the oldest checkpoint in it,
and the state that comes out is compared with the one which the service had at the newest. With --config the files go
to the folders that it names, which must be empty: then `andon run` goes on where the backup ends. What had come after
the backup is not in it; the broker does not send again what was acknowledged. Tables in PostgreSQL are put back with
pg_restore, from the dump that belongs to the backup.

Examples:
  andon restore /srv/backups/2026-11-26 --verify
  andon restore /srv/backups/2026-11-26 --config config/andon.toml
  andon restore /srv/backups/2026-11-26 --config config/andon.toml --verify --json")]
pub struct RestoreArgs {
    /// Folder that `andon backup` has written.
    backup: PathBuf,
    /// Configuration of the service; the backup goes into its folders.
    #[arg(long, value_name = "FILE", required_unless_present = "verify")]
    config: Option<PathBuf>,
    /// Prove the backup, before anything is put back.
    #[arg(long)]
    verify: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Proves, restores, or both.
///
/// # Errors
/// The configuration, a backup that is not whole, folders that are not empty.
pub fn run(args: &RestoreArgs) -> Result<ExitCode, CommandError> {
    let config = args.config.as_ref().map(|file| Config::load_without_secrets(file));
    let config = config.transpose().map_err(CommandError::Configuration)?;
    let mut proof = None;
    if args.verify {
        let mut progress = Progress::new("looked at");
        let proved = prove(&args.backup, &mut |bytes| progress.show(bytes));
        progress.end();
        proof = Some(proved.map_err(failed)?);
    }
    let mut restored = None;
    if let Some(config) = &config {
        let mut progress = Progress::new("restored");
        let done = restore(&args.backup, config, &mut |bytes| progress.show(bytes));
        progress.end();
        restored = Some(done.map_err(failed)?);
    }
    if let Some(config) = config.filter(|config| config.store.url.file().is_none()) {
        eprintln!(
            "the tables were not put back: they are in {}. Before `andon run`, put the dump that belongs to this backup \
             into its empty database, with `pg_restore --dbname=DATABASE FILE`",
            config.store.url
        );
    }
    if args.json {
        let restored =
            restored.map(|contents| json!({"files": contents.files.len(), "bytes": contents.bytes()}));
        print_line(json!({ "proof": proof, "restored": restored }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(proof) = &proof {
        print_line(said(proof))?;
    }
    if let Some(contents) = restored {
        let (files, bytes) = (contents.files.len(), contents.bytes());
        print_line(format!("restored {files} files, {bytes} bytes; `andon run` goes on from here"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn said(proof: &Proof) -> String {
    let Proof { files, bytes, compared_entries, epoch, state_hash, entries_behind, end_offset, .. } = proof;
    let replayed = match proof.from_epoch {
        _ if *epoch == 0 => "there is no checkpoint in it yet".to_owned(),
        Some(from) => format!(
            "{compared_entries} entries applied behind epoch {from} give the state that the service had at epoch \
             {epoch}: {state_hash}"
        ),
        None => format!(
            "its checkpoint of epoch {epoch} is whole ({state_hash}); there is none before it to replay from"
        ),
    };
    format!(
        "the backup is whole: {files} files, {bytes} bytes, each as its hash says\n{replayed}\n{entries_behind} entries \
         behind that, up to entry {end_offset}, give the state {}",
        proof.end_state_hash
    )
}

/// How far it is: a line on stderr; nothing in a pipe.
pub(super) struct Progress {
    what: &'static str,
    is_shown: bool,
    shown_mb: Option<u64>,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        Progress { what, is_shown: std::io::stderr().is_terminal(), shown_mb: None }
    }

    pub(super) fn show(&mut self, bytes: u64) {
        let mb = bytes >> 20;
        if self.is_shown && self.shown_mb != Some(mb) {
            eprint!("\r{} {mb} MiB ", self.what);
            self.shown_mb = Some(mb);
        }
    }

    pub(super) fn end(&self) {
        if self.shown_mb.is_some() {
            eprintln!();
        }
    }
}

pub(super) fn failed(error: BackupError) -> CommandError {
    let remedy = match &error {
        BackupError::File { .. } => "mend that, empty the folders that were begun, and try again",
        BackupError::Occupied { .. } | BackupError::Damaged { .. } | BackupError::Differs { .. } => {
            "nothing was changed"
        }
        BackupError::NoBackup { .. } => "name the folder that `andon backup` has written",
        _ => "`andon check` looks at the configuration, `andon status` at the service",
    };
    CommandError::Input { what: error.to_string(), remedy: remedy.into() }
}
