//! Every stream as Parquet: staged, then shown at a cut.
//!
//! ```text
//! DIR/STREAM/date=2026-11-22/site=bern/part-000001.parquet
//! DIR/STREAM/empty.parquet                     while the stream has no rows
//! ```
//!
//! `date` is the UTC day of the stream's time column, `site` stands in the path alone. There are two ways to
//! show rows ([`Show`]): a service shows them epoch by epoch, a replay all at its end, which is faster.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Epoch, Offset};

use crate::emission::Emission;
use crate::sink::{Receipt, Sink, SinkError};

mod chunk;
mod cut;
mod delta;
mod end;
mod failure;
mod file;
mod grown;
mod hybrid;
mod ids;
mod names;
mod numbers;
mod pending;
mod place;
mod seal;
mod shape;
mod split;

pub use cut::{Retention, STAGING, is_shown};
pub use failure::NAME;

use cut::Cut;
use end::End;
use failure::{made_badly, refused};
use pending::Pending;
use shape::{SITE, Shape, Stream};

/// When rows are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// At each commit, for a service.
    AtCut,
    /// At `finish`, for a replay. Receipts are empty; the folder must not hold Parquet before.
    AtEnd,
}

/// What goes where.
#[derive(Clone, Debug)]
pub struct ParquetSettings {
    /// `DIR`.
    pub folder: PathBuf,
    /// A file is full at this many rows; a row group never has more than 32,768.
    pub file_rows_max: usize,
    pub show: Show,
    /// Bytes of rows of the epoch in the making that are held in memory before they are staged ahead of the
    /// cut (`AtCut` only).
    pub pending_bytes_max: usize,
    /// What is removed at last (`AtCut` only).
    pub retention: Retention,
    pub streams: Vec<StreamSettings>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Name of its folder.
    pub name: String,
    /// Its columns, `site` among them. Dictionaries of text become plain text in the files; units and other
    /// field metadata are kept.
    pub schema: SchemaRef,
    /// The time whose UTC day is the `date` of the path, such as `ts` or `window_start`.
    pub time_column: String,
}

impl ParquetSettings {
    /// Files of at most 1,048,576 rows (`AtEnd`) or 131,072 (`AtCut`: the newest is copied at each cut), 64 MiB
    /// of waiting rows.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, show: Show, streams: Vec<StreamSettings>) -> Self {
        let file_rows_max = match show {
            Show::AtCut => 1 << 17,
            Show::AtEnd => 1 << 20,
        };
        let (folder, retention) = (folder.into(), Retention::default());
        ParquetSettings { folder, file_rows_max, show, pending_bytes_max: 64 << 20, retention, streams }
    }

    /// The same, with old days going at last.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Self {
        ParquetSettings { retention, ..self }
    }
}

/// The export.
#[derive(Debug)]
pub struct ParquetSink {
    streams: Vec<Stream>,
    pending_bytes_max: usize,
    way: Way,
}

#[derive(Debug)]
enum Way {
    AtCut { cut: Box<Cut>, pending: Pending },
    AtEnd(Box<End>),
}

impl ParquetSink {
    /// Opens the folder, creates it if needed. Errors: a stream's name or columns do not fit, the folder cannot be
    /// written, or (`AtEnd`) it holds Parquet already.
    pub fn new(settings: ParquetSettings) -> Result<Self, SinkError> {
        Self::on(Arc::new(DiskStorage), settings)
    }

    /// As [`new`](Self::new), on another storage. `AtEnd` knows the machine's disk alone: what a broken replay leaves
    /// is no history, and the next one begins anew.
    pub fn on(storage: Arc<dyn Storage>, settings: ParquetSettings) -> Result<Self, SinkError> {
        let ParquetSettings { folder, file_rows_max, show, pending_bytes_max, retention, streams } = settings;
        let streams = streams.into_iter().map(stream).collect::<Result<Vec<_>, _>>()?;
        let rows_max = file_rows_max.max(1);
        let way = match show {
            Show::AtCut => Way::AtCut {
                cut: Box::new(Cut::open(folder, storage, rows_max, &streams)?.keeping(retention)),
                pending: Pending::default(),
            },
            Show::AtEnd => Way::AtEnd(Box::new(End::open(folder, rows_max, &streams)?)),
        };
        Ok(ParquetSink { streams, pending_bytes_max, way })
    }
}

/// A name of ours is a folder's name as it is, so it must be no path.
fn stream(settings: StreamSettings) -> Result<Stream, SinkError> {
    let StreamSettings { name, schema, time_column } = settings;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(refused(
            format!("stream `{name}`"),
            "a stream's name becomes a folder; use letters, digits, `_` and `-`",
        ));
    }
    if schema.column_with_name(&time_column).is_none() {
        return Err(refused(
            format!("stream `{name}`"),
            &format!("it has no column `{time_column}` to take the date from"),
        ));
    }
    let shape = Shape::new(&schema).map_err(made_badly(&name))?;
    Ok(Stream { name, time_column, shape: Arc::new(shape) })
}

/// A file that is half written cannot be taken up again, a replay can: every error ends it.
fn at_end(error: SinkError) -> SinkError {
    match error {
        SinkError::Unavailable { target, reason, .. } => {
            refused(target, &format!("{reason}; then run the replay again"))
        }
        refused => refused,
    }
}

#[async_trait]
impl Sink for ParquetSink {
    fn name(&self) -> &str {
        NAME
    }

    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError> {
        if let Way::AtCut { cut, pending } = &mut self.way
            && pending.bytes() > self.pending_bytes_max
        {
            // Before the rows are taken in, so that an error leaves them out as a whole.
            cut.stage_down_to(self.pending_bytes_max / 2, pending, &self.streams)?;
        }
        let index = self.streams.iter().position(|stream| *stream.name == *emission.stream);
        let Some(index) = index else {
            return Err(refused(
                format!("rows of `{}`", emission.stream),
                "the stream is not in the settings",
            ));
        };
        let stream = &self.streams[index];
        let bad = |error: arrow::error::ArrowError| {
            refused(format!("rows of `{}`", stream.name), &error.to_string())
        };
        let fitted = stream.shape.fit(&emission.rows).map_err(bad)?;
        let time = emission.rows.column_by_name(&stream.time_column);
        let Some(time) = time else {
            let reason = format!("the rows have no column `{}`", stream.time_column);
            return Err(refused(format!("rows of `{}`", stream.name), &reason));
        };
        let site = emission.rows.column_by_name(SITE);
        let parts = split::split(index, time, site, &fitted).map_err(bad)?;
        if let Way::AtCut { cut, .. } = &mut self.way
            && !cut.count(&stream.name, &emission.rows)
        {
            return Ok(());
        }
        for (partition, rows) in parts {
            match &mut self.way {
                Way::AtCut { pending, .. } => {
                    pending.push(partition, rows);
                }
                Way::AtEnd(end) => end.write(partition, rows, &self.streams).map_err(at_end)?,
            }
        }
        Ok(())
    }

    async fn extend(&mut self, streams: &[StreamSettings]) -> Result<(), SinkError> {
        for settings in streams {
            let extended = stream(settings.clone())?;
            let known = self.streams.iter().position(|known| known.name == extended.name);
            let is_same = |known: &Stream| {
                known.shape.rows == extended.shape.rows && known.time_column == extended.time_column
            };
            match known {
                Some(index) if is_same(&self.streams[index]) => continue,
                Some(index) => {
                    // What has the columns of before goes into files of its own.
                    match &mut self.way {
                        Way::AtCut { cut, pending } => cut.stage_stream(index, pending, &self.streams)?,
                        Way::AtEnd(end) => end.end_stream(index, &self.streams).map_err(at_end)?,
                    }
                    self.streams[index] = extended;
                }
                None => self.streams.push(extended),
            }
            if let (Way::AtCut { cut, .. }, Some(extended)) =
                (&self.way, self.streams.iter().find(|known| known.name == settings.name))
            {
                cut.show_empty(extended)?;
            }
        }
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch, _resume_at: Offset) -> Result<Receipt, SinkError> {
        match &mut self.way {
            Way::AtCut { cut, pending } => cut.prepare(epoch, pending, &self.streams),
            Way::AtEnd(end) => {
                end.end_epoch(epoch);
                Ok(Receipt::default())
            }
        }
    }

    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError> {
        match &mut self.way {
            Way::AtCut { cut, .. } => cut.commit(epoch, receipt, &self.streams),
            Way::AtEnd(_) => Ok(()),
        }
    }

    async fn supersede(&mut self, epoch: Epoch) -> Result<(), SinkError> {
        match &mut self.way {
            Way::AtCut { cut, .. } => cut.supersede(epoch),
            Way::AtEnd(_) => Ok(()),
        }
    }

    async fn finish(&mut self) -> Result<(), SinkError> {
        match &mut self.way {
            Way::AtCut { .. } => Ok(()),
            Way::AtEnd(end) => end.finish(&self.streams).map_err(at_end),
        }
    }
}

#[cfg(test)]
mod tests;
