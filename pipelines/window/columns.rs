//! A section of a state as bytes, and its columns back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::{Field, Float64Type, Schema, UInt64Type};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;

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

    pub(super) fn counts(&mut self) -> Result<ScalarBuffer<u64>> {
        self.numbers::<UInt64Type>()
    }

    pub(super) fn floats(&mut self) -> Result<ScalarBuffer<f64>> {
        self.numbers::<Float64Type>()
    }

    fn numbers<T: ArrowPrimitiveType>(&mut self) -> Result<ScalarBuffer<T::Native>> {
        let column = self.next()?;
        let column = column.as_primitive_opt::<T>();
        let wrong = || exec_datafusion_err!("a state has a column of another type");
        Ok(column.ok_or_else(wrong)?.values().clone())
    }

    pub(super) fn sums(&mut self) -> Result<Sums> {
        let column = self.next()?;
        Ok(Sums(column.as_binary_opt::<i32>().ok_or_else(no_sum)?.clone()))
    }
}

/// Exact sums as their encoding, a row each.
pub(super) struct Sums(BinaryArray);

impl Sums {
    /// Lets `decode` take that of a row.
    #[inline]
    pub(super) fn take(&self, row: usize, decode: impl FnOnce(&[u8]) -> Option<()>) -> Result<()> {
        decode(self.0.value(row)).ok_or_else(no_sum)
    }
}

#[cold]
fn no_sum() -> DataFusionError {
    exec_datafusion_err!("a state has a column that is no sum")
}

/// What a section has besides its columns, and room for what each of them has besides its values.
const FRAME_BYTES: usize = 1024;

/// A section's bytes.
pub(super) fn to_ipc(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Result<Buffer> {
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let size: usize = columns.iter().map(|column| column.get_buffer_memory_size() + FRAME_BYTES).sum();
    let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(size + FRAME_BYTES), &schema)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

/// A section's batch.
pub(super) fn from_ipc(section: &Buffer) -> Result<RecordBatch> {
    let batch = StreamDecoder::new().decode(&mut section.clone())?;
    batch.ok_or_else(|| exec_datafusion_err!("a state without a batch"))
}
