//! `andon demo`: the words of its command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::simulate::parse_rate;
use crate::config::parse_period;

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
