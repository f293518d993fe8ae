//! The shipped configuration loads; each wrong one says what is wrong, where, and what to do.
//!
//! A case is a file `fixtures/configs/bad/NAME.toml`, or a folder `NAME` with an `andon.toml`, and what is
//! said of it in `NAME.expected`. `UPDATE_EXPECT=1` writes the expected texts anew.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pipelines::commands::check::{self, CheckArgs};
use pipelines::config::{Config, Mistake, andon_toml, functions_toml};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

fn load(path: &Path) -> Config {
    Config::load(path)
        .unwrap_or_else(|mistakes| panic!("{} has mistakes:\n{}", path.display(), lines(&mistakes)))
}

fn shipped(name: &str) -> Config {
    load(&repository().join("config").join(name))
}

/// Writes `files` into a folder of its own and loads its `andon.toml`.
fn load_texts(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Config, Vec<Mistake>>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    let loaded = Config::load(&folder.path().join("andon.toml"));
    (folder, loaded)
}

#[test]
fn the_shipped_andon_toml_is_what_the_table_of_settings_prints() {
    let path = repository().join("config/andon.toml");
    if is_updating() {
        std::fs::write(&path, andon_toml()).expect("config/andon.toml can be written");
    }
    let shipped = std::fs::read_to_string(path).expect("config/andon.toml is there");
    assert!(
        shipped == andon_toml(),
        "config/andon.toml differs from the table: UPDATE_EXPECT=1 writes it anew"
    );
}

#[test]
fn the_shipped_functions_toml_is_what_the_table_of_settings_prints() {
    let path = repository().join("config/functions.toml");
    if is_updating() {
        std::fs::write(&path, functions_toml()).expect("config/functions.toml can be written");
    }
    let shipped = std::fs::read_to_string(path).expect("config/functions.toml is there");
    assert!(shipped == functions_toml(), "config/functions.toml differs: UPDATE_EXPECT=1 writes it anew");
    let (_folder, bare) = load_texts(&[("andon.toml", "")]);
    let (_folder, whole) = load_texts(&[("andon.toml", ""), ("functions.toml", &shipped)]);
    let functions = |config: Result<Config, Vec<Mistake>>| config.expect("no mistakes").functions;
    assert_eq!(functions(bare), functions(whole), "every default is the one that holds without the file");
}

#[test]
fn the_examples_of_tables_in_the_shipped_functions_toml_hold_as_they_stand() {
    let (mut examples, mut is_example) = (String::new(), false);
    for line in functions_toml().lines() {
        let line = line.strip_prefix("# ").unwrap_or_default();
        is_example = !line.is_empty() && (is_example || (line.starts_with('[') && line.ends_with(']')));
        if is_example {
            examples.push_str(&format!("{line}\n"));
        }
    }
    let (_folder, loaded) = load_texts(&[("andon.toml", ""), ("functions.toml", &examples)]);
    let functions = loaded.unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes))).functions;
    let bern = functions.billing.of("bern");
    assert_eq!((&*bern.currency, bern.prices["oil_5w30"].unit.as_deref()), ("CHF", Some("L")));
    assert_eq!(functions.qa.of("lyon").inspectors, ["Q3"]);
    assert_eq!(functions.notification.of("lyon").milestones, ["accepted", "ready"]);
    assert_eq!(*functions.routing.flood_per_10min.of("lyon"), 20);
}

#[test]
fn every_default_in_the_shipped_file_is_the_one_that_holds_without_it() {
    let shipped = shipped("andon.toml");
    let (_folder, bare) = load_texts(&[("andon.toml", "")]);
    let mut bare = bare.expect("an empty file is all defaults");
    assert_eq!(bare.source.inflight_window, 20);
    // The shipped pair has a wider window.
    bare.source.inflight_window = 5000;
    let settings = |config: &Config| {
        let intake = format!("{:#?} {:#?} {:#?}", config.source, config.topics, config.journal);
        let rest = format!("{:#?} {:#?} {:#?}", config.engine, config.checkpoint, config.export);
        let text = format!("{intake} {rest} {:#?} {:#?}", config.store, config.http);
        text.replace(&format!("{}/", config.folder.display()), "")
    };
    assert_eq!(settings(&shipped), settings(&bare));
    assert_eq!(format!("{:?}", bare.engine), format!("{:?}", pipelines::config::EngineSettings::default()));
    assert_eq!(format!("{:?}", bare.topics), format!("{:?}", ingest::config::TopicSettings::default()));
}

#[test]
fn the_shipped_rules_and_metrics_load_without_a_warning() {
    let config = shipped("andon.toml");
    assert_eq!(lines(&config.warnings), "");
    let views = config.rules.iter().filter(|rule| rule.is_view).count();
    assert!(config.rules.len() - views >= 12 && views >= 2);
    for rule in &config.rules {
        assert_eq!(rule.file.file_stem().and_then(|stem| stem.to_str()), Some(rule.name.as_str()));
        let file = std::fs::read_to_string(&rule.file).expect("the rule's file");
        let first = rule.sql.lines().next().expect("the SQL has lines");
        assert_eq!(file.lines().nth(rule.sql_line - 1), Some(first), "sql_line of {}", rule.name);
    }
    let dispensed = config.metrics.iter().find(|metric| metric.metric == "dispensed");
    let usage = dispensed.and_then(|metric| metric.usage.as_ref()).expect("dispensed is consumption");
    assert_eq!(usage.resource, "{grade}");
}

#[test]
fn the_shipped_mosquitto_conf_bears_the_window_that_it_recommends() {
    let conf = std::fs::read_to_string(repository().join("config/mosquitto.conf")).expect("mosquitto.conf");
    assert!(conf.contains("\npersistence true\n") && conf.contains("\nmax_queued_messages 0\n"));
    let andon = "[source]\ninflight_window = 1000\nmosquitto_conf = \"mosquitto.conf\"\n";
    let (_folder, loaded) =
        load_texts(&[("andon.toml", andon), ("mosquitto.conf", &conf), ("rules/.keep", "")]);
    let config = loaded.unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)));
    assert_eq!(config.source.inflight_window, 1000);
    assert_eq!(lines(&config.warnings), "");
}

#[test]
fn the_demo_in_the_binary_is_the_one_on_the_disk() {
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    let (http, mqtt) = (address("127.0.0.1:18080"), address("127.0.0.1:11883"));
    let embedded = Config::embedded_demo(Path::new("/tmp/demo"), http, mqtt);
    let disk = shipped("demo.toml");
    assert_eq!(embedded.text, disk.text);
    assert_eq!(embedded.version, disk.version);
    assert_eq!(embedded.rules.len(), disk.rules.len());
    assert_eq!((embedded.http.listen, embedded.source.port), (http, 11883));
    assert_eq!(embedded.journal.folder, Path::new("/tmp/demo/journal"));
    assert_eq!(embedded.store.url.to_string(), "sqlite:/tmp/demo/andon.db");
}

#[test]
fn each_bad_configuration_gives_its_expected_text() {
    let folder = repository().join("fixtures/configs/bad");
    let mut cases = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("fixtures are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
            cases.insert(path);
        }
    }
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let main = if case.is_dir() { case.join("andon.toml") } else { case.clone() };
        let said = match Config::load(&main) {
            Ok(_) => "no mistake was found\n".to_owned(),
            Err(mistakes) => lines(&mistakes).replace(&format!("{}/", folder.display()), ""),
        };
        let expected = case.with_extension("expected");
        if is_updating() {
            std::fs::write(&expected, &said).expect("the expected text can be written");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if said != expected || said.starts_with("no mistake") {
            wrong.push(format!("{}\n--- expected\n{expected}--- said\n{said}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_secret_shows_neither_in_the_configuration_nor_in_a_mistake() {
    let andon = "[source]\nusername = \"andon\"\npassword = \"file:password\"\n";
    let (_folder, loaded) = load_texts(&[("andon.toml", andon), ("password", "hunter2\n")]);
    let config = loaded.expect("it loads");
    assert_eq!(config.source.password.as_ref().map(|secret| secret.0.as_str()), Some("hunter2"));
    assert!(!format!("{config:#?}").contains("hunter2"));
    let in_a_file = "[store]\nurl = \"postgres://andon@shop/andon\"\npassword = \"file:password\"\n";
    let in_the_url = "[store]\nurl = \"postgres://andon:hunter2@shop/andon\"\n";
    for store in [in_a_file, in_the_url] {
        let (_folder, loaded) =
            load_texts(&[("andon.toml", store), ("password", "hunter2\n"), ("rules/.keep", "")]);
        let config = loaded.expect("it loads");
        assert!(
            !format!("{config:#?}").contains("hunter2"),
            "neither in what is set nor in what is journaled"
        );
        let again = Config::from_text(&config.text).expect("it was checked");
        assert_eq!((&again.text, &again.version), (&config.text, &config.version));
    }
    for wrong in [
        "[source]\npassword = \"hunter2\"\n",
        "[source]\npassword = hunter2\n",
        "[source]\npassword = \"hunter2\n",
        "[source]\npassword = { text = \"hunter2\" }\n",
        "[source]\npasword = \"hunter2\"\n",
        "[source]\nbroker = \"mqtt://andon:hunter2@shop:1883\"\n",
        "[source]\nbroker = \"andon:hunter2@shop:1883\"\n",
        "[store]\nurl = \"postgres://andon:hunter2@shop:port/andon\"\n",
        "[store]\nurl = \"postgres://andon:hunter2@shop\"\n",
        "[store]\nurl = \"postgres://andon@shop/andon?password=hunter2\"\n",
        "[store]\nurl = \"postgres://andon:hunter2/?#@shop/andon\"\n",
        "[store]\nurl = \"mysql://andon:hunter2@shop/andon\"\n",
        "[store]\npassword = \"hunter2\"\n",
        "[store]\nurl = [\"postgres://andon:hunter2@shop/andon\"]\n",
        "[source]\npassword = 2\nbroker = [\"mqtt://andon:hunter2@shop\"]\n",
    ] {
        let (_folder, loaded) = load_texts(&[("andon.toml", wrong)]);
        let mistakes = loaded.expect_err(wrong);
        assert!(!format!("{mistakes:?}{}", lines(&mistakes)).contains("hunter2"), "{}", lines(&mistakes));
    }
}

#[test]
fn a_rules_version_changes_with_its_content_and_with_nothing_else() {
    let version = |text: &str| {
        let (_folder, loaded) = load_texts(&[("andon.toml", ""), ("rules/a.toml", text)]);
        loaded.unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes))).rules[0].version.clone()
    };
    let path = repository().join("config/rules/torque_out_of_spec.toml");
    let text = std::fs::read_to_string(path).expect("the rule");
    let plain = version(&text);
    assert_eq!(version(&format!("# Loosened after the trial.\n{}", text.replace("     = ", " = "))), plain);
    assert_ne!(version(&text.replace("\"critical\"", "\"high\"")), plain);
    assert_ne!(version(&text.replace("'torque'", "'angle'")), plain);
}

#[test]
fn a_board_that_the_whole_network_can_reach_is_allowed_with_a_warning() {
    let (_folder, loaded) =
        load_texts(&[("andon.toml", "[http]\nlisten = \"0.0.0.0:8080\"\n"), ("rules/.keep", "")]);
    let config = loaded.expect("it is allowed");
    assert_eq!(config.warnings.len(), 1);
    assert_eq!((config.warnings[0].line, config.warnings[0].column), (2, 10));
}

#[test]
fn a_rule_that_folds_each_row_into_many_windows_is_told_what_it_costs() {
    let rule = |select: &str, keys: &str, hop: &str| {
        let text = format!(
            "view = \"lately\"\nsql = \"SELECT window_start, bay, {keys}{select} AS v FROM hop(telemetry, ts, {hop}) \
             GROUP BY bay, {keys}window_start, window_end\"\n"
        );
        let (_folder, loaded) = load_texts(&[("andon.toml", ""), ("rules/lately.toml", &text)]);
        let config = loaded.unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)));
        let all = config
            .warnings
            .iter()
            .map(|warning| format!("{}:{} {}", warning.line, warning.column, warning.message));
        all.collect::<Vec<_>>().join("; ")
    };
    let every_5_s = "INTERVAL '5 seconds', INTERVAL '10 minutes'";
    let told = "2:8 each row is folded into 120 windows one by one, since ";
    let last = "last_value(value ORDER BY ts)";
    assert_eq!(rule(last, "", every_5_s), format!("{told}`last_value` is not kept slide by slide"));
    assert_eq!(rule("max(value)", "job, ", every_5_s), format!("{told}`job` may differ from row to row"));
    let uneven = "INTERVAL '7 seconds', INTERVAL '10 minutes'";
    let told_of_86 = told.replace("120", "86");
    assert_eq!(rule("max(value)", "", uneven), format!("{told_of_86}its size is no whole number of slides"));
    assert_eq!(rule("max(value)", "", every_5_s), "");
    assert_eq!(rule(last, "", "INTERVAL '1 minute', INTERVAL '10 minutes'"), "");
}

#[test]
fn relative_paths_start_at_the_folder_of_the_configuration() {
    let (folder, loaded) = load_texts(&[("andon.toml", "[export]\nfolder = \"/srv/export\"\n")]);
    let config = loaded.expect("it loads");
    assert_eq!(config.journal.folder, folder.path().join("data/journal"));
    assert_eq!(config.export.folder, Path::new("/srv/export"));
    assert_eq!(config.store.url.file(), Some(&*folder.path().join("data/andon.db")));
}

/// Runs `andon check`; returns exit code, stdout, stderr.
fn check(config: PathBuf, against: Option<&str>, json: bool) -> (u8, String, String) {
    let args = CheckArgs { config, against: against.map(str::to_owned), json };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = check::report(&args, &mut out, &mut errors).expect("written to memory");
    (code, String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&errors).into_owned())
}

#[test]
fn check_exits_with_0_for_the_shipped_configuration_and_sums_it_up() {
    let (code, out, errors) = check(repository().join("config/andon.toml"), None, false);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(out.starts_with("ok: configuration "), "{out}");
    assert!(out.contains("  reads workshop/{site}/{bay}/steps\n"), "{out}");
}

#[test]
fn check_counts_one_rule_as_one() {
    let rule = "rule = \"hot\"\nseverity = \"low\"\nlane = \"instant\"\nsql = \"SELECT ts, site, bay, tool, value FROM telemetry \
                WHERE metric = 'temperature' AND value > 50\"\n";
    let (folder, _) = load_texts(&[("andon.toml", ""), ("rules/hot.toml", rule)]);
    let (_, out, errors) = check(folder.path().join("andon.toml"), None, false);
    assert!(out.contains(", 1 rule, 0 views, 0 metrics, 0 assets\n"), "{out}{errors}");
}

#[test]
fn check_exits_with_78_and_all_mistakes() {
    let path = repository().join("fixtures/configs/bad/several_at_once/andon.toml");
    let (code, out, errors) = check(path.clone(), None, false);
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(errors.contains("/several_at_once/andon.toml:2:1: unknown key `source.brokr`\n"), "{errors}");
    let (code, out, _) = check(path, None, true);
    let report: serde_json::Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &report["ok"]), (78, &false.into()));
    assert_eq!(report["mistakes"][0]["line"], 2);
    let (code, _, errors) = check(repository().join("config/no_such.toml"), None, false);
    assert_eq!(code, 78);
    assert!(errors.contains("no_such.toml:1:1: the file cannot be read"), "{errors}");
}

#[test]
fn check_against_a_service_that_is_not_there_exits_with_1() {
    let (code, _, errors) = check(repository().join("config/andon.toml"), Some("http://127.0.0.1:1"), false);
    assert_eq!(code, 1);
    assert!(errors.contains("http://127.0.0.1:1 cannot be asked: it is not reachable"), "{errors}");
}
