//! Decoding ahead: what is left and what is handed over come to what one decoder alone says.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::entry::{Intake, IntakeBuilder};

const TOPICS: [&str; 4] =
    [TELEMETRY, "workshop/lyon/B1/T2/telemetry", "workshop/lyon/B1/steps", "nobody/knows"];

fn payload(kind: u8, number: u32) -> String {
    match kind {
        0 => format!(r#"{{"ts":{number},"metric":"torque","value":{number},"seq":{number}}}"#),
        1 => format!(r#"{{"ts":{number},"metric":"angle","value":1.5,"unit":"deg"}}"#),
        2 => format!(r#"{{"ts":{number},"metrics":{{"torque":1,"angle":{number}}}}}"#),
        3 => format!(r#"{{"ts":{number},"metric":"torque","value":2,"tags":{{"job":"J{}"}}}}"#, number % 3),
        4 => format!(r#"{{"ts":{number},"metric":"state","value":"open {}"}}"#, number % 5),
        5 if number.is_multiple_of(2) => {
            format!(r#"[{{"ts":{number},"metric":"oil","value":1}},{{"ts":{number},"metric":"oil"}}]"#)
        }
        5 => format!(
            r#"[{{"ts":{number},"metric":"oil","value":1}},{{"ts":1,"metrics":{{"angle":2,"oil":3}}}}]"#
        ),
        6 => format!(r#"{{"ts":{number},"metric":"m{}","value":3,"unit":"mm"}}"#, number % 7),
        7 => format!(r#"{{"ts":{number},"job":"J1","step":"S1","event":"started"}}"#),
        8 => format!(r#"{{"ts":{number},"metrics":{{}}}}"#),
        _ => "{\"ts\":".to_owned(),
    }
}

fn intake(first_message: u64, messages: &[(u8, usize, u32)]) -> Intake {
    let mut builder = IntakeBuilder::new();
    for (kind, topic, number) in messages {
        builder.push(TOPICS[*topic], payload(*kind, *number).as_bytes(), ARRIVED_MS + i64::from(*number));
    }
    builder.finish(first_message)
}

/// Each row, element and reject of what a decoder has said.
fn told(out: &Decoded) -> Vec<String> {
    let readings = &out.readings;
    let text = |texts: &[Box<str>], number: u32| number.checked_sub(1).map(|at| texts[at as usize].clone());
    let of_element = |element: &crate::readings::Element| {
        let rows = element.readings.clone().map(|row| {
            let value = readings.value[row].to_bits();
            let texts =
                (text(&readings.texts, readings.text[row]), text(&readings.tag_sets, readings.tags[row]));
            let numbers =
                (readings.message[row], readings.index[row], readings.series[row], readings.unit[row]);
            let times =
                (readings.ts_ms[row], readings.arrived_ms[row], readings.boot[row], readings.seq[row]);
            format!("{numbers:?} {times:?} {value} {texts:?}")
        });
        let rows: Vec<String> = rows.collect();
        format!("{} {} {} {:?} {rows:?}", element.ts_ms, element.hash, element.has_time, element.raw)
    };
    let mut lines: Vec<String> = out.elements.iter().map(of_element).collect();
    lines.extend(out.rejects.iter().map(|reject| format!("{reject:?}")));
    lines.extend(out.events.iter().map(|event| format!("{event:?}")));
    lines
}

fn told_of(decoder: &mut Decoder, message: MessageRef<'_>) -> Vec<String> {
    let mut out = Decoded::default();
    decoder.decode(message, &mut out);
    let mut lines = vec![format!("channel {}", out.channel)];
    lines.extend(told(&out));
    lines
}

fn told_of_group(group: &Group, tag_sets: &[Box<str>]) -> Vec<String> {
    let mut decoded = group.decoded.clone();
    decoded.readings.tag_sets = tag_sets.to_vec();
    let mut elements = told(&decoded).into_iter();
    let mut lines = Vec::new();
    for message in &group.messages {
        lines.push(format!("channel {}", message.channel));
        lines.extend(elements.by_ref().take(message.elements as usize));
    }
    assert_eq!(elements.next(), None, "each is of a message");
    lines
}

/// What all messages say: decoded by one decoder, and with the help of one that goes ahead; and how many of them were
/// handed over.
fn both(all: &[Vec<(u8, usize, u32)>], group_from: usize) -> (Vec<String>, Vec<String>, usize) {
    let (mut alone, mut behind) = (Shop::new().decoder, Shop::new().decoder);
    let mut ahead_of = AheadDecoder::new(Shop::new().decoder);
    ahead_of.hand_over_from(NonZeroUsize::new(group_from).expect("groups of messages"));
    let (mut plain, mut helped, mut handed_over) = (Vec::new(), Vec::new(), 0);
    let mut first_message = 1;
    for messages in all {
        let intake = intake(first_message, messages);
        first_message += messages.len() as u64;
        alone.begin_intake();
        intake.iter().for_each(|message| plain.extend(told_of(&mut alone, message)));
        let ahead = ahead_of.decode(&intake);
        behind.begin_intake();
        for part in &ahead.parts {
            match part {
                Part::Left(places) => {
                    places.iter().for_each(|place| helped.extend(told_of(&mut behind, intake.at(place))));
                }
                Part::Decoded(group) => {
                    handed_over += group.messages.len();
                    helped.extend(told_of_group(group, &ahead.tag_sets));
                }
            }
        }
        ahead_of.reuse(ahead);
    }
    let names = |decoder: &Decoder| format!("{:?}", decoder.snapshot());
    plain.push(names(&alone));
    helped.push(names(&behind));
    (plain, helped, handed_over)
}

#[test]
fn messages_like_those_before_are_handed_over_and_whatever_gives_out_a_number_is_left() {
    let of_torque = |from: u32| (from..from + 20).map(|number| (0, 0, number)).collect::<Vec<_>>();
    let with_new_metric = [of_torque(100), vec![(6, 0, 1)], of_torque(200)].concat();
    let (plain, helped, handed_over) = both(&[of_torque(1), with_new_metric], 8);
    assert_eq!(plain, helped);
    // Of sixty, the first names its series; the new metric is left as well.
    assert_eq!(handed_over, 59);
}

#[test]
fn texts_are_numbered_by_whoever_applies_them_and_tags_come_with_the_rows() {
    let messages = |kind: u8| (0..40).map(|number| (kind, 0, number)).collect::<Vec<_>>();
    let (plain, helped, handed_over) = both(&[messages(4), messages(4)], 1);
    assert_eq!(plain, helped);
    assert_eq!(handed_over, 0);
    let (plain, helped, handed_over) = both(&[messages(3), messages(3)], 1);
    assert_eq!(plain, helped);
    // The first names its series.
    assert_eq!(handed_over, 79);
}

#[test]
fn a_few_messages_between_others_are_no_group() {
    let messages: Vec<_> = (0..64).map(|number| (if number % 8 == 0 { 9 } else { 0 }, 0, number)).collect();
    let (plain, helped, handed_over) = both(&[messages], 8);
    assert_eq!(plain, helped);
    assert_eq!(handed_over, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_says_the_same_and_gives_out_the_same_numbers(
        all in prop::collection::vec(
            prop::collection::vec((prop_oneof![4 => Just(0_u8), 6 => 0..10_u8], 0..TOPICS.len(), 0..1000_u32), 1..150),
            1..4,
        ),
        group_from in 1..10_usize,
    ) {
        let (plain, helped, _) = both(&all, group_from);
        prop_assert_eq!(plain, helped);
    }
}
