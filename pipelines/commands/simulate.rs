//! `andon simulate`: publishes a simulated workshop to a broker, or writes it to a recording.

use std::io::{ErrorKind, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ingest::time::{Clock, SystemClock};

use super::CommandError;
use super::output::print_line;
use crate::config::parse_period;
use crate::simulate::publish::{BrokerUrl, publish};
use crate::simulate::record::{STDOUT, write_recording};
use crate::simulate::{DEFAULT_START_MS, Faults, LIVE_SPEED, RATES, SPEEDS, SimulateError, SimulateSettings};

/// Publishes a simulated workshop to a broker, or writes it to a recording.
///
/// The same settings give the same recording, byte for byte.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    andon simulate --broker mqtt://localhost:1883 --bays 12 --rate 500 --faults all --for 10m\n  \
    andon simulate --out day.ndjson.zst --for 8h --faults nok_torque,duplicate\n\n\
    Faults: nok_torque stuck_sensor fast_clock offline_gateway duplicate malformed overrun silent_tool \
    over_dispense missed_joint unclocked")]
#[command(group(clap::ArgGroup::new("target").required(true).args(["broker", "out"])))]
pub struct SimulateArgs {
    /// Broker to publish to: mqtt://[user:password@]host[:port].
    #[arg(long, value_name = "URL")]
    pub broker: Option<BrokerUrl>,
    /// Recording to write instead, `-` for stdout; .gz and .zst are compressed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Bays of each site.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub bays: u32,
    /// Messages a second of all sites together, on average: the higher, the faster gauges are sampled.
    #[arg(long, value_name = "MSGS_PER_S", default_value_t = 100.0, value_parser = parse_rate)]
    pub rate: f64,
    /// Another number, another day in the workshop.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How long [default: until Ctrl-C with --broker, 10m with --out].
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_period)]
    pub duration: Option<Duration>,
    /// Quality of service of the telemetry; step events, bookings and cards are always sent with 1.
    #[arg(long, value_name = "0|1", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub qos: u8,
    /// Faults by name with commas between them, all, or none.
    #[arg(long, value_name = "LIST", default_value = "none")]
    pub faults: Faults,
    /// Sites, with commas between them.
    #[arg(long, value_name = "NAMES", default_value = "lyon", value_delimiter = ',')]
    pub site: Vec<String>,
    /// Time of the recording's first message [default: 2026-01-05T07:00:00Z].
    #[arg(long, value_name = "TIME", conflicts_with = "broker")]
    pub start: Option<jiff::Timestamp>,
    /// How many times faster than in a real shop the work goes [default: 30 with --broker, 1 with --out].
    #[arg(long, value_name = "TIMES", value_parser = parse_speed)]
    pub speed: Option<f64>,
    /// Prints the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl SimulateArgs {
    fn settings(&self) -> SimulateSettings {
        let usual_speed = if self.broker.is_some() { LIVE_SPEED } else { 1.0 };
        SimulateSettings {
            sites: self.site.clone(),
            bays: self.bays,
            rate: self.rate,
            seed: self.seed,
            faults: self.faults,
            start_ms: self.start.map_or(DEFAULT_START_MS, jiff::Timestamp::as_millisecond),
            speed: self.speed.unwrap_or(usual_speed),
            qos: self.qos,
        }
    }
}

/// A number of messages a second.
pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    parse_within(text, RATES)
}

fn parse_speed(text: &str) -> Result<f64, String> {
    parse_within(text, SPEEDS)
}

fn parse_within(text: &str, bounds: RangeInclusive<f64>) -> Result<f64, String> {
    let (least, most) = (bounds.start(), bounds.end());
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("write a number from {least} to {most}"))
}

/// A recording without `--for` is this long.
const RECORDING: Duration = Duration::from_secs(600);

/// Runs the command. Blocks until it is done; Ctrl-C ends publishing cleanly.
///
/// # Errors
/// Settings that no shop can have, a recording that cannot be written, a broker that never answered.
pub fn run(args: &SimulateArgs) -> Result<ExitCode, CommandError> {
    let clock = SystemClock::default();
    let (report, is_whole) = match (&args.broker, &args.out) {
        (Some(broker), _) => run_live(args, broker, &clock),
        (None, Some(out)) => run_recording(args, out, &clock),
        // The command line asks for one of them.
        (None, None) => Err(SimulateError::Setting("neither --broker nor --out says where to".to_owned())),
    }
    .map_err(failed)?;
    if args.out.as_deref() == Some(Path::new(STDOUT)) {
        // Stdout is the recording's.
        let _ = writeln!(std::io::stderr(), "{report}");
    } else {
        print_line(report)?;
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn failed(error: SimulateError) -> CommandError {
    match error {
        SimulateError::Record { error, .. } if error.kind() == ErrorKind::BrokenPipe => CommandError::Closed,
        error => CommandError::failed("could not simulate", error),
    }
}

/// The report, and whether all that was published has arrived.
fn run_live(
    args: &SimulateArgs,
    broker: &BrokerUrl,
    clock: &SystemClock,
) -> Result<(String, bool), SimulateError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| SimulateError::Runtime { error })?;
    if !args.json {
        let _ = writeln!(std::io::stderr(), "publishing to {broker}, Ctrl-C stops");
    }
    let stop = async {
        // Without a handler the signal ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let report = runtime.block_on(publish(args.settings(), broker, args.duration, clock, stop))?;
    let text = if args.json { serde_json::json!(report).to_string() } else { report.to_string() };
    Ok((text, report.unacknowledged == 0))
}

fn run_recording(
    args: &SimulateArgs,
    out: &Path,
    clock: &SystemClock,
) -> Result<(String, bool), SimulateError> {
    let for_ms = i64::try_from(args.duration.unwrap_or(RECORDING).as_millis()).unwrap_or(i64::MAX);
    let begun_us = clock.monotonic_us();
    let mut shown_us = 0;
    let watched = std::io::stderr().is_terminal() && !args.json;
    let progress = |share: f64| {
        let now_us = clock.monotonic_us();
        if watched && (share >= 1.0 || now_us > shown_us + 250_000) {
            shown_us = now_us;
            let end = if share >= 1.0 { "\n" } else { "" };
            let mut terminal = std::io::stderr();
            let _ = write!(terminal, "\r{:3.0} % of {}{end}", share * 100.0, out.display());
            let _ = terminal.flush();
        }
    };
    let (recorded, shop) = write_recording(args.settings(), for_ms, out, progress)?;
    let seconds = (clock.monotonic_us() - begun_us) as f64 / 1e6;
    let faults: std::collections::BTreeMap<_, _> =
        shop.faults().into_iter().map(|(fault, count)| (fault.name(), count)).collect();
    let text = if args.json {
        let report = serde_json::json!({
            "out": out.display().to_string(),
            "messages": recorded.messages,
            "payload_bytes": recorded.payload_bytes,
            "seconds": seconds,
            "faults": faults,
        });
        report.to_string()
    } else {
        let faults: String = faults.iter().map(|(fault, count)| format!("\n  {fault}: {count}")).collect();
        format!("{} messages in {}, written in {seconds:.1} s{faults}", recorded.messages, out.display())
    };
    Ok((text, true))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::commands::demo::DemoArgs;

    #[derive(Debug, Parser)]
    enum Commands {
        Simulate(SimulateArgs),
        Demo(DemoArgs),
    }

    fn simulate(line: &str) -> Result<SimulateArgs, String> {
        let words = std::iter::once("andon").chain(line.split(' '));
        match Commands::try_parse_from(words).map_err(|error| error.to_string())? {
            Commands::Simulate(args) => Ok(args),
            Commands::Demo(_) => Err("that is the demo".to_owned()),
        }
    }

    #[test]
    fn a_recording_goes_at_the_pace_of_a_real_shop_and_a_live_one_faster() {
        let recorded =
            simulate("simulate --out shop.ndjson --site lyon,graz --start 2026-02-01T06:00:00Z").unwrap();
        let expected = SimulateSettings {
            sites: vec!["lyon".to_owned(), "graz".to_owned()],
            start_ms: 1_769_925_600_000,
            ..SimulateSettings::default()
        };
        assert_eq!(recorded.settings(), expected);
        let live = simulate("simulate --broker mqtt://localhost --faults all --for 2h").unwrap();
        assert_eq!(live.settings().speed, LIVE_SPEED);
        assert_eq!(live.duration, Some(Duration::from_secs(7200)));
        assert_eq!(live.faults, Faults::all());
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        let cases = [
            ("simulate --bays 3", "--broker <URL>|--out <FILE>"),
            ("simulate --broker mqtt://a --out b", "cannot be used with"),
            ("simulate --broker http://a", "write mqtt://host:port"),
            ("simulate --out a --faults nok_torque,nonsense", "there is no fault \"nonsense\""),
            ("simulate --out a --qos 2", "0..=1"),
            ("simulate --out a --bays 0", "1..=9999"),
            ("simulate --out a --for soon", "such as 30s"),
            ("simulate --broker mqtt://a --start 2026-02-01T06:00:00Z", "cannot be used with"),
        ];
        for (line, reason) in cases {
            let message = simulate(line).unwrap_err();
            assert!(message.contains(reason), "{line}: {message}");
        }
    }

    #[test]
    fn the_demo_takes_the_words_of_the_contract() {
        let line = "andon demo --bays 4 --rate 50 --seed 7 --http 127.0.0.1:0 --mqtt 127.0.0.1:0 --data /tmp/a --for 30s";
        let Ok(Commands::Demo(args)) = Commands::try_parse_from(line.split(' ')) else { panic!("no demo") };
        assert_eq!((args.bays, args.rate, args.seed), (4, 50.0, 7));
        assert_eq!((args.http.port(), args.mqtt.map(|mqtt| mqtt.port())), (0, Some(0)));
        assert_eq!(args.duration, Some(Duration::from_secs(30)));
    }
}
