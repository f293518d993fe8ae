//! Files of each version of each durable format stay readable: `fixtures/formats/NAME-VERSION`.
//!
//! The bytes that this program writes for the same content are held against the newest of them, so a layout that changes
//! without another version is found here. When that fails, or a layout is to change:
//!
//! 1. Raise the version in the format's code and its table of bytes at the head of its module.
//! 2. Leave the folder of the version before as it is. Read it still, or refuse it with what to do: say here which.
//! 3. `UPDATE_EXPECT=1` with this test writes a folder for the new version. It never writes over what is there.
//!
//! A version that never left this repository may be written anew: remove its folder first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use arrow::util::display::array_value_to_string;
use ingest::config::JournalSettings;
use ingest::entry::command::{Order, What};
use ingest::entry::{Change, Command, Entry, IntakeBuilder};
use ingest::journal::{Journal, Place};
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Epoch, Offset};

use crate::backup::{Contents, Copied};
use crate::checkpoint::{Checkpoint, CheckpointFolder};
use crate::config::Config;
use crate::engine::Engine;
use crate::mirror::Identity;
use crate::mirror::chunk::Chunk;
use crate::mirror::head::{Head, Lease};
use crate::mirror::manifest::{Manifest, Offered};
use crate::mirror::store::{FolderStore, Store};
use crate::wire;

const AT_MS: i64 = 1_772_445_600_000;

/// A folder of `fixtures/formats`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats").join(name)
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

/// Holds a file's bytes against those that are written now.
fn is_as_written(file: &str, written: &[u8]) {
    let path = fixture(file);
    if is_updating() && !path.exists() {
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(&path, written).expect("written");
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; UPDATE_EXPECT=1 writes what is not there", path.display())
    });
    assert!(
        bytes == written,
        "{} is no longer what is written for the same content: see the head of this test for what to do",
        path.display()
    );
}

fn settings(folder: &Path) -> JournalSettings {
    JournalSettings {
        folder: folder.to_owned(),
        segment_bytes: 1 << 20,
        commit_interval: Duration::from_millis(5),
        commit_bytes: 1 << 18,
    }
}

/// One of each kind.
fn entries() -> Vec<Entry> {
    let mut intake = IntakeBuilder::new();
    intake.push("workshop/lyon/bay-01/steps", br#"{"ts":1772445600000}"#, AT_MS);
    intake.push("workshop/lyon/bay-01/tq-1/telemetry", b"\xff\x00", AT_MS + 1);
    intake.push("workshop/lyon/bay-01/steps", b"", AT_MS + 2);
    let mut replayed = IntakeBuilder::new();
    replayed.push("workshop/lyon/bay-01/steps", b"{}", AT_MS - 1_000);
    let what = What::Replay {
        record: "3f2a91c4".into(),
        origin: 2,
        metric: Some("torque".into()),
        reason: Some("mended".into()),
    };
    let order = Order { actor: "T17".into(), key: "7c1".into(), what };
    let shelve = What::Shelve { exception: "e1".into(), reason: "in repair".into(), duration_s: 3_600 };
    let mut nothing = IntakeBuilder::new();
    let shelve = Order { actor: "T17".into(), key: "7c2".into(), what: shelve };
    let changed = Change { readings_from: Some(Offset(3)), waits_for_history: false };
    let configuration = |change| {
        let (engine, text) = ("0.1.0".to_owned(), "[source]\n".to_owned());
        Entry::Configuration { engine, text, change }
    };
    vec![
        configuration(None),
        Entry::Generation { generation: 3, writer: "5f1c.9a".into() },
        Entry::Intake(intake.finish(1)),
        Entry::Command(Command { at_ms: AT_MS + 5, ..Command::new(&order, replayed.finish(4)) }),
        Entry::Command(Command { at_ms: AT_MS + 6, ..Command::new(&shelve, nothing.finish(5)) }),
        Entry::Tick { first_ms: AT_MS + 1_000, last_ms: AT_MS + 4_000 },
        Entry::Cut { epoch: Epoch(1), at_ms: AT_MS + 4_100 },
        configuration(Some(changed)),
    ]
}

/// Those that came later than the segment.
#[test]
fn entries_that_fill_windows() {
    let change = Some(Change { readings_from: Some(Offset(3)), waits_for_history: true });
    let (engine, text) = ("0.1.0".to_owned(), "[source]\n".to_owned());
    let changed = Entry::Configuration { engine, text, change };
    let filling = Entry::Filling { until_message: 4, windows: vec![1, 2, 3].into() };
    for (name, entry) in [("changed", changed), ("filling", filling)] {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        is_as_written(&format!("entries-01/{name}"), &bytes);
        assert_eq!(Entry::decode(bytes.into()), Ok(entry));
    }
}

fn segment_name() -> String {
    format!("{:020}.journal", 1)
}

#[test]
fn a_segment_of_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    let (mut journal, _) = Journal::open(storage, &settings(folder.path())).expect("opens");
    for entry in entries() {
        journal.append(&entry).expect("appends");
        journal.sync().expect("syncs");
    }
    drop(journal);
    let mut bytes = std::fs::read(folder.path().join(segment_name())).expect("a segment");
    // Nothing but zeroes follows, and a shorter file is one as well.
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    bytes.truncate(end.next_multiple_of(8));
    is_as_written(&format!("journal-01/{}", segment_name()), &bytes);

    let read = Journal::open_read_only(fixture("journal-01")).expect("opens");
    assert_eq!((read.recovered().next_message, read.recovered().last_epoch), (5, Epoch(1)));
    let read: Vec<Entry> =
        read.read(Offset(1)).expect("reads").map(|entry| entry.expect("an entry").1).collect();
    assert_eq!(read, entries());
}

#[test]
fn a_segment_of_a_version_to_come_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = std::fs::read(fixture("journal-01").join(segment_name())).expect("a segment");
    bytes[6..8].copy_from_slice(b"02");
    let checksum = crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    let path = folder.path().join(segment_name());
    std::fs::write(&path, &bytes).expect("written");
    let error =
        Journal::open(Arc::new(DiskStorage), &settings(folder.path())).expect_err("newer").to_string();
    assert!(error.contains("`ANDONJ02`") && error.contains("start the Andon that wrote it"), "{error}");
    assert_eq!(std::fs::read(&path).expect("a segment"), bytes);
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

fn checkpoint() -> Checkpoint {
    let receipts = [("parquet", r#"{"files":[],"brought":{}}"#), ("sqlite", r#"{"epochs":{}}"#)];
    let receipts =
        receipts.map(|(sink, receipt)| (sink.to_owned(), sinks::sink::Receipt(receipt.to_owned())));
    Checkpoint {
        epoch: 2,
        resume_at: 300,
        version: "0.1.0".into(),
        engine: (0..=255).collect(),
        receipts: receipts.into_iter().collect(),
    }
}

#[test]
fn a_checkpoint() {
    let name = format!("checkpoint-{:020}.andon", 2);
    is_as_written(&format!("checkpoint-01/{name}"), &checkpoint().encode().expect("written"));
    let folder = CheckpointFolder::open(Arc::new(DiskStorage), &fixture("checkpoint-01"), 3).expect("opens");
    assert_eq!(folder.newest().expect("reads"), Some(checkpoint()));
}

/// A shop with a rule and a view, so that there is state of windows and of exceptions.
fn shop() -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("andon.toml", "[engine]\nlateness = \"1s\"\n"),
        (
            "metrics.toml",
            "[metrics.torque]\nunit = \"N.m\"\n[metrics.energy]\nunit = \"kW.h\"\nusage = { resource = \"electricity\", \
             kind = \"counter\" }\n",
        ),
        (
            "rules/too_tight.toml",
            "rule = \"too_tight\"\nseverity = \"high\"\nkind = \"condition\"\nsql = \"SELECT ts, site, bay, tool, value \
             FROM telemetry WHERE metric = 'torque' AND value > 87\"\n",
        ),
        (
            "rules/per_minute.toml",
            "view = \"per_minute\"\nsql = \"SELECT site, bay, window_start, window_end, count(*) AS joints, \
             sum(value) AS total FROM tumble(telemetry, ts, INTERVAL '1 minute') GROUP BY site, bay, window_start, \
             window_end\"\n",
        ),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    let config = Config::load(&folder.path().join("andon.toml"));
    (folder, config.unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

/// An engine in the middle of work: a step, a window, an exception, a gap and a repeat, and what waits for its watermark.
fn at_work(config: &Config) -> Engine {
    let mut engine = wire::engine(config).expect("the rules compile");
    let (mut out, mut first) = (Vec::new(), 1);
    let mut say = |engine: &mut Engine, at_ms: i64, messages: &[(&str, String)]| {
        let mut intake = IntakeBuilder::new();
        messages.iter().for_each(|(topic, payload)| intake.push(topic, payload.as_bytes(), at_ms));
        engine.apply(&Entry::Intake(intake.finish(first)), &mut out).expect("applies");
        first += messages.len() as u64;
        let second_ms = (at_ms + 999) / 1_000 * 1_000;
        engine.apply(&Entry::Tick { first_ms: second_ms, last_ms: second_ms }, &mut out).expect("applies");
    };
    let step =
        format!(r#"{{"ts":{AT_MS},"job":"J1","step":"S1","technician":"T1","event":"started","seq":1}}"#);
    let card = format!(
        r#"{{"ts":{AT_MS},"job":"J1","customer":"C1","contact":{{"channel":"mail","address":"ann@example.com"}},"steps":[{{"step":"S1","operation":"wheel","expect":[{{"metric":"torque","min":80,
        "max":95,"count":5}}],"resources":[{{"resource":"oil","quantity":4.2,"unit":"L"}}]}}]}}"#
    );
    let asset = r#"{"asset":"tq-1","kind":"torque_tool","bay":"bay-01"}"#.to_owned();
    let told =
        [("workshop/lyon/jobs", card), ("workshop/lyon/bay-01/steps", step), ("workshop/lyon/assets", asset)];
    say(&mut engine, AT_MS, &told);
    for seq in [1, 2, 2, 5, 6] {
        let ts_ms = AT_MS + seq * 700;
        let payload = format!(
            r#"{{"ts":{ts_ms},"metric":"torque","value":{},"seq":{seq},"boot":7,"tags":{{"joint":"J0{seq}"}}}}"#,
            86 + seq
        );
        say(&mut engine, ts_ms, &[("workshop/lyon/bay-01/tq-1/telemetry", payload)]);
    }
    for (seq, value) in [(1, 40.0), (2, 40.5)] {
        let ts_ms = AT_MS + 4_500 + seq * 10;
        let payload = format!(r#"{{"ts":{ts_ms},"metric":"energy","value":{value},"seq":{seq}}}"#);
        say(&mut engine, ts_ms, &[("workshop/lyon/bay-01/meter/telemetry", payload)]);
    }
    let later = format!(r#"{{"ts":{},"metric":"energy","value":41,"seq":3}}"#, AT_MS + 5_600);
    say(&mut engine, AT_MS + 5_600, &[("workshop/lyon/bay-01/meter/telemetry", later)]);
    let booking = format!(r#"{{"ts":{},"resource":"oil","quantity":4,"unit":"L","seq":1}}"#, AT_MS + 4_000);
    say(&mut engine, AT_MS + 4_900, &[("workshop/lyon/bay-01/usage", booking)]);
    engine
}

/// The same, and on another bay somebody who does not clock.
fn with_nobody_clocked(config: &Config) -> Engine {
    let mut engine = at_work(config);
    let mut intake = IntakeBuilder::new();
    let at_ms = AT_MS + 6_000;
    let card = format!(
        r#"{{"ts":{at_ms},"job":"J2","steps":[{{"step":"S1","expect":[{{"metric":"torque","count":2}}]}}]}}"#
    );
    intake.push("workshop/lyon/jobs", card.as_bytes(), at_ms);
    for (ts_ms, tags) in [(at_ms, r#","tags":{"job":"J2","step":"S1"}"#), (at_ms + 2_000, "")] {
        let payload = format!(r#"{{"ts":{ts_ms},"metric":"torque","value":86{tags}}}"#);
        intake.push("workshop/lyon/bay-02/tq-2/telemetry", payload.as_bytes(), ts_ms);
    }
    engine.apply(&Entry::Intake(intake.finish(100)), &mut Vec::new()).expect("applies");
    tick(&mut engine, AT_MS + 8_000);
    engine
}

fn tick(engine: &mut Engine, at_ms: i64) {
    let tick = Entry::Tick { first_ms: at_ms, last_ms: at_ms };
    engine.apply(&tick, &mut Vec::new()).expect("applies");
}

/// The same, and what was used is of a lot, or nobody's.
fn with_a_ledger(config: &Config) -> Engine {
    let mut engine = with_nobody_clocked(config);
    let mut intake = IntakeBuilder::new();
    let at_ms = AT_MS + 8_100;
    let booking = format!(r#"{{"ts":{at_ms},"resource":"oil","quantity":0.25,"unit":"L","lot":"D-7"}}"#);
    intake.push("workshop/lyon/bay-01/usage", booking.as_bytes(), at_ms);
    for (bay, ts_ms, value) in
        [("bay-02", 0, 7.0), ("bay-02", 10, 7.5), ("bay-02", 1_500, 8.0), ("bay-01", 1_500, 41.0)]
    {
        let payload = format!(r#"{{"ts":{},"metric":"energy","value":{value}}}"#, at_ms + ts_ms);
        intake.push(&format!("workshop/lyon/{bay}/meter/telemetry"), payload.as_bytes(), at_ms + ts_ms);
    }
    engine.apply(&Entry::Intake(intake.finish(200)), &mut Vec::new()).expect("applies");
    tick(&mut engine, AT_MS + 10_000);
    engine
}

/// The same, and the wrench with the open exception is in calibration.
fn with_a_tool_out_of_service(config: &Config) -> Engine {
    let mut engine = with_a_ledger(config);
    let (site, tool) = ("lyon".to_owned(), "tq-1".to_owned());
    let what = What::OutOfService { site, tool, reason: "in calibration".to_owned() };
    let order = Order { actor: "Q1".to_owned(), key: "out-1".to_owned(), what };
    let mut command = Command::new(&order, IntakeBuilder::new().finish(300));
    command.at_ms = AT_MS + 10_100;
    engine.apply(&Entry::Command(command), &mut Vec::new()).expect("applies");
    engine
}

/// The same, and a view that is new waits for what history tells of the steps before.
fn with_windows_that_wait(config: &Config) -> (tempfile::TempDir, Config, Engine) {
    let mut engine = with_a_tool_out_of_service(config);
    let (folder, _) = shop();
    let view = "view = \"of_steps\"\nsql = \"SELECT site, bay, job, window_start, window_end, sum(value) AS total FROM \
                per_step(telemetry) GROUP BY site, bay, job, window_start, window_end\"\n";
    std::fs::write(folder.path().join("rules/of_steps.toml"), view).expect("written");
    let changed = Config::load(&folder.path().join("andon.toml"));
    let changed = changed.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let change = Some(Change { readings_from: None, waits_for_history: true });
    let entry = Entry::Configuration { engine: "0.1.0".to_owned(), text: changed.text.clone(), change };
    engine.apply(&entry, &mut Vec::new()).expect("applies");
    (folder, changed, engine)
}

/// The same, and a card has come by which the step goes on for longer than it should.
fn with_an_overrun(config: &Config) -> (tempfile::TempDir, Config, Engine) {
    let (folder, changed, mut engine) = with_windows_that_wait(config);
    let at_ms = AT_MS + 10_200;
    let card = format!(
        r#"{{"ts":{at_ms},"job":"J1","customer":"C1","steps":[{{"step":"S1","operation":"wheel","standard_s":1,
        "expect":[{{"metric":"torque","min":80,"max":95,"count":5}}]}}]}}"#
    );
    let mut intake = IntakeBuilder::new();
    intake.push("workshop/lyon/jobs", card.as_bytes(), at_ms);
    engine.apply(&Entry::Intake(intake.finish(400)), &mut Vec::new()).expect("applies");
    tick(&mut engine, AT_MS + 60_000);
    (folder, changed, engine)
}

/// The same, and a job waits for its first step, as it may for an hour, and another is on two bays; a rule knows how often tools
/// report, and which bays are open.
fn with_a_promise(config: &Config) -> (tempfile::TempDir, Config, Engine) {
    let (folder, _, mut engine) = with_an_overrun(config);
    let rule = "rule = \"quiet\"\nseverity = \"low\"\nsilent_after = \"90s\"\nsilent_intervals = 3\nwhile = \"open\"\n\
                sql = \"SELECT site, bay, tool FROM telemetry WHERE metric = 'energy'\"\n";
    std::fs::write(folder.path().join("rules/quiet.toml"), rule).expect("written");
    let changed = Config::load(&folder.path().join("andon.toml"));
    let changed = changed.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let change = Some(Change { readings_from: None, waits_for_history: true });
    let entry = Entry::Configuration { engine: "0.1.0".to_owned(), text: changed.text.clone(), change };
    engine.apply(&entry, &mut Vec::new()).expect("applies");
    let at_ms = AT_MS + 60_100;
    let mut intake = IntakeBuilder::new();
    let mut say = |topic: &str, payload: String| intake.push(topic, payload.as_bytes(), at_ms);
    say("workshop/lyon/bay-01/status", format!(r#"{{"ts":{at_ms},"open":true}}"#));
    say("workshop/lyon/bay-01/meter/telemetry", format!(r#"{{"ts":{at_ms},"metric":"energy","value":42}}"#));
    for bay in ["bay-02", "bay-03"] {
        let step = format!(r#"{{"ts":{at_ms},"job":"J3","step":"{bay}","event":"started"}}"#);
        say(&format!("workshop/lyon/{bay}/steps"), step);
    }
    let promised_ms = AT_MS + 2 * 3_600_000;
    say(
        "workshop/lyon/jobs",
        format!(
            r#"{{"ts":{at_ms},"job":"J2","promised":{promised_ms},"steps":[{{"step":"S1","standard_s":3600,"expect":[]}}]}}"#
        ),
    );
    engine.apply(&Entry::Intake(intake.finish(500)), &mut Vec::new()).expect("applies");
    tick(&mut engine, AT_MS + 61_000);
    (folder, changed, engine)
}

fn restored(config: &Config, version: u8) -> Engine {
    let bytes = std::fs::read(fixture(&format!("state-{version}/state"))).expect("a state");
    let mut restored = wire::engine(config).expect("the rules compile");
    restored.restore(config, &bytes).expect("restores");
    restored
}

/// The bytes must be what their restoring gives back: what a field means is in them.
#[test]
fn the_engines_state() {
    let (_folder, config) = shop();
    let (_changed_folder, config, mut written) = with_a_promise(&config);
    is_as_written("state-18/state", &written.snapshot().expect("a state"));
    let both = (written.snapshot().expect("a state"), written.state_hash().expect("a hash"));
    assert_eq!(written.snapshot_and_hash().expect("a state"), both);
    let mut restored = restored(&config, 18);
    assert_eq!(restored.state_hash().expect("a hash"), written.state_hash().expect("a hash"));
    assert_eq!(restored.filling(), written.filling());
    assert_eq!(restored.filling().expect("a view waits").rules, ["of_steps"]);
    assert_eq!(restored.missing().missing, 2);
    assert_eq!(restored.exceptions_open(), 1);
    let jobs = restored.functions().job_views();
    let inferred = jobs.iter().flat_map(|job| &job.steps).find_map(|step| step.inferred_from.as_deref());
    assert_eq!(inferred, Some("tags, expected readings"));
    let lines = restored.state_lines().expect("a state");
    let of = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((of("lots "), of("unassigned "), of("out of service lyon/tq-1")), (2, 1, 1));
    assert_eq!(of("overran "), 1);
    assert_eq!((of("promise "), of("double "), of("usual quiet "), of("opening ")), (1, 1, 1, 1));
    assert!(
        lines.iter().any(|line| line.starts_with("lots ") && line.contains("Some(\"D-7\")")),
        "{lines:#?}"
    );
}

/// Version 11 did not keep what cards ask of tools, for whom nobody clocks: its cards say it at the next tick. Neither it
/// nor version 12 kept a ledger, none before 14 a tool that is out of service, and none before 15 what it had told of each
/// hour.
#[test]
fn a_state_of_a_version_before_is_read_still() {
    let (_folder, config) = shop();
    let beside_the_ledger = |engine: &mut Engine| -> Vec<String> {
        let mut lines = engine.state_lines().expect("a state");
        let is_of_it =
            |line: &String| ["lots ", "unassigned ", "told "].iter().any(|of| line.starts_with(of));
        lines.retain(|line| !is_of_it(line));
        lines
    };
    let before = [(11, at_work(&config)), (12, with_nobody_clocked(&config)), (13, with_a_ledger(&config))];
    let before = before.into_iter().chain([(14, with_a_tool_out_of_service(&config))]);
    for (version, mut written) in before {
        let mut restored = restored(&config, version);
        assert_eq!(restored.missing().missing, 2);
        assert_eq!(restored.exceptions_open(), 1);
        for engine in [&mut restored, &mut written] {
            tick(engine, AT_MS + 11_000);
        }
        assert_eq!(beside_the_ledger(&mut restored), beside_the_ledger(&mut written), "{version}");
        let bytes = std::fs::read(fixture(&format!("state-{version}/state"))).expect("a state");
        assert_eq!(crate::engine::configuration_of(&bytes).expect("a configuration"), config.text);
    }
}

/// Version 15 has told of no step that it takes too long; neither it nor version 16 knows when promises are at risk, and
/// looks for that at the next tick. Version 17 has the names of windows' groups in full, as often as they stand there.
#[test]
fn a_state_of_a_version_without_overruns_promises_or_names_told_once_is_read_still() {
    let (_folder, config) = shop();
    let before = [(15, with_windows_that_wait(&config)), (16, with_an_overrun(&config))];
    for (version, made) in before.into_iter().chain([(17, with_a_promise(&config))]) {
        let (_changed_folder, config, mut written) = made;
        let mut restored = restored(&config, version);
        for engine in [&mut restored, &mut written] {
            tick(engine, AT_MS + 61_000);
        }
        assert_eq!(restored.state_lines().expect("a state"), written.state_lines().expect("a state"));
        assert_eq!(restored.filling(), written.filling());
    }
}

/// What was booked by then is in its rows, of no lot and from messages that nobody knows.
#[test]
fn a_ledger_begins_with_what_an_older_state_had_booked() {
    let (_folder, config) = shop();
    let mut restored = restored(&config, 12);
    let mut intake = IntakeBuilder::new();
    let at_ms = AT_MS + 9_000;
    let step = format!(r#"{{"ts":{at_ms},"job":"J1","step":"S1","event":"finished","seq":2}}"#);
    intake.push("workshop/lyon/bay-01/steps", step.as_bytes(), at_ms);
    let later = format!(r#"{{"ts":{},"metric":"energy","value":41,"seq":4}}"#, at_ms + 1_500);
    intake.push("workshop/lyon/bay-01/meter/telemetry", later.as_bytes(), at_ms + 1_500);
    let mut out = Vec::new();
    restored.apply(&Entry::Intake(intake.finish(200)), &mut out).expect("applies");
    let second_ms = AT_MS + 11_000;
    restored.apply(&Entry::Tick { first_ms: second_ms, last_ms: second_ms }, &mut out).expect("applies");
    let told = |stream: &str| -> Vec<(String, f64)> {
        let of_stream = out.iter().filter(|emission| &*emission.stream == stream);
        of_stream
            .flat_map(|emission| {
                let column = |name: &str| emission.rows.column_by_name(name).expect("a column").clone();
                let quantity = column("quantity").as_primitive::<Float64Type>().clone();
                let resource = column("resource");
                (0..emission.rows.num_rows())
                    .map(|row| {
                        let name = array_value_to_string(&resource, row).expect("a text");
                        (name, quantity.value(row))
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(told("ledger"), told("usage"));
    assert_eq!(told("ledger"), [("electricity".to_owned(), 1.0), ("oil".to_owned(), 4.0)]);
}

#[test]
fn a_state_of_another_version_is_refused_with_what_to_do() {
    let (_folder, config) = shop();
    let bytes = |version: u8| std::fs::read(fixture(&format!("state-{version:02}/state"))).expect("a state");
    let mut newer = bytes(18);
    newer[0] = 19;
    let before = [9, 10].map(|version| (version, bytes(version), "those between"));
    let cases = before.into_iter().chain([(19, newer, "start the Andon that wrote it")]);
    for (version, bytes, words) in cases {
        let mut engine = wire::engine(&config).expect("the rules compile");
        let error = engine.restore(&config, &bytes).expect_err("another version").to_string();
        assert!(error.contains(&format!("version {version}")) && error.contains(words), "{error}");
        let error = crate::engine::configuration_of(&bytes).expect_err("another version").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_manifest_of_a_backup() {
    let contents = Contents {
        format: 1,
        version: "0.1.0".into(),
        at_ms: AT_MS,
        epoch: 2,
        resume_at: 300,
        state_hash: "51c0".into(),
        exports: true,
        first_offset: 1,
        next_offset: 320,
        next_message: 4_712,
        files: vec![Copied { path: "store/andon.db".into(), bytes: 102_400, hash: "9f3c".into() }],
    };
    is_as_written("backup-01/manifest", contents.text().as_bytes());
    assert_eq!(Contents::read(&fixture("backup-01")).expect("reads"), contents);
}

fn manifest() -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        epoch: 2,
        resume_at: 300,
        generation: 3,
        writer: "5f1c.9a".into(),
        engine: "0.1.0".into(),
        state_hash: "51c0".into(),
        configuration: "[source]\n".into(),
        parts: Vec::new(),
    }
}

fn lease() -> Lease {
    Lease {
        format: Lease::FORMAT,
        generation: 3,
        writer: "5f1c.9a".into(),
        beat: 17,
        lease_ms: 2_000,
        chunk: 41,
        mirrored: 49,
        mirrored_message: 0,
        lag_entries: 2,
        lag_messages: 0,
        lag_bytes: 0,
        lag_seconds: 0.25,
    }
}

/// Chunks, a checkpoint with its manifest, `HEAD` and `lease`, and the note that a region keeps beside its journal.
#[test]
fn a_mirror() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(mirror());
}

async fn mirror() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = FolderStore::new(folder.path().to_owned());
    let place = Place { offset: Offset(41), next_message: 1, last_at_ms: Some(AT_MS), last_epoch: Epoch(0) };
    let chunk = Chunk { place, generation: 3, writer: "5f1c.9a".into(), entries: entries() };
    let head = Head::new("c1a2", 41, 3);
    head.clone().make(&written).await.expect("made");
    lease().write(&written).await.expect("written");
    written.put(&Chunk::name(Offset(41)), chunk.encode()).await.expect("put");
    let content = checkpoint().encode().expect("written");
    Offered { manifest: manifest(), content: content.clone().into() }.put(&written).await.expect("put");
    let identity = Identity {
        node: "5f1c".into(),
        generation: 3,
        writer: "5f1c.9a".into(),
        claims_from: None,
        shown: 300,
        cluster: "c1a2".into(),
    };
    identity.write(&(Arc::new(DiskStorage) as Arc<dyn Storage>), folder.path()).expect("written");
    let manifest_name = format!("checkpoints/{:020}/manifest", 2);
    let part_name = format!("checkpoints/{:020}/part-{:010}-{:06}", 2, 3, 0);
    let written = |name: &str| std::fs::read(folder.path().join(name)).expect("it is there");
    for name in ["HEAD", "lease", &Chunk::name(Offset(41)), &manifest_name, &part_name] {
        is_as_written(&format!("mirror-01/{name}"), &written(name));
    }
    // The first notes had no hash, and are read still.
    is_as_written("mirror-02/mirror", &written("mirror"));

    let store = FolderStore::new(fixture("mirror-01"));
    assert_eq!(Head::read(&store).await.expect("reads"), Some(head));
    assert_eq!(Lease::read(&store).await.expect("reads"), Some(lease()));
    let bytes = store.get(&Chunk::name(Offset(41))).await.expect("reads").expect("it is there");
    assert_eq!(Chunk::decode(&bytes, Offset(41)), Ok(chunk));
    let read = Manifest::newest(&store).await.expect("reads").expect("it is there");
    assert_eq!(Manifest { parts: Vec::new(), ..read.clone() }, manifest());
    assert_eq!(read.content(&store).await.expect("whole"), content);
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    for version in ["mirror-01", "mirror-02"] {
        let read = Identity::read(&storage, &fixture(version)).expect("reads");
        assert_eq!(read.as_ref(), Some(&identity), "{version}");
    }
    for changed in [("5f1c.9a", "5f1c.9b"), ("\"shown\"", "\"shewn\""), ("300", "301")] {
        let text = String::from_utf8(written("mirror")).expect("text").replacen(changed.0, changed.1, 1);
        std::fs::write(folder.path().join("mirror"), text).expect("written");
        let error = Identity::read(&storage, folder.path()).expect_err("damaged").to_string();
        assert!(error.contains("is damaged") && error.contains("--standby"), "{error}");
        identity.write(&storage, folder.path()).expect("written");
    }
}
