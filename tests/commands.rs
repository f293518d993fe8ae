//! What commands print, say and refuse: into pipes (`| head -1`), without rows, from half a journal.

#[path = "support/replay.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ingest::config::JournalSettings;
use ingest::entry::{Entry, IntakeBuilder};
use ingest::journal::Journal;
use ingest::storage::DiskStorage;
use support::{andon, config, out_of, query};

/// What a shell gives for a tool that SIGPIPE ended, such as `cat` or `sort`.
const NOBODY_READS: i32 = 141;

/// Runs `andon`, reads one line (or none) and closes the pipe: exit code, what was read, what was said of it.
fn head(arguments: &[&str], lines: usize) -> (Option<i32>, Vec<String>, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_andon"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("andon starts");
    let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
    let read = stdout.lines().take(lines).map(|line| line.expect("text")).collect();
    let done = process.wait_with_output().expect("it ends");
    (done.status.code(), read, String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Ten minutes of a small shop.
fn record(folder: &Path) -> String {
    let recording = folder.join("shop.ndjson").display().to_string();
    let made = andon(&["simulate", "--out", &recording, "--bays", "2", "--rate", "60"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    recording
}

#[test]
fn what_is_no_use_of_a_command_exits_with_2_and_the_remedy() {
    for (arguments, said) in [
        (vec!["simulate", "--out", "-", "--rate", "0"], "write a number from 0.01 to 10000000"),
        (vec!["simulate", "--out", "-", "--speed", "NaN"], "write a number from 0.01 to 1000"),
        (vec!["demo", "--rate", "nan"], "write a number from"),
        (vec!["replay", "--out", "x"], "--input"),
        (vec!["no_such_command"], "unrecognized subcommand"),
    ] {
        let output = andon(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_a_command_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(folder.path());
    let out = folder.path().join("out").display().to_string();
    let config = config();
    let (code, _, said) = head(&["replay", "--config", &config, "--input", &recording, "--out", &out], 0);
    assert_eq!((code, said.as_str()), (Some(NOBODY_READS), ""), "replay");
    let rows = query(Path::new(&out), "SELECT count(*) AS rows FROM telemetry");
    assert!(rows[0]["rows"].as_u64().is_some_and(|rows| rows > 10_000), "all of it is there: {rows:?}");

    for format in ["csv", "json", "table"] {
        let sql = "SELECT * FROM telemetry";
        let (code, read, said) = head(&["query", "--history", &out, "--format", format, sql], 1);
        assert_eq!((code, said.as_str(), read.len()), (Some(NOBODY_READS), "", 1), "query as {format}");
    }
    let (code, read, said) = head(&["simulate", "--out", "-", "--for", "8h"], 1);
    assert_eq!((code, said.as_str()), (Some(NOBODY_READS), ""), "simulate");
    assert!(read[0].starts_with("{\"tst\":"), "{read:?}");
    let (code, _, said) = head(&["check", "--config", &config], 0);
    assert_eq!((code, said.as_str()), (Some(NOBODY_READS), ""), "check");
}

#[test]
fn a_recording_on_stdout_is_the_one_that_a_file_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = std::fs::read(record(folder.path())).expect("a recording");
    let printed = andon(&["simulate", "--out", "-", "--bays", "2", "--rate", "60"]);
    assert!(printed.status.success() && printed.stdout == recording);
    let said = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(said.contains(" messages in -, written in "), "{said}");
}

#[test]
fn an_answer_without_rows_has_its_head() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    std::fs::write(folder.path().join("none.ndjson"), "").expect("writes");
    let recording = folder.path().join("none.ndjson").display().to_string();
    let made = andon(&["replay", "--config", &config(), "--input", &recording, "--out", &out]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let sql = "SELECT bay, count(*) AS readings FROM telemetry GROUP BY bay";
    let printed = andon(&["query", "--history", &out, "--format", "csv", sql]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "bay,readings\n");
}

/// A journal of `entries` entries of ten readings each and a minute of silence, without the segments before
/// entry `from`. Returns the ordinals of the first message in it and of the next.
fn journal(folder: &Path, entries: u64, from: u64) -> (u64, u64) {
    let settings = JournalSettings {
        folder: folder.to_owned(),
        segment_bytes: 4096,
        commit_interval: Duration::from_millis(5),
        commit_bytes: 1024,
    };
    let (mut journal, _) = Journal::open(Arc::new(DiskStorage), &settings).expect("opens");
    for _ in 0..entries {
        let first = journal.next_message();
        let mut intake = IntakeBuilder::new();
        for message in first..first + 10 {
            let ts_ms = 1_767_596_400_000 + 100 * message as i64;
            let payload = format!(r#"{{"ts":{ts_ms},"metric":"torque","value":87,"seq":{message}}}"#);
            intake.push("workshop/lyon/bay-01/tq-1/telemetry", payload.as_bytes(), ts_ms);
        }
        journal.append(&Entry::Intake(intake.finish(first))).expect("appends");
    }
    let quiet = Entry::Tick { first_ms: 1_767_596_441_000, last_ms: 1_767_596_500_000 };
    journal.append(&quiet).expect("appends");
    journal.sync().expect("syncs");
    journal.trim(ingest::time::Offset(from)).expect("trims");
    let next = journal.next_message();
    drop(journal);
    (Journal::open_read_only(folder).expect("opens").recovered().first_message, next)
}

#[test]
fn a_trimmed_journal_was_replayed_from_its_middle_without_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let replay = |journal: &str, out: &str, more: &[&str]| {
        let (config, journal, out) = (config(), path(journal), path(out));
        let arguments = ["replay", "--config", &config, "--journal", &journal, "--out", &out];
        andon(&[arguments.as_slice(), more].concat())
    };
    let rows = |out: &str| {
        query(&folder.path().join(out), "SELECT count(*) AS rows FROM telemetry")[0]["rows"].clone()
    };

    let (first, next) = journal(&folder.path().join("trimmed"), 40, 20);
    assert!(first > 1 && next == 401);
    let refused = replay("trimmed", "out", &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("begins at message {first} (entry ")), "{said}");
    assert!(said.contains("a recording of it all, or add --partial"), "{said}");
    assert!(!folder.path().join("out").exists(), "what is refused leaves nothing behind");

    let partial = replay("trimmed", "out", &["--partial"]);
    let said = String::from_utf8_lossy(&partial.stderr).into_owned();
    assert!(partial.status.success() && said.contains("warning: "), "{said}");
    assert_eq!(rows("out"), next - first);

    journal(&folder.path().join("whole"), 40, 0);
    let whole = replay("whole", "all", &["--partial"]);
    assert!(whole.status.success() && whole.stderr.is_empty(), "{}", String::from_utf8_lossy(&whole.stderr));
    assert_eq!(rows("all"), 400);
    let none = out_of(&["replay", "--config", &config(), "--journal", &path("none"), "--out", &path("new")]);
    assert!(none.0 == Some(1) && none.1.contains("there is no journal in"), "{}", none.1);
}

#[test]
fn lift_overload_had_no_limit_to_compare_with_in_the_simulated_shop() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recording, out) = (record(folder.path()), folder.path().join("out"));
    support::replay(Path::new(&recording), &out, &[]);
    let limits = query(
        &out,
        "SELECT metric, spec_max, count(*) AS rows FROM telemetry WHERE metric LIKE 'lift_load_%'
         GROUP BY metric, spec_max ORDER BY metric",
    );
    let limits: Vec<_> = limits.iter().map(|row| (&row["metric"], &row["spec_max"])).collect();
    let rated = serde_json::json!(["lift_load_left", "lift_load_right", 1750.0]);
    assert_eq!(limits, [(&rated[0], &rated[2]), (&rated[1], &rated[2])]);
}
