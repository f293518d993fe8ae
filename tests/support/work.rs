//! Work on the bays of a shop, told in messages.

use std::time::Duration;

use ingest::time::{Clock, SystemClock};

use super::mosquitto::Publisher;

/// A publisher that says what happens on bays, and remembers how much of it the broker has acknowledged.
pub(crate) struct Work {
    publisher: Publisher,
    port: u16,
    clock: SystemClock,
    seq: u64,
    /// What the broker has not acknowledged: published again over the next connection, as a gateway does.
    outbox: Vec<(String, Vec<u8>)>,
    /// Readings published.
    pub(crate) readings: u64,
    /// Step events, bookings and cards published.
    pub(crate) events: u64,
    /// Messages published that nobody can read.
    pub(crate) nonsense: u64,
}

impl Work {
    pub(crate) fn on(port: u16) -> Work {
        let clock = SystemClock::default();
        Work {
            publisher: Publisher::connect(port),
            port,
            clock,
            seq: 0,
            outbox: Vec::new(),
            readings: 0,
            events: 0,
            nonsense: 0,
        }
    }

    /// Goes on over another connection.
    pub(crate) fn reconnect(&mut self, port: u16) {
        self.publisher = Publisher::connect(port);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Everything so far is with the broker, for good.
    pub(crate) fn settle(&mut self) {
        if self.publisher.try_settle().is_err() {
            self.again();
        }
        self.outbox.clear();
    }

    /// The broker is gone: everything that it has not acknowledged goes to the next one.
    fn again(&mut self) {
        for _ in 0..1_000 {
            std::thread::sleep(Duration::from_millis(20));
            let Ok(publisher) = Publisher::try_named(self.port, 0) else { continue };
            self.publisher = publisher;
            let Work { outbox, publisher, .. } = self;
            let mut sent = outbox.iter().map(|(topic, payload)| publisher.try_publish(topic, payload, 1));
            if sent.all(|sent| sent.is_ok()) && publisher.try_settle().is_ok() {
                outbox.clear();
                return;
            }
        }
        panic!("the broker does not come back");
    }

    /// A tool reads `value` now. Sequence numbers are the shop's, so each is there once.
    pub(crate) fn reading(&mut self, bay: &str, tool: &str, metric: &str, value: f64) {
        self.readings += 1;
        let topic = format!("workshop/lyon/{bay}/{tool}/telemetry");
        self.seq += 1;
        let (ts, seq) = (self.now_ms(), self.seq);
        let payload = format!(r#"{{"ts":{ts},"metric":"{metric}","value":{value},"seq":{seq}}}"#);
        self.message(&topic, payload.as_bytes());
    }

    /// The card of a job of one step: five joints of 80 to 95 N.m and 4.2 l of oil.
    pub(crate) fn card(&mut self, job: &str) {
        self.events += 1;
        let ts = self.now_ms();
        let payload = format!(
            r#"{{"ts":{ts},"job":"{job}","vehicle":"V1","steps":[{{"step":"S01","operation":"wheel","standard_s":600,
            "expect":[{{"metric":"torque","min":80,"max":95,"count":5}}],
            "resources":[{{"resource":"oil_5w30","quantity":4.2,"unit":"L"}}]}}]}}"#
        );
        self.message("workshop/lyon/jobs", payload.as_bytes());
    }

    /// Something happens to the step of a job.
    pub(crate) fn step(&mut self, bay: &str, job: &str, event: &str) {
        self.events += 1;
        let topic = format!("workshop/lyon/{bay}/steps");
        self.seq += 1;
        let (ts, seq) = (self.now_ms(), self.seq);
        let payload = format!(
            r#"{{"ts":{ts},"job":"{job}","step":"S01","technician":"T17","event":"{event}","seq":{seq}}}"#
        );
        self.message(&topic, payload.as_bytes());
    }

    /// A booking by hand.
    pub(crate) fn booking(&mut self, bay: &str, litres: f64) {
        self.events += 1;
        let topic = format!("workshop/lyon/{bay}/usage");
        self.seq += 1;
        let (ts, seq) = (self.now_ms(), self.seq);
        let payload =
            format!(r#"{{"ts":{ts},"resource":"oil_5w30","quantity":{litres},"unit":"L","seq":{seq}}}"#);
        self.message(&topic, payload.as_bytes());
    }

    /// A message that is cut in the middle.
    pub(crate) fn nonsense(&mut self, bay: &str, tool: &str) {
        self.seq += 1;
        self.nonsense += 1;
        let payload = format!(r#"{{"ts":{},"seq":{},"metr"#, self.now_ms(), self.seq);
        self.message(&format!("workshop/lyon/{bay}/{tool}/telemetry"), payload.as_bytes());
    }

    /// Any message, with QoS 1.
    pub(crate) fn message(&mut self, topic: &str, payload: &[u8]) {
        self.outbox.push((topic.to_owned(), payload.to_vec()));
        if self.publisher.try_publish(topic, payload, 1).is_err() {
            self.again();
        } else if self.outbox.len() >= 20 {
            self.settle();
        }
    }
}
