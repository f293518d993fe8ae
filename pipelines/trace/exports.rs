//! What the exports hold of a message.

use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::{Row, Trace};
use crate::analyst::{self, Still};
use crate::commands::CommandError;
use crate::config::Config;

/// Streams whose rows name their message.
const STREAMS: [&str; 5] = ["telemetry", "late", "steps", "quarantine", "commands"];
/// Readings whose windows and exceptions are looked for; what is beyond is said. So many are asked for at once.
const READINGS_MAX: usize = 1_000;
const ASKED_AT_ONCE: usize = 50;
/// Rows of a view that are told; that there are more is said.
const ROWS_MAX: usize = 50;

/// The message that a row came from.
pub(super) fn message_of_row(config: &Config, id: &str) -> Result<u64, CommandError> {
    let unknown = || {
        CommandError::Input {
        what: format!("`{id}` is no message ordinal, and no row of {} has that id", STREAMS.join(", ")),
        remedy: "take one from `andon query \"SELECT row_id, message FROM telemetry\"`; exceptions are explained by `andon explain`".into(),
    }
    };
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(unknown());
    }
    with(config, async |context| {
        for stream in STREAMS {
            let sql = format!("SELECT message FROM {stream} WHERE row_id = '{id}' AND message IS NOT NULL");
            let found = ask(context, stream, &sql).await?;
            if let Some(message) = found.first().and_then(|row| row.get("message")) {
                return message.parse().map_err(|_| unknown());
            }
        }
        Err(unknown())
    })
}

pub(super) fn look(config: &Config, trace: &mut Trace) -> Result<(), CommandError> {
    if !config.export.folder.is_dir() {
        return Ok(());
    }
    let message = trace.message;
    with(config, async |context| {
        for stream in STREAMS {
            // The bytes stand in the journal, and `andon quarantine show` has them.
            let columns = if stream == "quarantine" { "* EXCEPT (payload)" } else { "*" };
            let sql = format!("SELECT {columns} FROM {stream} WHERE message = {message} ORDER BY row_id");
            let rows = ask(context, stream, &sql).await?;
            if !rows.is_empty() {
                trace.rows.insert(stream.to_owned(), rows);
            }
        }
        let all = trace.rows.get("telemetry").map_or(&[][..], Vec::as_slice);
        let readings: Vec<Row> = all.iter().take(READINGS_MAX).cloned().collect();
        if all.len() > readings.len() {
            let beyond = all.len() - readings.len();
            trace.untold.push(format!("windows, rules and queues of {beyond} more readings of this message"));
        }
        for readings in readings.chunks(ASKED_AT_ONCE) {
            let ids = readings.iter().filter_map(|row| row.get("row_id"));
            let named: Vec<String> = ids.map(|id| format!("evidence LIKE '%\"{id}\"%'")).collect();
            let sql =
                format!("SELECT * FROM exceptions WHERE {} ORDER BY raised, row_id", named.join(" OR "));
            for row in ask(context, "exceptions", &sql).await? {
                if !trace.exceptions.contains(&row) {
                    trace.exceptions.push(row);
                }
            }
            for view in config.rules.iter().filter(|rule| rule.is_view) {
                let told = trace.windows.entry(view.name.clone()).or_default();
                for row in windows(context, &view.name, readings).await? {
                    if !told.contains(&row) {
                        told.push(row);
                    }
                }
            }
        }
        trace.windows.retain(|_, rows| !rows.is_empty());
        for (view, rows) in &mut trace.windows {
            if rows.len() > ROWS_MAX {
                rows.truncate(ROWS_MAX);
                trace.untold.push(format!("further windows of `{view}`"));
            }
        }
        for ids in trace.exceptions.chunks(ASKED_AT_ONCE) {
            let named: Vec<String> =
                ids.iter().filter_map(|row| Some(format!("'{}'", row.get("id")?))).collect();
            let sql = format!(
                "SELECT queue, number, kind, key, ts FROM queue_items WHERE key IN ({}) ORDER BY queue, number",
                named.join(", ")
            );
            trace.items.extend(ask(context, "queue_items", &sql).await?);
        }
        Ok(())
    })?;
    let streams: Vec<&String> = trace.rows.keys().collect();
    for stream in streams {
        files(&config.export.folder.join(stream), message, &mut trace.files);
    }
    trace.files.sort();
    Ok(())
}

/// Rows of a view whose window and names are those of a reading.
async fn windows(context: &SessionContext, view: &str, readings: &[Row]) -> Result<Vec<Row>, CommandError> {
    let Ok(table) = context.table(view).await else { return Ok(Vec::new()) };
    let has = |column: &str| table.schema().has_column_with_unqualified_name(column);
    if !has("window_start") || !has("window_end") {
        return Ok(Vec::new());
    }
    let of = |row: &Row| {
        let ts = row.get("ts")?;
        let mut parts = vec![format!("window_start <= TIMESTAMP '{ts}' AND window_end > TIMESTAMP '{ts}'")];
        for name in ["site", "bay", "tool", "metric", "job", "step"].into_iter().filter(|name| has(name)) {
            parts.push(match row.get(name) {
                Some(value) => format!("{name} = '{}'", value.replace('\'', "''")),
                None => format!("{name} IS NULL"),
            });
        }
        Some(format!("({})", parts.join(" AND ")))
    };
    let of_any: Vec<String> = readings.iter().filter_map(of).collect();
    let order = if has("revision") { "window_start, revision" } else { "window_start" };
    let sql = format!(
        "SELECT * FROM \"{view}\" WHERE {} ORDER BY {order} LIMIT {}",
        of_any.join(" OR "),
        ROWS_MAX + 1
    );
    ask(context, view, &sql).await
}

fn with<T>(
    config: &Config,
    work: impl AsyncFnOnce(&SessionContext) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let folder = &config.export.folder;
    let still = Still::of(folder);
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| CommandError::failed("could not start threads", error))?;
    runtime.block_on(async {
        let context =
            analyst::open(still.as_ref().map_or(folder.as_path(), Still::folder), &Default::default())
                .await?;
        work(&context).await
    })
}

/// Rows that SQL gives; none where there is no such stream.
async fn ask(context: &SessionContext, stream: &str, sql: &str) -> Result<Vec<Row>, CommandError> {
    if !context.table_exist(stream).unwrap_or(false) {
        return Ok(Vec::new());
    }
    let failed = |error: datafusion::error::DataFusionError| {
        CommandError::failed("could not read the exports", error.strip_backtrace())
    };
    let batches = context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)?;
    Ok(batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| row_of(batch, row))).collect())
}

fn row_of(batch: &RecordBatch, row: usize) -> Row {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).filter(|(_, column)| column.is_valid(row));
    let value = |column: &dyn Array| array_value_to_string(column, row).unwrap_or_default();
    columns.map(|(field, column)| (field.name().clone(), value(column))).collect()
}

/// Files below `folder` whose rows may be of the message, by what their footers say.
fn files(folder: &Path, message: u64, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for path in paths {
        if path.is_dir() {
            files(&path, message, found);
        } else if path.extension().is_some_and(|extension| extension == "parquet") && may_hold(&path, message)
        {
            found.push(path.display().to_string());
        }
    }
}

fn may_hold(path: &Path, message: u64) -> bool {
    let Some(reader) = std::fs::File::open(path).ok().and_then(|file| SerializedFileReader::new(file).ok())
    else {
        return false;
    };
    let message = message.cast_signed();
    reader.metadata().row_groups().iter().any(|group| {
        let column = group.columns().iter().find(|chunk| chunk.column_path().string() == "message");
        match column.and_then(|column| column.statistics()) {
            Some(Statistics::Int64(bounds)) => {
                let holds = |least: &i64, most: &i64| (*least..=*most).contains(&message);
                bounds.min_opt().zip(bounds.max_opt()).is_some_and(|(least, most)| holds(least, most))
            }
            _ => false,
        }
    })
}
