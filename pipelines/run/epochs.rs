//! Durable entries to safe epochs: the part of the service that needs no thread, no clock and no network.
//!
//! The service and the simulation of its crashes drive the same code; they differ in what is plugged in.

mod ahead;
mod closing;
mod outlets;
mod writing;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ingest::entry::{Change, Entry};
use ingest::intake::Start;
use ingest::journal::{Journal, Recovered};
use ingest::time::{Clock, Epoch, Offset};
use sinks::emission::Emission;

use self::ahead::Ahead;
use self::closing::{Closing, Keeping, Showing};
pub use self::outlets::Sinks;
pub use self::writing::CheckpointWriter;
use super::RunError;
use super::abroad::{Abroad, Unshown};
use super::reload::{JournalPast, Retained};
use super::shared_journal::SharedJournal;
use crate::checkpoint::{Checkpoint, CheckpointFolder};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::switch::filling::Filling;
use crate::mirror::Mirror;

/// Everything that is opened before the first entry.
#[derive(Debug)]
pub struct Opened<S> {
    /// Of the configuration that `newest` was made under, or of that of the files.
    pub engine: Engine,
    pub newest: Option<Checkpoint>,
    pub journal: Journal,
    pub recovered: Recovered,
    pub checkpoints: CheckpointFolder,
    pub writer: CheckpointWriter,
    pub sinks: Arc<S>,
}

/// Applies entries and makes epochs safe.
#[derive(Debug)]
pub struct Epochs<S> {
    pub(super) engine: Engine,
    sinks: Arc<S>,
    checkpoints: Arc<CheckpointFolder>,
    writer: CheckpointWriter,
    pub(super) journal: SharedJournal,
    out: Vec<Emission>,
    applied: Offset,
    epoch: Epoch,
    /// Where to resume by kept checkpoint, oldest first: the journal before the first is not needed.
    resumes: Vec<Offset>,
    pub(super) keep: usize,
    /// As much of the journal is kept as nobody needs any more.
    journal_bytes: u64,
    pub(super) retained: Retained,
    /// The epoch with which all rows were told that history is to fill windows with, and the message up to which.
    told: Option<(u64, Epoch)>,
    /// The epoch that the sinks make safe.
    closing: Option<Closing>,
    /// The epoch whose checkpoint is being written.
    keeping: Option<Keeping>,
    /// Epochs that are safe and wait for the mirror, or for a backup that is made, oldest first.
    unshown: VecDeque<Unshown>,
    /// The epoch that is being shown.
    showing: Option<Showing>,
    pub(super) abroad: Option<Abroad>,
}

/// Is told what is waited for while a disk is full, and says whether to go on waiting.
pub type Wait<'a> = &'a mut dyn FnMut(&str) -> bool;

impl<S: Sinks> Epochs<S> {
    /// Restores the newest checkpoint and shows its epoch. [`recover`](Self::recover) comes next, and then
    /// [`opening`](Self::opening) gives the first entry to be written.
    ///
    /// # Errors
    /// A checkpoint that is damaged or of another journal, or what the sinks say.
    pub fn open(config: &Config, opened: Opened<S>) -> Result<(Self, Start), RunError> {
        let Opened { mut engine, newest, journal, recovered, checkpoints, writer, sinks } = opened;
        let resume_at = newest.as_ref().map_or(Offset(1), Checkpoint::resume_at);
        if resume_at > recovered.next_offset {
            return Err(RunError::Mismatch {
                journal: recovered.next_offset.0,
                checkpoint: resume_at.0,
                folder: config.journal.folder.clone(),
            });
        }
        if let Some(checkpoint) = &newest {
            let applies = Arc::clone(engine.config());
            engine.restore(&applies, &checkpoint.engine)?;
            sinks.commit(checkpoint.epoch(), &checkpoint.receipts)?.wait()?;
        }
        let retained = Retained::of(&journal, resume_at)?;
        let journal = SharedJournal(Arc::new(Mutex::new(journal)));
        engine.remember(Box::new(JournalPast(journal.clone())));
        let epochs = Epochs {
            engine,
            sinks,
            checkpoints: Arc::new(checkpoints),
            writer,
            journal,
            out: Vec::new(),
            applied: Offset(resume_at.0.saturating_sub(1)),
            epoch: newest.as_ref().map_or(Epoch(0), Checkpoint::epoch),
            resumes: vec![resume_at],
            keep: config.checkpoint.keep.max(1),
            journal_bytes: config.retention.journal_bytes,
            retained,
            told: None,
            closing: None,
            keeping: None,
            unshown: VecDeque::new(),
            showing: None,
            abroad: None,
        };
        let start = Start {
            next_message: recovered.next_message,
            last_at_ms: recovered.last_at_ms,
            last_epoch: recovered.last_epoch,
            opening: Vec::new(),
        };
        Ok((epochs, start))
    }

    /// Applies what the journal holds behind the checkpoint, with its cuts, as if it had just come; how many entries
    /// that were. `is_over` is asked between two.
    ///
    /// # Errors
    /// As [`step`](Self::step), or a journal that cannot be read.
    pub fn recover(&mut self, wait: Wait<'_>, is_over: impl Fn() -> bool) -> Result<u64, RunError> {
        // The entries are read from the files, so the journal need not stay locked.
        let from = self.applied.next();
        let entries = self.journal.with(|journal| journal.read(from))?;
        let entries: Box<dyn Iterator<Item = _>> = match self.writer {
            CheckpointWriter::Thread => Box::new(Ahead::of(entries).map_err(RunError::Threads)?),
            CheckpointWriter::Here { .. } => Box::new(entries),
        };
        let mut applied: u64 = 0;
        for entry in entries {
            let (offset, entry) = entry?;
            self.step(offset, &entry, wait)?;
            applied += 1;
            if is_over() {
                break;
            }
        }
        Ok(applied)
    }

    /// Takes one entry through the engine and to the sinks; a cut begins to make the epoch safe, and then seen, which goes
    /// on while further entries are taken. Whether something was told that boards show at once.
    ///
    /// # Errors
    /// Whatever waiting does not mend. The journal since the last checkpoint is applied again after the next start.
    pub fn step(&mut self, offset: Offset, entry: &Entry, wait: Wait<'_>) -> Result<bool, RunError> {
        assert_eq!(offset, self.applied.next(), "entries are applied in order, each once");
        self.engine.stands_at(offset);
        self.engine.apply(entry, &mut self.out)?;
        self.applied = offset;
        if let Entry::Configuration { change, .. } = entry {
            self.switched(offset, *change)?;
        }
        let is_seen = |stream: &str| ["exceptions", "job_cards", "job_steps"].contains(&stream);
        let raised = self.out.iter().any(|emission| is_seen(&emission.stream));
        for emission in self.out.drain(..) {
            self.sinks.write(&emission)?;
        }
        if let Entry::Cut { epoch, at_ms } = entry {
            self.retained.cut(offset.next(), *at_ms, self.engine.last_message());
            self.look_for_told(*epoch);
            self.cut(*epoch, wait)?;
        }
        self.go_on(wait)?;
        Ok(raised)
    }

    /// An epoch ends: notes whether it has the last rows that new windows wait for.
    fn look_for_told(&mut self, epoch: Epoch) {
        let Some(filling) = self.engine.filling() else { return };
        let until = filling.until_message;
        if self.told.is_none_or(|(told, _)| told != until) && self.engine.has_told_until(until) {
            self.told = Some((until, epoch));
        }
    }

    /// The engine has applied a configuration.
    fn switched(&mut self, offset: Offset, change: Option<Change>) -> Result<(), RunError> {
        if let Some(from) = change.and_then(|change| change.readings_from) {
            self.retained.used(from, offset);
        }
        self.sinks.extend(&crate::exports::streams(&self.engine))?;
        Ok(())
    }
}

impl<S> Epochs<S> {
    /// The state right of the journal.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The entry that comes first after a start: the configuration that applies.
    #[must_use]
    pub fn opening(&self) -> Entry {
        let (engine, text) = (env!("CARGO_PKG_VERSION").to_owned(), self.engine.config().text.clone());
        Entry::Configuration { engine, text, change: None }
    }

    /// What new windows wait for, once all of it is shown.
    pub(super) fn history_is_due(&self) -> Option<&Filling> {
        let filling = self.engine.filling()?;
        let is_shown = |(until, epoch): (u64, Epoch)| until == filling.until_message && epoch <= self.epoch;
        self.told.is_some_and(is_shown).then_some(filling)
    }

    /// The newest entry that was applied, and the newest epoch that is shown.
    #[must_use]
    pub fn place(&self) -> (Offset, Epoch) {
        (self.applied, self.epoch)
    }

    /// Begins to lead where there is a mirror: who writes it, and the entry that says so.
    pub(super) fn lead(
        &mut self,
        clock: &Arc<dyn Clock>,
        wait: Wait<'_>,
    ) -> Result<Option<(Mirror, Entry)>, RunError> {
        let Some(abroad) = &mut self.abroad else { return Ok(None) };
        abroad.lead(&self.journal, clock, self.keep, wait).map(Some)
    }

    /// The journal, for who appends to it.
    #[must_use]
    pub fn log(&self) -> Box<dyn ingest::intake::Log> {
        Box::new(self.journal.clone())
    }
}
