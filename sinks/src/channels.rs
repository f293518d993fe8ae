//! Channel by channel: what became of all that came, and which sequence numbers have not come.
//!
//! Asked now and then and long, so no part of the picture that is published all the time. A channel is a topic, and so
//! mostly a device.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::view::Counts;

/// Lines of a page, if not said otherwise, and at most.
pub const LINES: u32 = 100;
/// More are not given at once.
pub const LINES_MAX: u32 = 1_000;

/// The counts of the conservation law, of one channel or of all: messages = decoded + undecodable; readings = applied +
/// duplicates + quarantined; applied = on_time + corrections + late; events = events_applied + event_duplicates +
/// events_quarantined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[repr(C)]
pub struct Sums {
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
    pub events: u64,
    pub events_applied: u64,
    pub event_duplicates: u64,
    pub events_quarantined: u64,
}

impl Sums {
    /// Those of all channels.
    #[inline]
    #[must_use]
    pub fn of(counts: &Counts) -> Sums {
        Sums {
            messages: counts.messages,
            decoded: counts.decoded,
            undecodable: counts.undecodable,
            readings: counts.readings,
            applied: counts.applied,
            duplicates: counts.duplicates,
            quarantined: counts.quarantined,
            on_time: counts.on_time,
            corrections: counts.corrections,
            late: counts.late,
            events: counts.events,
            events_applied: counts.events_applied,
            event_duplicates: counts.event_duplicates,
            events_quarantined: counts.events_quarantined,
        }
    }

    /// What has come since `before`, by field.
    #[inline]
    #[must_use]
    pub fn since(&self, before: &Sums) -> Sums {
        self.each(before, u64::wrapping_sub)
    }

    /// Both together.
    #[inline]
    #[must_use]
    pub fn and(&self, other: &Sums) -> Sums {
        self.each(other, u64::wrapping_add)
    }

    #[inline]
    fn each(&self, other: &Sums, work: impl Fn(u64, u64) -> u64) -> Sums {
        Sums {
            messages: work(self.messages, other.messages),
            decoded: work(self.decoded, other.decoded),
            undecodable: work(self.undecodable, other.undecodable),
            readings: work(self.readings, other.readings),
            applied: work(self.applied, other.applied),
            duplicates: work(self.duplicates, other.duplicates),
            quarantined: work(self.quarantined, other.quarantined),
            on_time: work(self.on_time, other.on_time),
            corrections: work(self.corrections, other.corrections),
            late: work(self.late, other.late),
            events: work(self.events, other.events),
            events_applied: work(self.events_applied, other.events_applied),
            event_duplicates: work(self.event_duplicates, other.event_duplicates),
            events_quarantined: work(self.events_quarantined, other.events_quarantined),
        }
    }

    /// Whether the conservation law holds.
    #[inline]
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.messages == self.decoded.wrapping_add(self.undecodable)
            && self.readings == self.applied.wrapping_add(self.duplicates).wrapping_add(self.quarantined)
            && self.applied == self.on_time.wrapping_add(self.corrections).wrapping_add(self.late)
            && self.events
                == self
                    .events_applied
                    .wrapping_add(self.event_duplicates)
                    .wrapping_add(self.events_quarantined)
    }
}

/// Which channels are asked for, in the order in which they were first heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChannelQuery {
    /// Those whose topic holds this.
    pub topic: Option<String>,
    /// Lines that were shown before.
    pub skip: Option<u32>,
    /// At most so many lines, [`LINES`] if not given, [`LINES_MAX`] at most.
    pub limit: Option<u32>,
}

/// `/api/v1/status/devices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Of all channels, and of messages that have none.
    pub all: Sums,
    /// Of messages whose topic is unknown, or beyond the bound.
    pub elsewhere: Sums,
    /// Channels heard.
    pub channels: u64,
    /// Those whose sums do not add up. Always 0, or there is a mistake in the program.
    pub at_odds: u64,
    pub devices: Vec<Device>,
    /// Where the next page begins, if there is one.
    pub next_skip: Option<u32>,
}

/// A line of [`Devices`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    pub topic: String,
    #[serde(flatten)]
    pub sums: Sums,
    /// Whether these add up.
    pub adds_up: bool,
    /// Sequence numbers that have not come.
    pub missing: u64,
}

/// `/api/v1/status/gaps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gaps {
    #[serde(flatten)]
    pub missing: Missing,
    pub gaps: Vec<Gap>,
    /// Where the next page begins, if there is one.
    pub next_skip: Option<u32>,
}

/// How much has not come, of all channels together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// Sequence numbers that have not come, though higher ones of their boot have.
    pub missing: u64,
    /// In so many stretches,
    pub ranges: u64,
    /// of so many channels.
    pub channels: u64,
    /// Numbers that had not come when there were too many stretches to be told of.
    pub forgotten: u64,
}

/// A stretch of numbers that have not come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    pub topic: String,
    /// None of a device that does not count its starts.
    pub boot: Option<i64>,
    /// Both ends have not come.
    pub first: i64,
    pub last: i64,
    /// How many that are.
    pub missing: u64,
}

impl ChannelQuery {
    /// Whether a topic is asked for.
    #[must_use]
    pub fn asks_for(&self, topic: &str) -> bool {
        self.topic.as_ref().is_none_or(|part| topic.contains(part.as_str()))
    }

    /// The lines asked for, and where the next page begins.
    #[must_use]
    pub fn page<T>(&self, lines: impl Iterator<Item = T>) -> (Vec<T>, Option<u32>) {
        let skip = self.skip.unwrap_or(0);
        let limit = self.limit.unwrap_or(LINES).clamp(1, LINES_MAX);
        let mut lines = lines.skip(skip as usize);
        let page = lines.by_ref().take(limit as usize).collect();
        (page, lines.next().map(|_| skip.saturating_add(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let mut query = ChannelQuery { limit: Some(4), ..ChannelQuery::default() };
        let mut seen = Vec::new();
        loop {
            let (page, next) = query.page(0..10);
            seen.extend(page);
            let Some(next) = next else { break };
            query.skip = Some(next);
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(query.skip, Some(8));
        assert_eq!(
            ChannelQuery { limit: Some(u32::MAX), ..query }.page(0..5_000).0.len(),
            LINES_MAX as usize
        );
    }

    #[test]
    fn each_of_the_four_sums_is_looked_at() {
        let good = Sums { messages: 3, decoded: 2, undecodable: 1, ..Sums::default() };
        let wrong = [
            Sums { messages: 4, ..good },
            Sums { readings: 1, ..good },
            Sums { readings: 1, applied: 1, ..good },
            Sums { events: 1, ..good },
        ];
        assert!(good.adds_up());
        assert_eq!(wrong.map(|sums| sums.adds_up()), [false; 4]);
        assert_eq!(good.and(&wrong[3]).since(&wrong[3]), good);
    }
}
