//! `andon quarantine`: what could not be used, and trying it again.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use serde_json::{Value, json};
use sinks::desk::QuarantineQuery;

use super::CommandError;
use super::output::print_line;
use super::service::{self, ActorArgs, ServiceArgs, escaped};
use crate::quarantine::{self, Page, QuarantineError, Record};

/// Bytes of a payload that are shown as text.
const SHOWN_BYTES_MAX: usize = 4_096;

/// What could not be used: list it, look at it, try it again.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Mend the cause first: a topic pattern, a unit alias or a metric in the configuration (then start the service anew), or
the message itself with --payload and --topic. A record is tried again as a message of its own: its rows enter at their
event time as corrections, or as late beyond the correction horizon, and raise no live alarm. It can be replayed once.

Examples:
  andon quarantine list --config config/andon.toml --reason unknown_unit
  andon quarantine show 3f2a91c4 --config config/andon.toml
  andon quarantine replay 3f2a91c4 --payload mended.json --reason 'unit was wrong'
  andon quarantine list --url http://127.0.0.1:8080 --json")]
pub enum QuarantineCommand {
    /// Records, newest first, with how many there are of each kind.
    List(ListArgs),
    /// One record: what is wrong, and its bytes.
    Show(ShowArgs),
    /// Tries a record again in the running service.
    Replay(ReplayArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Those with this reason alone, such as unknown_unit.
    #[arg(long)]
    reason: Option<String>,
    /// Those of this topic alone.
    #[arg(long)]
    topic: Option<String>,
    /// Those of this site alone.
    #[arg(long)]
    site: Option<String>,
    /// Arrived at this time or later, such as 2026-11-22T07:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Arrived before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Those that are not replayed yet alone.
    #[arg(long)]
    open: bool,
    /// Records to pass over: the next page.
    #[arg(long, default_value_t = 0)]
    skip: u32,
    /// Records of a page, at most 1000.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Row id of the record, or its beginning.
    record: String,
    #[command(flatten)]
    service: ServiceArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// Row id of the record, or its beginning.
    record: String,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    actor: ActorArgs,
    /// Payload in place of the record's.
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// Topic in place of the record's.
    #[arg(long)]
    topic: Option<String>,
    /// Why, for those who read it later.
    #[arg(long)]
    reason: Option<String>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Does what is asked.
///
/// # Errors
/// The configuration, a service that does not answer or refuses, exports that cannot be read.
pub fn run(command: &QuarantineCommand) -> Result<ExitCode, CommandError> {
    match command {
        QuarantineCommand::List(args) => list(args),
        QuarantineCommand::Show(args) => {
            let record = find(&args.service, &args.record)?;
            print_line(if args.json { json!(record).to_string() } else { shown(&record) })
        }
        QuarantineCommand::Replay(args) => replay(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> Result<(), CommandError> {
    let query = QuarantineQuery {
        reason: args.reason.clone(),
        topic: args.topic.clone(),
        site: args.site.clone(),
        from_ms: args.from.map(|from| from.as_millisecond()),
        to_ms: args.to.map(|to| to.as_millisecond()),
        replayed: args.open.then_some(false),
        skip: Some(args.skip),
        limit: Some(args.limit),
    };
    let page: Page = match args.service.config()? {
        Some(config) => quarantine::page(&config.export.folder, &query).map_err(failed)?,
        None => service::get(&args.service.address()?, &format!("/api/v1/quarantine?{}", written(&query)))?,
    };
    print_line(if args.json { json!(page).to_string() } else { table(&page) })
}

fn find(service: &ServiceArgs, record: &str) -> Result<Record, CommandError> {
    match service.config()? {
        Some(config) => quarantine::record(&config.export.folder, record).map_err(failed),
        None => service::get(&service.address()?, &format!("/api/v1/quarantine/{}", escaped(record))),
    }
}

fn replay(args: &ReplayArgs) -> Result<(), CommandError> {
    let record = find(&args.service, &args.record)?.row_id;
    let mut body = json!({ "actor": args.actor.name() });
    let mut hasher = blake3::Hasher::new();
    if let Some(path) = &args.payload {
        let payload = std::fs::read(path).map_err(|error| CommandError::Input {
            what: format!("{} cannot be read: {error}", path.display()),
            remedy: "name the file with the mended payload".into(),
        })?;
        hasher.update(&payload);
        body["payload_base64"] = json!(base64::engine::general_purpose::STANDARD.encode(payload));
    }
    for (name, value) in [("topic", &args.topic), ("reason", &args.reason)] {
        if let Some(value) = value {
            body[name] = json!(value);
            hasher.update(value.as_bytes());
        }
    }
    let nonce = ingest::time::Clock::now_ms(&ingest::time::SystemClock::default());
    let key = format!("replay-{record}-{}-{nonce}", &hasher.finalize().to_hex()[..8]);
    let path = format!("/api/v1/quarantine/{}/replay", escaped(&record));
    let answer: Value = service::post(&args.service.address()?, &path, &key, &body)?;
    print_line(if args.json {
        answer.to_string()
    } else {
        format!("{} (journal offset {})", answer["detail"].as_str().unwrap_or_default(), answer["offset"])
    })
}

fn failed(error: QuarantineError) -> CommandError {
    let remedy = match &error {
        QuarantineError::Unknown { .. } => "`andon quarantine list` names those that are there",
        QuarantineError::Query(_) => "correct it",
        QuarantineError::Exports(_) => "run the service first, or name its address with --url",
    };
    CommandError::Input { what: error.to_string(), remedy: remedy.into() }
}

fn written(query: &QuarantineQuery) -> String {
    let QuarantineQuery { reason, topic, site, from_ms, to_ms, replayed, skip, limit } = query;
    let texts = [("reason", reason), ("topic", topic), ("site", site)];
    let texts = texts.map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", escaped(value))));
    let numbers = [
        from_ms.map(|ms| format!("from_ms={ms}")),
        to_ms.map(|ms| format!("to_ms={ms}")),
        replayed.map(|is| format!("replayed={is}")),
        skip.map(|skip| format!("skip={skip}")),
        limit.map(|limit| format!("limit={limit}")),
    ];
    texts.into_iter().chain(numbers).flatten().collect::<Vec<_>>().join("&")
}

fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

fn table(page: &Page) -> String {
    let mut out = format!("{} records in quarantine\n", page.total);
    for count in &page.counts {
        let _ = writeln!(
            out,
            "{:>8}  {:<20} {} ({} replayed)",
            count.records, count.reason, count.topic, count.replayed
        );
    }
    for record in &page.records {
        let Record { row_id, arrived_ms, reason, topic, detail, .. } = record;
        let id = row_id.get(..12).unwrap_or(row_id);
        let _ = write!(out, "\n{id}  {}  {reason}  {topic}\n    {detail}", instant(*arrived_ms));
        if let Some(replayed) = &record.replayed {
            let _ = write!(out, "\n    replayed by {} at {}", replayed.actor, instant(replayed.at_ms));
        }
    }
    if let Some(skip) = page.next_skip {
        let _ = write!(out, "\n\nmore with --skip {skip}");
    }
    out.trim_end().to_owned()
}

fn shown(record: &Record) -> String {
    let Record { row_id, message, topic, reason, detail, arrived_ms, metric, payload, payload_bytes, .. } =
        record;
    let mut out = format!(
        "record   {row_id}\nmessage  {message}, arrived {}\ntopic    {topic}\n",
        instant(*arrived_ms)
    );
    let of = metric.as_ref().map(|metric| format!(" (of `{metric}` alone)")).unwrap_or_default();
    let _ = writeln!(out, "wrong    {reason}{of}: {detail}");
    match &record.replayed {
        Some(done) => {
            let _ = writeln!(out, "replayed by {} at {}: {}", done.actor, instant(done.at_ms), done.outcome);
        }
        None => out.push_str("replayed not yet\n"),
    }
    let _ = writeln!(out, "payload  {payload_bytes} bytes");
    let shown = &payload[..payload.len().min(SHOWN_BYTES_MAX)];
    match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()) => {
            out.push_str(text)
        }
        _ => {
            for line in shown.chunks(16) {
                let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
                let text: String = line
                    .iter()
                    .map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '.' })
                    .collect();
                let _ = writeln!(out, "{:<48} {text}", hex.join(" "));
            }
        }
    }
    if shown.len() < payload.len() {
        let _ = write!(out, "\n… {} bytes more; --json has all", payload.len() - shown.len());
    }
    out.trim_end().to_owned()
}
