//! The one door to the clock, and the numbers that count journal entries and epochs.
//!
//! All times in Andon are milliseconds since 1970 UTC in an `i64` whose name ends in `_ms`. Event time
//! (`ts_ms`) is what the device says; arrival (`arrived_ms`) is read once from a [`Clock`] and journaled,
//! so nothing right of the journal ever asks what time it is.

use std::sync::atomic::{AtomicI64, Ordering};

/// Place of an entry in the journal: 1, 2, 3 … without gaps. 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Offset(self.0 + 1)
    }
}

/// Number of a checkpoint: epoch n holds the entries after cut n-1 up to and with cut n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Tells the time. Product code gets one handed in; only [`SystemClock`] asks the machine.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall time in milliseconds since 1970 UTC. May jump either way.
    fn now_ms(&self) -> i64;
    /// Microseconds since an unspecified start. Never goes back; for latencies and rates only.
    fn monotonic_us(&self) -> u64;
    /// As [`monotonic_us`](Self::monotonic_us), and goes on while the machine is suspended: for leases.
    fn boot_us(&self) -> u64 {
        self.monotonic_us()
    }
    /// A text that nobody else has: for names, which change no result.
    fn drawn(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default()
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn default() -> Self {
        SystemClock { started: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    #[cfg(target_os = "linux")]
    fn boot_us(&self) -> u64 {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanoseconds) = (u64::try_from(since.tv_sec), u64::try_from(since.tv_nsec));
        seconds.unwrap_or(0) * 1_000_000 + nanoseconds.unwrap_or(0) / 1_000
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        ManualClock(AtomicI64::new(now_ms))
    }

    /// Sets the time, also back.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.now_ms()).unwrap_or(0) * 1000
    }
}
