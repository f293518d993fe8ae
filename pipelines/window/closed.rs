//! What closed windows say.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::util::display::array_value_to_string;
use datafusion::common::Result;

use super::groups::GroupTable;
use super::pane::Pane;
use crate::plan::WindowPlan;
use crate::plan::key::Key;

/// Stands for the end of a window that has none yet.
pub(crate) const OPEN: i64 = i64::MAX;

/// Groups with their windows that say something now, sorted by window and key.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Start of each group's window.
    pub starts_ms: Vec<i64>,
    /// End of each group's window; `i64::MAX` for a step that goes on.
    pub ends_ms: Vec<i64>,
    /// The watermark has passed the windows' ends: only corrections can change them.
    pub is_final: bool,
    /// These windows are none any more: a correction has put them together with others. Their rows are those of windows
    /// without readings.
    pub is_withdrawn: bool,
    /// GROUP BY keys without the window's columns, a row a group.
    pub keys: RecordBatch,
    /// The columns of SELECT, a row a group.
    pub rows: RecordBatch,
    /// Which groups pass HAVING, never null. The others are there to clear what an earlier window raised,
    /// or an earlier revision said.
    pub matches: BooleanArray,
    /// Revision of each group's window: 1, 2, 3 … in the order of emission.
    pub revisions: Vec<u32>,
    /// Whether it is the group's first final one.
    pub is_first_final: Vec<bool>,
    /// Groups on which SELECT or HAVING fails, such as a division by zero. They are in none of the above.
    pub failed: Vec<FailedGroup>,
}

/// A group without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedGroup {
    pub window_start_ms: i64,
    /// Its keys, parted by slashes.
    pub key: String,
    pub error: String,
}

/// A group that says something, and as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub start_ms: i64,
    /// [`OPEN`] for none.
    pub end_ms: i64,
    /// Number in the table of groups.
    pub group: u32,
    /// Place of its states in the pane.
    pub place: u32,
    pub revision: u32,
    pub is_first_final: bool,
}

impl Closed {
    /// What `said`, which is sorted, comes to. `table` has the keys if the pane has not; after [`GroupTable::settle`].
    pub(crate) fn new(
        plan: &WindowPlan,
        table: &mut GroupTable,
        pane: &mut Pane,
        said: &[Said],
        is_final: bool,
    ) -> Result<Closed> {
        let column = |of: fn(&Said) -> u32| said.iter().map(of).collect::<UInt32Array>();
        let (groups, places) = (column(|said| said.group), column(|said| said.place));
        let time = |of: fn(&Said) -> i64| -> ArrayRef {
            let times = said.iter().map(|said| Some(of(said)).filter(|&ms| ms != OPEN));
            Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        };
        let (mut columns, mut own) = (Vec::new(), Vec::new());
        for (key, field) in plan.keys.iter().zip(plan.group_schema.fields()) {
            columns.push(match key {
                Key::WindowStart => cast(&time(|said| said.start_ms), field.data_type())?,
                Key::WindowEnd => cast(&time(|said| said.end_ms), field.data_type())?,
                Key::Series(_) | Key::Row(_) => {
                    let table = pane.groups.as_mut().unwrap_or(table);
                    let column = table.column(own.len(), &groups, field.data_type())?;
                    own.push(Arc::clone(&column));
                    column
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(said.len()));
        let keys = RecordBatch::try_new_with_options(plan.key_schema(), own, &options)?;
        columns.extend(pane.results(&plan.states, &plan.results, &places)?);
        let groups = RecordBatch::try_new(plan.group_schema.clone(), columns)?;
        conclude(plan, &groups, keys, said, is_final)
    }
}

/// SELECT and HAVING over the groups.
fn conclude(
    plan: &WindowPlan,
    groups: &RecordBatch,
    keys: RecordBatch,
    said: &[Said],
    is_final: bool,
) -> Result<Closed> {
    let mut concluded = plan.conclude(groups);
    let closed = |said: &[&Said], keys, rows, matches, failed| Closed {
        starts_ms: said.iter().map(|said| said.start_ms).collect(),
        ends_ms: said.iter().map(|said| said.end_ms).collect(),
        is_final,
        is_withdrawn: false,
        keys,
        rows,
        matches,
        revisions: said.iter().map(|said| said.revision).collect(),
        is_first_final: said.iter().map(|said| said.is_first_final).collect(),
        failed,
    };
    if concluded.failed.is_empty() && concluded.pieces.len() == 1 {
        let (_, matches, rows) = concluded.pieces.remove(0);
        let said: Vec<&Said> = said.iter().collect();
        return Ok(closed(&said, keys, rows, matches, Vec::new()));
    }
    let matches: Vec<bool> = concluded.pieces.iter().flat_map(|(_, bits, _)| bits.values().iter()).collect();
    let rows = concat_batches(plan.output_schema(), concluded.pieces.iter().map(|(_, _, rows)| rows))?;
    let mut failed = Vec::new();
    for failure in &concluded.failed {
        let names: Result<Vec<String>, _> =
            keys.columns().iter().map(|column| array_value_to_string(column, failure.row)).collect();
        failed.push(FailedGroup {
            window_start_ms: said[failure.row].start_ms,
            key: names?.join("/"),
            error: failure.error.clone(),
        });
    }
    let good = concluded.pieces.iter().flat_map(|(range, _, _)| range.clone());
    let good: Vec<u32> = good.map(|row| u32::try_from(row).expect("groups are numbered in u32")).collect();
    let said: Vec<&Said> = good.iter().map(|&row| &said[row as usize]).collect();
    let keys = take_record_batch(&keys, &UInt32Array::from(good))?;
    Ok(closed(&said, keys, rows, matches.into(), failed))
}
