//! How the service starts: everything opened, the newest checkpoint restored, the journal applied from there on.

use std::sync::{Arc, Mutex};

use ingest::entry::Entry;
use ingest::intake::Start;
use ingest::journal::Journal;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Clock, Epoch, Offset};
use sinks::deliver::{Delivery, Fanout, Route};
use sinks::parquet::{ParquetSink, Show};
use sinks::sqlite::SqliteSink;

use super::reload::{JournalPast, Reload, Retained};
use super::shared_journal::SharedJournal;
use super::{FULL_PAUSE, RunError, SINK_ROWS_MAX, Service, Stop};
use crate::checkpoint::{Checkpoint, CheckpointFolder};
use crate::config::Config;
use crate::engine::{EngineError, configuration_of};
use crate::picture::Painter;
use crate::{exports, wire};

/// What keeps it from being ready at first.
const RESTORING: &str = "restoring from checkpoint and journal";

impl Service {
    /// Opens everything, restores the newest checkpoint and applies the journal from there on.
    pub(super) fn open(
        config: &Config,
        clock: Arc<dyn Clock>,
        mut painter: Painter,
        runtime: &tokio::runtime::Runtime,
        stop: &Stop,
    ) -> Result<Self, RunError> {
        painter.say_not_ready(RESTORING);
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
        let journal = || Journal::open(Arc::clone(&storage), &config.journal).map_err(RunError::from);
        let (journal, recovered) = once_there_is_room(&mut painter, stop, journal)?;
        let checkpoints = CheckpointFolder::open(storage, &config.checkpoint.folder, config.checkpoint.keep)?;
        let newest = checkpoints.newest()?;
        // What applies is in the journal, and so in the checkpoint. The files may say something else by now.
        let journaled = newest.as_ref().map(|checkpoint| applied_at(checkpoint)).transpose()?;
        let mut engine = wire::engine(journaled.as_ref().unwrap_or(config))?;
        let parquet =
            exports::parquet(&engine, &config.export.folder, config.export.file_rows_max, Show::AtCut);
        let sqlite = || runtime.block_on(SqliteSink::open(&config.store.url)).map_err(RunError::from);
        let sqlite = once_there_is_room(&mut painter, stop, sqlite)?;
        let mut sinks = Fanout::default();
        let parquet = || ParquetSink::new(parquet.clone()).map_err(RunError::from);
        let parquet = once_there_is_room(&mut painter, stop, parquet)?;
        let parquet = Delivery::spawn(Box::new(parquet), SINK_ROWS_MAX);
        sinks.add(parquet.map_err(RunError::Threads)?, Route::All);
        let sqlite = Delivery::spawn(Box::new(sqlite), SINK_ROWS_MAX).map_err(RunError::Threads)?;
        sinks.add(sqlite, Route::Streams(SqliteSink::streams().map(str::to_owned).into_iter().collect()));
        let sinks = Arc::new(sinks);
        painter.say_not_ready(RESTORING);
        painter.watch(&sinks, stop);
        let resume_at = newest.as_ref().map_or(Offset(1), Checkpoint::resume_at);
        if resume_at > recovered.next_offset {
            return Err(RunError::Mismatch {
                journal: recovered.next_offset.0,
                checkpoint: resume_at.0,
                folder: config.journal.folder.clone(),
            });
        }
        if let Some(checkpoint) = &newest {
            let config = Arc::clone(engine.config());
            engine.restore(&config, &checkpoint.engine)?;
            sinks.commit(checkpoint.epoch(), &checkpoint.receipts)?;
        }
        engine.watch();
        painter.configured(engine.config());
        let retained = Retained::of(&journal, resume_at)?;
        let journal = SharedJournal(Arc::new(Mutex::new(journal)));
        engine.remember(Box::new(JournalPast(journal.clone())));
        let mut service = Service {
            engine,
            sinks,
            checkpoints,
            journal,
            clock,
            painter,
            out: Vec::new(),
            applied: Offset(resume_at.0.saturating_sub(1)),
            epoch: newest.as_ref().map_or(Epoch(0), Checkpoint::epoch),
            resumes: vec![resume_at],
            keep: config.checkpoint.keep.max(1),
            start: Start {
                next_message: recovered.next_message,
                last_at_ms: recovered.last_at_ms,
                last_epoch: recovered.last_epoch,
                opening: Vec::new(),
            },
            stop: stop.clone(),
            reload: Reload::new(retained),
        };
        service.recover(resume_at)?;
        service.begin(config)?;
        Ok(service)
    }

    /// The entries that come first: what applies, and then what the files say, if that is something else.
    fn begin(&mut self, config: &Config) -> Result<(), RunError> {
        let (engine, text) = (env!("CARGO_PKG_VERSION").to_owned(), self.engine.config().text.clone());
        let is_changed = text != config.text;
        self.start.opening.push(Entry::Configuration { engine, text, change: None });
        if is_changed {
            let entry = self.entry_for(wire::engine(config)?);
            self.start.opening.push(entry);
        }
        Ok(())
    }

    /// Applies what the journal holds from `resume_at` on, with its cuts, as if it had just come.
    fn recover(&mut self, resume_at: Offset) -> Result<(), RunError> {
        // The entries are read from the files, so the journal need not stay locked.
        let entries = self.journal.with(|journal| journal.read(resume_at))?;
        let mut applied: u64 = 0;
        for entry in entries {
            let (offset, entry) = entry?;
            self.step(offset, &entry)?;
            applied += 1;
            if self.stop.is_asked() {
                break;
            }
        }
        if applied > 0 {
            tracing::info!(
                entries = applied,
                from = resume_at.0,
                "applied the journal since the last checkpoint"
            );
        }
        Ok(())
    }
}

/// The configuration under which a checkpoint was taken.
fn applied_at(checkpoint: &Checkpoint) -> Result<Config, RunError> {
    let text = configuration_of(&checkpoint.engine)?;
    Config::from_text(&text).map_err(|mistakes| {
        let reason = mistakes.first().map(ToString::to_string).unwrap_or_default();
        EngineError::Configuration { reason }.into()
    })
}

/// Opens something on a disk that may be full, or in a store that may be locked, at the start: waits for it, and says so.
fn once_there_is_room<T>(
    painter: &mut Painter,
    stop: &Stop,
    open: impl Fn() -> Result<T, RunError>,
) -> Result<T, RunError> {
    loop {
        match open() {
            Err(error) if error.is_passing() && !stop.is_asked() => {
                painter.say_not_ready(&format!("{error}, waiting"));
                std::thread::sleep(FULL_PAUSE);
            }
            done => return done,
        }
    }
}
