//! Records of quarantine, as the exports have them, with what was done about each.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampMillisecondType, UInt64Type};
use arrow::util::display::array_value_to_string;
use base64::Engine as _;
use datafusion::prelude::SessionContext;
use sinks::desk::QuarantineQuery;

use crate::analyst::{self, Still};

/// Records of a page where nothing is said, and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 1_000;
/// Kinds of trouble that are counted beside a page.
const COUNTS_MAX: usize = 100;

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    #[error("there is no record `{record}` in quarantine; a record is there after the next cut (5 s)")]
    Unknown { record: String },
    #[error("{0}")]
    Query(String),
    #[error("the exports could not be read: {0}")]
    Exports(String),
}

/// What could not be used.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    pub row_id: String,
    /// Ordinal of the message.
    pub message: u64,
    pub topic: String,
    pub reason: String,
    pub detail: String,
    pub arrived_ms: i64,
    pub site: Option<String>,
    /// The one reading that was refused, where others of the payload were not.
    pub metric: Option<String>,
    pub payload_bytes: u64,
    /// Empty in pages.
    #[serde(rename = "payload_base64", with = "in_base64", skip_serializing_if = "Vec::is_empty", default)]
    pub payload: Vec<u8>,
    pub replayed: Option<Replayed>,
}

/// Who had it tried again, with success.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Replayed {
    pub actor: String,
    pub at_ms: i64,
    pub outcome: String,
    /// The message that it became.
    pub message: Option<u64>,
}

/// So many records of a reason and a topic.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Count {
    pub reason: String,
    pub topic: String,
    pub records: u64,
    pub replayed: u64,
}

/// Some of the records, newest first, and how many there are of each kind.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Page {
    pub records: Vec<Record>,
    /// Of all that match, most first, at most 100 kinds.
    pub counts: Vec<Count>,
    /// All that match.
    pub total: u64,
    /// To be skipped for the next page, if there is one.
    pub next_skip: Option<u32>,
}

/// A page of the records in the export folder.
///
/// # Errors
/// A limit beyond the bound, or exports that cannot be read.
pub fn page(exports: &Path, query: &QuarantineQuery) -> Result<Page, QuarantineError> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(QuarantineError::Query(format!(
            "`limit` is {limit}; give a number from 1 to {PAGE_MAX}"
        )));
    }
    let skip = query.skip.unwrap_or(0);
    let filter = filter(query);
    let still = Still::of(exports);
    let exports = still.as_ref().map_or(exports, Still::folder);
    to_its_end(async {
        let context = open(exports).await?;
        let kinds = format!(
            "SELECT reason, topic, count(*) AS records, count(actor) AS replayed FROM records WHERE {filter} \
             GROUP BY reason, topic ORDER BY records DESC, reason, topic"
        );
        let mut counts = Vec::new();
        for rows in ask(&context, &kinds).await? {
            let number = |column: &str, row| number(&rows, column, row).unwrap_or(0);
            counts.extend((0..rows.num_rows()).map(|row| Count {
                reason: text(&rows, "reason", row).unwrap_or_default(),
                topic: text(&rows, "topic", row).unwrap_or_default(),
                records: number("records", row),
                replayed: number("replayed", row),
            }));
        }
        let total = counts.iter().map(|count| count.records).sum();
        counts.truncate(COUNTS_MAX);
        let sql = format!(
            "SELECT * FROM records WHERE {filter} \
             ORDER BY arrived DESC, row_id LIMIT {limit} OFFSET {skip}"
        );
        let mut records = Vec::new();
        for rows in ask(&context, &sql).await? {
            records.extend(
                (0..rows.num_rows()).map(|row| Record { payload: Vec::new(), ..record_of(&rows, row) }),
            );
        }
        let shown = skip.saturating_add(u32::try_from(records.len()).unwrap_or(u32::MAX));
        let next_skip = (u64::from(shown) < total && !records.is_empty()).then_some(shown);
        Ok(Page { records, counts, total, next_skip })
    })
}

/// The record whose row id begins so.
///
/// # Errors
/// There is none, or more than one, or the exports cannot be read.
pub fn record(exports: &Path, row_id: &str) -> Result<Record, QuarantineError> {
    let unknown = || QuarantineError::Unknown { record: row_id.to_owned() };
    if row_id.len() < 6 || !row_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(unknown());
    }
    let sql = format!("SELECT * FROM records WHERE row_id LIKE '{row_id}%' LIMIT 2");
    let still = Still::of(exports);
    let exports = still.as_ref().map_or(exports, Still::folder);
    let rows = to_its_end(async { ask(&open(exports).await?, &sql).await })?;
    let mut found = rows.iter().flat_map(|rows| (0..rows.num_rows()).map(move |row| record_of(rows, row)));
    let record = found.next().ok_or_else(unknown)?;
    match found.next() {
        None => Ok(record),
        Some(_) => {
            Err(QuarantineError::Query(format!("several records begin with `{row_id}`; give more of it")))
        }
    }
}

fn filter(query: &QuarantineQuery) -> String {
    let quoted = |text: &str| text.replace('\'', "''");
    let mut parts = vec!["true".to_owned()];
    for (column, wanted) in [("reason", &query.reason), ("topic", &query.topic), ("site", &query.site)] {
        parts.extend(wanted.as_ref().map(|wanted| format!("{column} = '{}'", quoted(wanted))));
    }
    // What lies beyond is no time that SQL can hold.
    let time = |ms: i64| format!("to_timestamp_millis({})", ms.clamp(TIME_MIN_MS, TIME_MAX_MS));
    parts.extend(query.from_ms.map(|ms| format!("arrived >= {}", time(ms))));
    parts.extend(query.to_ms.map(|ms| format!("arrived < {}", time(ms))));
    parts.extend(query.replayed.map(|is| format!("actor IS {}NULL", if is { "NOT " } else { "" })));
    parts.join(" AND ")
}

/// The years 1 to 9999.
const TIME_MIN_MS: i64 = -62_135_596_800_000;
const TIME_MAX_MS: i64 = 253_402_300_799_999;

/// A session with the view `records`: quarantine with the newest replay of each that went well.
async fn open(exports: &Path) -> Result<SessionContext, QuarantineError> {
    let context = analyst::open(exports, &std::sync::Arc::default())
        .await
        .map_err(|error| QuarantineError::Exports(error.to_string()))?;
    let has = |table: &str| context.table_exist(table).unwrap_or(false);
    if !has("quarantine") {
        return Err(QuarantineError::Exports("there is no stream `quarantine` in them".to_owned()));
    }
    let table = context.table("quarantine").await.map_err(exports_error)?;
    // Files of an earlier version lack it.
    let has_metric = table.schema().has_column_with_unqualified_name("metric");
    let metric = if has_metric { "q.metric" } else { "CAST(NULL AS VARCHAR) AS metric" };
    let replayed = if has("commands") {
        "SELECT target, actor, ts, detail, message FROM commands WHERE kind = 'replay' AND outcome = 'applied'"
    } else {
        "SELECT '' AS target, '' AS actor, to_timestamp_millis(0) AS ts, '' AS detail, CAST(0 AS BIGINT UNSIGNED) AS message \
         WHERE false"
    };
    let view = format!(
        "CREATE VIEW records AS SELECT q.row_id, q.message, q.topic, q.payload, q.reason, q.detail, q.arrived, q.site, \
         {metric}, c.actor, c.ts AS replayed_at, c.detail AS replayed_detail, c.message AS replayed_message \
         FROM quarantine q LEFT JOIN ({replayed}) c ON c.target = q.row_id"
    );
    ask(&context, &view).await?;
    Ok(context)
}

async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, QuarantineError> {
    context.sql(sql).await.map_err(exports_error)?.collect().await.map_err(exports_error)
}

fn exports_error(error: datafusion::error::DataFusionError) -> QuarantineError {
    QuarantineError::Exports(error.strip_backtrace())
}

/// Runs it to its end on this thread.
fn to_its_end<T>(work: impl Future<Output = Result<T, QuarantineError>>) -> Result<T, QuarantineError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| QuarantineError::Exports(error.to_string()))?.block_on(work)
}

fn text(rows: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(column)?;
    column.is_valid(row).then(|| array_value_to_string(column, row).unwrap_or_default())
}

fn number(rows: &RecordBatch, column: &str, row: usize) -> Option<u64> {
    text(rows, column, row)?.parse().ok()
}

fn time(rows: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let times = rows.column_by_name(column)?.as_primitive_opt::<TimestampMillisecondType>()?;
    times.is_valid(row).then(|| times.value(row))
}

fn record_of(rows: &RecordBatch, row: usize) -> Record {
    let name = |column: &str| text(rows, column, row).filter(|text| !text.is_empty());
    let payload = rows.column_by_name("payload");
    let payload =
        payload.and_then(|payload| arrow::compute::cast(payload, &arrow::datatypes::DataType::Binary).ok());
    let message =
        rows.column_by_name("message").and_then(|messages| messages.as_primitive_opt::<UInt64Type>());
    let payload = payload.map_or(Vec::new(), |payload| payload.as_binary::<i32>().value(row).to_vec());
    Record {
        row_id: name("row_id").unwrap_or_default(),
        message: message.map_or(0, |messages| messages.value(row)),
        topic: name("topic").unwrap_or_default(),
        reason: name("reason").unwrap_or_default(),
        detail: name("detail").unwrap_or_default(),
        arrived_ms: time(rows, "arrived", row).unwrap_or_default(),
        site: name("site").filter(|site| site != "__HIVE_DEFAULT_PARTITION__"),
        metric: name("metric"),
        payload_bytes: payload.len() as u64,
        payload,
        replayed: name("actor").map(|actor| Replayed {
            actor,
            at_ms: time(rows, "replayed_at", row).unwrap_or_default(),
            outcome: name("replayed_detail").unwrap_or_default(),
            message: number(rows, "replayed_message", row),
        }),
    }
}

mod in_base64 {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer};

    const STANDARD: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
