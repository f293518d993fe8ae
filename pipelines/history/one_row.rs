//! One row of a stream, by its id.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::HistoryError;
use super::folder::StreamFiles;
use super::group::all;
use super::steps::with_site;

/// The row of `files` that has this id, with the columns of `schema`; none if it is not there.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn row_of_id(
    files: StreamFiles,
    schema: &SchemaRef,
    id: &str,
) -> Result<Option<RecordBatch>, HistoryError> {
    let mut found = None;
    all(files, |rows, site| {
        let ids = rows.column_by_name("row_id").and_then(|ids| ids.as_string_opt::<i32>());
        let at = ids.and_then(|ids| ids.iter().position(|row_id| row_id == Some(id)));
        if let Some(at) = at {
            found = Some(with_site(&rows.slice(at, 1), site, schema)?);
        }
        Ok(())
    })?;
    Ok(found)
}
