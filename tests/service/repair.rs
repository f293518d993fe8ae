//! What could not be used, mended; and what was recorded elsewhere, told as history.

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, ask, command, text};
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

fn records(shop: &Shop) -> Vec<Value> {
    let config = shop.config();
    let printed = command(&["quarantine", "list", "--config", text(&config), "--json"]);
    let page: Value = serde_json::from_str(&printed).expect("one JSON object");
    page["records"].as_array().expect("records").clone()
}

fn record(shop: &Shop, reason: &str) -> Value {
    let records = records(shop);
    records
        .iter()
        .find(|one| one["reason"] == reason)
        .cloned()
        .unwrap_or_else(|| panic!("{reason} in {records:?}"))
}

fn until_quarantined(shop: &Shop, count: u64) {
    until("all bad input is in quarantine", 30, || {
        let seen = shop.history().count_now("SELECT count(*) AS count FROM quarantine");
        if seen.as_ref().is_ok_and(|seen| *seen == count) { Ok(()) } else { Err(seen) }
    });
}

#[test]
fn a_quarantined_message_is_mended_and_replayed_once() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.card("J000001");
    work.step("bay-01", "J000001", "started");
    work.reading("bay-01", "wrench_7", "torque", 85.0);
    let then_ms = work.now_ms();
    let wrench = "workshop/lyon/bay-01/wrench_7/telemetry";
    // Torque is good, only the angle is not: its unit is unknown yet.
    let two = format!(
        r#"{{"ts":{then_ms},"seq":77,"metrics":{{"torque":86.5,"angle":30}},"units":{{"angle":"gon_new"}}}}"#
    );
    work.message(wrench, two.as_bytes());
    let cut = format!(r#"{{"ts":{then_ms},"metric":"torque","value":131.0,"un"#);
    work.message(wrench, cut.as_bytes());
    work.settle();
    until_quarantined(&shop, 2);

    // As it is it still cannot be used, and stays in the list.
    let broken = record(&shop, "not_json")["row_id"].as_str().expect("an id").to_owned();
    let url = andon.url();
    let refused = ask(&["quarantine", "replay", &broken, "--url", &url]).expect_err("nothing was mended");
    assert!(refused.contains("still cannot be used: not_json"), "{refused}");
    assert_eq!(record(&shop, "not_json")["replayed"], Value::Null);

    // With a mended payload it enters at its event time; once.
    let mended = shop.folder().join("mended.json");
    std::fs::write(&mended, format!(r#"{{"ts":{then_ms},"metric":"torque","value":131.0}}"#))
        .expect("written");
    let replay =
        ["quarantine", "replay", &broken[..10], "--url", &url, "--payload", text(&mended), "--actor", "Q2"];
    let printed = command(&replay);
    assert!(printed.contains("1 readings"), "{printed}");
    let refused = ask(&replay).expect_err("it is replayed");
    assert!(refused.contains("is replayed already"), "{refused}");
    until("the list says who replayed it", 30, || {
        let record = record(&shop, "not_json");
        if record["replayed"]["actor"] == "Q2" { Ok(()) } else { Err(record) }
    });
    let shown = command(&["quarantine", "show", &broken, "--url", &url]);
    assert!(shown.contains("replayed by Q2") && shown.contains(&cut), "{shown}");
    let exceptions = andon.json("/api/v1/exceptions?state=all");
    andon.stop();

    // After the unit is in the configuration the refused half alone is replayed.
    let mut settings = std::fs::read_to_string(shop.config()).expect("readable");
    settings.push_str("[units.aliases]\ngon_new = \"deg\"\n");
    std::fs::write(shop.config(), settings).expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let unknown = record(&shop, "unknown_unit");
    assert_eq!(unknown["metric"], "angle", "{unknown}");
    let body = json!({"actor": "Q2", "reason": "the unit is known now"});
    let path = format!("/api/v1/quarantine/{}/replay", unknown["row_id"].as_str().expect("an id"));
    let (code, answer) = andon.post(&path, "mend-1", &body);
    assert_eq!(code, 200, "{answer}");
    assert_eq!(andon.post(&path, "mend-1", &body), (200, answer), "the same key, the same answer");
    until("the readings are in the exports", 30, || {
        let seen =
            shop.history().count_now("SELECT count(*) AS count FROM telemetry WHERE lateness <> 'on_time'");
        if seen == Ok(2) { Ok(()) } else { Err(seen) }
    });
    let counts = andon.counts();
    andon.stop();
    let rows = shop.history().rows(&format!(
        "SELECT metric, value, job, lateness FROM telemetry WHERE CAST(ts AS BIGINT) = {then_ms} AND value <> 85 ORDER BY metric, value"
    ));
    assert_eq!(
        rows,
        [
            json!({"metric": "angle", "value": 30.0, "job": "J000001", "lateness": "correction"}),
            json!({"metric": "torque", "value": 86.5, "job": "J000001", "lateness": "on_time"}),
            json!({"metric": "torque", "value": 131.0, "job": "J000001", "lateness": "correction"}),
        ]
    );
    assert_eq!((counts.get("replayed"), counts.get("set_aside")), (2, 3), "{counts:?}");
    the_replayed_reading_is_traced(&shop);
    // It goes into the ledger at its time, and stays open: the joint is as wrong as if it had come then.
    let raised =
        shop.history().rows("SELECT state, CAST(raised AS BIGINT) AS raised, evidence FROM exceptions");
    let of_replay: Vec<&Value> = raised.iter().filter(|row| row["raised"] == then_ms).collect();
    assert!(of_replay.iter().all(|row| row["state"] == "latched"), "{raised:?}, board {exceptions}");
    assert!(!of_replay.is_empty(), "a correction is judged: {raised:?}");
}

#[test]
fn an_old_recording_becomes_history_once_and_calls_nobody() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.reading("bay-01", "wrench_7", "torque", 85.0);
    work.settle();
    let recording = shop.folder().join("shift.ndjson");
    command(&[
        "simulate",
        "--out",
        text(&recording),
        "--for",
        "10m",
        "--bays",
        "4",
        "--rate",
        "20",
        "--faults",
        "all",
        "--seed",
        "7",
    ]);
    let lines = std::fs::read_to_string(&recording).expect("readable").lines().count() as u64;
    let open = andon.json("/api/v1/status")["exceptions_open"].clone();
    let raised = andon.counts().get("exceptions");

    let url = andon.url();
    let import = ["import", "--url", &url, "--input", text(&recording), "--json"];
    let figures: Value =
        serde_json::from_str(command(&import).lines().last().expect("figures")).expect("JSON");
    assert_eq!(
        (figures["messages"].as_u64(), figures["imported"].as_u64()),
        (Some(lines), Some(lines)),
        "{figures}"
    );
    // The board's picture is painted a few times a second.
    let counts = until("all of it is counted", 30, || {
        let counts = andon.counts();
        if counts.get("imported") == lines { Ok(counts) } else { Err(counts) }
    });
    assert!(counts.get("late") > lines / 2, "{counts:?}");

    // A second time, after a power cut as well, changes nothing.
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let url = andon.url();
    let again = ["import", "--url", &url, "--input", text(&recording), "--json"];
    let figures: Value =
        serde_json::from_str(command(&again).lines().last().expect("figures")).expect("JSON");
    assert_eq!(figures["imported"], 0, "{figures}");
    let after = andon.counts();
    for name in ["messages", "readings", "applied", "late", "events", "imported", "undecodable"] {
        assert_eq!(after.get(name), counts.get(name), "{name}");
    }
    until("all of it is in the exports", 30, || {
        let seen = shop.history().count_now("SELECT count(*) AS count FROM late");
        if seen == Ok(counts.get("late")) { Ok(()) } else { Err(seen) }
    });
    assert_eq!(andon.counts().get("exceptions"), raised, "history raises nothing");
    assert_eq!(andon.json("/api/v1/status")["exceptions_open"], open);
    andon.stop();
    let history = shop.history();
    assert!(
        history.count("SELECT count(*) AS count FROM late WHERE job IS NOT NULL") > 0,
        "it is joined with its steps"
    );
    assert!(history.count("SELECT count(*) AS count FROM steps WHERE event = 'started'") > 0);
    assert_eq!(
        history.count("SELECT count(*) AS count FROM usage"),
        0,
        "what is imported is booked by nobody"
    );
    a_replay_says_the_same(&shop);
}

fn the_replayed_reading_is_traced(shop: &Shop) {
    let angle = shop.history().rows("SELECT row_id, message FROM telemetry WHERE metric = 'angle'").remove(0);
    let config = shop.config();
    let id = angle["row_id"].as_str().expect("an id");
    let trace: Value =
        serde_json::from_str(&command(&["trace", id, "--config", text(&config), "--json"])).expect("JSON");
    assert_eq!(trace["message"], angle["message"]);
    assert_eq!(trace["journal"]["command"]["kind"], "replay", "{trace}");
    let origin = trace["journal"]["command"]["origin"].as_u64().expect("the message that was quarantined");
    assert_eq!(trace["repeats"]["repeat_of"], json!([origin]), "it holds the same bytes");
    assert_eq!(trace["rows"]["telemetry"][0]["lateness"], "correction");
    assert_eq!(trace["rows"]["commands"][0]["actor"], "Q2");
    assert_eq!(trace["checkpoint"]["holds_message"], true);
    assert!(trace["files"].as_array().is_some_and(|files| !files.is_empty()), "{trace}");
    let told = command(&["trace", &origin.to_string(), "--config", text(&config)]);
    assert!(told.contains("quarantine") && told.contains("torque = 86.5 N.m"), "{told}");
    let unknown =
        ask(&["trace", "99999999", "--config", text(&config)]).expect_err("there is no such message");
    assert!(unknown.contains("neither in the journal"), "{unknown}");
}
