//! `andon run` and `andon demo`: the service, alone or with a workshop around it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ingest::time::{Clock, SystemClock};

use super::CommandError;
use super::demo::{DemoArgs, inspect};
use crate::broker;
use crate::config::Config;
use crate::run::{Files, Reread, Stop, serve};
use crate::simulate::publish::{BrokerUrl, publish};
use crate::simulate::{Faults, LIVE_SPEED, SimulateSettings};

/// The service: takes in what sensors publish, and feeds board, exports and stores.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ctrl-C or SIGTERM ends it cleanly: a last commit, a last checkpoint, DISCONNECT.
Rules that are added, changed or removed, metrics.toml and assets.toml are taken up within two seconds (at once
on SIGHUP) if they are right; if not, /api/v1/status says what is wrong, and what applied before goes on.
What a change does to open windows and exceptions: andon check --against http://127.0.0.1:8080

Examples:
  andon run --config config/andon.toml
  andon run --standby --config config/andon.toml   in the other region: follows `[mirror]`")]
pub struct RunArgs {
    /// Configuration.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml")]
    config: PathBuf,
    /// Follow the mirror of another region, ready to take over from it.
    #[arg(long)]
    standby: bool,
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// The configuration, or what ended it.
pub fn run(args: &RunArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load(&args.config).map_err(CommandError::Configuration)?;
    if args.standby && config.mirror.is_none() {
        return Err(CommandError::Input {
            what: "there is no mirror to follow".to_owned(),
            remedy: "set `url` in `[mirror]` to the mirror of the region that leads".to_owned(),
        });
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let stop = Stop::default();
    let reread = Reread::default();
    on_signal(&stop, &reread)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let told = |address| tell(format_args!("board on http://{address}"));
    let files = Files { file: args.config.clone(), reread };
    serve(&config, Some(files), clock, &stop, args.standby, told)
        .map_err(|error| CommandError::failed("the service ended", error))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a simulated workshop with everything around it in this process.
///
/// # Errors
/// An address that is taken, or what ended the service.
pub fn demo(args: &DemoArgs) -> Result<ExitCode, CommandError> {
    let mqtt =
        broker::start(args.mqtt).map_err(|error| CommandError::failed("could not start the demo", error))?;
    let temporary = match &args.data {
        Some(_) => None,
        None => Some(
            TemporaryFolder::new().map_err(|error| CommandError::failed("could not make a folder", error))?,
        ),
    };
    let data =
        args.data.clone().or_else(|| temporary.as_ref().map(|folder| folder.0.clone())).unwrap_or_default();
    let config = Config::embedded_demo(&data, args.http, mqtt);
    let stop = Stop::default();
    on_signal(&stop, &Reread::default())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let listening = Arc::new(OnceLock::new());
    let workshop = workshop(args, mqtt, Arc::clone(&listening), Arc::clone(&clock), stop.clone())?;
    let of_qa = (Arc::clone(&listening), Arc::clone(&clock), stop.clone());
    let qa = std::thread::Builder::new().name("andon-qa".to_owned());
    qa.spawn(move || inspect(&of_qa.0, &of_qa.1, &of_qa.2))
        .map_err(|error| CommandError::failed("could not start the QA of the demo", error))?;
    let told = |address| {
        let _ = listening.set(address);
        tell(format_args!("board on http://{address}   (Ctrl-C stops)"));
        tell(format_args!("broker on mqtt://{mqtt}, data in {}", data.display()));
    };
    let result = serve(&config, None, clock, &stop, false, told)
        .map_err(|error| CommandError::failed("the demo ended", error));
    stop.ask();
    let published = workshop.join();
    drop(temporary);
    result?;
    if let Ok(Err(error)) = published {
        return Err(CommandError::failed("the simulated workshop stopped", error));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line. A service goes on when nobody reads what it prints.
fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

type Workshop = std::thread::JoinHandle<Result<(), crate::simulate::SimulateError>>;

/// Publishes the simulated workshop on a thread of its own until `stop` is asked, or for `--for`.
fn workshop(
    args: &DemoArgs,
    mqtt: SocketAddr,
    listening: Arc<OnceLock<SocketAddr>>,
    clock: Arc<dyn Clock>,
    stop: Stop,
) -> Result<Workshop, CommandError> {
    let settings = SimulateSettings {
        bays: args.bays,
        rate: args.rate,
        seed: args.seed,
        faults: Faults::all(),
        start_ms: clock.now_ms(),
        speed: LIVE_SPEED,
        ..SimulateSettings::default()
    };
    let broker = BrokerUrl::new(&mqtt.ip().to_string(), mqtt.port());
    let duration = args.duration;
    let failed = |error: std::io::Error| CommandError::failed("could not start the workshop", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name("andon-workshop".to_owned()).spawn(move || {
        // A message published before the service has subscribed would be lost: the workshop opens after it.
        let is_ready =
            |address: &SocketAddr| crate::http::get(&format!("http://{address}"), "/readyz").is_ok();
        while !stop.is_asked() && !listening.get().is_some_and(is_ready) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let asked = async {
            while !stop.is_asked() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let result = runtime.block_on(publish(settings, &broker, duration, clock.as_ref(), asked));
        stop.ask();
        result.map(|_| ())
    });
    thread.map_err(failed)
}

/// Ctrl-C and SIGTERM ask for a clean end, a second one ends at once; SIGHUP asks for the files to be read again.
fn on_signal(stop: &Stop, reread: &Reread) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::failed("could not listen for signals", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (stop, reread) = (stop.clone(), reread.clone());
    // Before anybody is told that the service is there: a signal that nobody listens for ends it on the spot.
    let listened = || {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok((interrupt?, terminate?, hangup?))
    };
    let (mut interrupt, mut terminate, mut hangup) = listened().map_err(failed)?;
    let listen = move || {
        runtime.block_on(async {
            for code in [0, 130] {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => break,
                        _ = terminate.recv() => break,
                        _ = hangup.recv() => reread.ask(),
                    }
                }
                if code != 0 {
                    std::process::exit(code);
                }
                stop.ask();
            }
        });
    };
    std::thread::Builder::new().name("andon-signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(())
}

/// A folder that goes when the demo ends.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> std::io::Result<Self> {
        // A demo that was killed may have left one of the same number.
        for attempt in 0.. {
            let name = format!("andon-demo-{}-{attempt}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(TemporaryFolder(folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 1_000 => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop ends with a folder or an error")
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
