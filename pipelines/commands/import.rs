//! `andon import`: recordings become the history of a running service.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use ingest::recording::{Recorded, RecordedMessages, Recording};
use serde_json::{Value, json};

use super::CommandError;
use super::output::print_line;
use super::service::{self, ActorArgs, ServiceArgs, escaped};

mod progress;

use progress::Progress;

/// What goes over in one piece: so many bytes of payloads, or messages.
const PIECE_BYTES: usize = 512 * 1024;
const PIECE_MESSAGES: usize = 4_000;
/// Lines that cannot be read are named up to here.
const LINES_NAMED: u64 = 5;

/// Loads old recordings into the history of a running service.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is imported is history: its rows are told with their steps in `telemetry` and `late`, at their event time. Nothing of it
raises an exception, goes into a window or a booking, or moves a watermark. A recording is known by its content: imported
a second time it changes nothing, and one that was interrupted goes on where it ended.

Examples:
  andon import --config config/andon.toml --input shift.ndjson
  andon import --url http://127.0.0.1:8080 --input monday.ndjson.zst --input tuesday.ndjson.zst --actor Q2")]
pub struct ImportArgs {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    actor: ActorArgs,
    /// Recording, NDJSON as `mosquitto_sub -F %J` prints it; `.gz` and `.zst` as they are. Several in their order.
    #[arg(long, value_name = "FILE", required = true)]
    input: Vec<PathBuf>,
    /// Topic of all lines, which are payloads then.
    #[arg(long)]
    topic: Option<String>,
    /// The last line of the output is one JSON object.
    #[arg(long)]
    json: bool,
}

/// What became of a recording.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    messages: u64,
    imported: u64,
    unreadable: u64,
}

/// Imports one recording after the other.
///
/// # Errors
/// The configuration, a file that cannot be read, a service that does not answer or refuses.
pub fn run(args: &ImportArgs) -> Result<ExitCode, CommandError> {
    let url = args.service.address()?;
    let actor = args.actor.name();
    let mut all = Figures::default();
    for path in &args.input {
        let figures = Import { url: &url, actor: &actor, topic: args.topic.as_deref() }.recording(path)?;
        all.messages += figures.messages;
        all.imported += figures.imported;
        all.unreadable += figures.unreadable;
        if !args.json {
            let Figures { messages, imported, unreadable } = figures;
            let known = messages - imported;
            print_line(format!(
                "{}: {imported} messages imported, {known} were in already, {unreadable} lines could not be read",
                path.display()
            ))?;
        }
    }
    if args.json {
        let Figures { messages, imported, unreadable } = all;
        print_line(
            json!({ "messages": messages, "imported": imported, "unreadable": unreadable }).to_string(),
        )?;
    }
    Ok(if all.unreadable > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Import<'a> {
    url: &'a str,
    actor: &'a str,
    topic: Option<&'a str>,
}

/// Messages on their way.
#[derive(Default)]
struct Piece {
    from: u64,
    messages: Vec<Value>,
    bytes: usize,
}

impl Import<'_> {
    fn recording(&self, path: &Path) -> Result<Figures, CommandError> {
        let name = name(path, self.topic)?;
        let unreadable = |error: ingest::recording::RecordingError| CommandError::Input {
            what: error.to_string(),
            remedy: "name a recording as `mosquitto_sub -F %J` prints it".into(),
        };
        let progress = Progress::new(path);
        let mut figures = Figures::default();
        // A piece of nothing asks how far it is.
        let is_in = self.send(&name, &Piece::default())?;
        let mut piece = Piece { from: is_in, ..Piece::default() };
        let mut recording = Recording::open(path, self.topic).map_err(unreadable)?;
        while recording.advance().map_err(unreadable)? {
            let (topic, arrived_ms, payload) = match recording.current() {
                Recorded::Message { topic, arrived_ms, payload } => (topic, arrived_ms, payload),
                Recorded::Unreadable { detail, .. } => {
                    figures.unreadable += 1;
                    if figures.unreadable <= LINES_NAMED {
                        tracing::warn!("{detail}");
                    }
                    continue;
                }
            };
            figures.messages += 1;
            if figures.messages <= is_in {
                continue;
            }
            piece.bytes += payload.len() + topic.len();
            piece.messages.push(json!({
                "topic": topic,
                "arrived_ms": arrived_ms,
                "payload_base64": base64::engine::general_purpose::STANDARD.encode(payload),
            }));
            if piece.bytes >= PIECE_BYTES || piece.messages.len() >= PIECE_MESSAGES {
                piece = self.hand_over(&name, piece)?;
                progress.show(figures.messages);
            }
        }
        self.hand_over(&name, piece)?;
        progress.end();
        figures.imported = figures.messages.saturating_sub(is_in);
        Ok(figures)
    }

    /// Sends a piece; the next, empty.
    fn hand_over(&self, name: &str, piece: Piece) -> Result<Piece, CommandError> {
        if piece.messages.is_empty() {
            return Ok(piece);
        }
        let end = piece.from + piece.messages.len() as u64;
        let is_in = self.send(name, &piece)?;
        if is_in < end {
            return Err(CommandError::Input {
                what: format!("the service has {is_in} messages of the recording where {end} were sent"),
                remedy: "it was restored from an older state meanwhile: import the recording again, it goes on there".into(),
            });
        }
        Ok(Piece { from: end, ..Piece::default() })
    }

    /// How many messages are in after it.
    fn send(&self, name: &str, piece: &Piece) -> Result<u64, CommandError> {
        let Piece { from, messages, .. } = piece;
        let body = json!({ "actor": self.actor, "from": from, "messages": messages });
        let key = format!("import-{}-{from}-{}", &name[..16], messages.len());
        let answer: Value =
            service::post(self.url, &format!("/api/v1/imports/{}", escaped(name)), &key, &body)?;
        answer["imported"].as_u64().ok_or_else(|| CommandError::Input {
            what: format!("{} answers without `imported`", self.url),
            remedy: "ask a service of this version".into(),
        })
    }
}

/// Names a recording by its content, and by the topic that it is given.
fn name(path: &Path, topic: Option<&str>) -> Result<String, CommandError> {
    let unreadable = |error: std::io::Error| CommandError::Input {
        what: format!("{} cannot be read: {error}", path.display()),
        remedy: "name a recording".into(),
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    hasher.update(topic.unwrap_or_default().as_bytes());
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}
