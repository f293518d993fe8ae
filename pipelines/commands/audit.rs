//! `andon audit`: whether what was written down is still what was written down.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use ingest::storage::DiskStorage;
use serde_json::{Value, json};
use sinks::store::reader::{self, ITEMS_MAX, Question};

use super::CommandError;
use super::output::print_line;
use crate::checkpoint::CheckpointFolder;
use crate::config::Config;
use crate::engine::configuration_of;
use crate::functions::Item;
use crate::wire;

/// The audit stream: every command, change of an exception, configuration and takeover.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    Verify(VerifyArgs),
}

/// Reads a queue from its first item to its last and checks that none is missing or changed.
///
/// Each item carries a hash over what it says and over the item before it; the service's newest checkpoint knows the
/// last one. Exits with 0 if all is as it was written, with 1 and the place of the first fault if not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  andon audit verify --config config/andon.toml
  andon audit verify --config config/andon.toml --queue billing --json")]
pub struct VerifyArgs {
    /// Configuration of the service, which may run meanwhile.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// The queue: audit, billing or notifications.
    #[arg(long, value_name = "NAME", default_value = "audit")]
    queue: String,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, serde::Serialize)]
struct Verified {
    ok: bool,
    queue: String,
    items: u64,
    /// Hash of the last one.
    hash: String,
    /// What is wrong first.
    fault: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The configuration, a store or a checkpoint that cannot be read.
pub fn run(command: &AuditCommand) -> Result<ExitCode, CommandError> {
    let AuditCommand::Verify(args) = command;
    let config = Config::load_to_read_the_store(&args.config).map_err(CommandError::Configuration)?;
    // Before the items: a service that runs adds some meanwhile.
    let known = known(&config, &args.queue)?;
    let verified = verify(&config, &args.queue, known)?;
    let Verified { ok, queue, items, hash, fault } = &verified;
    print_line(match (args.json, fault) {
        (true, _) => json!(verified).to_string(),
        (false, Some(fault)) => format!("queue {queue} is not as it was written: {fault}"),
        (false, None) => format!("queue {queue} is whole: {items} items, the last with hash {hash}"),
    })?;
    Ok(if *ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Number and hash of the last item that the newest checkpoint knows; none where there is no checkpoint.
fn known(config: &Config, queue: &str) -> Result<Option<(u64, String)>, CommandError> {
    type Cause = Box<dyn std::error::Error + Send + Sync>;
    let failed = |cause: Cause| CommandError::failed("could not read the newest checkpoint", cause);
    if !config.checkpoint.folder.is_dir() {
        return Ok(None);
    }
    let folder = CheckpointFolder::open(Arc::new(DiskStorage), &config.checkpoint.folder, 1);
    let newest = folder.and_then(|folder| folder.newest()).map_err(|error| failed(error.into()))?;
    let Some(newest) = newest else { return Ok(None) };
    let text = configuration_of(&newest.engine).map_err(|error| failed(error.into()))?;
    let of_then = Config::from_text(&text).map_err(CommandError::Configuration)?;
    let mut engine = wire::engine(&of_then).map_err(|error| failed(error.into()))?;
    engine.restore(&of_then, &newest.engine).map_err(|error| failed(error.into()))?;
    let head = engine.functions().queue_heads().find(|(name, _)| *name == queue);
    Ok(Some(head.map_or((0, String::new()), |(_, head)| (head.number, head.hash.clone()))))
}

fn verify(config: &Config, queue: &str, known: Option<(u64, String)>) -> Result<Verified, CommandError> {
    let failed = |error| CommandError::failed("could not read the store", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::failed("could not begin to read", error))?;
    let mut verified =
        Verified { ok: false, queue: queue.to_owned(), items: 0, hash: String::new(), fault: None };
    loop {
        let (name, from) = (queue.to_owned(), verified.items + 1);
        let question = Question::Chain { name, from, limit: ITEMS_MAX };
        let rows = runtime.block_on(reader::ask(&config.store.url, &question)).map_err(failed)?;
        for row in &rows {
            verified.fault = fault(&item(queue, row), &verified);
            if verified.fault.is_some() {
                return Ok(verified);
            }
            verified.items += 1;
            verified.hash = row["hash"].as_str().unwrap_or_default().to_owned();
            if let Some((number, hash)) = &known
                && *number == verified.items
                && *hash != verified.hash
            {
                let fault = format!("item {number} is another one than the newest checkpoint knows");
                verified.fault = Some(fault);
                return Ok(verified);
            }
        }
        if rows.len() < ITEMS_MAX as usize {
            break;
        }
    }
    if let Some((number, _)) = known.filter(|(number, _)| *number > verified.items) {
        verified.fault = Some(format!(
            "items {} to {number}, which the newest checkpoint knows, are missing at its end; what a service that was \
             killed had not shown yet comes with its next start",
            verified.items + 1
        ));
    }
    verified.ok = verified.fault.is_none();
    Ok(verified)
}

/// What is wrong with an item that follows on what was verified.
fn fault(item: &Item, before: &Verified) -> Option<String> {
    let number = item.number;
    if number != before.items + 1 {
        return Some(format!(
            "item {} is missing: item {number} follows on {}",
            before.items + 1,
            before.items
        ));
    }
    if item.previous != before.hash {
        return Some(format!("item {number} does not follow on item {}: that is another one", before.items));
    }
    (item.chained() != item.hash)
        .then(|| format!("item {number} was changed: its hash is not that of what it says"))
}

fn item(queue: &str, row: &Value) -> Item {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let optional = |name: &str| row[name].as_str().map(Box::from);
    Item {
        queue: queue.into(),
        number: row["number"].as_u64().unwrap_or(0),
        at_ms: row["ts_ms"].as_i64().unwrap_or(0),
        site: optional("site"),
        job: optional("job"),
        kind: text("kind").into(),
        key: text("key").into(),
        body: text("stored").to_owned(),
        previous: text("previous").to_owned(),
        hash: text("hash").to_owned(),
    }
}
