//! How far a backtest is.

use std::io::IsTerminal;

use ingest::time::Clock;

use crate::backtest::Progress;

/// A line on stderr that tells how far it is; nothing in a pipe.
pub(super) struct ProgressLine {
    is_shown: bool,
    started_us: u64,
    next_us: u64,
}

impl ProgressLine {
    pub(super) fn new(started_us: u64) -> Self {
        ProgressLine { is_shown: std::io::stderr().is_terminal(), started_us, next_us: 0 }
    }

    pub(super) fn show(&mut self, progress: Progress, clock: &dyn Clock) {
        if !self.is_shown {
            return;
        }
        let elapsed_us = clock.monotonic_us() - self.started_us;
        if elapsed_us >= self.next_us {
            self.next_us = elapsed_us + 500_000;
            eprint!("\r{} ", said(progress, elapsed_us));
        }
    }

    pub(super) fn end(&self) {
        if self.is_shown {
            eprintln!();
        }
    }
}

fn said(progress: Progress, elapsed_us: u64) -> String {
    let Progress { read, rows, exceptions } = progress;
    let rate = read as f64 / (elapsed_us as f64 / 1e6).max(1e-9);
    let left_s = (rows.saturating_sub(read) as f64 / rate.max(1e-9)).ceil();
    format!("{read} of {rows} rows, {exceptions} exceptions, {rate:.0} rows/s, {left_s:.0} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_how_long_it_will_take() {
        let progress = Progress { read: 2_000_000, rows: 8_000_000, exceptions: 17 };
        let text = said(progress, 1_000_000);
        assert_eq!(text, "2000000 of 8000000 rows, 17 exceptions, 2000000 rows/s, 3 s left");
    }
}
