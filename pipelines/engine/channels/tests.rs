use std::path::Path;

use ingest::entry::command::{Order, What};
use ingest::entry::{Command, Entry, IntakeBuilder};

use super::*;
use crate::config::Config;
use crate::wire;

const AT_MS: i64 = 1_772_445_600_000;
const WRENCH: &str = "workshop/lyon/bay-01/tq-1/telemetry";
const STEPS: &str = "workshop/lyon/bay-01/steps";

fn config() -> Config {
    let any = "127.0.0.1:0".parse().expect("an address");
    Config::embedded_demo(Path::new("/nowhere"), any, any)
}

fn engine() -> Engine {
    wire::engine(&config()).expect("the demo's rules compile")
}

/// Applies the messages in entries of `together`.
fn hear(engine: &mut Engine, messages: &[(&str, String)], together: usize) {
    let (mut out, mut first) = (Vec::new(), 1);
    for messages in messages.chunks(together) {
        let mut intake = IntakeBuilder::new();
        messages.iter().for_each(|(topic, payload)| intake.push(topic, payload.as_bytes(), AT_MS));
        engine.apply(&Entry::Intake(intake.finish(first)), &mut out).expect("applies");
        first += messages.len() as u64;
    }
}

fn reading(boot: i64, seq: i64, ts_ms: i64) -> (&'static str, String) {
    (WRENCH, format!(r#"{{"ts":{ts_ms},"metric":"torque","value":85,"boot":{boot},"seq":{seq}}}"#))
}

/// A shift in which everything happens that can happen to a message.
fn shift() -> Vec<(&'static str, String)> {
    let step = |event: &str, seq: i64, ts: i64| {
        let payload = format!(
            r#"{{"ts":{ts},"job":"J1","step":"S1","technician":"T1","event":"{event}","seq":{seq}}}"#
        );
        (STEPS, payload)
    };
    vec![
        reading(1, 1, AT_MS),
        reading(1, 2, AT_MS + 40_000),
        reading(1, 2, AT_MS + 40_000),
        reading(1, 5, AT_MS + 5_000),
        reading(1, 6, AT_MS - 3_600_000),
        reading(1, 7, AT_MS + 90_000_000),
        (
            WRENCH,
            r#"{"ts":1772445600000,"metric":"torque","value":1,"unit":"furlong","boot":1,"seq":9}"#
                .to_owned(),
        ),
        (WRENCH, r#"{"ts":17724456"#.to_owned()),
        (WRENCH, "[]".to_owned()),
        reading(2, 3, AT_MS + 1),
        reading(2, 4, AT_MS + 2),
        reading(1, 3, AT_MS + 3),
        ("elsewhere/altogether", "{}".to_owned()),
        step("started", 1, AT_MS),
        step("started", 1, AT_MS),
        step("vanished", 2, AT_MS),
        step("finished", 4, AT_MS + 1_000),
        step("started", 5, AT_MS + 90_000_000),
        ("workshop/lyon/bay-01/andon", "{}".to_owned()),
    ]
}

#[test]
fn what_became_of_each_message_is_told_by_its_channel() {
    let mut engine = engine();
    hear(&mut engine, &shift(), 7);
    let devices = engine.devices(&ChannelQuery::default());
    let [wrench, steps, output] = devices.devices.as_slice() else { panic!("{devices:#?}") };
    assert_eq!((wrench.topic.as_str(), steps.topic.as_str()), (WRENCH, STEPS));
    let expected = Sums {
        messages: 12,
        decoded: 11,
        undecodable: 1,
        readings: 10,
        applied: 7,
        duplicates: 1,
        quarantined: 2,
        on_time: 2,
        corrections: 4,
        late: 1,
        ..Sums::default()
    };
    assert_eq!(wrench.sums, expected);
    let expected = Sums {
        messages: 5,
        decoded: 5,
        events: 5,
        events_applied: 2,
        event_duplicates: 1,
        events_quarantined: 2,
        ..Sums::default()
    };
    assert_eq!(steps.sums, expected);
    assert_eq!(output.sums, Sums { messages: 1, decoded: 1, ..Sums::default() });
    assert_eq!(devices.elsewhere, Sums { messages: 1, undecodable: 1, ..Sums::default() });
    assert_eq!(devices.all, Sums::of(&engine.counts()));
    assert!(devices.devices.iter().all(|device| device.adds_up));
    engine.snapshot().expect("a state");
    assert_eq!(engine.channels_at_odds(), None);
}

#[test]
fn what_is_in_quarantine_as_a_whole_has_come_and_is_not_called_missing() {
    let mut engine = engine();
    hear(&mut engine, &shift(), 100);
    let gaps = engine.gaps(&ChannelQuery::default());
    let told: Vec<_> =
        gaps.gaps.iter().map(|gap| (gap.topic.as_str(), gap.boot, gap.first, gap.last)).collect();
    // A step event that does not exist is refused before its number is known.
    let expected = [(WRENCH, Some(1), 4, 4), (WRENCH, Some(1), 8, 8), (STEPS, None, 2, 3)];
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    assert_eq!(gaps.missing, Missing { missing: 4, ranges: 3, channels: 2, forgotten: 0 });
    let of_steps = ChannelQuery { topic: Some("steps".into()), ..ChannelQuery::default() };
    assert_eq!(engine.gaps(&of_steps).gaps.len(), 1);
    let first = ChannelQuery { limit: Some(1), ..ChannelQuery::default() };
    assert_eq!((engine.gaps(&first).gaps.len(), engine.gaps(&first).next_skip), (1, Some(1)));
}

#[test]
fn sums_and_gaps_do_not_depend_on_entries_or_on_a_checkpoint() {
    let (mut whole, mut parted) = (engine(), engine());
    hear(&mut whole, &shift(), 100);
    hear(&mut parted, &shift()[..9], 2);
    let mut restored = engine();
    restored.restore(&config(), &parted.snapshot().expect("a state")).expect("restores");
    hear(&mut restored, &shift()[9..], 3);
    let all = ChannelQuery::default();
    assert_eq!(restored.devices(&all), whole.devices(&all));
    assert_eq!(restored.gaps(&all), whole.gaps(&all));
    assert!(whole.gaps(&all).missing.missing > 0);
}

#[test]
fn a_recording_that_has_what_was_lost_fills_the_gap_and_counts_once() {
    let mut engine = engine();
    hear(&mut engine, &[reading(1, 1, AT_MS), reading(1, 4, AT_MS + 3)], 1);
    let mut lost = IntakeBuilder::new();
    for (topic, payload) in [reading(1, 1, AT_MS), reading(1, 2, AT_MS + 1)] {
        lost.push(topic, payload.as_bytes(), AT_MS);
    }
    let what = What::Import { recording: "gateway".into(), from: 0 };
    let order = Order { actor: "T17".into(), key: "K1".into(), what };
    let import = Entry::Command(Command { at_ms: AT_MS, ..Command::new(&order, lost.finish(3)) });
    engine.apply(&import, &mut Vec::new()).expect("applies");
    let all = ChannelQuery::default();
    assert_eq!(engine.gaps(&all).gaps.iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>(), [(3, 3)]);
    let sums = engine.devices(&all).devices[0].sums;
    assert_eq!((sums.messages, sums.applied, sums.duplicates), (4, 3, 1));
    assert_eq!(engine.devices(&all).all, Sums::of(&engine.counts()));
}

/// Found with a broker that is killed: a finish whose start was lost is refused when its time is certain, and was still
/// counted as applied by its channel.
#[test]
fn what_is_refused_once_its_time_is_certain_is_moved_within_its_channel() {
    let mut engine = engine();
    let usage = "workshop/lyon/bay-01/usage";
    let finish =
        format!(r#"{{"ts":{AT_MS},"job":"J1","step":"S1","technician":"T1","event":"finished","seq":1}}"#);
    let booking = format!(r#"{{"ts":{AT_MS},"resource":"oil","quantity":4,"unit":"L","seq":1}}"#);
    hear(&mut engine, &[(STEPS, finish), (usage, booking)], 1);
    let (first_ms, last_ms) = (AT_MS, AT_MS + 2 * 86_400_000);
    engine.apply(&Entry::Tick { first_ms, last_ms }, &mut Vec::new()).expect("applies");
    let counts = engine.counts();
    assert_eq!((counts.events_applied, counts.events_quarantined), (0, 2));
    engine.snapshot().expect("a state");
    assert_eq!(engine.channels_at_odds(), None);
    for device in engine.devices(&ChannelQuery::default()).devices {
        assert_eq!((device.sums.events_applied, device.sums.events_quarantined), (0, 1), "{device:?}");
    }
}

#[test]
fn a_channel_whose_sums_do_not_add_up_is_named() {
    let mut engine = engine();
    hear(&mut engine, &shift(), 100);
    engine.counts.duplicates += 1;
    engine.snapshot().expect("a state");
    let said = engine.channels_at_odds().expect("it is seen");
    assert!(said.contains("together are not the total"), "{said}");
    engine.channels.take(1, &Sums { readings: 1, ..Sums::default() });
    let said = engine.channels_at_odds().expect("it is seen");
    assert!(said.contains("1 channels do not add up") && said.contains(STEPS), "{said}");
    let devices = engine.devices(&ChannelQuery::default());
    assert_eq!((devices.at_odds, devices.devices[1].adds_up), (1, false));
}
