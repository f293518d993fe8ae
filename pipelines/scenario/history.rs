//! New windows of a run filled with what it has told so far, as a service fills them with its exports.

use std::path::Path;

use ingest::entry::{Change, Entry};
use sinks::parquet::{ParquetSettings, ParquetSink, Show};
use sinks::sink::Sink;

use super::run::{Run, RunError};
use crate::config::Config;
use crate::{exports, refill};

/// What windows are filled with.
const STREAMS: [&str; 2] = ["telemetry", "steps"];

impl Run {
    /// Keeps what it tells from now on, so that new windows can be filled with it.
    pub fn keep_told(&mut self) {
        self.told = Some(Vec::new());
    }

    /// Another configuration applies, without a break; new windows wait for what was told.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn change_and_wait(&mut self, config: &Config) -> Result<(), RunError> {
        self.flush()?;
        let change = Some(Change { readings_from: None, waits_for_history: true });
        self.apply(&Entry::Configuration { engine: String::new(), text: config.text.clone(), change })
    }

    /// Rules and views whose windows still wait.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        self.engine.filling().map(|filling| filling.rules.clone()).unwrap_or_default()
    }

    /// Writes what was told to `folder`, which is empty, and fills the windows that wait for it; false as long as something
    /// they wait for has not been told.
    ///
    /// # Errors
    /// As [`Run::act`], and if the folder cannot be written or read.
    pub fn fill(&mut self, config: &Config, folder: &Path) -> Result<bool, RunError> {
        self.flush()?;
        let Some(filling) = self.engine.filling().cloned() else { return Ok(true) };
        if !self.engine.has_told_until(filling.until_message) {
            return Ok(false);
        }
        let mut streams = exports::streams(&self.engine);
        streams.retain(|stream| STREAMS.contains(&&*stream.name));
        let mut sink = ParquetSink::new(ParquetSettings::new(folder, Show::AtEnd, streams))?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            for emission in self.told.iter().flatten() {
                sink.write(emission).await?;
            }
            sink.finish().await
        })?;
        let (filled, _) = refill::read(&filling, config, folder, || false)?;
        let windows = filled.encode()?.into();
        self.apply(&Entry::Filling { until_message: filling.until_message, windows })?;
        Ok(true)
    }

    pub(super) fn keep_what_is_told(&mut self) {
        if let Some(told) = &mut self.told {
            told.extend(self.out.iter().filter(|emission| STREAMS.contains(&&*emission.stream)).cloned());
        }
    }
}
