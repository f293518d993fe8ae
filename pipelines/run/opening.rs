//! How the service starts: everything opened, the newest checkpoint restored, the journal applied from there on.

use std::collections::VecDeque;
use std::sync::Arc;

use ingest::journal::Journal;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::Clock;
use sinks::deliver::{Delivery, Fanout, Route};
use sinks::parquet::{ParquetSink, Show};
use sinks::store::StoreSink;

use super::abroad::Abroad;
use super::epochs::{CheckpointWriter, Epochs, Opened};
use super::reload::Reload;
use super::{Clerk, FULL_PAUSE, RunError, SINK_ROWS_MAX, Service, Stop, until_room};
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
        abroad: Option<Abroad>,
        runtime: &tokio::runtime::Runtime,
        (stop, clerk): (&Stop, &Clerk),
    ) -> Result<Self, RunError> {
        painter.say_not_ready(RESTORING);
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
        let journal = || Journal::open(Arc::clone(&storage), &config.journal).map_err(RunError::from);
        let (journal, recovered) = once_there_is_room(&mut painter, stop, journal)?;
        // Nothing is shown while a backup is made.
        let hold = || journal.hold().map_err(RunError::from);
        let held = once_there_is_room(&mut painter, stop, hold)?;
        let checkpoints = CheckpointFolder::open(storage, &config.checkpoint.folder, config.checkpoint.keep)?
            .bounded(config.retention.checkpoints_bytes);
        if let Some(abroad) = &abroad {
            checkpoints.forget_after(abroad.checkpoints_until)?;
        }
        let newest = checkpoints.newest_usable(journal.first_offset())?;
        // What applies is in the journal, and so in the checkpoint. The files may say something else by now.
        let journaled = newest.as_ref().map(applied_at).transpose()?;
        let engine = wire::engine(journaled.as_ref().unwrap_or(config))?;
        let parquet =
            exports::parquet(&engine, &config.export.folder, config.export.file_rows_max, Show::AtCut)
                .keeping(config.retention.exports(&config.engine));
        let store = || runtime.block_on(StoreSink::open(&config.store.url)).map_err(RunError::from);
        let store = once_there_is_room(&mut painter, stop, store)?;
        let mut sinks = Fanout::default();
        let parquet = || ParquetSink::new(parquet.clone()).map_err(RunError::from);
        let parquet = once_there_is_room(&mut painter, stop, parquet)?;
        let parquet = Delivery::spawn(Box::new(parquet), SINK_ROWS_MAX);
        sinks.add(parquet.map_err(RunError::Threads)?, Route::All);
        let store = Delivery::spawn(Box::new(store), SINK_ROWS_MAX).map_err(RunError::Threads)?;
        sinks.add(store, Route::Streams(StoreSink::streams().map(str::to_owned).into_iter().collect()));
        let sinks = Arc::new(sinks);
        painter.say_not_ready(RESTORING);
        painter.watch(&sinks, stop);
        let writer = CheckpointWriter::Thread;
        let opened = Opened { engine, newest, journal, recovered, checkpoints, writer, sinks };
        let (mut epochs, _) = Epochs::open(config, opened)?;
        drop(held);
        epochs.abroad = abroad;
        epochs.engine.watch();
        painter.configured(epochs.engine.config());
        let from = epochs.place().0.next();
        let applied = epochs.recover(&mut until_room(&mut painter, stop), || stop.is_asked())?;
        if applied > 0 {
            tracing::info!(entries = applied, from = from.0, "applied the journal since the last checkpoint");
        }
        let (stop, clerk, reload) = (stop.clone(), clerk.clone(), Reload::default());
        let (opening, going_out) = (Vec::new(), VecDeque::new());
        let lamps = None;
        let mut service = Service { clerk, going_out, epochs, clock, painter, lamps, opening, stop, reload };
        service.configured(service.epochs.place().0);
        Ok(service)
    }

    /// The entries that come first: what applies, and then what the files say, if that is something else.
    pub(super) fn begin(&mut self, config: &Config) -> Result<(), RunError> {
        self.opening.push(self.epochs.opening());
        if self.epochs.engine.config().text != config.text {
            let entry = self.entry_for(wire::engine(config)?);
            self.opening.push(entry);
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

/// Opens something on a disk that may be full, or in a store that may be locked or down, at the start: waits for it, and says so.
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
