//! `andon demo`: the words of its command line, and the QA of its workshop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ingest::time::Clock;
use serde_json::Value;

use super::simulate::parse_rate;
use crate::config::parse_period;
use crate::http;
use crate::run::Stop;

/// What is latched is looked at after so long.
const LOOKED_AT_AFTER_MS: i64 = 60_000;
/// Between two looks.
const ROUND: Duration = Duration::from_secs(5);

/// Shows a simulated workshop live: broker, sensors with faults, pipeline and board in one process.
///
/// Ctrl-C stops it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  andon demo --bays 12 --rate 500 --for 2m")]
pub struct DemoArgs {
    /// Bays of the workshop.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub bays: u32,
    /// Messages a second of the whole workshop, on average.
    #[arg(long, value_name = "MSGS_PER_S", default_value_t = 200.0, value_parser = parse_rate)]
    pub rate: f64,
    /// Another number, another day in the workshop.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where the board is.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// Where the embedded broker listens, on loopback [default: 127.0.0.1:1883, or any free port if that is taken].
    #[arg(long, value_name = "ADDR")]
    pub mqtt: Option<SocketAddr>,
    /// Where journal and exports go [default: a folder that is removed at the end].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Stops by itself after this long, such as 30s.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_period)]
    pub duration: Option<Duration>,
}

/// QA of the simulated workshop, until `stop` is asked: it looks at what is latched and resets it, as somebody would, or
/// after an hour the board would show nothing else.
pub(super) fn inspect(listening: &OnceLock<SocketAddr>, clock: &Arc<dyn Clock>, stop: &Stop) {
    while !stop.is_asked() {
        std::thread::sleep(ROUND);
        if let Some(address) = listening.get() {
            reset_latched(&format!("http://{address}"), clock.now_ms());
        }
    }
}

fn reset_latched(url: &str, now_ms: i64) {
    let Ok(text) = http::get(url, "/api/v1/exceptions?state=open&limit=200") else { return };
    let open: Value = serde_json::from_str(&text).unwrap_or_default();
    for one in open["exceptions"].as_array().into_iter().flatten() {
        let is_due = one["raised_ms"].as_i64().is_some_and(|ms| ms + LOOKED_AT_AFTER_MS <= now_ms);
        if let Some(id) = one["id"].as_str().filter(|_| is_due && one["state"] == "latched") {
            let body = r#"{"actor":"QA","reason":"done again and looked at"}"#;
            // Refused where somebody at the board was quicker.
            let _ = http::post(url, &format!("/api/v1/exceptions/{id}/reset"), &format!("demo-{id}"), body);
        }
    }
}
