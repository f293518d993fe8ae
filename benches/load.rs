//! The built service under load, as its users meet it: commands while messages flow, a mirror, a restart.
//!
//! `cargo bench --bench load`; `-- commands`, `mirror` or `restart` for one of them. Publisher and service share the
//! machine, so a machine of two cores shows less than the service can do. wrk (of apt) asks for commands.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/andon.rs"]
mod andon;
#[allow(dead_code, reason = "other benchmarks use the rest")]
#[path = "support/asked.rs"]
mod asked;
#[allow(dead_code, reason = "the tests use it")]
#[path = "../tests/support/cut_wire.rs"]
mod cut_wire;
#[allow(dead_code, reason = "the soak uses the rest")]
#[path = "load/floor.rs"]
mod floor;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/shop.rs"]
mod shop;

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use andon::Andon;
use floor::Floor;
use ingest::time::{Clock, SystemClock};
use shop::Shop;

/// Tools, and so series.
const TOOLS: usize = 7_000;

fn main() {
    let words = asked::words();
    let is_asked = |part: &str| asked::is_asked(&words, part);
    if is_asked("commands") {
        commands();
    }
    if is_asked("mirror") {
        mirror();
    }
    if is_asked("restart") {
        restart();
    }
}

fn line(what: &str, figure: &str, target: &str, is_ok: bool) {
    println!("{what:58} {figure:>16}   must {target:>14}   {}", if is_ok { "ok" } else { "NOT OK" });
}

/// A shop with this in its configuration, `[journal]` being the open section.
fn shop(floor: &Floor, lines: &str) -> Shop {
    let shop = Shop::new(floor.port, lines);
    change(&shop, "300ms", "5s");
    shop
}

/// Another time between cuts.
fn change(shop: &Shop, from: &str, to: &str) {
    let text = std::fs::read_to_string(shop.config()).expect("there");
    let cut = |time: &str| format!("cut_interval = \"{time}\"");
    assert!(text.contains(&cut(from)), "{text}");
    std::fs::write(shop.config(), text.replace(&cut(from), &cut(to))).expect("written");
}

fn seconds(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// Of the exceptions that the floor raises, and commands are about.
const OPEN: u64 = 200;

/// Commands at the rate that 32 connections give, while 20,000 messages a second flow. Each applies: exceptions are shelved
/// one after the other, and unshelved in turn.
fn commands() {
    const SCRIPT: &str = r#"
local threads = {}
function setup(of) of:set("id", #threads); table.insert(threads, of) end
-- wrk looks at one request of its first thread beforehand, and does not send it.
function init() count, bad, why, run = id == 0 and -1 or 0, 0, "", os.time() end
function request()
  local half = math.floor(#exceptions / 2)
  local exception = exceptions[id * half + count % half + 1]
  local is_shelve = math.floor(count / half) % 2 == 0
  count = count + 1
  local verb = is_shelve and "/shelve" or "/unshelve"
  local body = is_shelve and '{"actor":"bench","reason":"load","duration_s":3600}' or '{"actor":"bench"}'
  return wrk.format("POST", "/api/v1/exceptions/" .. exception .. verb,
    {["Content-Type"] = "application/json", ["Idempotency-Key"] = run .. "-" .. id .. "-" .. count}, body)
end
function response(status, headers, body)
  if status ~= 200 then bad = bad + 1; why = status .. " " .. body end
end
function done(summary, latency)
  local bad, why = 0, ""
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("bad")
    if thread:get("bad") > 0 then why = thread:get("why") end
  end
  local errors = summary.errors
  print("figures", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.timeout + bad)
  if bad > 0 then print("refused", (why:gsub("%s+", " "))) end
end
"#;
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("commands: there is no wrk; `apt install wrk`");
        return;
    }
    let floor = Floor::that(Box::new(|number, now_ms| {
        if number >= OPEN {
            return floor::torque(TOOLS, number, now_ms);
        }
        let topic = format!("workshop/lyon/bay-{:03}/lamp-{number:03}/status", number % 100);
        (topic, format!("{{\"ts\":{now_ms},\"online\":false}}"))
    }));
    let shop = shop(&floor, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    floor.publish_at(20_000);
    seconds(5);
    let open = andon.json("/api/v1/exceptions?state=open&limit=200");
    let open = open["exceptions"].as_array().expect("a list").iter();
    let offline = open.filter(|one| one["rule"] == "tool_offline").map(|one| one["id"].to_string());
    let offline: Vec<String> = offline.collect();
    assert!(offline.len() as u64 > OPEN / 2, "only {} exceptions are open", offline.len());
    let script = shop.folder().join("commands.lua");
    let text = format!("exceptions = {{{}}}\n{SCRIPT}", offline.join(", "));
    std::fs::write(&script, text).expect("written");
    let (before, _) = (floor.acknowledged(), floor.took_ms(99.0));
    let output = Command::new("wrk")
        .args(["-t2", "-c32", "-d10s", "-s"])
        .arg(&script)
        .arg(andon.url())
        .output()
        .expect("wrk starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = (floor.acknowledged() - before) as f64 / 10.0;
    let (puback_ms, _) = floor.took_ms(99.0);
    let figures =
        told.lines().find_map(|line| line.strip_prefix("figures")).unwrap_or_else(|| panic!("{told}"));
    let figures: Vec<f64> =
        figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect();
    let [requests, us, p50_us, p99_us, most_us, errors] = figures[..] else { panic!("{told}") };
    let rate = requests / us * 1e6;
    line("messages a second beside commands", &format!("{messages:.0}"), "20000", messages > 19_000.0);
    line("commands a second, of 32 connections", &format!("{rate:.0}"), "2000", rate >= 2_000.0);
    line("    p99 of their answers", &format!("{:.1} ms", p99_us / 1e3), "50 ms", p99_us <= 50_000.0);
    line("    answers that are not 200, and errors", &format!("{errors}"), "0", errors == 0.0);
    told.lines().filter(|line| line.starts_with("refused")).for_each(|why| println!("    {why}"));
    println!(
        "    p50 {:.1} ms, longest {:.1} ms; p99 of PUBACK {puback_ms:.1} ms",
        p50_us / 1e3,
        most_us / 1e3
    );
    andon.stop();
}

/// Messages a second that are acknowledged, and p99 of it, under `local` and `mirrored`; and what is not in the mirror yet.
fn mirror() {
    let mut rates = Vec::new();
    for ack in ["local", "mirrored"] {
        let floor = Floor::open(TOOLS);
        let mirror = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let lines = format!("[mirror]\nurl = \"file://{}\"\nack = \"{ack}\"\n", mirror.path().display());
        let shop = shop(&floor, &lines);
        let mut andon = Andon::run(&shop);
        andon.until_ready();
        floor.publish_at(0);
        seconds(3);
        let (before, _) = (floor.acknowledged(), floor.took_ms(99.0));
        seconds(10);
        let rate = (floor.acknowledged() - before) as f64 / 10.0;
        let (p99_ms, most_ms) = floor.took_ms(99.0);
        rates.push(rate);
        println!(
            "ack = {ack:8}  as many as are taken, {} in flight: {rate:.0} messages/s, p99 of PUBACK {p99_ms:.1} ms, longest \
             {most_ms:.1} ms",
            floor::WINDOW
        );
        if ack == "mirrored" {
            let cost = (1.0 - rate / rates[0]) * 100.0;
            line("cost of mirrored against local", &format!("{cost:.0} %"), "20 %", cost < 20.0);
            line("    p99 of PUBACK, mirrored", &format!("{p99_ms:.1} ms"), "50 ms", p99_ms < 50.0);
        } else {
            floor.publish_at(50_000);
            seconds(3);
            let before = floor.acknowledged();
            let mut most_s = 0.0_f64;
            for _ in 0..40 {
                std::thread::sleep(Duration::from_millis(200));
                let lag = andon.json("/api/v1/status")["mirror"]["lag_seconds"].as_f64().unwrap_or(f64::NAN);
                most_s = most_s.max(lag);
            }
            let rate = (floor.acknowledged() - before) as f64 / 8.0;
            let what = format!("local at {rate:.0} messages/s: mirror behind by at most");
            line(&what, &format!("{most_s:.2} s"), "1 s", most_s < 1.0);
        }
        andon.stop();
    }
}

/// `kill -9` with a journal of 1 GB, a quarter of it behind the last checkpoint, and 100,000 series.
fn restart() {
    const SERIES: usize = 100_000;
    /// Of a message in the journal: 256 MB of them come after the checkpoint, and 1 GB in all.
    const MESSAGE_BYTES: u64 = 206;
    const BEFORE: u64 = 768_000_000 / MESSAGE_BYTES;
    const BEHIND: u64 = 256_000_000 / MESSAGE_BYTES;
    let floor = Floor::open(SERIES);
    // What nobody needs would go.
    let shop = shop(&floor, "[retention]\njournal = \"8GiB\"");
    let publish = |messages: u64| {
        let until = floor.acknowledged() + messages;
        floor.publish_at(0);
        andon::until("the journal has grown", 600, || {
            let acknowledged = floor.acknowledged();
            if acknowledged >= until { Ok(()) } else { Err(acknowledged) }
        });
    };
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let _ = floor.took_ms(99.0);
    publish(BEFORE);
    let (p99_ms, most_ms) = floor.took_ms(99.0);
    println!(
        "{} messages of {SERIES} series as fast as they are taken, checkpoints each 5 s: p99 of PUBACK {p99_ms:.1} ms, \
         longest {most_ms:.1} ms",
        floor.acknowledged()
    );
    floor.publish_at(20_000);
    let sent = floor.sent();
    andon::until("all is applied", 60, || {
        let seen = andon.counts().get("messages");
        if seen >= sent { Ok(()) } else { Err(seen) }
    });
    pauses(&floor, &shop);
    // Right behind a checkpoint, and killed before the next.
    let before = newest(&shop);
    andon::until("a checkpoint", 20, || if newest(&shop) == before { Err("the one before") } else { Ok(()) });
    let (sent, checkpoint) = (floor.sent(), newest(&shop));
    publish(BEHIND);
    andon.kill();
    let behind = floor.acknowledged() - sent;
    if newest(&shop) != checkpoint {
        println!("    a further checkpoint has come meanwhile: less is left to apply");
    }
    let clock = SystemClock::default();
    let begun_us = clock.monotonic_us();
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let took_s = (clock.monotonic_us() - begun_us) as f64 / 1e6;
    let what = format!("kill -9 to ready: {} messages, {behind} of them to apply", floor.sent());
    line(&what, &format!("{took_s:.2} s"), "3 s", took_s <= 3.0);
    andon.stop();
}

/// File of the newest checkpoint.
fn newest(shop: &Shop) -> Option<OsString> {
    let files = std::fs::read_dir(shop.data().join("checkpoints")).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).filter(|name| !name.to_string_lossy().ends_with(".new")).max()
}

/// The longest PUBACK in each two seconds in which a checkpoint is made, and in those without: the disk itself is silent now
/// and then, with nobody else on the machine for a tenth of a second.
fn pauses(floor: &Floor, shop: &Shop) {
    const SECONDS: usize = 61;
    let _ = floor.took_ms(99.0);
    let (mut seen, mut longest_ms, mut p99_ms) = (newest(shop), Vec::new(), Vec::new());
    for _ in 0..SECONDS {
        seconds(1);
        let (p99, longest) = floor.took_ms(99.0);
        let newest = newest(shop);
        longest_ms.push((longest, newest != seen));
        p99_ms.push(p99);
        seen = newest;
    }
    // What is there at the end of a second was begun in it, or in the one before.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for three in longest_ms.windows(3) {
        let longest = three[0].0.max(three[1].0);
        match (three[0].1, three[1].1, three[2].1) {
            (_, true, _) => with.push(longest),
            (false, false, false) => without.push(longest),
            _ => {}
        }
    }
    let told = |of: &mut Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of.first().map_or((f64::NAN, f64::NAN), |_| (of[of.len() / 2], of[of.len() - 1]))
    };
    let ((median_ms, most_ms), (still_ms, most_still_ms)) = (told(&mut with), told(&mut without));
    let what = format!("longest PUBACK at 20000 messages/s while one of {} checkpoints", with.len());
    line(&what, &format!("{median_ms:.1} ms"), "20 ms", median_ms < 20.0);
    println!(
        "    is made, median; most {most_ms:.1} ms. Without: {still_ms:.1} ms, most {most_still_ms:.1} ms. p99 {:.1} ms",
        told(&mut p99_ms).0
    );
}
