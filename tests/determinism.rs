//! The journal decides, not how it was cut: any grouping of the same messages into entries, and a restart
//! anywhere, give the same rows and the same state.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ingest::entry::Entry;
use ingest::entry::command::Order;
use ingest::intake::Arrivals;
use ingest::time::Epoch;
use pipelines::config::{BillingSettings, BoundSettings, Config, NotificationSettings, Price, Technician};
use pipelines::scenario::{Action, Message, Outcome, Run, Way};
use proptest::prelude::*;
use serde_json::json;

/// 2026-03-02 10:00 UTC.
const START_MS: i64 = 1_772_445_600_000;
const BAYS: [&str; 4] = ["lyon/bay-01", "lyon/bay-02", "oslo/bay-01", "oslo/bay-02"];

/// One message of a workshop whose network and devices behave badly.
#[derive(Clone, Debug)]
struct Sent {
    /// Since the message before.
    after_ms: i64,
    /// How old it is when it arrives; negative where the device runs ahead.
    age_ms: i64,
    bay: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Torque {
        tool: u8,
        value: f64,
        seq: Option<u8>,
        joint: Option<u8>,
        /// As its tags name it.
        job: Option<u8>,
    },
    Several {
        values: Vec<f64>,
    },
    Energy {
        value: f64,
    },
    Step {
        job: u8,
        step: u8,
        event: &'static str,
    },
    Booking {
        quantity: f64,
    },
    Card {
        job: u8,
        min: f64,
        count: Option<u8>,
        joint: Option<u8>,
    },
    /// The bay is opened or closed.
    Bay {
        open: bool,
    },
    /// A last will, or that a tool is there again; the last is the bay's gateway.
    Online {
        tool: u8,
        online: bool,
    },
    Garbage,
    /// Somebody asks for something.
    Ask {
        actor: u8,
        job: u8,
        step: u8,
        kind: u8,
        key: u8,
    },
    /// The message before once more.
    Again,
}

fn what() -> impl Strategy<Value = What> {
    let joint = || proptest::option::of(0..2_u8);
    let job = proptest::option::weighted(0.2, 0..3_u8);
    let torque = (0..3_u8, 70.0..100.0_f64, proptest::option::of(0..20_u8), joint(), job);
    let card = (0..3_u8, 75.0..90.0_f64, proptest::option::of(0..4_u8), joint());
    let step =
        (0..3_u8, 0..2_u8, prop::sample::select(vec!["started", "finished", "paused", "resumed", "failed"]));
    prop_oneof![
        8 => torque.prop_map(|(tool, value, seq, joint, job)| What::Torque { tool, value, seq, joint, job }),
        2 => prop::collection::vec(70.0..100.0_f64, 1..6).prop_map(|values| What::Several { values }),
        3 => (0.0..50.0_f64).prop_map(|value| What::Energy { value }),
        5 => step.prop_map(|(job, step, event)| What::Step { job, step, event }),
        1 => (0.1..5.0_f64).prop_map(|quantity| What::Booking { quantity }),
        2 => card.prop_map(|(job, min, count, joint)| What::Card { job, min, count, joint }),
        2 => (0..3_u8, any::<bool>()).prop_map(|(tool, online)| What::Online { tool, online }),
        1 => any::<bool>().prop_map(|open| What::Bay { open }),
        1 => Just(What::Garbage),
        3 => (0..4_u8, 0..3_u8, 0..2_u8, 0..8_u8, any::<u8>())
            .prop_map(|(actor, job, step, kind, key)| What::Ask { actor, job, step, kind, key }),
        2 => Just(What::Again),
    ]
}

/// Some messages; where the workshop is small, all on one job and two bays.
fn workshop() -> impl Strategy<Value = Vec<Sent>> {
    let of_one_job = |mut all: Vec<Sent>| {
        for sent in &mut all {
            sent.bay %= 2;
            if let What::Step { job, .. } = &mut sent.what {
                *job = 0;
            }
        }
        all
    };
    let all = || prop::collection::vec(sent(), 1..120);
    prop_oneof![all(), all().prop_map(of_one_job)]
}

fn sent() -> impl Strategy<Value = Sent> {
    let after_ms = prop_oneof![10 => 0..900_i64, 4 => 900..8_000_i64, 1 => 8_000..120_000_i64, 1 => 120_000..1_200_000_i64];
    let age_ms = prop_oneof![10 => 0..2_000_i64, 4 => 2_000..60_000_i64, 1 => 60_000..1_500_000_i64, 1 => -90_000..0_i64];
    (after_ms, age_ms, 0..BAYS.len(), what()).prop_map(|(after_ms, age_ms, bay, what)| Sent {
        after_ms,
        age_ms,
        bay,
        what,
    })
}

fn message(sent: &Sent, at_ms: i64) -> Message {
    let (ts_ms, bay) = (at_ms - sent.age_ms, BAYS[sent.bay]);
    let site = &bay[..4];
    let (topic, payload) = match &sent.what {
        What::Torque { tool, value, seq, joint, job } => {
            let seq = seq.map(|seq| format!(r#","seq":{seq}"#)).unwrap_or_default();
            let tags = [
                joint.map(|joint| format!(r#""joint":"A{joint}""#)),
                job.map(|job| format!(r#""job":"J{job}""#)),
            ];
            let tags: Vec<String> = tags.into_iter().flatten().collect();
            let tags = match tags.as_slice() {
                [] => String::new(),
                tags => format!(r#","tags":{{{}}}"#, tags.join(",")),
            };
            let payload = format!(r#"{{"ts":{ts_ms},"metric":"torque","value":{value}{seq}{tags}}}"#);
            (format!("workshop/{bay}/tq-{tool}/telemetry"), payload)
        }
        What::Several { values } => {
            let element = |(at, value): (usize, &f64)| {
                format!(
                    r#"{{"ts":{},"metrics":{{"torque":{value},"angle":{}}}}}"#,
                    ts_ms + at as i64 * 700,
                    value / 2.0
                )
            };
            let elements: Vec<String> = values.iter().enumerate().map(element).collect();
            (format!("workshop/{bay}/tq-9/telemetry"), format!("[{}]", elements.join(",")))
        }
        What::Energy { value } => {
            let payload = format!(r#"{{"ts":{ts_ms},"metric":"energy","value":{value}}}"#);
            (format!("workshop/{bay}/meter/telemetry"), payload)
        }
        What::Step { job, step, event } => {
            let payload = format!(r#"{{"ts":{ts_ms},"job":"J{job}","step":"S{step}","event":"{event}"}}"#);
            (format!("workshop/{bay}/steps"), payload)
        }
        What::Booking { quantity } => {
            let payload = format!(r#"{{"ts":{ts_ms},"resource":"grease","quantity":{quantity},"unit":"g"}}"#);
            (format!("workshop/{bay}/usage"), payload)
        }
        What::Card { job, min, count, joint } => {
            let count = count.map(|count| format!(r#","count":{count}"#)).unwrap_or_default();
            let of_joint = joint
                .map(|joint| format!(r#"{{"metric":"torque","joint":"A{joint}","class":"A","count":1}},"#));
            let of_joint = of_joint.unwrap_or_default();
            let step = |step: u8| {
                format!(
                    r#"{{"step":"S{step}","standard_s":20,"expect":[{of_joint}{{"metric":"torque","min":{min},"max":95{count}}}]}}"#
                )
            };
            let promised_ms = START_MS + i64::from(*job) * 600_000 + (min * 977.0) as i64 % 90 * 60_000;
            let payload = format!(
                r#"{{"ts":{ts_ms},"job":"J{job}","customer":"C{job}","promised":{promised_ms},"steps":[{},{}]}}"#,
                step(0),
                step(1)
            );
            (format!("workshop/{site}/jobs"), payload)
        }
        What::Bay { open } => {
            (format!("workshop/{bay}/status"), format!(r#"{{"ts":{ts_ms},"open":{open}}}"#))
        }
        What::Online { tool, online } => {
            let tool = if *tool == 2 { "gw-1".to_owned() } else { format!("tq-{tool}") };
            (format!("workshop/{bay}/{tool}/status"), format!(r#"{{"ts":{ts_ms},"online":{online}}}"#))
        }
        What::Garbage | What::Again | What::Ask { .. } => {
            (format!("workshop/{bay}/tq-0/telemetry"), "{\"ts\":".to_owned())
        }
    };
    Message { at_ms, topic, payload: payload.into_bytes() }
}

/// A command, with the message that it brings.
fn asked(sent: &Sent, at_ms: i64) -> Action {
    let What::Ask { actor, job, step, kind, key } = sent.what else { unreachable!("it was looked at") };
    let (site, bay) = BAYS[sent.bay].split_once('/').expect("site and bay");
    let (actor, job, step) = (format!("T{actor}"), format!("J{job}"), format!("S{step}"));
    let verb = ["start", "pause", "resume", "finish"][usize::from(kind % 4)];
    let what = match kind {
        0..4 => {
            json!({"kind": "step", "site": site, "bay": bay, "job": job, "step": step, "verb": verb, "reason": "so"})
        }
        4 => {
            json!({"kind": "sign_off", "site": site, "job": job, "step": step, "rework": true, "note": "loose"})
        }
        5 => json!({"kind": "release", "site": site, "job": job, "reason": "fetched"}),
        6 => {
            json!({"kind": "post_line", "site": site, "job": job, "line": 1, "note": "agreed", "price_hundredths": 250})
        }
        _ => {
            json!({"kind": "sign_off", "site": site, "job": job, "step": step, "rework": false, "note": "seen"})
        }
    };
    let what = serde_json::from_value(what).expect("a command");
    let event = ["started", "paused", "resumed", "finished"][usize::from(kind % 4)];
    let message = (kind < 4).then(|| {
        let payload = format!(
            r#"{{"ts":{at_ms},"job":"{job}","step":"{step}","event":"{event}","technician":"{actor}"}}"#
        );
        Message { at_ms, topic: format!("workshop/{site}/{bay}/steps"), payload: payload.into_bytes() }
    });
    Action::Command { at_ms, order: Order { actor, key: format!("key-{key}"), what }, message }
}

/// The messages with the ticks and cuts that stand between them.
fn actions(all: &[Sent]) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut at_ms = START_MS;
    let mut arrivals = Arrivals::new(None, at_ms, Epoch(0), Duration::from_secs(5));
    let mut before: Option<Message> = None;
    for sent in all {
        at_ms += sent.after_ms;
        if let Some(passed) = arrivals.pass(at_ms) {
            for entry in passed.tick.iter().chain(&passed.cut) {
                actions.push(match *entry {
                    Entry::Tick { first_ms, last_ms } => Action::Tick { first_ms, last_ms },
                    Entry::Cut { at_ms, .. } => Action::Cut { at_ms },
                    _ => unreachable!("time passes in ticks and cuts"),
                });
            }
        }
        if let What::Ask { .. } = sent.what {
            actions.push(asked(sent, at_ms));
            continue;
        }
        let message = match (&sent.what, before) {
            (What::Again, Some(before)) => Message { at_ms, ..before },
            _ => message(sent, at_ms),
        };
        actions.push(Action::Message(message.clone()));
        before = Some(message);
    }
    actions
}

/// What comes of it. After action `n` an entry ends where bit `n` of `ends` is set, and the state goes into
/// a fresh engine where bit `n` of `restarts` is.
fn outcome(
    config: &Config,
    actions: &[Action],
    way: Way,
    ends: &[bool],
    restarts: &[bool],
    is_ended: bool,
) -> Outcome {
    changed_outcome(config, None, actions, way, ends, restarts, is_ended)
}

/// The same, where the configuration is another from action `n` on.
fn changed_outcome(
    config: &Config,
    change: Option<(usize, &Config)>,
    actions: &[Action],
    way: Way,
    ends: &[bool],
    restarts: &[bool],
    is_ended: bool,
) -> Outcome {
    let mut run = Run::new(config, way).expect("the configuration works");
    if change.is_some() {
        run.keep();
    }
    let bit = |bits: &[bool], at: usize| !bits.is_empty() && bits[at % bits.len()];
    for (at, action) in actions.iter().enumerate() {
        if let Some((_, other)) = change.filter(|(from, _)| *from == at) {
            run.change(other).expect("the engine goes on");
        }
        run.act(action).expect("the engine goes on");
        if bit(ends, at) {
            run.flush().expect("the engine goes on");
        }
        if bit(restarts, at) {
            run.flush().expect("the engine goes on");
            run.restore().expect("the state is the same");
        }
    }
    run.flush().expect("the engine goes on");
    if is_ended {
        run.act(&Action::End).expect("the engine goes on");
    }
    run.lines.sort_unstable();
    let counts = run.counts();
    assert!(counts.adds_up(), "{counts:?}");
    let state = run.state_lines().expect("a state");
    run.lines.extend(state.into_iter().map(|line| format!("state {line}")));
    (std::mem::take(&mut run.lines), counts, run.hashes().expect("hashes"))
}

/// All rules and metrics as they are shipped.
fn shipped() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
    with_functions(Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")))
}

/// Bays and technicians that steps are assigned to, prices, and a night without messages.
fn with_functions(mut config: Config) -> Config {
    let mut functions = (*config.functions).clone();
    for site in ["lyon", "oslo"] {
        functions.assignment.bays.insert(site.to_owned(), vec!["bay-01".to_owned(), "bay-02".to_owned()]);
    }
    for (name, site) in [("T1", "lyon"), ("T2", "lyon"), ("T3", "oslo")] {
        let technician = Technician { site: site.to_owned(), skills: Vec::new() };
        functions.assignment.technicians.insert(name.to_owned(), technician);
    }
    functions.billing.general.prices.insert("grease".to_owned(), Price { price: 3.0, unit: None });
    functions.notification.general.quiet_hours = Some("10:02-10:20".parse().expect("hours"));
    let billing = BillingSettings { currency: "NOK".to_owned(), ..functions.billing.general.clone() };
    functions.billing.sites.insert("oslo".to_owned(), billing);
    let told = NotificationSettings { quiet_hours: None, ..functions.notification.general.clone() };
    functions.notification.sites.insert("oslo".to_owned(), told);
    config.functions = Arc::new(functions);
    config
}

/// The shipped rules and one view more.
fn before_the_rework() -> Config {
    with_rules(|_, text| Some(text), &[THIRDS])
}

/// The same after a change of each kind: one is gone, one is new, some judge or say otherwise, and views over
/// windows are new, of which one shares slides with the view that there was, and one reads the step.
fn reworked() -> Config {
    let changed = |name: &str, text: String| {
        Some(match name {
            "tool_silent.toml" => return None,
            "tool_drift.toml" => text.replace("> 0.03 *", "> 0.02 *"),
            "torque_per_minute.toml" => text.replace("AS highest", "AS highest, stddev(value) AS spread"),
            "torque_out_of_spec.toml" => text.replace("message  = \"", "message  = \"Now: "),
            "torque_nok_share.toml" => text.replace("count(*)", "count(value)"),
            _ => text,
        })
    };
    with_rules(changed, &[THIRDS, HOP, SESSION, STEP])
}

/// The shipped rules and a view over windows of each kind.
fn viewed() -> Config {
    with_rules(|_, text| Some(text), &VIEWS)
}

/// A view's name, what it reads, and what it groups by besides the tool.
type View = (&'static str, &'static str, &'static str);

const THIRDS: View = ("torque_thirds", "tumble(telemetry, ts, INTERVAL '20 seconds')", "");
const HOP: View = ("torque_hop", "hop(telemetry, ts, INTERVAL '20 seconds', INTERVAL '60 seconds')", "");
const SESSION: View =
    ("torque_session", "session(telemetry, ts, INTERVAL '10 seconds', site, bay, tool, metric)", ", metric");
const STEP: View = ("torque_step", "per_step(telemetry)", "");
const VIEWS: [View; 6] = [
    THIRDS,
    HOP,
    SESSION,
    STEP,
    ("torque_shift", "shift(telemetry, ts)", ""),
    ("torque_day", "day(telemetry, ts)", ""),
];

/// The shipped configuration with its rules as `changed` makes them of name and text, and `views` of torque.
fn with_rules(changed: impl Fn(&str, String) -> Option<String>, views: &[View]) -> Config {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    for name in ["demo.toml", "metrics.toml", "assets.toml", "calendar.toml", "functions.toml"] {
        std::fs::copy(shipped.join(name), folder.path().join(name)).expect("copied");
    }
    for rule in std::fs::read_dir(shipped.join("rules")).expect("the shipped rules") {
        let rule = rule.expect("a rule").path();
        let name = rule.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let text = std::fs::read_to_string(&rule).expect("a text");
        if let Some(text) = changed(name, text) {
            std::fs::write(rules.join(name), text).expect("written");
        }
    }
    for view in views {
        let (name, ..) = view;
        let text = format!("view = \"{name}\"\nsql = \"\"\"{}\"\"\"\n", sql_of(view));
        std::fs::write(rules.join(format!("{name}.toml")), text).expect("written");
    }
    Config::load(&folder.path().join("demo.toml")).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// Lines leave a column `site` out, and bays of two sites have the same names.
fn sql_of((_, from, more): &View) -> String {
    format!(
        "SELECT site AS shop, bay, tool, window_start, window_end, count(*) AS times, max(value) AS top FROM {from} \
         WHERE metric = 'torque' GROUP BY site, bay, tool{more}, window_start, window_end"
    )
}

/// What lines of a view say of windows that are final, in the order in which they were told: whose, and without the revision
/// what.
fn told_finals<'a>(lines: &'a [String], view: &str) -> impl Iterator<Item = (String, String)> + use<'a> {
    let head = format!("out {view} ");
    let of_view = lines.iter().filter_map(move |line| Some(line.strip_prefix(&head)?.to_owned()));
    of_view.filter(|line| line.contains("final=true")).map(|line| {
        let (key, said) = line.split_once(" times=").expect("the keys come first");
        let said = said.split(" revision=").next().expect("one part");
        (key.to_owned(), said.to_owned())
    })
}

/// The same; several of one window are one, the last.
fn finals(lines: &[String], view: &str) -> std::collections::BTreeMap<String, String> {
    told_finals(lines, view).collect()
}

/// The last word on each window that still has rows. A session may have grown, and is the same one from its start on.
fn newest(lines: &[String], view: &str) -> Vec<String> {
    let mut newest = std::collections::BTreeMap::new();
    for (key, said) in told_finals(lines, view) {
        let (whose, end) = key.split_once(" window_end=").expect("a window");
        newest.insert(whose.to_owned(), format!("{whose} window_end={end} times={said}"));
    }
    newest.into_values().filter(|line| !line.contains(" times=0")).collect()
}

/// Oslo, and tools that buffer what they measure, have bounds of their own.
fn with_bounds_of_their_own(mut config: Config) -> Config {
    let seconds = |count| Some(Duration::from_secs(count));
    let oslo = BoundSettings { lateness: seconds(45), idle: seconds(50), ..BoundSettings::default() };
    let wrench = BoundSettings {
        lateness: seconds(120),
        correction_horizon: seconds(1_200),
        clock_bound: seconds(5),
        idle: None,
    };
    config.engine.sites = vec![("oslo".into(), oslo)];
    config.engine.kinds = vec![("wrench".into(), wrench)];
    let wrench = r#"{"asset":"tq-1","kind":"wrench"}"#;
    config.assets.push(serde_json::from_str(wrench).expect("an asset"));
    config
}

/// Where two outcomes differ: the lines that one alone has, then counts and hashes.
fn differences(
    (lines, counts, hashes): &Outcome,
    (others, other_counts, other_hashes): &Outcome,
) -> Vec<String> {
    let alone = |mark: char, lines: &[String], others: &[String]| -> Vec<String> {
        let mut left: Vec<&String> = others.iter().collect();
        left.sort_unstable();
        let mut is_alone = |line: &String| match left.binary_search(&line) {
            Ok(at) => {
                left.remove(at);
                false
            }
            Err(_) => true,
        };
        lines.iter().filter(|line| is_alone(line)).map(|line| format!("{mark} {line}")).collect()
    };
    let mut differences = alone('-', lines, others);
    differences.extend(alone('+', others, lines));
    if counts != other_counts {
        differences.extend([format!("- {counts:?}"), format!("+ {other_counts:?}")]);
    }
    if hashes != other_hashes {
        differences.push(format!("{hashes:?} and {other_hashes:?}"));
    }
    differences
}

fn together() -> Way {
    Way { together: true, ..Way::default() }
}

/// 48 workshops a property; `PROPTEST_CASES` asks for another number.
fn how_many() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(48), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(how_many())]

    #[test]
    fn any_grouping_into_entries_gives_the_same_rows_and_state(
        all in prop::collection::vec(sent(), 1..120),
        ends in prop::collection::vec(any::<bool>(), 1..40),
        restarts in prop::collection::vec(prop::bool::weighted(0.1), 1..60),
        is_ended in any::<bool>(),
        is_uniform in any::<bool>(),
        block_rows in 1..50_usize,
        threads in 1..5_usize,
        ahead_from in 1..4_usize,
    ) {
        let config = if is_uniform { shipped() } else { with_bounds_of_their_own(shipped()) };
        let actions = actions(&all);
        let apart = outcome(&config, &actions, Way::default(), &[], &[], is_ended);
        let grouped = outcome(&config, &actions, together(), &ends, &[], is_ended);
        prop_assert_eq!(differences(&apart, &grouped), Vec::<String>::new());
        let whole = outcome(&config, &actions, together(), &[], &[], is_ended);
        prop_assert_eq!(differences(&apart, &whole), Vec::<String>::new());
        let (block_rows, threads) = (NonZeroUsize::new(block_rows), NonZeroUsize::new(threads));
        let in_blocks = Way { block_rows, threads, ..together() };
        let cut = outcome(&config, &actions, in_blocks, &[], &[], is_ended);
        prop_assert_eq!(differences(&apart, &cut), Vec::<String>::new());
        let decoded_ahead = Way { ahead_from: NonZeroUsize::new(ahead_from), ..in_blocks };
        let ahead = outcome(&config, &actions, decoded_ahead, &ends, &restarts, is_ended);
        prop_assert_eq!(differences(&apart, &ahead), Vec::<String>::new());
    }

    #[test]
    fn a_restart_anywhere_changes_nothing(
        all in prop::collection::vec(sent(), 1..120),
        restarts in prop::collection::vec(prop::bool::weighted(0.1), 1..60),
        is_ended in any::<bool>(),
        is_uniform in any::<bool>(),
    ) {
        let config = if is_uniform { shipped() } else { with_bounds_of_their_own(shipped()) };
        let actions = actions(&all);
        let straight = outcome(&config, &actions, together(), &[], &[], is_ended);
        let restarted = outcome(&config, &actions, together(), &[], &restarts, is_ended);
        prop_assert_eq!(differences(&straight, &restarted), Vec::<String>::new());
    }

    #[test]
    fn a_switch_of_the_rules_is_the_same_however_entries_are_cut_and_wherever_it_restarts(
        all in prop::collection::vec(sent(), 1..120),
        at in any::<prop::sample::Index>(),
        ends in prop::collection::vec(any::<bool>(), 1..40),
        restarts in prop::collection::vec(prop::bool::weighted(0.1), 1..60),
        is_ended in any::<bool>(),
    ) {
        let (config, other) = (with_functions(before_the_rework()), reworked());
        let actions = actions(&all);
        let change = Some((at.index(actions.len()), &other));
        let run = |way, ends: &[bool], restarts: &[bool]| {
            changed_outcome(&config, change, &actions, way, ends, restarts, is_ended)
        };
        let apart = run(Way::default(), &[], &[]);
        prop_assert_eq!(differences(&apart, &run(together(), &ends, &[])), Vec::<String>::new());
        prop_assert_eq!(differences(&apart, &run(Way { second_by_second: true, ..Way::default() }, &[], &[])), Vec::<String>::new());
        prop_assert_eq!(differences(&apart, &run(together(), &[], &restarts)), Vec::<String>::new());
    }

    #[test]
    fn a_window_that_a_new_view_shows_as_final_is_whole(
        all in prop::collection::vec(sent(), 1..120),
        at in any::<prop::sample::Index>(),
    ) {
        // Who is on which step must not depend on when the switch was.
        let (config, other) = (before_the_rework(), reworked());
        let actions = actions(&all);
        let at = at.index(actions.len());
        let mut switched = Run::new(&config, Way::default()).expect("the configuration works");
        switched.keep();
        let mut always = Run::new(&other, Way::default()).expect("the configuration works");
        for (place, action) in actions.iter().enumerate() {
            if place == at {
                switched.change(&other).expect("the engine goes on");
            }
            switched.act(action).expect("the engine goes on");
            always.act(action).expect("the engine goes on");
        }
        for run in [&mut switched, &mut always] {
            run.act(&Action::End).expect("the engine goes on");
        }
        for view in ["torque_hop", "torque_session", "torque_step"] {
            let whole = finals(&always.lines, view);
            for (key, said) in finals(&switched.lines, view) {
                prop_assert_eq!(Some(&said), whole.get(&key), "{} of {}", key, view);
            }
        }
    }

    #[test]
    fn a_window_that_was_filled_with_what_was_told_is_whole(
        all in workshop(),
        at in any::<prop::sample::Index>(),
        patience in 0..40usize,
        is_restored in any::<bool>(),
    ) {
        let (config, other) = (before_the_rework(), reworked());
        let actions = actions(&all);
        let at = at.index(actions.len());
        let mut switched = Run::new(&config, Way::default()).expect("the configuration works");
        switched.keep_told();
        let mut always = Run::new(&other, Way::default()).expect("the configuration works");
        let mut is_filled = false;
        for (place, action) in actions.iter().enumerate() {
            if place == at {
                switched.change_and_wait(&other).expect("the engine goes on");
            }
            switched.act(action).expect("the engine goes on");
            always.act(action).expect("the engine goes on");
            if is_restored && place == at + patience / 2 {
                switched.restore().expect("it waits on");
            }
            if place >= at + patience && !is_filled {
                let folder = tempfile::tempdir().expect("a folder");
                is_filled = switched.fill(&other, folder.path()).expect("it is filled");
            }
        }
        for run in [&mut switched, &mut always] {
            run.act(&Action::End).expect("the engine goes on");
        }
        let waiting = switched.waiting();
        prop_assert!(!is_filled || waiting.is_empty(), "{:?}", waiting);
        for view in ["torque_hop", "torque_session", "torque_step"] {
            let whole = finals(&always.lines, view);
            let told = finals(&switched.lines, view);
            prop_assert!(waiting.is_empty() || told.is_empty(), "who waits says nothing: {:?}", told);
            for (key, said) in told {
                prop_assert_eq!(Some(&said), whole.get(&key), "{} of {}", key, view);
            }
        }
    }

    #[test]
    fn what_a_view_says_last_is_what_its_text_says_over_the_exports(
        all in workshop(),
        is_uniform in any::<bool>(),
    ) {
        let config = if is_uniform { viewed() } else { with_bounds_of_their_own(viewed()) };
        let mut run = Run::new(&config, together()).expect("the configuration works");
        run.keep_told();
        for action in actions(&all).iter().chain([&Action::End]) {
            run.act(action).expect("the engine goes on");
        }
        for view in VIEWS {
            let folder = tempfile::tempdir().expect("a folder");
            let asked = run.ask(&config, folder.path(), &sql_of(&view)).expect("SQL over the exports");
            let mut asked: Vec<String> = asked.iter().filter_map(|line| Some(line.strip_prefix("out asked ")?.to_owned())).collect();
            asked.sort();
            prop_assert_eq!(newest(&run.lines, view.0), asked, "{}", view.0);
        }
    }

    #[test]
    fn without_raw_readings_in_the_exports_all_else_is_the_same(
        all in prop::collection::vec(sent(), 1..120),
        is_ended in any::<bool>(),
    ) {
        let config = shipped();
        let mut untold = config.clone();
        untold.export.telemetry = false;
        let actions = actions(&all);
        let (mut lines, counts, (_, state)) = outcome(&config, &actions, together(), &[], &[], is_ended);
        lines.retain(|line| !line.starts_with("out telemetry "));
        let (others, other_counts, (_, other_state)) = outcome(&untold, &actions, together(), &[], &[], is_ended);
        prop_assert_eq!(lines, others);
        prop_assert_eq!((counts, state), (other_counts, other_state));
    }

    #[test]
    fn a_silent_stretch_is_its_seconds_one_by_one(
        all in prop::collection::vec(sent(), 1..80),
        is_ended in any::<bool>(),
        is_uniform in any::<bool>(),
    ) {
        let config = if is_uniform { shipped() } else { with_bounds_of_their_own(shipped()) };
        let actions = actions(&all);
        let stretch = outcome(&config, &actions, Way::default(), &[], &[], is_ended);
        let seconds = outcome(&config, &actions, Way { second_by_second: true, ..Way::default() }, &[], &[], is_ended);
        prop_assert_eq!(differences(&stretch, &seconds), Vec::<String>::new());
    }
}

/// A torque reading of tool `tool` on Lyon's first bay.
fn torque(tool: &str, ts_ms: i64, at_ms: i64) -> Action {
    let payload = format!(r#"{{"ts":{ts_ms},"metric":"torque","value":120}}"#);
    let topic = format!("workshop/lyon/bay-01/{tool}/telemetry");
    Action::Message(Message { at_ms, topic, payload: payload.into_bytes() })
}

/// Rule by rule within an entry, reading by reading across entries: what waits for the next tick came in another order.
#[test]
fn exceptions_of_one_second_are_the_same_state_in_whichever_order_they_were_raised() {
    let mut config = shipped();
    let lift = r#"{"asset":"lift-1","kind":"lift","limits":[{"metric":"lift_load_left","max":1750}]}"#;
    config.assets.push(serde_json::from_str(lift).expect("an asset"));
    let says = |tool: &str, metric: &str, value: u32, at_ms: i64| {
        let payload = format!(r#"{{"ts":{at_ms},"metric":"{metric}","value":{value}}}"#).into_bytes();
        Action::Message(Message { at_ms, topic: format!("workshop/lyon/bay-01/{tool}/telemetry"), payload })
    };
    let lift = says("lift-1", "lift_load_left", 1_900, START_MS);
    let both = [lift, says("charger-1", "charger_fault", 1, START_MS + 1)];
    let apart = outcome(&config, &both, Way::default(), &[], &[], false);
    let of_rule = |rule: &str| apart.0.iter().filter(|line| line.contains(&format!("rule={rule} "))).count();
    assert_eq!((of_rule("lift_overload"), of_rule("charger_fault")), (1, 1), "{:#?}", apart.0);
    let grouped = outcome(&config, &both, together(), &[], &[], false);
    assert_eq!(differences(&apart, &grouped), Vec::<String>::new());
}

#[test]
fn a_lateness_changed_before_a_start_holds_after_it() {
    let before = shipped();
    let mut after = before.clone();
    after.engine.lateness = before.engine.lateness * 10;
    let behind_ms = i64::try_from(before.engine.lateness.as_millis()).expect("seconds") * 2;
    let mut run = Run::new(&before, Way::default()).expect("the configuration works");
    run.act(&torque("tq-1", START_MS, START_MS)).expect("the engine goes on");
    run.act(&torque("tq-1", START_MS - behind_ms, START_MS + 1)).expect("the engine goes on");
    assert_eq!(run.counts().corrections, 1, "{:?}", run.counts());
    run.restart(&after).expect("its own snapshot");
    run.act(&torque("tq-1", START_MS - behind_ms - 1, START_MS + 2)).expect("the engine goes on");
    assert_eq!(run.counts().on_time, 2, "the checkpoint's lateness still holds: {:?}", run.counts());
}

#[test]
fn an_assets_limit_changed_before_a_start_holds_after_it() {
    let asset = |max: f64| {
        let asset = format!(r#"{{"asset":"tq-1","limits":[{{"metric":"torque","max":{max}}}]}}"#);
        serde_json::from_str::<ingest::readings::Asset>(&asset).expect("an asset")
    };
    let mut before = shipped();
    before.assets = vec![asset(200.0)];
    let mut after = before.clone();
    after.assets = vec![asset(100.0)];
    let mut run = Run::new(&before, Way::default()).expect("the configuration works");
    run.act(&torque("tq-1", START_MS, START_MS)).expect("the engine goes on");
    assert_eq!(run.counts().exceptions, 0, "120 N.m is allowed: {:?}", run.counts());
    run.restart(&after).expect("its own snapshot");
    run.act(&torque("tq-1", START_MS + 1, START_MS + 1)).expect("the engine goes on");
    assert_eq!(run.counts().exceptions, 1, "the checkpoint's limit still holds: {:?}", run.counts());
}

#[test]
fn a_shop_that_was_silent_for_a_night_still_has_its_windows_in_the_morning() {
    let config = shipped();
    let mut run = Run::new(&config, Way::default()).expect("the configuration works");
    let morning_ms = START_MS + 10 * 3_600_000;
    run.act(&torque("tq-1", START_MS, START_MS)).expect("the engine goes on");
    run.act(&Action::Tick { first_ms: START_MS + 1000, last_ms: morning_ms - 1000 })
        .expect("the engine goes on");
    run.act(&torque("tq-1", morning_ms, morning_ms)).expect("the engine goes on");
    run.act(&Action::Tick { first_ms: morning_ms + 1000, last_ms: morning_ms + 1000 })
        .expect("the engine goes on");
    run.act(&Action::End).expect("the engine goes on");
    let finals = |line: &&String| line.starts_with("out torque_per_minute") && line.ends_with("final=true");
    assert_eq!(run.lines.iter().filter(finals).count(), 2, "{:#?}", run.lines);
}

/// A reading and a tick each second of five minutes, with the reworked rules from second 200 on: first and last window of
/// the new view over hops that were shown by then, and how many readings each shown one has.
fn hops_around_a_switch(is_kept: bool) -> Vec<(i64, u64)> {
    let (config, other) = (with_functions(before_the_rework()), reworked());
    let mut run = Run::new(&config, Way::default()).expect("the configuration works");
    if is_kept {
        run.keep();
    }
    for second in 0..300 {
        if second == 200 {
            run.act(&Action::Cut { at_ms: START_MS + second * 1000 }).expect("the engine goes on");
            run.change(&other).expect("the engine goes on");
        }
        let at_ms = START_MS + second * 1000;
        run.act(&torque("tq-1", at_ms, at_ms)).expect("the engine goes on");
        run.act(&Action::Tick { first_ms: at_ms + 1000, last_ms: at_ms + 1000 }).expect("the engine goes on");
    }
    let finals = finals(&run.lines, "torque_hop");
    let parsed = finals.iter().map(|(key, said)| {
        let start =
            key.split("window_start=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a start");
        let times = said.split(' ').next().and_then(|times| times.parse().ok()).expect("a count");
        // Scenarios tell times of day.
        let parts: Vec<i64> = start.split(':').map(|part| part.parse().expect("a number")).collect();
        ((parts[0] - 10) * 3600 + parts[1] * 60 + parts.get(2).copied().unwrap_or(0), times)
    });
    parsed.collect()
}

#[test]
fn new_windows_that_were_open_at_the_switch_are_whole_with_the_journal_and_wait_for_the_next_without() {
    let filled = hops_around_a_switch(true);
    // Time has come to second 194 for the bay; what ended before is told to nobody, the rest as it is.
    let starts: Vec<i64> = filled.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [140, 160, 180, 200, 220], "{filled:?}");
    assert!(filled.iter().all(|(_, times)| *times == 60), "{filled:?}");
    let empty = hops_around_a_switch(false);
    assert_eq!(empty, [(200, 60), (220, 60)]);
}

/// Tags of an intake that was decoded ahead are numbered for the block that is open, and blocks fill up in its midst.
#[test]
fn readings_of_one_moment_that_fill_several_blocks_keep_their_tags() {
    let reading = |number: i64| {
        let payload = format!(
            r#"{{"ts":{},"metric":"torque","value":50,"seq":{number},"tags":{{"joint":"A{}"}}}}"#,
            START_MS + number,
            number % 3
        );
        let topic = "workshop/lyon/bay-01/tq-1/telemetry".to_owned();
        Action::Message(Message { at_ms: START_MS + 500, topic, payload: payload.into_bytes() })
    };
    let actions: Vec<Action> = (0..300).map(reading).collect();
    let apart = outcome(&shipped(), &actions, Way::default(), &[], &[], true);
    for block_rows in [1, 50, 100] {
        let ahead_from = NonZeroUsize::new(8);
        let way = Way { block_rows: NonZeroUsize::new(block_rows), ahead_from, ..together() };
        let ahead = outcome(&shipped(), &actions, way, &[], &[], true);
        assert_eq!(differences(&apart, &ahead), Vec::<String>::new(), "blocks of {block_rows} rows");
    }
}
