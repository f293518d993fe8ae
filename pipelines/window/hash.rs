//! A hash of a state, made from its snapshot: the same whatever numbers series and groups have, however rows were cut into
//! batches, and whether snapshots were taken.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

use super::columns::Columns;
use super::groups::KeyFormat;
use super::section::own_columns;
use super::snapshot::{Header, RestoreError, take_batch, take_section};
use crate::plan::{WindowKind, WindowPlan};

/// Columns of spans before their states, and of those that are withdrawn.
const SPAN_COLUMNS: usize = 4;

/// A hash of one key.
type Digest = [u8; 16];

/// The hash of a snapshot of `plan`, by the names of its groups.
///
/// # Errors
/// The snapshot does not read.
pub(super) fn hash_of(plan: &WindowPlan, snapshot: &[u8]) -> Result<blake3::Hash, RestoreError> {
    let mut rest = snapshot;
    match plan.kind {
        WindowKind::Fixed(_) => of_panes(plan, &mut rest),
        WindowKind::Session { .. } | WindowKind::Step | WindowKind::Calendar(_) => of_spans(plan, &mut rest),
    }
}

fn of_panes(plan: &WindowPlan, rest: &mut &[u8]) -> Result<blake3::Hash, RestoreError> {
    let text = take_section(rest)?;
    let header = Header::parse(text)?;
    let keys = take_batch(rest)?;
    // Where rows decide keys, each window has its own.
    let keys = if plan.has_row_keys() { Ok(Vec::new()) } else { digests(&keys) };
    let keys = keys.map_err(RestoreError::Damaged)?;
    let mut hash = blake3::Hasher::new();
    for start in header.windows.iter().chain(&header.slides) {
        let of_pane = of_pane(plan, &keys, &take_batch(rest)?).map_err(RestoreError::Damaged)?;
        hash.update(&start.to_le_bytes());
        hash.update(of_pane.as_bytes());
    }
    hash.update(text);
    Ok(hash.finalize())
}

/// `keys` has a digest for each group of the operator's table, where windows have none of their own.
fn of_pane(plan: &WindowPlan, keys: &[Digest], section: &RecordBatch) -> Result<blake3::Hash> {
    let mut hash = blake3::Hasher::new();
    let mut columns = Columns { batch: section, next: 0 };
    let of_groups: Vec<Digest> = if plan.has_row_keys() {
        columns.next = plan.key_schema().fields().len();
        let of_keys: Vec<usize> = (0..columns.next).collect();
        digests(&section.project(&of_keys)?)?
    } else {
        let groups = columns.next()?;
        groups.as_primitive::<UInt32Type>().values().iter().map(|&group| keys[group as usize]).collect()
    };
    hash.update(of_groups.as_flattened());
    hash_states(plan, &mut columns, &mut hash)?;
    Ok(hash.finalize())
}

fn of_spans(plan: &WindowPlan, rest: &mut &[u8]) -> Result<blake3::Hash, RestoreError> {
    let header = take_section(rest)?;
    let keys = take_batch(rest)?;
    let bays = take_section(rest)?;
    let (spans, withdrawn) = (take_batch(rest)?, take_batch(rest)?);
    let mut hash = blake3::Hasher::new();
    hash.update(digests(&keys).map_err(RestoreError::Damaged)?.as_flattened());
    hash.update(bays);
    for column in spans.columns()[..SPAN_COLUMNS].iter().chain(withdrawn.columns()) {
        column.to_data().buffers().iter().for_each(|buffer| {
            hash.update(buffer.as_slice());
        });
    }
    hash.update(header);
    let mut columns = Columns { batch: &spans, next: SPAN_COLUMNS };
    hash_states(plan, &mut columns, &mut hash).map_err(RestoreError::Damaged)?;
    Ok(hash.finalize())
}

/// A hash of each key, a row each.
fn digests(keys: &RecordBatch) -> Result<Vec<Digest>> {
    let encoded = KeyFormat::new(keys.schema())?.encode(keys.columns())?;
    let mut key = Vec::new();
    let digests = (0..keys.num_rows()).map(|row| {
        key.clear();
        encoded.write(row, &mut key);
        let digest = *blake3::hash(&key).as_bytes();
        std::array::from_fn(|place| digest[place])
    });
    Ok(digests.collect())
}

/// Hashes the columns of states.
fn hash_states(plan: &WindowPlan, columns: &mut Columns<'_>, hash: &mut blake3::Hasher) -> Result<()> {
    for _ in 0..own_columns(&plan.states) {
        hash_plain(hash, &columns.next()?);
    }
    for other in &plan.states.others {
        let fields = other.function.state_fields()?;
        let states: Vec<ArrayRef> = fields.iter().map(|_| columns.next()).collect::<Result<_>>()?;
        match other.function.is_distinct() {
            true => hash_sets(hash, &states)?,
            false => hash_columns(hash, &states)?,
        }
    }
    Ok(())
}

/// Hashes a column of numbers, bits or sums, without nulls.
fn hash_plain(hash: &mut blake3::Hasher, column: &ArrayRef) {
    for buffer in column.to_data().buffers() {
        hash.update(&(buffer.len() as u64).to_le_bytes());
        hash.update(buffer.as_slice());
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
