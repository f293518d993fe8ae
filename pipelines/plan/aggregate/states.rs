//! The states of aggregates over fractions, one alone or one for each group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Float64Array, UInt64Array};
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::Of;
use crate::window::exact::{ExactSquares, ExactSum};
use crate::window::fused::{Fold, Measure, Spread};

/// A state that an aggregate of fractions is made of.
pub(in crate::plan) trait State:
    Fold + Clone + std::fmt::Debug + Send + Sync + 'static
{
    fn result(&self, of: Of) -> Option<f64>;
    /// Number of values, and the rest as bytes.
    fn encode(&self, bytes: &mut Vec<u8>) -> u64;
    fn decode(count: u64, bytes: &[u8]) -> Option<Self>;
}

/// Number of values, and their sum.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    count: u64,
    sum: ExactSum,
}

impl Fold for Total {
    fn fold(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
    }
}

impl State for Total {
    fn result(&self, of: Of) -> Option<f64> {
        let sum = (self.count > 0).then(|| self.sum.value())?;
        #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
        Some(if of == Of::Average { sum / self.count as f64 } else { sum })
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> u64 {
        self.sum.encode(bytes);
        self.count
    }

    fn decode(count: u64, bytes: &[u8]) -> Option<Self> {
        Some(Total { count, sum: ExactSum::decode(bytes)? })
    }
}

/// The least and the greatest of the values.
#[derive(Clone, Debug, Default)]
pub(super) struct Range(Measure);

impl Fold for Range {
    fn fold(&mut self, value: f64) {
        self.0.range(value);
    }

    fn merge(&mut self, other: &Self) {
        self.0.merge_range(&other.0);
    }
}

impl State for Range {
    fn result(&self, of: Of) -> Option<f64> {
        let bound = if of == Of::Least { self.0.least() } else { self.0.max };
        (self.0.count > 0).then_some(bound)
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.extend_from_slice(&self.0.min.to_le_bytes());
        bytes.extend_from_slice(&self.0.max.to_le_bytes());
        self.0.count
    }

    fn decode(count: u64, bytes: &[u8]) -> Option<Self> {
        let (min, max) = bytes.split_first_chunk()?;
        let (min, max) = (f64::from_le_bytes(*min), f64::from_le_bytes(max.try_into().ok()?));
        Some(Range(Measure { count, min, max, ..Measure::default() }))
    }
}

impl State for Spread {
    fn result(&self, of: Of) -> Option<f64> {
        let Of::Spread { sample, root } = of else { return None };
        Spread::result(self, sample, root)
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> u64 {
        self.sum.encode(bytes);
        let length = bytes.len() as u64;
        self.squares.encode(bytes);
        bytes.extend_from_slice(&length.to_le_bytes());
        self.count
    }

    fn decode(count: u64, bytes: &[u8]) -> Option<Self> {
        let (rest, length) = bytes.split_last_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (sum, squares) = rest.split_at_checked(length)?;
        Some(Spread { count, sum: ExactSum::decode(sum)?, squares: ExactSquares::decode(squares)? })
    }
}

/// Name and type of the two columns that a state is.
pub(in crate::plan) fn state_fields(name: &str) -> [(String, DataType); 2] {
    [(format!("{name}[count]"), DataType::UInt64), (format!("{name}[state]"), DataType::Binary)]
}

/// Without GROUP BY.
#[derive(Debug)]
pub(in crate::plan) struct Single<S> {
    pub of: Of,
    pub state: S,
}

impl<S: State> Accumulator for Single<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Float64Type>();
        values.iter().flatten().for_each(|value| self.state.fold(value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.state.result(self.of)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut bytes = Vec::new();
        let count = self.state.encode(&mut bytes);
        Ok(vec![ScalarValue::UInt64(Some(count)), ScalarValue::Binary(Some(bytes))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        decoded(states, |_, state| self.state.merge(&state))
    }
}

/// A state for each group.
#[derive(Debug)]
pub(in crate::plan) struct Each<S> {
    pub of: Of,
    pub states: Vec<S>,
}

impl<S: State> GroupsAccumulator for Each<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.states.resize_with(count.max(self.states.len()), S::default);
        let values = values[0].as_primitive::<Float64Type>();
        let is_in = |row| {
            values.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
        };
        for (row, &group) in groups.iter().enumerate() {
            if is_in(row) {
                let value = values.value(row);
                self.states[group].fold(value);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = emit_to.take_needed(&mut self.states);
        Ok(Arc::new(states.iter().map(|state| state.result(self.of)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = emit_to.take_needed(&mut self.states);
        let (mut counts, mut rest) = (Vec::with_capacity(states.len()), BinaryBuilder::new());
        let mut bytes = Vec::new();
        for state in &states {
            bytes.clear();
            counts.push(state.encode(&mut bytes));
            rest.append_value(&bytes);
        }
        Ok(vec![Arc::new(UInt64Array::from(counts)), Arc::new(rest.finish())])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.states.resize_with(count.max(self.states.len()), S::default);
        decoded(states, |row, state| self.states[groups[row]].merge(&state))
    }

    /// Of each row by itself.
    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows: Vec<usize> = (0..values[0].len()).collect();
        let mut each = Each { of: self.of, states: Vec::<S>::new() };
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<S>()
    }
}

/// Gives each row of the two columns that a state is.
fn decoded<S: State>(columns: &[ArrayRef], mut take: impl FnMut(usize, S)) -> Result<()> {
    let (counts, rest) = (columns[0].as_primitive::<UInt64Type>(), columns[1].as_binary::<i32>());
    for row in 0..counts.len() {
        let state = S::decode(counts.value(row), rest.value(row));
        take(row, state.ok_or_else(|| exec_datafusion_err!("these bytes are no state of a sum"))?);
    }
    Ok(())
}
