//! What the whole way costs: a recording of single-reading JSON messages through `andon replay`, every
//! stream exported, all shipped rules at work; and the engine alone on the same messages.
//!
//! 100 bays of 10 tools with 7 metrics, 1 % of the messages up to 2 s out of order, steps of 1 to 5 minutes, each
//! tool with a `seq` of its own: the recording of the peers that the floor was measured with. `ANDON_MESSAGES` sets
//! their number.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use ingest::entry::{Entry, IntakeBuilder};
use ingest::intake::Arrivals;
use ingest::readings::Decoded;
use ingest::recording::{Recorded, RecordedMessages, Recording};
use ingest::time::Epoch;
use pipelines::commands::replay::{self, ReplayArgs};
use pipelines::config::Config;
use pipelines::wire;
use rustix::time::{ClockId, clock_gettime};

const METRICS: [(&str, &str); 7] = [
    ("torque", "N.m"),
    ("angle", "deg"),
    ("temperature", "Cel"),
    ("voltage", "V"),
    ("air_pressure", "bar"),
    ("vibration", "mm/s"),
    ("current", "A"),
];
const BAYS: u64 = 100;
const TOOLS: u64 = 10;
/// Messages a second of the recording.
const RATE: u64 = 10_000;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    replay: ReplayArgs,
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Largest resident memory of this process so far, in MB.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Writes the recording; the same bytes each time.
fn record(path: &Path, messages: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let mut random = fastrand::Rng::with_seed(1);
    let start_ms = 1_767_596_400_000_u64;
    let mut steps = vec![(0_u64, 0_u64); BAYS as usize];
    let mut seqs = vec![0_u64; (BAYS * TOOLS) as usize];
    let mut line = String::new();
    let stamp = |ms: u64| {
        let (minutes, seconds) = (ms / 60_000 % 60, ms / 1000 % 60);
        let hours = 7 + (ms - start_ms) / 3_600_000;
        format!("2026-01-05T{hours:02}:{minutes:02}:{seconds:02}.{:03}000+0000", ms % 1000)
    };
    for message in 0..messages {
        let at_ms = start_ms + message * 1000 / RATE;
        let bay = random.u64(0..BAYS);
        let (number, ends_ms) = &mut steps[bay as usize];
        line.clear();
        if at_ms >= *ends_ms {
            for (event, step) in [("finished", *number), ("started", *number + 1)] {
                if step > 0 {
                    let _ = writeln!(
                        line,
                        r#"{{"tst":"{}","topic":"workshop/lyon/bay-{bay:03}/steps","qos":1,"retain":0,"payloadlen":90,"payload":{{"ts":{at_ms},"job":"J{bay:03}","step":"S{step}","technician":"T{bay}","event":"{event}"}}}}"#,
                        stamp(at_ms)
                    );
                }
            }
            *number += 1;
            *ends_ms = at_ms + random.u64(60_000..300_000);
        }
        let tool = random.u64(0..TOOLS);
        let (metric, unit) = METRICS[random.usize(0..METRICS.len())];
        let ts_ms = if random.u32(0..100) == 0 { at_ms - random.u64(0..2000) } else { at_ms };
        let value = random.u64(60_000..100_000);
        let seq = &mut seqs[(bay * TOOLS + tool) as usize];
        *seq += 1;
        let _ = writeln!(
            line,
            r#"{{"tst":"{}","topic":"workshop/lyon/bay-{bay:03}/tool-{tool}/telemetry","qos":1,"retain":0,"payloadlen":90,"payload":{{"ts":{ts_ms},"metric":"{metric}","value":{}.{:03},"unit":"{unit}","seq":{seq}}}}}"#,
            stamp(at_ms),
            value / 1000,
            value % 1000
        );
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

/// Entries of a recording, as replay makes them.
fn entries(path: &Path) -> Vec<Entry> {
    let mut recording = Recording::open(path, None).expect("opens");
    let (mut entries, mut intake, mut next) = (Vec::new(), IntakeBuilder::new(), 1);
    let mut arrivals: Option<Arrivals> = None;
    while recording.advance().expect("reads") {
        let Recorded::Message { topic, arrived_ms, payload } = recording.current() else { continue };
        let arrivals =
            arrivals.get_or_insert_with(|| Arrivals::new(None, arrived_ms, Epoch(0), Duration::from_secs(5)));
        let passed = arrivals.pass(arrived_ms);
        if (passed.is_some() || intake.bytes() >= replay::INTAKE_BYTES) && !intake.is_empty() {
            let messages = u64::from(intake.messages());
            entries.push(Entry::Intake(intake.finish(next)));
            next += messages;
        }
        if let Some(passed) = passed {
            entries.extend(passed.tick);
            entries.extend(passed.cut);
        }
        intake.push(topic, payload, arrivals.last_ms());
    }
    entries
}

/// CPU ns a message of the engine with `rules`, emissions thrown away.
fn engine_ns(config: &Config, entries: &[Entry], messages: u64) -> f64 {
    let mut engine = wire::engine(config).expect("rules compile");
    let mut out = Vec::new();
    let started = cpu_ns();
    for entry in entries {
        engine.apply(entry, &mut out).expect("applies");
        out.clear();
    }
    (cpu_ns() - started) as f64 / messages as f64
}

fn decode_ns(config: &Config, entries: &[Entry], messages: u64) -> f64 {
    let mut decoder = wire::decoder(config).expect("a decoder");
    let mut decoded = Decoded::default();
    let started = cpu_ns();
    for entry in entries {
        let Entry::Intake(intake) = entry else { continue };
        decoder.begin_intake();
        let mut messages = intake.iter();
        let mut together = Vec::with_capacity(64);
        loop {
            together.clear();
            together.extend(messages.by_ref().take(64));
            if together.is_empty() {
                break;
            }
            decoder.fetch(&together);
            for message in &together {
                decoder.decode(*message, &mut decoded);
            }
            decoded.elements.clear();
            if decoded.readings.len() >= 8192 {
                decoded.readings.clear();
            }
        }
    }
    (cpu_ns() - started) as f64 / messages as f64
}

/// Runs of each stage: machines are noisy, so the least counts and the median stands beside it.
const RUNS: usize = 9;

fn least_and_median(mut one: impl FnMut() -> f64) -> (f64, f64) {
    let mut runs: Vec<f64> = (0..RUNS).map(|_| one()).collect();
    runs.sort_by(f64::total_cmp);
    (runs[0], runs[RUNS / 2])
}

/// CPU ns a message of the command itself.
fn replay_ns(folder: &Path, recording: &Path, messages: u64) -> f64 {
    let out = folder.join("out");
    let (config, input) = (CONFIG.to_owned(), recording.display().to_string());
    let out_text = out.display().to_string();
    let line = Line::parse_from(["replay", "--config", &config, "--input", &input, "--out", &out_text]);
    let started = cpu_ns();
    replay::run(&line.replay).expect("replays");
    let ns = (cpu_ns() - started) as f64 / messages as f64;
    std::fs::remove_dir_all(out).expect("its streams are there");
    ns
}

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/andon.toml");

/// `cargo bench --bench replay -- decode window` does these parts alone; all are decode, window, rules, telemetry and
/// replay.
fn main() {
    let messages =
        std::env::var("ANDON_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000_000);
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |part: &str| asked.is_empty() || asked.iter().any(|name| name == part);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.ndjson");
    println!("CPU ns a message, of {RUNS} runs                      floor   target    least   median");
    let say = |stage: &str, floor: &str, target: &str, (least, median): (f64, f64)| {
        println!("{stage:<48}{floor:>8} {target:>8} {least:>8.0} {median:>8.0}");
    };
    if is_asked("replay") {
        record(&path, messages).expect("writes");
        let mut resident = None;
        let whole = least_and_median(|| {
            let ns = replay_ns(folder.path(), &path, messages);
            resident.get_or_insert_with(resident_mb);
            ns
        });
        say(&format!("replay of {messages} messages, export, all rules"), "670", "1300", whole);
        let resident = resident.unwrap_or_default();
        println!("resident memory of the first of them, MB                       300 {resident:>8}");
    }

    let part = messages.min(1_000_000);
    record(&path, part).expect("writes");
    let entries = entries(&path);
    let mut config = Config::load(Path::new(CONFIG)).expect("the shipped configuration is right");
    // In turn, so that both see the same machine.
    let beyond_decode = |config: &Config| {
        let mut decode = Vec::new();
        let engine = least_and_median(|| {
            decode.push(decode_ns(config, &entries, part));
            engine_ns(config, &entries, part)
        });
        decode.sort_by(f64::total_cmp);
        (engine.0 - decode[0], engine.1 - decode[RUNS / 2])
    };
    if is_asked("decode") {
        let decode = least_and_median(|| decode_ns(&config, &entries, part));
        say("decode of 90-byte messages", "", "", decode);
    }
    if is_asked("telemetry") {
        say("engine, all shipped rules, columns of telemetry", "", "", beyond_decode(&config));
    }
    config.export.telemetry = false;
    if is_asked("rules") {
        say("engine, all shipped rules", "", "", beyond_decode(&config));
    }
    config.rules.retain(|rule| rule.name == "torque_per_minute");
    if is_asked("window") {
        say("engine: repeats, watermark, join, one window", "10", "80", beyond_decode(&config));
    }
}
