//! DataFusion reads an export of the real telemetry columns: partitions from the path, names as plain text, tags as a map.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Schema, UInt32Type};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::ListingOptions;
use datafusion::prelude::SessionContext;
use ingest::time::{Epoch, Offset};
use pipelines::schema::TELEMETRY;
use sinks::emission::Emission;
use sinks::parquet::{ParquetSettings, ParquetSink, Show, StreamSettings};
use sinks::sink::Sink;

const NOON_MS: i64 = 1_795_348_800_000;

/// Readings `first..first + count`, by turns of three sites.
fn readings(first: u64, count: u64) -> Emission {
    let numbers: Vec<u64> = (first..first + count).collect();
    let names = |of: &dyn Fn(u64) -> &'static str| -> ArrayRef {
        Arc::new(numbers.iter().map(|row| Some(of(*row))).collect::<DictionaryArray<UInt32Type>>())
    };
    let time: ArrayRef = Arc::new(
        TimestampMillisecondArray::from_iter_values(numbers.iter().map(|row| NOON_MS + *row as i64 * 1_000))
            .with_timezone("UTC"),
    );
    let columns = [
        (
            "row_id",
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|row| format!("{row:06}-0")))) as _,
        ),
        ("message", Arc::new(UInt64Array::from(numbers.clone())) as _),
        ("ts", Arc::clone(&time)),
        ("arrived", time),
        ("site", names(&|row| ["bern", "a/b=c", "Zürich 1"][row as usize % 3])),
        ("metric", names(&|_| "torque")),
        ("value", Arc::new(Float64Array::from_iter_values(numbers.iter().map(|row| *row as f64 / 4.0))) as _),
        ("job", names(&|row| ["J1", "J2"][row as usize % 2])),
        ("lateness", names(&|_| "on_time")),
    ];
    let column = |field: &arrow::datatypes::FieldRef| {
        let given = columns.iter().find(|(name, _)| name == field.name());
        given.map_or_else(
            || new_null_array(field.data_type(), numbers.len()),
            |(_, column)| Arc::clone(column),
        )
    };
    let rows = RecordBatch::try_new(Arc::clone(&TELEMETRY), TELEMETRY.fields().iter().map(column).collect());
    Emission { stream: "telemetry".into(), rows: rows.expect("columns of the schema") }
}

async fn answer(folder: &std::path::Path, sql: &str) -> String {
    let context = SessionContext::new();
    let partitions = vec![("date".to_owned(), DataType::Utf8), ("site".to_owned(), DataType::Utf8)];
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(partitions);
    let url = format!("{}/telemetry/", folder.display());
    context
        .register_listing_table("telemetry", url, options, None, None)
        .await
        .expect("one schema for all files");
    let batches = context.sql(sql).await.expect("plans").collect().await.expect("runs");
    pretty_format_batches(&batches).expect("formats").to_string()
}

#[tokio::test]
async fn datafusion_reads_what_a_service_and_a_replay_write() {
    for show in [Show::AtCut, Show::AtEnd] {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = StreamSettings {
            name: "telemetry".to_owned(),
            schema: Arc::clone(&TELEMETRY) as Arc<Schema>,
            time_column: "ts".to_owned(),
        };
        let mut sink =
            ParquetSink::new(ParquetSettings::new(folder.path(), show, vec![stream])).expect("opens");
        for epoch in 1..=5 {
            sink.write(&readings((epoch - 1) * 60, 60)).await.expect("writes");
            let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
            sink.commit(Epoch(epoch), &receipt).await.expect("commits");
        }
        sink.finish().await.expect("finishes");
        let sql = "SELECT date, site, job, count(*) AS rows, count(DISTINCT row_id) AS ids, sum(value) AS total, \
                   arrow_typeof(max(job)) AS job_type, count(tags) AS tagged \
                   FROM telemetry WHERE metric = 'torque' GROUP BY date, site, job ORDER BY site, job";
        let expected = "\
+------------+----------+-----+------+-----+--------+----------+--------+
| date       | site     | job | rows | ids | total  | job_type | tagged |
+------------+----------+-----+------+-----+--------+----------+--------+
| 2026-11-22 | Zürich 1 | J1  | 50   | 50  | 1862.5 | Utf8View | 0      |
| 2026-11-22 | Zürich 1 | J2  | 50   | 50  | 1900.0 | Utf8View | 0      |
| 2026-11-22 | a/b=c    | J1  | 50   | 50  | 1887.5 | Utf8View | 0      |
| 2026-11-22 | a/b=c    | J2  | 50   | 50  | 1850.0 | Utf8View | 0      |
| 2026-11-22 | bern     | J1  | 50   | 50  | 1837.5 | Utf8View | 0      |
| 2026-11-22 | bern     | J2  | 50   | 50  | 1875.0 | Utf8View | 0      |
+------------+----------+-----+------+-----+--------+----------+--------+";
        assert_eq!(answer(folder.path(), sql).await, expected, "{show:?}");
    }
}
