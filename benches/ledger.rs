//! The store at a million rows, in SQLite and in a PostgreSQL of its own beside it: CPU time per row written through the sink,
//! and how long the usual questions take, by the clock, each beside its target of 50 ms.
//!
//! `cargo bench --bench ledger`; `ANDON_BENCH_ROWS` changes the number of rows of `usage` and of `ledger`. Where PostgreSQL
//! is not installed SQLite is asked alone. The server is that of the tests: it does not sync, so its rows are written faster
//! than a shop's; what is read is not.

#[path = "support/asked.rs"]
#[allow(dead_code, reason = "other benchmarks ask for more")]
mod asked;
#[path = "ledger/made.rs"]
mod made;
#[path = "ledger/questions.rs"]
mod questions;
#[path = "../sinks/tests/support/postgres.rs"]
#[allow(dead_code, reason = "tests kill it, and copy what it holds")]
mod server;

use std::path::Path;

use arrow::datatypes::SchemaRef;
use ingest::time::{Clock, Epoch, Offset, SystemClock};
use pipelines::schema::{EXCEPTIONS, LEDGER, USAGE};
use rustix::time::{ClockId, clock_gettime};
use sinks::sink::Sink;
use sinks::store::reader::{self, PageQuestion, Question};
use sinks::store::{Address, StoreSink};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, PgConnection, SqliteConnection};

use self::questions::{Dialect, sql};
use self::server::Server;

/// A row a minute for a year and a half: five steps a job, four resources a step.
const ROWS: u64 = 1_000_000;
const EPOCH_ROWS: u64 = 65_536;
/// The median of so many counts.
const ASKED: usize = 15;
const TARGET_MS: f64 = 50.0;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let rows = asked::number("ANDON_BENCH_ROWS", ROWS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(rows))
}

/// A question, how long it took in milliseconds, and how many rows it gave.
type Answer = (&'static str, f64, usize);

async fn bench(rows: u64) -> Result<(), Failed> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("andon.db");
    let address = Address::of_file(&file);
    write("SQLite", &address, rows).await?;
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let sqlite = answers(&mut Connection::Sqlite(options.connect().await?), &address, rows).await?;

    let postgres = if Server::is_installed() {
        let server = Server::start();
        let database = server.database();
        let url = server.url(&database);
        let address = Address::parse(&url, Path::new(""))?;
        write("PostgreSQL", &address, rows).await?;
        // As it does by itself within a minute of such a load.
        server.ask(&database, "VACUUM ANALYZE");
        let options: PgConnectOptions = url.parse()?;
        let mut connection = Connection::Postgres(options.disable_statement_logging().connect().await?);
        Some(answers(&mut connection, &address, rows).await?)
    } else {
        println!("PostgreSQL is skipped: it is not installed; `apt install postgresql` does that");
        None
    };
    println!(
        "{:52} {:>10} {:>13} {:>10} {:>8}",
        "question", "SQLite ms", "PostgreSQL ms", "target ms", "rows"
    );
    for (place, &(question, ms, rows)) in sqlite.iter().enumerate() {
        let other = postgres.as_ref().map(|answers| answers[place]);
        if let Some((_, _, others)) = other {
            assert_eq!(rows, others, "{question}: rows of SQLite and of PostgreSQL");
        }
        let other_ms = other.map(|(_, ms, _)| ms);
        let verdict = if ms.max(other_ms.unwrap_or(0.0)) <= TARGET_MS { "ok" } else { "SLOW" };
        let told = other_ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
        println!("{question:52} {ms:10.2} {told:>13} {TARGET_MS:10.0} {rows:8}  {verdict}");
    }
    Ok(())
}

/// Fills the tables, through the sink as a service does.
async fn write(name: &str, address: &Address, rows: u64) -> Result<(), Failed> {
    let mut sink = StoreSink::open(address).await?;
    let lines = pipelines::functions::schemas().into_iter().find(|(name, _)| *name == "invoice_lines");
    let lines = lines.expect("a stream").1;
    let (begun, clock) = (cpu_us(), SystemClock::default());
    let begun_us = clock.monotonic_us();
    let (mut written, mut epoch) = (0, 0);
    for (stream, schema, of_stream) in [
        ("usage", &*USAGE, rows),
        ("ledger", &*LEDGER, rows),
        ("exceptions", &*EXCEPTIONS, rows / 5),
        ("invoice_lines", lines, rows / 2),
    ] {
        written += of_stream;
        fill(&mut sink, &mut epoch, (stream, schema), of_stream).await?;
    }
    println!(
        "{name}: {written} rows written in {:.0} s, {:.1} us of our own CPU a row",
        (clock.monotonic_us() - begun_us) as f64 / 1e6,
        (cpu_us() - begun) / written as f64
    );
    Ok(())
}

async fn fill(
    sink: &mut StoreSink,
    epoch: &mut u64,
    (stream, schema): (&str, &SchemaRef),
    rows: u64,
) -> Result<(), Failed> {
    let mut from = 0;
    while from < rows {
        let end = (from + EPOCH_ROWS).min(rows);
        while from < end {
            let to = (from + made::BATCH_ROWS).min(end);
            sink.write(&made::rows(stream, schema, from..to)?).await?;
            from = to;
        }
        *epoch += 1;
        let receipt = sink.prepare(Epoch(*epoch), Offset(*epoch)).await?;
        sink.commit(Epoch(*epoch), &receipt).await?;
    }
    Ok(())
}

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// How many rows a statement gives.
    async fn ask(&mut self, sql: &str) -> Result<usize, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Connection::Sqlite(connection) => sqlx::query(sql).fetch_all(connection).await?.len(),
            Connection::Postgres(connection) => sqlx::query(sql).fetch_all(connection).await?.len(),
        })
    }

    fn dialect(&self) -> Dialect {
        match self {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }
}

async fn answers(connection: &mut Connection, address: &Address, rows: u64) -> Result<Vec<Answer>, Failed> {
    let clock = SystemClock::default();
    let mut answers = Vec::new();
    for (question, sql) in sql(connection.dialect(), rows) {
        let (mut took, mut found) = (Vec::new(), 0);
        for _ in 0..ASKED {
            let begun_us = clock.monotonic_us();
            found = connection.ask(&sql).await?;
            took.push((clock.monotonic_us() - begun_us) as f64 / 1e3);
        }
        answers.push((question, median(took), found));
    }
    let named = vec![("lot", made::lot(rows / 2))];
    let lot = PageQuestion { named, limit: 100, ..PageQuestion::default() };
    for (question, asked) in [
        (
            "GET /api/v1/jobs/{job}/lines, connecting anew",
            Question::Lines { site: None, job: made::job(rows / 4) },
        ),
        ("GET /api/v1/ledger?lot=, connecting anew", Question::Page(lot)),
    ] {
        let (mut took, mut found) = (Vec::new(), 0);
        for _ in 0..ASKED {
            let begun_us = clock.monotonic_us();
            found = reader::ask(address, &asked).await?.len();
            took.push((clock.monotonic_us() - begun_us) as f64 / 1e3);
        }
        answers.push((question, median(took), found));
    }
    Ok(answers)
}

fn median(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
