//! A row group that is being read.

use std::fs::File;

use arrow::array::{Array, RecordBatch, UInt64Array};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::HistoryError;
use super::folder::{Group, StreamFiles, open};

/// Rows that are decoded at a time.
pub(super) const BATCH_ROWS: usize = 8192;

/// Batches of one row group, and from what message on the rest of it is.
#[derive(Debug)]
pub(super) struct OpenGroup {
    group: Group,
    batches: ParquetRecordBatchReader,
    /// For each batch that is left: the least message in it and behind it; the next stands last.
    least: Vec<u64>,
}

impl OpenGroup {
    /// Opens it to read the columns that `wanted` names.
    pub(super) fn open(group: Group, wanted: &[String]) -> Result<Self, HistoryError> {
        let (file, metadata) = open(&group.file.path)?;
        let again = file.try_clone().map_err(|error| HistoryError::unreadable(&group.file.path, error))?;
        let least = least_messages(reader(&group, again, &metadata, &["message".to_owned()])?)
            .map_err(|error| HistoryError::unreadable(&group.file.path, error))?;
        let batches = reader(&group, file, &metadata, wanted)?;
        Ok(OpenGroup { group, batches, least })
    }

    /// No row that is left has an older message; none if no row is left.
    pub(super) fn least_message(&self) -> Option<u64> {
        self.least.last().copied()
    }

    /// The site of its rows.
    pub(super) fn site(&self) -> &str {
        &self.group.file.site
    }

    /// The next rows.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, HistoryError> {
        self.least.pop();
        let batch = self.batches.next().transpose();
        batch.map_err(|error| HistoryError::unreadable(&self.group.file.path, error))
    }
}

/// Reads some columns of a row group.
pub(super) fn reader(
    group: &Group,
    file: File,
    metadata: &ArrowReaderMetadata,
    wanted: &[String],
) -> Result<ParquetRecordBatchReader, HistoryError> {
    let fields = metadata.schema().fields().iter().enumerate();
    let places = fields.filter(|(_, field)| wanted.contains(field.name())).map(|(place, _)| place);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), places);
    ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
        .with_row_groups(vec![group.index])
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| HistoryError::unreadable(&group.file.path, error))
}

fn least_messages(batches: ParquetRecordBatchReader) -> Result<Vec<u64>, ArrowError> {
    let mut least = Vec::new();
    for batch in batches {
        let batch = batch?;
        let messages = batch.column(0).as_any().downcast_ref::<UInt64Array>();
        let messages = messages.ok_or_else(|| ArrowError::SchemaError("`message` is no UInt64".into()))?;
        least.push(messages.values().iter().copied().min().unwrap_or(u64::MAX));
    }
    least.reverse();
    for at in 1..least.len() {
        least[at] = least[at].min(least[at - 1]);
    }
    Ok(least)
}

/// Hands all rows of a stream's files to `take`, with their site, in the order of the files.
pub(super) fn all(
    files: StreamFiles,
    mut take: impl FnMut(RecordBatch, &str) -> Result<(), HistoryError>,
) -> Result<(), HistoryError> {
    for group in files.groups {
        let (file, metadata) = open(&group.file.path)?;
        let columns: Vec<String> =
            metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
        for batch in reader(&group, file, &metadata, &columns)? {
            let batch = batch.map_err(|error| HistoryError::unreadable(&group.file.path, error))?;
            take(batch, &group.file.site)?;
        }
    }
    Ok(())
}
