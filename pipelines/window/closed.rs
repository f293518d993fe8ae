//! What closed windows say.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::util::display::array_value_to_string;
use datafusion::common::Result;

use super::groups::GroupTable;
use super::mark::Mark;
use super::pane::Pane;
use crate::plan::WindowPlan;
use crate::plan::key::Key;
use crate::plan::windowed::Concluded;

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
    /// These windows are none any more: a correction has put them together with others, or they pass HAVING no more. Their
    /// rows are those of windows without readings.
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
    /// Whether the group is final and passes HAVING, and was not before.
    pub is_new: Vec<bool>,
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
    /// What was said before.
    pub before: Mark,
}

impl Closed {
    /// Tells what `said`, which is sorted, comes to, and marks it. `table` has the keys if the pane has not; after
    /// [`GroupTable::settle`].
    pub(crate) fn tell(
        plan: &WindowPlan,
        table: &mut GroupTable,
        pane: &mut Pane,
        said: &[Said],
        is_final: bool,
        out: &mut Vec<Closed>,
    ) -> Result<()> {
        let mut own = pane.groups.take();
        let table = own.as_mut().unwrap_or(table);
        let (closed, good) = Closed::new(plan, table, pane, said, is_final)?;
        let mut none_any_more = Vec::new();
        for (said, is_told) in good.iter().map(|&row| &said[row]).zip(closed.matches.values()) {
            let mark = &mut pane.marks[said.place as usize];
            mark.is_told = is_told;
            mark.was_told |= is_told && is_final;
            if said.before.is_told && !is_told {
                none_any_more.push(*said);
            }
        }
        out.push(closed);
        Closed::withdraw(plan, table, none_any_more, is_final, out)?;
        pane.groups = own;
        Ok(())
    }

    /// Tells windows, sorted, that are none any more, with the states of nothing.
    pub(crate) fn withdraw(
        plan: &WindowPlan,
        table: &mut GroupTable,
        mut said: Vec<Said>,
        is_final: bool,
        out: &mut Vec<Closed>,
    ) -> Result<()> {
        if said.is_empty() {
            return Ok(());
        }
        let mut nothing = Pane::new(&plan.states, None)?;
        nothing.grow(1);
        said.iter_mut().for_each(|said| said.place = 0);
        let (closed, _) = Closed::new(plan, table, &mut nothing, &said, is_final)?;
        out.push(Closed { is_withdrawn: true, ..closed });
        Ok(())
    }

    /// What `said` comes to, and which of it has a result.
    fn new(
        plan: &WindowPlan,
        table: &mut GroupTable,
        pane: &mut Pane,
        said: &[Said],
        is_final: bool,
    ) -> Result<(Closed, Vec<usize>)> {
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
                    let column = table.column(own.len(), &groups)?;
                    own.push(Arc::clone(&column));
                    column
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(said.len()));
        let keys = RecordBatch::try_new_with_options(plan.key_schema(), own, &options)?;
        let (results, without) = pane.results(&plan.states, &plan.results, &places)?;
        columns.extend(results);
        let groups = RecordBatch::try_new(plan.group_schema.clone(), columns)?;
        conclude(plan.conclude(&groups, without), plan, &keys, said, is_final)
    }
}

/// SELECT and HAVING over the groups, and which of them have a result.
fn conclude(
    mut concluded: Concluded,
    plan: &WindowPlan,
    all_keys: &RecordBatch,
    said: &[Said],
    is_final: bool,
) -> Result<(Closed, Vec<usize>)> {
    let good: Vec<usize> = concluded.pieces.iter().flat_map(|(range, _, _)| range.clone()).collect();
    let (keys, rows, matches) = if concluded.pieces.len() == 1 && good.len() == said.len() {
        let (_, matches, rows) = concluded.pieces.remove(0);
        (all_keys.clone(), rows, matches)
    } else {
        let matches = concluded.pieces.iter().flat_map(|(_, bits, _)| bits.values().iter());
        let matches = matches.collect::<Vec<bool>>().into();
        let rows = concat_batches(plan.output_schema(), concluded.pieces.iter().map(|(_, _, rows)| rows))?;
        let take: UInt32Array = good.iter().map(|&row| row as u32).collect();
        (take_record_batch(all_keys, &take)?, rows, matches)
    };
    let mut failed = Vec::new();
    for failure in &concluded.failed {
        let names: Result<Vec<String>, _> =
            all_keys.columns().iter().map(|column| array_value_to_string(column, failure.row)).collect();
        failed.push(FailedGroup {
            window_start_ms: said[failure.row].start_ms,
            key: names?.join("/"),
            error: failure.error.clone(),
        });
    }
    let each = || good.iter().map(|&row| &said[row]);
    let is_new = |(said, is_told): (&Said, bool)| is_final && is_told && !said.before.was_told;
    let closed = Closed {
        starts_ms: each().map(|said| said.start_ms).collect(),
        ends_ms: each().map(|said| said.end_ms).collect(),
        is_final,
        is_withdrawn: false,
        keys,
        rows,
        is_new: each().zip(matches.values()).map(is_new).collect(),
        matches,
        revisions: each().map(|said| said.revision).collect(),
        failed,
    };
    Ok((closed, good))
}
