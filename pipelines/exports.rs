//! The streams as sinks see them: name, columns, and the time that names their day.

use std::path::Path;

use sinks::parquet::{ParquetSettings, Show, StreamSettings};

use crate::engine::Engine;
use crate::functions;
use crate::plan::VIEW_TIMES;
use crate::schema::{
    BALANCES, CHECKS, COMMANDS, EXCEPTIONS, GAPS, LEDGER, QUARANTINE, STEPS, TELEMETRY, USAGE,
};

/// All streams of an engine: the fixed ones and one per view.
#[must_use]
pub fn streams(engine: &Engine) -> Vec<StreamSettings> {
    let stream = |name: &str, schema: &arrow::datatypes::SchemaRef, time_column: &str| StreamSettings {
        name: name.to_owned(),
        schema: schema.clone(),
        time_column: time_column.to_owned(),
    };
    let mut streams = Vec::new();
    if engine.tells_telemetry() {
        streams.push(stream("telemetry", &TELEMETRY, "ts"));
    }
    streams.extend([
        stream("late", &TELEMETRY, "ts"),
        stream("steps", &STEPS, "ts"),
        stream("usage", &USAGE, "ended"),
        stream("ledger", &LEDGER, "last_ts"),
        stream("checks", &CHECKS, "ended"),
        stream("balances", &BALANCES, "started"),
        stream("gaps", &GAPS, "ts"),
        stream("exceptions", &EXCEPTIONS, "raised"),
        stream("quarantine", &QUARANTINE, "arrived"),
        stream("commands", &COMMANDS, "ts"),
    ]);
    streams.extend(functions::schemas().map(|(name, schema)| stream(name, schema, "ts")));
    for (name, schema) in engine.views() {
        let time = VIEW_TIMES.into_iter().find(|column| schema.index_of(column).is_ok());
        streams.push(stream(&name, &schema, time.expect("the planner saw to it that a view has a time")));
    }
    streams
}

/// Parquet settings for an engine's streams under `folder`.
#[must_use]
pub fn parquet(engine: &Engine, folder: &Path, file_rows_max: usize, show: Show) -> ParquetSettings {
    let mut settings = ParquetSettings::new(folder, show, streams(engine));
    settings.file_rows_max = file_rows_max;
    settings
}
