//! A store with transactions, as the SQLite sink keeps its tables: rows staged at `prepare`, moved at `commit`, with
//! the epoch's number, count and hash in the same transaction. A transaction is one file that takes the place of the
//! one before, so the storage's faults hit it, too: it has taken place or has not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use ingest::storage::{CrashStorage, Storage};
use ingest::time::{Epoch, Offset};
use pipelines::digest::Digest;
use serde::{Deserialize, Serialize};
use sinks::emission::Emission;
use sinks::sink::{Receipt, Sink, SinkError};
use sinks::store::StoreSink;

const NAME: &str = "sqlite";

/// The sink.
#[derive(Debug)]
pub(crate) struct Ledger {
    storage: CrashStorage,
    file: PathBuf,
    tables: Tables,
    pending: Vec<Rows>,
    prepared: BTreeMap<u64, Vec<Rows>>,
}

/// What is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tables {
    staged: BTreeMap<u64, Vec<Rows>>,
    /// By epoch.
    shown: BTreeMap<u64, Vec<Rows>>,
}

/// An emission: its stream, and a hash of all that its rows say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rows {
    stream: String,
    count: usize,
    hash: String,
}

impl Ledger {
    pub(crate) fn open(storage: &CrashStorage, file: PathBuf) -> Result<Ledger, SinkError> {
        let tables = match storage.read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Tables::default(),
            Err(error) => return Err(unavailable(&error)),
        };
        let storage = storage.clone();
        Ok(Ledger { storage, file, tables, pending: Vec::new(), prepared: BTreeMap::new() })
    }

    /// What readers of the file see, epoch by epoch.
    pub(crate) fn shown(file: &[u8]) -> String {
        let tables: Tables = serde_json::from_slice(file).expect("a ledger");
        let line = |(epoch, rows): (&u64, &Vec<Rows>)| format!("{epoch} {rows:?}\n");
        tables.shown.iter().map(line).collect()
    }

    fn transact(&mut self, tables: Tables) -> Result<(), SinkError> {
        let text = serde_json::to_vec(&tables).map_err(|error| refused(error.to_string()))?;
        self.storage.create(&self.file, &text).map_err(|error| unavailable(&error))?;
        self.tables = tables;
        Ok(())
    }
}

fn unavailable(error: &std::io::Error) -> SinkError {
    let (sink, target) = (NAME.to_owned(), "the ledger".to_owned());
    SinkError::Unavailable { sink, target, reason: error.to_string() }
}

fn refused(reason: String) -> SinkError {
    SinkError::Refused { sink: NAME.to_owned(), what: "the ledger".to_owned(), reason }
}

#[async_trait]
impl Sink for Ledger {
    fn name(&self) -> &str {
        NAME
    }

    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError> {
        if StoreSink::streams().contains(&&*emission.stream) {
            let mut digest = Digest::default();
            digest.take(&emission.stream, &emission.rows).map_err(|error| refused(error.to_string()))?;
            let (stream, count) = (emission.stream.to_string(), emission.rows.num_rows());
            self.pending.push(Rows { stream, count, hash: digest.finish() });
        }
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch, _resume_at: Offset) -> Result<Receipt, SinkError> {
        if !self.pending.is_empty() {
            let mut tables = self.tables.clone();
            // What an earlier process staged, and no checkpoint knows, goes in the same transaction.
            tables.staged.retain(|staged, _| self.prepared.contains_key(staged));
            tables.staged.insert(epoch.0, self.pending.clone());
            self.transact(tables)?;
            self.prepared.insert(epoch.0, std::mem::take(&mut self.pending));
        }
        Ok(Receipt(serde_json::to_string(&self.prepared).map_err(|error| refused(error.to_string()))?))
    }

    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError> {
        let told: BTreeMap<u64, Vec<Rows>> =
            serde_json::from_str(&receipt.0).map_err(|error| refused(error.to_string()))?;
        let mut tables = self.tables.clone();
        for (number, rows) in told {
            let newest = tables.shown.keys().next_back().copied().unwrap_or(0);
            if number <= newest {
                if tables.shown.get(&number) != Some(&rows) {
                    return Err(refused(format!("epoch {number} is there with other rows")));
                }
                continue;
            }
            let staged = tables.staged.remove(&number).unwrap_or_default();
            if staged != rows {
                return Err(refused(format!("of epoch {number} other rows are staged than were promised")));
            }
            tables.shown.insert(number, rows);
        }
        if tables != self.tables {
            self.transact(tables)?;
        }
        self.prepared.retain(|prepared, _| *prepared > epoch.0);
        Ok(())
    }
}
