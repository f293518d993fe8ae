//! rumqttc writes packets, the bytes come in pieces of any size, and the same packets come out.

use bytes::BytesMut;
use proptest::prelude::*;
use rumqttc::{Packet, Publish, QoS};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    topic: String,
    payload: Vec<u8>,
    packet_id: Option<u16>,
    is_redelivered: bool,
}

fn write(message: &Message, bytes: &mut BytesMut) {
    let qos = if message.packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let mut publish = Publish::new(message.topic.clone(), qos, message.payload.clone());
    publish.pkid = message.packet_id.unwrap_or(0);
    publish.dup = message.is_redelivered;
    publish.write(bytes).expect("a packet");
}

/// Feeds `bytes` in pieces of `piece` and gives the messages and the number of other packets.
fn read(bytes: &[u8], piece: usize, payload_bytes_max: usize) -> Result<(Vec<Message>, usize), Malformed> {
    let mut unread = Unread::new(payload_bytes_max);
    let (mut messages, mut others) = (Vec::new(), 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = unread.room();
        let taken = piece.min(room.len()).min(rest.len());
        room[..taken].copy_from_slice(&rest[..taken]);
        rest = &rest[taken..];
        unread.filled(taken);
        while let Some(frame) = unread.next()? {
            match frame {
                Frame::Publish(message) => messages.push(Message {
                    topic: message.topic.into_owned(),
                    payload: message.payload.to_vec(),
                    packet_id: message.packet_id,
                    is_redelivered: message.is_redelivered,
                }),
                Frame::Other(packet) => {
                    Packet::read(&mut BytesMut::from(packet), usize::MAX).expect("rumqttc reads it");
                    others += 1;
                }
            }
        }
    }
    Ok((messages, others))
}

fn message() -> impl Strategy<Value = Message> {
    let payload = prop::collection::vec(any::<u8>(), 0..400);
    (".{0,60}", payload, prop::option::of(1..=u16::MAX), any::<bool>()).prop_map(
        |(topic, payload, packet_id, is_redelivered)| Message { topic, payload, packet_id, is_redelivered },
    )
}

proptest! {
    #[test]
    fn packets_come_out_as_they_were_written_however_the_bytes_are_cut(
        messages in prop::collection::vec(message(), 0..20),
        piece in 1..3000_usize,
    ) {
        let mut bytes = BytesMut::new();
        for message in &messages {
            write(message, &mut bytes);
            bytes.extend_from_slice(&[0xd0, 0]);
        }
        let others = messages.len();
        prop_assert_eq!(read(&bytes, piece, 1000), Ok((messages, others)));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1..50_usize) {
        let mut unread = Unread::new(10);
        for piece in bytes.chunks(piece) {
            unread.room()[..piece.len()].copy_from_slice(piece);
            unread.filled(piece.len());
            while let Ok(Some(_)) = unread.next() {}
        }
    }
}

#[test]
fn a_message_beyond_the_bound_keeps_its_beginning_takes_no_memory_and_those_behind_it_come() {
    let short = |payload: &[u8]| Message {
        topic: "workshop/a".to_owned(),
        payload: payload.to_vec(),
        packet_id: Some(7),
        is_redelivered: false,
    };
    let mut bytes = BytesMut::new();
    write(&short(b"before"), &mut bytes);
    write(&short(&vec![b'x'; 20_000_000]), &mut bytes);
    write(&short(b"after"), &mut bytes);
    for piece in [1000, 65_536, 100_000_000] {
        let (messages, _) = read(&bytes, piece, 1_000_000).expect("well-formed");
        let lengths: Vec<usize> = messages.iter().map(|message| message.payload.len()).collect();
        assert_eq!(messages.len(), 3, "{lengths:?}");
        assert!((1_000_001..1_100_000).contains(&lengths[1]), "{lengths:?}");
        assert_eq!(messages[2], short(b"after"));
    }
}

#[test]
fn a_topic_that_is_not_utf_8_is_mended_and_does_not_end_the_connection() {
    let bytes = [0x30, 6, 0, 3, b'a', 0xff, b'b', b'!'];
    let (messages, _) = read(&bytes, 100, 100).expect("well-formed but for the topic");
    assert_eq!((messages[0].topic.as_str(), messages[0].payload.as_slice()), ("a\u{fffd}b", b"!".as_slice()));
}

#[test]
fn malformed_packets_are_told() {
    let told = |bytes: &[u8]| read(bytes, 100, 100).expect_err("malformed").to_string();
    assert!(told(&[0x30, 0xff, 0xff, 0xff, 0xff, 0]).ends_with("its length does not end"));
    assert!(told(&[0x30, 2, 0, 9]).ends_with("a message ends before its payload"));
    assert!(told(&[0x32, 5, 0, 1, b'a', 0, 0]).ends_with("without packet id"));
    assert!(told(&[0x90, 0xff, 0xff, 0x7f]).ends_with("too long for anything else"));
}
