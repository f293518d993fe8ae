//! A believable workshop, from a seed.
//!
//! [`Workshop`] is a pure generator: bays work through job cards, tools report, technicians book parts, and
//! faults happen by name. The same settings give the same bytes. What becomes of the messages is
//! [`record`] (a recording) or [`publish`] (a broker, live).
//!
//! The way of a message: `agenda` decides what a bay does and when · `gauge` and `step` make the readings ·
//! `payload` writes them · `gateway` delivers, holds back or repeats · `workshop` keeps the order and the rate.

use std::ops::RangeInclusive;
use std::sync::Arc;

mod agenda;
mod bay;
mod catalogue;
mod device;
pub mod fault;
mod gateway;
mod gauge;
mod office;
mod payload;
pub mod publish;
pub mod record;
mod seed;
mod sending;
mod step;
mod trouble;
mod work;
mod workshop;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults};
pub use workshop::Workshop;

/// What kind of shop, and for how fast a time.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateSettings {
    /// Names of the sites; each has `bays` bays.
    pub sites: Vec<String>,
    /// Bays of each site: `bay-01` and so on.
    pub bays: u32,
    /// Average messages a second of all sites together. Work makes the messages it makes; gauges are sampled
    /// as often as the rest of the rate allows, and never less than half of the rate.
    pub rate: f64,
    pub seed: u64,
    pub faults: Faults,
    /// Time of the first message, ms since 1970 UTC.
    pub start_ms: i64,
    /// How many times faster than in a real shop the work goes: at 30 a step of 20 minutes takes (and its
    /// card allows) 40 seconds. Times in messages are honest at any speed.
    pub speed: f64,
    /// Of the telemetry, 0 or 1. Step events, bookings, cards and states are always sent with 1.
    pub qos: u8,
}

impl Default for SimulateSettings {
    /// Six bays in Lyon, 100 messages a second at the pace of a real shop, without faults.
    fn default() -> Self {
        SimulateSettings {
            sites: vec!["lyon".to_owned()],
            bays: 6,
            rate: 100.0,
            seed: 1,
            faults: Faults::none(),
            start_ms: DEFAULT_START_MS,
            speed: 1.0,
            qos: 1,
        }
    }
}

/// 2026-01-05T07:00:00Z, a Monday.
pub const DEFAULT_START_MS: i64 = 1_767_596_400_000;

/// The pace at which a person watching sees steps come and go: standard times of tens of seconds.
pub const LIVE_SPEED: f64 = 30.0;

/// More bays a site than this are refused: the whole shop is in memory.
pub const BAYS_MAX: u32 = 9_999;

/// Messages a second.
pub const RATES: RangeInclusive<f64> = 0.01..=10_000_000.0;

/// How many times faster than in a real shop.
pub const SPEEDS: RangeInclusive<f64> = 0.01..=1000.0;

/// 3000-01-01T00:00:00Z: leaves room for long recordings within what timestamps can say.
const START_MS_MAX: i64 = 32_503_680_000_000;

impl SimulateSettings {
    fn check(&self) -> Result<(), SimulateError> {
        let refuse = |what: String| Err(SimulateError::Setting(what));
        if self.sites.is_empty() {
            return refuse("there is no site; name one, such as lyon".to_owned());
        }
        for (at, site) in self.sites.iter().enumerate() {
            if site.is_empty() || site.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
            {
                return refuse(format!("site {site:?} is no topic level; use letters, digits, - and _"));
            }
            if self.sites[..at].contains(site) {
                return refuse(format!("site {site:?} is named twice"));
            }
        }
        if !(1..=BAYS_MAX).contains(&self.bays) {
            return refuse(format!("{} bays; 1 to {BAYS_MAX} are possible", self.bays));
        }
        if !RATES.contains(&self.rate) {
            return refuse(format!("rate {} is outside 0.01 to 10000000 messages a second", self.rate));
        }
        if !SPEEDS.contains(&self.speed) {
            return refuse(format!("speed {} is outside 0.01 to 1000", self.speed));
        }
        if self.qos > 1 {
            return refuse(format!("QoS {}; 0 and 1 are possible", self.qos));
        }
        if !(0..=START_MS_MAX).contains(&self.start_ms) {
            return refuse(format!("start {} ms is outside the years 1970 to 2999", self.start_ms));
        }
        Ok(())
    }
}

/// A message as it arrives at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// When it arrives, ms since 1970 UTC; never less than that of the message before.
    pub at_ms: i64,
    pub topic: Arc<str>,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
}

/// Why a simulation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("the simulated workshop is not possible: {0}")]
    Setting(String),
    #[error("cannot write the recording {path}: {error}; check the folder and the free space")]
    Record { path: String, error: std::io::Error },
    #[error("cannot start the asynchronous runtime: {error}")]
    Runtime { error: std::io::Error },
    #[error(
        "no broker answered at {broker} within {seconds} s: {reason}; start it, or name another with --broker"
    )]
    NoBroker { broker: String, seconds: f64, reason: String },
}
