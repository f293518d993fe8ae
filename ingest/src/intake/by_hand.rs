//! The intake without its threads and without a broker: whoever calls plays broker, clock and scheduler.
//!
//! What to commit and when, and how it gets into the journal, is the service's own code; a simulation decides alone
//! what comes when, and stops the world between any two steps.

use super::committer::{Room, write};
use super::gathering::{Arrived, Bounds, Gathered, Gathering, Moment, Taken};
use super::{Arrivals, Durable, IntakeError, IntakeSettings, Log, Start};

/// An intake that does nothing by itself.
pub struct IntakeByHand {
    gathering: Gathering,
    log: Box<dyn Log>,
    now: Moment,
    is_over: bool,
}

/// A batch that is durable.
#[derive(Debug)]
pub struct Committed {
    /// In the order of the journal, for the engine.
    pub entries: Vec<Durable>,
    /// Whom to acknowledge, in order of receipt.
    pub packet_ids: Vec<u16>,
}

impl std::fmt::Debug for IntakeByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IntakeByHand").field("now", &self.now).finish_non_exhaustive()
    }
}

impl IntakeByHand {
    /// Goes on where `start` says that the journal ends, at `now_ms` of the wall clock and `now_us` of the monotonic one.
    #[must_use]
    pub fn new(settings: &IntakeSettings, log: Box<dyn Log>, start: Start, now_ms: i64, now_us: u64) -> Self {
        let now = Moment { ms: now_ms, us: now_us };
        let arrivals = Arrivals::new(start.last_at_ms, now_ms, start.last_epoch, settings.cut_interval);
        let mut gathering = Gathering::new(Bounds::new(settings), arrivals, start.next_message, now_us);
        start.opening.into_iter().for_each(|entry| gathering.submit(entry, now));
        IntakeByHand { gathering, log, now, is_over: false }
    }

    /// Time has come to `now_ms`, which may be before what it was, and `now_us`, which may not.
    pub fn pass(&mut self, now_ms: i64, now_us: u64) {
        self.now = Moment { ms: now_ms, us: now_us };
        self.gathering.pass(self.now);
    }

    /// A message has come, with a packet id if it wants to be acknowledged; whether it was taken and not shed.
    pub fn receive(&mut self, topic: &str, payload: &[u8], packet_id: Option<u16>) -> bool {
        self.gathering.message(Arrived { topic, payload, packet_id }, self.now) != Taken::Shed
    }

    /// Gives the open batch to the journal and makes it durable, if it is due. `wait` hears where there is no room and
    /// says whether to try again.
    ///
    /// # Errors
    /// What the journal says; it takes nothing more then.
    pub fn commit(&mut self, wait: &mut dyn FnMut(&str) -> bool) -> Result<Option<Committed>, IntakeError> {
        if !self.is_over && !self.gathering.is_due(self.now.us) {
            return Ok(None);
        }
        let Some(batch) = self.gathering.take() else { return Ok(None) };
        let mut told = |room: Room<'_>| match room {
            Room::None { folder, .. } => wait(folder),
            Room::Waiting { reason, .. } => wait(reason),
            Room::Again => true,
        };
        let offsets = write(self.log.as_mut(), &batch, &mut told)?;
        let committed = self.gathering.committed().ok_or(IntakeError::JournalGone)?;
        let durable = |(offset, Gathered { entry, received_us })| Durable { offset, entry, received_us };
        let entries = offsets.into_iter().zip(batch.entries).map(durable).collect();
        Ok(Some(Committed { entries, packet_ids: committed.packet_ids }))
    }

    /// The connection is gone, and with it the right to acknowledge what came over it.
    pub fn connection_lost(&mut self) {
        self.gathering.connection_lost();
    }

    /// Nothing comes any more: the epoch ends, and what is open is due.
    pub fn finish(&mut self) {
        self.gathering.finish(self.now);
        self.is_over = true;
    }
}
