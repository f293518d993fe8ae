//! Times that cannot be: a reading too far ahead of its arrival, or too old.
//!
//! One fast device must not make a fleet late, so its readings go to quarantine. But when most devices
//! disagree with us, it is our own clock that is wrong: then nothing is quarantined for its time, and the
//! service says `clock suspect`.

use ingest::decode::REJECT_BYTES_MAX;
use ingest::entry::MessageRef;
use ingest::readings::{Reason, Reject};
use jiff::{Timestamp, Unit};

/// At least this many devices must have spoken for a verdict on our own clock.
const DEVICES_MIN: usize = 5;
/// Rows of one message carry their raw element up to so many bytes together; further ones carry nothing, so that a
/// message cannot make many times its size.
pub(super) const COPIES_BYTES_MAX: usize = 1 << 20;
/// Devices that have been silent this long have no say.
const SAY_MS: i64 = 60_000;

/// How far each channel's clock is from ours, and what follows.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct ClockCheck {
    ahead_max_ms: i64,
    age_max_ms: i64,
    /// By channel: newest (offset, arrival).
    offsets: Vec<(i64, i64)>,
    /// Arrival second of the last verdict, and the devices' median offset then.
    judged: Option<(i64, Option<i64>)>,
}

impl ClockCheck {
    /// Quarantines what is more than `ahead_max_ms` ahead of its arrival or older than `age_max_ms`.
    #[must_use]
    pub(super) fn new(ahead_max_ms: i64, age_max_ms: i64) -> Self {
        ClockCheck { ahead_max_ms, age_max_ms, ..ClockCheck::default() }
    }

    /// What a checkpoint knows of the devices' clocks, under the settings of `fresh`.
    #[must_use]
    pub(super) fn under_settings_of(self, fresh: &ClockCheck) -> Self {
        let ClockCheck { ahead_max_ms, age_max_ms, .. } = *fresh;
        ClockCheck { ahead_max_ms, age_max_ms, ..self }
    }

    /// Whether our own clock was found to be the odd one out.
    #[must_use]
    pub(super) fn is_suspect(&self) -> bool {
        let median = self.judged.and_then(|(_, median)| median);
        median.is_some_and(|median| self.reason_of(median, self.ahead_max_ms).is_some())
    }

    /// Takes a time in; says why it cannot be, if so. A time that is not the device's `own` has no say on our clock:
    /// it was filled in from that.
    /// `ahead_max_ms` is the bound of its tool.
    pub(super) fn judge(
        &mut self,
        channel: u32,
        ts_ms: i64,
        own: bool,
        arrived_ms: i64,
        ahead_max_ms: i64,
    ) -> Option<Reason> {
        if own {
            self.note(channel, ts_ms, arrived_ms);
        }
        let reason = self.out_of_bounds(ts_ms, arrived_ms, ahead_max_ms)?;
        // Our own clock excuses a row only when it is wrong in the row's own direction: a backlog of a whole
        // site looks old, and must not excuse one device that runs ahead.
        let own_clock = self.own_clock(arrived_ms);
        let excused = own_clock.and_then(|median| self.reason_of(median, ahead_max_ms)) == Some(reason);
        (!excused).then_some(reason)
    }

    /// Which bound a time is beyond, if nobody's clock excuses it.
    #[inline]
    pub(super) fn out_of_bounds(&self, ts_ms: i64, arrived_ms: i64, ahead_max_ms: i64) -> Option<Reason> {
        self.reason_of(ts_ms.saturating_sub(arrived_ms), ahead_max_ms)
    }

    #[inline]
    fn reason_of(&self, offset_ms: i64, ahead_max_ms: i64) -> Option<Reason> {
        if offset_ms > ahead_max_ms {
            Some(Reason::TsAhead)
        } else if offset_ms < -self.age_max_ms {
            Some(Reason::TsTooOld)
        } else {
            None
        }
    }

    /// What the device says of our clock. The newest row of a message decides, so a backlog does not count as a slow
    /// clock for long.
    #[inline]
    pub(super) fn note(&mut self, channel: u32, ts_ms: i64, arrived_ms: i64) {
        let index = channel as usize;
        if index >= self.offsets.len() {
            self.offsets.resize(index + 1, (0, i64::MIN));
        }
        self.offsets[index] = (ts_ms.saturating_sub(arrived_ms), arrived_ms);
    }

    /// As [`ClockCheck::judge`] of something past, of which no clock is judged.
    pub(super) fn judge_past(&self, ts_ms: i64, arrived_ms: i64) -> Option<Reason> {
        self.out_of_bounds(ts_ms, arrived_ms, self.ahead_max_ms)
    }

    /// The devices' median offset, found at most once a second of arrival.
    fn own_clock(&mut self, arrived_ms: i64) -> Option<i64> {
        let second = arrived_ms.div_euclid(1000);
        if let Some((judged, median)) = self.judged
            && judged == second
        {
            return median;
        }
        let median = self.median(arrived_ms);
        self.judged = Some((second, median));
        median
    }

    fn median(&self, arrived_ms: i64) -> Option<i64> {
        let recent =
            self.offsets.iter().filter(|(_, heard_ms)| heard_ms.saturating_add(SAY_MS) >= arrived_ms);
        let mut offsets: Vec<i64> = recent.map(|&(offset, _)| offset).collect();
        if offsets.len() < DEVICES_MIN {
            return None;
        }
        let middle = offsets.len() / 2;
        Some(*offsets.select_nth_unstable(middle).1)
    }

    /// At a tick: a suspicion ends when the devices agree with us again.
    pub(super) fn tick(&mut self, at_ms: i64) {
        if self.is_suspect() {
            self.judged = None;
            self.own_clock(at_ms);
        }
    }
}

/// What goes to quarantine of a reading or event whose time cannot be; `raw` is its element.
pub(super) fn reject(message: MessageRef<'_>, raw: &[u8], reason: Reason, ts_ms: i64) -> Reject {
    Reject {
        message: message.ordinal,
        arrived_ms: message.arrived_ms,
        topic: message.topic.into(),
        payload: raw[..raw.len().min(REJECT_BYTES_MAX)].into(),
        reason,
        detail: detail(ts_ms, message.arrived_ms),
        metric: None,
    }
}

fn detail(ts_ms: i64, arrived_ms: i64) -> String {
    let off_ms = ts_ms.saturating_sub(arrived_ms);
    let side = if off_ms > 0 { "after" } else { "before" };
    let off_s = off_ms.unsigned_abs() / 1000;
    let off = match off_s {
        0..120 => format!("{off_s} s"),
        120..7_200 => format!("{} min", off_s / 60),
        7_200..172_800 => format!("{} h", off_s / 3_600),
        _ => format!("{} days", off_s / 86_400),
    };
    let ts = Timestamp::from_millisecond(ts_ms).and_then(|ts| ts.round(Unit::Second));
    let ts = ts.map_or_else(|_| ts_ms.to_string(), |ts| ts.to_string());
    format!("ts {ts} is {off} {side} its arrival; set the device's clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const AHEAD_MS: i64 = 60_000;

    #[test]
    fn the_detail_says_which_time_it_was_and_how_far_off() {
        let at_ms = 1_772_445_600_000;
        assert_eq!(
            detail(12_345, at_ms),
            "ts 1970-01-01T00:00:12Z is 20514 days before its arrival; set the device's clock"
        );
        assert_eq!(
            detail(at_ms + DAY_MS, at_ms),
            "ts 2026-03-03T10:00:00Z is 24 h after its arrival; set the device's clock"
        );
        assert_eq!(detail(i64::MAX, at_ms).split(' ').nth(1), Some("9223372036854775807"));
    }

    #[test]
    fn the_oldest_time_that_there_is_was_taken_for_one_that_can_be() {
        let mut clock = ClockCheck::new(60_000, 30 * DAY_MS);
        let at_ms = 1_772_445_600_000;
        for ts_ms in [i64::MIN, i64::MIN + at_ms, -at_ms] {
            assert_eq!(clock.judge(0, ts_ms, true, at_ms, AHEAD_MS), Some(Reason::TsTooOld), "{ts_ms}");
            assert_eq!(clock.judge_past(ts_ms, at_ms), Some(Reason::TsTooOld), "{ts_ms}");
        }
    }

    #[test]
    fn one_device_a_day_ahead_is_quarantined_and_the_others_are_not() {
        let mut clock = ClockCheck::new(60_000, 30 * DAY_MS);
        for device in 0..9 {
            assert_eq!(clock.judge(device, 1_000_000, true, 1_000_500, AHEAD_MS), None);
        }
        assert_eq!(clock.judge(9, 1_000_000 + DAY_MS, true, 1_000_500, AHEAD_MS), Some(Reason::TsAhead));
        assert_eq!(
            clock.judge(1, 1_000_400 - 31 * DAY_MS, true, 1_000_500, AHEAD_MS),
            Some(Reason::TsTooOld)
        );
        assert!(!clock.is_suspect());
    }

    #[test]
    fn when_most_devices_are_a_day_ahead_our_own_clock_is_suspect_until_it_is_right_again() {
        let mut clock = ClockCheck::new(60_000, 30 * DAY_MS);
        for device in 0..5 {
            clock.judge(device, 10_000 + DAY_MS, true, 10_000, AHEAD_MS);
        }
        assert_eq!(clock.judge(5, 11_000 + DAY_MS, true, 11_000, AHEAD_MS), None);
        assert!(clock.is_suspect());
        for device in 0..5 {
            clock.judge(device, 12_000 + DAY_MS, true, 12_000 + DAY_MS, AHEAD_MS);
        }
        clock.tick(13_000 + DAY_MS);
        assert!(!clock.is_suspect());
    }

    #[test]
    fn states_that_take_their_arrival_for_their_time_have_no_say_on_our_clock() {
        let mut clock = ClockCheck::new(60_000, 30 * DAY_MS);
        for channel in 0..9 {
            assert_eq!(clock.judge(channel, 10_000, false, 10_000, AHEAD_MS), None);
        }
        for device in 9..14 {
            clock.judge(device, 10_000 + DAY_MS, true, 10_000, AHEAD_MS);
        }
        assert_eq!(clock.judge(9, 11_000 + DAY_MS, true, 11_000, AHEAD_MS), None);
        assert!(clock.is_suspect());
    }
}
