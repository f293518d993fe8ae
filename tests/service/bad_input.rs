//! What nobody can use, between what is good.

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{a_replay_says_the_same, alone, each_reading_is_there_once, until_exported};

#[test]
fn bad_input_is_quarantined_with_its_reason_and_the_good_between_it_is_applied() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    let now_ms = work.now_ms();
    let next_year_ms = now_ms + 365 * 86_400_000;
    let reading =
        |ts_ms: i64, rest: &str| format!(r#"{{"ts":{ts_ms},"metric":"torque",{rest}}}"#).into_bytes();
    let wrench = "workshop/lyon/bay-01/wrench_7/telemetry";
    let bad: [(&str, &str, Vec<u8>); 9] = [
        ("too_large", wrench, vec![b'7'; 10 << 20]),
        ("unknown_unit", wrench, reading(now_ms, r#""value":80,"unit":"furlong""#)),
        ("wrong_dimension", wrench, reading(now_ms, r#""value":80,"unit":"kg""#)),
        ("non_finite_value", wrench, reading(now_ms, r#""value":NaN,"unit":"N.m""#)),
        ("ts_too_old", wrench, reading(86_400_000, r#""value":80"#)),
        ("ts_ahead", wrench, reading(next_year_ms, r#""value":80"#)),
        ("not_json", wrench, reading(now_ms, r#""value":80"#)[..30].to_vec()),
        ("unknown_topic", "workshop//bay-01/wrench_7/telemetry", reading(now_ms, r#""value":80"#)),
        (
            "step_not_started",
            "workshop/lyon/bay-02/steps",
            format!(r#"{{"ts":{now_ms},"job":"J9","step":"S9","event":"finished"}}"#).into_bytes(),
        ),
    ];
    for (_, topic, payload) in &bad {
        work.reading("bay-01", "wrench_7", "torque", 85.0);
        work.message(topic, payload);
        work.reading("bay-02", "wrench_8", "torque", 86.0);
    }
    // Nobody has subscribed to that, so it does not even come.
    work.message("canteen/lyon/menu", b"soup");
    work.settle();
    until_exported(&mut andon, &shop, &work);
    let sql = "SELECT topic, reason, detail, payload FROM quarantine ORDER BY message";
    until("all bad input is in quarantine", 30, || {
        let seen = shop.history().count_now("SELECT count(*) AS count FROM quarantine");
        if seen.as_ref().is_ok_and(|seen| *seen >= bad.len() as u64) { Ok(()) } else { Err(seen) }
    });
    andon.until_ready();
    the_metrics_are_the_counts(&mut andon);
    let counts = andon.counts();
    andon.stop();
    let quarantined = shop.history().rows(sql);

    let named: Vec<_> =
        quarantined.iter().map(|row| (row["reason"].as_str(), row["topic"].as_str())).collect();
    let expected: Vec<_> = bad.iter().map(|(reason, topic, _)| (Some(*reason), Some(*topic))).collect();
    assert_eq!(named, expected);
    for (row, (reason, _, payload)) in quarantined.iter().zip(&bad) {
        // A step event is judged when its time is certain, and kept as what it said by then.
        if *reason != "step_not_started" {
            let kept = &payload[..payload.len().min(64 << 10)];
            let hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(row["payload"] == hex.as_str(), "the raw bytes of {reason} are kept");
        }
        let detail = row["detail"].as_str().expect("a text");
        eprintln!("{reason}: {detail}");
        assert!(!detail.is_empty());
    }
    assert!(
        quarantined[0]["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("larger than `message_bytes_max`, 1048576 bytes"))
    );
    assert_eq!(counts.get("messages"), work.readings + bad.len() as u64, "{counts:?}");
    assert_eq!(counts.get("applied"), work.readings, "{counts:?}");
    assert_eq!(counts.get("undecodable"), 3, "{counts:?}");
    assert_eq!(counts.get("quarantined"), 5, "{counts:?}");
    assert_eq!(counts.get("events"), 1, "{counts:?}");
    each_reading_is_there_once(&shop.history(), &work);
    a_replay_says_the_same(&shop);
}

/// `/metrics` tells the same counts as `/api/v1/status`: nothing else counts under those names.
fn the_metrics_are_the_counts(andon: &mut Andon) {
    let counts = andon.counts();
    let (code, text) = andon.get("/metrics");
    assert_eq!(code, 200, "{text}");
    for (name, parts) in [
        ("andon_ingest_messages_total", ["messages"].as_slice()),
        ("andon_ingest_decoded_total", &["decoded"]),
        ("andon_ingest_undecodable_total", &["undecodable"]),
        ("andon_ingest_duplicates_total", &["duplicates"]),
        ("andon_ingest_sequence_conflicts_total", &["sequence_conflicts"]),
        ("andon_ingest_ignored_outputs_total", &["ignored_outputs"]),
        ("andon_ingest_shed_total", &["shed"]),
        ("andon_readings_total", &["readings"]),
        ("andon_readings_applied_total", &["applied"]),
        ("andon_readings_quarantined_total", &["quarantined"]),
        ("andon_rows_on_time_total", &["on_time"]),
        ("andon_rows_late_total", &["corrections", "late"]),
        ("andon_events_total", &["events"]),
        ("andon_events_applied_total", &["events_applied"]),
        ("andon_events_duplicates_total", &["event_duplicates"]),
        ("andon_events_quarantined_total", &["events_quarantined"]),
        ("andon_exceptions_total", &["exceptions"]),
    ] {
        // As a dashboard does: the sum over all labels.
        let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let of_name = samples.filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
        let sum: u64 = of_name.map(|(_, value)| value.parse::<u64>().expect("a count")).sum();
        assert_eq!(
            sum,
            parts.iter().map(|part| counts.get(part)).sum::<u64>(),
            "{name} is {parts:?} in\n{text}"
        );
    }
}
