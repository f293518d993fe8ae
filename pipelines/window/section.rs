//! The groups of one window as bytes, and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, UInt32Array, UInt64Array,
    new_empty_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer};
use arrow::datatypes::{Field, UInt32Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

use super::columns::{Columns, to_ipc};
use super::exact::{ExactSquares, ExactSum};
use super::fused::{Fold, Measure, Spread};
use super::groups::GroupTable;
use super::mark::Mark;
use super::pane::Pane;
use crate::plan::WindowPlan;

/// A closed window that waits for corrections.
#[derive(Debug)]
pub(crate) struct Packed {
    pub section: Buffer,
    pub hash: blake3::Hash,
    /// Whose watermarks close its groups, ascending.
    pub closers: Vec<u32>,
}

impl Packed {
    /// Encodes the groups that have rows and whose closer `is_alive`.
    pub(super) fn new(
        plan: &WindowPlan,
        of_series: &mut GroupTable,
        pane: &mut Pane,
        is_alive: impl Fn(u32) -> bool,
    ) -> Result<Self> {
        let table = pane.groups.as_mut().unwrap_or(of_series);
        table.settle()?;
        let closers = table.closers().to_vec();
        let mut groups: Vec<u32> = (0..)
            .take(pane.len())
            .filter(|&group| is_alive(closers[group as usize]))
            .filter(|&group| pane.rows_of(&plan.states, group as usize) > 0)
            .collect();
        let table = pane.groups.as_mut().unwrap_or(of_series);
        table.sort(&mut groups);
        let mut hash = blake3::Hasher::new();
        let digests: Vec<[u8; 16]> = groups.iter().map(|&group| table.digests()[group as usize]).collect();
        hash.update(digests.as_flattened());
        let mut is_in = vec![false; closers.iter().max().map_or(0, |&closer| closer as usize + 1)];
        groups.iter().for_each(|&group| is_in[closers[group as usize] as usize] = true);
        let of_groups = (0..).zip(is_in).filter(|(_, is_in)| *is_in).map(|(closer, _)| closer).collect();

        let groups = UInt32Array::from(groups);
        let (fields, columns) = match &mut pane.groups {
            Some(of_pane) => key_columns(of_pane, Some(&groups))?,
            None => {
                let field = Field::new("group", groups.data_type().clone(), false);
                (vec![field], vec![Arc::new(groups.clone()) as ArrayRef])
            }
        };
        let section = states_section(plan, pane, &groups, (fields, columns), &mut hash)?;
        Ok(Packed { section, hash: hash.finalize(), closers: of_groups })
    }
}

/// A section of the states of `groups` behind other columns, hashed as well.
pub(super) fn states_section(
    plan: &WindowPlan,
    pane: &mut Pane,
    groups: &UInt32Array,
    (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>),
    hash: &mut blake3::Hasher,
) -> Result<Buffer> {
    let (own, others) = state_columns(plan, pane, groups)?;
    hash_plain(hash, &own);
    for (other, columns) in plan.states.others.iter().zip(&others) {
        if other.function.is_distinct() {
            hash_sets(hash, columns)?;
        } else {
            hash_columns(hash, columns)?;
        }
    }
    let states = own.into_iter().chain(others.into_iter().flatten());
    for (name, column) in (0..).zip(states) {
        fields.push(Field::new(format!("state_{name}"), column.data_type().clone(), true));
        columns.push(column);
    }
    to_ipc(fields, columns, groups.len())
}

/// Marks and fused states of `groups`, a row each, and the states of each of DataFusion's accumulators: what
/// [`decode_states`] reads.
fn state_columns(
    plan: &WindowPlan,
    pane: &mut Pane,
    groups: &UInt32Array,
) -> Result<(Vec<ArrayRef>, Vec<Vec<ArrayRef>>)> {
    let each = || groups.values().iter().map(|&group| group as usize);
    let counts = |values: Vec<u64>| Arc::new(UInt64Array::from(values)) as ArrayRef;
    let floats = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let mark = |group: usize| pane.marks.get(group).copied().unwrap_or_default();
    let bits = |is_set: fn(Mark) -> bool| {
        let bits = match pane.marks.is_empty() {
            true => BooleanBuffer::new_unset(groups.len()),
            false => {
                BooleanBuffer::collect_bool(groups.len(), |row| is_set(mark(groups.value(row) as usize)))
            }
        };
        Arc::new(BooleanArray::from(bits)) as ArrayRef
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(each().map(|group| mark(group).revision))),
        // Whether rows came since the last emission means nothing before the first.
        bits(|mark| mark.changed && mark.revision > 0),
        bits(|mark| mark.is_final),
        bits(|mark| mark.is_told),
        bits(|mark| mark.was_told),
        counts(each().map(|group| pane.beside.get(group).copied().unwrap_or(0)).collect()),
    ];
    for states in &pane.measures {
        columns.push(counts(each().map(|group| states[group].count).collect()));
        columns.push(encoded(each(), |group, bytes| states[group].sum.encode(bytes)));
        columns.push(floats(each().map(|group| states[group].min).collect()));
        columns.push(floats(each().map(|group| states[group].max).collect()));
    }
    for states in &pane.spreads {
        columns.push(counts(each().map(|group| states[group].count).collect()));
        columns.push(encoded(each(), |group, bytes| states[group].sum.encode(bytes)));
        columns.push(encoded(each(), |group, bytes| states[group].squares.encode(bytes)));
    }
    for states in &pane.counts {
        columns.push(counts(each().map(|group| states[group]).collect()));
    }
    let others = plan.states.others.iter().enumerate().map(|(place, other)| {
        if !groups.is_empty() {
            return pane.peek(place, groups);
        }
        // Some of DataFusion's accumulators have no columns before their first row.
        let fields = other.function.state_fields()?;
        Ok(fields.iter().map(|field| new_empty_array(field.data_type())).collect())
    });
    let others: Result<_> = others.collect();
    Ok((columns, others?))
}

fn encoded(groups: impl Iterator<Item = usize>, encode: impl Fn(usize, &mut Vec<u8>)) -> ArrayRef {
    // Of most sums: those of usual values have no side.
    const USUAL_BYTES: usize = 16;
    let rows = groups.size_hint().0;
    let (mut bytes, mut lengths) = (Vec::with_capacity(rows * USUAL_BYTES), Vec::with_capacity(rows));
    for group in groups {
        let before = bytes.len();
        encode(group, &mut bytes);
        lengths.push(bytes.len() - before);
    }
    Arc::new(BinaryArray::new(OffsetBuffer::from_lengths(lengths), bytes.into(), None))
}

/// Takes the columns of [`state_columns`] back into `groups`, in with what these have already.
pub(super) fn decode_states(
    plan: &WindowPlan,
    columns: &mut Columns,
    groups: &[u32],
    pane: &mut Pane,
) -> Result<()> {
    let revision = columns.next()?;
    let revision = revision.as_primitive::<UInt32Type>();
    let bits = [columns.next()?, columns.next()?, columns.next()?, columns.next()?];
    let [changed, is_final, is_told, was_told] = bits.each_ref().map(|column| column.as_boolean());
    let beside = columns.counts()?;
    let places = || groups.iter().map(|&group| group as usize).enumerate();
    if revision.values().iter().any(|&revision| revision > 0) {
        let marks = pane.marks_mut();
        for (row, group) in places() {
            marks[group] = Mark {
                revision: revision.value(row),
                changed: changed.value(row),
                is_final: is_final.value(row),
                is_told: is_told.value(row),
                was_told: was_told.value(row),
            };
        }
    }
    if beside.iter().any(|&rows| rows > 0) {
        pane.beside.resize(pane.len(), 0);
        places().for_each(|(row, group)| pane.beside[group] += beside[row]);
    }
    for states in &mut pane.measures {
        let (count, sum) = (columns.counts()?, columns.exact(ExactSum::decode)?);
        let (min, max) = (columns.floats()?, columns.floats()?);
        for ((row, group), sum) in places().zip(sum) {
            let state = Measure { count: count[row], sum, min: min[row], max: max[row] };
            match states[group].count {
                0 => states[group] = state,
                _ => states[group].merge(&state),
            }
        }
    }
    for states in &mut pane.spreads {
        let (count, sum) = (columns.counts()?, columns.exact(ExactSum::decode)?);
        let squares = columns.exact(ExactSquares::decode)?;
        for ((row, group), (sum, squares)) in places().zip(sum.into_iter().zip(squares)) {
            let state = Spread { count: count[row], sum, squares };
            match states[group].count {
                0 => states[group] = state,
                _ => states[group].merge(&state),
            }
        }
    }
    for states in &mut pane.counts {
        let count = columns.counts()?;
        places().for_each(|(row, group)| states[group] += count[row]);
    }
    for (place, other) in plan.states.others.iter().enumerate() {
        let state: Vec<ArrayRef> =
            other.function.state_fields()?.iter().map(|_| columns.next()).collect::<Result<_>>()?;
        pane.merge_other(place, groups, &state)?;
    }
    Ok(())
}

/// The keys of `groups` (all, if `None`), names as plain text. After [`GroupTable::settle`].
pub(super) fn key_columns(
    table: &GroupTable,
    groups: Option<&UInt32Array>,
) -> Result<(Vec<Field>, Vec<ArrayRef>)> {
    let columns: Vec<ArrayRef> = match groups {
        Some(groups) => {
            (0..table.width()).map(|key| table.plain_column(key, groups)).collect::<Result<_>>()?
        }
        None => table.plain_columns().to_vec(),
    };
    let fields = columns.iter().enumerate();
    let fields =
        fields.map(|(key, column)| Field::new(format!("key_{key}"), column.data_type().clone(), true));
    Ok((fields.collect(), columns))
}

/// Hashes columns of numbers and bits without nulls, made for this.
fn hash_plain(hash: &mut blake3::Hasher, columns: &[ArrayRef]) {
    for column in columns {
        for buffer in column.to_data().buffers() {
            hash.update(&(buffer.len() as u64).to_le_bytes());
            hash.update(buffer.as_slice());
        }
    }
}

/// Hashes values, row by row and column by column, whatever lies under nulls.
fn hash_columns(hash: &mut blake3::Hasher, columns: &[ArrayRef]) -> Result<()> {
    let kinds = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    let rows = RowConverter::new(kinds.collect())?.convert_columns(columns)?;
    for row in &rows {
        hash.update(&(row.data().len() as u64).to_le_bytes());
        hash.update(row.data());
    }
    Ok(())
}

/// Hashes lists as the sets that they stand for: a hash set gives its values in no order.
fn hash_sets(hash: &mut blake3::Hasher, columns: &[ArrayRef]) -> Result<()> {
    for column in columns {
        let Some(lists) = column.as_list_opt::<i32>() else {
            hash_columns(hash, std::slice::from_ref(column))?;
            continue;
        };
        let converter = RowConverter::new(vec![SortField::new(lists.value_type())])?;
        let values = converter.convert_columns(std::slice::from_ref(lists.values()))?;
        for ends in lists.value_offsets().windows(2) {
            let range = ends[0].cast_unsigned() as usize..ends[1].cast_unsigned() as usize;
            let mut set: Vec<&[u8]> = range.map(|place| values.row(place).data()).collect();
            set.sort_unstable();
            hash.update(&(set.len() as u64).to_le_bytes());
            for value in set {
                hash.update(&(value.len() as u64).to_le_bytes());
                hash.update(value);
            }
        }
    }
    Ok(())
}
