//! How long it takes from arrival to durable and applied, over the last minute.
//!
//! A ring of ten-second histograms: the oldest is emptied and used again, so memory is fixed and a slow
//! minute is forgotten after a minute. The time is handed in; nothing here asks a clock.

use hdrhistogram::Histogram;

use crate::view::Latency;

/// Histograms in the ring: the one that is filling, and five full ones.
const SLOTS: usize = 6;
/// Time that one histogram stands for.
const SLOT_US: u64 = 10_000_000;
/// Anything longer counts as this.
const LATENCY_US_MAX: u64 = 3_600_000_000;
/// Significant digits kept: percentiles are right to 1 %.
const DIGITS: u8 = 2;

/// Collects latencies; gives their percentiles over the last 50 to 60 seconds.
#[derive(Debug)]
pub struct LatencyRecorder {
    slots: Vec<Slot>,
    /// Where the live slots are put together.
    sum: Histogram<u64>,
}

#[derive(Debug)]
struct Slot {
    /// Which ten seconds since the start of the caller's clock.
    number: u64,
    histogram: Histogram<u64>,
}

impl Default for LatencyRecorder {
    fn default() -> Self {
        LatencyRecorder {
            slots: (0..SLOTS).map(|_| Slot { number: 0, histogram: empty() }).collect(),
            sum: empty(),
        }
    }
}

impl LatencyRecorder {
    /// Takes in one latency, measured at `now_us` (`Clock::monotonic_us`).
    pub fn record(&mut self, now_us: u64, latency_us: u64) {
        self.record_many(now_us, latency_us, 1);
    }

    /// Takes in the same latency `count` times: that of a batch, for each of its messages.
    pub fn record_many(&mut self, now_us: u64, latency_us: u64, count: u64) {
        let number = now_us / SLOT_US;
        let slot = &mut self.slots[place(number)];
        if slot.number != number {
            slot.histogram.reset();
            slot.number = number;
        }
        slot.histogram.saturating_record_n(latency_us.min(LATENCY_US_MAX), count);
    }

    /// Percentiles of what was recorded in the minute before `now_us`; zeros when that is nothing.
    pub fn latency(&mut self, now_us: u64) -> Latency {
        let newest = now_us / SLOT_US;
        self.sum.reset();
        for slot in &self.slots {
            if newest.saturating_sub(slot.number) < SLOTS as u64 && !slot.histogram.is_empty() {
                self.sum.add(&slot.histogram).expect("all slots have the same bounds");
            }
        }
        let milliseconds = |us: u64| us as f64 / 1000.0;
        Latency {
            p50: milliseconds(self.sum.value_at_quantile(0.5)),
            p99: milliseconds(self.sum.value_at_quantile(0.99)),
            max: milliseconds(self.sum.max()),
        }
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).expect("less than the number of slots")
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS).expect("the bounds are constants that fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[track_caller]
    fn assert_close(measured_ms: f64, expected_ms: f64) {
        assert!(
            (measured_ms - expected_ms).abs() <= expected_ms * 0.01,
            "{measured_ms} is not {expected_ms}"
        );
    }

    #[test]
    fn percentiles_are_right_to_one_percent() {
        let mut recorder = LatencyRecorder::default();
        for latency_us in 1..=100_000 {
            recorder.record(5 * SECOND_US, latency_us);
        }
        let latency = recorder.latency(6 * SECOND_US);
        assert_close(latency.p50, 50.0);
        assert_close(latency.p99, 99.0);
        assert_close(latency.max, 100.0);
    }

    #[test]
    fn a_slow_moment_is_forgotten_after_a_minute() {
        let mut recorder = LatencyRecorder::default();
        recorder.record(0, 900_000);
        for second in 1..=50 {
            recorder.record(second * SECOND_US, 1_000);
            assert_close(recorder.latency(second * SECOND_US).max, 900.0);
        }
        assert_close(recorder.latency(60 * SECOND_US).max, 1.0);
    }

    #[test]
    fn silence_gives_zeros_and_not_the_last_numbers() {
        let mut recorder = LatencyRecorder::default();
        recorder.record(3 * SECOND_US, 5_000);
        let latency = recorder.latency(200 * SECOND_US);
        assert_eq!((latency.p50, latency.p99, latency.max), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_slot_that_is_used_again_keeps_nothing_of_its_last_round() {
        let mut recorder = LatencyRecorder::default();
        recorder.record(0, 700_000);
        recorder.record(60 * SECOND_US, 2_000);
        assert_close(recorder.latency(60 * SECOND_US).max, 2.0);
    }

    #[test]
    fn a_batch_weighs_as_many_as_it_holds_and_hours_count_as_one_hour() {
        let mut recorder = LatencyRecorder::default();
        recorder.record_many(0, 4_000, 999);
        recorder.record(0, u64::MAX);
        let latency = recorder.latency(0);
        assert_close(latency.p99, 4.0);
        assert_close(latency.max, 3_600_000.0);
    }
}
