//! The rows of a batch that count, with everything evaluated that folding needs: from here on no
//! expression can fail.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::{take, take_record_batch};
use datafusion::common::Result;

use super::Input;
use super::groups::{Combinations, GroupTable, OUTSIDE};
use super::pane::Evaluated;
use crate::plan::expression::mask;
use crate::plan::key::Key;
use crate::plan::{WindowKind, WindowPlan, Windows};

/// Rows of a batch; those whose code is [`OUTSIDE`] do not count.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    /// The group as far as the series decides it.
    pub codes: Vec<u32>,
    /// How many count.
    pub inside: usize,
    pub ts_ms: Cow<'a, [i64]>,
    /// Of the pushed batch.
    bay: &'a [u32],
    pub evaluated: Evaluated,
    /// Distinct keys, if series do not decide them alone.
    pub combinations: Option<Combinations>,
    /// The keys that series do not decide.
    row_keys: Vec<ArrayRef>,
    /// Places in the pushed batch, if rows were taken out.
    places: Option<Vec<u32>>,
}

impl<'a> Selection<'a> {
    /// Evaluates the plan's row expressions. `None` if no row counts.
    ///
    /// # Errors
    /// An expression fails on some row that WHERE does not leave out.
    pub(crate) fn new(plan: &WindowPlan, input: &Input<'a>, codes: Vec<u32>) -> Result<Option<Self>> {
        let &Input { rows, bay, ts_ms, .. } = input;
        let expressions = &plan.rows;
        let inside = count_inside(&codes);
        if inside == 0 {
            return Ok(None);
        }
        let mut selection = Selection {
            codes,
            inside,
            ts_ms: Cow::Borrowed(ts_ms),
            bay,
            evaluated: Evaluated::default(),
            combinations: None,
            row_keys: Vec::new(),
            places: None,
        };
        let mut batch = Cow::Borrowed(rows);
        // A selective scope makes expressions cheaper when rows outside are taken out at once.
        let is_selective = !expressions.is_plain && inside < bay.len() / 2;
        if inside < bay.len() && (expressions.may_fail || is_selective) {
            let within = selection.within();
            batch = Cow::Owned(selection.keep(&batch, within)?);
        }
        if expressions.with_window_columns {
            batch = Cow::Owned(with_window_columns(plan, &batch, &selection.ts_ms)?);
        }
        if let Some(condition) = &expressions.condition {
            let met = mask(condition, &batch)?;
            if met.true_count() < met.len() {
                selection.exclude(&met);
                if expressions.may_fail {
                    let within = selection.within();
                    batch = Cow::Owned(selection.keep(&batch, within)?);
                }
                selection.inside = count_inside(&selection.codes);
                if selection.inside == 0 {
                    return Ok(None);
                }
            }
        }
        let count = batch.num_rows();
        for argument in &expressions.arguments {
            selection.evaluated.arguments.push(argument.evaluate(&batch)?.into_array(count)?);
        }
        for filter in &expressions.filters {
            selection.evaluated.filters.push(mask(filter, &batch)?);
        }
        for key in &plan.keys {
            if let Key::Row(key) = key {
                selection.row_keys.push(key.evaluate(&batch)?.into_array(count)?);
            }
        }
        if !selection.row_keys.is_empty() {
            let mut combinations = Combinations::of_codes(&selection.codes);
            for key in &selection.row_keys {
                combinations.refine(key)?;
            }
            selection.combinations = Some(combinations);
        }
        Ok(Some(selection))
    }

    /// Puts the rows that have not `met` the condition outside.
    fn exclude(&mut self, met: &BooleanArray) {
        let words = met.values().bit_chunks();
        for (codes, word) in self.codes.chunks_mut(64).zip(words.iter_padded()) {
            let mut not_met = !word;
            while not_met != 0 {
                if let Some(code) = codes.get_mut(not_met.trailing_zeros() as usize) {
                    *code = OUTSIDE;
                }
                not_met &= not_met - 1;
            }
        }
    }

    /// The rows that are not outside.
    fn within(&self) -> Vec<u32> {
        let mut rows = vec![0; self.codes.len()];
        let mut count = 0;
        for (row, &code) in (0..).zip(&self.codes) {
            rows[count] = row;
            count += usize::from(code != OUTSIDE);
        }
        rows.truncate(count);
        rows
    }

    /// Takes out the rows that are not `kept`.
    fn keep(&mut self, batch: &RecordBatch, kept: Vec<u32>) -> Result<RecordBatch> {
        self.codes = kept.iter().map(|&row| self.codes[row as usize]).collect();
        self.ts_ms = Cow::Owned(kept.iter().map(|&row| self.ts_ms[row as usize]).collect());
        self.places = Some(kept.iter().map(|&row| self.place_of(row)).collect());
        Ok(take_record_batch(batch, &UInt32Array::from(kept))?)
    }

    /// Where `row` was in the pushed batch.
    pub(crate) fn place_of(&self, row: u32) -> u32 {
        self.places.as_ref().map_or(row, |places| places[row as usize])
    }

    /// The number of the bay of `row`.
    pub(crate) fn bay_of(&self, row: usize) -> u32 {
        self.bay[self.places.as_ref().map_or(row, |places| places[row] as usize)]
    }

    /// The start of the newest window of all rows, if it is one.
    pub(crate) fn one_slide(&self, windows: Windows) -> Option<i64> {
        let start = windows.start_of(*self.ts_ms.first()?);
        let last = windows.slide_ms - 1;
        // Below zero once a row is before the slide or behind it: gathered without branches, many rows at a time.
        let outside = self.ts_ms.iter().fold(0, |outside, &ts_ms| {
            let since = ts_ms.wrapping_sub(start);
            outside | since | last.wrapping_sub(since)
        });
        (outside >= 0).then_some(start)
    }

    /// Finds the groups of `rows` (all, if `None`) in the pane's table, which takes `groups_max` of them: rows whose group
    /// would be one too many are told apart. They and other rows are [`OUTSIDE`].
    pub(crate) fn groups_in(
        &self,
        keys: &[Key],
        of_pane: &mut GroupTable,
        of_series: &mut GroupTable,
        (rows, groups_max): (Option<&[u32]>, usize),
        mut closer_of: impl FnMut(usize) -> u32,
    ) -> Result<Found> {
        let Some(combinations) = &self.combinations else {
            return Ok(Found { groups: self.codes.clone(), surplus: Vec::new() });
        };
        const WANTED: u32 = OUTSIDE - 1;
        let mut group_of = vec![OUTSIDE; combinations.first_rows.len()];
        let mut wanted = Vec::new();
        let mut want = |code: u32| {
            if code != OUTSIDE && group_of[code as usize] == OUTSIDE {
                group_of[code as usize] = WANTED;
                wanted.push(code);
            }
        };
        match rows {
            Some(rows) => rows.iter().for_each(|&row| want(combinations.codes[row as usize])),
            None => combinations.codes.iter().for_each(|&code| want(code)),
        }
        let firsts: UInt32Array =
            wanted.iter().map(|&code| combinations.first_rows[code as usize]).collect::<Vec<_>>().into();
        let of_first: UInt32Array =
            firsts.values().iter().map(|&row| self.codes[row as usize]).collect::<Vec<_>>().into();
        of_series.settle()?;
        let (mut next_of_series, mut next_of_row) = (0, 0);
        let mut columns = Vec::new();
        for key in keys {
            match key {
                Key::Series(_) => {
                    columns.push(of_series.plain_column(next_of_series, &of_first)?);
                    next_of_series += 1;
                }
                Key::Row(_) => {
                    columns.push(take(&self.row_keys[next_of_row], &firsts, None)?);
                    next_of_row += 1;
                }
                Key::WindowStart | Key::WindowEnd => {}
            }
        }
        let closer_of = |row: usize| closer_of(firsts.value(row) as usize);
        let numbers = of_pane.intern_within(groups_max, &columns, wanted.len(), closer_of)?;
        let is_full = numbers.contains(&OUTSIDE);
        for (code, number) in wanted.iter().zip(numbers) {
            group_of[*code as usize] = number;
        }
        let group = |&code: &u32| if code == OUTSIDE { OUTSIDE } else { group_of[code as usize] };
        let groups: Vec<u32> = combinations.codes.iter().map(group).collect();
        let is_surplus =
            |row: &u32| combinations.codes[*row as usize] != OUTSIDE && groups[*row as usize] == OUTSIDE;
        let surplus = match rows {
            _ if !is_full => Vec::new(),
            Some(rows) => rows.iter().copied().filter(is_surplus).collect(),
            None => (0..).take(groups.len()).filter(is_surplus).collect(),
        };
        Ok(Found { groups, surplus })
    }
}

/// Groups that rows are in.
#[derive(Debug)]
pub(crate) struct Found {
    /// An element for each row of the selection.
    pub groups: Vec<u32>,
    /// Rows for which there was no group any more, ascending.
    pub surplus: Vec<u32>,
}

fn count_inside(codes: &[u32]) -> usize {
    codes.iter().map(|&code| usize::from(code != OUTSIDE)).sum()
}

/// `batch` with the window of each row behind its columns.
fn with_window_columns(plan: &WindowPlan, batch: &RecordBatch, ts_ms: &[i64]) -> Result<RecordBatch> {
    let WindowKind::Fixed(windows) = plan.kind else {
        unreachable!("the planner refuses it: other windows have no end yet")
    };
    let starts: Vec<i64> = ts_ms.iter().map(|&ts| windows.start_of(ts)).collect();
    let ends = starts.iter().map(|&start| windows.end_of(start)).collect();
    let mut columns = batch.columns().to_vec();
    for times in [starts, ends] {
        columns.push(Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(plan.rows.schema.clone(), columns, &options)?)
}
