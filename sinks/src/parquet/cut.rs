//! The service's way: an epoch's rows are staged at its cut and shown together.
//!
//! ```text
//! DIR/.staging/00000017-0003.parquet    of epoch 17: written and synced by `prepare`; the receipt says where it belongs
//! DIR/.staging/shown              which epochs were shown, see `marker`
//! DIR/telemetry/date=…/site=…/part-000003.parquet
//! ```
//!
//! A partition's newest file grows: the staged file holds its rows and the new ones and takes its place under
//! its name, so a reader sees either all of them once or none of the new ones. Only the youngest row groups
//! are encoded anew, the larger ones before them are copied as they are: a row is encoded a few times on its
//! way into a full file, however small the epochs are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use ingest::storage::Storage;
use ingest::time::Epoch;
use serde::{Deserialize, Serialize};

use super::failure::{file_failed, made_badly, refused};
use super::grown::write_empty;
use super::pending::Pending;
use super::place::{EMPTY, Partition};
use super::shape::Stream;
use crate::sink::{Receipt, SinkError};

mod growth;
mod marker;
mod retention;
mod showing;

use marker::{Brought, Marker};
pub use retention::Retention;

/// Folder of staged files, below the export's.
pub const STAGING: &str = ".staging";
/// The file in it that says which epochs were shown.
const SHOWN: &str = "shown";
/// Partitions whose newest file is remembered between cuts.
const TAILS_MAX: usize = 4_096;

/// Staged files and what they will be.
#[derive(Debug)]
pub(super) struct Cut {
    folder: PathBuf,
    storage: Arc<dyn Storage>,
    rows_max: usize,
    /// The newest file of each partition that was touched.
    tails: BTreeMap<Partition, Tail>,
    /// Target to staged file, of the epoch in the making.
    current: BTreeMap<String, String>,
    /// The same of prepared epochs that are not shown yet.
    prepared: BTreeMap<Epoch, BTreeMap<String, String>>,
    /// What the epoch in the making has brought so far, and those that are prepared.
    brought: Brought,
    prepared_brought: BTreeMap<u64, Brought>,
    /// The epoch in the making.
    making: Epoch,
    shown: Marker,
    /// Names staged files, with their epoch: a receipt of an earlier process may be shown again while files are staged,
    /// and must not find one of these in the place of its own.
    staged_count: u64,
    /// Whether what an earlier process left in staging is gone.
    is_swept: bool,
    retention: Retention,
    /// Bytes staged since sizes were last looked at.
    grown_bytes: u64,
}

#[derive(Clone, Debug)]
struct Tail {
    part: u32,
    /// Below the export's folder; in staging while its epoch is not shown.
    file: String,
    is_full: bool,
}

/// The receipt: every file that is prepared and not shown.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Staged {
    files: Vec<StagedFile>,
    /// By epoch, as far as they are not shown.
    #[serde(default)]
    brought: BTreeMap<u64, Brought>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StagedFile {
    staged: String,
    target: String,
}

impl Cut {
    pub(super) fn open(
        folder: PathBuf,
        storage: Arc<dyn Storage>,
        rows_max: usize,
        streams: &[Stream],
    ) -> Result<Self, SinkError> {
        let staging = folder.join(STAGING);
        storage.create_folder(&staging).map_err(file_failed(&staging))?;
        let marker = staging.join(SHOWN);
        let shown = if let Some(text) = if_there(storage.read(&marker)).map_err(file_failed(&marker))? {
            let text = std::str::from_utf8(&text).ok();
            if let Some(version) = text.and_then(Marker::newer) {
                let reason = format!(
                    "it is of version {version}, and this program knows 2; start the Andon that wrote it, or a newer one"
                );
                return Err(refused(format!("`{}`", marker.display()), &reason));
            }
            text.and_then(Marker::parse).ok_or_else(|| {
                refused(
                    format!("`{}`", marker.display()),
                    "it is damaged and does not say which epochs are shown; put it back from a backup, or move the \
                     exports away, then `andon replay --journal` writes what the journal still holds",
                )
            })?
        } else {
            Marker::default()
        };
        let cut = Cut {
            folder,
            storage,
            rows_max,
            tails: BTreeMap::new(),
            current: BTreeMap::new(),
            prepared: BTreeMap::new(),
            brought: Brought::default(),
            prepared_brought: BTreeMap::new(),
            making: Epoch(1),
            shown,
            staged_count: 0,
            is_swept: false,
            retention: Retention::default(),
            grown_bytes: u64::MAX,
        };
        for stream in streams {
            cut.show_empty(stream)?;
        }
        Ok(cut)
    }

    pub(super) fn keeping(self, retention: Retention) -> Self {
        Cut { retention, ..self }
    }

    /// A stream that has no rows shows its columns. The file goes with the first rows: it has no date and no
    /// site in its path, and readers want these of all files or of none.
    pub(super) fn show_empty(&self, stream: &Stream) -> Result<(), SinkError> {
        let folder = self.folder.join(&stream.name);
        let names = self.names(&folder)?;
        let target = folder.join(EMPTY);
        if names.iter().any(|name| name.starts_with("date=")) {
            // Its removal may not have outlived a power cut.
            return self.remove(&target);
        }
        let bytes = write_empty(stream).map_err(made_badly(&stream.name))?;
        let is_there = names.iter().any(|name| name == EMPTY);
        if is_there && self.storage.read(&target).map_err(file_failed(&target))? == bytes {
            return Ok(());
        }
        let staged = self.folder.join(STAGING).join(format!("{}-{EMPTY}", stream.name));
        self.storage.create_folder(&folder).map_err(file_failed(&folder))?;
        self.storage.write(&staged, &bytes).map_err(file_failed(&staged))?;
        self.storage.rename_unsynced(&staged, &target).map_err(file_failed(&target))?;
        self.storage.sync_folder(&folder).map_err(file_failed(&folder))
    }

    /// Sorted names of a folder's files and folders; none if it is not there.
    fn names(&self, folder: &Path) -> Result<Vec<String>, SinkError> {
        let paths = if_there(self.storage.list(folder)).map_err(file_failed(folder))?.unwrap_or_default();
        let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(paths.into_iter().filter_map(name).collect())
    }

    fn is_there(&self, file: &Path) -> Result<bool, SinkError> {
        Ok(if_there(self.storage.open(file)).map_err(file_failed(file))?.is_some())
    }

    /// A file that is not there is no error.
    fn remove(&self, file: &Path) -> Result<(), SinkError> {
        if_there(self.storage.remove_unsynced(file)).map_err(file_failed(file))?;
        Ok(())
    }

    /// Counts rows in; whether they are new. Those of an epoch that is shown, which come again after a start from an
    /// older checkpoint, are only held against what is there.
    pub(super) fn count(&mut self, stream: &str, rows: &RecordBatch) -> bool {
        self.brought.add(stream, rows);
        self.making > self.shown.newest
    }

    /// Makes the largest partitions' rows durable ahead of the cut, until `bytes_max` are left.
    pub(super) fn stage_down_to(
        &mut self,
        bytes_max: usize,
        pending: &mut Pending,
        streams: &[Stream],
    ) -> Result<(), SinkError> {
        while pending.bytes() > bytes_max
            && let Some(partition) = pending.largest()
        {
            self.stage(&partition, pending, streams)?;
        }
        Ok(())
    }

    /// Makes all pending rows durable. Trying again after an error goes on where it failed.
    pub(super) fn prepare(
        &mut self,
        epoch: Epoch,
        pending: &mut Pending,
        streams: &[Stream],
    ) -> Result<Receipt, SinkError> {
        if epoch <= self.shown.newest {
            if !self.shown.has(epoch, &self.brought) {
                let place = format!("epoch {} into `{}`", epoch.0, self.folder.display());
                let newest = self.shown.newest.0;
                return Err(refused(
                    place,
                    &format!(
                        "epoch {newest} is shown there already, and not with these rows: it was written from another \
                         journal or by other rules; export into an empty folder, or put back what belongs to it"
                    ),
                ));
            }
            self.brought = Brought::default();
            self.making = Epoch(epoch.0 + 1);
            return self.receipt();
        }
        while let Some(partition) = pending.first() {
            self.stage(&partition, pending, streams)?;
        }
        let of_epoch = self.prepared.entry(epoch).or_default();
        of_epoch.append(&mut self.current);
        if !of_epoch.is_empty() {
            let staging = self.folder.join(STAGING);
            self.storage.sync_folder(&staging).map_err(file_failed(&staging))?;
        }
        let brought = std::mem::take(&mut self.brought);
        if brought.rows > 0 {
            self.prepared_brought.insert(epoch.0, brought);
        }
        self.making = Epoch(epoch.0 + 1);
        self.receipt()
    }

    /// After a restart only the newest receipt is shown, so it speaks for the earlier ones as well.
    fn receipt(&self) -> Result<Receipt, SinkError> {
        let mut files: BTreeMap<&String, &String> = BTreeMap::new();
        for of_epoch in self.prepared.values() {
            files.extend(of_epoch);
        }
        let files = files
            .into_iter()
            .map(|(target, staged)| StagedFile { staged: staged.clone(), target: target.clone() })
            .collect();
        let staged = Staged { files, brought: self.prepared_brought.clone() };
        let text =
            serde_json::to_string(&staged).map_err(|error| refused("a receipt", &error.to_string()))?;
        Ok(Receipt(text))
    }
}

/// Whether an epoch is shown in the export at `folder`: nothing of what its receipt lists is staged any more.
#[must_use]
pub fn is_shown(folder: &Path, receipt: &Receipt) -> bool {
    let staged = serde_json::from_str::<Staged>(&receipt.0);
    staged.is_ok_and(|staged| staged.files.iter().all(|file| !folder.join(&file.staged).exists()))
}

/// None for what is not there.
fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
