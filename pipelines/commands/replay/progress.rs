//! How far a replay is.

use std::io::IsTerminal;

use ingest::time::Clock;
use sinks::view::Counts;

/// A line on stderr that tells how far it is; nothing in a pipe.
pub(super) struct Progress {
    is_shown: bool,
    next_us: u64,
}

impl Progress {
    pub(super) fn new() -> Self {
        Progress { is_shown: std::io::stderr().is_terminal(), next_us: 0 }
    }

    pub(super) fn show(&mut self, counts: Counts, clock: &dyn Clock, started_us: u64) {
        if !self.is_shown {
            return;
        }
        let elapsed_us = clock.monotonic_us() - started_us;
        if elapsed_us >= self.next_us {
            self.next_us = elapsed_us + 500_000;
            let rate = counts.messages as f64 / (elapsed_us as f64 / 1e6).max(1e-9);
            eprint!(
                "\r{} messages, {} rows, {} exceptions, {rate:.0} messages/s ",
                counts.messages, counts.applied, counts.exceptions
            );
        }
    }

    pub(super) fn end(&self) {
        if self.is_shown {
            eprintln!();
        }
    }
}
