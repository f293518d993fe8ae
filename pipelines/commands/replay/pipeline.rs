//! The pipeline without a broker and without waiting: entries in, streams and figures out.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ingest::entry::Entry;
use ingest::journal::ReadOnlyJournal;
use ingest::recording::Recording;
use ingest::time::{Clock, Offset};
use sinks::deliver::Delivery;
use sinks::emission::Emission;
use sinks::parquet::{ParquetSink, Show};

use super::progress::Progress;
use super::reading::{Read, Reading};
use super::{no_journal, unreadable};
use crate::commands::CommandError;
use crate::config::Config;
use crate::digest::Digest;
use crate::engine::{Engine, EngineError, PastEntries, PastError};
use crate::scratch::ScratchFile;
use crate::{exports, wire};

/// Rows that may wait for the Parquet writer; the engine waits at the bound.
const WAITING_ROWS_MAX: usize = 64 * 1024;
/// How many unreadable lines are named on stderr.
const LINES_NAMED: u64 = 5;

/// A replay that runs.
pub(super) struct Replay {
    engine: Engine,
    delivery: Delivery,
    digest: Digest,
    out: Vec<Emission>,
    progress: Progress,
    clock: Arc<dyn Clock>,
    started_us: u64,
    warned: u64,
}

impl Replay {
    /// Writes into `out`, which must hold no Parquet yet.
    pub(super) fn open(config: &Config, out: &Path, clock: Arc<dyn Clock>) -> Result<Self, CommandError> {
        let mut engine =
            wire::engine(config).map_err(|error| CommandError::failed("could not start", error))?;
        let settings = exports::parquet(&engine, out, config.export.file_rows_max, Show::AtEnd);
        let sink = ParquetSink::new(settings).map_err(|error| CommandError::Input {
            what: error.to_string(),
            remedy: "name an empty folder with --out".into(),
        })?;
        let delivery = Delivery::spawn(Box::new(sink), WAITING_ROWS_MAX)
            .map_err(|error| CommandError::failed("could not start the export", error))?;
        let scratch = ScratchFile::in_folder(out)
            .map_err(|error| CommandError::failed("could not make a file in the folder of --out", error))?;
        engine.keep_in(Arc::new(scratch));
        let started_us = clock.monotonic_us();
        Ok(Replay {
            engine,
            delivery,
            digest: Digest::default(),
            out: Vec::new(),
            progress: Progress::new(),
            clock,
            started_us,
            warned: 0,
        })
    }

    /// Applies recordings, merged by time, up to the end of input.
    pub(super) fn recordings(&mut self, config: &Config, inputs: Vec<Recording>) -> Result<(), CommandError> {
        let decoder =
            wire::decoder(config).map_err(|error| CommandError::failed("could not start", error))?;
        let decoder = self.engine.decoder_ahead(decoder).map_err(broken)?;
        let reading = Reading::spawn(inputs, config.engine.cut_interval, decoder)
            .map_err(|error| CommandError::failed("could not start reading", error))?;
        while let Some(read) = reading.next() {
            match read {
                Read::Entry(entry) => self.apply(&entry)?,
                Read::Intake(intake, mut ahead) => {
                    self.engine.apply_ahead(&intake, &mut ahead, &mut self.out).map_err(broken)?;
                    self.applied()?;
                    reading.give_back(intake, ahead);
                }
                Read::Unreadable(reject) => {
                    self.warn(&reject.detail);
                    self.engine.refuse(reject, &mut self.out).map_err(broken)?;
                    self.emit()?;
                }
                Read::Failed(error) => return Err(unreadable(error)),
            }
        }
        reading.join();
        self.engine.end_of_input(&mut self.out).map_err(broken)?;
        self.emit()
    }

    /// Applies a journal's entries exactly as they are.
    pub(super) fn journal(&mut self, journal: &Arc<ReadOnlyJournal>) -> Result<(), CommandError> {
        self.engine.remember(Box::new(Past(Arc::clone(journal))));
        for entry in journal.read(journal.first_offset()).map_err(no_journal)? {
            let (_, entry) = entry.map_err(no_journal)?;
            self.apply(&entry)?;
            if let Entry::Configuration { .. } = entry {
                let failed = |error| CommandError::failed("could not write the streams", error);
                self.delivery.extend(&exports::streams(&self.engine)).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The first few lines that are none are named; all are in stream `quarantine`.
    fn warn(&mut self, detail: &str) {
        self.warned += 1;
        if self.warned <= LINES_NAMED {
            let _ = writeln!(std::io::stderr(), "andon: {detail}; it is in stream quarantine");
        }
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), CommandError> {
        self.engine.apply(entry, &mut self.out).map_err(broken)?;
        self.applied()
    }

    fn applied(&mut self) -> Result<(), CommandError> {
        self.progress.show(self.engine.counts(), self.clock.as_ref(), self.started_us);
        self.emit()
    }

    fn emit(&mut self) -> Result<(), CommandError> {
        let failed =
            |error: sinks::sink::SinkError| CommandError::failed("could not write the streams", error);
        for emission in self.out.drain(..) {
            let unknown = |error| CommandError::failed("could not hash the rows", error);
            self.digest.take(&emission.stream, &emission.rows).map_err(unknown)?;
            self.delivery.write(emission).map_err(failed)?;
        }
        Ok(())
    }

    /// Shows the streams; the figures, as JSON.
    pub(super) fn finish(mut self) -> Result<String, CommandError> {
        let failed =
            |error: sinks::sink::SinkError| CommandError::failed("could not write the streams", error);
        let shown = self.delivery.finish().map_err(failed)?;
        // While the last rows are written.
        let state_hash = self.engine.state_hash().map_err(broken)?;
        shown.wait().map_err(failed)?;
        self.progress.end();
        let counts = self.engine.counts();
        let seconds = (self.clock.monotonic_us() - self.started_us) as f64 / 1e6;
        let figures = serde_json::json!({
            "messages": counts.messages,
            "undecodable": counts.undecodable,
            "rows": counts.applied,
            "duplicates": counts.duplicates,
            "quarantined": counts.quarantined,
            "on_time": counts.on_time,
            "corrections": counts.corrections,
            "late": counts.late,
            "events": counts.events_applied,
            "event_duplicates": counts.event_duplicates,
            "events_quarantined": counts.events_quarantined,
            "sequence_conflicts": counts.sequence_conflicts,
            "exceptions": counts.exceptions,
            "seconds": seconds,
            "rows_per_second": (counts.applied as f64 / seconds.max(1e-9)).round(),
            "output_hash": self.digest.finish(),
            "state_hash": state_hash,
        });
        Ok(figures.to_string())
    }
}

/// The journal that is replayed, for the engine to read again.
#[derive(Debug)]
struct Past(Arc<ReadOnlyJournal>);

impl crate::engine::Past for Past {
    fn entries(&self, from: Offset) -> Result<PastEntries<'_>, PastError> {
        // Of a journal whose beginning is trimmed, as far as it goes: whoever asked for --partial was told.
        Ok(Box::new(self.0.read(from.max(self.0.first_offset()))?.map(|entry| Ok(entry?.1))))
    }
}

fn broken(error: EngineError) -> CommandError {
    CommandError::failed("the engine stopped", error)
}
