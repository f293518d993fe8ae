//! Decoding ahead of whoever applies the messages, on a thread of its own.
//!
//! Messages that give out numbers (series, channels, units) are left to the decoder of whoever applies, which thereby comes
//! to the same numbers without having seen the others; so is whatever is more than readings of numbers. All others, which
//! are nearly all, are handed over as rows. What is left costs a second decoding, and decides nothing here.

use std::num::NonZeroUsize;

use super::Decoder;
use crate::entry::{Intake, MessagePlace, MessageRef};
use crate::readings::Decoded;

/// Messages that go together: each step of the way is done for all of them before the next, so that the processor
/// fetches what they touch at the same time. A group has no more.
pub const TOGETHER: usize = 64;
/// A group with so many rows takes no further message.
const GROUP_ROWS: usize = 256;
/// A smaller group between messages that are left is not worth its own way: it is left as well.
const GROUP_MESSAGES_MIN: usize = 8;
/// Groups kept for their memory: what a few intakes have.
const SPARE_GROUPS: usize = 1024;

/// The messages of an intake, in order.
#[derive(Debug, Default)]
pub struct Ahead {
    pub parts: Vec<Part>,
    /// What `tags` of all decoded rows points at, as in [`Readings::tag_sets`](crate::readings::Readings::tag_sets).
    pub tag_sets: Vec<Box<str>>,
}

#[derive(Debug)]
pub enum Part {
    /// Messages that whoever applies them decodes.
    Left(Vec<MessagePlace>),
    Decoded(Box<Group>),
}

/// Messages that were decoded: elements with one reading or more, none of them a text, one behind the other.
#[derive(Debug, Default)]
pub struct Group {
    pub decoded: Decoded,
    pub messages: Vec<GroupMessage>,
}

#[derive(Clone, Copy, Debug)]
pub struct GroupMessage {
    pub channel: u32,
    /// How many of the group's elements are its own. They follow those of the message before.
    pub elements: u32,
    /// Where its payload begins in the intake's body.
    pub payload_start: u32,
}

/// A decoder that begins with the numbers of whoever applies, and sees every message that one takes in.
#[derive(Debug)]
pub struct AheadDecoder {
    decoder: Decoder,
    group_messages_min: usize,
    #[expect(clippy::vec_box, reason = "they move between here and what is handed over")]
    spare: Vec<Box<Group>>,
}

impl AheadDecoder {
    #[must_use]
    pub fn new(decoder: Decoder) -> Self {
        AheadDecoder { decoder, group_messages_min: GROUP_MESSAGES_MIN, spare: Vec::new() }
    }

    /// The smallest group that is handed over. No result hangs on it.
    pub fn hand_over_from(&mut self, group_messages_min: NonZeroUsize) {
        self.group_messages_min = group_messages_min.get();
    }

    /// Decodes an intake as far as that can be done ahead.
    pub fn decode(&mut self, intake: &Intake) -> Ahead {
        self.decoder.begin_intake();
        let mut ahead = Ahead::default();
        let mut group = self.spare.pop().unwrap_or_default();
        let mut messages = intake.iter();
        let mut together = Vec::with_capacity(TOGETHER);
        loop {
            together.clear();
            messages.take_into(TOGETHER, &mut together);
            if together.is_empty() {
                break;
            }
            self.decoder.fetch(&together);
            let mut first = 0;
            for (place, message) in together.iter().enumerate() {
                if self.takes(intake, message, &mut group) {
                    if group.decoded.readings.len() >= GROUP_ROWS {
                        self.close(intake, &together[first..=place], &mut group, &mut ahead);
                        first = place + 1;
                    }
                } else {
                    self.close(intake, &together[first..place], &mut group, &mut ahead);
                    ahead.leave(intake.place(message));
                    first = place + 1;
                }
            }
            self.close(intake, &together[first..], &mut group, &mut ahead);
        }
        ahead.tag_sets = std::mem::take(&mut group.decoded.readings.tag_sets);
        self.keep(group);
        ahead
    }

    /// Takes the memory of what has been applied.
    pub fn reuse(&mut self, spent: Ahead) {
        for part in spent.parts {
            if let Part::Decoded(group) = part {
                self.keep(group);
            }
        }
    }

    /// Keeps the memory of a group, but not of one that a huge message has made large.
    fn keep(&mut self, mut group: Box<Group>) {
        let Decoded { readings, rejects, .. } = &group.decoded;
        let is_usual = readings.series.capacity().max(rejects.capacity()) <= 2 * GROUP_ROWS;
        if is_usual && self.spare.len() < SPARE_GROUPS {
            group.clear();
            self.spare.push(group);
        }
    }

    /// Whether the message could be decoded ahead.
    #[inline]
    fn takes(&mut self, intake: &Intake, message: &MessageRef<'_>, group: &mut Group) -> bool {
        let decoded = &mut group.decoded;
        let (rows, elements) = (decoded.readings.len(), decoded.elements.len());
        let numbers_given = self.decoder.numbers_given();
        self.decoder.decode(*message, decoded);
        let added = &decoded.elements[elements..];
        let is_whole = !added.is_empty()
            && added.iter().all(|element| !element.readings.is_empty())
            && decoded.rejects.is_empty()
            && decoded.events.is_empty()
            && decoded.readings.texts.is_empty();
        if is_whole && self.decoder.numbers_given() == numbers_given {
            let elements = u32::try_from(added.len()).expect("fewer than bytes");
            let payload_start = intake.place(message).payload_start;
            group.messages.push(GroupMessage { channel: decoded.channel, elements, payload_start });
            return true;
        }
        decoded.readings.truncate(rows);
        decoded.readings.texts.clear();
        decoded.elements.truncate(elements);
        decoded.events.clear();
        decoded.rejects.clear();
        false
    }

    /// Hands over the group, which is of these messages; or leaves them, where they are few.
    fn close(
        &mut self,
        intake: &Intake,
        messages: &[MessageRef<'_>],
        group: &mut Box<Group>,
        ahead: &mut Ahead,
    ) {
        if messages.len() < self.group_messages_min {
            messages.iter().for_each(|message| ahead.leave(intake.place(message)));
            return group.clear();
        }
        let mut next = self.spare.pop().unwrap_or_default();
        // Tag sets are numbered for the whole intake, and move on from group to group.
        next.decoded.readings.tag_sets = std::mem::take(&mut group.decoded.readings.tag_sets);
        ahead.parts.push(Part::Decoded(std::mem::replace(group, next)));
    }
}

impl Ahead {
    fn leave(&mut self, place: MessagePlace) {
        match self.parts.last_mut() {
            Some(Part::Left(places)) => places.push(place),
            _ => self.parts.push(Part::Left(vec![place])),
        }
    }
}

impl Group {
    /// Forgets all messages. Tag sets stay.
    fn clear(&mut self) {
        self.decoded.readings.truncate(0);
        self.decoded.elements.clear();
        self.messages.clear();
    }
}
