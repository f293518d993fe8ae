//! What rules look at, and where their verdicts go.

use arrow::array::RecordBatch;
use ingest::readings::Reject;

use super::super::block::Rows;
use super::super::exceptions::Exceptions;

/// Which look at a reading it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Arrival,
    Certain,
}

/// Where verdicts go.
pub(crate) struct Verdicts<'a> {
    pub exceptions: &'a mut Exceptions,
    pub rejects: &'a mut Vec<Reject>,
}

/// Rows to look at, with the columns of conditions made of them.
#[derive(Clone, Copy)]
pub(crate) struct Looked<'a> {
    pub rows: Rows<'a>,
    /// Some columns of each row.
    pub batch: &'a RecordBatch,
    /// Which columns of the stream these are, ascending.
    pub columns: &'a [usize],
    pub look: Look,
}
