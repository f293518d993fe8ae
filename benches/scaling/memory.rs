//! What a series, a bay and an open pane hold: the peak of processes that differ in just that.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Bench;
use super::alone::{Alone, for_each_entry};
use super::process::measure;
use super::recording::Shop;

/// The argument of a process that fills an engine and ends.
pub(crate) const CASE: &str = "fill";

/// Bytes at most: of a series with its share of topic and tool, of a bay whose step goes on, and of a series in an open pane.
const OF_SERIES: f64 = 1024.0;
const OF_BAY: f64 = 8192.0;
const OF_GROUP: f64 = 96.0;

/// Windows of a minute each second: so many are open at a time, beside the seconds that the lateness holds back.
const WINDOWS: u64 = 60;
const LATENESS_S: u64 = 30;
/// Nothing matches: the windows are all that is kept.
const HOPPING: &str = "SELECT site, bay, tool, metric, window_start, window_end, avg(value) AS value \
     FROM hop(telemetry, ts, INTERVAL '1 second', INTERVAL '60 seconds') \
     GROUP BY site, bay, tool, metric, window_start, window_end HAVING avg(value) > 1000";

/// Feeds a recording to an engine with the rules of a case.
pub(crate) fn fill(case: &str, recording: &Path) {
    let mut config = pipelines::config::Config::load(Path::new(super::CONFIG)).expect("it is right");
    config.engine.lateness = Duration::from_secs(LATENESS_S);
    config.engine.correction_horizon = Duration::ZERO;
    let template = config.rules[0].clone();
    config.rules = super::rules::many(&template, usize::from(case == "windows"), |_| HOPPING.to_owned());
    let mut alone = Alone::new(&config);
    for_each_entry(recording, |entry| alone.apply(&entry));
}

/// Measures and prints them.
pub(crate) fn print(bench: &Bench) {
    println!("\n{:<58} {:>8}", "memory", "bytes");
    let few = Shop::default();
    let series = |shop: Shop| shop.bays * shop.tools * 7;
    let peak_of_few = peak_bytes(bench, few, "none");
    let each = |peak: f64, more: u64| (peak - peak_of_few) / more as f64;

    let many = Shop { tools: 100, ..few };
    say("a series", each(peak_bytes(bench, many, "none"), series(many) - series(few)), OF_SERIES);
    let bays = Shop { bays: 1000, tools: 1, ..few };
    say("a bay", each(peak_bytes(bench, bays, "none"), bays.bays - few.bays), OF_BAY);
    let of_panes = peak_bytes(bench, few, "windows");
    say("a series in an open pane", each(of_panes, (WINDOWS + LATENESS_S) * series(few)), OF_GROUP);
}

/// Of a process that applies a million messages or more, so that all windows are open.
fn peak_bytes(bench: &Bench, shop: Shop, case: &str) -> f64 {
    let messages = bench.messages.max(1_000_000);
    let recording = bench.recording(shop, messages);
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new(program);
    measure(command.args([CASE, case]).arg(recording)).expect("it ends well").peak_mb * 1024.0 * 1024.0
}

fn say(what: &str, bytes: f64, most: f64) {
    let is_ok = if bytes <= most { "ok" } else { "NOT YET" };
    println!("{what:>58} {bytes:>8.0}   must {most:>6.0}   {is_ok}");
}
