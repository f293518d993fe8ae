//! A script of what comes in, and the batches that go out.
//!
//! ```text
//! 1.250 q1 7 wheel/torque 12        at 1.250 s: message of QoS 1 with packet id 7, payload of 12 bytes
//! 1.250 q0 wheel/torque 12
//! 1.300 time                        the alarm rings
//! 1.300 durable | lost | finish | submit
//! 1.300 clock -86400                the wall clock is put back by so many seconds
//! ```
//! Each line is followed by `take` where the batch is due, as the intake's thread does it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::entry::Command;
use crate::time::{Clock, Epoch, ManualClock};

const BOUNDS: Bounds = Bounds {
    commit_interval_us: 5_000,
    commit_bytes: 1_000,
    unacknowledged_max: 10,
    waiting_bytes_max: 3_000,
    payload_bytes_max: 2_000,
};

fn check(bounds: Bounds, last_at_ms: Option<i64>, script: &str, expected: &str) {
    let clock = Arc::new(ManualClock::at(0));
    let mut gathering: Option<Gathering> = None;
    let mut out = String::new();
    let mut off_ms = 0;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let seconds: f64 = words[0].parse().expect("seconds");
        clock.set((seconds * 1000.0).round() as i64);
        if let [_, "clock", by_s] = words[..] {
            off_ms += by_s.parse::<i64>().expect("seconds") * 1000;
            continue;
        }
        let now = Moment { ms: clock.now_ms() + off_ms, us: clock.monotonic_us() };
        let gathering = gathering.get_or_insert_with(|| {
            let arrivals = Arrivals::new(last_at_ms, now.ms, Epoch(0), Duration::from_secs(5));
            Gathering::new(bounds, arrivals, 1, now.us)
        });
        step(gathering, &words[1..], now, &mut out);
        while gathering.is_due(now.us) {
            let batch = gathering.take().expect("it is due");
            writeln!(out, "{}", show(&batch)).expect("text");
        }
    }
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
}

fn step(gathering: &mut Gathering, words: &[&str], now: Moment, out: &mut String) {
    let (topic, bytes, packet_id) = match words {
        ["q1", packet_id, topic, bytes] => (*topic, *bytes, Some(packet_id.parse().expect("a packet id"))),
        ["q0", topic, bytes] => (*topic, *bytes, None),
        ["time"] => return gathering.pass(now),
        ["finish"] => {
            gathering.finish(now);
            return writeln!(out, "{}", show(&gathering.take().expect("a cut"))).expect("text");
        }
        ["submit" | "change"] => {
            let change = (words == ["change"])
                .then_some(crate::entry::Change { readings_from: None, waits_for_history: false });
            let (engine, text) = ("1".to_owned(), String::new());
            return gathering.submit(Entry::Configuration { engine, text, change }, now);
        }
        ["command", topic] => {
            let mut messages = IntakeBuilder::new();
            // Long before all that has come.
            messages.push(topic, b"x", 0);
            let command = Command { at_ms: 0, order: "{}".to_owned(), messages: messages.finish(0) };
            gathering.pass(now);
            return gathering.submit(Entry::Command(command), now);
        }
        ["durable"] => {
            let committed = gathering.committed().expect("one is at the journal");
            return writeln!(out, "ack {:?}", committed.packet_ids).expect("text");
        }
        ["lost"] => return writeln!(out, "dropped {}", gathering.connection_lost()).expect("text"),
        words => panic!("what is {words:?}"),
    };
    gathering.pass(now);
    let payload = vec![b'x'; bytes.parse().expect("bytes")];
    match gathering.message(Arrived { topic, payload: &payload, packet_id }, now) {
        Taken::Whole => {}
        taken => writeln!(out, "{taken:?}").expect("text"),
    }
}

fn show(batch: &Batch) -> String {
    let entries = batch.entries.iter().map(|gathered| match &gathered.entry {
        Entry::Intake(intake) => {
            let messages: Vec<String> = intake
                .iter()
                .map(|message| {
                    let seconds = message.arrived_ms as f64 / 1000.0;
                    format!("{}:{}@{seconds:.3}", message.ordinal, message.topic)
                })
                .collect();
            format!("[{}]", messages.join(" "))
        }
        Entry::Tick { first_ms, last_ms } if first_ms == last_ms => format!("tick {}", first_ms / 1000),
        Entry::Tick { first_ms, last_ms } => format!("tick {}..{}", first_ms / 1000, last_ms / 1000),
        Entry::Cut { epoch, at_ms } => format!("cut {} at {:.3}", epoch.0, *at_ms as f64 / 1000.0),
        Entry::Configuration { .. } => "configuration".to_owned(),
        Entry::Command(Command { at_ms, messages, .. }) => {
            let messages = messages.iter().map(|message| format!("{}:{}", message.ordinal, message.topic));
            format!("command at {:.3} [{}]", *at_ms as f64 / 1000.0, messages.collect::<Vec<_>>().join(" "))
        }
        Entry::Generation { .. } => "generation".to_owned(),
        Entry::Filling { .. } => "filling".to_owned(),
    });
    format!("commit {}", entries.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_changed_configuration_begins_an_epoch() {
    let script = "
        1.001 q1 1 a 10
        1.003 change
        1.004 q1 2 b 10
        1.006 time
        1.007 durable";
    let expected = "commit [1:a@1.001], cut 1 at 1.001, configuration, [2:b@1.004]\nack [1, 2]";
    check(BOUNDS, None, script, expected);
}

#[test]
fn messages_are_committed_together_after_five_milliseconds() {
    let script = "
        1.001 q1 1 a 10
        1.003 q1 2 b 10
        1.005 q0 a 10
        1.006 time
        1.007 durable";
    check(BOUNDS, None, script, "commit [1:a@1.001 2:b@1.003 3:a@1.005]\nack [1, 2]");
}

#[test]
fn a_batch_is_committed_at_once_when_it_is_large() {
    let script = "
        1.001 q1 1 a 600
        1.001 q1 2 a 600
        1.001 durable";
    check(BOUNDS, None, script, "commit [1:a@1.001 2:a@1.001]\nack [1, 2]");
}

#[test]
fn half_of_the_window_is_never_exceeded_while_the_journal_is_free() {
    let bounds = Bounds { unacknowledged_max: 2, ..BOUNDS };
    let script = "
        1.001 q1 1 a 1
        1.001 q1 2 a 1
        1.001 q1 3 a 1
        1.001 q1 4 a 1
        1.002 durable
        1.003 durable";
    let expected = "
        commit [1:a@1.001 2:a@1.001]
        ack [1, 2]
        commit [3:a@1.001 4:a@1.001]
        ack [3, 4]";
    check(bounds, None, script, expected);
}

#[test]
fn while_a_batch_is_at_the_journal_the_next_gathers_whatever_its_size_and_age() {
    let script = "
        1.001 q1 1 a 999
        1.002 q1 2 a 999
        1.003 q1 3 a 999
        1.900 time
        1.950 durable";
    let expected = "
        commit [1:a@1.001]
        ack [1]
        commit [2:a@1.002], [3:a@1.003]";
    check(BOUNDS, None, script, expected);
}

#[test]
fn a_tick_stands_at_each_whole_second_between_the_messages_before_and_after_it() {
    let script = "
        1.998 q1 1 a 1
        1.999 q1 2 a 1
        2.000 q1 3 a 1
        2.001 q1 4 a 1
        2.003 time";
    let expected = "commit [1:a@1.998 2:a@1.999], tick 2, [3:a@2.000 4:a@2.001]";
    check(BOUNDS, None, script, expected);
}

#[test]
fn a_silent_stretch_is_one_tick_and_a_cut_follows_it() {
    let script = "
        1.500 q0 a 1
        1.505 time
        1.506 durable
        8.250 q0 b 1
        8.255 time";
    check(BOUNDS, None, script, "commit [1:a@1.500]\nack []\ncommit tick 2..8, cut 1 at 8.000, [2:b@8.250]");
}

#[test]
fn cuts_come_at_the_multiples_of_their_interval() {
    let script = "
        4.999 q0 a 1
        5.000 time
        5.004 time
        5.005 durable
        9.000 time
        9.005 time
        9.006 durable
        10.00 time
        10.01 time";
    let expected = "
        commit [1:a@4.999], tick 5, cut 1 at 5.000
        ack []
        commit tick 6..9
        ack []
        commit tick 10, cut 2 at 10.000";
    check(BOUNDS, None, script, expected);
}

#[test]
fn after_a_restart_the_seconds_since_the_last_entry_are_one_silent_stretch() {
    let script = "
        100.25 q0 a 1
        100.26 time";
    check(BOUNDS, Some(3_700), script, "commit tick 4..100, cut 1 at 100.000, [1:a@100.250]");
}

#[test]
fn arrival_never_goes_back_when_the_clock_does() {
    let script = "
        7.100 q0 a 1
        3.000 q0 b 1
        7.300 q0 c 1
        7.400 time";
    check(BOUNDS, None, script, "commit [1:a@7.100 2:b@7.100 3:c@7.300]");
}

/// Ticks and cuts go on, for windows, exports and absences wait for them, and the clock is right again some time.
#[test]
fn a_clock_that_is_put_back_a_day_stops_nothing() {
    let script = "
        4.100 q0 a 1
        4.200 clock -86400
        4.300 time
        4.301 durable
        5.200 q0 b 1
        5.300 time
        5.301 durable
        6.600 clock 86400
        6.700 time
        6.710 time";
    let expected = "
        commit [1:a@4.100]
        ack []
        commit tick 5, cut 1 at 5.000, [2:b@5.200]
        ack []
        commit tick 6";
    check(BOUNDS, None, script, expected);
}

#[test]
fn after_a_restart_with_the_clock_behind_the_journal_time_goes_on() {
    let script = "
        1.100 q0 a 1
        2.300 time
        2.301 durable
        6.300 time
        6.310 time";
    let expected = "
        commit [1:a@100.000], tick 101
        ack []
        commit tick 102..105, cut 1 at 105.000";
    check(BOUNDS, Some(100_000), script, expected);
}

#[test]
fn a_stalled_journal_in_a_silent_shop_gathers_one_tick_and_one_cut_however_long_it_takes() {
    let mut script = "1.100 q0 a 1\n1.105 time\n".to_owned();
    for second in 2..=3600 {
        writeln!(script, "{second} time").expect("text");
    }
    script.push_str("3600.5 q0 b 1\n3600.6 durable\n3600.7 durable\n3605 time\n3606 time");
    let expected = "
        commit [1:a@1.100]
        ack []
        commit tick 2..5, cut 1 at 5.000, tick 6..3600, [2:b@3600.500]
        ack []
        commit tick 3601..3605, cut 2 at 3605.000, tick 3606";
    check(BOUNDS, None, &script, expected);
}

#[test]
fn qos_0_beyond_the_bound_is_shed_and_qos_1_never() {
    let script = "
        1.001 q1 1 a 1500
        1.001 q0 a 1400
        1.001 q0 a 200
        1.001 q0 a 200
        1.001 q1 2 a 200
        1.002 durable
        1.002 q0 a 200
        1.003 durable";
    let expected = "
        commit [1:a@1.001]
        Shed
        ack [1]
        commit [2:a@1.001], [3:a@1.001 4:a@1.001]
        ack [2]
        commit [5:a@1.002]";
    // The last message comes while the second batch is at the journal, and goes when that is durable.
    let bounds = Bounds { commit_interval_us: 1_000, ..BOUNDS };
    check(bounds, None, script, expected);
}

#[test]
fn acknowledgements_of_a_lost_connection_are_dropped_and_its_messages_kept() {
    let script = "
        1.001 q1 1 a 999
        1.002 q1 2 a 1
        1.003 lost
        1.004 durable
        1.010 q1 1 b 1
        1.020 time
        1.021 durable";
    let expected = "
        commit [1:a@1.001]
        dropped 2
        ack []
        commit [2:a@1.002 3:b@1.010]
        ack [1]";
    check(BOUNDS, None, script, expected);
}

#[test]
fn a_payload_beyond_the_bound_is_cut_to_a_length_that_ends_in_quarantine() {
    let bounds = Bounds { payload_bytes_max: 20, ..BOUNDS };
    check(bounds, None, "1.001 q1 1 a 500\n1.006 time\n1.007 durable", "Cut\ncommit [1:a@1.001]\nack [1]");
}

#[test]
fn a_submitted_entry_stands_where_it_was_submitted() {
    let script = "
        1.001 q1 1 a 1
        1.002 submit
        1.003 q1 2 a 1
        1.006 time";
    check(BOUNDS, None, script, "commit [1:a@1.001], configuration, [2:a@1.003]");
}

#[test]
fn the_end_is_a_commit_with_a_last_cut() {
    check(BOUNDS, None, "6.001 q1 1 a 1\n7.002 finish", "commit [1:a@6.001], tick 7, cut 1 at 7.002");
}

#[test]
fn a_command_stands_where_it_came_and_its_messages_are_numbered_with_the_others() {
    let script = "
        1.001 q1 1 a 10
        1.002 command old
        1.003 q1 2 a 10
        1.007 time
        1.008 durable";
    check(BOUNDS, None, script, "commit [1:a@1.001], command at 1.002 [2:old], [3:a@1.003]\nack [1, 2]");
}
