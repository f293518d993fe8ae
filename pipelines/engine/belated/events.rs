//! Step events, bookings, cards and assets of the past.

use super::*;
use crate::engine::steps::Known;
use crate::engine::tables;
use ingest::decode::REJECT_BYTES_MAX;
use ingest::readings::Reason;

impl Engine {
    pub(super) fn belated_event(
        &mut self,
        event: Event,
        message: MessageRef<'_>,
        lane: &Lane<'_>,
        (taken, rejects): (&mut Taken, &mut Vec<Reject>),
    ) {
        self.counts.events += 1;
        let print = Print {
            channel: self.decoded.channel,
            boot: event.boot,
            seq: event.seq,
            ts_ms: event.ts_ms,
            arrived_ms: event.arrived_ms,
            hash: event.hash,
            is_first: event.index == 0,
        };
        let is_import = matches!(lane, Lane::Import);
        let refused = match self.clock.judge_past(event.ts_ms, event.arrived_ms) {
            Some(reason) => Some(clock::reject(message, message.payload, reason, event.ts_ms)),
            None if is_import && matches!(event.what, What::Booking(_)) => {
                let reject = clock::reject(message, message.payload, Reason::NoStep, event.ts_ms);
                let detail = "a booking of an imported recording is not booked again; send it anew if it was never booked";
                Some(Reject { detail: detail.to_owned(), ..reject })
            }
            None => None,
        };
        if let Some(reject) = refused {
            self.counts.events_quarantined += 1;
            rejects.push(reject);
            return;
        }
        let known = self.known(&event, is_import);
        if let (Lane::Replay { .. }, Some(Known::Refused), What::Step(step)) = (lane, known, &event.what) {
            // Tried again too early: its record stays as it is.
            self.counts.events_quarantined += 1;
            let reject = clock::reject(message, message.payload, Reason::StepNotStarted, event.ts_ms);
            rejects.push(Reject {
                detail: tables::not_started(step.event, &step.job, &step.step, &step.bay),
                ..reject
            });
            return;
        }
        if known.is_some() || self.is_belated_repeat(print, lane) {
            self.counts.event_duplicates += 1;
            taken.duplicates += 1;
            return;
        }
        self.repeats.fill(&print);
        self.counts.events_applied += 1;
        taken.events += 1;
        match &event.what {
            What::Step(step) => {
                let bay = self.bay_number(&event.site, &step.bay);
                let payload = &message.payload[..message.payload.len().min(REJECT_BYTES_MAX)];
                self.steps.take_past(&event.site, bay, &event, step, ((message.topic, payload), is_import));
                self.live.turn(bay);
                self.belated.concerns(bay, event.ts_ms);
                if !is_import {
                    self.tell_functions_of_step(&event, step);
                }
            }
            What::Booking(booking) => {
                let bay = self.bay_number(&event.site, &booking.bay);
                self.belated.concerns(bay, event.ts_ms);
                self.bookings.push(WaitingBooking::new(event, message));
            }
            What::Job(card) => {
                self.take_card(&event, card);
                if !is_import {
                    self.tell_functions_of_card(&event, card);
                }
            }
            What::Asset(asset) => self.take_asset(&event.site, asset),
        }
    }

    /// How the present knows what the event says: a step event that it has; of what is imported, something of the same card
    /// or asset.
    fn known(&self, event: &Event, is_import: bool) -> Option<Known> {
        let is_said = match &event.what {
            What::Step(step) => {
                let bay = self.bay_number(&event.site, &step.bay);
                return self.steps.known(bay, event.ts_ms, step, is_import);
            }
            What::Job(card) => is_import && self.steps.has_card(&event.site, &card.job),
            What::Asset(asset) => is_import && self.assets.has(&event.site, &asset.asset),
            What::Booking(_) => false,
        };
        is_said.then_some(Known::Said)
    }
}
