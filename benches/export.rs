//! Export: CPU time per telemetry row from a batch in memory to Parquet on the disk, and bytes per row.
//!
//! The floor is a hand loop over the parquet crate with seven columns, 281 ns and 4.0 bytes a row. A telemetry row has
//! 21 columns. `cargo bench --bench export`; `ANDON_BENCH_ROWS` changes the number of rows.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt32Array, UInt64Array, new_null_array,
};
use arrow::datatypes::{Schema, UInt32Type};
use ingest::time::{Epoch, Offset};
use pipelines::schema::TELEMETRY;
use rustix::time::{ClockId, clock_gettime};
use sinks::emission::Emission;
use sinks::parquet::{ParquetSettings, ParquetSink, Show, StreamSettings};
use sinks::sink::Sink;

/// The least of so many runs counts: others share the machine.
const REPEATS: usize = 3;
const BATCH_ROWS: usize = 8_192;
const SERIES: u64 = 7_000;
const START_MS: i64 = 1_795_332_840_000;
/// CPU ns a row of the hand loop over seven columns.
const FLOOR_NS: u32 = 281;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::var("ANDON_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!(
        "{:44} {:>11} {:>11} {:>9}",
        format!("{rows} rows, floor {FLOOR_NS} ns (7 columns)"),
        "CPU ns/row",
        "bytes/row",
        "files"
    );
    let all: Vec<&str> = TELEMETRY.fields().iter().map(|field| field.name().as_str()).collect();
    let everything = usize::MAX;
    let mut cases = vec![
        ("replay, 1 site, 21 columns".to_owned(), Recording::OneSite, all.clone(), Show::AtEnd, everything),
        ("replay, 40 sites".to_owned(), Recording::FortySites, all.clone(), Show::AtEnd, everything),
        (
            "replay, row ids of 32 hex digits".to_owned(),
            Recording::HashedIds,
            all.clone(),
            Show::AtEnd,
            everything,
        ),
        ("service, 8,192 rows an epoch".to_owned(), Recording::OneSite, all.clone(), Show::AtCut, BATCH_ROWS),
        ("service, 65,536 rows an epoch".to_owned(), Recording::OneSite, all.clone(), Show::AtCut, 65_536),
        (
            "service, 40 sites, 65,536 rows an epoch".to_owned(),
            Recording::FortySites,
            all.clone(),
            Show::AtCut,
            65_536,
        ),
        ("ts alone".to_owned(), Recording::OneSite, vec!["ts", "site"], Show::AtEnd, everything),
    ];
    for column in all.iter().filter(|column| !["ts", "site"].contains(column)) {
        let columns = vec!["ts", "site", column];
        cases.push((format!("ts and {column}"), Recording::OneSite, columns, Show::AtEnd, everything));
    }
    // As other benches do: an argument is part of the names to run.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    // Made when a case wants it, and kept while the next one wants the same.
    let mut made: Option<(Recording, Vec<RecordBatch>)> = None;
    for (label, recording, columns, show, rows_an_epoch) in cases {
        if label.contains(&filter) {
            if made.as_ref().is_none_or(|(of, _)| *of != recording) {
                made = Some((recording, telemetry(rows, recording)));
            }
            let Some((_, batches)) = &made else { continue };
            let mut least = f64::MAX;
            let mut space = (0, 0.0);
            for _ in 0..REPEATS {
                let (ns, files, bytes) = runtime.block_on(measure(batches, &columns, show, rows_an_epoch))?;
                least = least.min(ns);
                space = (files, bytes);
            }
            println!("{label:44} {least:>11.1} {:>11.2} {:>9}", space.1, space.0);
        }
    }
    Ok(())
}

/// Writes all batches with these columns: CPU ns a row, files, bytes a row.
async fn measure(
    batches: &[RecordBatch],
    columns: &[&str],
    show: Show,
    rows_an_epoch: usize,
) -> Result<(f64, usize, f64), Box<dyn std::error::Error>> {
    let kept: Vec<usize> = TELEMETRY
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, f)| columns.contains(&f.name().as_str()))
        .map(|(i, _)| i)
        .collect();
    let batches: Vec<RecordBatch> =
        batches.iter().map(|batch| batch.project(&kept)).collect::<Result<_, _>>()?;
    let schema: Arc<Schema> = Arc::new(TELEMETRY.project(&kept)?);
    let folder = tempfile::tempdir()?;
    let stream = StreamSettings { name: "telemetry".to_owned(), schema, time_column: "ts".to_owned() };
    let mut sink = ParquetSink::new(ParquetSettings::new(folder.path(), show, vec![stream]))?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let start_ns = cpu_ns();
    let (mut since_cut, mut epoch) = (0, Epoch(0));
    for batch in &batches {
        sink.write(&Emission { stream: "telemetry".into(), rows: batch.clone() }).await?;
        since_cut += batch.num_rows();
        if since_cut >= rows_an_epoch {
            since_cut = 0;
            epoch = Epoch(epoch.0 + 1);
            let receipt = sink.prepare(epoch, Offset(1)).await?;
            sink.commit(epoch, &receipt).await?;
        }
    }
    sink.finish().await?;
    let ns = cpu_ns() - start_ns;
    let (files, bytes) = parquet_files(folder.path())?;
    Ok((ns as f64 / rows as f64, files, bytes as f64 / rows as f64))
}

fn parquet_files(folder: &Path) -> std::io::Result<(usize, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (of_files, of_bytes) = if entry.file_type()?.is_dir() {
            parquet_files(&entry.path())?
        } else {
            (1, entry.metadata()?.len())
        };
        files += of_files;
        bytes += of_bytes;
    }
    Ok((files, bytes))
}

/// CPU time of this process, all threads.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recording {
    /// Row ids are the message's ordinal and the index in it.
    OneSite,
    FortySites,
    /// Row ids are hashes.
    HashedIds,
}

/// Readings of 100 bays with 10 tools and 7 metrics each, in order of arrival, times up to 40 ms out of order.
fn telemetry(rows: usize, recording: Recording) -> Vec<RecordBatch> {
    let sites = if recording == Recording::FortySites { 40 } else { 1 };
    let mut random = fastrand::Rng::with_seed(7);
    let dictionary = |prefix: &str, count: u64| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..count).map(|index| format!("{prefix}{index:03}"))))
    };
    let names = |values: &ArrayRef, keys: Vec<u64>| -> ArrayRef {
        let keys = UInt32Array::from_iter_values(keys.into_iter().map(|key| key as u32));
        Arc::new(DictionaryArray::<UInt32Type>::new(keys, Arc::clone(values)))
    };
    let site = dictionary("site-", sites);
    let (bay, tool, metric, unit) =
        (dictionary("bay-", 100), dictionary("tool-", 10), dictionary("metric_", 7), dictionary("unit", 7));
    let (job, step, operation, technician) =
        (dictionary("J000", 400), dictionary("S", 8), dictionary("operation_", 8), dictionary("T", 40));
    let lateness = dictionary("on_time", 1);
    let mut values = vec![50.0_f64; SERIES as usize];
    let mut batches = Vec::new();
    for first in (0..rows).step_by(BATCH_ROWS) {
        let rows: Vec<u64> = (first..rows.min(first + BATCH_ROWS)).map(|row| row as u64).collect();
        let series: Vec<u64> = rows.iter().map(|_| random.u64(0..SERIES)).collect();
        let each = |of: &dyn Fn(u64) -> u64| series.iter().map(|series| of(*series)).collect::<Vec<u64>>();
        let limit = |limit: f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter(series.iter().map(|series| (series % 7 == 0).then_some(limit))))
        };
        let time =
            |ms: Vec<i64>| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(ms).with_timezone("UTC")) };
        let ids = rows.iter().map(|row| match recording {
            Recording::OneSite | Recording::FortySites => format!("{row:012x}-0"),
            Recording::HashedIds => {
                let (high, low) =
                    (row.wrapping_mul(0x9E37_79B9_7F4A_7C15), row.wrapping_mul(0xD134_2543_DE82_EF95));
                format!("{high:016x}{low:016x}")
            }
        });
        let walk: Vec<f64> = series
            .iter()
            .map(|series| {
                let value = &mut values[*series as usize];
                *value = ((*value + random.f64() * 0.2 - 0.1) * 1_000.0).round() / 1_000.0;
                *value
            })
            .collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("row_id", Arc::new(StringArray::from_iter_values(ids))),
            ("message", Arc::new(UInt64Array::from(rows.clone()))),
            ("ts", time(rows.iter().map(|row| START_MS + *row as i64 / 10 - random.i64(0..40)).collect())),
            ("arrived", time(rows.iter().map(|row| START_MS + *row as i64 / 10 + 5).collect())),
            ("site", names(&site, each(&|series| series / 70 % sites))),
            ("bay", names(&bay, each(&|series| series / 70))),
            ("tool", names(&tool, each(&|series| series / 7 % 10))),
            (
                "seq",
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().zip(&series).map(|(row, series)| (row / SERIES + series * 13) as i64),
                )),
            ),
            ("metric", names(&metric, each(&|series| series % 7))),
            ("value", Arc::new(Float64Array::from(walk))),
            ("unit", names(&unit, each(&|series| series % 7))),
            ("job", names(&job, each(&|series| series / 70 * 4 + first as u64 / 250_000 % 4))),
            ("step", names(&step, each(&|series| series / 70 % 8))),
            ("operation", names(&operation, each(&|series| series / 70 % 8))),
            ("technician", names(&technician, each(&|series| series / 70 % 40))),
            ("spec_min", limit(80.0)),
            ("spec_max", limit(95.0)),
            ("lateness", names(&lateness, each(&|_| 0))),
        ];
        let of = |field: &arrow::datatypes::FieldRef| {
            let given = columns.iter().find(|(name, _)| name == field.name());
            given.map_or_else(
                || new_null_array(field.data_type(), rows.len()),
                |(_, column)| Arc::clone(column),
            )
        };
        let columns: Vec<ArrayRef> = TELEMETRY.fields().iter().map(of).collect();
        batches.extend(RecordBatch::try_new(Arc::clone(&TELEMETRY), columns));
    }
    batches
}
