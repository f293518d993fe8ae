//! Ways to go through a scenario, which all come to the same.

use std::num::NonZeroUsize;

use crate::config::Config;
use crate::engine::Engine;
use crate::wire::{self, WireError};

/// How messages are grouped into entries, and whether the engine is moved to another process meanwhile. What comes out
/// is the same in every way; the default is an entry for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// All messages between two ticks in one entry.
    pub together: bool,
    /// Each second of a tick entry as an entry of its own.
    pub second_by_second: bool,
    /// After every entry the state goes into a fresh engine, as at a start after a crash.
    pub restored: bool,
    /// Rows of a block, if not as many as usual.
    pub block_rows: Option<NonZeroUsize>,
    /// Threads that windows are folded on, if not as many as are worth their start.
    pub threads: Option<NonZeroUsize>,
    /// Messages are decoded ahead of the engine, in groups of so many or more.
    pub ahead_from: Option<NonZeroUsize>,
}

impl Way {
    pub(super) fn engine(self, config: &Config) -> Result<Engine, WireError> {
        let mut engine = wire::engine(config)?;
        self.block_rows.into_iter().for_each(|rows| engine.fill_blocks_to(rows));
        self.threads.into_iter().for_each(|threads| engine.fold_on(threads));
        Ok(engine)
    }
}
