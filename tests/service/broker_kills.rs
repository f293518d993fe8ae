//! The broker killed again and again, and Andon with it.
//!
//! Mosquitto acknowledges a message before it has saved it, so what it had acknowledged and not saved is lost with it:
//! that is the broker's loss, and nobody can mend it. But nobody need wonder either, for each device numbers its messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::kills::often;
use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, ask};
use crate::witness::Witness;
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

const BAYS: [&str; 3] = ["bay-01", "bay-02", "bay-03"];
const TOOLS: [&str; 3] = ["wrench_1", "wrench_2", "wrench_3"];

/// Numbers by topic.
type Numbers = BTreeMap<String, BTreeSet<i64>>;

/// Devices that each number what they say.
#[derive(Default)]
struct Devices {
    sent: Numbers,
}

impl Devices {
    /// Each tool of each bay reads something, and each bay begins the step of another job.
    fn round(&mut self, work: &mut Work) {
        for bay in BAYS {
            for tool in TOOLS {
                let topic = format!("workshop/lyon/{bay}/{tool}/telemetry");
                let seq = self.next(&topic);
                let ts = work.now_ms();
                let payload =
                    format!(r#"{{"ts":{ts},"metric":"torque","value":{},"seq":{seq}}}"#, 80 + seq % 15);
                work.message(&topic, payload.as_bytes());
            }
            let topic = format!("workshop/lyon/{bay}/steps");
            let seq = self.next(&topic);
            let ts = work.now_ms();
            let payload = format!(
                r#"{{"ts":{ts},"job":"J{seq:06}","step":"S01","technician":"T17","event":"started","seq":{seq}}}"#
            );
            work.message(&topic, payload.as_bytes());
        }
    }

    fn next(&mut self, topic: &str) -> i64 {
        let sent = self.sent.entry(topic.to_owned()).or_default();
        let seq = sent.last().map_or(1, |last| last + 1);
        sent.insert(seq);
        seq
    }
}

#[test]
fn what_the_broker_lost_is_what_the_gap_report_lists_and_all_that_andon_acknowledged_is_there_once() {
    let _alone = alone();
    let kills = often("ANDON_BROKER_KILLS", 5);
    let Some(mut broker) = Mosquitto::start("") else { return };
    let witness = Witness::of(broker.port);
    let shop = Shop::new(witness.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let (mut work, mut devices) = (Work::on(broker.port), Devices::default());
    // What is lost before a device's first message nobody can know.
    devices.round(&mut work);
    work.settle();
    until("the first message of each is there", 30, || {
        let counts = andon.counts();
        let all = counts.get("applied") == 9 && counts.get("events_applied") == 3;
        if all { Ok(()) } else { Err(counts) }
    });

    let over = AtomicBool::new(false);
    let mut rng = fastrand::Rng::with_seed(20_261_126);
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                devices.round(&mut work);
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        for kill in 0..kills {
            std::thread::sleep(Duration::from_millis(rng.u64(300..1_500)));
            let both = kill % 2 == 0;
            if both {
                andon.kill();
                // What comes now waits at the broker, acknowledged.
                std::thread::sleep(Duration::from_millis(rng.u64(50..300)));
            }
            broker.kill();
            std::thread::sleep(Duration::from_millis(rng.u64(0..200)));
            broker.run();
            if both {
                andon = Andon::run(&shop);
            }
        }
        over.store(true, Ordering::SeqCst);
        publisher.join().expect("the publisher");
    });
    work.settle();
    until_heard(&mut andon, &mut work);
    // With a last message of each, what is missing before it is a gap.
    devices.round(&mut work);
    work.settle();

    // What time brings, such as a step that takes too long, has no number: no device has sent it.
    let exported = |stream: &str, topic: &str| {
        format!(
            "SELECT {topic} AS topic, seq FROM {stream} WHERE bay <> 'bay-99' AND seq IS NOT NULL ORDER BY topic, seq"
        )
    };
    let telemetry = exported("telemetry", "concat('workshop/lyon/', bay, '/', tool, '/telemetry')");
    let steps = exported("steps", "concat('workshop/lyon/', bay, '/steps')");
    let lasts = devices.sent.len() as u64;
    until("the last message of each is in the exports", 60, || {
        let last = |stream: &str, sent: i64| {
            shop.history().count_now(&format!(
                "SELECT count(*) AS count FROM {stream} WHERE seq = {sent} AND bay <> 'bay-99'"
            ))
        };
        let sent = devices.sent.values().next().and_then(BTreeSet::last).copied().unwrap_or(0);
        let (telemetry, steps) = (last("telemetry", sent), last("steps", sent));
        let seen = telemetry.clone().and_then(|telemetry| Ok(telemetry + steps.clone()?));
        if seen == Ok(lasts) { Ok(()) } else { Err((telemetry, steps)) }
    });
    let gaps = gaps(&mut andon);
    let counts = andon.counts();
    let sums = ask(&["status", "--devices", "--json", "--url", &andon.url()]).expect("all sums add up");
    let report = ask(&["status", "--gaps", "--url", &andon.url()]).expect("a report");
    andon.stop();

    let rows: Vec<Value> = [telemetry, steps].iter().flat_map(|sql| shop.history().rows(sql)).collect();
    let mut came = Numbers::new();
    for row in &rows {
        let (topic, seq) = (row["topic"].as_str().expect("a topic"), row["seq"].as_i64().expect("a number"));
        assert!(came.entry(topic.to_owned()).or_default().insert(seq), "{topic} {seq} is there twice");
    }
    let mut lost = Numbers::new();
    for (topic, sent) in &devices.sent {
        let came = came.get(topic).cloned().unwrap_or_default();
        let missing: BTreeSet<i64> = sent.difference(&came).copied().collect();
        if !missing.is_empty() {
            lost.insert(topic.clone(), missing);
        }
        assert!(came.is_subset(sent), "{topic} has what nobody sent");
    }
    let count = |numbers: &Numbers| numbers.values().map(BTreeSet::len).sum::<usize>();
    let acknowledged = witness.acknowledged();
    eprintln!(
        "killed the broker {kills} times; acknowledged by it {}, lost with it {}; acknowledged by Andon {}; {}",
        count(&devices.sent),
        count(&lost),
        acknowledged.len(),
        report.lines().next().unwrap_or_default(),
    );
    assert_eq!(gaps, lost, "the report names what was lost, and nothing else");
    assert!(count(&lost) > 0, "messages that wait at a broker are lost with it");
    for (topic, payload) in acknowledged.iter().filter(|(topic, _)| !topic.contains("bay-99")) {
        let message: Value = serde_json::from_slice(payload).expect("a message of ours");
        let seq = message["seq"].as_i64().expect("a number");
        assert!(
            came.get(topic).is_some_and(|came| came.contains(&seq)),
            "{topic} {seq} was acknowledged and is lost"
        );
    }
    let sums: Value = serde_json::from_str(&sums).expect("JSON");
    assert_eq!(sums["all"]["messages"], counts.get("messages"));
    assert_eq!((sums["at_odds"].as_u64(), sums["channels"].as_u64()), (Some(0), Some(lasts + 1)));
    assert_eq!(counts.get("undecodable") + counts.get("quarantined"), 0, "{counts:?}");
    a_replay_says_the_same(&shop);
}

/// A tool on a bay of its own speaks until Andon hears it: from then on nothing is lost.
fn until_heard(andon: &mut Andon, work: &mut Work) {
    andon.until_ready();
    let mut seq = 0;
    until("Andon hears the broker again", 60, || {
        seq += 1;
        let payload = format!(r#"{{"ts":{},"metric":"torque","value":85,"seq":{seq}}}"#, work.now_ms());
        work.message("workshop/lyon/bay-99/wrench_1/telemetry", payload.as_bytes());
        work.settle();
        std::thread::sleep(Duration::from_millis(100));
        let page = andon.json("/api/v1/status/devices?topic=bay-99");
        let heard = page["devices"][0]["messages"].as_u64();
        if heard.is_some_and(|messages| messages > 0) { Ok(()) } else { Err(page) }
    });
}

/// The whole report, page by page.
fn gaps(andon: &mut Andon) -> Numbers {
    let (mut gaps, mut skip, mut told) = (Numbers::new(), 0, 0);
    loop {
        let page = andon.json(&format!("/api/v1/status/gaps?skip={skip}&limit=7"));
        for gap in page["gaps"].as_array().expect("gaps") {
            let topic = gap["topic"].as_str().expect("a topic");
            let ends = ["first", "last"].map(|end| gap[end].as_i64().expect("a number"));
            assert_eq!(gap["boot"], Value::Null, "these devices do not count their starts");
            told += gap["missing"].as_u64().expect("a count");
            if !topic.contains("bay-99") {
                gaps.entry(topic.to_owned()).or_default().extend(ends[0]..=ends[1]);
            }
        }
        let Some(next) = page["next_skip"].as_u64() else {
            assert_eq!(page["missing"].as_u64(), Some(told), "the pages are the whole");
            assert_eq!(page["forgotten"].as_u64(), Some(0));
            return gaps;
        };
        skip = next;
    }
}
