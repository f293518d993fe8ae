//! What the store is asked over HTTP: queues, lines of bills, inspection records. It reads what is committed, so nothing
//! that was seen here is ever rolled back.

use serde_json::{Map, Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Connection, Row, TypeInfo, ValueRef};

use super::store::Store;
use crate::sink::SinkError;

/// Items of a queue that one answer holds.
pub const ITEMS_MAX: u32 = 1_000;
/// Lines and records of one job that an answer holds.
const ROWS_MAX: u32 = 10_000;

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
}

impl Question {
    fn sql(&self) -> &'static str {
        match self {
            Question::Queue { .. } => {
                "SELECT number AS 'offset', ts_ms, site, job, kind, key, body, previous, hash FROM queue_items \
                 WHERE queue = ? AND number >= ? ORDER BY number LIMIT ?"
            }
            Question::Chain { .. } => {
                "SELECT number, ts_ms, site, job, kind, key, body AS stored, previous, hash FROM queue_items \
                 WHERE queue = ? AND number >= ? ORDER BY number LIMIT ?"
            }
            Question::Lines { .. } => {
                "SELECT site, job, line, ts_ms, kind, step, item, quantity, unit, price, amount, currency, state, reason, \
                 posted_by, note, revision FROM invoice_lines WHERE job = ? AND ifnull(?, site) = site \
                 ORDER BY site, line LIMIT ?"
            }
            Question::Inspections { .. } => {
                "SELECT site, job, step, ts_ms, bay, technician, classes, verdict, reason, missing, evidence, signed_by, \
                 signed_ms, note, revision FROM inspections WHERE job = ? AND ifnull(?, site) = site \
                 ORDER BY site, step LIMIT ?"
            }
        }
    }
}

/// Asks the store at `url`, and gives rows as JSON objects; what is JSON in a row is so in these.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn ask(url: &str, question: &Question) -> Result<Vec<Value>, SinkError> {
    let store = Store::new(url)?;
    let connected = store.connect_to_read().await;
    let mut connection = connected.map_err(|error| store.failed(&error))?;
    let query = sqlx::query(question.sql());
    let query = match question {
        Question::Queue { name, from, limit } | Question::Chain { name, from, limit } => query
            .bind(name)
            .bind(i64::try_from(*from).unwrap_or(i64::MAX))
            .bind(i64::from((*limit).min(ITEMS_MAX))),
        Question::Lines { site, job } | Question::Inspections { site, job } => {
            query.bind(job).bind(site).bind(i64::from(ROWS_MAX))
        }
    };
    let rows = query.fetch_all(&mut connection).await.map_err(|error| store.failed(&error))?;
    let rows = rows.iter().map(object).collect::<Result<Vec<Value>, sqlx::Error>>();
    let rows = rows.map_err(|error| store.failed(&error))?;
    // What is only read needs no end in order.
    drop(connection.close().await);
    Ok(rows)
}

fn object(row: &SqliteRow) -> Result<Value, sqlx::Error> {
    let mut object = Map::new();
    for (place, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(place)?;
        let kind = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        let value = match kind.as_str() {
            "NULL" => Value::Null,
            "INTEGER" => json!(row.try_get::<i64, _>(place)?),
            "REAL" => json!(row.try_get::<f64, _>(place)?),
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
