//! `andon standby`: how far the other region is, a rehearsal, and the takeover.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::CommandError;
use super::output::print_line;
use crate::config::Config;
use crate::http;
use crate::mirror::drill::Drill;
use crate::run::rehearsal::rehearse;
use crate::run::standby::PROMOTE;

/// How long a standby may take to lead before `promote` gives up on it.
const PROMOTION_US_MAX: u64 = 60_000_000;
const POLL: Duration = Duration::from_millis(20);

/// The region that is ready to take over: how far it is, a rehearsal, and the takeover itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  andon standby status --config config/andon.toml     what would be lost now, and the last rehearsal
  andon standby drill --config config/andon.toml      rehearses a takeover in a folder of its own
  andon standby promote --config config/andon.toml    on the standby's machine: it leads from now on")]
pub struct StandbyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// What would be lost if the leader's machine were gone now, in entries and seconds; the last rehearsal.
    Status(AskArgs),
    /// Builds a state that could lead from the mirror alone, tells how long it took, and touches nothing.
    Drill(DrillArgs),
    /// Makes the standby on this machine lead, and waits until it does.
    Promote(PromoteArgs),
}

#[derive(Debug, clap::Args)]
struct AskArgs {
    /// Configuration of the service; its `[http] listen` is asked.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml", conflicts_with = "url")]
    config: PathBuf,
    /// Address of the service.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct DrillArgs {
    /// Configuration of the standby; its `[mirror]` is read.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// Where to build it; must not exist, and stays [default: a folder that goes at the end].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct PromoteArgs {
    /// Configuration of the standby, which runs on this machine.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// Address of the standby, where it is not `[http] listen` of the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
///
/// # Errors
/// The configuration, a service that does not answer, a mirror that cannot be used.
pub fn run(args: &StandbyArgs) -> Result<ExitCode, CommandError> {
    match &args.action {
        Action::Status(args) => status(args),
        Action::Drill(args) => drill(args),
        Action::Promote(args) => promote(args),
    }
}

fn load(path: &std::path::Path) -> Result<Config, CommandError> {
    let config = Config::load_without_secrets(path).map_err(CommandError::Configuration)?;
    if config.mirror.is_none() { Err(no_mirror()) } else { Ok(config) }
}

fn no_mirror() -> CommandError {
    CommandError::Input {
        what: "there is no mirror".to_owned(),
        remedy: "set `url` in `[mirror]` of the configuration, in both regions".to_owned(),
    }
}

fn asked(url: &str) -> Result<Value, CommandError> {
    let body = http::get(url, "/api/v1/status").map_err(|error| CommandError::Input {
        what: format!("no answer from {url}: {error}"),
        remedy: "`andon run --standby --config FILE` starts a standby; --url names another address".into(),
    })?;
    serde_json::from_str(&body)
        .map_err(|error| CommandError::failed("the service's answer is no JSON", error))
}

fn status(args: &AskArgs) -> Result<ExitCode, CommandError> {
    let (url, drill) = match &args.url {
        Some(url) => (url.clone(), None),
        None => {
            let config = load(&args.config)?;
            let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
            (format!("http://{}", config.http.listen), Drill::last(&storage, &config.journal.folder))
        }
    };
    let status = asked(&url)?;
    let mirror = &status["mirror"];
    if mirror.is_null() {
        return Err(no_mirror());
    }
    let reasons = status["not_ready"].as_array().cloned().unwrap_or_default();
    if args.json {
        let answer =
            json!({"role": status["role"], "mirror": mirror, "not_ready": reasons, "last_drill": drill});
        print_line(answer.to_string())?;
    } else {
        print_line(page(&status, mirror, drill.as_ref()))?;
    }
    let is_well = reasons.is_empty() && mirror["state_differences"] == 0;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn page(status: &Value, mirror: &Value, drill: Option<&Drill>) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let compared = match (mirror["state_differences"].as_u64(), mirror["compared_epoch"].as_u64()) {
        (Some(1..), _) => "DIFFERS FROM THE LEADER'S: do not promote it".to_owned(),
        (_, Some(epoch)) => format!("the same as the leader's at epoch {epoch}"),
        _ => "not compared yet".to_owned(),
    };
    let drill = drill.map_or("none; `andon standby drill` rehearses a takeover".to_owned(), |drill| {
        format!("{:.2} s for {} entries behind epoch {}", drill.seconds, drill.entries, drill.checkpoint)
    });
    let state =
        if status["role"] == "standby" { format!("\nstate         {compared}") } else { String::new() };
    format!(
        "role          {}
leader        {}, generation {}
mirror        {}, {}, up to entry {}
lost at worst {} messages, {:.1} s (ack = \"{}\"){state}
last drill    {drill}",
        text(&status["role"]),
        text(&mirror["leader"]),
        mirror["generation"],
        text(&mirror["place"]),
        if mirror["reachable"] == true { "reachable" } else { "NOT REACHABLE" },
        mirror["mirrored_offset"],
        // What is acknowledged is in the mirror, whatever is on its way there.
        if mirror["ack"] == "mirrored" { json!(0) } else { mirror["lag_messages"].clone() },
        if mirror["ack"] == "mirrored" { 0.0 } else { mirror["lag_seconds"].as_f64().unwrap_or(0.0) },
        text(&mirror["ack"]),
    )
}

fn drill(args: &DrillArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load(&args.config).map_err(CommandError::Configuration)?;
    if config.mirror.is_none() {
        return Err(no_mirror());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let failed = |error: std::io::Error| CommandError::failed("the drill's folder", error);
    let (folder, is_temporary) = match &args.dir {
        Some(folder) => (folder.clone(), false),
        None => {
            let name = format!("andon-drill-{}-{}", std::process::id(), clock.now_ms());
            (std::env::temp_dir().join(name), true)
        }
    };
    std::fs::create_dir(&folder).map_err(failed)?;
    let drilled = rehearse(&config, &clock, &folder);
    if is_temporary {
        std::fs::remove_dir_all(&folder).map_err(failed)?;
    }
    let drill = drilled.map_err(|error| CommandError::failed("the drill ended", error))?;
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    drill.write(&storage, &config.journal.folder).map_err(failed)?;
    if args.json {
        let text =
            serde_json::to_string(&drill).map_err(|error| CommandError::failed("the result", error))?;
        print_line(text)?;
    } else {
        print_line(format!(
            "ready to lead after {:.2} s, from nothing but the mirror: epoch {} and {} entries behind it, up to entry {}",
            drill.seconds, drill.checkpoint, drill.entries, drill.offset
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn promote(args: &PromoteArgs) -> Result<ExitCode, CommandError> {
    let config = load(&args.config)?;
    let url = args.url.clone().unwrap_or_else(|| format!("http://{}", config.http.listen));
    let clock = SystemClock::default();
    let before = asked(&url)?;
    if before["role"] != "standby" {
        return Err(CommandError::Input {
            what: format!("{url} leads already"),
            remedy: "run this on the standby's machine, with its configuration".to_owned(),
        });
    }
    let started_us = clock.boot_us();
    let file = config.journal.folder.join(PROMOTE);
    std::fs::write(&file, b"").map_err(|error| CommandError::failed("the standby cannot be told", error))?;
    loop {
        let waited_us = clock.boot_us() - started_us;
        let now = asked(&url)?;
        let reasons = now["not_ready"].as_array().cloned().unwrap_or_default();
        if now["role"] == "primary" && reasons.is_empty() {
            let (seconds, generation) = (waited_us as f64 / 1e6, &now["mirror"]["generation"]);
            let line = if args.json {
                json!({"seconds": seconds, "generation": generation, "offset": now["journal_offset"]})
                    .to_string()
            } else {
                format!("leads since generation {generation}, {seconds:.2} s after it was told to")
            };
            print_line(line)?;
            return Ok(ExitCode::SUCCESS);
        }
        if waited_us > PROMOTION_US_MAX {
            // One that is still there was not heeded, and must not work later by surprise.
            let _ = std::fs::remove_file(&file);
            let reasons: Vec<&str> = reasons.iter().filter_map(Value::as_str).collect();
            return Err(CommandError::Input {
                what: format!("it does not lead: {}", reasons.join("; ")),
                remedy: "its log says more; `andon standby status` shows how it stands".to_owned(),
            });
        }
        std::thread::sleep(POLL);
    }
}
