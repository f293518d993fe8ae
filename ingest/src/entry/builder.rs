//! The bytes of an intake, made message by message as they come.

use bytes::{BufMut, BytesMut};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::messages::{HEAD_BYTES, Intake};

/// Bodies kept for their memory: what may be on its way between who fills and who empties them.
const SPARE_BODIES: usize = 8;

/// One huge message must not make every later intake reserve as much.
const RESERVE_BYTES_MAX: usize = 1 << 20;

/// Collects the messages of a group commit. Bounded by its user, who looks at [`bytes`](Self::bytes).
#[derive(Debug, Default)]
pub struct IntakeBuilder {
    /// Empty, or the head (filled in at the end) and the messages so far.
    body: BytesMut,
    messages: u32,
    first_arrived_ms: i64,
    last_arrived_ms: i64,
    /// Where in `body` each topic is, by index.
    topics: Vec<TopicPlace>,
    /// Index into `topics` by hash of the topic.
    by_hash: HashTable<u32>,
    /// The largest body so far, within reason: what to make room for at once.
    body_bytes_max: usize,
    /// By the number that the user has for a topic: the intake in which it was last, and its index there.
    of_number: Vec<(u64, u32)>,
    /// How many intakes were finished.
    intake: u64,
    /// Memory of intakes that were given back.
    spare: Vec<BytesMut>,
}

#[derive(Clone, Copy, Debug)]
struct TopicPlace {
    hash: u64,
    start: usize,
    bytes: usize,
}

impl IntakeBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        IntakeBuilder::default()
    }

    /// Adds a message. Arrival earlier than that of the message before becomes that one's.
    #[inline]
    pub fn push(&mut self, topic: &str, payload: &[u8], arrived_ms: i64) {
        self.push_numbered(topic, None, payload, arrived_ms);
    }

    /// Adds a message. `number`, if it has one, always stands for that topic; it is small, and spares looking for the topic.
    #[inline]
    pub fn push_numbered(&mut self, topic: &str, number: Option<u32>, payload: &[u8], arrived_ms: i64) {
        if self.messages == 0 {
            if let Some(spare) = self.spare.pop() {
                self.body = spare;
            }
            self.body.reserve(self.body_bytes_max.max(HEAD_BYTES));
            self.body.put_bytes(0, HEAD_BYTES);
            self.first_arrived_ms = arrived_ms;
            self.last_arrived_ms = arrived_ms;
        }
        let arrived_ms = arrived_ms.max(self.last_arrived_ms);
        let delta_ms = arrived_ms.abs_diff(self.last_arrived_ms);
        self.last_arrived_ms = arrived_ms;
        self.messages += 1;

        let payload_bytes = payload.len() as u64;
        let known = match number {
            Some(number) => self.known_by_number(topic, number),
            None => self.find(topic),
        };
        match known {
            Ok(index) => put_varints(&mut self.body, [u64::from(index) + 1, delta_ms, payload_bytes]),
            Err(hash) => {
                self.push_topic(topic, hash);
                put_varints(&mut self.body, [delta_ms, payload_bytes]);
            }
        }
        self.body.extend_from_slice(payload);
    }

    /// The topic's index in this intake, or the hash of one that is new.
    fn find(&self, topic: &str) -> Result<u32, u64> {
        let hash = xxh3_64(topic.as_bytes());
        let known = self.by_hash.find(hash, |&index| {
            let place = &self.topics[index as usize];
            place.hash == hash && self.body[place.start..place.start + place.bytes] == *topic.as_bytes()
        });
        known.copied().ok_or(hash)
    }

    /// The same, of a topic with a number.
    #[inline]
    fn known_by_number(&mut self, topic: &str, number: u32) -> Result<u32, u64> {
        match self.of_number.get(number as usize) {
            Some((intake, index)) if *intake == self.intake => Ok(*index),
            _ => {
                let found = self.find(topic);
                let place = number as usize;
                if place >= self.of_number.len() {
                    self.of_number.resize(place + 1, (u64::MAX, 0));
                }
                // Where it is new, it comes behind the others.
                let index = found.unwrap_or(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
                self.of_number[place] = (self.intake, index);
                found
            }
        }
    }

    #[cold]
    fn push_topic(&mut self, topic: &str, hash: u64) {
        put_varints(&mut self.body, [0, topic.len() as u64]);
        let place = TopicPlace { hash, start: self.body.len(), bytes: topic.len() };
        self.body.extend_from_slice(topic.as_bytes());
        let index = u32::try_from(self.topics.len()).expect("there are at most as many topics as messages");
        self.topics.push(place);
        self.by_hash.insert_unique(hash, index, |&index| self.topics[index as usize].hash);
    }

    /// How many messages there are.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// How large the body is; 0 when empty.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Hands the messages out, the first with that ordinal, and is empty again. The memory is used again
    /// once the intake is dropped.
    #[must_use]
    pub fn finish(&mut self, first_message: u64) -> Intake {
        if self.messages == 0 {
            self.body.put_bytes(0, HEAD_BYTES);
        }
        let topics = u32::try_from(self.topics.len()).expect("there are at most as many topics as messages");
        self.body[0..4].copy_from_slice(&self.messages.to_le_bytes());
        self.body[4..8].copy_from_slice(&topics.to_le_bytes());
        self.body[8..16].copy_from_slice(&self.first_arrived_ms.to_le_bytes());
        self.body[16..24].copy_from_slice(&self.last_arrived_ms.to_le_bytes());
        self.body_bytes_max = self.body_bytes_max.max(self.body.len()).min(RESERVE_BYTES_MAX);
        let body = self.body.split().freeze();
        self.messages = 0;
        self.first_arrived_ms = 0;
        self.last_arrived_ms = 0;
        self.topics.clear();
        self.by_hash.clear();
        self.intake += 1;
        Intake { first_message, body }
    }

    /// Takes the memory of an intake that nobody needs any more; of one that somebody else still holds, nothing.
    pub fn reuse(&mut self, spent: Intake) {
        if spent.body.len() > 2 * RESERVE_BYTES_MAX || self.spare.len() == SPARE_BODIES {
            return;
        }
        if let Ok(mut body) = spent.body.try_into_mut() {
            body.clear();
            self.spare.push(body);
        }
    }
}

/// Appends a few varints: at once, if each fits into five bytes, as all but absurd ones do.
#[inline]
fn put_varints<const COUNT: usize>(body: &mut BytesMut, values: [u64; COUNT]) {
    const { assert!(COUNT <= 3, "more would not fit into the register") };
    if values.iter().any(|value| value >> 35 != 0) {
        return values.into_iter().for_each(|value| put_varint(body, value));
    }
    let mut register = 0_u128;
    let mut bits = 0;
    for mut value in values {
        while value >= 0x80 {
            register |= u128::from(value & 0x7f | 0x80) << bits;
            bits += 8;
            value >>= 7;
        }
        register |= u128::from(value) << bits;
        bits += 8;
    }
    // A copy of a length known beforehand costs next to nothing.
    let end = body.len() + bits / 8;
    body.extend_from_slice(&register.to_le_bytes());
    body.truncate(end);
}

#[cold]
fn put_varint(body: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        body.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    body.put_u8(value as u8);
}
