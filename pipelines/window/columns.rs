//! A section of a state as bytes, and its columns back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Float64Type, Schema, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::{Result, exec_datafusion_err};

/// The columns of a section, one after the other.
pub(super) struct Columns<'a> {
    pub batch: &'a RecordBatch,
    pub next: usize,
}

impl Columns<'_> {
    pub(super) fn next(&mut self) -> Result<ArrayRef> {
        let column = self.batch.columns().get(self.next);
        self.next += 1;
        column.cloned().ok_or_else(|| exec_datafusion_err!("a state has too few columns"))
    }

    pub(super) fn counts(&mut self) -> Result<Vec<u64>> {
        let column = self.next()?;
        let column = column.as_primitive_opt::<UInt64Type>();
        Ok(column
            .ok_or_else(|| exec_datafusion_err!("a state has a column of another type"))?
            .values()
            .to_vec())
    }

    /// Sums as their encoding.
    pub(super) fn exact<S>(&mut self, decode: impl Fn(&[u8]) -> Option<S>) -> Result<Vec<S>> {
        let wrong = || exec_datafusion_err!("a state has a column that is no sum");
        let column = self.next()?;
        let column = column.as_binary_opt::<i32>().ok_or_else(wrong)?;
        (0..column.len()).map(|row| decode(column.value(row)).ok_or_else(wrong)).collect()
    }

    pub(super) fn floats(&mut self) -> Result<Vec<f64>> {
        let column = self.next()?;
        let column = column.as_primitive_opt::<Float64Type>();
        Ok(column
            .ok_or_else(|| exec_datafusion_err!("a state has a column of another type"))?
            .values()
            .to_vec())
    }
}

/// A section's bytes.
pub(super) fn to_ipc(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<u8>> {
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

/// A section's batch.
pub(super) fn from_ipc(section: &[u8]) -> Result<RecordBatch> {
    let mut reader = StreamReader::try_new(section, None)?;
    let batch = reader.next().ok_or_else(|| exec_datafusion_err!("a state without a batch"))?;
    Ok(batch?)
}
