//! The store at a million rows: CPU time per row written through the sink, and how long the usual questions take, by
//! the clock, each beside its target of 50 ms.
//!
//! `cargo bench --bench ledger`; `ANDON_BENCH_ROWS` changes the number of rows of `usage`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use ingest::time::{Clock, Epoch, Offset, SystemClock};
use pipelines::schema::{EXCEPTIONS, USAGE};
use rustix::time::{ClockId, clock_gettime};
use sinks::emission::Emission;
use sinks::sink::Sink;
use sinks::store::reader::{self, Question};
use sinks::store::{Address, StoreSink};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

/// A row a minute for a year and a half: five steps a job, four resources a step.
const ROWS: u64 = 1_000_000;
const START_MS: i64 = 1_750_000_000_000;
const ROW_MS: i64 = 47_000;
const BATCH_ROWS: u64 = 8_192;
const EPOCH_ROWS: u64 = 65_536;
/// The median of so many counts.
const ASKED: usize = 15;
const TARGET_MS: f64 = 50.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::var("ANDON_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROWS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(rows))
}

async fn bench(rows: u64) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("andon.db");
    let address = Address::of_file(&file);
    let mut sink = StoreSink::open(&address).await?;
    let lines = pipelines::functions::schemas()
        .into_iter()
        .find(|(name, _)| *name == "invoice_lines")
        .expect("a stream")
        .1;
    let begun = cpu_us();
    let mut written = 0;
    for (stream, schema, of_stream) in
        [("usage", &*USAGE, rows), ("exceptions", &*EXCEPTIONS, rows / 5), ("invoice_lines", lines, rows / 2)]
    {
        written += of_stream;
        fill(&mut sink, stream, schema, of_stream).await?;
    }
    println!("{written} rows written: {:.1} us of CPU a row", (cpu_us() - begun) / written as f64);
    drop(sink);

    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = options.connect().await?;
    let job = format!("J{:06}", rows / 200);
    let (from_ms, to_ms) = (START_MS + rows as i64 / 2 * ROW_MS, 7 * 86_400_000);
    let week = format!("ended_ms >= {from_ms} AND ended_ms < {}", from_ms + to_ms);
    println!("{:52} {:>9} {:>10} {:>8}", "question", "ms", "target ms", "rows");
    for (question, sql) in [
        ("what did this job use?", format!("SELECT * FROM usage WHERE job = '{job}'")),
        (
            "how much oil in a week?",
            format!("SELECT unit, sum(quantity) FROM usage WHERE resource = 'R01' AND {week} GROUP BY unit"),
        ),
        (
            "all resources of a week",
            format!("SELECT resource, unit, sum(quantity) FROM usage WHERE {week} GROUP BY resource, unit"),
        ),
        (
            "what is open, worst first?",
            "SELECT * FROM exceptions WHERE cleared_ms IS NULL ORDER BY severity, raised_ms LIMIT 200"
                .to_owned(),
        ),
        (
            "exceptions of this job",
            format!("SELECT * FROM exceptions WHERE job = '{job}' ORDER BY raised_ms"),
        ),
        ("the newest hundred", "SELECT * FROM exceptions ORDER BY raised_ms DESC LIMIT 100".to_owned()),
        (
            "lines that a person has to look at",
            "SELECT * FROM invoice_lines WHERE site = 'S1' AND state = 'held' ORDER BY ts_ms LIMIT 100"
                .to_owned(),
        ),
        (
            "the total of this job",
            format!("SELECT * FROM invoice_totals WHERE site = 'S1' AND job = '{job}'"),
        ),
    ] {
        let mut found = 0;
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..ASKED {
            let (ms, rows) = asked(&mut connection, &sql).await?;
            took.push(ms);
            found = rows;
        }
        print(question, took, found);
    }
    let (clock, question) = (SystemClock::default(), Question::Lines { site: None, job });
    let (mut took, mut found) = (Vec::new(), 0);
    for _ in 0..ASKED {
        let begun_us = clock.monotonic_us();
        found = reader::ask(&address, &question).await?.len();
        took.push((clock.monotonic_us() - begun_us) as f64 / 1e3);
    }
    print("GET /api/v1/jobs/{job}/lines, connecting anew", took, found);
    Ok(())
}

fn print(question: &str, mut took: Vec<f64>, rows: usize) {
    took.sort_by(f64::total_cmp);
    let ms = took[took.len() / 2];
    let verdict = if ms <= TARGET_MS { "ok" } else { "SLOW" };
    println!("{question:52} {ms:9.2} {TARGET_MS:10.0} {rows:8}  {verdict}");
}

async fn asked(connection: &mut SqliteConnection, sql: &str) -> Result<(f64, usize), sqlx::Error> {
    let clock = SystemClock::default();
    let begun_us = clock.monotonic_us();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(connection).await?;
    Ok(((clock.monotonic_us() - begun_us) as f64 / 1e3, rows.len()))
}

async fn fill(
    sink: &mut StoreSink,
    stream: &str,
    schema: &SchemaRef,
    rows: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    static EPOCH: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let mut from = 0;
    while from < rows {
        let end = (from + EPOCH_ROWS).min(rows);
        while from < end {
            let to = (from + BATCH_ROWS).min(end);
            let columns = schema.fields().iter().map(|field| {
                let is_told = !field.is_nullable()
                    || ["job", "step", "unit", "cleared", "amount"].contains(&field.name().as_str());
                if !is_told {
                    return new_null_array(field.data_type(), (to - from) as usize);
                }
                let plain = column(field.name(), field.data_type(), from..to);
                cast(&plain, field.data_type()).expect("fits")
            });
            let rows = RecordBatch::try_new(schema.clone(), columns.collect())?;
            sink.write(&Emission { stream: stream.into(), rows }).await?;
            from = to;
        }
        let epoch = Epoch(EPOCH.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let receipt = sink.prepare(epoch, Offset(epoch.0)).await?;
        sink.commit(epoch, &receipt).await?;
    }
    Ok(())
}

/// What stands in a column, before it has the column's type.
fn column(name: &str, kind: &DataType, rows: std::ops::Range<u64>) -> ArrayRef {
    let job = |row: u64| row / 20;
    let text = |row: u64| match name {
        "row_id" | "id" => format!("{row:032x}"),
        "site" => "S1".to_owned(),
        "bay" => format!("bay-{:02}", job(row) % 40),
        "job" => format!("J{:06}", job(row)),
        "step" => format!("S{:02}", row % 20 / 4),
        "resource" => format!("R{:02}", row % 4 + job(row) % 10 * 4),
        "severity" => ["critical", "high", "medium", "low"][(row % 4) as usize].to_owned(),
        "state" if row.is_multiple_of(1_000) => "held".to_owned(),
        "state" => "posted".to_owned(),
        "unit" => "L".to_owned(),
        "evidence" => "{\"rows\":[]}".to_owned(),
        other => format!("{other} {}", row % 100),
    };
    match kind {
        DataType::Boolean => Arc::new(rows.map(|_| Some(true)).collect::<BooleanArray>()),
        DataType::Float64 => Arc::new(rows.map(|row| row as f64 / 8.0).collect::<Float64Array>()),
        DataType::Timestamp(..) => {
            // One in ten thousand is open.
            let is_open = |row: u64| name == "cleared" && row.is_multiple_of(10_000);
            let time = |row: u64| (!is_open(row)).then(|| START_MS + row as i64 * ROW_MS);
            Arc::new(rows.map(time).collect::<Int64Array>())
        }
        DataType::UInt32 | DataType::UInt64 | DataType::Int64 => {
            let number = |row: u64| if name == "line" { row % 20 + 1 } else { 1 };
            Arc::new(rows.map(number).collect::<UInt64Array>())
        }
        _ => Arc::new(rows.map(|row| Some(text(row))).collect::<StringArray>()),
    }
}

fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
