//! Reads history for windows that wait for it, beside the service.
//!
//! ```text
//!  engine waits ──all rows told and shown──► thread andon-history ──windows──► loop ──filling──► intake ──► JOURNAL
//! ```
//!
//! Bound: one reading at a time; what it finds has at most [`BYTES_MAX`]. Beyond it, or where [`refill`] cannot read, the
//! windows begin with what comes from now on, which is logged.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use ingest::entry::Entry;
use ingest::intake::{IntakeError, IntakeHandle};

use crate::config::Config;
use crate::engine::switch::filling::{Filled, Filling};
use crate::refill;
use crate::run::{RunError, Stop};

/// Of an entry of the journal, which is mirrored and applied as a whole.
const BYTES_MAX: usize = 64 << 20;

/// What is on its way.
#[derive(Debug, Default)]
pub(in crate::run) struct Filler {
    /// Of the exports.
    folder: PathBuf,
    /// The message up to which history is being read, or was.
    reading: Option<u64>,
    found: Option<Receiver<Entry>>,
    /// On its way to the intake.
    waiting: Option<Entry>,
}

impl Filler {
    /// Reads what is exported to `folder`.
    pub(in crate::run) fn of(folder: &Path) -> Self {
        Filler { folder: folder.to_owned(), ..Filler::default() }
    }

    /// Begins to read if that is due, and hands on what was found.
    pub(in crate::run) fn go_on(
        &mut self,
        due: Option<&Filling>,
        config: &Config,
        intake: &IntakeHandle,
        stop: &Stop,
    ) -> Result<(), RunError> {
        if let Some(found) = &self.found {
            match found.try_recv() {
                Ok(entry) => (self.found, self.waiting) = (None, Some(entry)),
                Err(TryRecvError::Empty) => {}
                // It has ended without a word; no bytes stand for windows that go without.
                Err(TryRecvError::Disconnected) => {
                    self.found = None;
                    self.waiting = self
                        .reading
                        .map(|until_message| Entry::Filling { until_message, windows: Vec::new().into() });
                }
            }
        }
        if let Some(entry) = &self.waiting
            && !matches!(intake.submit(entry.clone()), Err(IntakeError::Busy { .. }))
        {
            self.waiting = None;
        }
        let Some(filling) = due.filter(|filling| self.reading != Some(filling.until_message)) else {
            return Ok(());
        };
        if self.found.is_some() || self.waiting.is_some() {
            return Ok(());
        }
        let (sender, found) = channel();
        self.found = Some(found);
        self.reading = Some(filling.until_message);
        let (filling, config, folder) = (filling.clone(), config.clone(), self.folder.clone());
        let stop = stop.clone();
        let read = move || {
            let windows = told(&filling, &config, &folder, &stop);
            if !stop.is_asked() {
                let _ = sender
                    .send(Entry::Filling { until_message: filling.until_message, windows: windows.into() });
            }
        };
        let thread = std::thread::Builder::new().name("andon-history".to_owned());
        thread.spawn(read).map(|_| ()).map_err(RunError::Threads)
    }

    /// A configuration or a filling has been applied: the next one that is due is another.
    pub(in crate::run) fn forget(&mut self) {
        self.reading = None;
    }
}

/// What history tells, for the journal. Where it cannot be read the windows go without.
fn told(filling: &Filling, config: &Config, folder: &Path, stop: &Stop) -> Vec<u8> {
    let rules = filling.rules.join(", ");
    tracing::info!("{rules}: reading what was exported");
    let without = |reason: &str| {
        tracing::warn!("{rules}: {reason}; these windows begin with what comes from now on");
        Filled { without: filling.rules.clone(), ..Filled::default() }
    };
    let (filled, rows) = match refill::read(filling, config, folder, || stop.is_asked()) {
        Ok((filled, rows)) => (filled, rows),
        Err(error) => (without(&format!("the exports cannot fill them: {error}")), 0),
    };
    let encoded = filled.encode().unwrap_or_default();
    if encoded.len() > BYTES_MAX {
        let filled = without(&format!("{} MB of windows are too many to fill", encoded.len() >> 20));
        return filled.encode().unwrap_or_default();
    }
    if filled.without.is_empty() {
        tracing::info!(rows, bytes = encoded.len(), "{rules}: filled with what was exported");
    }
    encoded
}
