//! A simulated shop with every fault, replayed: its exceptions come out again, changed rules differ as they must, and
//! each exception is explained.

#[path = "support/replay.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pipelines::backtest::{Change, Mode, Report, Request, backtest, json, page, text};
use pipelines::config::Config;
use pipelines::explain::{explain, json as explained_json};
use serde_json::Value;
use support::{andon, copy_config, query};

/// A replayed recording and the configuration that replayed it.
struct Shop {
    _folder: tempfile::TempDir,
    config: PathBuf,
    history: PathBuf,
    /// What the replay printed.
    exceptions: u64,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let recording = path("shop.ndjson");
    let made = andon(&[
        "simulate",
        "--out",
        &recording.display().to_string(),
        "--for",
        "45m",
        "--bays",
        "3",
        "--rate",
        "60",
        "--speed",
        "8",
        "--seed",
        "3",
        "--start",
        // Two days of folders.
        "2026-01-05T23:40:00Z",
        "--site",
        "lyon,bern",
        "--faults",
        "all",
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    disorder(&recording);
    let config = path("config");
    busy(&config, |_, text| text);
    let history = path("history");
    let done = andon(&[
        "replay",
        "--config",
        &config.join("andon.toml").display().to_string(),
        "--input",
        &recording.display().to_string(),
        "--out",
        &history.display().to_string(),
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    let figures: Value = serde_json::from_str(printed.lines().last().unwrap_or_default()).expect("JSON");
    for count in ["corrections", "late", "quarantined", "duplicates"] {
        assert!(figures[count].as_u64() > Some(50), "{count}: {figures}");
    }
    Shop {
        _folder: folder,
        config: config.join("andon.toml"),
        history,
        exceptions: figures["exceptions"].as_u64().expect("a number"),
    }
});

/// Delays every 40th message, some by more than the correction horizon.
fn disorder(recording: &Path) {
    let text = fs::read_to_string(recording).expect("a recording");
    let mut lines: Vec<(String, usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (head, rest) = line.split_once("\"tst\":\"").expect("a time");
        let (time, rest) = rest.split_at(26);
        let mut at: jiff::civil::DateTime = time.parse().expect("a time");
        if number % 40 == 7 {
            let delay_s = [15, 40, 70, 200, 600, 1_100][number / 40 % 6];
            at += jiff::SignedDuration::from_secs(delay_s);
        }
        let at = format!("{at:.6}");
        lines.push((at.clone(), number, format!("{head}\"tst\":\"{at}{rest}")));
    }
    lines.sort();
    let lines: Vec<String> = lines.into_iter().map(|(_, _, line)| line).collect();
    fs::write(recording, lines.join("\n") + "\n").expect("written");
}

/// The shipped configuration with rules that raise often, each file as `change` makes it.
fn busy(to: &Path, change: impl Fn(&str, String) -> String) {
    copy_config(to);
    for file in fs::read_dir(to.join("rules")).expect("lists").flatten() {
        if file.path().extension().is_some_and(|extension| extension == "txt") {
            fs::remove_file(file.path()).expect("removed");
        }
    }
    let more = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/backtest");
    for file in fs::read_dir(more).expect("lists").flatten() {
        fs::copy(file.path(), to.join("rules").join(file.file_name())).expect("copies");
    }
    for file in fs::read_dir(to.join("rules")).expect("lists").flatten() {
        let name = file.path().file_stem().expect("a name").to_string_lossy().into_owned();
        let text = change(&name, fs::read_to_string(file.path()).expect("a rule"));
        match text.is_empty() {
            true => fs::remove_file(file.path()).expect("removed"),
            false => fs::write(file.path(), text).expect("written"),
        }
    }
}

fn load(path: &Path) -> Config {
    Config::load_without_secrets(path).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The shop's configuration with changed rules against itself.
fn changed(mode: Mode, change: impl Fn(&str, String) -> String) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    busy(folder.path(), change);
    let (new, old) = (load(&folder.path().join("andon.toml")), load(&SHOP.config));
    compare(&new, &old, mode, None, None)
}

fn compare(new: &Config, old: &Config, mode: Mode, from_ms: Option<i64>, to_ms: Option<i64>) -> Report {
    let request = Request { new, old, history: &SHOP.history, from_ms, to_ms, rule: None, mode };
    backtest(request, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn count(sql: &str) -> u64 {
    query(&SHOP.history, sql)[0]["n"].as_u64().expect("a count")
}

#[test]
fn as_arrived_the_engines_own_exceptions_come_out_again() {
    // Another wording of each rule, so that none is taken for the same.
    let report = changed(Mode::AsArrived, |_, text| {
        let is_view = text.lines().any(|line| line.starts_with("view"));
        let is_worded = text.lines().any(|line| line.starts_with("message"));
        let reworded = |line: &str| match line.starts_with("message") {
            true => line.replacen('"', "\"Look: ", 1) + "\n",
            false => format!("{line}\n"),
        };
        let head = if is_view || is_worded { "" } else { "message = \"too much of it\"\n" };
        format!("{head}{}", text.lines().map(reworded).collect::<String>())
    });
    let stored = report.stored.as_ref().expect("history has exceptions");
    for rule in
        ["bay_silent", "gateway_offline", "torque_awaited", "bay_rests", "tool_silent", "volts_stay_low"]
    {
        let raised = format!("SELECT count(*) AS n FROM exceptions WHERE rule = '{rule}'");
        assert!(count(&raised) > 0, "{rule} goes by arrival");
    }
    assert_eq!(stored.exceptions, SHOP.exceptions);
    assert!(SHOP.exceptions > 300, "{} is few", SHOP.exceptions);
    assert!(stored.of_first_look < 5, "{stored:?}");
    assert_eq!(
        stored.same + stored.of_first_look + stored.only_stored.len() as u64,
        stored.exceptions,
        "{stored:?}"
    );
    assert_eq!(stored.other, Vec::<String>::new());
    nothing_makes_a_difference(&report);
    let counts = report.counts();
    assert_eq!((counts.added, counts.removed), (0, 0), "both ran over the same rows: {}", text(&report));
    assert!(counts.changed > 300, "{counts:?}");
    assert!(report.changes().all(|difference| difference.fields == ["message"]));

    let old = load(&SHOP.config);
    let same = compare(&old, &old, Mode::AsArrived, None, None);
    assert_eq!((same.changes().count() as u64, same.counts().same), (0, counts.of_old()));
}

/// All that history has come out again, also of a step whose end came before its start.
fn nothing_makes_a_difference(report: &Report) {
    let stored = report.stored.as_ref().expect("history has exceptions");
    assert!(stored.only_stored.is_empty() && stored.only_here.is_empty(), "{stored:?}");
    let strays = "SELECT count(*) AS n FROM quarantine WHERE reason = 'step_not_started'";
    assert!(count(strays) > 0, "some came before their start");
}

#[test]
fn a_changed_threshold_adds_exactly_the_rows_between() {
    for mode in [Mode::AsArrived, Mode::AsCorrected] {
        let report = changed(mode, |name, text| match name {
            "torque_out_of_spec" => text.replace("AND spec_max", "AND spec_max - 2"),
            _ => text,
        });
        let between = count(
            "SELECT count(*) AS n FROM telemetry WHERE metric = 'torque' AND lateness <> 'late'
               AND value > spec_max - 2 AND value <= spec_max",
        );
        let counts = report.counts();
        assert!(between > 5, "{between}");
        assert_eq!((counts.added, counts.removed, counts.changed), (between, 0, 0), "{mode:?}");
        assert!(report.changes().all(|difference| difference.outcome.rule == "torque_out_of_spec"));
        assert!(report.changes().all(|difference| difference.change == Change::Added));
    }
}

#[test]
fn as_arrived_more_patience_with_silence_raises_less_of_it() {
    let patient = |name: &str, text: String| match name {
        "torque_awaited" => text.replace("\"40s\"", "\"10h\""),
        "bay_rests" => text.replace("\"20s\"", "\"10s\""),
        _ => text,
    };
    let of_rule =
        |rule: &str| count(&format!("SELECT count(DISTINCT id) AS n FROM exceptions WHERE rule = '{rule}'"));
    let report = changed(Mode::AsArrived, patient);
    let by_rule = report.by_rule();
    assert!(of_rule("torque_awaited") > 0);
    assert_eq!(by_rule["torque_awaited"].of_new(), 0, "{}", text(&report));
    assert!(by_rule["bay_rests"].added > of_rule("bay_rests") / 2, "{}", text(&report));
    nothing_makes_a_difference(&report);

    let report = changed(Mode::AsCorrected, patient);
    assert_eq!(report.changes().count(), 0);
    let names = "bay_occupied_without_job, bay_rests, bay_silent, gateway_down, gateway_offline, step_idle, tool_silent, torque_awaited, \
                 volts_stay_low";
    assert!(report.notes.iter().any(|note| note.ends_with(names)), "{:?}", report.notes);
}

#[test]
fn as_corrected_a_rule_raises_what_its_sql_finds_in_the_whole_history() {
    let report = changed(Mode::AsCorrected, |name, text| match name {
        "lift_moves" => String::new(),
        "angle_low" => text.replace("severity = \"high\"", "severity = \"critical\""),
        _ => text,
    });
    let moves = count(
        "SELECT count(*) AS n FROM (SELECT site, bay, tool, window_start
           FROM tumble(telemetry, ts, INTERVAL '10 seconds') WHERE metric = 'lift_height' AND lateness <> 'late'
           GROUP BY site, bay, tool, window_start HAVING max(value) <> min(value))",
    );
    let low = count(
        "SELECT count(*) AS n FROM telemetry WHERE metric = 'angle' AND value < spec_min AND lateness <> 'late'",
    );
    let rules = report.by_rule();
    assert!(moves > 20 && low > 0, "{moves} {low}");
    assert_eq!((rules["lift_moves"].removed, rules["lift_moves"].of_new()), (moves, 0));
    assert_eq!((rules["angle_low"].changed, rules["angle_low"].of_old()), (low, low));
    let severity = report.changes().find(|difference| difference.change == Change::Changed);
    assert_eq!(severity.map(|difference| difference.fields.clone()), Some(vec!["severity"]));

    let said = json(&report);
    assert_eq!((said["removed"].as_u64(), said["changed"].as_u64()), (Some(moves), Some(low)));
    assert!(said["exceptions"].as_array().is_some_and(|all| all.len() as u64 == moves + low));
    let page = page(&report);
    for part in ["<svg", "lift_moves", "prefers-color-scheme: dark", "class=\"mark removed\""] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from outside");
}

/// What comes from a part of history is what the whole has of it.
#[test]
fn a_range_gives_what_the_whole_has_of_it() {
    let old = load(&SHOP.config);
    let whole = compare(&old, &old, Mode::AsCorrected, None, None);
    let (from_ms, to_ms) = (1_767_657_000_000, 1_767_657_900_000);
    let part = compare(&old, &old, Mode::AsCorrected, Some(from_ms), Some(to_ms));
    assert!(part.rows < whole.rows, "{} of {}", part.rows, whole.rows);
    let ids = |report: &Report| -> Vec<String> {
        let of_range = report.differences.iter().filter(|difference| {
            let outcome = &difference.outcome;
            (from_ms..to_ms).contains(&outcome.raised_ms)
        });
        of_range.map(|difference| difference.outcome.id.clone()).collect()
    };
    assert!(ids(&whole).len() > 20);
    assert_eq!(ids(&part), ids(&whole));
}

/// Also one of over-runs on a bay that had been silent for long before their window, of which nothing was read that told
/// so.
#[test]
fn every_exception_is_explained_and_comes_out_the_same() {
    let config = load(&SHOP.config);
    let exceptions = query(&SHOP.history, "SELECT DISTINCT id, rule FROM exceptions ORDER BY rule, id");
    assert_eq!(exceptions.len() as u64, SHOP.exceptions);
    let text = |exception: &Value, column: &str| exception[column].as_str().expect("a text").to_owned();
    for exception in &exceptions {
        let (id, rule) = (text(exception, "id"), text(exception, "rule"));
        let explained = explain(&SHOP.history, &id, Some(&config)).unwrap_or_else(|error| panic!("{error}"));
        let said = explained_json(&explained);
        assert_eq!(said["recomputed"]["same"], true, "{rule} {id}: {said:#}");
        assert_eq!(said["recomputed"]["same_version"], true);
    }
    let rules: BTreeSet<String> = exceptions.iter().map(|exception| text(exception, "rule")).collect();
    assert!(rules.len() > 10, "{rules:?}");
    assert!(rules.contains("steps_often"), "{rules:?}");
}

/// What came to site `lyon`: second of arrival, topic below the site, and the payload behind its time, with how many seconds
/// before that is.
type Came<'a> = (i64, &'a str, i64, String);

/// Replays what came under the rules of [`busy`], and says which exceptions of `steps_often` there are: each comes out
/// again as arrived, and when it is explained.
fn often(mut came: Vec<Came<'_>>) -> Vec<Value> {
    const START_MS: i64 = 1_767_656_400_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    came.sort_by_key(|(second, ..)| *second);
    let mut lines = String::new();
    for (seq, (second, topic, before_s, rest)) in came.iter().enumerate() {
        let arrived = jiff::Timestamp::from_second(START_MS / 1000 + second).expect("a time");
        let ts_ms = START_MS + (second - before_s) * 1000;
        let payload = format!("{{\"ts\":{ts_ms},\"seq\":{seq},\"boot\":1,{rest}}}");
        lines += &format!(
            "{{\"tst\":\"{}.000000+0000\",\"topic\":\"workshop/lyon/{topic}\",\"qos\":1,\"retain\":0,\"payloadlen\":{},\
             \"payload\":{payload}}}\n",
            arrived.strftime("%Y-%m-%dT%H:%M:%S"),
            payload.len()
        );
    }
    fs::write(path("came.ndjson"), lines).expect("written");
    busy(&path("config"), |_, text| text);
    busy(&path("reworded"), |_, text| {
        text.replace("rule = \"steps_often\"", "rule = \"steps_often\"\nmessage = \"many\"")
    });
    let config = path("config/andon.toml");
    let [file, input, history] =
        [&config, &path("came.ndjson"), &path("history")].map(|path| path.display().to_string());
    let done = andon(&["replay", "--config", &file, "--input", &input, "--out", &history]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let history = path("history");

    let (new, old) = (load(&path("reworded/andon.toml")), load(&config));
    let (from_ms, to_ms, rule) = (None, None, Some("steps_often"));
    let request =
        Request { new: &new, old: &old, history: &history, from_ms, to_ms, rule, mode: Mode::AsArrived };
    let report = backtest(request, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let stored = report.stored.as_ref().expect("history has exceptions");
    assert!(stored.same > 0 && stored.same == stored.exceptions, "{stored:?}");
    assert!(stored.only_here.is_empty() && stored.other.is_empty(), "{stored:?}");

    let sql = "SELECT DISTINCT id, value FROM exceptions WHERE rule = 'steps_often' ORDER BY id";
    let exceptions = query(&history, sql);
    for exception in &exceptions {
        let id = exception["id"].as_str().expect("an id");
        let explained = explain(&history, id, Some(&old)).unwrap_or_else(|error| panic!("{error}"));
        let said = explained_json(&explained);
        assert_eq!(said["recomputed"]["same"], true, "{said:#}");
    }
    exceptions
}

/// A lift that says something each second.
fn lift(bay: &str, seconds: impl Iterator<Item = i64>) -> Vec<Came<'_>> {
    let said = "\"metrics\":{\"lift_height\":0},\"units\":{\"lift_height\":\"m\"}";
    seconds.map(|second| (second, bay, 0, said.to_owned())).collect()
}

fn step(step: &str, event: &str) -> String {
    format!("\"job\":\"J000001\",\"step\":\"{step}\",\"technician\":\"T01\",\"event\":\"{event}\"")
}

#[test]
fn a_finish_that_came_before_its_start_counted_at_once_as_arrived() {
    let mut came = lift("bay-02/lift-02/telemetry", 0..800);
    let steps = "bay-02/steps";
    came.extend([(10, steps, 0, step("S01", "started")), (15, steps, 0, step("S01", "finished"))]);
    // When their window closes one has no start yet, and is nothing; once it has, both are.
    came.extend([(510, steps, 0, step("S02", "finished")), (720, steps, 230, step("S02", "started"))]);
    let exceptions = often(came);
    assert_eq!(exceptions.len(), 1, "in no window is there one alone: {exceptions:?}");
}

#[test]
fn what_became_of_a_job_on_no_bay_was_never_told_as_arrived() {
    let mut came = lift("bay-02/lift-02/telemetry", 0..800);
    came.extend(lift("bay-01/lift-01/telemetry", (1..60).chain(240..800)));
    let card = |second: i64, job: u32| {
        let rest = format!(
            "\"job\":\"J00000{job}\",\"customer\":\"C1\",\"vehicle\":\"V1\",\"service\":\"brakes\",\"steps\":[{{\"step\":\"S01\",\
             \"operation\":\"change_pads\",\"standard_s\":600,\"skills\":[\"mechanic\"],\"expect\":[],\"resources\":[]}}]"
        );
        (second, "jobs", 0, rest)
    };
    // The first bay of the site falls silent with two of them told, and the third comes later.
    came.extend([card(61, 2), card(63, 3), card(110, 4)]);
    let exceptions = often(came);
    assert_eq!(exceptions.len(), 1, "{exceptions:?}");
    assert_eq!(exceptions[0]["value"], 2.0);
}
