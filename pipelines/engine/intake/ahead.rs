//! Messages that another thread has decoded: their rows come as they are, what was left is decoded here.

use std::mem::swap;

use ingest::decode::{Ahead, AheadDecoder, Decoder, Group, Part, TOGETHER};
use ingest::entry::Intake;
use sinks::emission::Emission;

use super::applied::Taken;
use crate::engine::{Engine, EngineError};

/// Tag sets of an intake, and the numbers that they have in the open block.
struct Tags<'a> {
    sets: &'a [Box<str>],
    /// For each the block in which it was looked up last, and its number there.
    numbers: Vec<(u32, u32)>,
    /// Counts up whenever another block may be open.
    block: u32,
}

impl<'a> Tags<'a> {
    fn of(sets: &'a [Box<str>]) -> Self {
        Tags { sets, numbers: vec![(0, 0); sets.len()], block: 1 }
    }

    #[inline]
    fn number(&mut self, of_intake: u32, number_of: impl FnOnce(&str) -> u32) -> u32 {
        let place = of_intake as usize - 1;
        let (block, number) = &mut self.numbers[place];
        if *block != self.block {
            (*block, *number) = (self.block, number_of(&self.sets[place]));
        }
        *number
    }
}

impl Engine {
    /// A decoder that goes ahead of this engine: `fresh`, of the same configuration, with the numbers given out so far.
    ///
    /// # Errors
    /// The configuration does not know a unit that was given a number.
    pub fn decoder_ahead(&self, mut fresh: Decoder) -> Result<AheadDecoder, EngineError> {
        let known = self.decoder.snapshot();
        fresh.restore(&known).map_err(|error| EngineError::State { reason: error.to_string() })?;
        Ok(AheadDecoder::new(fresh))
    }

    /// Applies an intake that was decoded ahead, by a decoder from
    /// [`decoder_ahead`](Self::decoder_ahead) that has seen every message since.
    /// Comes to the same as [`apply`](Self::apply).
    ///
    /// # Errors
    /// As there.
    pub fn apply_ahead(
        &mut self,
        intake: &Intake,
        ahead: &mut Ahead,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        self.has_come_to(intake);
        self.decoder.begin_intake();
        let mut together = Vec::with_capacity(TOGETHER);
        let Ahead { parts, tag_sets } = ahead;
        let mut tags = Tags::of(tag_sets);
        for part in parts {
            match part {
                Part::Decoded(group) => self.group(intake, group, &mut tags)?,
                Part::Left(places) => {
                    for places in places.chunks(TOGETHER) {
                        together.clear();
                        together.extend(places.iter().map(|place| intake.at(place)));
                        self.messages(&together)?;
                    }
                    tags.block += 1;
                }
            }
        }
        self.messages_taken(out)
    }

    fn group(&mut self, intake: &Intake, group: &mut Group, tags: &mut Tags<'_>) -> Result<(), EngineError> {
        for number in group.decoded.readings.tags.iter_mut().filter(|number| **number > 0) {
            let number_of = |set: &str| self.decoder.number_of_tags(set, &mut self.decoded.readings);
            *number = tags.number(*number, number_of);
        }
        let body = intake.body();
        let readings = &group.decoded.readings;
        let mut taken = Vec::with_capacity(group.messages.len());
        let mut first = 0;
        for message in &group.messages {
            let elements = first..first + message.elements as usize;
            let row = group.decoded.elements[first].readings.start;
            first = elements.end;
            taken.push(Taken {
                ordinal: readings.message[row],
                arrived_ms: readings.arrived_ms[row],
                channel: message.channel,
                from_payload: &body[message.payload_start as usize..],
                elements,
            });
        }
        let messages = taken.len() as u64;
        self.exchange_decoded(group);
        self.readings(&mut taken);
        self.exchange_decoded(group);
        self.counts.messages += messages;
        self.counts.decoded += messages;
        if self.open.readings.len() >= self.block_rows {
            self.seal()?;
            tags.block += 1;
        }
        Ok(())
    }

    /// The rows of a group in the place of those just decoded, and back. Texts and tag sets are those of the open block.
    fn exchange_decoded(&mut self, group: &mut Group) {
        let (own, other) = (&mut self.decoded, &mut group.decoded);
        swap(&mut own.elements, &mut other.elements);
        swap(&mut own.readings, &mut other.readings);
        swap(&mut own.readings.texts, &mut other.readings.texts);
        swap(&mut own.readings.tag_sets, &mut other.readings.tag_sets);
    }
}
