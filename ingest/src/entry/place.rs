//! Where messages are in an intake: another thread that has walked through it can say so.

use super::messages::{Intake, MessageRef, WELL_FORMED};

/// Where a message is in its intake, which it can be read from without walking there.
#[derive(Clone, Copy, Debug)]
pub struct MessagePlace {
    pub ordinal: u64,
    pub arrived_ms: i64,
    pub topic_start: u32,
    pub topic_bytes: u32,
    pub topic_index: u32,
    pub payload_start: u32,
    pub payload_bytes: u32,
}

impl Intake {
    /// Where one of its messages is.
    #[inline]
    #[must_use]
    pub fn place(&self, message: &MessageRef<'_>) -> MessagePlace {
        let small = |bytes: usize| u32::try_from(bytes).expect("an intake is much smaller than 4 GB");
        let start = |part: &[u8]| small(part.as_ptr().addr() - self.body.as_ptr().addr());
        MessagePlace {
            ordinal: message.ordinal,
            arrived_ms: message.arrived_ms,
            topic_start: start(message.topic.as_bytes()),
            topic_bytes: small(message.topic.len()),
            topic_index: message.topic_index,
            payload_start: start(message.payload),
            payload_bytes: small(message.payload.len()),
        }
    }

    /// The message at a place that [`place`](Self::place) gave.
    #[must_use]
    pub fn at(&self, place: &MessagePlace) -> MessageRef<'_> {
        let (topic, payload) = (place.topic_start as usize, place.payload_start as usize);
        let topic = &self.body[topic..topic + place.topic_bytes as usize];
        MessageRef {
            ordinal: place.ordinal,
            topic: std::str::from_utf8(topic).expect(WELL_FORMED),
            topic_index: place.topic_index,
            arrived_ms: place.arrived_ms,
            payload: &self.body[payload..payload + place.payload_bytes as usize],
            from_payload: &self.body[payload..],
        }
    }
}
