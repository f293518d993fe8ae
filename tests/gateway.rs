//! First out: a site whose gateway is lost is one exception, whatever it makes silent, and nothing of what the gateway
//! held is lost or late.

use std::collections::BTreeMap;
use std::path::Path;

use pipelines::config::Config;
use pipelines::scenario::{Action, Message, Run, Way};

/// 2026-03-02 10:00 UTC.
const START_MS: i64 = 1_772_445_600_000;
const BAYS: i64 = 40;
const TOOLS: i64 = 10;
const MINUTE_MS: i64 = 60_000;
/// Each tool reports this often.
const INTERVAL_MS: i64 = 5_000;

/// What all tools of a site say at `ts_ms` arrives at `at_ms`.
fn report(run: &mut Run, site: &str, bays: i64, ts_ms: i64, at_ms: i64) -> u64 {
    for bay in 0..bays {
        for tool in 0..TOOLS {
            let value = 12.6 + (ts_ms / INTERVAL_MS % 7) as f64 / 100.0;
            let topic = format!("workshop/{site}/{site}-{bay:02}/supply-{tool}/telemetry");
            let payload = format!(r#"{{"ts":{ts_ms},"metric":"voltage","value":{value}}}"#).into_bytes();
            run.act(&Action::Message(Message { at_ms, topic, payload })).expect("the engine goes on");
        }
    }
    (bays * TOOLS) as u64
}

fn tick(run: &mut Run, first_ms: i64, last_ms: i64) {
    run.act(&Action::Tick { first_ms, last_ms }).expect("the engine goes on");
}

/// How many exceptions have been told since the last call, by rule and state.
fn told(run: &mut Run) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for line in run.lines.drain(..).filter(|line| line.starts_with("out exceptions ")) {
        assert!(line.contains("lyon"), "another site is not concerned: {line}");
        let value = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name));
        let (rule, state) = (value("rule=").unwrap_or_default(), value("state=").unwrap_or_default());
        *told.entry(format!("{rule} {state}")).or_default() += 1;
    }
    told
}

#[test]
fn forty_bays_lost_at_once_are_one_exception_and_nothing_they_held_is_lost_or_late() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml");
    let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let mut run = Run::new(&config, Way { together: true, ..Way::default() }).expect("the rules compile");
    let (lost_ms, back_ms) = (START_MS + 2 * MINUTE_MS, START_MS + 12 * MINUTE_MS);
    let mut readings = 0;
    for at_ms in (START_MS..back_ms).step_by(INTERVAL_MS as usize) {
        if at_ms < lost_ms {
            readings += report(&mut run, "lyon", BAYS, at_ms, at_ms);
        }
        readings += report(&mut run, "oslo", 1, at_ms, at_ms + 1);
        tick(&mut run, at_ms + 1000, at_ms + INTERVAL_MS);
    }
    let states = told(&mut run);
    let expected =
        [("bay_silent suppressed", 40), ("gateway_down active", 1), ("tool_silent suppressed", 400)];
    assert_eq!(states, expected.map(|(name, count)| (name.to_owned(), count)).into());
    assert_eq!(run.exceptions_open(), 1);

    // Bay by bay, all that it held, within two seconds; the other site goes on.
    for ts_ms in (lost_ms..back_ms).step_by(INTERVAL_MS as usize) {
        readings += report(&mut run, "lyon", BAYS, ts_ms, back_ms);
    }
    readings += report(&mut run, "oslo", 1, back_ms, back_ms);
    tick(&mut run, back_ms + 1000, back_ms + 1000);
    let states = told(&mut run);
    let expected = [("bay_silent cleared", 40), ("gateway_down cleared", 1), ("tool_silent cleared", 400)];
    assert_eq!(states, expected.map(|(name, count)| (name.to_owned(), count)).into(), "none became active");
    assert_eq!(run.exceptions_open(), 0);

    run.act(&Action::End).expect("the engine goes on");
    let counts = run.counts();
    assert!(counts.adds_up(), "{counts:?}");
    assert_eq!((counts.readings, counts.on_time), (readings, readings), "{counts:?}");
}
