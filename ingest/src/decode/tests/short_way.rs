//! The short way and the exact way say the same.

use proptest::prelude::*;

use super::*;

/// What a message says to a decoder that never heard of its metrics (the exact way), and what it says to
/// one that heard it before; and how often that one took the short way.
fn both(topic: &str, payload: &[u8]) -> (Vec<String>, Vec<String>, u64) {
    let told = |shop: &mut Shop| {
        let mut lines = match std::str::from_utf8(payload) {
            Ok(text) => shop.says(topic, text),
            Err(_) => {
                shop.decode(topic, payload);
                vec![format!("{:?} {:?}", shop.out.rejects, shop.out.readings.len())]
            }
        };
        lines.extend(shop.out.elements.iter().map(|element| format!("{element:?}")));
        lines.push(format!("{:?} {:?}", shop.out.readings.index, shop.out.readings.arrived_ms));
        lines
    };
    let cold = told(&mut Shop::new());
    let mut shop = Shop::new();
    told(&mut shop);
    told(&mut shop);
    shop.messages = 0;
    let before = shop.decoder.short_ways;
    let warm = told(&mut shop);
    (cold, warm, shop.decoder.short_ways - before)
}

#[test]
fn common_messages_take_the_short_way() {
    let common = [
        r#"{"ts":1795332840123,"metric":"torque","value":87.25,"unit":"N.m","seq":1234}"#,
        r#"{ "seq": 1, "value": -0.0, "metric": "torque", "ts": "2026-11-22T07:34:00.123Z" } "#,
        r#"{"ts":1795332840123,"metric":"oil","value":250,"unit":"ml","boot":7,"seq":-3}"#,
        r#"{"ts":1,"metric":"temperature","value":1.7976931348623157e308,"unit":"°C","seq":1}"#,
        r#"{"ts":1,"metric":"a metric of more than twenty bytes","value":0.30000000000000004}"#,
        r#"{"ts":1,"metric":"lift_up","value":true,"extra":"é","others":null,"more":-1e5,"b":false}"#,
        r#"{"ts":1,"seq":2,"metrics":{"torque":1,"angle":2.5,"up":true}}"#,
        r#"{"ts":1,"metric":"torque","value":1,"tags":{"joint":"J1","pset":4}}"#,
        r#"{"ts":1,"site":"x","bay":"y","tool":5,"metric":"torque","metric":"angle","value":1,"value":2}"#,
    ];
    for payload in common {
        let (cold, warm, short_ways) = both(TELEMETRY, payload.as_bytes());
        assert_eq!((warm, short_ways), (cold, 1), "{payload}");
    }
}

#[test]
fn a_different_unit_or_metric_leaves_the_short_way_and_is_right() {
    let mut shop = Shop::new();
    for (unit, expected) in [("Nm", "80"), ("kN.m", "80000"), ("Nm", "80"), ("bar", ""), ("Nm", "80")] {
        let payload = format!(r#"{{"ts":1,"metric":"torque","value":80,"unit":"{unit}"}}"#);
        let lines = shop.says(TELEMETRY, &payload);
        match expected {
            "" => assert!(lines[0].starts_with("wrong_dimension")),
            _ => assert_eq!(lines, [format!("lyon/B1/T1 torque {expected} N.m @1")]),
        }
    }
}

fn member() -> impl Strategy<Value = String> {
    let choices = |list: &'static [&'static str]| prop::sample::select(list).prop_map(str::to_owned);
    prop_oneof![
        4 => choices(&[r#""ts":5"#, r#""ts":1795332840123"#, r#""ts":"2026-11-22T07:34:00+01:00""#]),
        1 => choices(&[r#""ts":1.5"#, r#""ts":-1"#, r#""ts":1e3"#, r#""ts":999999999999999999"#, r#""ts":null"#, r#""ts":01"#]),
        3 => choices(&[r#""seq":7"#, r#""boot":-2"#, r#""seq":123456789012345678"#, r#""seq":1234567890123456789"#]),
        1 => choices(&[r#""seq":1.0"#, r#""seq":null"#, r#""boot":"1""#, r#""seq":-"#, r#""seq":00"#]),
        4 => choices(&[r#""metric":"torque""#, r#""metric":"speed""#, r#""metric":"temperature""#]),
        1 => choices(&[r#""metric":"tor\u0071ue""#, r#""metric":"""#, r#""metric":"é""#, r#""metric":null"#]),
        4 => choices(&[r#""value":1"#, r#""value":87.25"#, r#""value":-1e-7"#, r#""value":true"#, r#""value":false"#]),
        1 => choices(&[r#""value":NaN"#, r#""value":1e999"#, r#""value":"on""#, r#""value":null"#, r#""value":[1]"#, r#""value":1e308"#]),
        3 => choices(&[r#""unit":"N.m""#, r#""unit":"kN.m""#, r#""unit":"°F""#, r#""unit":"""#, r#""unit":"bar""#, r#""unit":"\u00b0C""#]),
        2 => choices(&[r#""metrics":{"torque":1,"angle":2}"#, r#""metrics":{"angle":2,"angle":3}"#, r#""metrics":{}"#, r#""metrics":{"a":1,"b":NaN}"#, r#""metrics":{"up":true}"#]),
        1 => choices(&[r#""units":{"torque":"kN.m"}"#, r#""units":{}"#]),
        2 => choices(&[r#""tags":{"joint":"J1"}"#, r#""tags":{}"#, r#""tags":{"a":{"b":1}}"#, r#""tags":{"a":"}"}"#, r#""tags":{"a" "b"}"#]),
        2 => choices(&[r#""bay":"B9""#, r#""tool":"T9""#, r#""site":"oslo""#, r#""bay":5"#]),
        2 => choices(&[r#""x":"y""#, r#""a long name":1"#, r#""nested":{"ts":[1]}"#, r#""q":"\n""#, r#""t\u0073":9"#, r#""tsx":3"#, r#""t":3"#]),
    ]
}

/// What two messages say of which the second comes when the shape of the first is known; and what the second
/// says to a decoder that heard nothing of it.
fn after(first: &str, second: &[u8]) -> (String, String) {
    let told = |shop: &mut Shop| {
        shop.messages = 7;
        shop.decode(TELEMETRY, second);
        let Decoded { readings, elements, rejects, .. } = &shop.out;
        let bits: Vec<u64> = readings.value.iter().map(|value| value.to_bits()).collect();
        let columns = (&readings.ts_ms, &readings.seq, &readings.boot, &readings.index, bits);
        let names: Vec<String> = (0..readings.len()).map(|row| shop.reading(row)).collect();
        format!("{columns:?} {names:?} {elements:?} {rejects:?}")
    };
    let mut shop = Shop::new();
    (0..3).for_each(|_| shop.decode(TELEMETRY, first.as_bytes()));
    (told(&mut shop), told(&mut Shop::new()))
}

#[test]
fn a_name_of_the_payload_does_not_hide_in_a_shape_of_another_topic() {
    let mut shop = Shop::new();
    let payload = r#"{"ts":1,"tool":"T9","metric":"torque","value":1}"#;
    for _ in 0..4 {
        assert_eq!(shop.says(TELEMETRY, payload), ["lyon/B1/T1 torque 1 N.m @1"]);
        assert_eq!(shop.says("workshop/lyon/telemetry", payload), ["lyon/-/T9 torque 1 N.m @1"]);
    }
}

#[test]
fn a_text_with_escapes_is_no_name_that_was_heard_before() {
    let mut shop = Shop::new();
    let ending = r#"{"ts":1,"metric":"a\\","value":1}"#;
    let going_on = r#"{"ts":1,"metric":"a\",","value":1}"#;
    for _ in 0..4 {
        assert_eq!(shop.says(TELEMETRY, ending), [r"lyon/B1/T1 a\ 1 @1"]);
        assert_eq!(shop.says(TELEMETRY, going_on), [r#"lyon/B1/T1 a", 1 @1"#]);
    }
}

#[test]
fn a_channel_finds_its_metrics_however_many_and_however_long() {
    let mut shop = Shop::new();
    for _ in 0..3 {
        for number in 0..60 {
            let metric = format!("metric_{}{number}", "x".repeat(number % 30));
            let payload = format!(r#"{{"ts":1,"metric":"{metric}","value":{number}}}"#);
            assert_eq!(shop.says(TELEMETRY, &payload), [format!("lyon/B1/T1 {metric} {number} @1")]);
        }
    }
    assert_eq!(shop.decoder.series().all().len(), 60);
}

#[test]
fn what_an_earlier_message_left_behind_is_not_read() {
    let whole = r#"{"ts":1795332840123,"metric":"torque","value":87.25,"unit":"N.m","seq":1234}"#;
    for len in 0..whole.len() {
        for end in ["", "}"] {
            let (warm, cold) = after(whole, format!("{}{end}", &whole[..len]).as_bytes());
            assert_eq!(warm, cold, "{len} {end}");
        }
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?",
        "-?[0-9]{1,20}(\\.[0-9]{0,3})?",
        "[-0-9.eE+]{1,9}",
        any::<f64>().prop_map(|number| format!("{number:?}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn numbers_in_a_known_shape_are_those_of_the_exact_way(
        ts in prop_oneof![number(), "[0-9]{12,14}", Just("\"2026-11-22T07:34:00Z\"".to_owned())],
        value in number(),
        seq in number(),
        metric in prop::sample::select(vec!["torque", "speed", "angle", "a metric of more than twenty bytes", "t\u{e9}"]),
        unit in prop::sample::select(vec!["N.m", "", "kN.m", "N.m ", "\\u004e.m"]),
    ) {
        let common = r#"{"ts":1795332840123,"metric":"torque","value":87.25,"unit":"N.m","seq":1234}"#;
        let ahead = format!(r#"{{"ts":{ts},"metric":"{metric}","value":{value},"unit":"{unit}","seq":{seq}}}"#);
        let (warm, cold) = after(common, ahead.as_bytes());
        prop_assert_eq!(warm, cold, "{}", ahead);
        let behind = format!(r#"{{"metric":"{metric}","unit":"{unit}","seq":{seq},"ts":{ts},"value":{value}}}"#);
        let common = r#"{"metric":"torque","unit":"N.m","seq":1234,"ts":1795332840123,"value":87.25}"#;
        let (warm, cold) = after(common, behind.as_bytes());
        prop_assert_eq!(warm, cold, "{}", behind);
    }

    #[test]
    fn what_was_heard_before_is_heard_alike(
        members in prop::collection::vec(member(), 0..9),
        space in prop::sample::select(vec!["", " ", "\r\n\t"]),
        topic in prop::sample::select(vec![TELEMETRY, "workshop/lyon/telemetry"]),
        is_array: bool,
    ) {
        let object = format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")));
        let text = if is_array { format!("[{object},{object}]") } else { format!("{object}{space}") };
        let (cold, warm, _) = both(topic, text.as_bytes());
        prop_assert_eq!(warm, cold, "{}", text);
    }

    #[test]
    fn damage_is_found_on_the_short_way_too(
        at in any::<prop::sample::Index>(),
        with in prop::option::of(any::<u8>()),
        payload in prop::sample::select(vec![
            r#"{"ts":1795332840123,"metric":"torque","value":87.25,"unit":"N.m","seq":1234}"#,
            r#"{"ts":"2026-11-22T07:34:00.123Z","metrics":{"torque":1,"angle":2.5},"tags":{"joint":"J1"}}"#,
            r#"{"ts":1,"unit":"°C","value":true,"metric":"temperature","x":null}"#,
        ]),
    ) {
        let mut bytes = payload.as_bytes().to_vec();
        let place = at.index(bytes.len());
        match with {
            Some(byte) => bytes[place] = byte,
            None => bytes.truncate(place),
        }
        // Heard whole first, so that the names are known; and again, so that the shape is.
        let mut shop = Shop::new();
        shop.decode(TELEMETRY, payload.as_bytes());
        shop.decode(TELEMETRY, payload.as_bytes());
        shop.messages = 1;
        shop.decode(TELEMETRY, &bytes);
        let warm = (shop.out.readings.value.clone(), shop.out.elements.clone(), shop.out.rejects.clone());
        let mut cold = Shop::new();
        cold.messages = 1;
        cold.decode(TELEMETRY, &bytes);
        prop_assert_eq!(format!("{:?}", warm), format!("{:?}", (cold.out.readings.value, cold.out.elements, cold.out.rejects)));
    }
}

/// Read along its shape, a value behind the first kilobyte was taken from the payload's beginning.
#[test]
fn a_value_behind_the_first_kilobyte_is_read_where_it_stands() {
    for length in 1_016..=1_040 {
        let payload = |value: &str| {
            let (head, tail) =
                (r#"{"n":12,"ts":1,"metric":"torque","x":""#, format!(r#"","value":{value}}}"#));
            format!("{head}{}{tail}", "-".repeat(length - head.len() - tail.len()))
        };
        let (cold, warm, _) = both(TELEMETRY, payload("99").as_bytes());
        assert_eq!(warm, cold, "of {length} bytes");
        assert!(warm[0].contains("torque 99 "), "of {length} bytes: {warm:?}");
    }
}
