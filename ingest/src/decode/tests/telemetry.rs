use super::*;

#[test]
fn a_tightening_is_a_reading_with_its_names_unit_and_counters() {
    let payload = r#"{"ts":1795332840123,"metric":"torque","value":87.25,"unit":"N.m","seq":1234,"boot":3,"firmware":"1.8"}"#;
    assert_eq!(telemetry(payload), ["lyon/B1/T1 torque 87.25 N.m @1795332840123 seq 1234 boot 3"]);
}

#[test]
fn several_metrics_at_once_share_time_and_counters() {
    let payload = r#"{ "ts" : 1795332840123 , "seq":7, "metrics":{"torque":87250,"angle":34.5,"count":3},
        "units":{"torque":"mN.m","count":"pcs"} }"#;
    assert_eq!(
        telemetry(payload),
        [
            "lyon/B1/T1 torque 87.25 N.m @1795332840123 seq 7",
            "lyon/B1/T1 angle 34.5 deg @1795332840123 seq 7",
            "lyon/B1/T1 count 3 {piece} @1795332840123 seq 7",
        ]
    );
}

#[test]
fn the_order_of_members_does_not_matter() {
    let payload = r#"{"units":{"angle":"rad"},"metrics":{"angle":0},"value":1,"seq":1,"unit":"kN.m","metric":"torque","ts":5}"#;
    assert_eq!(
        telemetry(payload),
        ["lyon/B1/T1 torque 1000 N.m @5 seq 1", "lyon/B1/T1 angle 0 deg @5 seq 1"]
    );
}

#[test]
fn an_array_holds_elements_with_times_of_their_own() {
    let mut shop = Shop::new();
    let first = r#"{"ts":1,"metric":"torque","value":80}"#;
    let second = r#"{"ts":2,"metric":"torque","value":81}"#;
    let lines = shop.says(TELEMETRY, &format!(" [ {first} , {second} ] "));
    assert_eq!(lines, ["lyon/B1/T1 torque 80 N.m @1", "lyon/B1/T1 torque 81 N.m @2"]);
    let hashes: Vec<u64> = shop.out.elements.iter().map(|element| element.hash).collect();
    assert_eq!(hashes, [first, second].map(|element| xxhash_rust::xxh3::xxh3_64(element.as_bytes())));
    assert_eq!(shop.out.elements[1].readings, 1..2);
    assert_eq!(shop.out.readings.index, [0, 1]);
    assert!(shop.says(TELEMETRY, "[]").is_empty());
}

#[test]
fn the_hash_of_an_element_is_of_its_own_bytes_only() {
    let mut shop = Shop::new();
    let element = r#"{"ts":1,"metric":"torque","value":80}"#;
    let hashes = [element.to_owned(), format!("  {element}\n"), format!("[{element}]")].map(|payload| {
        shop.decode(TELEMETRY, payload.as_bytes());
        shop.out.elements[0].hash
    });
    assert!(hashes.iter().all(|hash| *hash == xxhash_rust::xxh3::xxh3_64(element.as_bytes())));
}

#[test]
fn booleans_are_one_and_zero_and_texts_stay_texts() {
    let payload = r#"{"ts":1,"metrics":{"lift_up":true,"door":false,"state":"idle \"A\""}}"#;
    assert_eq!(
        telemetry(payload),
        ["lyon/B1/T1 lift_up 1 @1", "lyon/B1/T1 door 0 @1", r#"lyon/B1/T1 state "idle \"A\"" @1"#]
    );
}

#[test]
fn tags_become_sorted_texts_and_equal_sets_are_kept_once() {
    let mut shop = Shop::new();
    let payload = r#"[{"ts":1,"metric":"torque","value":1,"tags":{"pset":4,"joint":"J\u0031","ok":true,"lot":null}},
        {"ts":2,"metric":"torque","value":1,"tags":{"joint":"J1","pset":"4","ok":"true"}},
        {"ts":3,"metric":"torque","value":1,"tags":{}},
        {"ts":4,"metric":"torque","value":1,"tags":null}]"#;
    let lines = shop.says(TELEMETRY, payload);
    assert_eq!(lines[0], r#"lyon/B1/T1 torque 1 N.m @1 {"joint":"J1","ok":"true","pset":"4"}"#);
    assert_eq!(lines[1], r#"lyon/B1/T1 torque 1 N.m @2 {"joint":"J1","ok":"true","pset":"4"}"#);
    assert_eq!(
        (lines[2].as_str(), lines[3].as_str()),
        ("lyon/B1/T1 torque 1 N.m @3", "lyon/B1/T1 torque 1 N.m @4")
    );
    assert_eq!(shop.out.readings.tag_sets.len(), 1);
    // The engine empties the columns in between; numbers start again.
    let lines = shop.says(TELEMETRY, r#"{"ts":5,"metric":"torque","value":1,"tags":{"joint":"J2"}}"#);
    assert_eq!(lines, [r#"lyon/B1/T1 torque 1 N.m @5 {"joint":"J2"}"#]);
    let lines = shop.says(
        TELEMETRY,
        r#"{"ts":5,"metric":"torque","value":1,"tags":{"joint":"J1","pset":"4","ok":"true"}}"#,
    );
    assert_eq!(lines, [r#"lyon/B1/T1 torque 1 N.m @5 {"joint":"J1","ok":"true","pset":"4"}"#]);
}

#[test]
fn readings_of_many_messages_gather_until_the_engine_takes_them() {
    let mut shop = Shop::new();
    shop.out.readings.clear();
    for ordinal in 1..=3 {
        let payload =
            format!(r#"{{"ts":{ordinal},"metric":"state","value":"s{ordinal}","tags":{{"joint":"J1"}}}}"#);
        let message = MessageRef {
            ordinal,
            topic: TELEMETRY,
            topic_index: 0,
            arrived_ms: ARRIVED_MS,
            payload: payload.as_bytes(),
            from_payload: payload.as_bytes(),
        };
        shop.decoder.decode(message, &mut shop.out);
        let element = shop.out.elements.last().expect("each has one");
        assert_eq!(element.readings, ordinal as usize - 1..ordinal as usize);
    }
    assert_eq!(shop.out.readings.message, [1, 2, 3]);
    assert_eq!(shop.reading(2), r#"lyon/B1/T1 state "s3" @3 {"joint":"J1"}"#);
    assert_eq!(shop.out.readings.tag_sets.len(), 1);
}

#[test]
fn a_message_that_is_cut_off_does_not_go_on_in_what_lies_behind_it() {
    let whole = r#"{"ts":1795332840000,"seq":7,"metric":"torque","value":80.25,"unit":"N.m"}"#;
    for cut in 0..whole.len() {
        let mut shop = Shop::new();
        shop.decode(TELEMETRY, whole.as_bytes());
        let (payload, behind) = whole.split_at(cut);
        let behind = format!("{behind}, and so on for a while");
        shop.out.readings.clear();
        shop.decode_with_behind(TELEMETRY, payload.as_bytes(), behind.as_bytes());
        assert!(shop.out.readings.is_empty(), "{payload}");
        assert_eq!(shop.out.rejects.len(), 1, "{payload}");
    }
}

#[test]
fn a_reading_without_unit_has_the_metrics_own() {
    for unit in ["", r#","unit":null"#, r#","unit":"""#] {
        let payload = format!(r#"{{"ts":1,"metric":"torque","value":80{unit}}}"#);
        assert_eq!(telemetry(&payload), ["lyon/B1/T1 torque 80 N.m @1"]);
    }
    assert_eq!(telemetry(r#"{"ts":1,"metric":"speed","value":80}"#), ["lyon/B1/T1 speed 80 @1"]);
}

#[test]
fn units_are_converted_to_the_metrics_own() {
    let cases = [
        ("torque", 87.25, "Nm", "torque 87.25 N.m"),
        ("torque", 87.25, "kN.m", "torque 87250 N.m"),
        ("oil", 4200.0, "ml", "oil 4.2 L"),
        ("temperature", 212.0, "°F", "temperature 100 Cel"),
        ("temperature", 21.5, "\\u00b0C", "temperature 21.5 Cel"),
    ];
    for (metric, value, unit, expected) in cases {
        let payload = format!(r#"{{"ts":1,"metric":"{metric}","value":{value},"unit":"{unit}"}}"#);
        assert_eq!(telemetry(&payload), [format!("lyon/B1/T1 {expected} @1")]);
    }
}

#[test]
fn a_metric_that_is_not_configured_keeps_any_known_unit() {
    let mut shop = Shop::new();
    for (unit, code) in [("rpm", "/min"), ("l/min", "L/min"), ("kVarh", "kV.A.h"), ("[psi]", "[psi]")] {
        let payload = format!(r#"{{"ts":1,"metric":"something","value":5,"unit":"{unit}"}}"#);
        assert_eq!(shop.says(TELEMETRY, &payload), [format!("lyon/B1/T1 something 5 {code} @1")]);
    }
}

#[test]
fn of_equal_member_names_the_last_counts() {
    let payload = r#"{"ts":1,"ts":2,"metric":"angle","metric":"torque","value":1,"value":2,"seq":1,"seq":2}"#;
    assert_eq!(telemetry(payload), ["lyon/B1/T1 torque 2 N.m @2 seq 2"]);
    let payload =
        r#"{"ts":1,"metrics":{"angle":1,"torque":1,"\u0061ngle":2},"units":{"angle":"rad","angle":"deg"}}"#;
    assert_eq!(telemetry(payload), ["lyon/B1/T1 torque 1 N.m @1", "lyon/B1/T1 angle 2 deg @1"]);
    let many: Vec<String> = (0..40).map(|number| format!(r#""m{}":{number}"#, number % 20)).collect();
    let lines = telemetry(&format!(r#"{{"ts":1,"metrics":{{{}}}}}"#, many.join(",")));
    assert_eq!(lines.len(), 20);
    assert_eq!(lines[19], "lyon/B1/T1 m19 39 @1");
}

#[test]
fn names_that_the_topic_lacks_may_stand_in_the_payload() {
    let mut shop = Shop::new();
    let site = "workshop/lyon/telemetry";
    let payload = r#"{"ts":1,"bay":"B2","tool":"T9","metric":"torque","value":1}"#;
    assert_eq!(shop.says(site, payload), ["lyon/B2/T9 torque 1 N.m @1"]);
    let payload = r#"{"ts":1,"bay":"B3","tool":"T9","metric":"torque","value":1}"#;
    assert_eq!(shop.says(site, payload), ["lyon/B3/T9 torque 1 N.m @1"]);
    assert_eq!(shop.says(site, r#"{"ts":1,"metric":"power","value":1}"#), ["lyon/-/- power 1 @1"]);
    let payload = r#"{"ts":1,"site":"oslo","bay":"B9","tool":"T9","metric":"torque","value":1}"#;
    assert_eq!(shop.says(TELEMETRY, payload), ["lyon/B1/T1 torque 1 N.m @1"]);
}

#[test]
fn a_tool_with_many_metrics_keeps_them_apart() {
    let mut shop = Shop::new();
    for round in 0..3 {
        for number in 0..50 {
            let payload = format!(r#"{{"ts":1,"metric":"m{number}","value":{round}}}"#);
            assert_eq!(shop.says(TELEMETRY, &payload), [format!("lyon/B1/T1 m{number} {round} @1")]);
        }
    }
    assert_eq!(shop.decoder.series().all().len(), 50);
}

#[test]
fn a_status_topic_says_metrics_by_their_names() {
    let mut shop = Shop::new();
    let arrived = format!("@{ARRIVED_MS}");
    assert_eq!(
        shop.says("workshop/lyon/B1/T1/status", r#"{"online":false}"#),
        [format!("lyon/B1/T1 online 0 {arrived}")]
    );
    assert_eq!(
        shop.says(
            "workshop/lyon/B1/status",
            r#"{"ts":5,"seq":2,"occupied":true,"temperature":68,"units":{"temperature":"°F"}}"#
        ),
        ["lyon/B1/- occupied 1 @5 seq 2", "lyon/B1/- temperature 20 Cel @5 seq 2"]
    );
    assert_eq!(
        shop.says("workshop/lyon/B1/status", r#"{"open":true,"doors":[1]}"#),
        [
            format!("lyon/B1/- open 1 {arrived}"),
            r#"bad_field: the value of "doors" is an array and no number, boolean or text"#.to_owned()
        ]
    );
}

#[test]
fn own_output_is_counted_and_says_nothing() {
    let mut shop = Shop::new();
    assert!(shop.says("workshop/lyon/B1/andon", r#"{"state":"red","exceptions":[]}"#).is_empty());
    assert!(shop.out.ignored_output);
    shop.says(TELEMETRY, r#"{"ts":1,"metric":"torque","value":1}"#);
    assert!(!shop.out.ignored_output);
}
