//! How the engine's cost grows with the work: rows, bays, limit rules, window queries, hours of work; and its memory
//! with series and open panes. Figures, and a chart of them in the target folder.
//!
//! The engine alone, entries in and emissions thrown away, CPU ns a message, decoding included.
//! `cargo bench --bench scaling -- rows limits` does these parts alone; all are rows, bays, limits, windows, hours
//! and memory.
//! `ANDON_MESSAGES` sets how many readings a point has (a million), `ANDON_RUNS` how often each is measured.

#[path = "support/alone.rs"]
mod alone;
#[path = "support/asked.rs"]
mod asked;
#[path = "support/chart.rs"]
mod chart;
#[path = "scaling/hours.rs"]
mod hours;
#[path = "scaling/memory.rs"]
mod memory;
#[allow(dead_code, reason = "another benchmark uses the rest")]
#[path = "support/process.rs"]
mod process;
#[path = "support/recording.rs"]
mod recording;
#[path = "scaling/rules.rs"]
mod rules;

use std::path::Path;
use std::time::Duration;

use alone::{Alone, for_each_entry};
use asked::number;
use chart::{Axis, Line, Panel, Scale};
use pipelines::config::Config;
use recording::Shop;

/// Of the benchmark beside other engines: five queries.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/andon.toml");
const NS: Axis = Axis { label: "CPU ns a message", scale: Scale::Linear };

/// Measures and prints one way in which work grows.
type Part = fn(&Bench) -> Panel;

/// What all parts share.
struct Bench {
    folder: tempfile::TempDir,
    messages: u64,
    runs: u64,
}

impl Bench {
    /// Rows wait less long than is usual, so that most of a recording has become certain by its end.
    fn config(&self) -> Config {
        let mut config = Config::load(Path::new(CONFIG)).expect("it is right");
        config.engine.lateness = Duration::from_secs(5);
        config
    }

    /// CPU ns a message over the last two thirds of a recording, least of some runs: by then all series are known.
    fn ns(&self, config: &Config, recording: &Path, messages: u64) -> f64 {
        let one = |_| {
            let mut alone = Alone::new(config);
            let mut known = (0, 0);
            for_each_entry(recording, |entry| {
                alone.apply(&entry);
                if alone.messages() <= messages / 3 {
                    known = (alone.cpu_ns, alone.messages());
                }
            });
            (alone.cpu_ns - known.0) as f64 / (alone.messages() - known.1) as f64
        };
        (0..self.runs).map(one).fold(f64::MAX, f64::min)
    }

    fn recording(&self, shop: Shop, messages: u64) -> std::path::PathBuf {
        let path = self.folder.path().join("recording.ndjson");
        shop.record(&path, messages).expect("writes");
        path
    }

    /// From the first message to the end of input: CPU seconds by rows.
    fn rows(&self) -> Panel {
        heading("rows, of 100 bays under five queries", "CPU s");
        let config = self.config();
        let point = |times: u64| {
            let messages = self.messages * times / 2;
            let recording = self.recording(Shop::default(), messages);
            let one = |_| {
                let mut alone = Alone::new(&config);
                for_each_entry(&recording, |entry| alone.apply(&entry));
                alone.end();
                alone.cpu_ns as f64
            };
            let ns = (0..self.runs).map(one).fold(f64::MAX, f64::min);
            println!("{messages:>58} {:>8.3}   {:.0} ns a message", ns / 1e9, ns / messages as f64);
            (messages as f64, ns / 1e9)
        };
        let points: Vec<(f64, f64)> = [1, 2, 4, 8].map(point).into();
        let (first, last) = (points[0], points[points.len() - 1]);
        verdict(
            "a message of the most, against one of the fewest",
            last.1 / last.0 / (first.1 / first.0),
            1.2,
        );
        let linear = points.iter().map(|point| (point.0, first.1 / first.0 * point.0)).collect();
        Panel {
            title: "Rows: five queries, 100 bays",
            x: Axis { label: "rows", scale: Scale::Log },
            y: Axis { label: "CPU seconds", scale: Scale::Log },
            lines: vec![measured("engine", points), target("linear", linear)],
        }
    }

    /// Each bay reports as often, however many there are: a message is the same work.
    fn bays(&self) -> Panel {
        heading("bays of 7 series under five queries, 5 messages a second each", "CPU ns");
        let config = self.config();
        let messages = self.messages * 3;
        let point = |bays: u64| {
            let shop = Shop { bays, tools: 1, rate: bays * 5, has_silences: false };
            let ns = self.ns(&config, &self.recording(shop, messages), messages);
            println!("{bays:>58} {ns:>8.0}");
            (bays as f64, ns)
        };
        let points: Vec<(f64, f64)> = [100, 300, 1000, 3000, 10_000].map(point).into();
        // A second that passes costs something by itself, which few bays share.
        let least = points.iter().map(|point| point.1).fold(f64::MAX, f64::min);
        verdict("10,000 bays against the cheapest", points[4].1 / least, 2.0);
        Panel {
            title: "Bays: five queries, a message the same work",
            x: Axis { label: "bays", scale: Scale::Log },
            y: NS,
            lines: vec![measured("engine", points)],
        }
    }

    fn limits(&self) -> Panel {
        heading("limit rules and no other", "CPU ns");
        let recording = self.recording(Shop::default(), self.messages);
        let mut lines = Vec::new();
        for (name, rule) in
            [("each of one bay", rules::limit_of_a_bay as rules::Make), ("each of all bays", rules::limit)]
        {
            let point = |count: usize| {
                let mut config = self.config();
                config.rules = rules::many(&config.rules[0], count, rule);
                let ns = self.ns(&config, &recording, self.messages);
                println!("{:>58} {ns:>8.0}", format!("{count} {name}"));
                (count as f64, ns)
            };
            let points: Vec<(f64, f64)> = [10, 100, 1000].map(point).into();
            verdict("1,000 against 10", points[2].1 / points[0].1, 1.5);
            lines.push(measured(name, points));
        }
        let most = lines[0].points[0].1 * 1.5;
        lines.push(target("1.5 times", vec![(10.0, most), (1000.0, most)]));
        Panel { title: "Limit rules, 100 bays", x: Axis { label: "rules", scale: Scale::Log }, y: NS, lines }
    }

    fn windows(&self) -> Panel {
        heading("window queries by series, and no other", "CPU ns");
        let recording = self.recording(Shop::default(), self.messages);
        let mut config = self.config();
        let template = config.rules[0].clone();
        config.rules.clear();
        let without = self.ns(&config, &recording, self.messages);
        println!("{:>58} {without:>8.0}", "none");
        let mut lines = Vec::new();
        for (name, rule) in [
            ("the same ten seconds", rules::same_window as rules::Make),
            ("sizes of their own", rules::own_window),
        ] {
            let mut point = |count: usize| {
                config.rules = rules::many(&template, count, rule);
                let ns = self.ns(&config, &recording, self.messages);
                println!("{:>58} {ns:>8.0}", format!("{count} over {name}"));
                (count as f64, ns)
            };
            let points: Vec<(f64, f64)> = [1, 5, 10, 25, 50].map(&mut point).into();
            let times = (points[4].1 - without) / (points[0].1 - without);
            // Those that share nothing are here to compare with.
            let most = if lines.is_empty() { 25.0 } else { f64::INFINITY };
            verdict("what 50 add, against what one adds (linear is 50)", times, most);
            lines.push(measured(name, points));
        }
        let added = |line: &Line| line.points[4].1 - without;
        verdict(
            "50 that could share panes, against 50 that could not",
            added(&lines[0]) / added(&lines[1]),
            0.5,
        );
        let one = lines[0].points[0].1 - without;
        let linear = [1.0, 50.0].map(|count| (count, without + one * count)).into();
        lines.push(target("linear", linear));
        Panel {
            title: "Window queries, 100 bays",
            x: Axis { label: "queries", scale: Scale::Linear },
            y: NS,
            lines,
        }
    }
}

fn heading(what: &str, unit: &str) {
    println!("\n{what:<58} {unit:>8}");
}

/// Nothing is asked of it where `most` is infinite.
fn verdict(what: &str, times: f64, most: f64) {
    print!("{what:>58} {times:>8.2}");
    match most.is_finite() {
        true => println!("   must {most:>6.1}   {}", if times <= most { "ok" } else { "NOT YET" }),
        false => println!(),
    }
}

fn measured(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), points, is_target: false }
}

fn target(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), points, is_target: true }
}

fn main() {
    let words = asked::words();
    if let [first, case, recording] = &words[..]
        && first == memory::CASE
    {
        return memory::fill(case, Path::new(recording));
    }
    let is_asked = |part: &str| asked::is_asked(&words, part);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let bench =
        Bench { folder, messages: number("ANDON_MESSAGES", 1_000_000), runs: number("ANDON_RUNS", 3) };
    let parts: [(&str, Part); 5] = [
        ("rows", Bench::rows),
        ("bays", Bench::bays),
        ("limits", Bench::limits),
        ("windows", Bench::windows),
        ("hours", hours::panel),
    ];
    let asked = parts.iter().filter(|(name, _)| is_asked(name));
    let panels: Vec<Panel> = asked.map(|(_, part)| part(&bench)).collect();
    if is_asked("memory") {
        memory::print(&bench);
    }
    if !panels.is_empty() {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder");
        let path = target.join("scaling.svg");
        std::fs::write(&path, chart::svg("What a message costs the engine as the work grows", &panels))
            .expect("written");
        println!("\nchart: {}", path.display());
    }
}
