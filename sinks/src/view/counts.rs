//! What came in, and where it went.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::channels::Sums;

/// The conservation law: messages = decoded + undecodable; readings = applied + duplicates + quarantined;
/// applied = on_time + corrections + late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    pub messages: u64,
    pub decoded: u64,
    pub undecodable: u64,
    pub readings: u64,
    pub applied: u64,
    pub duplicates: u64,
    pub quarantined: u64,
    pub on_time: u64,
    pub corrections: u64,
    pub late: u64,
    /// Step events, bookings, cards: events = events_applied + event_duplicates + events_quarantined.
    pub events: u64,
    pub events_applied: u64,
    pub event_duplicates: u64,
    pub events_quarantined: u64,
    /// Same seq, other content: applied and counted.
    pub sequence_conflicts: u64,
    /// Own output topics that a wide subscription brought back; part of `decoded`.
    pub ignored_outputs: u64,
    /// QoS 0 messages shed before the journal, at its bound.
    pub shed: u64,
    /// How often a row, in time for its own bay, came after a window over several bays had been forgotten.
    pub windows_missed: u64,
    /// Bookings and consumption that no step on the bay accounts for: they are in no usage.
    pub usage_unassigned: u64,
    /// Readings of meters of which no balance is kept, for there are too many.
    pub balances_missed: u64,
    /// Rows of keys that a rule with `silent_after` does not watch, for it watches too many of their site.
    pub keys_unwatched: u64,
    /// Distinct exceptions raised.
    pub exceptions: u64,
    /// Part of `messages`: tried again from quarantine, each as a message of its own.
    pub replayed: u64,
    /// Part of `messages`: out of recordings.
    pub imported: u64,
    /// Messages of commands that were refused or had been applied before: in the journal, and in none of these sums.
    pub set_aside: u64,
}

impl Counts {
    /// Whether the conservation law holds.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        Sums::of(self).adds_up()
    }
}
