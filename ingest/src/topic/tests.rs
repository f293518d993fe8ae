use super::*;

fn topics(settings: &TopicSettings) -> Topics {
    Topics::new(settings).expect("the patterns are right")
}

fn with_telemetry(patterns: &[&str]) -> TopicSettings {
    let telemetry = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    TopicSettings { telemetry, ..TopicSettings::default() }
}

#[test]
fn a_telemetry_topic_names_site_bay_and_tool() {
    let route = topics(&TopicSettings::default()).resolve("workshop/lyon/bay-07/tq-1142/telemetry");
    let expected =
        Route { kind: Kind::Telemetry, site: Some("lyon"), bay: Some("bay-07"), tool: Some("tq-1142") };
    assert_eq!(route, Some(expected));
}

#[test]
fn every_default_pattern_leads_to_its_kind() {
    let topics = topics(&TopicSettings::default());
    let kinds = [
        ("workshop/lyon/telemetry", Kind::Telemetry),
        ("workshop/lyon/B1/steps", Kind::Steps),
        ("workshop/lyon/steps", Kind::Steps),
        ("workshop/lyon/B1/usage", Kind::Usage),
        ("workshop/lyon/jobs", Kind::Jobs),
        ("workshop/lyon/B1/T1/status", Kind::Status),
        ("workshop/lyon/B1/status", Kind::Status),
        ("workshop/lyon/assets", Kind::Assets),
        ("workshop/lyon/B1/andon", Kind::Output),
    ];
    for (topic, kind) in kinds {
        assert_eq!(topics.resolve(topic).map(|route| route.kind), Some(kind), "{topic}");
    }
}

#[test]
fn a_topic_of_another_shape_is_unknown() {
    let topics = topics(&TopicSettings::default());
    for topic in [
        "workshop/lyon/B1/T1/torque",
        "workshop/lyon/B1/T1/telemetry/",
        "workshop//B1/T1/telemetry",
        "garage/lyon/telemetry",
        "workshop/lyon",
        "",
    ] {
        assert_eq!(topics.resolve(topic), None, "{topic}");
    }
}

#[test]
fn the_pattern_with_more_literal_levels_wins() {
    let settings = TopicSettings {
        status: vec!["plant/{site}/{bay}/status".to_owned()],
        ..with_telemetry(&["plant/{site}/{bay}/{tool}", "plant/{site}/press/{tool}"])
    };
    let topics = topics(&settings);
    let route = topics.resolve("plant/lyon/press/P4").expect("known");
    assert_eq!((route.bay, route.tool), (None, Some("P4")));
    let route = topics.resolve("plant/lyon/B1/P4").expect("known");
    assert_eq!((route.bay, route.tool), (Some("B1"), Some("P4")));
    assert_eq!(topics.resolve("plant/lyon/B1/status").expect("known").kind, Kind::Status);
}

#[test]
fn with_as_many_literals_the_earlier_one_wins() {
    let settings = with_telemetry(&["{site}/press/{tool}", "hall/{bay}/{tool}"]);
    let topics = topics(&settings);
    let route = topics.resolve("hall/press/P4").expect("known");
    assert_eq!((route.site, route.bay), (None, Some("press")));
}

#[test]
fn a_plus_matches_a_level_without_a_name() {
    let topics = topics(&with_telemetry(&["plant/+/{site}/{tool}/data"]));
    let route = topics.resolve("plant/line-3/lyon/P4/data").expect("known");
    assert_eq!((route.site, route.bay, route.tool), (Some("lyon"), None, Some("P4")));
}

#[test]
fn system_topics_of_the_broker_match_no_capture() {
    let topics = topics(&with_telemetry(&["{site}/{tool}/telemetry"]));
    assert_eq!(topics.resolve("$SYS/broker/telemetry"), None);
}

#[test]
fn filters_leave_out_outputs_and_what_another_covers() {
    let filters = topics(&TopicSettings::default()).filters();
    assert_eq!(
        filters,
        [
            "workshop/+/+/+/telemetry",
            "workshop/+/telemetry",
            "workshop/+/+/steps",
            "workshop/+/steps",
            "workshop/+/+/usage",
            "workshop/+/jobs",
            "workshop/+/+/+/status",
            "workshop/+/+/status",
            "workshop/+/assets",
        ]
    );
    let overlapping = topics(&with_telemetry(&["plant/{site}/press/{tool}", "plant/{site}/{bay}/{tool}"]));
    assert_eq!(overlapping.filters()[0], "plant/+/+/+");
    assert!(!overlapping.filters().contains(&"plant/+/press/+".to_owned()));
}

#[test]
fn a_wrong_pattern_is_named_with_a_remedy() {
    let cases = [
        (
            "",
            "topics.telemetry has an empty pattern; remove it or write one such as \"workshop/{site}/telemetry\"",
        ),
        (
            "workshop/{area}/telemetry",
            "topics.telemetry pattern \"workshop/{area}/telemetry\": level \"{area}\" is no capture; the captures are {site}, {bay} and {tool}, each a whole level",
        ),
        (
            "workshop/site-{site}/telemetry",
            "topics.telemetry pattern \"workshop/site-{site}/telemetry\": level \"site-{site}\" is no capture; the captures are {site}, {bay} and {tool}, each a whole level",
        ),
        (
            "workshop/{site}/{site}/telemetry",
            "topics.telemetry pattern \"workshop/{site}/{site}/telemetry\" captures {site} twice; write + for the level that does not count",
        ),
        (
            "workshop/{site}/#",
            "topics.telemetry pattern \"workshop/{site}/#\": level \"#\" has a wildcard; write {site}, {bay}, {tool} or + for one whole level, and list each depth as a pattern of its own in place of #",
        ),
        (
            "workshop/{tool}/{bay}/steps",
            "topics.steps pattern \"workshop/{site}/{bay}/steps\" matches the same topics as topics.telemetry pattern \"workshop/{tool}/{bay}/steps\"; make one level of either literal, or remove one",
        ),
    ];
    for (pattern, expected) in cases {
        let error = Topics::new(&with_telemetry(&[pattern])).expect_err(pattern);
        assert_eq!(error.to_string(), expected);
    }
}
