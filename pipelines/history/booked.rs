//! What is told in revisions, bookings, checks and gaps, in the order in which it was told.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMillisecondType;

use super::HistoryError;
use super::folder::{Span, StreamFiles};
use super::group::all;
use super::steps::with_site;
use crate::plan::Stream;

/// Hands all rows that ended within the files' span to `take`.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn each_batch(
    stream: Stream,
    files: StreamFiles,
    mut take: impl FnMut(&RecordBatch),
) -> Result<(), HistoryError> {
    let (schema, time) = (stream.schema(), stream.time_column());
    let span = files.span.unwrap_or(Span::ALL);
    all(files, |rows, site| {
        let rows = with_site(&rows, site, &schema)?;
        let ended = rows.column_by_name(time).map(|column| column.as_primitive::<TimestampMillisecondType>());
        let within: BooleanArray = ended
            .into_iter()
            .flat_map(|ended| ended.values().iter())
            .map(|&ms| Some(span.holds(ms)))
            .collect();
        let rows = filter_record_batch(&rows, &within)
            .map_err(|error| HistoryError::new(error.to_string(), "replay the recording again"))?;
        take(&rows);
        Ok(())
    })
}
