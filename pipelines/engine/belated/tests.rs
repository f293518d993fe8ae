//! Messages about the past beside those of the present.

use std::path::Path;

use ingest::entry::command::{Order, What};
use ingest::entry::{Command, Entry, IntakeBuilder};
use sinks::emission::Emission;

use super::super::Engine;
use super::super::commands::Outcome;
use crate::config::{BoundSettings, Config};
use crate::wire;

const AT_MS: i64 = 1_772_445_600_000;
const TOPIC: &str = "workshop/lyon/bay-01/tq-1/telemetry";

fn config() -> Config {
    let any = "127.0.0.1:0".parse().expect("an address");
    Config::embedded_demo(Path::new("/nowhere"), any, any)
}

fn engine() -> Engine {
    wire::engine(&config()).expect("the demo's rules compile")
}

fn apply(engine: &mut Engine, entry: &Entry) -> Vec<Emission> {
    let mut out = Vec::new();
    engine.apply(entry, &mut out).expect("applies");
    out
}

fn messages(first: u64, payloads: &[String]) -> ingest::entry::Intake {
    let mut messages = IntakeBuilder::new();
    for payload in payloads {
        messages.push(TOPIC, payload.as_bytes(), AT_MS);
    }
    messages.finish(first)
}

fn reading(ts_ms: i64, value: f64) -> String {
    format!(r#"{{"ts":{ts_ms},"metric":"torque","value":{value}}}"#)
}

fn ask(what: What, messages: ingest::entry::Intake) -> Entry {
    let order = Order { actor: "T17".into(), key: format!("{what:?}"), what };
    Entry::Command(Command { at_ms: AT_MS, ..Command::new(&order, messages) })
}

fn replay(record: &str, first: u64, payload: &str) -> Entry {
    let what = What::Replay { record: record.into(), origin: 1, metric: None, reason: None };
    ask(what, messages(first, &[payload.to_owned()]))
}

fn import(from: u64, first: u64, payloads: &[String]) -> Entry {
    ask(What::Import { recording: "shift".into(), from }, messages(first, payloads))
}

fn outcome(engine: &mut Engine) -> (Outcome, Option<u64>) {
    let answer = engine.take_answers().last().expect("it was answered");
    (answer.outcome, answer.imported)
}

#[test]
fn what_is_replayed_is_a_correction_or_late_and_moves_no_watermark() {
    let mut engine = engine();
    apply(&mut engine, &Entry::Intake(messages(1, &[reading(AT_MS, 85.0)])));
    let before = engine.watermark_lag_ms();
    for (number, ago_ms) in [(2, 60_000), (3, 3_600_000), (4, -3_000)] {
        apply(&mut engine, &replay(&format!("record-{number}"), number, &reading(AT_MS - ago_ms, 86.0)));
        assert_eq!(outcome(&mut engine).0, Outcome::Applied);
    }
    assert_eq!(engine.watermark_lag_ms(), before);
    let counts = engine.counts();
    assert_eq!((counts.on_time, counts.corrections, counts.late, counts.replayed), (1, 2, 1, 3));
    assert!(counts.adds_up());
    let told = apply(&mut engine, &Entry::Tick { first_ms: AT_MS + 1000, last_ms: AT_MS + 1000 });
    let rows = |stream: &str| -> usize {
        told.iter()
            .filter(|emission| *emission.stream == *stream)
            .map(|emission| emission.rows.num_rows())
            .sum()
    };
    assert_eq!((rows("telemetry"), rows("late")), (3, 1), "at the next tick, while what is live still waits");
}

#[test]
fn a_replay_that_still_cannot_be_used_leaves_all_as_it_was_and_may_be_tried_again() {
    let mut engine = engine();
    let before = engine.counts();
    let told = apply(&mut engine, &replay("record-1", 1, "{"));
    assert_eq!(outcome(&mut engine).0, Outcome::Conflict);
    let is_of_command = |stream: &str| matches!(stream, "commands" | "queue_items");
    assert!(told.iter().all(|emission| is_of_command(&emission.stream)), "no second record of it");
    let counts = engine.counts();
    assert_eq!((counts.messages, counts.undecodable, counts.set_aside), (0, 0, before.set_aside + 1));
    let what =
        What::Replay { record: "record-1".into(), origin: 1, metric: None, reason: Some("again".into()) };
    apply(&mut engine, &ask(what, messages(2, &[reading(AT_MS, 85.0)])));
    assert_eq!(outcome(&mut engine).0, Outcome::Applied);
    let what =
        What::Replay { record: "record-1".into(), origin: 1, metric: None, reason: Some("more".into()) };
    apply(&mut engine, &ask(what, messages(3, &[reading(AT_MS, 85.0)])));
    assert_eq!(outcome(&mut engine).0, Outcome::Conflict, "it is replayed already");
    assert_eq!(engine.counts().messages, 1);
}

#[test]
fn pieces_of_a_recording_go_on_where_it_ended_whatever_comes_twice() {
    let mut engine = engine();
    let all: Vec<String> = (0..6).map(|number| reading(AT_MS - 1000 * number, 85.0)).collect();
    apply(&mut engine, &import(0, 1, &all[..3]));
    assert_eq!(outcome(&mut engine), (Outcome::Applied, Some(3)));
    apply(&mut engine, &import(5, 4, &all[5..]));
    assert_eq!(outcome(&mut engine), (Outcome::Conflict, Some(3)), "what is between is missing");
    apply(&mut engine, &import(1, 5, &all[1..5]));
    assert_eq!(outcome(&mut engine), (Outcome::Applied, Some(5)), "two of it were in");
    apply(&mut engine, &import(0, 9, &all[..3]));
    assert_eq!(outcome(&mut engine), (Outcome::Applied, Some(5)));
    let counts = engine.counts();
    assert_eq!((counts.messages, counts.imported, counts.late, counts.set_aside), (5, 5, 5, 1 + 2 + 3));
    assert!(counts.adds_up());
}

#[test]
fn a_checkpoint_between_two_pieces_changes_nothing() {
    let all: Vec<String> = (0..40).map(|number| reading(AT_MS - 7000 * number, 85.0)).collect();
    let rest = |engine: &mut Engine| {
        apply(engine, &import(20, 22, &all[20..]));
        apply(engine, &replay("record-1", 42, &all[3]));
        apply(engine, &Entry::Tick { first_ms: AT_MS + 1000, last_ms: AT_MS + 1000 });
        engine.state_hash().expect("a hash")
    };
    let mut straight = engine();
    apply(&mut straight, &Entry::Intake(messages(1, &[reading(AT_MS, 85.0)])));
    apply(&mut straight, &import(0, 2, &all[..20]));
    apply(&mut straight, &Entry::Cut { epoch: ingest::time::Epoch(1), at_ms: AT_MS });
    let state = straight.snapshot().expect("a snapshot");
    let mut restored = engine();
    restored.restore(&config(), &state).expect("restores");
    assert_eq!(rest(&mut restored), rest(&mut straight));
}

/// It had no effect on them before the next start.
#[test]
fn a_replayed_asset_sets_its_bays_bounds_as_a_live_one_does() {
    let mut config = config();
    let lateness = Some(std::time::Duration::from_secs(600));
    config.engine.kinds = vec![("wrench".to_owned(), BoundSettings { lateness, ..BoundSettings::default() })];
    let asset = format!(r#"{{"ts":{AT_MS},"asset":"tq-1","kind":"wrench","bay":"bay-01"}}"#);
    let of_asset = |first: u64| {
        let mut messages = IntakeBuilder::new();
        messages.push("workshop/lyon/assets", asset.as_bytes(), AT_MS);
        messages.finish(first)
    };
    let lag = |said: Option<Entry>| {
        let mut engine = wire::engine(&config).expect("the demo's rules compile");
        apply(&mut engine, &Entry::Intake(messages(1, &[reading(AT_MS, 85.0)])));
        said.iter().for_each(|said| drop(apply(&mut engine, said)));
        apply(&mut engine, &Entry::Intake(messages(3, &[reading(AT_MS + 1000, 85.0)])));
        engine.watermark_lag_ms()
    };
    let what = What::Replay { record: "record-1".into(), origin: 1, metric: None, reason: None };
    let live = lag(Some(Entry::Intake(of_asset(2))));
    assert_eq!(lag(Some(ask(what, of_asset(2)))), live);
    assert_ne!(lag(None), live, "the kind makes a difference");
}

/// It waited beside the first, which is told once its start comes, and so it was told and booked twice.
#[test]
fn a_finish_sent_anew_before_its_start_is_not_told_twice() {
    let step = |message: u64, event: &str, ago_ms: i64| {
        let ts_ms = AT_MS - ago_ms;
        let payload = format!(r#"{{"ts":{ts_ms},"job":"J1","step":"S1","event":"{event}"}}"#);
        let mut messages = IntakeBuilder::new();
        messages.push("workshop/lyon/bay-01/steps", payload.as_bytes(), AT_MS);
        messages.finish(message)
    };
    let again = |key: &str, message: u64| {
        let reason = Some(key.to_owned());
        ask(
            What::Replay { record: "finish".into(), origin: 1, metric: None, reason },
            step(message, "finished", 20_000),
        )
    };
    let tick = |engine: &mut Engine, after_ms: i64| {
        let told = apply(engine, &Entry::Tick { first_ms: AT_MS + after_ms, last_ms: AT_MS + after_ms });
        let rows = |stream: &str| {
            let of_stream = told.iter().filter(|emission| *emission.stream == *stream);
            of_stream.map(|emission| emission.rows.num_rows()).sum::<usize>()
        };
        (rows("steps"), rows("quarantine"))
    };
    let mut engine = engine();
    let present = [reading(AT_MS, 85.0)];
    apply(&mut engine, &Entry::Intake(step(1, "finished", 20_000)));
    apply(&mut engine, &Entry::Intake(messages(2, &present)));
    assert_eq!(tick(&mut engine, 1000), (0, 1), "nobody has started it");

    apply(&mut engine, &again("too early", 3));
    let answer = engine.take_answers().last().expect("it was answered").clone();
    assert_eq!(answer.outcome, Outcome::Conflict);
    assert!(answer.detail.contains("send its `started` event first"), "{}", answer.detail);
    assert_eq!(tick(&mut engine, 2000), (0, 0), "no second record of it");

    apply(&mut engine, &Entry::Intake(step(4, "started", 50_000)));
    assert_eq!(tick(&mut engine, 3000), (2, 0), "it is told with its start");
    apply(&mut engine, &again("too late", 5));
    assert_eq!(outcome(&mut engine).0, Outcome::Conflict);
    assert_eq!(tick(&mut engine, 4000), (0, 0), "it has been told");
    assert!(engine.counts().adds_up());
}
