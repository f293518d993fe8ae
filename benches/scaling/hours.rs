//! What an hour of work costs under the shipped rules, as jobs, books and exceptions that are known become more.

use std::path::Path;

use pipelines::config::Config;
use pipelines::simulate::record::write_recording;
use pipelines::simulate::{Faults, SimulateSettings};

use super::alone::{Alone, for_each_entry};
use super::chart::{Axis, Panel, Scale};
use super::{Bench, NS, heading, measured, verdict};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/andon.toml");
const HOURS: usize = 12;
const HOUR_MS: i64 = 3_600_000;
/// Work goes ten times as fast as in a real shop: some hundred jobs an hour.
const SPEED: f64 = 10.0;
const BAYS: u32 = 12;
const MESSAGES_PER_S: f64 = 30.0;

/// CPU ns a message, and bytes and CPU ns of a checkpoint at its end, by hour.
fn hours(config: &Config, recording: &Path) -> Vec<(f64, usize, u64)> {
    let mut alone = Alone::new(config);
    let mut before = (0, 0);
    let mut hours = Vec::new();
    for_each_entry(recording, |entry| {
        alone.apply(&entry);
        let end = ((hours.len() + 1) as f64 * MESSAGES_PER_S * 3600.0) as u64;
        if alone.messages() >= end {
            let now = (alone.cpu_ns, alone.messages());
            let (bytes, checkpoint_ns) = alone.snapshot();
            hours.push(((now.0 - before.0) as f64 / (now.1 - before.1) as f64, bytes, checkpoint_ns));
            before = now;
        }
    });
    hours
}

/// Measures and prints them.
pub(crate) fn panel(bench: &Bench) -> Panel {
    heading("hours of 12 bays and all faults under the shipped rules", "CPU ns");
    let config = Config::load(Path::new(CONFIG)).expect("it is right");
    let settings = SimulateSettings {
        bays: BAYS,
        rate: MESSAGES_PER_S,
        speed: SPEED,
        faults: Faults::all(),
        ..SimulateSettings::default()
    };
    let path = bench.folder.path().join("hours.ndjson");
    let for_ms = HOUR_MS * i64::try_from(HOURS).expect("some hours");
    write_recording(settings, for_ms, &path, |_| ()).expect("writes");
    let runs: Vec<Vec<_>> = (0..bench.runs).map(|_| hours(&config, &path)).collect();
    let shown = runs.iter().map(Vec::len).min().unwrap_or(0);
    let least = |hour: usize| runs.iter().map(|run| run[hour].0).fold(f64::MAX, f64::min);
    let points: Vec<(f64, f64)> = (0..shown).map(|hour| (hour as f64 + 1.0, least(hour))).collect();
    for ((hour, ns), (_, bytes, checkpoint_ns)) in points.iter().zip(&runs[0]) {
        let (megabytes, checkpoint_ms) = (*bytes as f64 / 1e6, *checkpoint_ns as f64 / 1e6);
        println!("{hour:>58} {ns:>8.0}   a checkpoint: {megabytes:.1} MB in {checkpoint_ms:.0} ms");
    }
    // In the first hour everything is met for the first time.
    let mean = |hours: &[(f64, f64)]| hours.iter().map(|point| point.1).sum::<f64>() / hours.len() as f64;
    let third = shown / 3;
    verdict(
        "a message of the last third, against one of the first, but for its first hour",
        mean(&points[shown - third..]) / mean(&points[1..=third]),
        1.5,
    );
    Panel {
        title: "Hours: shipped rules, 12 bays, all faults",
        x: Axis { label: "hours of work at ten times the pace", scale: Scale::Linear },
        y: NS,
        lines: vec![measured("engine", points)],
    }
}
