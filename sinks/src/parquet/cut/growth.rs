//! How a partition's rows become staged files: the newest file grows until it is full, then the next begins.

use std::path::Path;

use super::{Cut, STAGING, Tail, if_there};
use crate::parquet::failure::{file_failed, made_badly};
use crate::parquet::grown::{Grown, write_grown};
use crate::parquet::pending::Pending;
use crate::parquet::place::{Partition, part_name, part_number};
use crate::parquet::shape::Stream;
use crate::sink::SinkError;

/// A file is full at so many bytes as well: it is read and written whole while it grows, and rows may be large.
const FILE_BYTES_MAX: usize = 32 << 20;

impl Cut {
    /// Writes a partition's rows, and those of its newest file while that is not full, to staged files. After an
    /// error all is as before, but for files that the next sweep removes.
    pub(super) fn stage(
        &mut self,
        partition: &Partition,
        pending: &mut Pending,
        streams: &[Stream],
    ) -> Result<(), SinkError> {
        if !self.is_swept {
            self.sweep()?;
        }
        let Some(held) = pending.get(partition) else { return Ok(()) };
        let stream = &streams[partition.stream];
        let folder = Path::new(&stream.name).join(partition.folder());
        let tail = match self.tails.get(partition) {
            Some(tail) => Some(tail.clone()),
            None => self.find_tail(&folder)?,
        };
        let mut grown = match &tail {
            Some(tail) if !tail.is_full => self.read_tail(tail, stream)?,
            _ => None,
        };
        let row_bytes = held.bytes / held.rows.max(1) + 1;
        let mut part = tail.map_or(1, |tail| if grown.is_some() { tail.part } else { tail.part + 1 });
        let epoch = self.making;
        let (mut done, mut tail, mut staged_files) = (0, None, Vec::new());
        while done < held.rows {
            let (rows_grown, bytes_grown) =
                grown.as_ref().map_or((0, 0), |grown| (grown.rows(), grown.bytes()));
            let room = FILE_BYTES_MAX.saturating_sub(bytes_grown) / row_bytes;
            let room = self.rows_max.saturating_sub(rows_grown).min(room.max(1));
            let count = room.min(held.rows - done);
            let is_full = count == room;
            let bytes = write_grown(stream, grown.take(), &held.slices(done, count), is_full, epoch)
                .map_err(made_badly(&stream.name))?;
            self.staged_count += 1;
            let staged = format!("{STAGING}/{:08}-{:04}.parquet", epoch.0, self.staged_count);
            let path = self.folder.join(&staged);
            self.storage.write(&path, &bytes).map_err(file_failed(&path))?;
            self.has_grown(bytes.len() as u64);
            staged_files.push((folder.join(part_name(part)).display().to_string(), staged.clone()));
            tail = Some(Tail { part, file: staged, is_full });
            done += count;
            part += 1;
        }
        pending.remove(partition);
        if let Some(tail) = tail {
            self.tails.insert(partition.clone(), tail);
        }
        for (target, staged) in staged_files {
            if let Some(replaced) = self.current.insert(target, staged) {
                // What cannot be removed now goes with the next sweep.
                let _ = self.remove(&self.folder.join(replaced));
            }
        }
        Ok(())
    }

    /// Stages all that waits of a stream, whose columns will be others.
    pub(in crate::parquet) fn stage_stream(
        &mut self,
        stream: usize,
        pending: &mut Pending,
        streams: &[Stream],
    ) -> Result<(), SinkError> {
        while let Some(partition) = pending.of_stream(stream) {
            self.stage(&partition, pending, streams)?;
        }
        Ok(())
    }

    /// The partition's newest file on the disk.
    fn find_tail(&self, folder: &Path) -> Result<Option<Tail>, SinkError> {
        let names = self.names(&self.folder.join(folder))?;
        let part = names.iter().filter_map(|name| part_number(name)).max();
        Ok(part.map(|part| {
            let file = folder.join(part_name(part)).display().to_string();
            Tail { part, file, is_full: false }
        }))
    }

    /// The tail's content, if rows can be added to it. A file that somebody moved away or that has other
    /// columns (an older version's) stays as it is, and the next part begins.
    fn read_tail(&self, tail: &Tail, stream: &Stream) -> Result<Option<Grown>, SinkError> {
        let path = self.folder.join(&tail.file);
        let Some(bytes) = if_there(self.storage.read(&path)).map_err(file_failed(&path))? else {
            return Ok(None);
        };
        match Grown::of(bytes, &stream.shape) {
            Ok(grown) => {
                Ok(grown.filter(|grown| grown.rows() < self.rows_max && grown.bytes() < FILE_BYTES_MAX))
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot add rows to a damaged file, going on in the next");
                Ok(None)
            }
        }
    }
}
