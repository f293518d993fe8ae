//! Andon beside other engines, in the same run: five queries over one recording, each result a Parquet file.
//!
//! Limits, windows of ten seconds, windows of a minute each ten seconds, what each step used, silences:
//! `benches/peers/rules` for `andon replay`, `benches/peers/with_*.py` for DuckDB and DataFusion, in SQL of their own.
//! Each runs as a process of its own, with both cores. What they come to is compared row by row.
//!
//! `ANDON_MESSAGES` sets the number of readings, a million or more, `ANDON_RUNS` how often each runs. Peers are asked
//! with `python3` of PATH, else that of `make setup`; those that are not installed are left out.

#[allow(dead_code, reason = "other benchmarks use the rest")]
#[path = "support/asked.rs"]
mod asked;
#[path = "support/process.rs"]
mod process;
#[path = "support/recording.rs"]
mod recording;

use std::path::{Path, PathBuf};
use std::process::Command;

use asked::number;
use process::{Cost, measure};
use recording::Shop;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const MESSAGES: u64 = 20_000_000;
/// In fewer no silence comes to its end.
const MESSAGES_MIN: u64 = 1_000_000;
const RUNS: u64 = 3;
/// What memory must not grow from: so many times fewer messages.
const FEWER: u64 = 4;

/// Who takes part, and what is asked of it.
struct Engine {
    name: &'static str,
    kind: Kind,
    target: Option<Target>,
}

enum Kind {
    /// A configuration in `benches/peers`.
    Andon(&'static str),
    /// A script in `benches/peers`.
    Peer(&'static str),
}

struct Target {
    cpu_ns: f64,
    per_s: f64,
    peak_mb: f64,
}

/// What was measured of an engine over the whole recording, and over one that is shorter.
struct Measured {
    whole: Cost,
    shorter: Cost,
}

const ANDON: [Engine; 2] = [
    Engine {
        name: "andon",
        kind: Kind::Andon("andon.toml"),
        target: Some(Target { cpu_ns: 600.0, per_s: 3e6, peak_mb: 100.0 }),
    },
    Engine {
        name: "andon, raw readings too",
        kind: Kind::Andon("andon_raw.toml"),
        target: Some(Target { cpu_ns: 900.0, per_s: 2e6, peak_mb: 100.0 }),
    },
];

const PEERS: [(&str, &str, &str); 2] =
    [("DuckDB", "duckdb", "with_duckdb.py"), ("DataFusion", "datafusion", "with_datafusion.py")];

impl Engine {
    fn command(&self, python: &Path, recording: &Path, out: &Path) -> Command {
        match self.kind {
            Kind::Andon(config) => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
                let config = Path::new(HERE).join(config);
                command.arg("replay").arg("--config").arg(config).arg("--input").arg(recording);
                command.arg("--out").arg(out);
                command
            }
            Kind::Peer(script) => {
                let mut command = Command::new(python);
                command.arg(Path::new(HERE).join(script)).arg(recording).arg(out);
                command
            }
        }
    }

    fn is_andon(&self) -> bool {
        matches!(self.kind, Kind::Andon(_))
    }

    /// Its results are in `out` then.
    fn run(&self, python: &Path, recording: &Path, out: &Path) -> Cost {
        let _ = std::fs::remove_dir_all(out);
        std::fs::create_dir_all(out).expect("a folder");
        measure(&mut self.command(python, recording, out))
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name))
    }
}

/// The first Python that knows DuckDB, which also compares; else whichever there is.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let of_setup = cache.unwrap_or_default().join("andon/venv/bin/python3");
    let known = [PathBuf::from("python3"), of_setup];
    known.iter().find(|python| version(python, "duckdb").is_some()).unwrap_or(&known[0]).clone()
}

/// The version of a package, where it is installed.
fn version(python: &Path, package: &str) -> Option<String> {
    let script = format!("import {package}; print({package}.__version__)");
    let done = Command::new(python).args(["-c", &script]).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn main() {
    let messages = number("ANDON_MESSAGES", MESSAGES).max(MESSAGES_MIN);
    let runs = number("ANDON_RUNS", RUNS);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let python = python();
    let mut engines = Vec::from(ANDON);
    for (name, package, script) in PEERS {
        match version(&python, package) {
            Some(version) => {
                println!("{name} {version}, by {script}");
                engines.push(Engine { name, kind: Kind::Peer(script), target: None });
            }
            None => println!("{name} is left out: {} has no {package} (make setup)", python.display()),
        }
    }

    let shop = Shop { has_silences: true, ..Shop::default() };
    let (whole, shorter) = (folder.path().join("whole.ndjson"), folder.path().join("shorter.ndjson"));
    shop.record(&whole, messages).expect("writes");
    shop.record(&shorter, messages / FEWER).expect("writes");
    let out = |engine: &Engine| folder.path().join(engine.name);
    let mut measured: Vec<Measured> = engines
        .iter()
        .map(|engine| {
            let shorter = engine.run(&python, &shorter, &out(engine));
            Measured { whole: engine.run(&python, &whole, &out(engine)), shorter }
        })
        .collect();
    // In turn, so that all see the same machine.
    for _ in 1..runs {
        for (engine, measured) in engines.iter().zip(&mut measured) {
            measured.whole = measured.whole.best(engine.run(&python, &whole, &out(engine)));
        }
    }
    print_table(&engines, &measured, messages, runs);
    let are_equal = results_are_equal(&python, &engines, out);
    assert!(are_equal, "results differ");
}

fn print_table(engines: &[Engine], measured: &[Measured], messages: u64, runs: u64) {
    let few = messages / FEWER;
    println!(
        "\n{messages} readings, the best of {runs} runs; memory at its peak, of {few} and of {messages}\n"
    );
    println!(
        "{:<24} {:>9} {:>7} {:>10} {:>8} {:>8} {:>8} {:>7}",
        "", "CPU ns", "target", "messages/s", "target", "MB few", "MB all", "target"
    );
    let cpu_ns = |cost: Cost| cost.cpu_s * 1e9 / messages as f64;
    let per_s = |cost: Cost| messages as f64 / cost.wall_s;
    for (engine, Measured { whole, shorter }) in engines.iter().zip(measured) {
        let (ns, rate) = (cpu_ns(*whole), per_s(*whole));
        let (mut asked, mut verdict) = ([String::new(), String::new(), String::new()], "");
        if let Some(target) = &engine.target {
            asked = [target.cpu_ns, target.per_s, target.peak_mb].map(|figure| format!("{figure:.0}"));
            let fits = whole.peak_mb.max(shorter.peak_mb) <= target.peak_mb;
            verdict = if ns <= target.cpu_ns && rate >= target.per_s && fits { "ok" } else { "not yet" };
        }
        println!(
            "{:<24} {ns:>9.0} {:>7} {rate:>10.0} {:>8} {:>8.0} {:>8.0} {:>7}   {verdict}",
            engine.name, asked[0], asked[1], shorter.peak_mb, whole.peak_mb, asked[2]
        );
    }
    println!();
    let peers = || engines.iter().zip(measured).filter(|(engine, _)| !engine.is_andon());
    for (andon, ours) in engines.iter().zip(measured).filter(|(engine, _)| engine.is_andon()) {
        for (peer, theirs) in peers() {
            let times = |what: fn(&Cost) -> f64| what(&theirs.whole) / what(&ours.whole);
            println!(
                "{}: {} needs {:.1} times the CPU time, {:.1} times the time and {:.1} times the memory",
                andon.name,
                peer.name,
                times(|cost| cost.cpu_s),
                times(|cost| cost.wall_s),
                times(|cost| cost.peak_mb)
            );
        }
    }
    println!();
}

/// Whether what the last run of each peer came to is what Andon's came to; DuckDB tells.
fn results_are_equal(python: &Path, engines: &[Engine], out: impl Fn(&Engine) -> PathBuf) -> bool {
    let peers = engines.iter().filter(|engine| !engine.is_andon());
    let mut are_equal = true;
    if version(python, "duckdb").is_none() {
        println!("results are not compared: that takes DuckDB");
        return true;
    }
    for peer in peers {
        for andon in engines.iter().filter(|engine| engine.is_andon()) {
            let mut compare = Command::new(python);
            compare.arg(Path::new(HERE).join("compare.py")).arg(out(andon)).arg(out(peer));
            let done = compare.output().expect("it was there a moment ago");
            let said = String::from_utf8_lossy(&done.stdout);
            let (said, wrong) = (said.trim(), String::from_utf8_lossy(&done.stderr));
            let verdict = if done.status.success() { "equal rows" } else { "DIFFERENT" };
            println!("{} and {}, {verdict}: {said}{}", andon.name, peer.name, wrong.trim_end());
            are_equal &= done.status.success();
        }
    }
    are_equal
}
