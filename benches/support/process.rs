//! What a process of its own needs: CPU time, time on the wall, memory at its peak.

use std::process::{Command, Stdio};
use std::time::Duration;

use ingest::time::{Clock, SystemClock};

/// Memory is looked at this often. The kernel keeps the peak, so only what is asked for at the very end can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Of the figures in `/proc`, on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// What it took to run a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) peak_mb: f64,
}

impl Cost {
    /// The least of the times, the most of the memory.
    pub(crate) fn best(self, other: Cost) -> Cost {
        Cost {
            cpu_s: self.cpu_s.min(other.cpu_s),
            wall_s: self.wall_s.min(other.wall_s),
            peak_mb: self.peak_mb.max(other.peak_mb),
        }
    }
}

/// Runs it to its end, its output thrown away; what it complained of where it failed. Nothing else may be waited for meanwhile.
pub(crate) fn measure(command: &mut Command) -> Result<Cost, String> {
    let clock = SystemClock::default();
    let (cpu_before, started_us) = (cpu_of_children_s(), clock.monotonic_us());
    let mut complaints = tempfile::tempfile().map_err(|error| error.to_string())?;
    let stderr = complaints.try_clone().map_err(|error| error.to_string())?;
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    let mut process = command.spawn().map_err(|error| error.to_string())?;
    let mut peak_kb = 0;
    let status = loop {
        peak_kb = peak_kb.max(peak_kb_of(process.id()));
        match process.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let wall_s = (clock.monotonic_us() - started_us) as f64 / 1e6;
    if status.success() {
        let cpu_s = cpu_of_children_s() - cpu_before;
        return Ok(Cost { cpu_s, wall_s, peak_mb: peak_kb as f64 / 1024.0 });
    }
    let mut text = String::new();
    let read = std::io::Seek::rewind(&mut complaints)
        .and_then(|()| std::io::Read::read_to_string(&mut complaints, &mut text));
    read.map_err(|error| error.to_string())?;
    Err(format!("{status}: {}", text.trim()))
}

/// Largest resident memory of a process so far; 0 where it is gone.
pub(crate) fn peak_kb_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

/// CPU time of all processes that this one has started and that have ended.
fn cpu_of_children_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: fields 3 and on, of which the 16th and 17th are meant.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}
