use proptest::prelude::*;

use super::super::timestamp::rfc3339;
use super::*;

fn ts(text: &str) -> i64 {
    let mut shop = Shop::new();
    shop.decode(TELEMETRY, format!(r#"{{"ts":{text},"metric":"torque","value":1}}"#).as_bytes());
    assert_eq!(shop.out.rejects, [], "{text}");
    shop.out.readings.ts_ms[0]
}

#[test]
fn a_time_is_milliseconds_or_rfc_3339_and_is_floored() {
    let cases = [
        ("1795332840123", 1_795_332_840_123),
        ("1795332840123.9", 1_795_332_840_123),
        ("1.795332840123e12", 1_795_332_840_123),
        ("1795332840123.00000000000000001", 1_795_332_840_123),
        ("-0.5", -1),
        ("-1500", -1500),
        ("0", 0),
        ("-0.0", 0),
        ("1e-30", 0),
        ("-1e-30", -1),
        (r#""2026-11-22T07:34:00.123Z""#, 1_795_332_840_123),
        (r#""2026-11-22T07:34:00.123999Z""#, 1_795_332_840_123),
        (r#""2026-11-22T08:34:00.123+01:00""#, 1_795_332_840_123),
        (r#""2026-11-22 07:34:00z""#, 1_795_332_840_000),
        (r#""2026-11-22t02:04:00-05:30""#, 1_795_332_840_000),
        (r#""2026-11-22T07:34:00+0000""#, 1_795_332_840_000),
        (r#""2026-11-22T13:04:00.5Z+0530""#, 1_795_332_840_500),
        (r#""1969-12-31T23:59:59.9999Z""#, -1),
        (r#""2024-02-29T00:00:00\u005a""#, 1_709_164_800_000),
        (r#""0000-01-01T00:00:00Z""#, -62_167_219_200_000),
        (r#""9999-12-31T23:59:59.999Z""#, 253_402_300_799_999),
    ];
    for (text, expected) in cases {
        assert_eq!(ts(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    let texts = [
        "",
        "2026-11-22",
        "2026-11-22T07:34:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T07:60:00Z",
        "2026-11-22T07:34:61Z",
        "2026-11-22T07:34:00.Z",
        "2026-11-22T07:34:00+1",
        "+026-11-22T07:34:00Z",
        "2026-11-22T07:34:00Z ",
        "2026-11-22T07:34:00+24:00",
        "2026-00-22T07:34:00Z",
        "2026-11-00T07:34:00Z",
    ];
    for text in texts {
        assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #[test]
    fn rfc_3339_agrees_with_jiff(
        second in -62_167_219_200i64..253_402_300_800,
        nanosecond in 0i32..1_000_000_000,
        offset_minutes in -1439i32..=1439,
        digits in 0usize..=9,
    ) {
        let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).expect("less than a day");
        let time = jiff::Timestamp::from_second(second).expect("in range");
        let local = offset.to_datetime(time);
        prop_assume!((0..=9999).contains(&local.year()));
        let fraction = &format!("{nanosecond:09}")[..digits];
        let point = if digits == 0 { "" } else { "." };
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
        let text = format!("{}{point}{fraction}{sign}{hours:02}:{minutes:02}", local.strftime("%Y-%m-%dT%H:%M:%S"));
        let parsed: jiff::Timestamp = text.parse().expect("jiff reads it");
        let expected_ms = parsed.as_nanosecond().div_euclid(1_000_000);
        prop_assert_eq!(rfc3339(text.as_bytes()).map(i128::from), Some(expected_ms), "{}", text);
    }

    #[test]
    fn any_bytes_are_a_time_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = rfc3339(&bytes);
    }

    #[test]
    fn a_float_is_floored(value in -6e13f64..2.5e14) {
        prop_assert_eq!(ts(&format!("{value:?}")), value.floor() as i64);
    }
}
