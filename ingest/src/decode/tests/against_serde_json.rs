//! The same payloads through serde_json and through our own scanner.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::number::Number;
use super::super::scan::Token;
use super::*;

/// What the scanner read, as serde_json would have it. The text of numbers is kept beside.
fn value_of(scanner: &mut Scanner<'_>) -> Scan<Value> {
    Ok(match scanner.peek() {
        b'{' => {
            let mut map = Map::new();
            scanner.members(|scanner, name| {
                map.insert(name.get().into_owned(), value_of(scanner)?);
                Ok(())
            })?;
            Value::Object(map)
        }
        b'[' => {
            let mut list = Vec::new();
            scanner.elements(|scanner| {
                list.push(value_of(scanner)?);
                Ok(())
            })?;
            Value::Array(list)
        }
        _ => match scanner.value()? {
            Token::Null => Value::Null,
            Token::Bool(is_so) => Value::Bool(is_so),
            Token::Number(number) => number_of(number),
            Token::Text(text) => Value::String(text.get().into_owned()),
            Token::NonFinite(word) => Value::String(format!("not finite: {word}")),
            Token::Object(_) | Token::Array => unreachable!("taken above"),
        },
    })
}

fn number_of(number: Number<'_>) -> Value {
    let float = number.to_f64();
    assert_eq!(float.to_bits(), number.raw.parse::<f64>().expect("is a number").to_bits(), "{}", number.raw);
    match number.raw.parse::<i64>() {
        Ok(whole) => {
            assert_eq!(number.to_i64(), Some(whole));
            json!(whole)
        }
        Err(_) => json!(float),
    }
}

fn ours(text: &str) -> Option<Value> {
    let mut scanner = Scanner::new(text);
    let value = value_of(&mut scanner).ok()?;
    scanner.end().ok()?;
    Some(value)
}

/// Numbers are the same as fractions, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn agree(text: &str) -> Result<(), TestCaseError> {
    let theirs: Option<Value> = serde_json::from_str(text).ok();
    let ours = ours(text);
    match (&ours, &theirs) {
        (Some(ours), Some(theirs)) => prop_assert!(same(ours, theirs), "{text}: {ours} and {theirs}"),
        (None, None) => {}
        // Our extension: values that are not finite are read, to be rejected one by one.
        (Some(_), None) => prop_assert!(has_non_finite(text), "we alone accept {text}"),
        (None, Some(_)) => prop_assert!(false, "we alone refuse {text}"),
    }
    Ok(())
}

fn has_non_finite(text: &str) -> bool {
    ["NaN", "Infinity"].iter().any(|word| text.contains(word)) || text.contains(['e', 'E'])
}

fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?",
        "[1-9][0-9]{0,2}\\.[0-9]{1,4}",
    ]
}

fn string_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| Value::String(text).to_string()),
        "\"([a-z /é°]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00){0,12}\"",
    ]
}

/// JSON texts, most of them valid.
fn json_text() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => number_text(),
        3 => string_text(),
        1 => prop::sample::select(vec!["true", "false", "null", "NaN", "-Infinity"]).prop_map(str::to_owned),
    ];
    scalar.prop_recursive(4, 64, 8, |inner| {
        let space = prop::sample::select(vec!["", " ", "\n\t", "\r "]);
        let name = prop_oneof![
            string_text(),
            prop::sample::select(vec!["\"ts\"", "\"value\""]).prop_map(str::to_owned)
        ];
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..6), space.clone())
                .prop_map(|(list, space)| format!("[{space}{}{space}]", list.join(&format!(",{space}")))),
            (prop::collection::vec((name, inner), 0..6), space).prop_map(|(members, space)| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name}{space}:{space}{value}")).collect();
                format!("{space}{{{}}}{space}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_is_read_as_serde_json_reads_it(text in json_text()) {
        agree(&text)?;
    }

    #[test]
    fn damaged_json_is_accepted_where_serde_json_accepts_it(
        text in json_text(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", " ", "\u{1}", "x"]),
    ) {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let start = places[at.index(places.len())];
        let end = text[start..].chars().next().map_or(start, |removed| start + removed.len_utf8());
        agree(&format!("{}{with}{}", &text[..start], &text[end..]))?;
        agree(&text[..start])?;
    }

    #[test]
    fn any_bytes_are_decoded_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..200), topic in 0usize..6) {
        let topics = [
            TELEMETRY, "workshop/a/telemetry", "workshop/a/b/steps", "workshop/a/b/usage", "workshop/a/jobs",
            "workshop/a/b/c/status",
        ];
        let mut shop = Shop::new();
        shop.decode(topics[topic], &bytes);
        let says = shop.out.readings.len() + shop.out.events.len() + shop.out.rejects.len() + shop.out.elements.len();
        prop_assert!(says > 0 || serde_json::from_slice::<Vec<Value>>(&bytes).is_ok_and(|list| list.is_empty()));
    }

    #[test]
    fn any_json_is_decoded_or_rejected(text in json_text(), topic in 0usize..6) {
        let topics = [
            TELEMETRY, "workshop/a/telemetry", "workshop/a/b/steps", "workshop/a/b/usage", "workshop/a/jobs",
            "workshop/a/b/c/status",
        ];
        Shop::new().decode(topics[topic], text.as_bytes());
    }

    /// Telemetry objects in any order, with or without surprises, against the same rules by serde_json.
    #[test]
    fn telemetry_says_what_serde_json_says(
        ts in any::<i32>(),
        seq in prop::option::of(any::<i64>().prop_filter("not the mark of none", |seq| *seq != NONE)),
        metrics in prop::collection::vec(("[a-d]{1,2}", number_text()), 0..20),
        order in Just(()).prop_perturb(|(), mut rng| rng.next_u32() as usize),
    ) {
        let inner: Vec<String> = metrics.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let mut members = vec![format!("\"ts\":{ts}"), format!("\"metrics\":{{{}}}", inner.join(","))];
        members.extend(seq.map(|seq| format!("\"seq\":{seq}")));
        members.push("\"extra\":[{\"ts\":9}]".to_owned());
        let by = order % members.len();
        members.rotate_left(by);
        let text = format!("{{{}}}", members.join(","));
        let mut shop = Shop::new();
        shop.decode(TELEMETRY, text.as_bytes());
        let mut expected: Vec<(&str, f64)> = Vec::new();
        for (name, value) in &metrics {
            expected.retain(|(other, _)| other != name);
            expected.push((name, value.parse().expect("is a number")));
        }
        let finite: Vec<_> = expected.iter().filter(|(_, value)| value.is_finite()).copied().collect();
        let readings = &shop.out.readings;
        let found: Vec<(&str, f64)> = readings
            .series
            .iter()
            .zip(&readings.value)
            .map(|(series, value)| (&*shop.decoder.series().get(*series).metric, *value))
            .collect();
        prop_assert_eq!(found, finite);
        prop_assert_eq!(shop.out.rejects.len(), expected.len() - readings.len());
        prop_assert!(readings.ts_ms.iter().all(|time_ms| *time_ms == i64::from(ts)));
        prop_assert!(readings.seq.iter().all(|found| *found == seq.unwrap_or(NONE)));
    }
}

#[test]
fn a_fraction_of_seventeen_digits_is_read_to_the_last_bit_by_both() {
    agree("[-4.029697853441487e-297,1.0,-1.9644464684444554e275]").expect("they agree");
    agree("-1.9644404684444554e275").expect("they agree");
}
