//! A column of times or counters: 64-bit numbers whose differences are small.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt64Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt64Type,
};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, Compressor, Content, Presence, assemble};
use super::delta::Delta;

/// Encoder of a 64-bit column, for one row group after the other.
#[derive(Debug)]
pub(super) struct NumbersColumn {
    column: ColumnDescPtr,
    is_unsigned: bool,
    delta: Delta,
    present: Presence,
    /// Least and greatest, in the order of the column's type.
    bounds: Option<(i64, i64)>,
}

impl NumbersColumn {
    /// Whether it is for this type.
    pub(super) fn takes(kind: &DataType) -> bool {
        match kind {
            DataType::Int64 | DataType::UInt64 => true,
            // Seconds are stored as milliseconds, which the parquet crate does.
            DataType::Timestamp(unit, _) => *unit != TimeUnit::Second,
            _ => false,
        }
    }

    pub(super) fn new(column: ColumnDescPtr, kind: &DataType) -> Self {
        NumbersColumn {
            column,
            is_unsigned: *kind == DataType::UInt64,
            delta: Delta::default(),
            present: Presence::default(),
            bounds: None,
        }
    }

    /// Appends a batch's column. Errors: another type.
    pub(super) fn write(&mut self, column: &ArrayRef) -> Result<()> {
        let numbers = match column.data_type() {
            DataType::Int64 => column.as_primitive::<Int64Type>().clone(),
            DataType::UInt64 => signed(column.as_primitive::<UInt64Type>()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                column.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<Int64Type>()
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>()
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                column.as_primitive::<TimestampNanosecondType>().reinterpret_cast::<Int64Type>()
            }
            other => return Err(ParquetError::General(format!("{other} is no number of 64 bits"))),
        };
        match numbers.null_count() {
            0 => {
                self.present.push(true, numbers.len());
                numbers.values().iter().for_each(|value| self.delta.push(*value));
                self.widen(numbers.values().iter().copied());
            }
            nulls if nulls == numbers.len() => self.present.push(false, nulls),
            _ => {
                for value in &numbers {
                    self.present.push(value.is_some(), 1);
                    value.into_iter().for_each(|value| self.delta.push(value));
                }
                self.widen(numbers.iter().flatten());
            }
        }
        Ok(())
    }

    fn widen(&mut self, values: impl Iterator<Item = i64>) {
        // Turning the sign bit makes the signed order the unsigned one.
        let turn = if self.is_unsigned { i64::MIN } else { 0 };
        let none = (i64::MAX, i64::MIN);
        let known = self.bounds.map_or(none, |(least, greatest)| (least ^ turn, greatest ^ turn));
        let (least, greatest) = values
            .fold(known, |(least, greatest), value| (least.min(value ^ turn), greatest.max(value ^ turn)));
        self.bounds = (least <= greatest).then_some((least ^ turn, greatest ^ turn));
    }

    /// Bytes held for the row group in the making.
    pub(super) fn memory_bytes(&self) -> usize {
        self.delta.memory_bytes() + self.present.memory_bytes()
    }

    /// Ends the row group.
    pub(super) fn finish(&mut self, compressor: &mut Compressor) -> Result<Chunk> {
        let mut values = Vec::new();
        self.delta.finish(&mut values);
        let nulls = Some(self.present.nulls() as u64);
        let (least, greatest) = self.bounds.take().unzip();
        let content = Content {
            column: &self.column,
            present: &self.present,
            dictionary: None,
            values: &values,
            encoding: Encoding::DELTA_BINARY_PACKED,
            statistics: Some(Statistics::int64(least, greatest, None, nulls, false)),
        };
        let chunk = assemble(content, compressor)?;
        self.present = Presence::default();
        Ok(chunk)
    }
}

/// The same bits.
fn signed(numbers: &UInt64Array) -> Int64Array {
    Int64Array::new(ScalarBuffer::from(numbers.values().inner().clone()), numbers.nulls().cloned())
}
