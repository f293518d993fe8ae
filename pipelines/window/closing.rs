//! Closing windows: which groups say something now, and what.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::array_value_to_string;
use datafusion::common::Result;

use super::frontier::Frontier;
use super::groups::GroupTable;
use super::pane::Pane;
use super::{Slot, WindowError, WindowOperator};
use crate::plan::WindowPlan;
use crate::plan::key::{Closes, Key};

/// Groups of one window that say something now, sorted by their keys.
#[derive(Clone, Debug)]
pub struct Closed {
    pub window_start_ms: i64,
    pub window_end_ms: i64,
    /// The watermark has passed the window's end: only corrections can change it.
    pub is_final: bool,
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
    /// Groups of the window on which SELECT or HAVING fails, such as a division by zero. They are in none
    /// of the above.
    pub failed: Vec<FailedGroup>,
}

/// A group without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedGroup {
    /// Its keys, parted by slashes.
    pub key: String,
    pub error: String,
}

impl WindowOperator {
    /// Emits what `frontier` closes: for each group whose watermark has reached its window's end the final
    /// revision, and for closed ones to which rows came since the next. Windows come in order.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn close(&mut self, frontier: &Frontier, out: &mut Vec<Closed>) -> Result<(), WindowError> {
        let passed = self.closers.advance(frontier);
        let mut forgotten = Vec::new();
        for (&start, slot) in &mut self.panes {
            let end = self.plan.windows.end_of(start);
            if end > self.closers.highest() {
                break;
            }
            let is_old = end.saturating_add(self.horizon_ms) <= self.closers.highest();
            let Slot::Live(pane) = slot else {
                if is_old {
                    forgotten.push(start);
                }
                continue;
            };
            let is_passed = || passed.iter().any(|&(before, now)| before < end && end <= now);
            if pane.dirty || (!pane.complete && is_passed()) {
                let groups = pane.groups.as_mut().unwrap_or(&mut self.groups);
                let closers = groups.closers().to_vec();
                let is_closed = |closer: u32| end <= self.closers.seen(closer);
                let states = &self.plan.states;
                let present = |pane: &Pane, group: usize| pane.rows_of(states, group) > 0;
                pane.marks_mut();
                let mut chosen = Vec::new();
                let mut is_complete = true;
                for (group, &closer) in closers.iter().enumerate().take(pane.len()) {
                    if present(pane, group) {
                        if !is_closed(closer) {
                            is_complete = false;
                        } else if !pane.marks[group].is_final || pane.marks[group].changed {
                            chosen.push(u32::try_from(group).expect("groups are numbered in u32"));
                        }
                    }
                }
                pane.complete = is_complete;
                pane.dirty = false;
                emit(&self.plan, &mut self.groups, start, pane, chosen, true, out)
                    .map_err(WindowError::State)?;
            }
            if pane.complete && is_old {
                forgotten.push(start);
            }
        }
        forgotten.retain(|&start| self.is_forgotten(start));
        for start in forgotten {
            self.drop_pane(start);
        }
        Ok(())
    }

    /// Whether no row that still counts can come to a complete window.
    fn is_forgotten(&self, start: i64) -> bool {
        let expires = self.plan.windows.end_of(start).saturating_add(self.horizon_ms);
        let pane = match &self.panes[&start] {
            Slot::Live(pane) => pane,
            Slot::Packed(packed) => {
                return packed.closers.iter().all(|&closer| expires <= self.closers.seen(closer));
            }
        };
        let closers = pane.groups.as_ref().unwrap_or(&self.groups).closers();
        (0..pane.len()).all(|group| {
            pane.rows_of(&self.plan.states, group) == 0 || expires <= self.closers.seen(closers[group])
        })
    }

    /// Shows the open windows of a bay that has fallen silent, as a revision that is not final; they stay
    /// open. Groups that no row came to since they were last shown are not repeated. Plans whose keys lack
    /// the bay have nothing to show: their windows close by the site's or the overall watermark.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn release(&mut self, bay: u32, out: &mut Vec<Closed>) -> Result<(), WindowError> {
        if self.closers.kind() != Closes::Bay {
            return Ok(());
        }
        for (&start, slot) in &mut self.panes {
            let end = self.plan.windows.end_of(start);
            let Slot::Live(pane) = slot else {
                continue;
            };
            let groups = pane.groups.as_ref().unwrap_or(&self.groups);
            let of_bay = groups.closers().iter().take(pane.len()).enumerate();
            let of_bay = of_bay.filter(|(_, closer)| **closer == bay && end > self.closers.seen(bay));
            let states = &self.plan.states;
            let is_new = |group: usize| match pane.marks.get(group) {
                Some(mark) => mark.revision == 0 || mark.changed,
                None => true,
            };
            let chosen: Vec<u32> = of_bay
                .map(|(group, _)| group)
                .filter(|&group| is_new(group) && pane.rows_of(states, group) > 0)
                .map(|group| u32::try_from(group).expect("groups are numbered in u32"))
                .collect();
            pane.marks_mut();
            emit(&self.plan, &mut self.groups, start, pane, chosen, false, out)
                .map_err(WindowError::State)?;
        }
        Ok(())
    }
}

/// What an emission of a group is.
#[derive(Clone, Copy, Debug)]
struct Said {
    revision: u32,
    is_first_final: bool,
}

/// Emits `chosen` groups of a pane and marks them.
fn emit(
    plan: &WindowPlan,
    of_series: &mut GroupTable,
    start: i64,
    pane: &mut Pane,
    mut chosen: Vec<u32>,
    is_final: bool,
    out: &mut Vec<Closed>,
) -> Result<()> {
    if chosen.is_empty() {
        return Ok(());
    }
    let table = pane.groups.as_mut().unwrap_or(of_series);
    table.settle()?;
    table.sort(&mut chosen);
    let said: Vec<Said> = chosen
        .iter()
        .map(|&group| {
            let mark = &mut pane.marks[group as usize];
            let is_first_final = is_final && !mark.is_final;
            mark.revision += 1;
            mark.changed = false;
            mark.is_final = is_final;
            Said { revision: mark.revision, is_first_final }
        })
        .collect();
    let chosen = UInt32Array::from(chosen);
    let end = plan.windows.end_of(start);
    let (columns, keys) = key_columns(plan, pane.groups.as_mut().unwrap_or(of_series), &chosen, start, end)?;
    let mut columns = columns;
    columns.extend(pane.results(&plan.states, &plan.results, &chosen)?);
    let groups = RecordBatch::try_new(plan.group_schema.clone(), columns)?;
    out.push(conclude(plan, &groups, keys, &said, (start, end), is_final)?);
    Ok(())
}

/// The columns of GROUP BY, with the window's, and without.
fn key_columns(
    plan: &WindowPlan,
    table: &mut GroupTable,
    chosen: &UInt32Array,
    start: i64,
    end: i64,
) -> Result<(Vec<ArrayRef>, RecordBatch)> {
    let time = |ms: i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from(vec![ms; chosen.len()]).with_timezone("UTC"))
    };
    let (mut all, mut own) = (Vec::new(), Vec::new());
    for (key, field) in plan.keys.iter().zip(plan.group_schema.fields()) {
        all.push(match key {
            Key::WindowStart => cast(&time(start), field.data_type())?,
            Key::WindowEnd => cast(&time(end), field.data_type())?,
            Key::Series(_) | Key::Row(_) => {
                let column = table.column(own.len(), chosen, field.data_type())?;
                own.push(Arc::clone(&column));
                column
            }
        });
    }
    Ok((all, batch(plan.key_schema(), own, chosen.len())?))
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// SELECT and HAVING over the groups.
fn conclude(
    plan: &WindowPlan,
    groups: &RecordBatch,
    keys: RecordBatch,
    said: &[Said],
    (window_start_ms, window_end_ms): (i64, i64),
    is_final: bool,
) -> Result<Closed> {
    let mut concluded = plan.conclude(groups);
    if concluded.failed.is_empty() && concluded.pieces.len() == 1 {
        let (_, matches, rows) = concluded.pieces.remove(0);
        return Ok(Closed {
            window_start_ms,
            window_end_ms,
            is_final,
            keys,
            rows,
            matches,
            revisions: said.iter().map(|said| said.revision).collect(),
            is_first_final: said.iter().map(|said| said.is_first_final).collect(),
            failed: Vec::new(),
        });
    }
    let matches: Vec<bool> = concluded.pieces.iter().flat_map(|(_, bits, _)| bits.values().iter()).collect();
    let rows = concat_batches(plan.output_schema(), concluded.pieces.iter().map(|(_, _, rows)| rows))?;
    let mut failed = Vec::new();
    for failure in &concluded.failed {
        let names: Result<Vec<String>, _> =
            keys.columns().iter().map(|column| array_value_to_string(column, failure.row)).collect();
        failed.push(FailedGroup { key: names?.join("/"), error: failure.error.clone() });
    }
    let good = concluded.pieces.iter().flat_map(|(range, _, _)| range.clone());
    let good: Vec<u32> = good.map(|row| u32::try_from(row).expect("groups are numbered in u32")).collect();
    let revisions = good.iter().map(|&row| said[row as usize].revision).collect();
    let is_first_final = good.iter().map(|&row| said[row as usize].is_first_final).collect();
    let keys = take_record_batch(&keys, &UInt32Array::from(good))?;
    Ok(Closed {
        window_start_ms,
        window_end_ms,
        is_final,
        keys,
        rows,
        matches: matches.into(),
        revisions,
        is_first_final,
        failed,
    })
}
