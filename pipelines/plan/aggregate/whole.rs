//! sum over whole numbers: it says when it has grown too large, where DataFusion's own begins again from the other end.
//!
//! It is kept in 128 bits, which no number of rows can exceed, so only a result can fail; a sum that has been too large in
//! between and is not in the end is right.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

/// Room for 2^63 numbers of 64 bits; more digits than the type counts on mean nothing to it.
pub(super) const STATE: DataType = DataType::Decimal128(38, 0);

/// A sum for each group; none without values.
#[derive(Debug)]
pub(super) struct WholeSums {
    /// `Int64` or `UInt64`, as the result is.
    kind: DataType,
    sums: Vec<Option<i128>>,
}

impl WholeSums {
    pub(super) fn new(kind: &DataType) -> Self {
        WholeSums { kind: kind.clone(), sums: Vec::new() }
    }

    fn add(&mut self, group: usize, value: i128) {
        let sum = &mut self.sums[group];
        *sum = Some(sum.unwrap_or(0) + value);
    }

    fn result(&self, sum: Option<i128>) -> Result<ScalarValue> {
        let too_large = |sum| {
            let text = format!("the sum {sum} is too large for a BIGINT; write sum(CAST(… AS DOUBLE))");
            DataFusionError::from(ArrowError::ArithmeticOverflow(text))
        };
        Ok(match (&self.kind, sum) {
            (DataType::UInt64, sum) => {
                let sum = sum.map(|sum| u64::try_from(sum).map_err(|_| too_large(sum)));
                ScalarValue::UInt64(sum.transpose()?)
            }
            (_, sum) => {
                let sum = sum.map(|sum| i64::try_from(sum).map_err(|_| too_large(sum)));
                ScalarValue::Int64(sum.transpose()?)
            }
        })
    }
}

/// The whole numbers of a column: of an argument, of a state, or of a state as DataFusion keeps it, which older
/// checkpoints have.
fn numbers(column: &ArrayRef) -> Result<Vec<Option<i128>>> {
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().map(|one| one.map(i128::from)).collect(),
        DataType::UInt64 => {
            column.as_primitive::<UInt64Type>().iter().map(|one| one.map(i128::from)).collect()
        }
        DataType::Decimal128(_, 0) => column.as_primitive::<Decimal128Type>().iter().collect(),
        other => return Err(exec_datafusion_err!("{other} is no sum of whole numbers")),
    })
}

impl GroupsAccumulator for WholeSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.sums.resize(count.max(self.sums.len()), None);
        let is_in = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for ((row, value), &group) in numbers(&values[0])?.into_iter().enumerate().zip(groups) {
            if let Some(value) = value.filter(|_| is_in(row)) {
                self.add(group, value);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let results = sums.into_iter().map(|sum| self.result(sum)).collect::<Result<Vec<_>>>()?;
        if results.is_empty() {
            return Ok(arrow::array::new_empty_array(&self.kind));
        }
        ScalarValue::iter_to_array(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        Ok(vec![Arc::new(Decimal128Array::from(sums).with_data_type(STATE))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.update_batch(states, groups, None, count)
    }

    /// Of each row by itself.
    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows: Vec<usize> = (0..values[0].len()).collect();
        let mut each = WholeSums::new(&self.kind);
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}

/// Without GROUP BY.
#[derive(Debug)]
pub(super) struct WholeSum(WholeSums);

impl WholeSum {
    pub(super) fn new(kind: &DataType) -> Self {
        WholeSum(WholeSums { kind: kind.clone(), sums: vec![None] })
    }
}

impl Accumulator for WholeSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        numbers(&values[0])?.into_iter().flatten().for_each(|value| self.0.add(0, value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.result(self.0.sums[0])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(self.0.sums[0], 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn summed(batches: &[&[i64]]) -> Result<ArrayRef> {
        let mut sums = WholeSums::new(&DataType::Int64);
        for values in batches {
            let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
            sums.update_batch(&[column], &vec![0; values.len()], None, 1)?;
        }
        sums.evaluate(EmitTo::All)
    }

    #[test]
    fn a_sum_that_was_too_large_in_between_is_right_in_the_end() {
        let sum = summed(&[&[i64::MAX, 5], &[-7]]).expect("it fits");
        assert_eq!(sum.as_primitive::<Int64Type>().value(0), i64::MAX - 2);
        let error = summed(&[&[i64::MAX, 1]]).expect_err("it does not").to_string();
        assert!(error.contains("the sum 9223372036854775808 is too large for a BIGINT"), "{error}");
    }

    #[test]
    fn a_sum_goes_on_from_what_an_older_checkpoint_kept() {
        let mut sums = WholeSums::new(&DataType::Int64);
        let kept: ArrayRef = Arc::new(Int64Array::from(vec![Some(40), None]));
        sums.merge_batch(&[kept], &[0, 1], 2).expect("merged");
        let more: ArrayRef = Arc::new(Int64Array::from(vec![2]));
        sums.update_batch(&[more], &[0], None, 2).expect("added");
        let state = sums.state(EmitTo::All).expect("a state");
        sums.merge_batch(&state, &[0, 1], 2).expect("merged");
        let sums = sums.evaluate(EmitTo::All).expect("sums");
        assert_eq!(sums.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(42), None]);
    }
}
