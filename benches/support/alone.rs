//! The engine alone: entries of a recording in, emissions thrown away.

use std::path::Path;
use std::time::Duration;

use ingest::entry::{Entry, IntakeBuilder};
use ingest::intake::Arrivals;
use ingest::recording::{Recorded, RecordedMessages, Recording};
use ingest::time::Epoch;
use pipelines::commands::replay::INTAKE_BYTES;
use pipelines::config::Config;
use pipelines::engine::Engine;
use pipelines::wire;
use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process.
pub(crate) fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Hands on the entries of a recording, one by one, as replay makes them.
pub(crate) fn for_each_entry(path: &Path, mut take: impl FnMut(Entry)) {
    let mut recording = Recording::open(path, None).expect("opens");
    let (mut intake, mut next) = (IntakeBuilder::new(), 1);
    let mut arrivals: Option<Arrivals> = None;
    let mut flush = |intake: &mut IntakeBuilder, take: &mut dyn FnMut(Entry)| {
        if !intake.is_empty() {
            let messages = u64::from(intake.messages());
            take(Entry::Intake(intake.finish(next)));
            next += messages;
        }
    };
    while recording.advance().expect("reads") {
        let Recorded::Message { topic, arrived_ms, payload } = recording.current() else { continue };
        let arrivals =
            arrivals.get_or_insert_with(|| Arrivals::new(None, arrived_ms, Epoch(0), Duration::from_secs(5)));
        let passed = arrivals.pass(arrived_ms);
        if passed.is_some() || intake.bytes() >= INTAKE_BYTES {
            flush(&mut intake, &mut take);
        }
        if let Some(passed) = passed {
            passed.tick.into_iter().chain(passed.cut).for_each(&mut take);
        }
        intake.push(topic, payload, arrivals.last_ms());
    }
    flush(&mut intake, &mut take);
}

/// An engine whose CPU time is counted.
pub(crate) struct Alone {
    engine: Engine,
    /// Of all that was applied.
    pub(crate) cpu_ns: u64,
}

impl Alone {
    pub(crate) fn new(config: &Config) -> Alone {
        Alone { engine: wire::engine(config).expect("rules compile"), cpu_ns: 0 }
    }

    pub(crate) fn apply(&mut self, entry: &Entry) {
        let mut out = Vec::new();
        let started = cpu_ns();
        self.engine.apply(entry, &mut out).expect("applies");
        drop(out);
        self.cpu_ns += cpu_ns() - started;
    }

    /// Shows what is open.
    pub(crate) fn end(&mut self) {
        let started = cpu_ns();
        self.engine.end_of_input(&mut Vec::new()).expect("ends");
        self.cpu_ns += cpu_ns() - started;
    }

    /// Bytes of a checkpoint, and the CPU time that making it takes.
    #[allow(dead_code, reason = "another benchmark uses the rest")]
    pub(crate) fn snapshot(&mut self) -> (usize, u64) {
        let started = cpu_ns();
        let bytes = self.engine.snapshot().expect("it can be written").len();
        (bytes, cpu_ns() - started)
    }

    /// Messages so far.
    pub(crate) fn messages(&self) -> u64 {
        self.engine.counts().messages
    }
}
