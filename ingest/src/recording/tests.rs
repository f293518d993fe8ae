use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::*;

const LINE: &str = r#"{"tst":"2026-11-22T07:34:00.123456+0000","topic":"workshop/lyon/B1/T1/telemetry","qos":1,"retain":0,"payloadlen":34,"mid":7,"payload":{"ts":1,"metric":"torque","value":80}}"#;

fn recording(text: impl Into<Vec<u8>>, topic: Option<&str>) -> Recording {
    Recording::from_reader("day.ndjson", Cursor::new(text.into()), topic).expect("can be read")
}

fn told(recorded: Recorded<'_>) -> String {
    match recorded {
        Recorded::Message { topic, arrived_ms, payload } => {
            format!("{topic} @{arrived_ms} {}", String::from_utf8_lossy(payload))
        }
        Recorded::Unreadable { arrived_ms, raw, detail } => {
            format!("unreadable @{arrived_ms} {} ({detail})", String::from_utf8_lossy(raw))
        }
    }
}

fn all(mut messages: impl RecordedMessages) -> Vec<String> {
    let mut lines = Vec::new();
    let walked: Result<(), RecordingError> = messages.for_each(|recorded| {
        lines.push(told(recorded));
        Ok(())
    });
    lines.extend(walked.err().map(|error| error.to_string()));
    lines
}

fn line(tst: &str, payload: &str) -> String {
    format!(r#"{{"tst":"{tst}","topic":"t","qos":0,"retain":0,"payloadlen":1,{payload}}}"#)
}

#[test]
fn a_line_of_mosquitto_sub_is_a_message() {
    let expected = [r#"workshop/lyon/B1/T1/telemetry @1795332840123 {"ts":1,"metric":"torque","value":80}"#];
    assert_eq!(all(recording(LINE, None)), expected);
    assert_eq!(all(recording(format!("\u{feff}\r\n\n{LINE}\r\n  \n"), None)), expected);
}

#[test]
fn the_time_is_read_in_all_forms_that_mosquitto_has_had() {
    for (tst, expected) in [
        ("2026-11-22T07:34:00.123999Z", 1_795_332_840_123_i64),
        ("2026-11-22T07:34:00+00:00", 1_795_332_840_000),
        ("2026-11-22T13:04:00.123456Z+0530", 1_795_332_840_123),
        ("2026-11-22T13:04:00.123456+0530", 1_795_332_840_123),
    ] {
        assert_eq!(all(recording(line(tst, r#""payload":5"#), None)), [format!("t @{expected} 5")]);
    }
}

#[test]
fn a_payload_is_the_bytes_of_the_line() {
    let cases = [
        (r#""payload":{"a":[1,{"b":"}\"]"}],"c":NaN}"#, r#"{"a":[1,{"b":"}\"]"}],"c":NaN}"#),
        (r#""payload": [ 1.50 , -Infinity ] "#, "[ 1.50 , -Infinity ]"),
        (r#""payload":-1.5e3"#, "-1.5e3"),
        (r#""payload":null"#, "null"),
        (r#""payload":"plain text""#, "plain text"),
        (r#""payload":"{\"value\":1,\"unit\":\"\u00b0C\"}""#, r#"{"value":1,"unit":"°C"}"#),
        (r#""payload":"\\""#, r"\"),
        (r#""payload_base64":"eyJhIjoxfQ==""#, r#"{"a":1}"#),
        (r#""payload_base64":"Pz8\/Pw==""#, "????"),
        (r#""payload":1,"payload":2,"later":{"x":1}"#, "2"),
        (r#""payload":"null""#, "null"),
    ];
    for (payload, expected) in cases {
        assert_eq!(
            all(recording(line("2026-11-22T07:34:00Z", payload), None)),
            [format!("t @1795332840000 {expected}")]
        );
    }
    let empty =
        line("2026-11-22T07:34:00Z", r#""payload":null"#).replace("\"payloadlen\":1", "\"payloadlen\":0");
    assert_eq!(all(recording(empty, None)), ["t @1795332840000 "]);
}

#[test]
fn how_a_line_is_set_does_not_matter() {
    let payload = r#"{"ts":1,"text":"}","more":[1,{"a":"}"}]}"#;
    let flat = r#"{"ts":1,"text":"{"}"#;
    for payload in [payload, flat, "{}", "[{}]"] {
        let printed = format!(
            r#"{{"tst":"2026-11-22T07:34:00Z","topic":"t","qos":1,"retain":0,"payloadlen":9,"mid":1,"payload":{payload}}}"#
        );
        let lines = [
            printed.replace(r#","mid":1"#, ""),
            printed.replace(r#""payload":"#, r#""payload" : "#),
            printed.replace(r#","qos":1"#, ""),
            format!(r#"{},"user":{{"a":1}}}}"#, &printed[..printed.len() - 1]),
            format!(r#"{} }}"#, &printed[..printed.len() - 1]),
            format!(r#"{{"payload":{payload},"topic":"t","tst":"2026-11-22T07:34:00Z"}}"#),
            printed,
        ];
        for line in lines {
            assert_eq!(all(recording(line.clone(), None)), [format!("t @1795332840000 {payload}")], "{line}");
        }
    }
}

#[test]
fn a_topic_may_be_escaped() {
    let line = r#"{"topic":"a\/\u00fc","tst":"2026-11-22T07:34:00Z","payload":1}"#;
    assert_eq!(all(recording(line, None)), ["a/ü @1795332840000 1"]);
}

#[test]
fn what_is_no_recording_line_is_handed_on_and_reading_goes_on() {
    let good = line("2026-11-22T07:34:00Z", r#""payload":1"#);
    let bad = [
        ("hello", "the line is no JSON object"),
        ("[1,2]", "the line is no JSON object"),
        (r#"{"tst":"2026-11-22T07:34:00Z","topic":"t","payload":{"a":1}"#, "the line breaks off"),
        (r#"{"tst":"2026-1"#, "the line breaks off"),
        (r#"{"tst":"2026-11-22T07:34:00Z","topic":"t","payload":1} x"#, "the line is no JSON object"),
        (r#"{"tst" 5}"#, "the line is no JSON object"),
        (r#"{"tst":"2026-11-22T07:34:00Z","topic":"t","payload":,"a":1}"#, "the line is no JSON object"),
        (
            r#"{"tst":"noon","topic":"t","payload":1}"#,
            "\"tst\" is no time such as 2026-11-22T07:34:00.123456+0000",
        ),
        (r#"{"tst":"2026-11-22T07:34:00Z","payload":1}"#, "the line has no \"topic\""),
        (r#"{"tst":"2026-11-22T07:34:00Z","topic":5,"payload":1}"#, "\"topic\" is no text"),
        (r#"{"tst":"2026-11-22T07:34:00Z","topic":"t"}"#, "the line has no \"payload\""),
        (
            r#"{"tst":"2026-11-22T07:34:00Z","topic":"t","payload_base64":"?"}"#,
            "\"payload_base64\" is no base64",
        ),
    ];
    for (text, what) in bad {
        assert_eq!(
            all(recording(format!("{good}\n{text}\n{good}"), None)),
            [
                "t @1795332840000 1".to_owned(),
                format!("unreadable @1795332840000 {text} (day.ndjson:2: {what})"),
                "t @1795332840000 1".to_owned(),
            ]
        );
    }
}

#[test]
fn an_object_without_time_needs_a_topic() {
    let text = format!("{LINE}\n\n{{\"ts\":5,\"value\":1}}\n");
    assert_eq!(
        all(recording(text, None))[1],
        "day.ndjson:3: no \"tst\": the line is no recording line; give --topic TOPIC if the lines of this file are payloads"
    );
    assert!(all(recording("{}", None))[0].starts_with("day.ndjson:1: no \"tst\""));
}

#[test]
fn with_a_topic_given_a_line_is_the_payload() {
    let text = r#"{"online":true}
{"ts":1000,"value":1}
not json
[{"ts":5000},{"ts":"1970-01-01T00:00:03Z"},7]
{"ts":2000,"value":{"ts":9000}}
{"ts":8000,"value":
{"tst":"1970-01-01T00:00:06Z","topic":"other","payload":{"ts":4}}
{"tst":"1970-01-01T00:00:09Z","value":3}"#;
    assert_eq!(
        all(recording(text, Some("given"))),
        [
            r#"given @1000 {"online":true}"#,
            r#"given @1000 {"ts":1000,"value":1}"#,
            "given @1000 not json",
            r#"given @5000 [{"ts":5000},{"ts":"1970-01-01T00:00:03Z"},7]"#,
            r#"given @5000 {"ts":2000,"value":{"ts":9000}}"#,
            r#"given @5000 {"ts":8000,"value":"#,
            r#"given @6000 {"ts":4}"#,
            r#"given @6000 {"tst":"1970-01-01T00:00:09Z","value":3}"#,
        ]
    );
}

#[test]
fn arrival_never_goes_back() {
    let text = format!(
        "{}\n{}",
        line("2026-11-22T07:34:05Z", r#""payload":1"#),
        line("2026-11-22T07:34:00Z", r#""payload":2"#)
    );
    assert_eq!(all(recording(text, None)), ["t @1795332845000 1", "t @1795332845000 2"]);
}

#[test]
fn compressed_recordings_are_read_as_they_are() {
    let text = format!("{LINE}\n").repeat(10_000);
    let expected = all(recording(text.clone(), None));
    assert_eq!(expected.len(), 10_000);
    let gzip = |part: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part.as_bytes()).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let (first, second) = text.split_at(text.len() / 3);
    // Files put one after the other are one file.
    assert_eq!(all(recording([gzip(first), gzip(second)].concat(), None)), expected);
    let zstd = |part: &str| zstd::encode_all(part.as_bytes(), 1).expect("in memory");
    assert_eq!(all(recording([zstd(first), zstd(second)].concat(), None)), expected);
}

#[test]
fn a_compressed_recording_that_breaks_off_is_an_error() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(format!("{LINE}\n").repeat(1000).as_bytes()).expect("in memory");
    let mut bytes = encoder.finish().expect("in memory");
    bytes.truncate(bytes.len() / 2);
    let last = all(recording(bytes, None)).pop().expect("an error");
    assert!(last.starts_with("cannot read the recording day.ndjson: "), "{last}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing.ndjson");
    let error = Recording::open(&path, None).expect_err("is not there").to_string();
    assert!(error.starts_with(&format!("cannot read the recording {}: ", path.display())), "{error}");
    std::fs::write(&path, LINE).expect("can be written");
    assert_eq!(all(Recording::open(&path, None).expect("is there")).len(), 1);
}

#[test]
fn recordings_are_merged_by_arrival_then_argument_then_line() {
    let at = |second: u32, payload: &str| {
        line(&format!("1970-01-01T00:00:0{second}Z"), &format!("\"payload\":\"{payload}\""))
    };
    let first = [at(1, "a1"), at(3, "a2"), at(3, "a3"), "junk".to_owned()].join("\n");
    let second = [at(0, "b1"), at(3, "b2"), at(5, "b3")].join("\n");
    let merged =
        MergedRecordings::new(vec![recording(first, None), recording(second, None), recording("", None)]);
    assert_eq!(
        all(merged),
        [
            "t @0 b1",
            "t @1000 a1",
            "t @3000 a2",
            "t @3000 a3",
            "unreadable @3000 junk (day.ndjson:4: the line is no JSON object)",
            "t @3000 b2",
            "t @5000 b3",
        ]
    );
    assert!(all(MergedRecordings::new(Vec::new())).is_empty());
}

/// Gives its bytes out in pieces of `step`.
struct Drip(Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(self.1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn a_line_may_be_large_and_one_beyond_the_bound_is_passed_over() {
    let large = line("2026-11-22T07:34:00Z", &format!(r#""payload":"{}""#, "x".repeat(10 << 20)));
    let beyond = format!("{{\"tst\":{}", "y".repeat(LINE_BYTES_MAX + 5));
    let text = format!("{large}\n{beyond}\n{LINE}\n{beyond}");
    let mut recording = recording(text, None);
    let mut seen = Vec::new();
    while recording.advance().expect("can be read") {
        seen.push(match recording.current() {
            Recorded::Message { payload, .. } => payload.len(),
            Recorded::Unreadable { raw, detail, .. } => {
                assert!(detail.ends_with("the line is longer than 64 MiB"));
                assert!(raw.starts_with(b"{\"tst\":yyy"));
                raw.len()
            }
        });
    }
    assert_eq!(seen, [10 << 20, 64 << 10, 37, 64 << 10]);
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let payloads: [&[u8]; 9] = [
        br#"{"ts":1,"value":87.250,"unit":"\u00b0C"}"#,
        b"{\"a\":1}",
        b"[1,2]",
        b"",
        b"not json, \"quoted\"\n",
        b"\"a text\"",
        b" {\"a\":1} ",
        b"{\"a\":NaN}",
        b"\xff\x00binary",
    ];
    let mut writer = RecordingWriter::new(Vec::new());
    for payload in payloads {
        writer.write(1_795_332_840_123, "workshop/ü\"x/B1", 1, payload).expect("in memory");
    }
    let text = String::from_utf8(writer.finish().expect("in memory")).expect("is UTF-8");
    assert_eq!(
        text.lines().next().expect("a line"),
        r#"{"tst":"2026-11-22T07:34:00.123000+0000","topic":"workshop/ü\"x/B1","qos":1,"retain":0,"payloadlen":40,"mid":1,"payload":{"ts":1,"value":87.250,"unit":"\u00b0C"}}"#
    );
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let mut recording = recording(text, None);
    for expected in payloads {
        assert!(recording.advance().expect("can be read"));
        let Recorded::Message { payload, topic, .. } = recording.current() else { panic!("a message") };
        assert_eq!((payload, topic), (expected, "workshop/ü\"x/B1"));
    }
}

/// Three thousand topics, of which some share a place in the table, each on three lines.
#[test]
fn a_number_never_stands_for_two_topics() {
    let mut text = String::new();
    for bay in (0..3_000).chain(0..3_000).chain((0..3_000).rev()) {
        text += &format!(
            r#"{{"tst":"2026-11-22T07:34:00.123000+0000","topic":"workshop/lyon/bay-{bay}/steps","qos":1,"retain":0,"payloadlen":7,"payload":{{"a":1}}}}"#
        );
        text.push('\n');
    }
    let mut recording = recording(text, None);
    let mut of_number = std::collections::BTreeMap::new();
    let (mut lines, mut numbered) = (0, 0);
    while recording.advance().expect("can be read") {
        let Recorded::Message { topic, .. } = recording.current() else { panic!("a message") };
        lines += 1;
        if let Some(number) = recording.topic_number() {
            numbered += 1;
            assert_eq!(of_number.entry(number).or_insert_with(|| topic.to_owned()), topic);
        }
    }
    assert_eq!(lines, 9_000);
    assert!((8_000..9_000).contains(&numbered), "{numbered}: most have one, those that take turns do not");
}

#[test]
fn a_payload_of_several_lines_is_written_on_one() {
    let mut writer = RecordingWriter::new(Vec::new());
    writer.write(0, "t", 0, b"{\r\n  \"a\": 1\n}").expect("in memory");
    let text = String::from_utf8(writer.finish().expect("in memory")).expect("is UTF-8");
    assert_eq!(
        text,
        "{\"tst\":\"1970-01-01T00:00:00.000000+0000\",\"topic\":\"t\",\"qos\":0,\"retain\":0,\"payloadlen\":13,\"payload\":{  \"a\": 1}}\n"
    );
}

/// What the exact way says of a text: a blank in front of a line keeps it off the short way.
fn exactly(text: &str) -> Vec<String> {
    all(recording(format!(" {}", text.replace('\n', "\n ")), None))
}

#[test]
fn common_lines_take_the_short_way() {
    let without_mid = LINE.replace(r#","mid":7"#, "");
    for line in [LINE, &without_mid] {
        let mut recording = recording(format!("{line}\n").repeat(9), None);
        assert!(recording.advance().expect("can be read"));
        for number in 2..9 {
            assert!(recording.advance().expect("can be read"));
            assert!(matches!(recording.current, Current::Printed { .. }), "{line}");
            assert_eq!(recording.line(), number);
        }
    }
}

fn member_of_a_line() -> impl Strategy<Value = [String; 6]> {
    let choices = |list: &'static [&'static str]| prop::sample::select(list).prop_map(str::to_owned);
    let tst = prop_oneof![
        6 => "2026-11-22T07:34:[0-5][0-9]\\.[0-9]{6}\\+0000",
        2 => "20[0-9]{2}-[0-9]{2}-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-6][0-9]\\.[0-9]{6}[+-]0[0-9]{3}",
        1 => choices(&["2026-11-22T07:34:60.123456+0000", "2026-11-22T07:34:00.12345678+00", "2026-11-22T07:34:00.12345+01:00"]),
        1 => choices(&["2026-11-22T07:34:00.123456Z", "2026-11-22T07:34:00.12345a+0000", "2026-11-22T07:34:0a.123456+0000", ""]),
    ];
    let topic = prop_oneof![
        6 => "workshop/lyon/bay-[0-9]{1,3}/tool-[1-3]/telemetry",
        1 => choices(&["t", "", "a\\/b", "\u{fc}ber", "12345678", "1234567", "a\tb", "workshop/\\u00fc"]),
    ];
    let digits = || prop_oneof![6 => "[0-9]", 1 => "[0-9]{0,9}"];
    let payload = prop_oneof![
        6 => choices(&[r#"{"ts":1,"value":80}"#, "{}", r#"{"ts":1795332840123,"metric":"torque","value":87.25}"#]),
        2 => choices(&[r#"{"a":{"b":1}}"#, r#"{"a":"}"}"#, "[1]", "5", "null", r#""text""#, "{", ""]),
    ];
    (tst, topic, digits(), digits(), digits(), payload).prop_map(Into::into)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_short_way_of_a_line_is_the_exact_one(
        lines in prop::collection::vec((member_of_a_line(), prop::option::of("[0-9]{1,6}")), 1..9),
        damage in prop::option::of((any::<prop::sample::Index>(), "[ -~\n]?")),
    ) {
        let mut text = String::new();
        for ([tst, topic, qos, retain, len, payload], mid) in &lines {
            let mid = mid.as_ref().map_or(String::new(), |mid| format!(r#""mid":{mid},"#));
            text += &format!(
                "{{\"tst\":\"{tst}\",\"topic\":\"{topic}\",\"qos\":{qos},\"retain\":{retain},\"payloadlen\":{len},{mid}\"payload\":{payload}}}\n"
            );
        }
        if let Some((at, with)) = damage {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let start = places[at.index(places.len())];
            let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
            text.replace_range(start..end, &with);
        }
        prop_assert_eq!(all(recording(text.clone(), None)), exactly(&text));
    }

    #[test]
    fn a_line_of_the_short_way_says_what_serde_json_says(
        lines in prop::collection::vec(("[0-5][0-9]", 0..1_000_000_u32, "[a-z/\u{fc}]{1,40}", any::<i32>()), 1..20),
    ) {
        let text: String = lines
            .iter()
            .map(|(second, micros, topic, value)| format!(
                "{{\"tst\":\"2026-11-22T07:34:{second}.{micros:06}+0000\",\"topic\":\"{topic}\",\"qos\":1,\"retain\":0,\"payloadlen\":9,\"payload\":{{\"value\":{value}}}}}\n"
            ))
            .collect();
        let mut newest_ms = 0;
        let expected: Vec<String> = text
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("is JSON");
                let tst = line["tst"].as_str().expect("is a text").replace("+0000", "Z");
                let time: jiff::Timestamp = tst.parse().expect("is a time");
                newest_ms = time.as_millisecond().max(newest_ms);
                format!("{} @{newest_ms} {}", line["topic"].as_str().expect("is a text"), line["payload"])
            })
            .collect();
        prop_assert_eq!(all(recording(text, None)), expected);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50, given: bool) {
        let drip = Drip(Cursor::new(bytes), step);
        if let Ok(recording) = Recording::from_reader("any", drip, given.then_some("t")) {
            all(recording);
        }
    }

    #[test]
    fn how_the_bytes_come_does_not_show(lines in prop::collection::vec("[a-z{}\":, ]{0,30}", 0..20), step in 1usize..50) {
        let text = lines.join("\n");
        let whole = all(recording(text.clone(), Some("t")));
        let dripped = Recording::from_reader("day.ndjson", Drip(Cursor::new(text.into_bytes()), step), Some("t"));
        prop_assert_eq!(all(dripped.expect("can be read")), whole);
    }

    #[test]
    fn any_payload_survives_writing_and_reading(
        payload in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[{}\\[\\]\":,0-9a-z\\\\ \n]{0,40}".prop_map(String::into_bytes)],
        topic in "[^\u{0}]{1,20}",
        arrived_ms in 0i64..4_000_000_000_000,
    ) {
        let mut writer = RecordingWriter::new(Vec::new());
        writer.write(arrived_ms, &topic, 0, &payload).expect("in memory");
        let mut recording = recording(writer.finish().expect("in memory"), None);
        prop_assert!(recording.advance().expect("can be read"));
        let expected = Recorded::Message { topic: &topic, arrived_ms, payload: &payload };
        let is_several_lines = payload.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        prop_assume!(!is_several_lines || !matches!(recording.current(), Recorded::Message { payload: kept, .. } if kept.len() < payload.len()));
        prop_assert_eq!(recording.current(), expected);
        prop_assert!(!recording.advance().expect("can be read"));
    }
}
