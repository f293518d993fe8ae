//! Changed rules, taken up while the service runs.
//!
//! ```text
//!  rules/ ──► thread andon-rules ──compiled──► loop ──configuration──► intake ──► JOURNAL ──► engine switches
//!             looks each second, checks            where new windows        at a cut
//!             and compiles                         are filled from
//! ```
//!
//! Windows that need more than the journal holds are filled from the exports, see [`filler`].
//!
//! The journal is the truth: what applies is the text in it, and the folder is only where a new one comes from. So
//! at a start, too, a folder that differs from the journaled text is a change like any other.

mod filler;
mod retained;
mod watcher;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};

use ingest::entry::{Change, Entry};
use ingest::intake::{IntakeError, IntakeHandle};
use ingest::time::Offset;

pub(super) use self::filler::Filler;
pub(super) use self::retained::Retained;
use self::watcher::Watcher;
use super::epochs::Epochs;
use super::shared_journal::SharedJournal;
use super::{RunError, Service, Stop};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::switch::nature::{Fate, fates};

/// Asks for the files to be read again, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Reread(Arc<AtomicBool>);

impl Reread {
    /// Asks for it, as SIGHUP does.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// The files of a running service.
#[derive(Clone, Debug)]
pub struct Files {
    /// The `andon.toml`; metrics, assets and rules are beside it.
    pub file: PathBuf,
    pub reread: Reread,
}

/// Why the files as they are now do not apply, a line for each mistake; empty if they do.
#[derive(Clone, Debug, Default)]
pub struct Refused(Arc<Mutex<Vec<String>>>);

impl Refused {
    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them; gives whether there were any.
    fn set(&self, mistakes: Vec<String>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *known, mistakes).is_empty()
    }
}

/// What the loop knows of changes.
#[derive(Debug, Default)]
pub(super) struct Reload {
    /// Engines of configurations that are to apply, compiled by the watcher. Bound: it makes one a second at most, and the
    /// loop takes each at once.
    found: Option<Receiver<Box<Engine>>>,
    /// On its way to the intake.
    waiting: Option<Entry>,
    pub(super) filler: Filler,
}

impl Service {
    /// Watches the files from now on.
    pub(super) fn watch_files(&mut self, config: &Config, files: Files, stop: &Stop) -> Result<(), RunError> {
        let (sender, found) = channel();
        self.reload.found = Some(found);
        let watcher = Watcher::new(config.clone(), files, self.painter.refused(), sender);
        let stop = stop.clone();
        let thread = std::thread::Builder::new().name("andon-rules".to_owned());
        thread.spawn(move || watcher.run(&stop)).map(|_| ()).map_err(RunError::Threads)
    }

    /// The entry that makes the configuration of `prepared` apply, which the engine then expects.
    pub(super) fn entry_for(&mut self, prepared: Engine) -> Entry {
        let Epochs { engine, journal, retained, .. } = &mut self.epochs;
        let exports = engine.tells_telemetry();
        let fated = fates(engine.natures(), prepared.natures(), exports);
        let begins = || fated.iter().filter(|fated| matches!(fated.fate, Fate::New | Fate::BackFilled));
        let needed = begins().filter_map(|fated| fated.nature.fills()).max();
        let needs_steps =
            begins().any(|fated| fated.nature.fills().is_none() && fated.nature.past_ms().is_some());
        let mut waits_for_history = exports && needs_steps;
        let settings = &engine.config().engine;
        let (lateness, ahead) = (settings.lateness, settings.clock_bound);
        let oldest = journal.with(|journal| journal.first_offset());
        let readings_from = needed.and_then(|length| {
            // What is not closed yet begins a window's length and the lateness ago.
            let needed = length + lateness;
            if exports && !retained.is_enough(needed, ahead, oldest) {
                waits_for_history = true;
                return None;
            }
            retained.choose(needed, ahead, oldest)
        });
        let text = prepared.config().text.clone();
        engine.expect(prepared);
        let engine = env!("CARGO_PKG_VERSION").to_owned();
        Entry::Configuration { engine, text, change: Some(Change { readings_from, waits_for_history }) }
    }

    /// Hands a configuration that is to apply to the intake, if there is one.
    pub(super) fn take_change(&mut self, intake: &IntakeHandle) {
        let found = self.reload.found.as_ref().map_or(Err(TryRecvError::Empty), Receiver::try_recv);
        if let Ok(prepared) = found {
            let entry = self.entry_for(*prepared);
            self.reload.waiting = Some(entry);
        }
        if let Some(entry) = &self.reload.waiting
            && !matches!(intake.submit(entry.clone()), Err(IntakeError::Busy { .. }))
        {
            self.reload.waiting = None;
        }
    }

    /// Reads history for windows that wait for it.
    pub(super) fn fill_windows(&mut self, intake: &IntakeHandle) -> Result<(), RunError> {
        let Service { epochs, reload, stop, .. } = self;
        let config = Arc::clone(epochs.engine.config());
        reload.filler.go_on(epochs.history_is_due(), &config, intake, stop)
    }

    /// The engine has taken in what history told of new windows.
    pub(super) fn filled(&mut self) {
        self.reload.filler.forget();
    }

    /// The engine has applied a configuration.
    pub(super) fn configured(&mut self, offset: Offset) {
        self.reload.filler.forget();
        let config = Arc::clone(self.epochs.engine.config());
        if self.painter.configured(&config) {
            tracing::info!(
                configuration = config.version,
                offset = offset.0,
                "this configuration applies now"
            );
        }
    }
}

/// The journal, for the engine to read again.
#[derive(Debug)]
pub(super) struct JournalPast(pub(super) SharedJournal);

impl crate::engine::Past for JournalPast {
    fn entries(&self, from: Offset) -> Result<crate::engine::PastEntries<'_>, crate::engine::PastError> {
        let entries = self.0.with(|journal| journal.read(from))?;
        Ok(Box::new(entries.map(|entry| Ok(entry?.1))))
    }
}
