//! `andon status`: the conservation law, lags and latencies of a running service.

mod channels;

use std::process::ExitCode;

use serde_json::Value;

use super::CommandError;
use super::output::print_line;
use super::service::ServiceArgs;
use crate::http;

/// How a running service is doing: what came in and where it went, lags, latencies.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A channel is a topic, and so mostly a device. Of a device that numbers its messages --gaps tells which have not come,
though later ones have: they were lost on the way here.

Examples:
  andon status --config config/andon.toml
  andon status --gaps --topic bay-01
  andon status --devices --limit 20 --json
  andon status --url http://127.0.0.1:8080 --json")]
pub struct StatusArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Sequence numbers that have not come, by topic and boot.
    #[arg(long, group = "page")]
    gaps: bool,
    /// What became of all that each channel said.
    #[arg(long, group = "page")]
    devices: bool,
    #[command(flatten)]
    page: channels::PageArgs,
    /// Print the service's own JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and prints. Exit code 1 where the service is not ready or its counts do not add up.
///
/// # Errors
/// The configuration, or a service that does not answer.
pub fn run(args: &StatusArgs) -> Result<ExitCode, CommandError> {
    let url = args.service.address()?;
    if args.gaps {
        return channels::gaps(&url, &args.page, args.json);
    }
    if args.devices {
        return channels::devices(&url, &args.page, args.json);
    }
    let body = http::get(&url, "/api/v1/status").map_err(|error| CommandError::Input {
        what: format!("no answer from {url}: {error}"),
        remedy: "`andon run --config FILE` starts the service; --url names another address".into(),
    })?;
    let status: Value = serde_json::from_str(&body)
        .map_err(|error| CommandError::failed("the service's answer is no JSON", error))?;
    print_line(if args.json { body } else { page(&status) })?;
    let ready = status["not_ready"].as_array().is_none_or(Vec::is_empty);
    Ok(if ready && adds_up(&status["counts"]) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(counts: &Value, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or(0)
}

/// messages = decoded + undecodable; readings = applied + duplicates + quarantined; applied = on time +
/// corrections + late; events = applied + duplicates + quarantined.
fn adds_up(counts: &Value) -> bool {
    let count = |name| count(counts, name);
    count("messages") == count("decoded") + count("undecodable")
        && count("readings") == count("applied") + count("duplicates") + count("quarantined")
        && count("applied") == count("on_time") + count("corrections") + count("late")
        && count("events")
            == count("events_applied") + count("event_duplicates") + count("events_quarantined")
}

/// A line of how far the mirror is behind, where there is one.
fn mirror(role: &Value, mirror: &Value) -> String {
    if mirror.is_null() {
        return String::new();
    }
    format!(
        "\nmirror        {} behind: {} entries with {} messages, {} bytes, {:.1} s; {}, generation {}",
        if mirror["reachable"] == true { "reachable," } else { "NOT REACHABLE," },
        mirror["lag_entries"],
        mirror["lag_messages"],
        mirror["lag_bytes"],
        mirror["lag_seconds"].as_f64().unwrap_or(0.0),
        role.as_str().unwrap_or_default(),
        mirror["generation"],
    )
}

/// A line for each webhook and each mail.
fn deliveries(all: &Value) -> String {
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let next = one["settled"].as_u64().unwrap_or(0) + 1;
        let stands = match (one["held"].as_str(), one["failure"].as_str()) {
            (Some(held), _) => format!(
                "; HELD at item {next}: {held}; POST /api/v1/deliveries/{}/resend or skip",
                text("courier")
            ),
            (None, Some(failure)) => format!("; item {next} was tried {} times: {failure}", one["attempts"]),
            (None, None) => String::new(),
        };
        let passed = match one["passed"].as_u64() {
            None | Some(0) => String::new(),
            Some(passed) => format!(", {passed} were for others"),
        };
        format!(
            "\ncourier       {} of {}: {} items wait{passed}{stands}",
            text("courier"),
            text("queue"),
            one["waiting"]
        )
    };
    all.as_array().into_iter().flatten().map(line).collect()
}

fn page(status: &Value) -> String {
    let counts = &status["counts"];
    let missing = count(&status["missing"], "missing");
    let count = |name| count(counts, name);
    let reasons: Vec<&str> =
        status["not_ready"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let ready =
        if reasons.is_empty() { "ready".to_owned() } else { format!("not ready: {}", reasons.join("; ")) };
    let texts = |name: &str| status[name].as_array().into_iter().flatten().filter_map(Value::as_str);
    let refused: String = texts("configuration_refused")
        .map(|mistake| format!("\nchanged files are refused: {mistake}"))
        .chain(texts("windows_waiting").map(|rule| format!("\n{rule} waits for what is read of the exports")))
        .collect();
    let lag_s = status["watermark_lag_ms"]
        .as_f64()
        .map_or("–".to_owned(), |lag_ms| format!("{:.1} s", lag_ms / 1000.0));
    let latency = &status["latency_ms"];
    let mirror = mirror(&status["role"], &status["mirror"]);
    let deliveries = deliveries(&status["deliveries"]);
    let floods: Vec<&str> =
        status["floods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let floods = match floods.as_slice() {
        [] => String::new(),
        sites => format!("; FLOOD on {} (GET /api/v1/exceptions/flood)", sites.join(", ")),
    };
    format!(
        "{ready}{refused}
messages      {:>12} = {} decoded + {} undecodable ({} replayed, {} imported)
readings      {:>12} = {} applied + {} duplicates + {} quarantined
applied       {:>12} = {} on time + {} corrections + {} late
events        {:>12} = {} applied + {} duplicates + {} quarantined
the counts    {}
rate          {:>12.0} messages/s
watermark lag {lag_s:>12}
latency       {:>9.1} ms p50, {:.1} ms p99
not come      {:>12} sequence numbers{}
exceptions    {:>12} open, {} held back by these, {} shelved{floods}
journal       offset {}, epoch {}{mirror}{deliveries}",
        count("messages"),
        count("decoded"),
        count("undecodable"),
        count("replayed"),
        count("imported"),
        count("readings"),
        count("applied"),
        count("duplicates"),
        count("quarantined"),
        count("applied"),
        count("on_time"),
        count("corrections"),
        count("late"),
        count("events"),
        count("events_applied"),
        count("event_duplicates"),
        count("events_quarantined"),
        if adds_up(counts) { "add up" } else { "DO NOT ADD UP: please report this with the journal" },
        status["messages_per_second"].as_f64().unwrap_or(0.0),
        latency["p50"].as_f64().unwrap_or(0.0),
        latency["p99"].as_f64().unwrap_or(0.0),
        missing,
        if missing > 0 { " (--gaps names them)" } else { "" },
        status["exceptions_open"].as_u64().unwrap_or(0),
        status["exceptions_suppressed"].as_u64().unwrap_or(0),
        status["exceptions_shelved"].as_u64().unwrap_or(0),
        status["journal_offset"],
        status["epoch"],
    )
}
