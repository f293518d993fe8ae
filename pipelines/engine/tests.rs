//! The engine as a whole, where a story in text would say too little.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::util::display::array_value_to_string;
use ingest::entry::{Entry, IntakeBuilder};
use sinks::emission::Emission;
use sinks::view::{ExpectedView, ReadingView};

use super::Engine;
use super::tiles::Tiles;
use crate::config::Config;
use crate::wire;

const AT_MS: i64 = 1_772_445_600_000;

fn engine() -> Engine {
    let any = "127.0.0.1:0".parse().expect("an address");
    let config = Config::embedded_demo(Path::new("/nowhere"), any, any);
    wire::engine(&config).expect("the demo's rules compile")
}

fn say(engine: &mut Engine, first: u64, messages: &[(String, String)]) -> Vec<Emission> {
    let mut intake = IntakeBuilder::new();
    for (topic, payload) in messages {
        intake.push(topic, payload.as_bytes(), AT_MS);
    }
    let mut out = Vec::new();
    engine.apply(&Entry::Intake(intake.finish(first)), &mut out).expect("applies");
    out
}

#[test]
fn readings_of_one_huge_element_with_an_impossible_time_do_not_copy_it_once_each() {
    let filler = "x".repeat(600_000);
    let payload = format!(
        r#"{{"ts":{},"metrics":{{"torque":1,"angle":2,"current":3}},"filler":"{filler}"}}"#,
        AT_MS + 86_400_000
    );
    let topic = "workshop/lyon/bay-01/tq-1/telemetry".to_owned();
    let told = say(&mut engine(), 1, &[(topic, payload)]);
    let quarantine = told.iter().find(|emission| *emission.stream == *"quarantine").expect("it is there");
    let payloads = quarantine.rows.column_by_name("payload").expect("a column").as_binary::<i32>().clone();
    let bytes: Vec<usize> = (0..payloads.len()).map(|row| payloads.value(row).len()).collect();
    assert_eq!(
        bytes,
        [64 * 1024, 0, 0],
        "each reading has its row, the first one the beginning of the message"
    );
}

#[test]
fn in_a_flood_the_list_keeps_what_matters_most() {
    let mut engine = engine();
    let offline = |bay: usize| {
        let topic = format!("workshop/lyon/bay-{bay:03}/tq-1/status");
        (topic, format!(r#"{{"ts":{},"online":false}}"#, AT_MS + bay as i64))
    };
    let overload = (
        "workshop/lyon/bay-000/lift-1/telemetry".to_owned(),
        format!(r#"{{"ts":{AT_MS},"metric":"lift_load_left","value":9000,"unit":"kg"}}"#),
    );
    let asset = (
        "workshop/lyon/assets".to_owned(),
        r#"{"asset":"lift-1","kind":"lift","bay":"bay-000","limits":[{"metric":"lift_load_left","max":2000}]}"#.to_owned(),
    );
    let flood = [asset, overload].into_iter().chain((1..=300).map(offline));
    say(&mut engine, 1, &flood.collect::<Vec<_>>());
    assert_eq!(engine.exceptions_open(), 301);
    let listed = engine.tiles(AT_MS, 15_000, &BTreeMap::new()).exceptions;
    assert_eq!(listed.len(), 200);
    assert_eq!((listed[0].rule.as_str(), listed[0].severity.as_str()), ("lift_overload", "critical"));
    let newest: Vec<&str> = listed[1..3].iter().map(|view| view.bay.as_str()).collect();
    assert_eq!(newest, ["bay-300", "bay-299"], "of the others the newest");
}

fn voltage(tool: usize) -> (String, String) {
    let topic = format!("workshop/lyon/bay-01/supply-{tool}/telemetry");
    (topic, format!(r#"{{"ts":{AT_MS},"metric":"voltage","value":12.6}}"#))
}

fn tick(engine: &mut Engine, first_ms: i64, last_ms: i64) {
    engine.apply(&Entry::Tick { first_ms, last_ms }, &mut Vec::new()).expect("applies");
}

#[test]
fn while_the_service_was_not_running_nobody_was_silent() {
    let mut engine = engine();
    say(&mut engine, 1, &[voltage(1)]);
    tick(&mut engine, AT_MS + 1000, AT_MS + 1000);
    let started = Entry::Configuration { engine: "0.1.0".to_owned(), text: String::new(), change: None };
    engine.apply(&started, &mut Vec::new()).expect("applies");
    let started_ms = AT_MS + 3_600_000;
    tick(&mut engine, AT_MS + 2000, started_ms);
    tick(&mut engine, started_ms + 1000, started_ms + 29_000);
    assert_eq!(engine.exceptions_open(), 0, "it has been listening for 29 s");
    tick(&mut engine, started_ms + 30_000, started_ms + 30_000);
    let listed = engine.tiles(AT_MS, 15_000, &BTreeMap::new()).exceptions;
    assert_eq!(
        listed.iter().map(|one| (one.rule.as_str(), one.raised_ms)).collect::<Vec<_>>(),
        [("gateway_down", started_ms + 30_000)]
    );
}

/// An engine from a checkpoint looked at every silence at its first tick and ended those that were open, since it had
/// only just begun to listen; one that went on did not look.
#[test]
fn a_silence_that_is_open_at_a_start_stays_open_until_somebody_is_heard() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let config = Config::embedded_demo(Path::new("/nowhere"), any, any);
    let mut first = engine();
    say(&mut first, 1, &[voltage(1)]);
    tick(&mut first, AT_MS + 1000, AT_MS + 40_000);
    let snapshot = first.snapshot().expect("a checkpoint");
    let mut second =
        first.fresh(&config, wire::decoder(&config).expect("a decoder")).expect("the same rules");
    second.restore(&config, &snapshot).expect("it is whole");
    for engine in [&mut first, &mut second] {
        assert_eq!(engine.exceptions_open(), 1, "gateway_down");
        let started = Entry::Configuration { engine: "0.1.0".to_owned(), text: String::new(), change: None };
        engine.apply(&started, &mut Vec::new()).expect("applies");
        tick(engine, AT_MS + 41_000, AT_MS + 50_000);
        assert_eq!(engine.exceptions_open(), 1, "nothing was heard since");
    }
    assert_eq!(first.state_hash().expect("a hash"), second.state_hash().expect("a hash"));
}

#[test]
fn keys_beyond_the_bound_are_counted_and_not_watched() {
    let mut engine = engine();
    let many: Vec<(String, String)> = (0..20_003).map(voltage).collect();
    say(&mut engine, 1, &many);
    assert_eq!(engine.counts().keys_unwatched, 3, "of tool_silent; the other rules have few keys");
}

#[test]
fn what_is_held_back_neither_counts_as_open_nor_lights_its_bay() {
    let mut engine = engine();
    say(&mut engine, 1, &[voltage(1)]);
    tick(&mut engine, AT_MS + 1000, AT_MS + 31_000);
    let offline = format!(r#"{{"ts":{},"online":false}}"#, AT_MS + 32_000);
    say(&mut engine, 2, &[("workshop/lyon/bay-01/tq-1/status".to_owned(), offline)]);
    let Tiles { bays, open, suppressed, .. } = engine.tiles(AT_MS, 15_000, &BTreeMap::new());
    assert_eq!((open, suppressed), (1, 1));
    assert_eq!((bays[0].exceptions_open, bays[0].reason.as_str()), (0, "no step"));
    let listed = engine.tiles(AT_MS, 15_000, &BTreeMap::new()).exceptions;
    let listed: Vec<(&str, &str)> =
        listed.iter().map(|one| (one.rule.as_str(), one.state.as_str())).collect();
    assert_eq!(listed, [("gateway_down", "active"), ("tool_offline", "suppressed")]);
    let views = engine.tiles(AT_MS, 15_000, &BTreeMap::new()).exceptions;
    assert_eq!(views[1].evidence["cause"], views[0].id.as_str());
}

/// Each has a topic of its own; the site may have a thousand series.
#[test]
fn a_million_tools_from_one_bay_are_quarantined_beyond_the_bound_and_take_no_state() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut config = Config::embedded_demo(Path::new("/nowhere"), any, any);
    config.engine.series_per_site_max = 1_000;
    let mut engine = wire::engine(&config).expect("the demo's rules compile");
    let (mut told, mut sizes) = (0, Vec::new());
    for hundredth in 0..100_u64 {
        let first = hundredth * 10_000;
        let message = |tool: u64| {
            let topic = format!("workshop/lyon/bay-01/tq-{tool}/telemetry");
            (topic, format!(r#"{{"ts":{AT_MS},"metric":"torque","value":87,"seq":1}}"#))
        };
        let messages: Vec<(String, String)> = (first..first + 10_000).map(message).collect();
        let mut out = say(&mut engine, first + 1, &messages);
        let tick_ms = AT_MS + (hundredth as i64 + 1) * 1000;
        engine.apply(&Entry::Tick { first_ms: tick_ms, last_ms: tick_ms }, &mut out).expect("applies");
        let quarantine = out.iter().filter(|emission| *emission.stream == *"quarantine");
        told += quarantine.map(|emission| emission.rows.num_rows()).sum::<usize>();
        if hundredth % 33 == 0 {
            sizes.push(engine.snapshot().expect("a snapshot").len());
        }
    }
    let counts = engine.counts();
    assert!(counts.adds_up(), "{counts:?}");
    assert_eq!((counts.readings, counts.applied, counts.quarantined), (1_000_000, 1_000, 999_000));
    assert_eq!(told, 999_000, "each has its row");
    // What grows is the list of topics, and the newest message of each: 100 bytes or so.
    let grown = sizes[3].saturating_sub(sizes[2]) / 330_000;
    assert!(grown < 250, "{grown} bytes of state for each tool that is refused: {sizes:?}");
}

/// Kind, key and body of the items of queue `audit` that an entry brings about.
fn audited(engine: &mut Engine, entry: &Entry) -> Vec<[String; 3]> {
    let mut out = Vec::new();
    engine.apply(entry, &mut out).expect("applies");
    let mut items = Vec::new();
    for Emission { rows, .. } in out.iter().filter(|emission| *emission.stream == *"queue_items") {
        let column = |name: &str| {
            let texts = arrow::compute::cast(
                rows.column_by_name(name).expect("a column"),
                &arrow::datatypes::DataType::Utf8,
            );
            texts.expect("a text").as_string::<i32>().clone()
        };
        let (queue, told) = (column("queue"), ["kind", "key", "body"].map(column));
        let of_audit = (0..rows.num_rows()).filter(|row| queue.value(*row) == "audit");
        items.extend(of_audit.map(|row| told.each_ref().map(|column| column.value(row).to_owned())));
    }
    items
}

#[test]
fn what_becomes_of_the_service_itself_is_in_the_audit() {
    let mut engine = engine();
    let text = engine.config().text.clone();
    let version = blake3::hash(text.as_bytes()).to_hex()[..12].to_owned();
    let started = Entry::Configuration { engine: "0.1.0".to_owned(), text: text.clone(), change: None };
    let changed = Some(ingest::entry::Change { readings_from: None, waits_for_history: false });
    let changed = Entry::Configuration { engine: "0.1.0".to_owned(), text, change: changed };
    let taken_over = Entry::Generation { generation: 7, writer: "lyon-2".to_owned() };
    let all: Vec<[String; 3]> =
        [started, changed, taken_over].iter().flat_map(|entry| audited(&mut engine, entry)).collect();
    let all: Vec<[&str; 3]> = all.iter().map(|item| item.each_ref().map(String::as_str)).collect();
    assert_eq!(
        all,
        [
            ["configuration", &version, r#"{"engine":"0.1.0","is_change":false}"#],
            ["configuration", &version, r#"{"engine":"0.1.0","is_change":true}"#],
            ["takeover", "7", r#"{"writer":"lyon-2"}"#],
        ]
    );
}

/// `joint tool value unit min-max within` of what the step on the one bay expects.
fn in_hand(engine: &Engine) -> Vec<String> {
    let bays = engine.tiles(AT_MS, 15_000, &BTreeMap::new()).bays;
    let line = |one: &ExpectedView| {
        let Some(newest) = &one.newest else {
            return format!("{} nothing", one.joint.as_deref().unwrap_or("any"));
        };
        let ReadingView { tool, joint, value, unit, spec_min, spec_max, within_spec, .. } = newest;
        let limit = |limit: &Option<f64>| limit.map_or("…".to_owned(), |limit| limit.to_string());
        let (joint, within) =
            (joint.as_deref().unwrap_or("none"), within_spec.map_or("?", |is| if is { "in" } else { "out" }));
        format!("{joint} {tool} {value} {unit} {}-{} {within}", limit(spec_min), limit(spec_max))
    };
    bays[0].expected.iter().map(line).collect()
}

#[test]
fn what_the_tool_in_hand_reads_is_held_against_the_step_that_goes_on() {
    let mut engine = engine();
    engine.watch();
    let step = |after_ms: i64, step: &str, event: &str| {
        let ts = AT_MS + after_ms;
        let text =
            format!(r#"{{"ts":{ts},"job":"J1","step":"{step}","technician":"T17","event":"{event}"}}"#);
        ("workshop/lyon/bay-01/steps".to_owned(), text)
    };
    let torque = |after_ms: i64, tags: &str, value: f64| {
        let ts = AT_MS + after_ms;
        let text =
            format!(r#"{{"ts":{ts},"metric":"torque","value":{value},"unit":"N.m","tags":{{{tags}}}}}"#);
        ("workshop/lyon/bay-01/wrench-7/telemetry".to_owned(), text)
    };
    let card = |expect: &str| {
        let steps = format!(r#"[{{"step":"S1","expect":{expect}}},{{"step":"S2","expect":{expect}}}]"#);
        ("workshop/lyon/jobs".to_owned(), format!(r#"{{"ts":{AT_MS},"job":"J1","steps":{steps}}}"#))
    };
    let wheel = r#"[{"metric":"torque","joint":"J1","min":80,"max":95,"count":1},
                    {"metric":"torque","joint":"J2","max":30,"count":2},{"metric":"torque","count":4}]"#;
    let (one, two) = (r#""joint":"J1","result":"1""#, r#""joint":"J1","result":"2""#);
    let messages = [card(wheel), torque(0, one, 50.0), step(10, "S1", "started")];
    say(&mut engine, 1, &messages);
    assert_eq!(in_hand(&engine), ["J1 nothing", "J2 nothing", "any nothing"], "it was before the step");

    // In the same breath as the start of the step, and a wrench that is new.
    let other = ("workshop/lyon/bay-01/wrench-8/telemetry".to_owned(), torque(22, r#""joint":"J2""#, 31.0).1);
    say(&mut engine, 4, &[torque(20, one, 87.0), other, torque(15, two, 70.0)]);
    let wrench_8 = "J2 wrench-8 31 N.m …-30 out";
    assert_eq!(in_hand(&engine), ["J1 wrench-7 87 N.m 80-95 in", wrench_8, wrench_8]);
    say(&mut engine, 7, &[torque(30, two, 70.0)]);
    assert_eq!(in_hand(&engine)[0], "J1 wrench-7 70 N.m 80-95 out", "a newer one of the same joint");

    // Another card has other limits, and expects something else too.
    say(&mut engine, 8, &[card(r#"[{"metric":"torque","min":60,"max":75},{"metric":"angle"}]"#)]);
    assert_eq!(in_hand(&engine), ["J1 wrench-7 70 N.m 60-75 in", "any nothing"]);
    let angle = (
        "workshop/lyon/bay-01/wrench-7/telemetry".to_owned(),
        torque(40, "", 34.0).1.replace("torque", "angle").replace("N.m", "deg"),
    );
    say(&mut engine, 9, &[angle]);
    assert_eq!(in_hand(&engine)[1], "none wrench-7 34 deg …-… ?");

    // The next step begins with nothing.
    say(&mut engine, 10, &[step(50, "S1", "finished"), step(60, "S2", "started")]);
    assert_eq!(in_hand(&engine), ["any nothing", "any nothing"]);
    say(&mut engine, 12, &[torque(70, one, 61.0)]);
    assert_eq!(in_hand(&engine)[0], "J1 wrench-7 61 N.m 60-75 in");
}

#[test]
fn a_wrench_that_tags_each_joint_anew_keeps_no_more_than_the_newest_of_them() {
    let mut engine = engine();
    engine.watch();
    let expect = r#"[{"metric":"torque","count":1},{"metric":"torque","joint":"J0"},{"metric":"torque","joint":"J99"}]"#;
    let card = format!(r#"{{"ts":{AT_MS},"job":"J1","steps":[{{"step":"S1","expect":{expect}}}]}}"#);
    let step = format!(r#"{{"ts":{AT_MS},"job":"J1","step":"S1","event":"started"}}"#);
    let mut messages =
        vec![("workshop/lyon/jobs".to_owned(), card), ("workshop/lyon/bay-01/steps".to_owned(), step)];
    for joint in 0..100 {
        let ts = AT_MS + joint;
        let text = format!(
            r#"{{"ts":{ts},"metric":"torque","value":{joint},"unit":"N.m","tags":{{"joint":"J{joint}"}}}}"#
        );
        messages.push(("workshop/lyon/bay-01/wrench-7/telemetry".to_owned(), text));
    }
    say(&mut engine, 1, &messages);
    let newest = "J99 wrench-7 99 N.m …-… ?";
    assert_eq!(in_hand(&engine), [newest, "J0 nothing", newest]);
}

#[test]
fn a_rule_by_a_tag_of_a_million_values_quarantines_what_is_too_much_and_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    std::fs::create_dir(folder.path().join("rules")).expect("a folder");
    std::fs::copy(shipped.join("metrics.toml"), folder.path().join("metrics.toml")).expect("copied");
    std::fs::write(folder.path().join("andon.toml"), "").expect("written");
    for (name, key) in [("by_part", "tags['part']"), ("by_tool", "tool")] {
        let text = format!(
            "view = \"{name}\"\nsql = \"\"\"\nSELECT site, bay, {key} AS key, window_start, window_end, count(*) AS n \
             FROM tumble(telemetry, ts, INTERVAL '1 minute')\nGROUP BY site, bay, {key}, window_start, window_end\n\
             \"\"\"\n"
        );
        std::fs::write(folder.path().join(format!("rules/{name}.toml")), text).expect("written");
    }
    let config = Config::load(&folder.path().join("andon.toml"));
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let mut engine = wire::engine(&config).expect("the rules compile");
    let (surplus, mut out) = (7, Vec::new());
    let parts: Vec<usize> = (0..crate::window::GROUPS_MAX + surplus).collect();
    for part in parts.chunks(10_000) {
        let message = |part: &usize| {
            let topic = "workshop/lyon/bay-01/tq-1/telemetry".to_owned();
            let tags = format!(r#""tags":{{"part":"P{part}"}}"#);
            (topic, format!(r#"{{"ts":{AT_MS},"metric":"torque","value":87,"seq":{part},{tags}}}"#))
        };
        let messages: Vec<(String, String)> = part.iter().map(message).collect();
        out.extend(say(&mut engine, part[0] as u64 + 1, &messages));
    }
    for second in 1..=240 {
        let at_ms = AT_MS + second * 1000;
        engine.apply(&Entry::Tick { first_ms: at_ms, last_ms: at_ms }, &mut out).expect("applies");
    }
    let of = |stream: &str| {
        let told = out.iter().filter(|emission| *emission.stream == *stream);
        told.map(|emission| emission.rows.clone()).collect::<Vec<_>>()
    };
    let details: Vec<String> = of("quarantine")
        .iter()
        .flat_map(|rows| {
            let details = rows.column_by_name("detail").expect("a column");
            (0..rows.num_rows())
                .map(|row| array_value_to_string(details, row).expect("text"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(details.len(), surplus, "{details:?}");
    assert!(details.iter().all(|detail| detail.contains("rule `by_part`")), "{details:?}");
    let by_part: usize = of("by_part").iter().map(arrow::array::RecordBatch::num_rows).sum();
    assert_eq!(by_part, crate::window::GROUPS_MAX);
    let by_tool = of("by_tool");
    let counted = by_tool[0].column_by_name("n").expect("a column");
    assert_eq!(counted.as_primitive::<arrow::datatypes::Int64Type>().value(0), parts.len() as i64);
    assert!(engine.counts().adds_up(), "{:?}", engine.counts());
}
