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
    journal.trim(ingest::time::Offset(from), 0).expect("trims");
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

fn test_rules(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let config = folder.join("andon.toml").display().to_string();
    let output = andon(&[&["test", "--config", &config], more].concat());
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code(), said)
}

/// A folder with one rule and its scenario, whose last line is `expected`.
fn coolant(limit: u8, expected: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    std::fs::write(folder.path().join("andon.toml"), "[source]\nbroker = \"mqtt://127.0.0.1:1883\"\n")
        .expect("written");
    let rule = format!(
        "rule = \"coolant_hot\"\nseverity = \"high\"\nsql = \"\"\"\n\
         SELECT site, bay, tool, window_start, window_end, avg(value) AS value\n\
         FROM hop(telemetry, ts, INTERVAL '5 seconds', INTERVAL '10 seconds')\nWHERE metric = 'temperature'\n\
         GROUP BY site, bay, tool, window_start, window_end\nHAVING avg(value) > {limit}\n\"\"\"\n"
    );
    std::fs::write(rules.join("coolant_hot.toml"), rule).expect("written");
    let scenario = format!(
        "# Too hot, and nothing was said of it since.\nrules coolant_hot\n\
         in 10:00:01 lyon/bay-01/mill-1 temperature 97 unit=Cel\ntick 10:00:02\n{expected}"
    );
    std::fs::write(rules.join("coolant_hot.txt"), scenario).expect("written");
    folder
}

#[test]
fn the_shipped_rules_have_scenarios_that_come_out() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let (code, said) = test_rules(&shipped, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" scenarios, 0 failed"), "{said}");
    assert!(!said.contains("without a scenario"), "{said}");
}

#[test]
fn a_rule_that_says_something_else_fails_its_scenario_at_the_line() {
    let raised = "out exceptions rule=coolant_hot bay=bay-01 tool=mill-1 raised=10:00:05 state=active value=97 \
                  message=\"coolant hot\"\n";
    let right = coolant(95, raised);
    assert_eq!(test_rules(right.path(), &[]).0, Some(0), "{}", test_rules(right.path(), &[]).1);

    let short = coolant(95, "out exceptions rule=coolant_hot value=97 message=\"coolant hot\"\n");
    assert_eq!(test_rules(short.path(), &[]).0, Some(0), "the columns that matter are enough");
    let other = coolant(95, "out exceptions rule=coolant_hot value=98\n");
    assert_eq!(test_rules(other.path(), &[]).0, Some(1));

    let changed = coolant(99, raised);
    let (code, said) = test_rules(changed.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("coolant_hot.txt:5:1: expected and not told:\n  out exceptions rule=coolant_hot"),
        "{said}"
    );

    let unwritten = coolant(95, "");
    let (code, said) = test_rules(unwritten.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("coolant_hot.txt:5:1: told and not expected:\n  out exceptions"), "{said}");
    assert_eq!(test_rules(unwritten.path(), &["--update"]).0, Some(0));
    let written =
        std::fs::read_to_string(unwritten.path().join("rules/coolant_hot.txt")).expect("it is there");
    assert!(written.ends_with(raised), "{written}");
    assert_eq!(test_rules(unwritten.path(), &[]).0, Some(0));
}

#[test]
fn a_line_that_means_nothing_and_a_rule_that_is_not_there_are_named() {
    let folder = coolant(95, "in 10:0x:01 lyon/bay-01/mill-1 temperature 97\nin soon\nwait 5\n");
    let (code, said) = test_rules(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    for wrong in [
        "coolant_hot.txt:5:1: `10:0x:01` is no time: write 10:00:00, 10:00:00.250 or +1d/10:00:00",
        "coolant_hot.txt:6:1: `soon` has fewer than 4 words",
        "coolant_hot.txt:7:1: `wait` begins no line of a scenario",
    ] {
        assert!(said.contains(wrong), "{wrong}: {said}");
    }
    std::fs::write(folder.path().join("rules/coolant_hot.txt"), "rules coolant_cold\n").expect("written");
    let (code, said) = test_rules(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("coolant_hot.txt:1:1: there is no rule `coolant_cold`"), "{said}");
    std::fs::remove_file(folder.path().join("rules/coolant_hot.txt")).expect("removed");
    let (code, said) = test_rules(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no scenario beside the rules"), "{said}");
}

/// Runs a command that is to fail: its exit code is 1, and it says all of `said`.
fn refused(arguments: &[&str], said: &[&str]) {
    let (code, error) = out_of(arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {error}");
    for part in said {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_backtest_that_has_nothing_to_compare_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recording, out) = (record(folder.path()), folder.path().join("out"));
    support::replay(Path::new(&recording), &out, &[]);
    let (config, history) = (config(), out.display().to_string());
    let backtest = |history: &str, more: &[&str], said: &[&str]| {
        let arguments = ["backtest", "--config", &config, "--against", &config, "--history", history];
        refused(&[arguments.as_slice(), more].concat(), said);
    };
    let nothing = folder.path().join("nothing").display().to_string();
    backtest(&nothing, &[], &["there is no history in", "what `andon replay --out` wrote, with --history"]);
    backtest(
        &history,
        &["--rule", "tool_drft"],
        &["neither configuration has a rule `tool_drft`", "did you mean `tool_drift`?"],
    );
    let (from, to) = ("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z");
    backtest(
        &history,
        &["--from", from, "--to", to],
        &["holds no rows from 2027-01-01T00:00:00Z", "choose --from and --to"],
    );
    backtest(
        &history,
        &["--from", to, "--to", from],
        &["is not after --from", "give the earlier time with --from"],
    );

    // A stream with the columns of another.
    let other = folder.path().join("other");
    let part = "date=2026-01-05/site=lyon";
    std::fs::create_dir_all(other.join("telemetry").join(part)).expect("a folder");
    let steps =
        std::fs::read_dir(out.join("steps").join(part)).expect("steps").flatten().next().expect("a file");
    std::fs::copy(steps.path(), other.join("telemetry").join(part).join("part-000001.parquet"))
        .expect("copied");
    let said = ["has no column `tool`: it is no export of this version", "of this version has written"];
    backtest(&other.display().to_string(), &[], &said);

    // Readings that were not kept.
    std::fs::remove_dir_all(out.join("telemetry")).expect("removed");
    backtest(&history, &[], &["holds no readings to judge", "`telemetry = true` in [export]"]);
    let kept = andon(&[
        "backtest",
        "--config",
        &config,
        "--against",
        &config,
        "--history",
        &history,
        "--rule",
        "step_overrun",
        "--json",
    ]);
    assert!(kept.status.success() && kept.stderr.is_empty(), "{}", String::from_utf8_lossy(&kept.stderr));
    let said: serde_json::Value = serde_json::from_slice(&kept.stdout).expect("one JSON object");
    assert_eq!((&said["added"], &said["mode"]), (&serde_json::json!(0), &serde_json::json!("as-corrected")));
}

#[test]
fn an_exception_is_found_by_the_beginning_of_its_id_and_an_unknown_one_by_its_neighbours() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recording, out) = (folder.path().join("shop.ndjson"), folder.path().join("out"));
    let made = andon(&[
        "simulate",
        "--out",
        &recording.display().to_string(),
        "--for",
        "40m",
        "--speed",
        "10",
        "--faults",
        "all",
    ]);
    assert!(made.status.success());
    support::replay(&recording, &out, &[]);
    let (config, history) = (config(), out.display().to_string());
    let id = query(&out, "SELECT id FROM exceptions WHERE rule LIKE 'torque%' ORDER BY raised LIMIT 1");
    let id = id[0]["id"].as_str().expect("an id");
    let explain =
        |id: &str, more: &[&str]| andon(&[["explain", id, "--history", &history].as_slice(), more].concat());
    let done = explain(&id[..8], &["--config", &config]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success() && said.contains(id) && said.contains("Recomputed from history, the same:"),
        "{said}"
    );
    let done = explain(id, &["--config", &config, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one JSON object");
    assert_eq!(
        (&said["id"], &said["recomputed"]["same"]),
        (&serde_json::json!(id), &serde_json::json!(true))
    );

    // Other rules: of another version, and none.
    let tried = folder.path().join("tried");
    support::copy_config(&tried);
    let rule = said["rule"].as_str().expect("a rule");
    let file = tried.join(format!("rules/{rule}.toml"));
    let text = std::fs::read_to_string(&file).expect("a rule");
    let other = |line| if str::starts_with(line, "response") { "response = \"Look at it\"" } else { line };
    let text: Vec<&str> = text.lines().map(other).collect();
    std::fs::write(&file, text.join("\n")).expect("written");
    let tried_config = tried.join("andon.toml").display().to_string();
    let done = explain(id, &["--config", &tried_config]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("The rule is another now: version ") && said.contains("the same: "), "{said}");
    std::fs::remove_file(&file).expect("removed");
    let done = explain(id, &["--config", &tried_config]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        said.contains(&format!("Not recomputed: the configuration has no rule `{rule}` any more")),
        "{said}"
    );

    let wrong = format!("{}zzz", &id[..5]);
    refused(
        &["explain", &wrong, "--history", &history],
        &["there is no exception", &format!("ids like it are {id}")],
    );
    refused(&["explain", &id[..5], "--history", &history], &["is too short", "at least 6 characters"]);
    let nothing = folder.path().join("nothing").display().to_string();
    refused(&["explain", id, "--history", &nothing], &["there are no exceptions in", "with --history"]);
}
