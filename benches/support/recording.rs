//! The recording that benchmarks replay, the same bytes each time.
//!
//! Bays of ten tools with 7 metrics, 1 % of the messages up to 2 s out of order, steps of 1 to 5 minutes, each tool with a
//! `seq` of its own: the recording of the peers that the floor was measured with.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

pub(crate) const METRICS: [(&str, &str); 7] = [
    ("torque", "N.m"),
    ("angle", "deg"),
    ("temperature", "Cel"),
    ("voltage", "V"),
    ("air_pressure", "bar"),
    ("vibration", "mm/s"),
    ("current", "A"),
];
const START_MS: u64 = 1_767_596_400_000;
/// For so long a tool says nothing, where there are silences.
const SILENCE_MS: u64 = 45_000;
/// In one of so many of these stretches; a prime, so that no tool is silent in two that follow each other.
const SILENT_OF: u64 = 97;

/// Whose messages are recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shop {
    pub(crate) bays: u64,
    /// On each bay.
    pub(crate) tools: u64,
    /// Messages a second of all of them.
    pub(crate) rate: u64,
    /// Whether tools fall silent now and then.
    pub(crate) has_silences: bool,
}

impl Default for Shop {
    fn default() -> Self {
        Shop { bays: 100, tools: 10, rate: 10_000, has_silences: false }
    }
}

impl Shop {
    fn is_silent(&self, bay: u64, tool: u64, at_ms: u64) -> bool {
        let stretch = (at_ms - START_MS) / SILENCE_MS;
        self.has_silences && stretch > 0 && (stretch * 31 + bay * self.tools + tool).is_multiple_of(SILENT_OF)
    }

    /// Writes so many readings, and the step events between them.
    pub(crate) fn record(&self, path: &Path, messages: u64) -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
        let mut random = fastrand::Rng::with_seed(1);
        let mut steps = vec![(0_u64, 0_u64); self.bays as usize];
        let mut seqs = vec![0_u64; (self.bays * self.tools) as usize];
        let mut line = String::new();
        for message in 0..messages {
            let at_ms = START_MS + message * 1000 / self.rate;
            let bay = random.u64(0..self.bays);
            let (number, ends_ms) = &mut steps[bay as usize];
            line.clear();
            if at_ms >= *ends_ms {
                for (event, step) in [("finished", *number), ("started", *number + 1)] {
                    if step > 0 {
                        let _ = writeln!(
                            line,
                            r#"{{"tst":"{}","topic":"workshop/lyon/bay-{bay:03}/steps","qos":1,"retain":0,"payloadlen":90,"payload":{{"ts":{at_ms},"job":"J{bay:03}","step":"S{step}","technician":"T{bay}","event":"{event}"}}}}"#,
                            stamp(at_ms)
                        );
                    }
                }
                *number += 1;
                *ends_ms = at_ms + random.u64(60_000..300_000);
            }
            let mut tool = random.u64(0..self.tools);
            while self.is_silent(bay, tool, at_ms) {
                tool = (tool + 1) % self.tools;
            }
            let (metric, unit) = METRICS[random.usize(0..METRICS.len())];
            let ts_ms = if random.u32(0..100) == 0 { at_ms - random.u64(0..2000) } else { at_ms };
            let value = random.u64(60_000..100_000);
            let seq = &mut seqs[(bay * self.tools + tool) as usize];
            *seq += 1;
            let _ = writeln!(
                line,
                r#"{{"tst":"{}","topic":"workshop/lyon/bay-{bay:03}/tool-{tool}/telemetry","qos":1,"retain":0,"payloadlen":90,"payload":{{"ts":{ts_ms},"metric":"{metric}","value":{}.{:03},"unit":"{unit}","seq":{seq}}}}}"#,
                stamp(at_ms),
                value / 1000,
                value % 1000
            );
            out.write_all(line.as_bytes())?;
        }
        out.flush()
    }
}

fn stamp(ms: u64) -> String {
    let (minutes, seconds) = (ms / 60_000 % 60, ms / 1000 % 60);
    let hours = 7 + (ms - START_MS) / 3_600_000;
    format!("2026-01-05T{hours:02}:{minutes:02}:{seconds:02}.{:03}000+0000", ms % 1000)
}
