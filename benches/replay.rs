//! What the whole way costs: a recording of single-reading JSON messages through `andon replay`, every
//! stream exported, all shipped rules at work; and the engine alone on the same messages.
//!
//! `ANDON_MESSAGES` sets their number.

#[allow(dead_code, reason = "another benchmark uses the rest")]
#[path = "support/alone.rs"]
mod alone;
#[path = "support/asked.rs"]
mod asked;
#[allow(dead_code, reason = "another benchmark uses the rest")]
#[path = "support/process.rs"]
mod process;
#[path = "support/recording.rs"]
mod recording;

use std::path::Path;

use alone::{Alone, cpu_ns, for_each_entry};
use clap::Parser;
use ingest::decode::TOGETHER;
use ingest::entry::Entry;
use ingest::readings::Decoded;
use pipelines::commands::replay::{self, ReplayArgs};
use pipelines::config::Config;
use pipelines::wire;
use process::peak_kb_of;
use recording::Shop;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// CPU ns a message of the engine with `rules`, emissions thrown away. The first fifth is for warming up: until then all
/// that is kept is memory that the system gives for the first time.
fn engine_ns(config: &Config, entries: &[Entry]) -> f64 {
    let mut alone = Alone::new(config);
    let (first, rest) = entries.split_at(entries.len() / 5);
    first.iter().for_each(|entry| alone.apply(entry));
    let (cpu_ns, messages) = (alone.cpu_ns, alone.messages());
    rest.iter().for_each(|entry| alone.apply(entry));
    (alone.cpu_ns - cpu_ns) as f64 / (alone.messages() - messages) as f64
}

fn decode_ns(config: &Config, entries: &[Entry], messages: u64) -> f64 {
    let mut decoder = wire::decoder(config).expect("a decoder");
    let mut decoded = Decoded::default();
    let started = cpu_ns();
    for entry in entries {
        let Entry::Intake(intake) = entry else { continue };
        decoder.begin_intake();
        let mut messages = intake.iter();
        let mut together = Vec::with_capacity(TOGETHER);
        loop {
            together.clear();
            messages.take_into(TOGETHER, &mut together);
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
    let messages = asked::number("ANDON_MESSAGES", 5_000_000);
    let words = asked::words();
    let is_asked = |part: &str| asked::is_asked(&words, part);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("peers.ndjson");
    println!("CPU ns a message, of {RUNS} runs                      floor   target    least   median");
    let say = |stage: &str, floor: &str, target: &str, (least, median): (f64, f64)| {
        println!("{stage:<48}{floor:>8} {target:>8} {least:>8.0} {median:>8.0}");
    };
    if is_asked("replay") {
        Shop::default().record(&path, messages).expect("writes");
        let mut resident = None;
        let whole = least_and_median(|| {
            let ns = replay_ns(folder.path(), &path, messages);
            resident.get_or_insert_with(|| peak_kb_of(std::process::id()) / 1024);
            ns
        });
        say(&format!("replay of {messages} messages, export, all rules"), "670", "1300", whole);
        let resident = resident.unwrap_or_default();
        println!("resident memory of the first of them, MB                       300 {resident:>8}");
    }

    let part = messages.min(1_000_000);
    Shop::default().record(&path, part).expect("writes");
    let mut entries = Vec::new();
    for_each_entry(&path, |entry| entries.push(entry));
    let mut config = Config::load(Path::new(CONFIG)).expect("the shipped configuration is right");
    // In turn, so that both see the same machine.
    let beyond_decode = |config: &Config| {
        let mut decode = Vec::new();
        let engine = least_and_median(|| {
            decode.push(decode_ns(config, &entries, part));
            engine_ns(config, &entries)
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
