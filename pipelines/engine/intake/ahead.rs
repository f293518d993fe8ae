//! Messages that another thread has decoded: their rows come as they are, what was left is decoded here.

use std::mem::swap;

use ingest::decode::{Ahead, AheadDecoder, Decoder, Group, Part};
use ingest::entry::Intake;
use sinks::emission::Emission;

use super::TOGETHER;
use super::applied::Taken;
use crate::engine::{Engine, EngineError};

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
        for part in &mut ahead.parts {
            match part {
                Part::Decoded(group) => self.group(intake, group)?,
                Part::Left(places) => {
                    for places in places.chunks(TOGETHER) {
                        together.clear();
                        together.extend(places.iter().map(|place| intake.at(place)));
                        self.messages(&together)?;
                    }
                }
            }
        }
        self.messages_taken(out)
    }

    fn group(&mut self, intake: &Intake, group: &mut Group) -> Result<(), EngineError> {
        let body = intake.body();
        let readings = &group.decoded.readings;
        let mut taken = Vec::with_capacity(group.messages.len());
        for (place, (message, element)) in group.messages.iter().zip(&group.decoded.elements).enumerate() {
            taken.push(Taken {
                ordinal: readings.message[element.readings.start],
                arrived_ms: readings.arrived_ms[element.readings.start],
                channel: message.channel,
                from_payload: &body[message.payload_start as usize..],
                elements: place..place + 1,
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
