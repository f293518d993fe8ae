//! What readers see of an export.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, MapBuilder, RecordBatch, StringArray,
    StringBuilder, TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UInt32Type};
use bytes::Bytes;

use super::*;

mod columns;
mod crash;
mod formats;
mod readers;
mod retention;

const NOON_MS: i64 = 1_795_348_800_000;

fn name_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
}

/// A small stream: id, ordinal, time, site, a name, a value, tags.
fn schema() -> SchemaRef {
    let tags = tags(&[]).data_type().clone();
    let unit = [("unit".to_owned(), "N.m".to_owned())];
    Arc::new(Schema::new(vec![
        Field::new("row_id", DataType::Utf8, false),
        Field::new("message", DataType::UInt64, false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
        Field::new("site", name_type(), false),
        Field::new("job", name_type(), true),
        Field::new("value", DataType::Float64, true).with_metadata(unit.into()),
        Field::new("tags", tags, true),
    ]))
}

fn settings(folder: &Path, show: Show) -> ParquetSettings {
    let stream =
        |name: &str| StreamSettings { name: name.to_owned(), schema: schema(), time_column: "ts".to_owned() };
    ParquetSettings::new(folder, show, vec![stream("telemetry"), stream("late")])
}

fn names(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<DictionaryArray<UInt32Type>>())
}

fn tags(rows: &[Option<(&str, &str)>]) -> ArrayRef {
    let names = arrow::array::MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        if let Some((key, value)) = row {
            map.keys().append_value(key);
            map.values().append_value(value);
        }
        map.append(row.is_some()).expect("as many keys as values");
    }
    Arc::new(map.finish())
}

/// Rows `first..first + sites.len()`, a minute apart.
fn rows(first: u64, sites: &[&str]) -> RecordBatch {
    let numbers: Vec<u64> = (first..first + sites.len() as u64).collect();
    let of = |row: u64| numbers.iter().map(move |number| number.is_multiple_of(row));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(numbers.iter().map(|row| format!("row-{row:04}")))),
        Arc::new(UInt64Array::from(numbers.clone())),
        Arc::new(
            TimestampMillisecondArray::from_iter_values(
                numbers.iter().map(|row| NOON_MS + *row as i64 * 60_000),
            )
            .with_timezone("UTC"),
        ),
        names(&sites.iter().map(|site| Some(*site)).collect::<Vec<_>>()),
        names(&of(3).map(|third| (!third).then_some("J000123")).collect::<Vec<_>>()),
        Arc::new(Float64Array::from_iter(
            numbers.iter().map(|row| (row % 4 != 1).then_some(*row as f64 / 8.0)),
        )),
        tags(&of(5).map(|fifth| fifth.then_some(("joint", "left"))).collect::<Vec<_>>()),
    ];
    RecordBatch::try_new(schema(), columns).expect("columns of the schema")
}

fn emission(stream: &str, rows: RecordBatch) -> Emission {
    Emission { stream: stream.into(), rows }
}

fn read(bytes: Bytes) -> Vec<RecordBatch> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a whole file").build().expect("readable");
    reader.map(|batch| batch.expect("readable")).collect()
}

fn ids(batches: &[RecordBatch]) -> Vec<String> {
    let of = |batch: &RecordBatch| -> Vec<String> {
        batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    };
    batches.iter().flat_map(of).collect()
}

/// Paths of Parquet files below a folder, with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                found.insert(name, Bytes::from(std::fs::read(&path).expect("readable")));
            }
        }
    }
    found
}

async fn replayed(settings: ParquetSettings, batches: &[RecordBatch]) {
    let mut sink = ParquetSink::new(settings).expect("opens");
    for batch in batches {
        sink.write(&emission("telemetry", batch.clone())).await.expect("writes");
    }
    sink.finish().await.expect("finishes");
}

#[tokio::test]
async fn a_replay_lays_rows_out_by_day_and_site() {
    let folder = tempfile::tempdir().expect("a folder");
    // Noon plus 720 minutes is the next day.
    let batches = [rows(0, &["bern", "genf", "bern"]), rows(719, &["bern", "bern"]), rows(800, &["", "a/b"])];
    replayed(settings(folder.path(), Show::AtEnd), &batches).await;
    let seen: Vec<(String, Vec<String>)> =
        files(folder.path()).into_iter().map(|(path, bytes)| (path, ids(&read(bytes)))).collect();
    let expected = [
        ("late/empty.parquet", vec![]),
        ("telemetry/date=2026-11-22/site=bern/part-000001.parquet", vec!["row-0000", "row-0002", "row-0719"]),
        ("telemetry/date=2026-11-22/site=genf/part-000001.parquet", vec!["row-0001"]),
        ("telemetry/date=2026-11-23/site=__HIVE_DEFAULT_PARTITION__/part-000001.parquet", vec!["row-0800"]),
        ("telemetry/date=2026-11-23/site=a%2Fb/part-000001.parquet", vec!["row-0801"]),
        ("telemetry/date=2026-11-23/site=bern/part-000001.parquet", vec!["row-0720"]),
    ];
    let expected: Vec<(String, Vec<String>)> = expected
        .into_iter()
        .map(|(path, ids)| (path.to_owned(), ids.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn every_column_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites = vec!["bern"; 40];
    let batches = [rows(0, &sites), rows(40, &sites), rows(80, &sites)];
    let mut settings = settings(folder.path(), Show::AtEnd);
    settings.file_rows_max = 70;
    replayed(settings, &batches).await;
    let of_day = "telemetry/date=2026-11-22/site=bern";
    let files = files(folder.path());
    let parts: Vec<RecordBatch> = (1..=2)
        .flat_map(|part| read(files[&format!("{of_day}/{}", place::part_name(part))].clone()))
        .collect();
    let seen = arrow::compute::concat_batches(&parts[0].schema(), &parts).expect("of one schema");
    assert_eq!(seen.num_rows(), 120);
    let given = arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("of one schema");
    for (field, column) in seen.schema().fields().iter().zip(seen.columns()) {
        let given = given.column_by_name(field.name()).expect("no new columns");
        assert_eq!(&cast(given, field.data_type()).expect("casts"), column, "column {}", field.name());
    }
    let schema = seen.schema();
    assert!(schema.column_with_name("site").is_none(), "the site stands in the path");
    assert_eq!(schema.field_with_name("job").expect("there").data_type(), &DataType::Utf8);
    assert_eq!(schema.field_with_name("value").expect("there").metadata()["unit"], "N.m");
}

#[tokio::test]
async fn a_dictionary_with_gaps_and_doubles_reads_back_as_its_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let values = StringArray::from(vec![Some("unused"), None, Some("twice"), Some("twice"), Some("once")]);
    let keys = UInt32Array::from(vec![Some(2), Some(1), None, Some(3), Some(4), Some(2)]);
    let job: ArrayRef = Arc::new(DictionaryArray::<UInt32Type>::new(keys, Arc::new(values)));
    let plain = rows(0, &["bern"; 6]);
    let mut columns = plain.columns().to_vec();
    columns[4] = job;
    let batch = RecordBatch::try_new(schema(), columns).expect("columns of the schema");
    replayed(settings(folder.path(), Show::AtEnd), &[batch]).await;
    let files = files(folder.path());
    let bytes = files["telemetry/date=2026-11-22/site=bern/part-000001.parquet"].clone();
    let seen = read(bytes.clone());
    let jobs: Vec<Option<&str>> =
        seen[0].column_by_name("job").expect("there").as_string::<i32>().iter().collect();
    assert_eq!(jobs, [Some("twice"), None, None, Some("twice"), Some("once"), Some("twice")]);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a whole file");
    let statistics = builder.metadata().row_group(0).column(3).statistics().expect("statistics are on");
    assert_eq!(statistics.min_bytes_opt(), Some(b"once".as_slice()), "names that no row has do not count");
    assert_eq!(statistics.null_count_opt(), Some(2));
}

#[tokio::test]
async fn two_replays_give_the_same_bytes() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    for folder in &folders {
        let sites: Vec<&str> = (0..400).map(|row| ["bern", "genf", "chur"][row % 3]).collect();
        let batches: Vec<RecordBatch> = (0..10).map(|batch| rows(batch * 400, &sites)).collect();
        replayed(settings(folder.path(), Show::AtEnd), &batches).await;
    }
    assert_eq!(files(folders[0].path()), files(folders[1].path()));
}

#[tokio::test]
async fn a_replay_does_not_mix_with_an_earlier_one() {
    let folder = tempfile::tempdir().expect("a folder");
    replayed(settings(folder.path(), Show::AtEnd), &[rows(0, &["bern"])]).await;
    let error = ParquetSink::new(settings(folder.path(), Show::AtEnd)).expect_err("the folder is in use");
    assert!(!error.is_passing());
    assert!(
        error.to_string().ends_with("it holds Parquet files already; remove them or give an empty folder"),
        "{error}"
    );
}

#[tokio::test]
async fn a_replay_that_breaks_off_shows_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = ParquetSink::new(settings(folder.path(), Show::AtEnd)).expect("opens");
    sink.write(&emission("telemetry", rows(0, &["bern"; 5_000]))).await.expect("writes");
    drop(sink);
    assert!(files(folder.path()).keys().all(|path| path.starts_with(".staging/")));
    replayed(settings(folder.path(), Show::AtEnd), &[rows(0, &["bern"])]).await;
    assert_eq!(files(folder.path()).len(), 2, "the second replay's file and the empty one");
}

#[tokio::test]
async fn many_sites_at_once_lose_no_row_to_the_bound_of_open_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites: Vec<String> = (0..90).map(|site| format!("site-{site}")).collect();
    // 90 sites with 5,000 rows each: more files than may be open, each opened more than once.
    let batches: Vec<RecordBatch> = (0..60)
        .map(|batch| {
            let of_row = |row: usize| sites[(batch as usize * 7 + row / 84) % 90].as_str();
            rows(batch * 7_560 % 700, &(0..7_560).map(of_row).collect::<Vec<_>>())
        })
        .collect();
    replayed(settings(folder.path(), Show::AtEnd), &batches).await;
    let rows: usize = files(folder.path()).into_values().flat_map(read).map(|batch| batch.num_rows()).sum();
    assert_eq!(rows, 60 * 7_560);
}

#[tokio::test]
async fn rows_of_an_unknown_stream_or_without_a_column_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = ParquetSink::new(settings(folder.path(), Show::AtCut)).expect("opens");
    let error = sink.write(&emission("steps", rows(0, &["bern"]))).await.expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "sink `parquet` refused rows of `steps`: the stream is not in the settings"
    );
    let narrow = rows(0, &["bern"]).project(&[0, 1, 2, 3]).expect("columns");
    let error = sink.write(&emission("late", narrow)).await.expect_err("too narrow");
    assert!(error.to_string().ends_with("the rows have no column `job`"), "{error}");
}
