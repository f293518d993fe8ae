//! A simulated day through `andon replay`, judged by DuckDB, and what bad recordings come to.

#[path = "support/replay.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use support::{andon, config, out_of, query, replay};

/// All faults of a shop whose technicians clock: of what nobody clocks no step is judged.
const CLOCKED: &str = "nok_torque,stuck_sensor,fast_clock,offline_gateway,duplicate,malformed,overrun,silent_tool,\
                       over_dispense,missed_joint";

#[test]
fn duckdb_recomputes_joins_usage_windows_and_exceptions_and_finds_them_equal() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("day.ndjson");
    let made = andon(&[
        "simulate",
        "--out",
        &recording.display().to_string(),
        "--for",
        "90m",
        "--bays",
        "12",
        "--rate",
        "60",
        "--seed",
        "3",
        "--faults",
        CLOCKED,
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let figures = replay(&recording, &folder.path().join("out"), &[]);
    let judged = std::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge/judge.py"))
        .args([folder.path().join("out"), recording])
        .arg(figures.to_string())
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    println!("{said}");
    assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
}

#[test]
fn a_shop_without_faults_does_all_that_its_cards_expect_and_a_missed_joint_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let checks = |faults: &str| {
        let recording = folder.path().join(format!("{faults}.ndjson"));
        let path = recording.display().to_string();
        let made = andon(&[
            "simulate", "--out", &path, "--for", "90m", "--bays", "6", "--rate", "5", "--faults", faults,
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let out = folder.path().join(faults);
        replay(&recording, &out, &[]);
        let counts = query(
            &out,
            "SELECT count(expected) AS expected, sum(missing) AS missing, sum(surplus) AS surplus FROM checks",
        );
        let raised = query(
            &out,
            "SELECT rule, count(DISTINCT id) AS count FROM exceptions WHERE rule LIKE 'readings_%' GROUP BY rule",
        );
        (counts, raised)
    };
    let (counts, raised) = checks("none");
    assert!(counts[0]["expected"].as_u64() > Some(10), "{counts:?}");
    assert_eq!((&counts[0]["missing"], &counts[0]["surplus"]), (&0.into(), &0.into()), "{counts:?}");
    assert!(raised.is_empty(), "{raised:?}");
    let (counts, raised) = checks("missed_joint");
    assert_eq!(counts[0]["missing"], raised[0]["count"], "{counts:?} {raised:?}");
    assert_eq!((raised.len(), &raised[0]["rule"]), (1, &"readings_missing".into()), "{raised:?}");
}

#[test]
fn the_same_recording_gives_the_same_hashes_and_another_seed_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = |name: &str, seed: &str| {
        let path = folder.path().join(name);
        let path_text = path.display().to_string();
        let made = andon(&[
            "simulate", "--out", &path_text, "--for", "5m", "--bays", "3", "--seed", seed, "--faults", "all",
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        path
    };
    let (one, two) = (record("one.ndjson", "1"), record("two.ndjson.zst", "2"));
    let first = replay(&one, &folder.path().join("out1"), &[]);
    let again = replay(&one, &folder.path().join("out2"), &[]);
    let other = replay(&two, &folder.path().join("out3"), &[]);
    assert_eq!(first["output_hash"], again["output_hash"]);
    assert_eq!(first["state_hash"], again["state_hash"]);
    assert_ne!(first["output_hash"], other["output_hash"]);
}

/// Views: name, columns that tell windows apart beside `window_start`, query.
const VIEWS: [(&str, &[&str], &str); 7] = [
    (
        "by_tumble",
        &["site", "bay", "tool", "metric"],
        "SELECT site, bay, tool, metric, window_start, count(*) AS n, sum(value) AS total, avg(value) AS mean, \
         stddev(value) AS spread, max(value) AS most FROM tumble(telemetry, ts, INTERVAL '30 seconds') \
         GROUP BY site, bay, tool, metric, window_start, window_end",
    ),
    (
        "by_hop_and_job",
        &["site", "job", "metric"],
        "SELECT site, job, metric, window_start, count(*) AS n, sum(value) AS total, var_pop(value) AS spread, \
         max(spec_max) AS limit FROM hop(telemetry, ts, INTERVAL '20 seconds', INTERVAL '1 minute') \
         GROUP BY site, job, metric, window_start, window_end",
    ),
    (
        "by_session",
        &["site", "bay", "tool", "metric"],
        "SELECT site, bay, tool, metric, window_start, window_end, count(*) AS n, sum(value) AS total, \
         avg(value) AS mean, median(value) AS middle \
         FROM session(telemetry, ts, INTERVAL '25 seconds', site, bay, tool, metric) WHERE metric <> 'voltage' \
         GROUP BY site, bay, tool, metric, window_start, window_end",
    ),
    (
        "by_session_of_jobs",
        &["site", "job"],
        "SELECT site, job, window_start, window_end, count(*) AS n, count(DISTINCT bay) AS bays, sum(value) AS total \
         FROM session(telemetry, ts, INTERVAL '9 seconds', site, job) GROUP BY site, job, window_start, window_end",
    ),
    (
        "by_step",
        &["site", "bay", "job", "step", "metric"],
        "SELECT site, bay, job, step, metric, window_start, window_end, count(*) AS n, sum(value) AS total, \
         stddev(value) AS spread, last_value(value ORDER BY ts) AS last FROM per_step(telemetry) \
         GROUP BY site, bay, job, step, metric, window_start, window_end",
    ),
    (
        "by_shift",
        &["site", "bay", "metric"],
        "SELECT site, bay, metric, window_start, window_end, count(*) AS n, sum(value) AS total, avg(value) AS mean, \
         percentile(value, 0.9) AS high FROM shift(telemetry, ts) \
         GROUP BY site, bay, metric, window_start, window_end",
    ),
    (
        "by_day_of_jobs",
        &["site", "job", "metric"],
        "SELECT site, job, metric, window_start, window_end, count(*) AS n, sum(value) AS total FROM day(telemetry, ts) \
         GROUP BY site, job, metric, window_start, window_end",
    ),
];

/// Shifts of a quarter of an hour with a break of five minutes before each third.
fn short_shifts() -> String {
    let shift = |quarter: u32| {
        let time = |minute: u32| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
        let rest = if quarter.is_multiple_of(3) { 5 } else { 0 };
        format!("\"{}-{}\"", time(quarter * 15 + rest), time(quarter * 15 + 15))
    };
    let shifts: Vec<String> = (0..96).map(shift).collect();
    format!("[default]\nzone = \"Asia/Kathmandu\"\nshifts = [{}]\n", shifts.join(", "))
}

/// The newest final word on each window, as JSON, sorted. What was withdrawn is a window without readings.
fn newest_of_view(history: &std::path::Path, view: &str, keys: &[&str]) -> Vec<String> {
    let mut newest: BTreeMap<String, (u64, serde_json::Value)> = BTreeMap::new();
    for mut row in query(history, &format!("SELECT * FROM {view}")) {
        let fields = row.as_object_mut().expect("a row is an object");
        fields.remove("row_id");
        fields.remove("date");
        let revision = fields.remove("revision").and_then(|value| value.as_u64()).expect("a revision");
        if fields.remove("final") != Some(true.into()) {
            continue;
        }
        let key: Vec<String> =
            keys.iter().chain(&["window_start"]).map(|key| row[*key].to_string()).collect();
        let newer = newest.get(&key.join("/")).is_none_or(|(before, _)| *before < revision);
        if newer {
            newest.insert(key.join("/"), (revision, row));
        }
    }
    let rows = newest.into_values().map(|(_, row)| row).filter(|row| row["n"] != 0);
    let mut rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    rows.sort();
    rows
}

#[test]
fn views_of_the_stream_are_what_their_text_says_over_the_exports_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("shift.ndjson").display().to_string();
    let made = andon(&[
        "simulate", "--out", &recording, "--for", "40m", "--bays", "6", "--rate", "50", "--seed", "11",
        "--faults", "all",
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    support::copy_config(folder.path());
    for (name, _, sql) in VIEWS {
        let text = format!("view = \"{name}\"\nsql = \"{sql}\"\n");
        fs::write(folder.path().join(format!("rules/{name}.toml")), text).expect("writes");
    }
    fs::write(folder.path().join("calendar.toml"), short_shifts()).expect("writes");
    let (config, out) = (folder.path().join("andon.toml").display().to_string(), folder.path().join("out"));
    let replayed =
        out_of(&["replay", "--config", &config, "--input", &recording, "--out", &out.display().to_string()]);
    assert_eq!(replayed.0, Some(0), "{}", replayed.1);
    for (name, keys, sql) in VIEWS {
        let told = newest_of_view(&out, name, keys);
        let history = out.display().to_string();
        let asked = andon(&["query", "--config", &config, "--history", &history, "--json", sql]);
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&asked.stdout).expect("rows as JSON");
        let mut asked: Vec<String> = rows.iter().map(ToString::to_string).collect();
        asked.sort();
        assert!(asked.len() > 10, "{name}: only {} windows", asked.len());
        let differing = told.iter().zip(&asked).find(|(told, asked)| told != asked);
        assert_eq!(differing, None, "{name}: {} windows told, {} asked", told.len(), asked.len());
        assert_eq!(told.len(), asked.len(), "{name}");
        let columns: BTreeSet<String> = rows.iter().flat_map(columns_of).collect();
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        let newest = format!(
            "SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY {}, window_start ORDER BY revision DESC) \
             AS place FROM {name} WHERE final) WHERE place = 1 AND n > 0",
            keys.join(", ")
        );
        let hash = |sql: &str| {
            let done = andon(&["query", "--config", &config, "--history", &history, "--format", "hash", sql]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).trim().to_owned()
        };
        let batch = hash(&format!("SELECT {columns} FROM ({sql})"));
        assert_eq!(batch.len(), 64, "{batch}");
        assert_eq!(hash(&newest), batch, "{name}: one hash of the stream's rows and of the batch's");
    }
}

/// A step goes on, its readings are told, and then two ends of it arrive that are five and six minutes old.
#[test]
fn a_step_that_ended_late_has_the_same_readings_in_sql_as_in_the_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |at: u32, ts: u32, topic: &str, rest: &str| {
        let time = |second: u32| format!("2026-01-05T07:{:02}:{:02}", second / 60, second % 60);
        format!(
            r#"{{"tst":"{}.000000+0000","topic":"workshop/lyon/bay-01/{topic}","qos":1,"retain":0,"payloadlen":1,"payload":{{"ts":"{}Z",{rest}}}}}"#,
            time(at),
            time(ts)
        )
    };
    let reading = |at| line(at, at, "tq-1/telemetry", r#""metric":"torque","value":87.5,"unit":"N.m""#);
    let step = |at, ts, event| {
        line(at, ts, "steps", &format!(r#""job":"J1","step":"S1","technician":"T1","event":"{event}""#))
    };
    let mut lines = vec![step(1, 1, "started")];
    lines.extend((1..60).map(|ten| reading(ten * 10)));
    lines.extend([step(601, 300, "finished"), step(602, 240, "finished"), step(603, 603, "started")]);
    lines.extend((61..70).map(|ten| reading(ten * 10)));
    lines.push(step(701, 701, "failed"));
    lines.extend((71..180).map(|ten| reading(ten * 10)));
    let recording = folder.path().join("late.ndjson");
    fs::write(&recording, lines.join("\n")).expect("writes");
    support::copy_config(folder.path());
    let (name, keys, sql) = VIEWS.iter().find(|(name, ..)| *name == "by_step").expect("one of them");
    let text = format!("view = \"{name}\"\nsql = \"{sql}\"\n");
    fs::write(folder.path().join(format!("rules/{name}.toml")), text).expect("writes");
    let (config, out) = (folder.path().join("andon.toml").display().to_string(), folder.path().join("out"));
    let (input, history) = (recording.display().to_string(), out.display().to_string());
    let replayed = out_of(&["replay", "--config", &config, "--input", &input, "--out", &history]);
    assert_eq!(replayed.0, Some(0), "{}", replayed.1);
    let asked = andon(&["query", "--config", &config, "--history", &history, "--json", sql]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&asked.stdout).expect("rows as JSON");
    let mut asked: Vec<String> = rows.iter().map(ToString::to_string).collect();
    asked.sort();
    assert_eq!(newest_of_view(&out, name, keys), asked);
    let spans: Vec<_> = rows.iter().map(|row| (row["n"].as_u64(), row["window_end"].as_str())).collect();
    // Those of the last 40 seconds before the late end had not been told.
    let expected = [(Some(55), Some("2026-01-05T07:04:00Z")), (Some(9), Some("2026-01-05T07:11:41Z"))];
    assert_eq!(BTreeSet::from_iter(spans), BTreeSet::from(expected), "{rows:?}");
}

/// Names of a row's columns, as SQL takes them whatever they mean to it.
fn columns_of(row: &serde_json::Value) -> Vec<String> {
    row.as_object().into_iter().flat_map(|row| row.keys().map(|name| format!("\"{name}\""))).collect()
}

/// A recording of bad lines between good ones: each bad one has its row in quarantine, and nothing else is lost.
#[test]
fn bad_messages_end_in_quarantine_and_the_good_ones_between_them_are_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = |second: u32| {
        format!(
            r#"{{"tst":"2026-01-05T07:00:{second:02}.000000+0000","topic":"workshop/lyon/bay-01/tq-1/telemetry","qos":1,"retain":0,"payloadlen":1,"payload":{{"ts":"2026-01-05T07:00:{second:02}Z","metric":"torque","value":87.5,"unit":"N.m","seq":{second}}}}}"#
        )
    };
    let bad = |second: u32, topic: &str, payload: &str| {
        format!(
            r#"{{"tst":"2026-01-05T07:00:{second:02}.500000+0000","topic":"{topic}","qos":1,"retain":0,"payloadlen":1,"payload":{payload}}}"#
        )
    };
    let telemetry = "workshop/lyon/bay-01/tq-1/telemetry";
    let steps = "workshop/lyon/bay-01/steps";
    let huge = format!("\"{}\"", "x".repeat(10 << 20));
    let lines = [
        good(1),
        "this is no JSON".to_owned(),
        good(2),
        bad(2, telemetry, &huge),
        bad(3, "workshop/lyon", r#"{"ts":1}"#),
        good(4),
        bad(4, telemetry, r#"{"ts":"2026-01-05T07:00:04Z","metric":"torque","value":NaN}"#),
        bad(5, telemetry, r#"{"ts":0,"metric":"torque","value":1}"#),
        bad(6, telemetry, r#"{"ts":"2027-01-05T07:00:04Z","metric":"torque","value":1}"#),
        bad(7, telemetry, r#"{"ts":"2026-01-05T07:00:07Z","metric":"torque","value":1,"unit":"furlong"}"#),
        bad(8, telemetry, r#"{"ts":"2026-01-05T07:00:08Z","metric":"torque","value":1,"unit":"bar"}"#),
        bad(9, telemetry, r#""{\"ts\":""#),
        bad(10, steps, r#"{"ts":"2026-01-05T07:00:10Z","job":"J1","step":"S1","event":"finished"}"#),
        bad(11, steps, r#"{"ts":"2026-01-05T07:00:11Z","job":"J1","step":"S2","event":"started"}"#),
        bad(12, steps, r#"{"ts":"2026-01-05T07:00:12Z","job":"J1","step":"S3","event":"started"}"#),
        good(13),
    ];
    let recording = folder.path().join("bad.ndjson");
    fs::write(&recording, lines.join("\n")).expect("writes");
    let out = folder.path().join("out");
    let figures = replay(&recording, &out, &[]);
    assert_eq!(figures["messages"], lines.len());
    assert_eq!(figures["rows"], 4, "every good reading is applied: {figures}");
    assert_eq!(figures["undecodable"], 4, "no line, too large, no topic, cut JSON: {figures}");
    assert_eq!(figures["quarantined"], 5, "NaN, 1970, next year, unknown unit, other dimension: {figures}");
    assert_eq!(figures["events_quarantined"], 1, "a finish without a start: {figures}");
    let reasons = query(&out, "SELECT reason FROM quarantine ORDER BY message");
    let expected = [
        "not_a_recording_line",
        "too_large",
        "unknown_topic",
        "non_finite_value",
        "ts_too_old",
        "ts_ahead",
        "unknown_unit",
        "wrong_dimension",
        "not_json",
        "step_not_started",
    ];
    let found: Vec<&str> = reasons.iter().filter_map(|row| row["reason"].as_str()).collect();
    assert_eq!(found, expected);
    let overlaps = query(&out, "SELECT rule, message FROM exceptions WHERE rule = 'step_overlap'");
    assert_eq!(overlaps.len(), 1, "two steps at once on a bay are an exception: {overlaps:?}");
}

#[test]
fn a_line_without_a_time_is_refused_with_its_place_and_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("raw.ndjson");
    fs::write(&recording, r#"{"ts":1767596400000,"metric":"torque","value":1}"#).expect("writes");
    let refused = out_of(&[
        "replay",
        "--config",
        &config(),
        "--input",
        &recording.display().to_string(),
        "--out",
        &folder.path().join("out").display().to_string(),
    ]);
    assert_eq!(refused.0, Some(1));
    assert!(refused.1.contains("raw.ndjson:1") && refused.1.contains("--topic"), "{}", refused.1);
    let taken =
        replay(&recording, &folder.path().join("taken"), &["--topic", "workshop/lyon/bay-01/tq-1/telemetry"]);
    assert_eq!(taken["rows"], 1);
}

#[test]
fn a_rule_with_an_unknown_column_or_a_syntax_error_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    support::copy_config(folder.path());
    for (sql, expected) in [
        ("SELECT site, pressure FROM telemetry", "pressure"),
        ("SELECT site FROM telemetry WHERE", "syntax error"),
    ] {
        let rule = format!(
            "rule = \"broken\"\nseverity = \"low\"\nmessage = \"m\"\nresponse = \"r\"\nsql = \"{sql}\"\n"
        );
        fs::write(folder.path().join("rules/broken.toml"), rule).expect("writes");
        let checked = out_of(&["check", "--config", &folder.path().join("andon.toml").display().to_string()]);
        assert_eq!(checked.0, Some(78), "{}", checked.1);
        assert!(checked.1.contains("broken.toml:5:") && checked.1.contains(expected), "{}", checked.1);
    }
}
