//! Step events, bookings, job cards and asset lists as they arrive.

use ingest::decode::REJECT_BYTES_MAX;
use ingest::entry::MessageRef;
use ingest::readings::{Asset, Event, JobCard, What};

use super::bookings::WaitingBooking;
use super::repeats::{Print, Seen};
use super::{Engine, EngineError, clock};

impl Engine {
    pub(super) fn event(&mut self, event: Event, message: MessageRef<'_>) -> Result<(), EngineError> {
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
        match self.repeats.see(&print) {
            Seen::Repeat => {
                self.counts.event_duplicates += 1;
                return Ok(());
            }
            Seen::Conflict => self.counts.sequence_conflicts += 1,
            Seen::New => {}
        }
        let own = matches!(event.what, What::Step(_) | What::Booking(_));
        let (ts_ms, ahead_max_ms) = (event.ts_ms, self.bounds.ahead_max_ms(&event.site));
        if let Some(reason) =
            self.clock.judge(self.decoded.channel, ts_ms, own, event.arrived_ms, ahead_max_ms)
        {
            self.counts.events_quarantined += 1;
            self.rejects.push(clock::reject(message, message.payload, reason, event.ts_ms));
            return Ok(());
        }
        self.counts.events_applied += 1;
        // What came before must not see what this event says.
        self.look_at_arrived()?;
        match &event.what {
            What::Step(step) => {
                let bay = self.meet_bay(&event.site, &step.bay);
                let payload = &message.payload[..message.payload.len().min(REJECT_BYTES_MAX)];
                self.steps.take(&event.site, bay, &event, step, (message.topic, payload));
                self.live.turn(bay);
                self.tell_functions_of_step(&event, step);
                self.bays.heard(bay, event.ts_ms, event.arrived_ms);
            }
            What::Booking(booking) => {
                let bay = self.meet_bay(&event.site, &booking.bay);
                self.bays.heard(bay, event.ts_ms, event.arrived_ms);
                self.bookings.push(WaitingBooking::new(event, message));
            }
            What::Job(card) => {
                self.take_card(&event, card);
                self.tell_functions_of_card(&event, card);
            }
            What::Asset(asset) => self.take_asset(&event.site, asset),
        }
        Ok(())
    }

    pub(super) fn take_card(&mut self, event: &Event, card: &JobCard) {
        let bays = self.decoder.series().bays().iter().enumerate();
        let of_site = bays.filter(|(_, (site, _))| *site == event.site).map(|(bay, _)| bay as u32);
        self.steps.take_card(&event.site, event.message, card, of_site);
        self.usage.take_card(&event.site, card);
        self.turn_in_hand(&event.site, &card.job);
    }

    pub(super) fn take_asset(&mut self, site: &str, asset: &Asset) {
        self.assets.take(site, asset);
        self.bounds.assets_changed(self.decoder.series(), &self.assets, &mut self.bays);
        self.follow_series(true);
    }

    /// The number of a bay that something is about to be taken in of.
    pub(super) fn meet_bay(&mut self, site: &str, bay: &str) -> u32 {
        let bay = self.bay_number(site, bay);
        self.bounds.meet_bay(bay, self.decoder.series(), &self.assets, &mut self.bays);
        bay
    }

    pub(super) fn bay_number(&self, site: &str, bay: &str) -> u32 {
        self.decoder
            .series()
            .find_bay(site, bay)
            .expect("the decoder numbers the bay of every event it gives")
    }
}
