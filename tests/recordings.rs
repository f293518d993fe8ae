//! Recordings of real machines, made by others and labelled by others: our counts and sums are theirs.
//!
//! `fixtures/convert.py` makes recordings of the data sets; `andon replay` runs them, and a part goes through
//! Mosquitto into `andon run`. What is expected is read from the data sets here, not from the converter.
//! The data is not part of this project: it is looked for in `../shared/data`, or where `ANDON_DATA` says;
//! each test says so in one line where it is absent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flate2::read::GzDecoder;
use ingest::time::{Clock, SystemClock};
use serde_json::Value;

#[expect(dead_code, reason = "the tests of the intake use the rest")]
#[path = "../ingest/tests/support/mosquitto.rs"]
mod mosquitto;

use mosquitto::{Mosquitto, Publisher, free_port};

const ANDON: &str = env!("CARGO_BIN_EXE_andon");
/// NOK by the controller, as the README of the data set counts them.
const SCREWS: [(&str, u64); 3] = [
    ("runs_s01_variations-in-thread-degradation", 911),
    ("runs_s03_variations-in-assembly-conditions-1", 633),
    ("runs_s04_variations-in-assembly-conditions-2", 693),
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the data sets are, if they are.
fn data(set: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("ANDON_DATA").map_or_else(|| project().join("../shared/data"), PathBuf::from);
    let folder = folder.join(set);
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}; ANDON_DATA may name its parent", folder.display());
        return None;
    }
    Some(folder)
}

/// Rows of a data set by column.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let file = std::fs::File::open(path).expect("the data set is there");
    let mut lines = BufReader::new(GzDecoder::new(file)).lines().map(|line| line.expect("text"));
    let names: Vec<String> = lines.next().expect("a head").split(',').map(str::to_owned).collect();
    lines.map(|line| names.iter().cloned().zip(line.split(',').map(str::to_owned)).collect()).collect()
}

/// The recording that the converter makes.
fn convert(folder: &Path, kind: &str, input: &Path, more: &[&str]) -> PathBuf {
    let out = folder.join(format!("{kind}.ndjson"));
    let script = project().join("fixtures/convert.py");
    let status = Command::new("python3").arg(script).arg(kind).arg(input).arg(&out).args(more).status();
    assert!(status.expect("python3 starts").success(), "the converter failed on {}", input.display());
    out
}

fn config() -> PathBuf {
    project().join("fixtures/recordings/andon.toml")
}

/// Replays a recording; gives the figures that it prints.
fn replay(recording: &Path, out: &Path) -> Value {
    let output = Command::new(ANDON)
        .args(["replay", "--config"])
        .arg(config())
        .arg("--input")
        .arg(recording)
        .arg("--out")
        .arg(out)
        .output()
        .expect("andon starts");
    assert!(output.status.success(), "replay: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(text.lines().last().expect("a line")).expect("the last line is JSON")
}

/// Rows of an answer over what a replay wrote.
fn query(history: &Path, sql: &str) -> Vec<Vec<String>> {
    let output = Command::new(ANDON)
        .args(["query", "--format", "csv", "--history"])
        .arg(history)
        .arg(sql)
        .output()
        .expect("andon starts");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn assert_close(found: f64, expected: f64, what: &str) {
    let difference = (found - expected).abs();
    assert!(difference <= 1e-9 * expected.abs(), "{what}: {found} instead of {expected}");
}

fn assert_count(figures: &Value, name: &str, expected: u64) {
    assert_eq!(figures[name].as_u64(), Some(expected), "{name} in {figures}");
}

#[test]
fn every_screw_that_the_controller_found_not_in_order_is_an_exception() {
    let Some(data) = data("screw-driving") else { return };
    for (name, not_in_order) in SCREWS {
        let folder = tempfile::tempdir().expect("a folder");
        let input = data.join(format!("{name}.csv.gz"));
        let runs = table(&input);
        let labelled = runs.iter().filter(|run| run["workpiece_result"] == "NOK").count() as u64;
        assert_eq!(labelled, not_in_order, "{name}: the data set is another one");
        let out = folder.path().join("out");
        let figures = replay(&convert(folder.path(), "screws", &input, &[]), &out);
        assert_count(&figures, "exceptions", not_in_order);
        assert_count(&figures, "rows", runs.len() as u64);
        assert_count(&figures, "on_time", runs.len() as u64);
        for nothing in
            ["undecodable", "quarantined", "duplicates", "events_quarantined", "late", "corrections"]
        {
            assert_count(&figures, nothing, 0);
        }
        // Not only as many: the same screws.
        let mut expected: Vec<Vec<String>> = runs
            .iter()
            .filter(|run| run["workpiece_result"] == "NOK")
            .map(|run| {
                let job = format!("{}-{}", run["workpiece_id"], run["workpiece_usage"]);
                vec![job, run["workpiece_location"].clone()]
            })
            .collect();
        expected.sort();
        let sql = "SELECT job, step FROM exceptions WHERE rule = 'torque_nok' AND state = 'cleared' ORDER BY job, step";
        assert_eq!(query(&out, sql), expected, "{name}");
        let steps = query(
            &out,
            "SELECT event, count(*) FROM steps WHERE event <> 'planned' GROUP BY event ORDER BY event",
        );
        let count = |event: &str, count: u64| vec![event.to_owned(), count.to_string()];
        let all = runs.len() as u64;
        let expected =
            [count("failed", not_in_order), count("finished", all - not_in_order), count("started", all)];
        assert_eq!(steps, expected, "{name}");
    }
}

#[test]
fn the_controllers_own_curves_end_in_quarantine_and_disturb_nobody() {
    let Some(data) = data("screw-driving") else { return };
    let (name, not_in_order) = SCREWS[1];
    let input = data.join(format!("{name}.csv.gz"));
    let run = |more: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        let figures = replay(&convert(folder.path(), "screws", &input, more), &out);
        (folder, out, figures)
    };
    let (_folder, plain_out, plain) = run(&[]);
    let curves_folder = data.join("curves");
    let curves = std::fs::read_dir(&curves_folder).expect("the curves");
    let is_curve =
        |file: &std::fs::DirEntry| file.path().extension().is_some_and(|extension| extension == "json");
    let curves = curves.filter(|file| is_curve(file.as_ref().expect("a file"))).count() as u64;
    let (_folder, out, figures) = run(&["--curves", curves_folder.to_str().expect("a path in UTF-8")]);
    assert_count(&figures, "messages", plain["messages"].as_u64().expect("a count") + curves);
    assert_count(&figures, "exceptions", not_in_order);
    assert_eq!(figures["rows"], plain["rows"]);
    assert_eq!(figures["events"], plain["events"]);
    let set_aside = query(&out, "SELECT topic, reason, detail FROM quarantine ORDER BY message");
    assert_eq!(set_aside.len() as u64, curves, "{set_aside:?}");
    for row in &set_aside {
        assert_eq!(row[0], "workshop/plant/station/controller/telemetry");
        assert_eq!(row[1], "bad_field", "{row:?}");
        assert!(row[2].contains("ts"), "the reason names what is missing: {row:?}");
    }
    // Rows name their message by its place, so what else they say is compared.
    for sql in [
        "SELECT ts, value, job, step, spec_min, lateness FROM telemetry ORDER BY ts",
        "SELECT ts, job, step, event, elapsed_s FROM steps ORDER BY ts, event",
        "SELECT raised, cleared, job, step, state, value FROM exceptions ORDER BY raised",
    ] {
        assert!(query(&out, sql) == query(&plain_out, sql), "{sql} differs when curves are sent in between");
    }
}

/// Bookings of each cycle among `samples` against the sums of its seconds.
fn assert_booked_is_what_was_drawn(samples: &[BTreeMap<String, String>], out: &Path) {
    let mut expected: BTreeMap<(String, &str), f64> = BTreeMap::new();
    for sample in samples {
        let job = format!("cycle-{:04}", sample["cycle"].parse::<u32>().expect("a number"));
        *expected.entry((job.clone(), "electricity")).or_default() += number(&sample["EPS1"]) / 3600.0;
        *expected.entry((job, "hydraulic_oil")).or_default() += number(&sample["FS1"]) / 60.0;
    }
    let booked = query(
        out,
        "SELECT job, resource, unit, quantity, readings, final FROM (
             SELECT *, row_number() OVER (PARTITION BY job, resource ORDER BY revision DESC) AS newest FROM usage
         ) WHERE newest = 1 ORDER BY job, resource",
    );
    assert_eq!(booked.len(), expected.len(), "a booking for each cycle and resource");
    for (row, ((job, resource), quantity)) in booked.iter().zip(&expected) {
        assert_eq!((&row[0], row[1].as_str()), (job, *resource));
        assert_eq!(row[2], if *resource == "electricity" { "W.h" } else { "L" });
        assert_eq!((row[4].as_str(), row[5].as_str()), ("60", "true"), "{row:?}");
        assert_close(number(&row[3]), *quantity, &format!("{resource} of {job}"));
    }
}

#[test]
fn each_load_cycle_of_the_hydraulic_rig_is_booked_what_its_pump_drew() {
    let Some(data) = data("hydraulic-rig") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let input = data.join("samples_1hz.csv.gz");
    let samples = table(&input);
    let out = folder.path().join("out");
    let figures = replay(&convert(folder.path(), "hydraulic", &input, &[]), &out);
    assert_count(&figures, "rows", 2 * samples.len() as u64);
    assert_count(&figures, "on_time", 2 * samples.len() as u64);
    assert_count(&figures, "quarantined", 0);
    assert_count(&figures, "events_quarantined", 0);
    assert_booked_is_what_was_drawn(&samples, &out);
}

/// The source stamps the reading of midnight a day too early: its time goes back once a day.
fn is_midnight(quarter: &BTreeMap<String, String>) -> bool {
    quarter["date"].ends_with(" 00:00")
}

/// Energy of readings, of late ones and of the windows of days against that of `quarters`.
fn assert_no_energy_is_lost(quarters: &[BTreeMap<String, String>], out: &Path) {
    let used = |quarter: &BTreeMap<String, String>| number(&quarter["Usage_kWh"]);
    let energy: f64 = quarters.iter().map(used).sum();
    let at_midnight: f64 = quarters.iter().filter(|quarter| is_midnight(quarter)).map(used).sum();
    let one = |sql: &str| number(&query(out, sql)[0][0]);
    assert_close(one("SELECT sum(value) FROM telemetry"), energy, "energy of all readings");
    assert_close(one("SELECT sum(value) FROM late"), at_midnight, "energy of late readings");
    let of_windows = one(
        "SELECT sum(energy_kwh) FROM (
             SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY revision DESC) AS newest FROM energy_per_day
         ) WHERE newest = 1 AND final",
    );
    assert_close(of_windows + at_midnight, energy, "energy of the days and the late readings");
}

#[test]
fn the_steel_works_meter_is_late_once_a_day_and_no_energy_is_lost() {
    let Some(data) = data("steel-energy") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let input = data.join("energy_15min.csv.gz");
    let quarters = table(&input);
    let backwards = quarters.iter().filter(|quarter| is_midnight(quarter)).count() as u64;
    let out = folder.path().join("out");
    let figures = replay(&convert(folder.path(), "steel", &input, &[]), &out);
    assert_eq!(backwards, 181, "the data set is another one");
    assert_count(&figures, "rows", quarters.len() as u64);
    assert_count(&figures, "late", backwards);
    assert_count(&figures, "corrections", 0);
    assert_count(&figures, "on_time", quarters.len() as u64 - backwards);
    assert_no_energy_is_lost(&quarters, &out);
}

/// A bay that is silent for so long has said all that it has to say.
const FINAL_AFTER: Duration = Duration::from_secs(60);

/// `andon run` until it is dropped.
struct Service {
    process: Child,
    http: u16,
}

impl Service {
    fn start(folder: &Path, broker: u16) -> Service {
        let http = free_port();
        let text = format!(
            "[source]\nbroker = \"mqtt://127.0.0.1:{broker}\"\nclient_id = \"andon-recordings\"\ninflight_window = 1000\n\
             [engine]\nidle = \"3s\"\nidle_final = \"{}s\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n",
            FINAL_AFTER.as_secs(),
        );
        let source = project().join("fixtures/recordings");
        std::fs::create_dir(folder.join("rules")).expect("a folder");
        for file in ["metrics.toml", "rules/torque_nok.toml", "rules/energy_per_day.toml"] {
            std::fs::copy(source.join(file), folder.join(file)).expect("copied");
        }
        std::fs::write(folder.join("andon.toml"), text).expect("written");
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let process = Command::new(ANDON)
            .args(["run", "--config", "andon.toml"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("andon starts");
        Service { process, http }
    }

    /// Body of an answer; none while it is not there.
    fn get(&self, path: &str) -> Option<(bool, String)> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.starts_with("HTTP/1.1 200"), body.to_owned()))
    }

    fn counts(&self) -> Option<Value> {
        let (_, body) = self.get("/api/v1/status")?;
        let start = body.find('{')?;
        let status: Value = serde_json::Deserializer::from_str(&body[start..]).into_iter().next()?.ok()?;
        Some(status["counts"].clone())
    }

    /// Waits until `is_so`, for at most a minute.
    fn wait(&self, folder: &Path, what: &str, is_so: impl Fn(&Service) -> bool) {
        for _ in 0..600 {
            if is_so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("{what}: not within a minute; counts {:?}, log:\n{log}", self.counts());
    }

    /// Asks it to end, and waits.
    fn stop(mut self) -> bool {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        asked.is_ok_and(|status| status.success()) && self.process.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A recording that went through Mosquitto into `andon run`, and the journal of that through `andon replay`.
struct Published {
    sent: u64,
    /// Of the service, once it had all messages.
    counts: Value,
    /// That the replay printed, and where it wrote.
    figures: Value,
    out: PathBuf,
}

/// Publishes a recording; none where there is no Mosquitto.
fn publish(folder: &Path, recording: &Path) -> Option<Published> {
    let broker = Mosquitto::start("")?;
    let service = Service::start(folder, broker.port);
    service.wait(folder, "ready", |service| service.get("/readyz").is_some_and(|(is_ready, _)| is_ready));
    let mut publisher = Publisher::connect(broker.port);
    let mut sent = 0;
    let text = std::fs::read_to_string(recording).expect("the recording");
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).expect("a line of a recording");
        let topic = message["topic"].as_str().expect("a topic");
        publisher.publish(topic, message["payload"].to_string().as_bytes(), 1);
        sent += 1;
    }
    publisher.settle();
    service.wait(folder, "all messages", |service| {
        service.counts().is_some_and(|counts| counts["messages"].as_u64() >= Some(sent))
    });
    let counts = service.counts().expect("the status");
    let of = |names: &[&str]| names.iter().map(|name| counts[name].as_u64().expect("a count")).sum::<u64>();
    assert_eq!(of(&["messages"]), sent, "{counts}");
    assert_eq!(of(&["messages"]), of(&["decoded", "undecodable"]), "{counts}");
    assert_eq!(of(&["readings"]), of(&["applied", "duplicates", "quarantined"]), "{counts}");
    assert_eq!(of(&["events_quarantined"]), 0, "{counts}");
    println!(
        "through Mosquitto: {sent} messages = {} decoded + {} undecodable; {} readings = {} applied + {} duplicates + {} quarantined",
        counts["decoded"],
        counts["undecodable"],
        counts["readings"],
        counts["applied"],
        counts["duplicates"],
        counts["quarantined"],
    );
    // What it still waits for is final two ticks later at most.
    std::thread::sleep(FINAL_AFTER + Duration::from_secs(2));
    assert!(service.stop(), "it ends cleanly when it is asked to");

    let out = folder.join("replayed");
    let output = Command::new(ANDON)
        .args(["replay", "--config", "andon.toml", "--journal", "data/journal", "--out"])
        .arg(&out)
        .current_dir(folder)
        .output()
        .expect("andon starts");
    assert!(output.status.success(), "replay: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let figures: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_count(&figures, "messages", sent);
    Some(Published { sent, counts, figures, out })
}

/// The first `first` of a data set, so that the last message is of `until_ms`.
fn convert_until(
    until_ms: i64,
    folder: &Path,
    kind: &str,
    input: &Path,
    first: usize,
    more: &[&str],
) -> PathBuf {
    let (first, until) = (first.to_string(), until_ms.to_string());
    let arguments = [&["--first", &first, "--until", &until], more].concat();
    convert(folder, kind, input, &arguments)
}

fn now_ms() -> i64 {
    SystemClock::default().now_ms()
}

#[test]
fn a_thousand_screws_through_mosquitto_raise_what_their_labels_say() {
    const RUNS: usize = 1000;
    let Some(data) = data("screw-driving") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let input = data.join(format!("{}.csv.gz", SCREWS[0].0));
    let curves = data.join("curves");
    let curves = ["--curves", curves.to_str().expect("a path in UTF-8")];
    let recording = convert_until(now_ms(), folder.path(), "screws", &input, RUNS, &curves);
    let not_in_order =
        table(&input)[..RUNS].iter().filter(|run| run["workpiece_result"] == "NOK").count() as u64;
    assert!(not_in_order > 0, "there is something to find");
    let Some(Published { counts, figures, .. }) = publish(folder.path(), &recording) else { return };
    assert_count(&counts, "applied", RUNS as u64);
    assert_count(&counts, "on_time", RUNS as u64);
    assert_count(&counts, "duplicates", 0);
    assert_count(&counts, "exceptions", not_in_order);
    assert_count(&figures, "exceptions", not_in_order);
}

#[test]
fn two_hundred_load_cycles_through_mosquitto_are_booked_what_their_pump_drew() {
    const CYCLES: usize = 200;
    let Some(data) = data("hydraulic-rig") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let input = data.join("samples_1hz.csv.gz");
    let samples = &table(&input)[..CYCLES * 60];
    let recording = convert_until(now_ms(), folder.path(), "hydraulic", &input, CYCLES, &[]);
    let Some(Published { sent, counts, out, .. }) = publish(folder.path(), &recording) else { return };
    assert_eq!(sent, (samples.len() + 2 * CYCLES) as u64, "each second, each start and each finish");
    assert_count(&counts, "on_time", 2 * samples.len() as u64);
    assert_count(&counts, "quarantined", 0);
    assert_booked_is_what_was_drawn(samples, &out);
}

#[test]
fn twenty_days_of_a_steel_works_through_mosquitto_keep_their_energy() {
    const DAYS: usize = 20;
    const DAY_MS: i64 = 86_400_000;
    let Some(data) = data("steel-energy") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let input = data.join("energy_15min.csv.gz");
    let quarters = &table(&input)[..DAYS * 96];
    // The last quarter of an hour, whose energy comes after its day is over, begins half a minute before yesterday.
    let until_ms = now_ms().div_euclid(DAY_MS) * DAY_MS - DAY_MS + 14 * 60_000 + 30_000;
    let recording = convert_until(until_ms, folder.path(), "steel", &input, DAYS, &[]);
    let Some(Published { counts, out, .. }) = publish(folder.path(), &recording) else { return };
    let backwards = quarters.iter().filter(|quarter| is_midnight(quarter)).count() as u64;
    assert_count(&counts, "late", backwards);
    assert_count(&counts, "on_time", quarters.len() as u64 - backwards);
    assert_no_energy_is_lost(quarters, &out);
}
