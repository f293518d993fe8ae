//! A replay's way: files grow as rows come, and all of them are shown at the end.
//!
//! A file is written in staging and synced when it is full; what a replay that was broken off leaves there is
//! removed by the next. Two bounds hold memory: rows that wait for their file ([`PENDING_BYTES_MAX`]) and row
//! groups in the making ([`GROUPS_BYTES_MAX`]). At the first the partition that holds most is encoded, at the
//! second the largest row group is written out, smaller than it might have been. At [`OPEN_FILES_MAX`] the
//! file that has waited longest is ended, and its partition goes on in the next part.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::Epoch;
use parquet::errors::ParquetError;

use super::cut::STAGING;
use super::failure::{file_failed, made_badly, refused};
use super::file::FileWriter;
use super::grown::{facts, write_empty};
use super::pending::{Held, Pending};
use super::place::{EMPTY, Partition, part_name};
use super::shape::Stream;
use crate::sink::SinkError;

/// Bytes of rows that wait until there are enough of their partition.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// Rows of a partition that are encoded at once: fewer cost more a row.
const PENDING_ROWS: usize = 4_096;
/// Bytes of all row groups in the making.
const GROUPS_BYTES_MAX: usize = 64 << 20;
/// Files that are written at the same time.
const OPEN_FILES_MAX: usize = 64;

/// Files in the making.
#[derive(Debug)]
pub(super) struct End {
    folder: PathBuf,
    rows_max: usize,
    pending: Pending,
    open: BTreeMap<Partition, Open>,
    /// Number of the newest file of each partition.
    parts: BTreeMap<Partition, u32>,
    /// Counts calls, to know which file has waited longest.
    tick: u64,
    epoch: Epoch,
}

#[derive(Debug)]
struct Open {
    writer: FileWriter<BufWriter<File>>,
    path: PathBuf,
    memory_bytes: usize,
    first_epoch: Epoch,
    used: u64,
}

impl End {
    /// Errors if a stream's folder holds Parquet: rows of two replays must not mix.
    pub(super) fn open(folder: PathBuf, rows_max: usize, streams: &[Stream]) -> Result<Self, SinkError> {
        for stream in streams {
            let of_stream = folder.join(&stream.name);
            if holds_parquet(&of_stream).map_err(file_failed(&of_stream))? {
                let reason = "it holds Parquet files already; remove them or give an empty folder";
                return Err(refused(format!("`{}`", of_stream.display()), reason));
            }
        }
        let staging = folder.join(STAGING);
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file_failed(&staging)(error));
            }
            _ => {}
        }
        DiskStorage.create_folder(&staging).map_err(file_failed(&staging))?;
        Ok(End {
            folder,
            rows_max,
            pending: Pending::default(),
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            tick: 0,
            epoch: Epoch(1),
        })
    }

    /// The rows after this belong to the next epoch.
    pub(super) fn end_epoch(&mut self, epoch: Epoch) {
        self.epoch = Epoch(epoch.0 + 1);
    }

    pub(super) fn write(
        &mut self,
        partition: Partition,
        rows: RecordBatch,
        streams: &[Stream],
    ) -> Result<(), SinkError> {
        if self.pending.push(partition.clone(), rows) >= PENDING_ROWS {
            self.encode(&partition, streams)?;
        }
        while self.pending.bytes() > PENDING_BYTES_MAX
            && let Some(largest) = self.pending.largest()
        {
            self.encode(&largest, streams)?;
        }
        Ok(())
    }

    /// Moves a partition's waiting rows into its file.
    fn encode(&mut self, partition: &Partition, streams: &[Stream]) -> Result<(), SinkError> {
        let Some(Held { batches, .. }) = self.pending.remove(partition) else { return Ok(()) };
        let stream = &streams[partition.stream];
        let rows = match batches.as_slice() {
            [batch] => batch.clone(),
            batches => concat_batches(&stream.shape.rows, batches)
                .map_err(|error| made_badly(&stream.name)(ParquetError::from(error)))?,
        };
        self.tick += 1;
        let mut from = 0;
        while from < rows.num_rows() {
            if !self.open.contains_key(partition) {
                self.begin(partition, stream, streams)?;
            }
            let Some(open) = self.open.get_mut(partition) else { break };
            let count = (self.rows_max - open.writer.rows()).min(rows.num_rows() - from);
            open.writer.write(&rows.slice(from, count)).map_err(made_badly(&stream.name))?;
            open.memory_bytes = open.writer.memory_bytes();
            open.used = self.tick;
            from += count;
            if open.writer.rows() >= self.rows_max {
                self.end(partition, streams)?;
            }
        }
        self.bound_memory(streams)
    }

    fn begin(&mut self, partition: &Partition, stream: &Stream, streams: &[Stream]) -> Result<(), SinkError> {
        while self.open.len() >= OPEN_FILES_MAX
            && let Some(oldest) =
                self.open.iter().min_by_key(|(_, open)| open.used).map(|(key, _)| key.clone())
        {
            self.end(&oldest, streams)?;
        }
        let part = self.parts.entry(partition.clone()).or_default();
        *part += 1;
        let path = Path::new(&stream.name).join(partition.folder()).join(part_name(*part));
        let staged = self.folder.join(STAGING).join(&path);
        let folder = staged.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(file_failed(folder))?;
        let file = File::create(&staged).map_err(file_failed(&staged))?;
        let writer = FileWriter::new(Arc::clone(&stream.shape), BufWriter::with_capacity(1 << 16, file))
            .map_err(made_badly(&stream.name))?;
        let open = Open { writer, path, memory_bytes: 0, first_epoch: self.epoch, used: self.tick };
        self.open.insert(partition.clone(), open);
        Ok(())
    }

    fn end(&mut self, partition: &Partition, streams: &[Stream]) -> Result<(), SinkError> {
        let Some(open) = self.open.remove(partition) else { return Ok(()) };
        let stream = &streams[partition.stream];
        let epochs = (open.first_epoch.0.to_string(), self.epoch.0.to_string());
        let out = open.writer.close(facts(stream, Some(epochs))).map_err(made_badly(&stream.name))?;
        let staged = self.folder.join(STAGING).join(&open.path);
        let file = out.into_inner().map_err(|error| file_failed(&staged)(error.into_error()))?;
        file.sync_all().map_err(file_failed(&staged))
    }

    fn bound_memory(&mut self, streams: &[Stream]) -> Result<(), SinkError> {
        let mut bytes: usize = self.open.values().map(|open| open.memory_bytes).sum();
        while bytes > GROUPS_BYTES_MAX
            && let Some((partition, open)) = self.open.iter_mut().max_by_key(|(_, open)| open.memory_bytes)
        {
            open.writer.end_group().map_err(made_badly(&streams[partition.stream].name))?;
            bytes -= std::mem::take(&mut open.memory_bytes);
        }
        Ok(())
    }

    /// Ends the files of a stream whose columns will be others.
    pub(super) fn end_stream(&mut self, stream: usize, streams: &[Stream]) -> Result<(), SinkError> {
        while let Some(partition) = self.pending.of_stream(stream) {
            self.encode(&partition, streams)?;
        }
        while let Some(partition) = self.open.keys().find(|open| open.stream == stream).cloned() {
            self.end(&partition, streams)?;
        }
        Ok(())
    }

    /// Ends all files and shows them, with an empty one for each stream without rows.
    pub(super) fn finish(&mut self, streams: &[Stream]) -> Result<(), SinkError> {
        while let Some(partition) = self.pending.first() {
            self.encode(&partition, streams)?;
        }
        while let Some(partition) = self.open.keys().next().cloned() {
            self.end(&partition, streams)?;
        }
        for (partition, newest) in &self.parts {
            let below = Path::new(&streams[partition.stream].name).join(partition.folder());
            let (from, to) = (self.folder.join(STAGING).join(&below), self.folder.join(&below));
            DiskStorage.create_folder(&to).map_err(file_failed(&to))?;
            for part in 1..=*newest {
                let (from, to) = (from.join(part_name(part)), to.join(part_name(part)));
                fs::rename(&from, &to).map_err(file_failed(&to))?;
            }
            DiskStorage.sync_folder(&to).map_err(file_failed(&to))?;
        }
        for (index, stream) in streams.iter().enumerate() {
            if !self.parts.keys().any(|partition| partition.stream == index) {
                let folder = self.folder.join(&stream.name);
                let file = folder.join(EMPTY);
                let bytes = write_empty(stream).map_err(made_badly(&stream.name))?;
                DiskStorage.create_folder(&folder).map_err(file_failed(&folder))?;
                DiskStorage.write(&file, &bytes).map_err(file_failed(&file))?;
                DiskStorage.sync_folder(&folder).map_err(file_failed(&folder))?;
            }
        }
        self.parts.clear();
        let staging = self.folder.join(STAGING);
        fs::remove_dir_all(&staging).map_err(file_failed(&staging))
    }
}

fn holds_parquet(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if holds_parquet(&entry.path())? {
                return Ok(true);
            }
        } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
            return Ok(true);
        }
    }
    Ok(false)
}
