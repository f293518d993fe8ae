//! What the store is asked over HTTP: queues, lines of bills, inspection records, balances, pages of what is long. It reads
//! what is committed, so nothing that was seen here is ever rolled back.

mod pages;

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Column, ColumnIndex, Connection, Decode, Row, Type, TypeInfo, ValueRef};
use tokio::sync::Semaphore;

pub use self::pages::{PageQuestion, Paged};
use super::address::{Address, Place};
use super::connection::Dialect;
use super::fault::Fault;
use super::tables::{TABLES, Table};
use super::{postgres, sqlite};
use crate::sink::SinkError;

/// Items of a queue that one answer holds.
pub const ITEMS_MAX: u32 = 1_000;
/// Lines and records of one job, balances of one day, that an answer holds.
pub const ROWS_MAX: u32 = 10_000;
/// Connections to a PostgreSQL at one time, which has few to give; whoever asks then waits for one.
static CONNECTIONS: Semaphore = Semaphore::const_new(4);

/// A question to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Items of a queue, from that number on, at most so many and at most [`ITEMS_MAX`].
    Queue { name: String, from: u64, limit: u32 },
    /// The same, each as it is stored: for whoever checks its hash.
    Chain { name: String, from: u64, limit: u32 },
    /// Lines of the bill of a job, of all sites unless one is named.
    Lines { site: Option<String>, job: String },
    /// Inspection records of a job.
    Inspections { site: Option<String>, job: String },
    /// Balances of meters and tanks of a day, the newest of each site unless one is named (as 2026-03-29).
    Balances { site: Option<String>, date: Option<String> },
    /// A page of the ledger, of usage, or of exceptions.
    Page(PageQuestion),
}

/// What stands for `$1`, `$2` and so on.
#[derive(Clone, Debug)]
enum Bound {
    Text(Option<String>),
    Integer(i64),
}

impl Question {
    fn statement(&self, dialect: Dialect) -> (AssertSqlSafe<String>, Vec<Bound>) {
        const OF_QUEUE: &str = "queue = $1 AND number >= $2 ORDER BY number";
        // The table that is asked, what of its rows, and which rows.
        let (table, columns, which) = match self {
            Question::Page(question) => return question.statement(dialect),
            Question::Queue { .. } => (
                "queue_items",
                "number AS \"offset\", ts_ms, site, job, kind, key, body, previous, hash",
                OF_QUEUE,
            ),
            Question::Chain { .. } => (
                "queue_items",
                "number, ts_ms, site, job, kind, key, body AS stored, previous, hash",
                OF_QUEUE,
            ),
            Question::Lines { .. } => (
                "invoice_lines",
                "site, job, line, ts_ms, kind, step, item, quantity, unit, price, amount, currency, state, reason, \
                 posted_by, note, revision",
                "job = $1 AND coalesce($2, site) = site ORDER BY site, line",
            ),
            Question::Inspections { .. } => (
                "inspections",
                "site, job, step, ts_ms, bay, technician, classes, verdict, reason, missing, evidence, signed_by, \
                 signed_ms, note, revision",
                "job = $1 AND coalesce($2, site) = site ORDER BY site, step",
            ),
            Question::Balances { .. } => (
                "balances",
                "site, bay, tool, metric, resource, unit, local_date, kind, started_ms, ended_ms, meter_start, meter_end, \
                 resets, reset_quantity, metered, booked, unassigned, difference, readings, revision, final",
                "(local_date = $1 OR ($1 IS NULL AND (site, local_date) IN \
                 (SELECT site, max(local_date) FROM balances GROUP BY site))) AND coalesce($2, site) = site \
                 ORDER BY site, resource, coalesce(bay, ''), coalesce(tool, ''), metric",
            ),
        };
        let bound = match self {
            Question::Queue { name, from, limit } | Question::Chain { name, from, limit } => {
                let from = i64::try_from(*from).unwrap_or(i64::MAX);
                [
                    Bound::Text(Some(name.clone())),
                    Bound::Integer(from),
                    Bound::Integer((*limit).min(ITEMS_MAX).into()),
                ]
            }
            Question::Lines { site, job } | Question::Inspections { site, job } => {
                [Bound::Text(Some(job.clone())), Bound::Text(site.clone()), Bound::Integer(ROWS_MAX.into())]
            }
            Question::Balances { site, date } => {
                [Bound::Text(date.clone()), Bound::Text(site.clone()), Bound::Integer(ROWS_MAX.into())]
            }
            Question::Page(_) => unreachable!("it has been answered"),
        };
        let table = of(table).as_read(dialect);
        (AssertSqlSafe(format!("SELECT {columns} FROM {table} WHERE {which} LIMIT $3")), bound.into())
    }
}

fn of(table: &str) -> &'static Table {
    TABLES.iter().find(|of| of.name == table).expect("it is one of ours")
}

/// Asks on a connection, and gives rows as JSON objects.
macro_rules! asked {
    ($connection:expr, $dialect:expr, $question:expr) => {{
        let (mut connection, question) = ($connection, $question);
        let (sql, bound) = question.statement($dialect);
        let query = bound.into_iter().fold(sqlx::query(sql), |query, bound| match bound {
            Bound::Text(text) => query.bind(text.map(|text| $dialect.fit(&text))),
            Bound::Integer(number) => query.bind(number),
        });
        let rows = query.fetch_all(&mut connection).await?;
        // What is only read needs no end in order.
        drop(connection.close().await);
        Ok(rows.iter().map(object).collect::<Result<Vec<Value>, sqlx::Error>>()?)
    }};
}

/// Asks the store, and gives rows as JSON objects; what is JSON in a row is so in these.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn ask(address: &Address, question: &Question) -> Result<Vec<Value>, SinkError> {
    rows(&address.place, question).await.map_err(|fault| address.failed(fault))
}

async fn rows(place: &Place, question: &Question) -> Result<Vec<Value>, Fault> {
    match place {
        Place::Sqlite(options) => {
            asked!(sqlite::connect_to_read(options).await?, Dialect::Sqlite, question)
        }
        Place::Postgres(options) => {
            let _one = CONNECTIONS.acquire().await;
            asked!(postgres::connect_to_read(options).await?, Dialect::Postgres, question)
        }
    }
}

pub(super) fn object<'r, R: Row>(row: &'r R) -> Result<Value, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    f64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let mut object = Map::new();
    for (place, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(place)?;
        let kind = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        let value = match kind.as_str() {
            "NULL" => Value::Null,
            "INTEGER" | "INT8" => json!(row.try_get::<i64, _>(place)?),
            "REAL" | "FLOAT8" => json!(row.try_get::<f64, _>(place)?),
            _ => {
                let text: String = row.try_get(place)?;
                let is_json = ["body", "evidence"].contains(&column.name());
                let parsed = if is_json { serde_json::from_str(&text).ok() } else { None };
                parsed.unwrap_or(Value::String(text))
            }
        };
        object.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(object))
}
