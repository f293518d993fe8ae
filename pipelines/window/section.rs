//! The groups of one window as bytes, and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, UInt32Array, UInt64Array,
    new_empty_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer};
use arrow::datatypes::{Field, UInt32Type};
use datafusion::common::Result;

use super::columns::{Columns, to_ipc};
use super::fused::Fold;
use super::groups::GroupTable;
use super::mark::Mark;
use super::pane::Pane;
use crate::plan::WindowPlan;
use crate::plan::state::States;

/// A closed window that waits for corrections.
#[derive(Debug)]
pub(crate) struct Packed {
    pub section: Buffer,
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
        let section = states_section(plan, pane, &groups, (fields, columns))?;
        Ok(Packed { section, closers: of_groups })
    }
}

/// A section of the states of `groups` behind other columns.
pub(super) fn states_section(
    plan: &WindowPlan,
    pane: &mut Pane,
    groups: &UInt32Array,
    (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>),
) -> Result<Buffer> {
    for (name, column) in (0..).zip(state_columns(plan, pane, groups)?) {
        fields.push(Field::new(format!("state_{name}"), column.data_type().clone(), true));
        columns.push(column);
    }
    to_ipc(fields, columns, groups.len())
}

/// How many of the columns of [`state_columns`] are not of DataFusion's accumulators.
pub(super) fn own_columns(states: &States) -> usize {
    6 + 4 * states.measures.len() + 3 * states.spreads.len() + states.counts.len()
}

/// Marks and fused states of `groups`, a row each, and behind them the states of DataFusion's accumulators: what
/// [`decode_states`] reads.
fn state_columns(plan: &WindowPlan, pane: &mut Pane, groups: &UInt32Array) -> Result<Vec<ArrayRef>> {
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
    for (place, other) in plan.states.others.iter().enumerate() {
        if groups.is_empty() {
            // Some of DataFusion's accumulators have no columns before their first row.
            let fields = other.function.state_fields()?;
            columns.extend(fields.iter().map(|field| new_empty_array(field.data_type())));
        } else {
            columns.extend(pane.peek(place, groups)?);
        }
    }
    Ok(columns)
}

fn encoded(groups: impl Iterator<Item = usize>, encode: impl Fn(usize, &mut Vec<u8>)) -> ArrayRef {
    // Of most sums: those of usual values have no side.
    const USUAL_BYTES: usize = 16;
    let rows = groups.size_hint().0;
    let (mut bytes, mut ends) = (Vec::with_capacity(rows * USUAL_BYTES), Vec::with_capacity(rows + 1));
    ends.push(0);
    for group in groups {
        encode(group, &mut bytes);
        ends.push(i32::try_from(bytes.len()).expect("a column has less than two gigabytes"));
    }
    Arc::new(BinaryArray::new(OffsetBuffer::new(ends.into()), bytes.into(), None))
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
        let (count, sum) = (columns.counts()?, columns.sums()?);
        let (min, max) = (columns.floats()?, columns.floats()?);
        take_back(
            states,
            places(),
            |state| state.count,
            |row, state| {
                (state.count, state.min, state.max) = (count[row], min[row], max[row]);
                sum.take(row, |bytes| state.sum.take(bytes))
            },
        )?;
    }
    for states in &mut pane.spreads {
        let (count, sum, squares) = (columns.counts()?, columns.sums()?, columns.sums()?);
        take_back(
            states,
            places(),
            |state| state.count,
            |row, state| {
                state.count = count[row];
                sum.take(row, |bytes| state.sum.take(bytes))?;
                squares.take(row, |bytes| state.squares.take(bytes))
            },
        )?;
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

/// Lets `decode` make the state of each row, in with what its group has already.
fn take_back<S: Fold>(
    states: &mut [S],
    places: impl Iterator<Item = (usize, usize)>,
    count: impl Fn(&S) -> u64,
    decode: impl Fn(usize, &mut S) -> Result<()>,
) -> Result<()> {
    for (row, group) in places {
        let state = &mut states[group];
        if count(state) == 0 {
            decode(row, state)?;
        } else {
            let mut other = S::default();
            decode(row, &mut other)?;
            state.merge(&other);
        }
    }
    Ok(())
}

/// The keys of `groups`, names in full, or of all if `None`, each name once. After [`GroupTable::settle`].
pub(super) fn key_columns(
    table: &mut GroupTable,
    groups: Option<&UInt32Array>,
) -> Result<(Vec<Field>, Vec<ArrayRef>)> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for key in 0..table.schema().fields().len() {
        let column = match groups {
            Some(groups) => table.plain_column(key, groups)?,
            None => Arc::clone(table.whole_column(key)?),
        };
        fields.push(Field::new(format!("key_{key}"), column.data_type().clone(), true));
        columns.push(column);
    }
    Ok((fields, columns))
}
