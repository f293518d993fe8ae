//! What leaves the engine: rows of a stream, each with an id made of what it says.

use std::sync::Arc;

use arrow::array::RecordBatch;

/// Rows of one stream. The first column is `row_id`, a Utf8 text.
#[derive(Clone, Debug)]
pub struct Emission {
    pub stream: Arc<str>,
    pub rows: RecordBatch,
}
