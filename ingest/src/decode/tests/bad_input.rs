use super::*;

#[test]
fn a_topic_that_matches_nothing_is_said_so() {
    let mut shop = Shop::new();
    assert_eq!(
        shop.says("garage/lyon/B1", r#"{"ts":1,"metric":"torque","value":1}"#),
        [r#"unknown_topic: topic "garage/lyon/B1" matches no pattern of [topics]"#]
    );
    assert_eq!(shop.out.channel, Decoded::NO_CHANNEL);
    assert!(shop.out.rejects[0].reason.is_undecodable());
}

#[test]
fn what_is_no_json_says_where_it_stops_being_json() {
    let cases = [
        ("", "not_json: the payload is empty"),
        (" \n", "not_json: the payload is empty"),
        ("hello", "not_json: byte 0: expected a value, found 'h'"),
        (r#"{"ts":1,"metric":"torque","value":}"#, "not_json: byte 34: expected a value, found '}'"),
        (r#"{"ts":1,"metric":"torque""#, "not_json: byte 25: expected , or }, found the end"),
        (r#"{"ts":1,}"#, "not_json: byte 8: expected a member's name in double quotes, found '}'"),
        (r#"{"ts":01}"#, "not_json: byte 7: expected no digit after a leading 0, found '1'"),
        (r#"{"ts":1} {"ts":2}"#, "not_json: byte 9: expected the end of the payload, found '{'"),
        (r#"{"ts":1,"metric":"tor\qque"}"#, "not_json: byte 21: expected a valid escape, found '\\\\'"),
        (r#"{"ts":1,"metric":"\ud800"}"#, "not_json: byte 18: expected a valid escape, found '\\\\'"),
        ("{\"a\":\"b\u{1}\"}", "not_json: byte 7: expected no control character in a string, found '\\u{1}'"),
        (r#"{"ts":1.}"#, "not_json: byte 8: expected a digit, found '}'"),
        (r#"{"ts":-}"#, "not_json: byte 7: expected a digit, found '}'"),
    ];
    for (payload, expected) in cases {
        assert_eq!(telemetry(payload), [expected], "{payload}");
    }
    let mut shop = Shop::new();
    shop.decode(TELEMETRY, b"{\"metric\":\"\xff\"}");
    assert_eq!(shop.out.rejects[0].reason, Reason::NotJson);
    assert_eq!(shop.out.rejects[0].detail, "byte 11 is not UTF-8");
    assert_eq!(&*shop.out.rejects[0].payload, b"{\"metric\":\"\xff\"}");
}

#[test]
fn json_of_another_shape_is_said_so() {
    for payload in ["42", "\"text\"", "null", "true", "NaN"] {
        assert_eq!(
            telemetry(payload),
            ["wrong_shape: the payload is neither an object nor an array of objects"],
            "{payload}"
        );
    }
    assert_eq!(telemetry("[1,2]"), ["wrong_shape: the payload is an array without any object"]);
}

#[test]
fn a_message_that_breaks_off_is_rejected_as_a_whole() {
    let mut shop = Shop::new();
    let lines = shop.says(TELEMETRY, r#"[{"ts":1,"metric":"state","value":"on"},{"ts":2,"metric":"#);
    assert_eq!(lines, ["not_json: byte 57: expected a value, found the end"]);
    assert!(shop.out.elements.is_empty() && shop.out.readings.texts.is_empty());
}

#[test]
fn good_elements_are_applied_and_bad_ones_are_rejected_one_by_one() {
    let mut shop = Shop::new();
    let payload = r#"[{"ts":1,"metric":"torque","value":80},{"metric":"torque","value":81},5,{"ts":3,"metric":"torque","value":82}]"#;
    assert_eq!(
        shop.says(TELEMETRY, payload),
        [
            "lyon/B1/T1 torque 80 N.m @1",
            "lyon/B1/T1 torque 82 N.m @3",
            "bad_field: `ts` is missing",
            "bad_field: the element at byte 70 is a number and no object",
        ]
    );
    let raw: Vec<&[u8]> = shop.out.rejects.iter().map(|reject| &*reject.payload).collect();
    assert_eq!(raw, [r#"{"metric":"torque","value":81}"#.as_bytes(), b"5"]);
    assert!(shop.out.rejects.iter().all(|reject| !reject.reason.is_undecodable()));
    assert_eq!(shop.out.readings.index, [0, 3]);
}

#[test]
fn values_that_are_not_finite_are_rejected_and_their_siblings_applied() {
    let payload = r#"{"ts":1,"metrics":{"a":NaN,"b":-Infinity,"c":Infinity,"d":1e999,"torque":80}}"#;
    assert_eq!(
        telemetry(payload),
        [
            "lyon/B1/T1 torque 80 N.m @1",
            r#"non_finite_value: "a" is no finite number: NaN"#,
            r#"non_finite_value: "b" is no finite number: -Infinity"#,
            r#"non_finite_value: "c" is no finite number: Infinity"#,
            r#"non_finite_value: "d" is no finite number: 1e999"#,
        ]
    );
    assert_eq!(
        telemetry(r#"{"ts":1,"metric":"torque","value":1e308,"unit":"kN.m"}"#),
        [r#"non_finite_value: "torque" is no finite number: 1e308"#]
    );
}

#[test]
fn values_of_no_use_are_rejected_and_their_siblings_applied() {
    let payload = r#"{"ts":1,"metrics":{"a":null,"b":[1],"c":{},"torque":80}}"#;
    let mut shop = Shop::new();
    assert_eq!(
        shop.says(TELEMETRY, payload),
        [
            "lyon/B1/T1 torque 80 N.m @1",
            r#"bad_field: the value of "a" is null and no number, boolean or text"#,
            r#"bad_field: the value of "b" is an array and no number, boolean or text"#,
            r#"bad_field: the value of "c" is an object and no number, boolean or text"#,
        ]
    );
    assert_eq!(&*shop.out.rejects[0].payload, payload.as_bytes());
    assert_eq!(shop.out.readings.index, [3]);
}

#[test]
fn units_that_do_not_fit_are_rejected_by_what_is_wrong() {
    assert_eq!(
        telemetry(r#"{"ts":1,"metric":"torque","value":1,"unit":"bar"}"#),
        [r#"wrong_dimension: "torque" is measured in N.m, and bar measures something else"#]
    );
    assert_eq!(
        telemetry(r#"{"ts":1,"metric":"torque","value":1,"unit":"furlong"}"#),
        [
            r#"unknown_unit: unit "furlong" is no UCUM code and no alias; see ucum.org, or add it to [units] aliases"#
        ]
    );
    assert_eq!(
        telemetry(r#"{"ts":1,"metric":"torque","value":1,"unit":7}"#),
        [r#"bad_field: the unit of "torque" is a number and no text"#]
    );
    assert_eq!(
        telemetry(r#"{"ts":1,"metrics":{"torque":1,"angle":2},"units":{"torque":"V"}}"#),
        [
            "lyon/B1/T1 angle 2 deg @1",
            r#"wrong_dimension: "torque" is measured in N.m, and V measures something else"#
        ]
    );
}

#[test]
fn fields_that_are_missing_or_of_the_wrong_type_are_named() {
    let cases = [
        (r#"{"metric":"torque","value":1}"#, "`ts` is missing"),
        (r#"{"ts":null,"metric":"torque","value":1}"#, "`ts` is missing"),
        (
            r#"{"ts":true,"metric":"torque","value":1}"#,
            "`ts` is neither a number (ms since 1970) nor an RFC 3339 text",
        ),
        (
            r#"{"ts":"yesterday","metric":"torque","value":1}"#,
            "`ts` is no RFC 3339 time such as 2026-11-22T07:34:00.123Z",
        ),
        (
            r#"{"ts":1795332840123000000,"metric":"torque","value":1}"#,
            "`ts` is beyond the year 9999; a number counts milliseconds since 1970",
        ),
        (r#"{"ts":1,"seq":1.5,"metric":"torque","value":1}"#, "`seq` 1.5 is no whole number of 64 bits"),
        (r#"{"ts":1,"seq":"7","metric":"torque","value":1}"#, "`seq` is a text and no whole number"),
        (r#"{"ts":1,"boot":[],"metric":"torque","value":1}"#, "`boot` is an array and no whole number"),
        (r#"{"ts":1,"value":1}"#, "`value` is there and `metric` is missing"),
        (r#"{"ts":1,"metric":"torque"}"#, "`value` of \"torque\" is missing"),
        (r#"{"ts":1,"metric":5,"value":1}"#, "`metric` is a number and no text"),
        (r#"{"ts":1,"metric":"","value":1}"#, "`metric` is missing"),
        (r#"{"ts":1}"#, "neither `metric` with `value` nor `metrics` is there"),
        (r#"{"ts":1,"metrics":[1]}"#, "`metrics` is an array and no object"),
        (r#"{"ts":1,"metrics":{"torque":1},"units":"Nm"}"#, "`units` is a text and no object"),
        (
            r#"{"ts":1,"metric":"torque","value":1,"tags":{"a":{"b":1}}}"#,
            "tag \"a\" is an object and no text",
        ),
        (r#"{"ts":1,"metric":"torque","value":1,"tags":"J1"}"#, "`tags` is a text and no object"),
        (r#"{"ts":1,"metric":"a\u0000b","value":1}"#, "`metric` has a control character"),
    ];
    for (payload, expected) in cases {
        assert_eq!(telemetry(payload), [format!("bad_field: {expected}")], "{payload}");
    }
    let long = "m".repeat(300);
    let payload = format!(r#"{{"ts":1,"metric":"{long}","value":1}}"#);
    assert_eq!(telemetry(&payload), ["bad_field: `metric` has 300 bytes, more than 255"]);
}

#[test]
fn an_element_of_no_use_still_counts_as_one() {
    let mut shop = Shop::new();
    shop.says(TELEMETRY, r#"{"metric":"torque","value":1,"seq":4}"#);
    let element = &shop.out.elements[0];
    assert_eq!((element.readings.clone(), element.ts_ms, element.seq), (0..0, ARRIVED_MS, 4));
}

#[test]
fn a_payload_beyond_the_bound_is_not_even_read() {
    let mut shop = Shop::new();
    let payload = vec![b' '; 10 << 20];
    shop.decode(TELEMETRY, &payload);
    let reject = &shop.out.rejects[0];
    assert_eq!(reject.reason, Reason::TooLarge);
    assert_eq!(reject.detail, "the payload is larger than `message_bytes_max`, 1048576 bytes");
    assert_eq!(reject.payload.len(), REJECT_BYTES_MAX);
}

#[test]
fn nesting_has_the_bound_of_serde_json() {
    let nested = |levels: usize| format!("{{\"x\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(telemetry(&nested(127))[0].starts_with("bad_field"));
    assert!(telemetry(&nested(128))[0].starts_with("not_json: byte 131: expected at most 127 levels"));
    assert!(telemetry(&"[".repeat(500_000))[0].starts_with("not_json"));
}

#[test]
fn a_message_full_of_bad_readings_makes_no_more_than_a_few_times_its_size() {
    let metrics: Vec<String> = (0..60_000).map(|number| format!(r#""m{number}":NaN"#)).collect();
    let payload = format!(r#"{{"ts":1,"metrics":{{{}}}}}"#, metrics.join(","));
    let mut shop = Shop::new();
    shop.decode(TELEMETRY, payload.as_bytes());
    assert_eq!(shop.out.rejects.len(), 60_000);
    let bytes: usize = shop.out.rejects.iter().map(|reject| reject.payload.len()).sum();
    assert!(bytes < 3 << 20, "{bytes}");
}

#[test]
fn a_topic_too_long_to_be_kept_is_unknown_and_no_reject_carries_all_of_it() {
    let mut shop = Shop::new();
    let payload = br#"{"ts":1,"metrics":{"a":null,"b":null}}"#;
    shop.decode(&format!("workshop/lyon/{}/T1/telemetry", "x".repeat(60_000)), payload);
    assert_eq!(shop.out.rejects.len(), 1);
    assert_eq!((shop.out.rejects[0].reason, shop.out.rejects[0].topic.len()), (Reason::UnknownTopic, 1024));
    assert!(shop.out.rejects[0].detail.ends_with("has 60027 bytes, more than 1024"));
    shop.decode(&format!("workshop/lyon/{}/T1/telemetry", "x".repeat(256)), payload);
    assert!(shop.out.rejects[0].detail.ends_with("has a name of more than 255 bytes"));
    assert_eq!(shop.decoder.channels().len(), 0, "nothing of them is kept");
}
