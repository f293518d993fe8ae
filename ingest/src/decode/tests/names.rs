use super::*;

const TORQUE: &str = r#"{"ts":1,"metric":"torque","value":1}"#;

#[test]
fn series_beyond_the_bound_of_a_site_are_rejected_and_others_go_on() {
    let limits = DecodeLimits { series_per_site_max: 2, ..DecodeLimits::default() };
    let mut shop = Shop::with(TopicSettings::default(), limits);
    let payload = r#"{"ts":1,"metrics":{"a":1,"b":2,"c":3}}"#;
    let expected = [
        "lyon/B1/T1 a 1 @1",
        "lyon/B1/T1 b 2 @1",
        r#"too_many_series: site "lyon" has already 2 series; "c" has no room"#,
    ];
    assert_eq!(shop.says(TELEMETRY, payload), expected);
    assert_eq!(shop.says(TELEMETRY, payload), expected);
    assert_eq!(shop.says("workshop/oslo/B1/T1/telemetry", TORQUE), ["oslo/B1/T1 torque 1 N.m @1"]);
}

#[test]
fn topics_and_series_have_a_bound_over_all_sites() {
    let limits = DecodeLimits { channels_max: 1, ..DecodeLimits::default() };
    let mut shop = Shop::with(TopicSettings::default(), limits);
    shop.says(TELEMETRY, TORQUE);
    assert_eq!(
        shop.says("workshop/lyon/B1/T2/telemetry", TORQUE),
        ["too_many_series: there are already 1 topics"]
    );
    let limits = DecodeLimits { series_max: 1, ..DecodeLimits::default() };
    let mut shop = Shop::with(TopicSettings::default(), limits);
    shop.says(TELEMETRY, TORQUE);
    assert_eq!(
        shop.says("workshop/oslo/B1/T1/telemetry", TORQUE),
        [r#"too_many_series: there are already 1 series; "torque" has no room"#]
    );
    assert_eq!(
        shop.says("workshop/oslo/B7/usage", r#"{"ts":1,"resource":"rag","quantity":1}"#),
        [r#"too_many_series: there are already 1 bays; "B7" has no room"#]
    );
}

#[test]
fn channels_are_numbered_by_first_sight_and_survive_wrong_topic_indexes() {
    let mut shop = Shop::new();
    let topics =
        ["workshop/lyon/B1/T1/telemetry", "workshop/lyon/B1/T2/telemetry", "workshop/lyon/B1/T1/telemetry"];
    let seen: Vec<(u32, String)> = topics
        .iter()
        .map(|topic| {
            let says = shop.says(topic, TORQUE);
            (shop.out.channel, says[0].clone())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (0, "lyon/B1/T1 torque 1 N.m @1".to_owned()),
            (1, "lyon/B1/T2 torque 1 N.m @1".to_owned()),
            (0, "lyon/B1/T1 torque 1 N.m @1".to_owned()),
        ]
    );
    assert_eq!(shop.decoder.channels().collect::<Vec<_>>(), topics[..2]);
}

#[test]
fn a_restored_decoder_goes_on_with_the_same_numbers() {
    let messages = [
        (TELEMETRY, r#"{"ts":1,"metrics":{"torque":1,"speed":2},"units":{"speed":"rpm"}}"#),
        ("workshop/lyon/B2/steps", r#"{"ts":1,"job":"J1","step":"S1","event":"started"}"#),
        ("workshop/lyon/telemetry", r#"{"ts":1,"bay":"B3","metric":"flow","value":1,"unit":"l/min"}"#),
        ("workshop/oslo/B1/T1/telemetry", r#"{"ts":1,"metric":"level","value":1,"unit":"mm"}"#),
        (
            TELEMETRY,
            r#"{"ts":1,"metrics":{"torque":1,"speed":2,"heat":3},"units":{"speed":"rpm","heat":"J"}}"#,
        ),
    ];
    for cut in 0..=messages.len() {
        let mut whole = Shop::new();
        let mut first = Shop::new();
        for (topic, payload) in &messages[..cut] {
            whole.says(topic, payload);
            first.says(topic, payload);
        }
        let stored = serde_json::to_string(&first.decoder.snapshot()).expect("serialises");
        let mut second = Shop::new();
        let state = serde_json::from_str(&stored).expect("is a state");
        second.decoder.restore(&state).expect("is whole");
        assert_eq!(second.decoder.snapshot(), first.decoder.snapshot());
        for (topic, payload) in &messages[cut..] {
            assert_eq!(second.says(topic, payload), whole.says(topic, payload));
            assert_eq!(second.out.readings.series, whole.out.readings.series);
            assert_eq!(second.out.readings.unit, whole.out.readings.unit);
            assert_eq!(second.out.channel, whole.out.channel);
        }
        assert_eq!(second.decoder.snapshot(), whole.decoder.snapshot());
    }
}

#[test]
fn a_state_with_a_name_twice_is_refused() {
    let twice = |change: fn(&mut DecoderState)| {
        let mut shop = Shop::new();
        shop.says(TELEMETRY, TORQUE);
        let mut state = shop.decoder.snapshot();
        change(&mut state);
        Shop::new().decoder.restore(&state).expect_err("is damaged").to_string()
    };
    let remedy = "twice; remove the checkpoint and replay the journal";
    assert!(twice(|state| state.series.push(state.series[0].clone())).ends_with(remedy));
    assert!(twice(|state| state.bays.push(state.bays[0].clone())).ends_with(remedy));
    let channels = twice(|state| state.channels.push(state.channels[0].clone()));
    assert_eq!(channels, format!("the checkpoint's list of channels names \"{TELEMETRY}\" {remedy}"));
    assert!(twice(|state| state.units.push("parsec9x".into())).contains("parsec9x"));
}

#[test]
fn a_channel_whose_pattern_is_gone_keeps_its_number_and_says_so() {
    let mut shop = Shop::new();
    shop.says("workshop/lyon/B1/T1/status", r#"{"online":true}"#);
    shop.says(TELEMETRY, TORQUE);
    let state = shop.decoder.snapshot();
    let topics = TopicSettings { status: Vec::new(), ..TopicSettings::default() };
    let mut later = Shop::with(topics, DecodeLimits::default());
    later.decoder.restore(&state).expect("is whole");
    assert_eq!(
        later.says("workshop/lyon/B1/T1/status", r#"{"online":true}"#),
        [r#"unknown_topic: topic "workshop/lyon/B1/T1/status" matches no pattern of [topics]"#]
    );
    later.says(TELEMETRY, TORQUE);
    assert_eq!(later.out.channel, 1);
}

#[test]
fn bays_that_only_events_name_are_numbered_too() {
    let mut shop = Shop::new();
    shop.says("workshop/lyon/B7/steps", r#"{"ts":1,"job":"J1","step":"S1","event":"started"}"#);
    assert_eq!(shop.decoder.series().find_bay("lyon", "B7"), Some(0));
}
