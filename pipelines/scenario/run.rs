//! An engine that a scenario goes through.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::error::ArrowError;
use ingest::decode::AheadDecoder;
use ingest::entry::{Change, Command, Entry, IntakeBuilder};
use ingest::time::{Epoch, Offset};
use sinks::emission::Emission;
use sinks::sink::SinkError;
use sinks::view::Counts;

use super::history::AskError;
use super::{Action, Message, Way, told};
use crate::config::Config;
use crate::digest::Digest;
use crate::engine::{Engine, EngineError, Past, PastEntries, PastError};
use crate::refill::RefillError;
use crate::wire::{self, WireError};

/// Engine with what it has put out.
#[derive(Debug)]
pub struct Run {
    pub(super) engine: Engine,
    /// Once there is an intake to decode ahead; anew after whatever else the engine's decoder has learnt from.
    ahead: Option<AheadDecoder>,
    way: Way,
    intake: IntakeBuilder,
    next_message: u64,
    epoch: u64,
    /// All entries so far, where changes of the configuration are to read them again.
    past: Option<Kept>,
    /// A command has brought messages since the last tick or cut: these wait for it, and are in no checkpoint.
    is_bringing: bool,
    digest: Digest,
    pub(super) out: Vec<Emission>,
    /// Readings and steps so far, where new windows are to be filled with them.
    pub(super) told: Option<Vec<Emission>>,
    /// Lines since they were last taken.
    pub lines: Vec<String>,
}

/// Entries in memory.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<Entry>>>);

impl Past for Kept {
    fn entries(&self, from: Offset) -> Result<PastEntries<'_>, PastError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = usize::try_from(from.0.saturating_sub(1))?;
        Ok(Box::new(kept.into_iter().skip(before).map(Ok)))
    }
}

/// Hash of rows, hash of state.
pub type Hashes = (String, String);

/// Why a run could not go on: always a mistake of ours.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Start(#[from] WireError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("a row could not be told: {0}")]
    Told(#[from] ArrowError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Refill(#[from] RefillError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Runtime(#[from] std::io::Error),
    #[error("the state differs right after a restart: {before} before, {after} after it")]
    Restored { before: String, after: String },
}

impl Run {
    /// A fresh engine of a configuration.
    ///
    /// # Errors
    /// A rule does not compile.
    pub fn new(config: &Config, way: Way) -> Result<Self, RunError> {
        Ok(Run {
            engine: way.engine(config)?,
            ahead: None,
            way,
            intake: IntakeBuilder::new(),
            next_message: 1,
            epoch: 0,
            past: None,
            is_bringing: false,
            digest: Digest::default(),
            out: Vec::new(),
            told: None,
            lines: Vec::new(),
        })
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// Only for a mistake of ours, as all below.
    pub fn act(&mut self, action: &Action) -> Result<(), RunError> {
        match action {
            Action::Message(message) => {
                self.intake.push(&message.topic, &message.payload, message.at_ms);
                if self.way.together { Ok(()) } else { self.flush() }
            }
            Action::Command { at_ms, order, message } => {
                self.flush()?;
                let mut messages = IntakeBuilder::new();
                if let Some(Message { at_ms, topic, payload }) = message {
                    messages.push(topic, payload, *at_ms);
                }
                let brought = u64::from(messages.messages());
                let mut command = Command::new(order, messages.finish(self.next_message));
                command.at_ms = *at_ms;
                self.next_message += brought;
                self.apply(&Entry::Command(command))
            }
            Action::Tick { first_ms, last_ms } => {
                self.flush()?;
                let step_ms =
                    if self.way.second_by_second { 1000 } else { (last_ms - first_ms).max(0) + 1000 };
                let mut from_ms = *first_ms;
                while from_ms <= *last_ms {
                    let to_ms = (from_ms + step_ms - 1000).min(*last_ms);
                    self.apply(&Entry::Tick { first_ms: from_ms, last_ms: to_ms })?;
                    from_ms += step_ms;
                }
                Ok(())
            }
            Action::Cut { at_ms } => {
                self.flush()?;
                self.epoch += 1;
                self.apply(&Entry::Cut { epoch: Epoch(self.epoch), at_ms: *at_ms })
            }
            Action::End => {
                self.flush()?;
                self.engine.end_of_input(&mut self.out)?;
                self.tell()
            }
        }
    }

    /// Ends the entry of the messages so far.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn flush(&mut self) -> Result<(), RunError> {
        if self.intake.is_empty() {
            return Ok(());
        }
        let messages = u64::from(self.intake.messages());
        let entry = Entry::Intake(self.intake.finish(self.next_message));
        self.next_message += messages;
        self.apply(&entry)
    }

    pub(super) fn apply(&mut self, entry: &Entry) -> Result<(), RunError> {
        if let Some(past) = &self.past {
            past.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
        }
        match (entry, self.way.ahead_from) {
            (Entry::Intake(intake), Some(from)) => {
                let mut decoder = match self.ahead.take() {
                    Some(decoder) => decoder,
                    None => self.engine.decoder_ahead(wire::decoder(self.engine.config())?)?,
                };
                decoder.hand_over_from(from);
                let mut ahead = decoder.decode(intake);
                self.engine.apply_ahead(intake, &mut ahead, &mut self.out)?;
                decoder.reuse(ahead);
                self.ahead = Some(decoder);
            }
            _ => self.engine.apply(entry, &mut self.out)?,
        }
        self.tell()?;
        if matches!(entry, Entry::Command(_) | Entry::Configuration { .. }) {
            self.ahead = None;
        }
        match entry {
            Entry::Command(command) => self.is_bringing |= command.messages.messages() > 0,
            Entry::Tick { .. } | Entry::Cut { .. } => self.is_bringing = false,
            _ => {}
        }
        if self.way.restored { self.restore() } else { Ok(()) }
    }

    /// The state goes into a fresh engine, as at a start after a crash, and must be the same there.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn restore(&mut self) -> Result<(), RunError> {
        if self.is_bringing {
            return Ok(());
        }
        let before = self.engine.state_hash()?;
        let config = Arc::clone(self.engine.config());
        self.restart(&config)?;
        let after = self.engine.state_hash()?;
        if before == after { Ok(()) } else { Err(RunError::Restored { before, after }) }
    }

    /// The state goes into a fresh engine, of a configuration that may be another.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn restart(&mut self, config: &Config) -> Result<(), RunError> {
        let state = self.engine.snapshot()?;
        self.ahead = None;
        self.engine = self.way.engine(config)?;
        self.engine.restore(config, &state)?;
        if let Some(past) = &self.past {
            self.engine.remember(Box::new(past.clone()));
        }
        Ok(())
    }

    /// Keeps all entries from now on, so that new windows can be filled with them.
    pub fn keep(&mut self) {
        let past = self.past.insert(Kept::default());
        self.engine.remember(Box::new(past.clone()));
    }

    /// Another configuration applies, without a break; new windows are filled with all that was kept.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn change(&mut self, config: &Config) -> Result<(), RunError> {
        self.flush()?;
        let readings_from = self.past.as_ref().map(|_| Offset(1));
        let change = Some(Change { readings_from, waits_for_history: false });
        self.apply(&Entry::Configuration { engine: String::new(), text: config.text.clone(), change })
    }

    fn tell(&mut self) -> Result<(), RunError> {
        self.keep_what_is_told();
        for emission in self.out.drain(..) {
            self.digest.take(&emission.stream, &emission.rows)?;
            for row in 0..emission.rows.num_rows() {
                self.lines.push(told::line(&emission, row)?);
            }
        }
        Ok(())
    }

    /// The conservation law's counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// How many exceptions are open.
    #[must_use]
    pub fn exceptions_open(&self) -> u64 {
        self.engine.exceptions_open()
    }

    /// The state in lines, for who wants to see where two differ.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn state_lines(&mut self) -> Result<Vec<String>, RunError> {
        Ok(self.engine.state_lines()?)
    }

    /// Hashes of all that was told, and of the state.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn hashes(&mut self) -> Result<Hashes, RunError> {
        Ok((self.digest.finish(), self.engine.state_hash()?))
    }
}
