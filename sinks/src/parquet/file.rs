//! One Parquet file in the making.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, UInt32Type};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::writer::SerializedFileWriter;

use super::chunk::{Compressor, ZSTD_LEVEL};
use super::ids::IdsColumn;
use super::names::NamesColumn;
use super::numbers::NumbersColumn;
use super::shape::{GROUP_ROWS_MAX, Shape, is_id};

/// Writes row groups of at most [`GROUP_ROWS_MAX`] rows to `W`.
pub(super) struct FileWriter<W: Write + Send> {
    shape: Arc<Shape>,
    out: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    /// Empty before the first row group.
    columns: Vec<Column>,
    compressor: Compressor,
    /// Rows of the row group in the making.
    group_rows: usize,
    rows: usize,
}

/// A column's encoder.
enum Column {
    Names(NamesColumn),
    Numbers(NumbersColumn),
    Ids(IdsColumn),
    /// One writer a leaf: a map has two.
    Arrow(FieldRef, Vec<ArrowColumnWriter>),
}

impl<W: Write + Send> std::fmt::Debug for FileWriter<W> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FileWriter").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write + Send> FileWriter<W> {
    pub(super) fn new(shape: Arc<Shape>, out: W) -> Result<Self> {
        let out =
            SerializedFileWriter::new(out, shape.parquet.root_schema_ptr(), Arc::clone(&shape.properties))?;
        let factory = ArrowRowGroupWriterFactory::new(&out, Arc::clone(&shape.rows));
        let compressor =
            Compressor::new(ZSTD_LEVEL).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(FileWriter { shape, out, factory, columns: Vec::new(), compressor, group_rows: 0, rows: 0 })
    }

    /// Rows written so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends rows of the shape [`Shape::rows`].
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let count = (GROUP_ROWS_MAX - self.group_rows).min(batch.num_rows() - from);
            self.write_group(&batch.slice(from, count))?;
            from += count;
            if self.group_rows == GROUP_ROWS_MAX {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn write_group(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.group_rows == 0 {
            self.begin_group()?;
        }
        for (column, values) in self.columns.iter_mut().zip(batch.columns()) {
            match column {
                Column::Names(names) => names.write(values.as_dictionary::<UInt32Type>()),
                Column::Numbers(numbers) => numbers.write(values)?,
                Column::Ids(ids) => ids.write(values.as_string::<i32>()),
                Column::Arrow(field, writers) => {
                    for (leaf, writer) in compute_leaves(field, values)?.iter().zip(writers) {
                        writer.write(leaf)?;
                    }
                }
            }
        }
        self.group_rows += batch.num_rows();
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Encoders of ours keep their memory from row group to row group; the parquet crate's serve one each.
    fn begin_group(&mut self) -> Result<()> {
        let group = self.out.flushed_row_groups().len();
        let mut writers = self.factory.create_column_writers(group)?.into_iter();
        let is_first = self.columns.is_empty();
        let mut leaf = 0;
        for (index, field) in self.shape.rows.fields().iter().enumerate() {
            let leaves = leaf_count(field.data_type());
            let of_field: Vec<ArrowColumnWriter> = writers.by_ref().take(leaves).collect();
            if is_first {
                let column = || self.shape.parquet.column(leaf);
                self.columns.push(match field.data_type() {
                    DataType::Dictionary(..) => Column::Names(NamesColumn::new(column())),
                    DataType::Utf8 if is_id(field) => Column::Ids(IdsColumn::new(column())),
                    kind if NumbersColumn::takes(kind) => Column::Numbers(NumbersColumn::new(column(), kind)),
                    _ => Column::Arrow(Arc::clone(field), of_field),
                });
            } else if let Column::Arrow(_, spent) = &mut self.columns[index] {
                *spent = of_field;
            }
            leaf += leaves;
        }
        Ok(())
    }

    /// Bytes held for the row group in the making.
    pub(super) fn memory_bytes(&self) -> usize {
        let column_bytes = |column: &Column| match column {
            Column::Names(names) => names.memory_bytes(),
            Column::Numbers(numbers) => numbers.memory_bytes(),
            Column::Ids(ids) => ids.memory_bytes(),
            Column::Arrow(_, writers) => writers.iter().map(ArrowColumnWriter::memory_size).sum(),
        };
        self.columns.iter().map(column_bytes).sum()
    }

    /// Writes the row group in the making out; afterwards no row is held.
    pub(super) fn end_group(&mut self) -> Result<()> {
        if self.group_rows == 0 {
            return Ok(());
        }
        let compressor = &mut self.compressor;
        let mut group = self.out.next_row_group()?;
        for column in &mut self.columns {
            // Each is written before the next is made: the encoded columns of a group are never in memory together.
            let chunk = match column {
                Column::Names(names) => names.finish(compressor)?,
                Column::Numbers(numbers) => numbers.finish(compressor)?,
                Column::Ids(ids) => ids.finish(compressor)?,
                Column::Arrow(_, writers) => {
                    for writer in writers.drain(..) {
                        writer.close()?.append_to_row_group(&mut group)?;
                    }
                    continue;
                }
            };
            group.append_column(&chunk.bytes, chunk.close)?;
        }
        group.close()?;
        self.group_rows = 0;
        Ok(())
    }

    /// Takes a row group over from `file`, a whole file of the same shape, without decoding it.
    pub(super) fn copy_group(&mut self, file: &Bytes, group: &RowGroupMetaData) -> Result<()> {
        self.end_group()?;
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let mut copy = self.out.next_row_group()?;
        for column in group.columns() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
                rows_written: rows,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            copy.append_column(file, close)?;
        }
        copy.close()?;
        self.rows += usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Ends the file; `facts` go into its key-value metadata.
    pub(super) fn close(mut self, facts: Vec<(&str, String)>) -> Result<W> {
        self.end_group()?;
        for (key, value) in facts {
            self.out.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        self.out.into_inner()
    }
}

/// Parquet columns of an Arrow column.
fn leaf_count(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|field| leaf_count(field.data_type())).sum(),
        DataType::Map(field, _) | DataType::List(field) | DataType::LargeList(field) => {
            leaf_count(field.data_type())
        }
        _ => 1,
    }
}
