//! From one configuration to the next without a break.
//!
//! The engine switches when it applies the entry that holds the new text, so a replay of the journal and a start
//! after a crash switch at the same place. All state goes through the bytes of a checkpoint into an engine of the new
//! configuration: what a switch keeps is what a restart keeps, by the same code ([`nature`] tells which). Windows
//! of new and changed queries are filled from what the journal holds ([`backfill`]) or with what history tells
//! ([`filling`]), or begin empty.

pub(crate) mod backfill;
pub(crate) mod filling;
pub(crate) mod nature;

use std::sync::Arc;

use ingest::entry::Change;
use sinks::emission::Emission;

use self::backfill::Past;
use self::nature::Nature;
use super::{Engine, EngineError, Room};
use crate::config::{Config, Mistake};
use crate::wire::{self, WireError};

impl Engine {
    /// The configuration that applies.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What decides the state of each of its rules and views.
    #[must_use]
    pub(crate) fn natures(&self) -> &[Nature] {
        self.rules.natures()
    }

    /// Ordinal of the newest message that it has applied.
    #[must_use]
    pub fn last_message(&self) -> u64 {
        self.last_message
    }

    /// Where it can read again what it has applied, to fill new windows with.
    pub fn remember(&mut self, past: Box<dyn Past>) {
        self.past = Some(past);
    }

    /// Where it keeps what it hardly ever looks at; else that is in memory.
    pub fn keep_in(&mut self, room: Arc<dyn Room>) {
        self.repeats.keep_in(room);
    }

    /// A fresh engine of a configuration whose entry is on its way: the switch need not wait for the rules to be
    /// compiled, and comes out the same.
    pub fn expect(&mut self, prepared: Engine) {
        self.prepared = Some(Box::new(prepared));
    }

    /// From here on the configuration of `text` applies; `change` unless the service has started.
    pub(super) fn configure(
        &mut self,
        text: &str,
        change: Option<Change>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if change.is_none() {
            self.rules.silences.started();
        }
        // An empty text stands for no change: where nothing is configured by files.
        if text.is_empty() || text == self.config.text {
            return Ok(());
        }
        self.seal()?;
        self.settle_belated(out)?;
        self.tell_exceptions(out)?;
        self.tell_rejects(out)?;
        let prepared = self.prepared.take().filter(|prepared| prepared.config.text == text);
        let mut fresh = match prepared {
            Some(prepared) => *prepared,
            None => compiled(text)?,
        };
        let waits = change.is_some_and(|change| change.waits_for_history);
        let filled = match change.and_then(|change| change.readings_from) {
            Some(from) => self.back_filled(&fresh, from)?,
            None => Vec::new(),
        };
        let filled_names: Vec<String> = filled.iter().map(|state| state.name().to_owned()).collect();
        let state = self.snapshot()?;
        let config = Arc::clone(&fresh.config);
        fresh.repeats.share_room(&self.repeats);
        fresh.restore_filled(&config, &state, filled)?;
        if waits {
            self.wait_for_history(&mut fresh, &filled_names)?;
        }
        fresh.functions.settings_changed(self.functions.changes());
        fresh.block_rows = self.block_rows;
        fresh.rules.threads = self.rules.threads;
        fresh.live = std::mem::take(&mut self.live);
        fresh.past = self.past.take();
        *self = fresh;
        self.tell_exceptions(out)
    }
}

fn compiled(text: &str) -> Result<Engine, EngineError> {
    let unreadable = |mistakes: Vec<Mistake>| EngineError::Configuration {
        reason: mistakes.first().map(Mistake::to_string).unwrap_or_default(),
    };
    let config = Config::from_text(text).map_err(unreadable)?;
    wire::engine(&config).map_err(|error| match error {
        WireError::Engine(error) => error,
        error => EngineError::Configuration { reason: error.to_string() },
    })
}
