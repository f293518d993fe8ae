//! The ledger's books balance, whatever a workshop does: lots add up to what steps used, and with what no step accounts for to
//! what meters measured.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::Arrivals;
use ingest::time::Epoch;
use pipelines::config::Config;
use pipelines::scenario::{Action, Message, Run, Way};
use proptest::prelude::*;

/// 2026-03-02 23:40 in Lyon: a day ends on the way.
const START_MS: i64 = 1_772_491_200_000;
const BAYS: [&str; 2] = ["bay-01", "bay-02"];

/// What happens on a bay.
#[derive(Clone, Debug)]
enum What {
    Dispensed {
        reel: u8,
        quantity: f64,
        lot: Option<u8>,
    },
    /// A register; one that falls was exchanged.
    Energy {
        meter: u8,
        value: f64,
    },
    Step {
        job: u8,
        event: &'static str,
    },
    Booking {
        quantity: f64,
        job: Option<u8>,
        lot: Option<u8>,
    },
}

#[derive(Clone, Debug)]
struct Sent {
    after_ms: i64,
    age_ms: i64,
    bay: usize,
    what: What,
}

fn sent() -> impl Strategy<Value = Sent> {
    let lot = || proptest::option::weighted(0.7, 0..20_u8);
    let what = prop_oneof![
        6 => (0..2_u8, 0.1..5.0_f64, lot())
            .prop_map(|(reel, quantity, lot)| What::Dispensed { reel, quantity, lot }),
        4 => (0..2_u8, 0.0..50.0_f64).prop_map(|(meter, value)| What::Energy { meter, value }),
        4 => (0..3_u8, prop::sample::select(vec!["started", "started", "finished", "failed"]))
            .prop_map(|(job, event)| What::Step { job, event }),
        2 => (0.1..5.0_f64, proptest::option::of(0..3_u8), lot())
            .prop_map(|(quantity, job, lot)| What::Booking { quantity, job, lot }),
    ];
    let after_ms = prop_oneof![10 => 0..2_000_i64, 3 => 2_000..60_000_i64, 1 => 60_000..3_000_000_i64];
    let age_ms = prop_oneof![10 => 0..2_000_i64, 2 => 2_000..60_000_i64, 1 => 60_000..1_500_000_i64];
    let bay = 0..BAYS.len();
    (after_ms, age_ms, bay, what).prop_map(|(after_ms, age_ms, bay, what)| Sent {
        after_ms,
        age_ms,
        bay,
        what,
    })
}

fn message(sent: &Sent, at_ms: i64) -> Message {
    let (ts_ms, bay) = (at_ms - sent.age_ms, BAYS[sent.bay]);
    let of_lot = |lot: &Option<u8>| lot.map_or(String::new(), |lot| format!(r#","lot":"L{lot:02}""#));
    let (topic, payload) = match &sent.what {
        What::Dispensed { reel, quantity, lot } => {
            let said = format!(
                r#"{{"ts":{ts_ms},"metric":"dispensed","value":{quantity},"tags":{{"grade":"oil"{}}}}}"#,
                of_lot(lot)
            );
            (format!("{bay}/reel_{reel}/telemetry"), said)
        }
        What::Energy { meter, value } => (
            format!("{bay}/meter_{meter}/telemetry"),
            format!(r#"{{"ts":{ts_ms},"metric":"energy","value":{value}}}"#),
        ),
        What::Step { job, event } => (
            format!("{bay}/steps"),
            format!(r#"{{"ts":{ts_ms},"job":"J{job}","step":"S1","event":"{event}"}}"#),
        ),
        What::Booking { quantity, job, lot } => {
            let job = job.map_or(String::new(), |job| format!(r#","job":"J{job}""#));
            let lot = of_lot(lot);
            let said = format!(r#"{{"ts":{ts_ms},"resource":"grease","quantity":{quantity}{job}{lot}}}"#);
            (format!("{bay}/usage"), said)
        }
    };
    Message { at_ms, topic: format!("workshop/lyon/{topic}"), payload: payload.into_bytes() }
}

/// All that is told, with every step finished in the end.
fn told(all: Vec<Sent>) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios/config/andon.toml");
    let mut config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    config.rules.clear();
    let last = (0..3).flat_map(|job| (0..BAYS.len()).map(move |bay| (job, bay))).map(|(job, bay)| Sent {
        after_ms: 1_000,
        age_ms: 0,
        bay,
        what: What::Step { job, event: "finished" },
    });
    let mut run = Run::new(&config, Way::default()).expect("the configuration works");
    let (mut at_ms, mut act) = (START_MS, |action: &Action| run.act(action).expect("the engine goes on"));
    let mut arrivals = Arrivals::new(None, at_ms, Epoch(0), Duration::from_secs(5));
    for sent in all.into_iter().chain(last) {
        at_ms += sent.after_ms;
        for entry in arrivals.pass(at_ms).iter().flat_map(|passed| passed.tick.iter().chain(&passed.cut)) {
            match *entry {
                Entry::Tick { first_ms, last_ms } => act(&Action::Tick { first_ms, last_ms }),
                Entry::Cut { at_ms, .. } => act(&Action::Cut { at_ms }),
                _ => unreachable!("time passes in ticks and cuts"),
            }
        }
        act(&Action::Message(message(&sent, at_ms)));
    }
    act(&Action::End);
    run.lines
}

/// A row's columns.
type Row = BTreeMap<String, String>;

/// Rows of a stream, the newest revision of each.
fn newest(lines: &[String], stream: &str, key: &[&str]) -> Vec<Row> {
    let head = format!("out {stream} ");
    let mut rows: BTreeMap<Vec<Option<String>>, Row> = BTreeMap::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix(&head)) {
        let columns = line.split(' ').filter_map(|part| part.split_once('='));
        let row: Row = columns.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let revision = |row: &Row| row["revision"].parse::<u32>().expect("a number");
        let key = key.iter().map(|name| row.get(*name).cloned()).collect();
        if rows.get(&key).is_none_or(|known| revision(known) < revision(&row)) {
            rows.insert(key, row);
        }
    }
    rows.into_values().collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().expect("a number")
}

/// Sums by the columns of the key.
fn sums(rows: &[Row], key: &[&str], column: &str) -> BTreeMap<Vec<String>, f64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let key = key.iter().map(|name| row.get(*name).cloned().unwrap_or_default()).collect();
        *sums.entry(key).or_insert(0.0) += number(row, column);
    }
    sums.retain(|_, sum| *sum != 0.0);
    sums
}

/// But for what arithmetic leaves.
fn are_alike(one: &BTreeMap<Vec<String>, f64>, other: &BTreeMap<Vec<String>, f64>) -> bool {
    let is_alike = |(one, other): (f64, f64)| (one - other).abs() <= 1e-9 * one.abs().max(1.0);
    one.keys().eq(other.keys()) && one.values().copied().zip(other.values().copied()).all(is_alike)
}

/// 64 workshops; `PROPTEST_CASES` asks for another number.
fn how_many() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(64), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(how_many())]

    #[test]
    fn lots_add_up_to_what_steps_used_and_with_what_nobody_did_to_what_meters_measured(
        all in prop::collection::vec(sent(), 1..150),
    ) {
        let lines = told(all);
        let usage = newest(&lines, "usage", &["job", "step", "resource"]);
        let of_ledger = ["job", "step", "resource", "lot", "bay", "local_date"];
        // A step that is done again on another bay keeps its rows.
        let of_step: Vec<Row> = newest(&lines, "ledger", &of_ledger[..4])
            .into_iter().filter(|row| row.contains_key("job")).collect();
        let of_day: Vec<Row> = newest(&lines, "ledger", &of_ledger)
            .into_iter().filter(|row| !row.contains_key("job")).collect();

        for used in &usage {
            let is_of = |row: &&Row| ["job", "step", "resource"].iter().all(|name| row[*name] == used[*name]);
            let lots: Vec<&Row> = of_step.iter().filter(is_of).collect();
            prop_assert!(lots.iter().all(|lot| lot["final"] == "true" && lot["state"] != "held"), "{lots:?}");
            if let [lot] = lots[..] {
                prop_assert_eq!(&lot["quantity"], &used["quantity"], "to the bit");
            }
        }
        let step = ["job", "step", "resource"];
        let (lots, used) = (sums(&of_step, &step, "quantity"), sums(&usage, &step, "quantity"));
        prop_assert!(are_alike(&lots, &used), "{lots:?} {used:?}");

        let balances = newest(&lines, "balances", &["bay", "tool", "resource", "local_date"]);
        let day = ["bay", "resource", "local_date"];
        let (nobodys, unassigned) = (sums(&of_day, &day, "quantity"), sums(&balances, &day, "unassigned"));
        prop_assert!(are_alike(&nobodys, &unassigned), "{nobodys:?} {unassigned:?}");
        // What was booked by hand was measured by no meter.
        let metered: Vec<Row> = of_step.into_iter().filter(|row| row["resource"] != "grease").collect();
        let (steps, booked) = (sums(&metered, &["resource"], "quantity"), sums(&balances, &["resource"], "booked"));
        prop_assert!(are_alike(&steps, &booked), "{steps:?} {booked:?}");
    }
}
