//! The tables exceptions, usage, steps and checks, and those of the workshop's functions, written once each: in an
//! SQLite file of our own, or in the company's PostgreSQL.
//!
//! `prepare` makes an epoch's rows durable in staging tables of the same database, `commit` moves them: one file to
//! back up, one lock, and the move and the note that the epoch is there are one transaction. A file beside
//! the database could come apart from it; a second copy of so few rows costs little. The receipt says which
//! epochs are staged, with count and hash of their rows, so that a store that was replaced in between is noticed.
//!
//! A call that fails gives up its connection, and its transaction with it; made again it begins anew. What was done and
//! whose answer was lost is found done, rows that were staged as well as an epoch that was moved.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use ingest::time::{Epoch, Offset};
use serde::{Deserialize, Serialize};

use crate::emission::Emission;
use crate::sink::{Receipt, Sink, SinkError};

mod address;
mod connection;
mod fault;
mod postgres;
pub mod reader;
mod sqlite;
mod tables;
mod transaction;

use address::Place;
pub use address::{Address, AddressError, has_password, without_password};
use connection::Connection;
use fault::Fault;
use postgres::Patience;
use tables::{RowHash, TABLES, Value};
use transaction::{Before, commit, stage};

/// Rows held in memory; at the bound they are staged ahead of the cut.
const PENDING_ROWS_MAX: usize = 4_096;

/// How long the process before this one may still hold its lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The store.
#[derive(Debug)]
pub struct StoreSink {
    address: Address,
    /// None after an error that may have ended it; the next call connects anew.
    connection: Option<Connection>,
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
    /// Staging has had no answer: it may have been done.
    is_in_doubt: bool,
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

/// Writes an SQLite database as it is at this moment into the file `to`, durably; whether there is one.
///
/// # Errors
/// The store cannot be read, or the file not be written.
pub fn copy(address: &Address, to: &Path) -> Result<bool, SinkError> {
    match &address.place {
        Place::Sqlite(options) if options.get_filename().exists() => {
            sqlite::copy(options, to).map_err(|fault| address.failed(fault))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

impl StoreSink {
    /// Opens the store, creating its tables, and the file of an SQLite database, if needed.
    ///
    /// # Errors
    /// It cannot be opened or reached, another program writes to it, or a newer version wrote it.
    pub async fn open(address: &Address) -> Result<Self, SinkError> {
        Self::open_within(address, LOCK_PATIENCE).await
    }

    async fn open_within(address: &Address, wait: Duration) -> Result<Self, SinkError> {
        let connection = connect(address, Patience::Until(wait)).await?;
        Ok(StoreSink {
            address: address.clone(),
            connection: Some(connection),
            pending: Vec::new(),
            staged_rows: 0,
            hash: RowHash::default(),
            prepared: BTreeMap::new(),
            is_swept: false,
            is_in_doubt: false,
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
        let before = Before {
            keep: (!self.is_swept).then_some(&self.prepared),
            in_doubt: self.is_in_doubt.then_some(self.staged_rows),
        };
        // Also of a call that is given up half way.
        self.is_in_doubt = true;
        let done = self.answered(stage(&mut connection, &self.pending, epoch, before)).await;
        done.map_err(|error| self.address.failed(error))?;
        self.connection = Some(connection);
        self.is_in_doubt = false;
        self.is_swept = true;
        self.staged_rows += self.pending.len();
        self.pending.clear();
        Ok(())
    }

    /// The connection, out of its place: a call that fails drops it, so a broken one is never used again.
    async fn connected(&mut self) -> Result<Connection, SinkError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => connect(&self.address, Patience::Later).await,
        }
    }

    /// The answer of a database that may not give one.
    async fn answered<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
        match &self.address.place {
            Place::Sqlite(_) => Ok(work.await?),
            Place::Postgres(_) => postgres::answered(work).await,
        }
    }
}

async fn connect(address: &Address, patience: Patience) -> Result<Connection, SinkError> {
    let connected = match &address.place {
        Place::Sqlite(options) => sqlite::connect(options).await.map(Connection::Sqlite),
        Place::Postgres(options) => postgres::connect(options, patience).await.map(Connection::Postgres),
    };
    connected.map_err(|fault| address.failed(fault))
}

#[async_trait]
impl Sink for StoreSink {
    fn name(&self) -> &str {
        self.address.sink()
    }

    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError> {
        let Some(table) = TABLES.iter().position(|table| table.name == &*emission.stream) else {
            let reason = "the store has no table for them".to_owned();
            return Err(self.address.refused(format!("rows of `{}`", emission.stream), reason));
        };
        let rows = TABLES[table].rows(&emission.rows).map_err(|error| {
            self.address.refused(format!("rows of `{}`", emission.stream), error.to_string())
        })?;
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
            .map_err(|error| self.address.refused("a receipt".to_owned(), error.to_string()))?;
        Ok(Receipt(text))
    }

    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError> {
        let staged: Staged = serde_json::from_str(&receipt.0).map_err(|error| {
            let reason = format!("it is not one of this sink's: {error}");
            self.address.refused(format!("the receipt of epoch {}", epoch.0), reason)
        })?;
        if !staged.epochs.is_empty() {
            let mut connection = self.connected().await?;
            let done = self.answered(commit(&mut connection, &staged)).await;
            let found = done.map_err(|error| self.address.failed(error))?;
            self.connection = Some(connection);
            if let Err(reason) = found {
                return Err(self.address.refused(format!("epoch {}", epoch.0), reason));
            }
        }
        self.prepared.retain(|prepared, _| *prepared > epoch.0);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
