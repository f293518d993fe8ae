//! The tables exceptions, usage, steps and checks, and those of the workshop's functions, written once each.
//!
//! `prepare` makes an epoch's rows durable in staging tables of the same database, `commit` moves them: one file to
//! back up, one lock, and the move and the note that the epoch is there are one transaction. A file beside
//! the database could come apart from it; a second copy of so few rows costs little. The receipt says which
//! epochs are staged, with count and hash of their rows, so that a store that was replaced in between is noticed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ingest::time::{Epoch, Offset};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::emission::Emission;
use crate::sink::{Receipt, Sink, SinkError};

mod copy;
pub mod reader;
mod store;
mod tables;
mod transaction;

pub use copy::{copy, file};
use store::Store;
use tables::{RowHash, TABLES, Value};
use transaction::{commit, stage};

const NAME: &str = "sqlite";

/// Rows held in memory; at the bound they are staged ahead of the cut.
const PENDING_ROWS_MAX: usize = 4_096;

/// The store.
#[derive(Debug)]
pub struct SqliteSink {
    store: Store,
    /// None after an error that may have ended it; the next call connects anew.
    connection: Option<SqliteConnection>,
    /// Table and values, in the order of emission.
    pending: Vec<(usize, Vec<Value>)>,
    /// Rows of the epoch in the making that are staged already.
    staged_rows: usize,
    /// Of all rows of the epoch in the making.
    hash: RowHash,
    /// Epochs that are prepared and not committed.
    prepared: BTreeMap<u64, Rows>,
    /// Whether what an earlier process staged in vain is gone.
    is_swept: bool,
}

/// What an epoch brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rows {
    count: usize,
    hash: String,
    /// The first journal entry behind the epoch.
    #[serde(default)]
    resume_at: u64,
}

/// The receipt: every epoch with rows that is prepared and not committed.
#[derive(Debug, Serialize, Deserialize)]
struct Staged {
    epochs: BTreeMap<u64, Rows>,
}

impl SqliteSink {
    /// Opens `sqlite:FILE`, creating it and its tables if needed. Errors: the URL is wrong, the file cannot be
    /// opened or locked, or a newer version wrote it.
    pub async fn open(url: &str) -> Result<Self, SinkError> {
        let store = Store::new(url)?;
        let connection = store.connect().await?;
        Ok(SqliteSink {
            store,
            connection: Some(connection),
            pending: Vec::new(),
            staged_rows: 0,
            hash: RowHash::default(),
            prepared: BTreeMap::new(),
            is_swept: false,
        })
    }

    /// Names of the streams it keeps.
    #[must_use]
    pub fn streams() -> [&'static str; TABLES.len()] {
        TABLES.map(|table| table.name)
    }

    /// Runs in one transaction: all of `pending` staged, and with `epoch` all staged rows put under its number.
    async fn stage(&mut self, epoch: Option<i64>) -> Result<(), SinkError> {
        let mut connection = self.connected().await?;
        let done =
            stage(&mut connection, &self.pending, epoch, (!self.is_swept).then_some(&self.prepared)).await;
        done.map_err(|error| self.store.failed(&error))?;
        self.connection = Some(connection);
        self.is_swept = true;
        self.staged_rows += self.pending.len();
        self.pending.clear();
        Ok(())
    }

    /// The connection, out of its place: a call that fails drops it, so a broken one is never used again.
    async fn connected(&mut self) -> Result<SqliteConnection, SinkError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.store.connect().await,
        }
    }

    fn refused(what: String, reason: String) -> SinkError {
        SinkError::Refused { sink: NAME.to_owned(), what, reason }
    }
}

#[async_trait]
impl Sink for SqliteSink {
    fn name(&self) -> &str {
        NAME
    }

    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError> {
        let Some(table) = TABLES.iter().position(|table| table.name == &*emission.stream) else {
            let reason = "the store has no table for them".to_owned();
            return Err(Self::refused(format!("rows of `{}`", emission.stream), reason));
        };
        let rows = TABLES[table]
            .rows(&emission.rows)
            .map_err(|error| Self::refused(format!("rows of `{}`", emission.stream), error.to_string()))?;
        if self.pending.len() >= PENDING_ROWS_MAX {
            // Before the rows are taken in, so that an error leaves them out as a whole.
            self.stage(None).await?;
        }
        for row in rows {
            self.hash.add(table, &row);
            self.pending.push((table, row));
        }
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch, resume_at: Offset) -> Result<Receipt, SinkError> {
        let count = self.staged_rows + self.pending.len();
        if count > 0 {
            let number = i64::try_from(epoch.0).unwrap_or(i64::MAX);
            self.stage(Some(number)).await?;
            let hash = self.hash.text();
            self.prepared.insert(epoch.0, Rows { count, hash, resume_at: resume_at.0 });
            self.staged_rows = 0;
            self.hash = RowHash::default();
        }
        let staged = Staged { epochs: self.prepared.clone() };
        let text = serde_json::to_string(&staged)
            .map_err(|error| Self::refused("a receipt".to_owned(), error.to_string()))?;
        Ok(Receipt(text))
    }

    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError> {
        let staged: Staged = serde_json::from_str(&receipt.0).map_err(|error| {
            let reason = format!("it is not one of this sink's: {error}");
            Self::refused(format!("the receipt of epoch {}", epoch.0), reason)
        })?;
        if !staged.epochs.is_empty() {
            let mut connection = self.connected().await?;
            let done = commit(&mut connection, &staged).await;
            let found = done.map_err(|error| self.store.failed(&error))?;
            self.connection = Some(connection);
            if let Err(reason) = found {
                return Err(Self::refused(format!("epoch {}", epoch.0), reason));
            }
        }
        self.prepared.retain(|prepared, _| *prepared > epoch.0);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
