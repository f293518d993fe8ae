use bytes::Bytes;
use proptest::prelude::*;

use super::command::{Command, Order, What};
use super::{Change, Entry, EntryError, Intake, IntakeBuilder};
use crate::time::{Epoch, Offset};

type Message = (String, Vec<u8>, i64);

fn built(first_message: u64, messages: &[Message]) -> Intake {
    let mut builder = IntakeBuilder::new();
    for (topic, payload, arrived_ms) in messages {
        builder.push(topic, payload, *arrived_ms);
    }
    builder.finish(first_message)
}

fn encoded(entry: &Entry) -> Bytes {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    Bytes::from(bytes)
}

fn message() -> impl Strategy<Value = Message> {
    let topic = prop_oneof!["workshop/s1/bay[0-9]/t/telemetry", "[a-c]?", ".{0,200}"];
    let arrived_ms = prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>(), 1000..2000_i64];
    (topic, prop::collection::vec(any::<u8>(), 0..300), arrived_ms)
}

fn change() -> impl Strategy<Value = Option<Change>> {
    let from = prop::option::of((1..u64::MAX).prop_map(Offset));
    let change = (from, any::<bool>());
    prop::option::of(
        change.prop_map(|(readings_from, waits_for_history)| Change { readings_from, waits_for_history }),
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let second = -4_000_000_000_i64..4_000_000_000;
    prop_oneof![
        (any::<u32>(), prop::collection::vec(message(), 0..20))
            .prop_map(|(first, messages)| Entry::Intake(built(u64::from(first), &messages))),
        (second, 0..100_000_i64)
            .prop_map(|(first, more)| Entry::Tick { first_ms: first * 1000, last_ms: (first + more) * 1000 }),
        (any::<u64>(), any::<i64>()).prop_map(|(epoch, at_ms)| Entry::Cut { epoch: Epoch(epoch), at_ms }),
        (".{0,20}", ".{0,200}", change()).prop_map(|(engine, text, change)| Entry::Configuration {
            engine,
            text,
            change
        }),
        (any::<i64>(), ".{0,200}", any::<u32>(), prop::collection::vec(message(), 0..5)).prop_map(
            |(at_ms, order, first, messages)| {
                let messages = built(u64::from(first), &messages);
                Entry::Command(Command { at_ms, order, messages })
            }
        ),
        (any::<u64>(), ".{0,40}").prop_map(|(generation, writer)| Entry::Generation { generation, writer }),
        (any::<u64>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(until_message, windows)| Entry::Filling { until_message, windows: windows.into() }),
    ]
}

proptest! {
    #[test]
    fn numbered_topics_and_memory_given_back_make_the_same_intakes(
        messages in prop::collection::vec(message(), 1..60),
        numbered in prop::collection::vec(any::<bool>(), 1..20),
        ends in prop::collection::vec(prop::bool::weighted(0.2), 1..20),
    ) {
        let mut topics: Vec<&str> = Vec::new();
        let (mut builder, mut plain) = (IntakeBuilder::new(), IntakeBuilder::new());
        let mut held: Option<(Intake, Intake)> = None;
        for (at, (topic, payload, arrived_ms)) in messages.iter().enumerate() {
            let number = topics.iter().position(|known| known == topic).unwrap_or_else(|| {
                topics.push(topic);
                topics.len() - 1
            });
            let number = numbered[at % numbered.len()].then_some(number as u32);
            builder.push_numbered(topic, number, payload, *arrived_ms);
            plain.push(topic, payload, *arrived_ms);
            if ends[at % ends.len()] {
                let (first, other) = (builder.finish(1), plain.finish(1));
                prop_assert_eq!(&first, &other);
                // Every other one is held on to, and stays as it is.
                match held.take() {
                    Some((held, other)) => prop_assert_eq!(held, other),
                    None => held = Some((first.clone(), other)),
                }
                builder.reuse(first);
            }
        }
        prop_assert_eq!(builder.finish(1), plain.finish(1));
    }

    #[test]
    fn messages_come_back_as_they_were_pushed(
        messages in prop::collection::vec(message(), 0..40),
        first_message in 1..u64::from(u32::MAX),
    ) {
        let intake = built(first_message, &messages);
        prop_assert_eq!(intake.messages() as usize, messages.len());
        let mut topics: Vec<&str> = Vec::new();
        let mut arrived_ms = i64::MIN;
        let mut seen = 0;
        for (read, (topic, payload, pushed_ms)) in intake.iter().zip(&messages) {
            let index = topics.iter().position(|known| known == topic).unwrap_or_else(|| {
                topics.push(topic);
                topics.len() - 1
            });
            arrived_ms = arrived_ms.max(*pushed_ms);
            prop_assert_eq!(read.ordinal, first_message + seen);
            prop_assert_eq!(read.topic, topic.as_str());
            prop_assert_eq!(read.topic_index as usize, index);
            prop_assert_eq!(read.payload, payload.as_slice());
            prop_assert_eq!(read.arrived_ms, arrived_ms);
            seen += 1;
        }
        prop_assert_eq!(seen as usize, messages.len());
        prop_assert_eq!(intake.topics() as usize, topics.len());
        prop_assert_eq!(intake.last_arrived_ms(), messages.last().map(|_| arrived_ms));
    }

    #[test]
    fn every_entry_comes_back_from_its_bytes(entry in entry()) {
        prop_assert_eq!(Entry::decode(encoded(&entry)).unwrap(), entry);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(kind in prop_oneof![Just(0x11_u8), Just(0x15), any::<u8>()], rest: Vec<u8>) {
        let bytes = [&[kind][..], &rest].concat();
        if let Ok(Entry::Intake(intake)) = Entry::decode(Bytes::from(bytes)) {
            prop_assert_eq!(intake.iter().count(), intake.messages() as usize);
        }
    }

    #[test]
    fn no_damage_to_an_intake_makes_the_decoder_panic(
        messages in prop::collection::vec(message(), 1..6),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut bytes = encoded(&Entry::Intake(built(1, &messages))).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(Entry::Intake(intake)) = Entry::decode(Bytes::from(bytes)) {
            prop_assert_eq!(intake.iter().count(), intake.messages() as usize);
        }
    }

    #[test]
    fn an_entry_cut_short_is_refused(entry in entry(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&entry);
        let cut = bytes.slice(..at.index(bytes.len()));
        // A shorter configuration text is a configuration text, and so is a writer.
        if !matches!(entry, Entry::Configuration { .. } | Entry::Generation { .. } | Entry::Filling { .. }) {
            prop_assert!(Entry::decode(cut).is_err());
        }
    }
}

#[test]
fn a_topic_is_written_once_per_intake() {
    let topic = "workshop/s1/bay01/tool1/telemetry";
    let mut builder = IntakeBuilder::new();
    builder.push(topic, b"12345", 1_000);
    let first = builder.bytes();
    builder.push(topic, b"12345", 1_001);
    assert_eq!(builder.bytes() - first, 3 + 5, "index, arrival, length and payload");
}

#[test]
fn a_builder_starts_anew_after_each_intake() {
    let mut builder = IntakeBuilder::new();
    builder.push("a", b"1", 5_000);
    builder.push("b", b"2", 6_000);
    let first = builder.finish(1);
    assert!(builder.is_empty() && builder.bytes() == 0 && builder.messages() == 0);
    builder.push("b", b"3", 4_000);
    let second = builder.finish(3);
    assert_eq!(first.iter().map(|message| message.payload).collect::<Vec<_>>(), [b"1", b"2"]);
    let message = second.iter().next().unwrap();
    assert_eq!((message.ordinal, message.topic, message.topic_index), (3, "b", 0));
    assert_eq!(message.arrived_ms, 4_000, "an intake knows nothing of the one before");
}

#[test]
fn the_bytes_of_version_1_stay_readable() {
    let intake = [
        &[0x11][..],
        &7_u64.to_le_bytes(),
        &2_u32.to_le_bytes(),
        &1_u32.to_le_bytes(),
        &1000_i64.to_le_bytes(),
        &1005_i64.to_le_bytes(),
        &[0, 1, b't', 0, 2, b'{', b'}', 1, 5, 0],
    ]
    .concat();
    let messages = [("t".to_owned(), b"{}".to_vec(), 1000), ("t".to_owned(), Vec::new(), 1005)];
    assert_eq!(Entry::decode(Bytes::from(intake)), Ok(Entry::Intake(built(7, &messages))));

    let tick = [&[0x12][..], &1000_i64.to_le_bytes(), &3000_i64.to_le_bytes()].concat();
    assert_eq!(Entry::decode(Bytes::from(tick)), Ok(Entry::Tick { first_ms: 1000, last_ms: 3000 }));

    let cut = [&[0x13][..], &4_u64.to_le_bytes(), &5_i64.to_le_bytes()].concat();
    assert_eq!(Entry::decode(Bytes::from(cut)), Ok(Entry::Cut { epoch: Epoch(4), at_ms: 5 }));

    let configuration = [&[0x14][..], &2_u32.to_le_bytes(), b"0.1[source]"].concat();
    let engine = Entry::decode(Bytes::from(configuration)).map(|entry| match entry {
        Entry::Configuration { engine, text, .. } => (engine, text),
        other => panic!("{other:?}"),
    });
    assert_eq!(engine, Ok(("0.".to_owned(), "1[source]".to_owned())));

    let changed = [&[0x24][..], &9_u64.to_le_bytes(), &2_u32.to_le_bytes(), b"0.x"].concat();
    let change = Some(Change { readings_from: Some(Offset(9)), waits_for_history: false });
    let changed_entry = Entry::Configuration { engine: "0.".to_owned(), text: "x".to_owned(), change };
    assert_eq!(Entry::decode(Bytes::from(changed)), Ok(changed_entry));

    let generation = [&[0x16][..], &3_u64.to_le_bytes(), b"5f1c.9a"].concat();
    let expected = Entry::Generation { generation: 3, writer: "5f1c.9a".to_owned() };
    assert_eq!(Entry::decode(Bytes::from(generation)), Ok(expected));
}

#[test]
fn an_entry_of_a_newer_version_is_refused_by_name() {
    let error = Entry::decode(Bytes::from_static(&[0x21, 0, 0])).unwrap_err();
    assert_eq!(error, EntryError::UnknownKind { kind: 0x21 });
    assert!(error.to_string().contains("use the version that wrote it"), "{error}");
}

#[test]
fn a_tick_between_seconds_is_refused() {
    let tick = encoded(&Entry::Tick { first_ms: 1000, last_ms: 2500 });
    assert!(matches!(Entry::decode(tick), Err(EntryError::Impossible { what: "time", .. })));
}

#[test]
fn an_order_is_json_that_says_who_wants_what() {
    let what = What::Shelve { exception: "3f2a".into(), reason: "tool in repair".into(), duration_s: 600 };
    let order = Order { actor: "T17".into(), key: "k-1".into(), what };
    let command = Command::new(&order, built(1, &[]));
    assert_eq!(
        command.order,
        r#"{"actor":"T17","key":"k-1","what":{"kind":"shelve","exception":"3f2a","reason":"tool in repair","duration_s":600}}"#
    );
    assert_eq!(command.order().expect("it reads its own"), order);
    let newer = Command { order: command.order.replace("shelve", "teleport"), ..command };
    assert!(newer.order().is_err(), "a kind of a later version is no order to this one");
}
