use super::*;
use crate::readings::{Booking, StepEvent, StepEventKind};

fn event(topic: &str, payload: &str) -> crate::readings::Event {
    let mut shop = Shop::new();
    shop.decode(topic, payload.as_bytes());
    assert_eq!(shop.out.rejects, []);
    assert!(shop.out.elements.is_empty() && shop.out.readings.is_empty());
    shop.out.events.remove(0)
}

#[test]
fn a_technician_starts_a_step() {
    let payload =
        r#"{"ts":5,"job":"J000123","step":"S04","technician":"T17","event":"started","seq":9,"boot":2}"#;
    let event = event("workshop/lyon/B1/steps", payload);
    assert_eq!((event.ts_ms, event.seq, event.boot, event.index), (5, 9, 2, 0));
    assert_eq!(event.hash, xxhash_rust::xxh3::xxh3_64(payload.as_bytes()));
    assert_eq!(&*event.site, "lyon");
    let expected = StepEvent {
        bay: "B1".into(),
        job: "J000123".into(),
        step: "S04".into(),
        technician: Some("T17".into()),
        event: StepEventKind::Started,
    };
    assert_eq!(event.what, What::Step(expected));
}

#[test]
fn a_site_wide_topic_takes_the_bay_from_the_payload() {
    let payload = r#"{"ts":5,"bay":"B9","job":"J1","step":"S1","event":"qa_signed"}"#;
    let What::Step(step) = event("workshop/lyon/steps", payload).what else { panic!("a step event") };
    assert_eq!((&*step.bay, step.event, step.technician), ("B9", StepEventKind::QaSigned, None));
}

#[test]
fn oil_is_booked_by_hand() {
    let payload = r#"{"ts":5,"resource":"oil_5w30","quantity":4.2,"unit":"l","job":"J1","seq":1}"#;
    let expected = Booking {
        bay: "B1".into(),
        resource: "oil_5w30".into(),
        quantity: 4.2,
        unit: "L".into(),
        job: Some("J1".into()),
        step: None,
        lot: None,
    };
    assert_eq!(event("workshop/lyon/B1/usage", payload).what, What::Booking(expected));
}

#[test]
fn what_is_booked_by_hand_may_name_its_lot() {
    let lot = |payload: &str| match event("workshop/lyon/B1/usage", payload).what {
        What::Booking(booking) => booking.lot,
        other => panic!("a booking, not {other:?}"),
    };
    assert_eq!(
        lot(r#"{"ts":5,"resource":"pads","quantity":1,"lot":"L-2026/11 b"}"#).as_deref(),
        Some("L-2026/11 b")
    );
    for none in [r#""""#, "null"] {
        let payload = format!(r#"{{"ts":5,"resource":"pads","quantity":1,"lot":{none}}}"#);
        assert_eq!(lot(&payload), None, "{payload}");
    }
}

#[test]
fn a_job_card_plans_steps_and_needs_no_time() {
    let payload = r#"{"job":"J000123","customer":"C1","promised":"2026-11-22T16:00:00Z","colour":"red","steps":[{"step":"S04",
        "operation":"wheels","standard_s":1200,"skills":["lift"],"expect":[{"metric":"torque","min":80,"max":95,"count":5}],
        "resources":[{"resource":"oil_5w30","quantity":4.2,"unit":"l"}]}]}"#;
    let event = event("workshop/lyon/jobs", payload);
    assert_eq!((event.ts_ms, event.seq), (ARRIVED_MS, NONE));
    let What::Job(card) = event.what else { panic!("a job card") };
    assert_eq!((card.job.as_str(), card.steps.len()), ("J000123", 1));
    assert_eq!(card.steps[0].expect[0].max, Some(95.0));
    assert_eq!(card.steps[0].resources[0].unit.as_deref(), Some("L"));
}

#[test]
fn an_asset_has_limits() {
    let payload = r#"{"ts":"2026-11-22T07:34:00Z","asset":"T1","kind":"torque_tool","limits":[{"metric":"torque","max":200}]}"#;
    let event = event("workshop/lyon/assets", payload);
    assert_eq!(event.ts_ms, 1_795_332_840_000);
    let What::Asset(asset) = event.what else { panic!("an asset") };
    assert_eq!((asset.asset.as_str(), asset.limits[0].max), ("T1", Some(200.0)));
}

#[test]
fn an_array_of_events_leaves_each_bad_one_behind() {
    let mut shop = Shop::new();
    let payload = r#"[{"ts":1,"job":"J1","step":"S1","event":"started"},{"ts":2,"job":"J1","step":"S1","event":"exploded"},
        {"ts":3,"job":"J1","step":"S1","event":"finished"}]"#;
    let lines = shop.says("workshop/lyon/B1/steps", payload);
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[2],
        "bad_field: `event` \"exploded\" is none of assigned started paused resumed finished failed released qa_signed reworked"
    );
    assert_eq!(shop.out.events.iter().map(|event| event.index).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn events_that_lack_something_name_it() {
    let steps = "workshop/lyon/B1/steps";
    let usage = "workshop/lyon/B1/usage";
    let jobs = "workshop/lyon/jobs";
    let cases = [
        (steps, r#"{"job":"J1","step":"S1","event":"started"}"#, "bad_field: `ts` is missing"),
        (steps, r#"{"ts":1,"step":"S1","event":"started"}"#, "bad_field: `job` is missing"),
        (
            steps,
            r#"{"ts":1,"job":"J1","step":4,"event":"started"}"#,
            "bad_field: `step` is a number and no text",
        ),
        (
            "workshop/lyon/steps",
            r#"{"ts":1,"job":"J1","step":"S1","event":"started"}"#,
            "bad_field: `bay` is missing: neither the topic nor the payload names it",
        ),
        (usage, r#"{"ts":1,"resource":"oil"}"#, "bad_field: `quantity` is missing"),
        (
            usage,
            r#"{"ts":1,"resource":"oil","quantity":NaN}"#,
            "non_finite_value: `quantity` is no finite number: NaN",
        ),
        (
            usage,
            r#"{"ts":1,"resource":"oil","quantity":1,"unit":"bucket"}"#,
            "unknown_unit: unit \"bucket\" is no UCUM code and no alias; see ucum.org, or add it to [units] aliases",
        ),
        (
            usage,
            r#"{"ts":1,"resource":"oil","quantity":1,"lot":4711}"#,
            "bad_field: `lot` is a number and no text",
        ),
        (
            usage,
            r#"{"ts":1,"resource":"oil","quantity":1,"lot":["L1"]}"#,
            "bad_field: `lot` is an array and no text",
        ),
        (jobs, r#"{"steps":[]}"#, "bad_field: missing field `job`"),
        (jobs, r#"{"job":"J1"}"#, "bad_field: missing field `steps`"),
        (jobs, r#"{"job":"","steps":[]}"#, "bad_field: `job` is empty"),
        (
            jobs,
            r#"{"job":"J1","contact":{"channel":"E-Mail","address":"ann@example.com"},"steps":[]}"#,
            "bad_field: `contact`: its channel is no word of lower-case letters, digits and `_`, such as `mail`",
        ),
        (
            jobs,
            r#"{"job":"J1","contact":{"channel":"mail","address":"ann@example.com\r\nBcc: eve@example.com"},"steps":[]}"#,
            "bad_field: `contact`: its address is empty, longer than 320 characters, or holds line breaks",
        ),
        (
            jobs,
            r#"{"job":"J1","steps":[{"step":"S1","standard_s":NaN}]}"#,
            "non_finite_value: a number is not finite: expected value at line 1 column 48",
        ),
        ("workshop/lyon/assets", r#"{"kind":"lift"}"#, "bad_field: missing field `asset`"),
    ];
    for (topic, payload, expected) in cases {
        assert_eq!(Shop::new().says(topic, payload), [expected], "{payload}");
    }
}
