//! The groups of one window, with their states.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Float64Type;
use datafusion::common::Result;
use datafusion::logical_expr::GroupsAccumulator;

use super::fused::{Fold, Measure, Spread, count_rows, fold_rows};
use super::groups::{GroupTable, OUTSIDE};
use super::mark::Mark;
use crate::plan::state::{Measured, States};

/// Evaluated rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct Evaluated {
    pub arguments: Vec<ArrayRef>,
    pub filters: Vec<BooleanArray>,
}

/// States of all groups of a window, each a dense array by group number.
pub(crate) struct Pane {
    /// The groups, where they are not the operator's (keys that no series decides).
    pub groups: Option<GroupTable>,
    pub measures: Vec<Vec<Measure>>,
    pub spreads: Vec<Vec<Spread>>,
    pub counts: Vec<Vec<u64>>,
    /// Rows that the first unfiltered measure has not counted. Empty until there is one.
    pub beside: Vec<u64>,
    pub others: Vec<Box<dyn GroupsAccumulator>>,
    /// Place of each group in the others, by first row; [`OUTSIDE`] for none. They take every place that
    /// they know for one that had a row, and forget to say null otherwise.
    pub others_places: Vec<u32>,
    /// How many places they have.
    pub others_len: usize,
    /// Empty until something was emitted.
    pub marks: Vec<Mark>,
    /// All groups were emitted as final and none has changed.
    pub complete: bool,
    /// Rows came after the window's end was passed.
    pub dirty: bool,
    len: usize,
}

impl fmt::Debug for Pane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pane")
            .field("groups", &self.len)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl Pane {
    /// An empty one. `groups` is an empty table where the pane keeps its own.
    pub(crate) fn new(states: &States, groups: Option<GroupTable>) -> Result<Self> {
        Ok(Pane {
            groups,
            measures: vec![Vec::new(); states.measures.len()],
            spreads: vec![Vec::new(); states.spreads.len()],
            counts: vec![Vec::new(); states.counts.len()],
            beside: Vec::new(),
            others: states.others.iter().map(|other| other.accumulator()).collect::<Result<_>>()?,
            others_places: Vec::new(),
            others_len: 0,
            marks: Vec::new(),
            complete: false,
            dirty: false,
            len: 0,
        })
    }

    /// Forgets everything but the memory of its fused states.
    pub(crate) fn recycle(mut self, states: &States, groups: Option<GroupTable>) -> Result<Self> {
        self.measures.iter_mut().for_each(Vec::clear);
        self.spreads.iter_mut().for_each(Vec::clear);
        self.counts.iter_mut().for_each(Vec::clear);
        self.beside.clear();
        self.marks.clear();
        self.others_places.clear();
        self.others = states.others.iter().map(|other| other.accumulator()).collect::<Result<_>>()?;
        Ok(Pane { groups, others_len: 0, complete: false, dirty: false, len: 0, ..self })
    }

    /// How many groups it has room for.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for `len` groups.
    pub(crate) fn grow(&mut self, len: usize) {
        if len <= self.len {
            return;
        }
        self.len = len;
        self.measures.iter_mut().for_each(|states| states.resize(len, Measure::default()));
        self.spreads.iter_mut().for_each(|states| states.resize(len, Spread::default()));
        self.counts.iter_mut().for_each(|states| states.resize(len, 0));
        if !self.beside.is_empty() {
            self.beside.resize(len, 0);
        }
        if !self.marks.is_empty() {
            self.marks.resize(len, Mark::default());
        }
    }

    /// How many rows the group has.
    pub(crate) fn rows_of(&self, states: &States, group: usize) -> u64 {
        let measured = states.base().map_or(0, |base| self.measures[base][group].count);
        measured + self.beside.get(group).copied().unwrap_or(0)
    }

    /// Makes room for what was said about groups.
    pub(crate) fn marks_mut(&mut self) -> &mut [Mark] {
        self.marks.resize(self.len, Mark::default());
        &mut self.marks
    }

    /// Folds `rows` (all, if `None`) of a batch in, in order. `groups` has the group of each row.
    pub(crate) fn fold(
        &mut self,
        states: &States,
        groups: &[u32],
        rows: Option<&[u32]>,
        evaluated: &Evaluated,
    ) -> Result<()> {
        for ((measured, with_sum), into) in states.measures.iter().zip(&states.sums).zip(&mut self.measures) {
            let values = evaluated.arguments[measured.argument].as_primitive::<Float64Type>();
            let chosen = chosen(measured, groups, values, evaluated);
            let groups = chosen.as_deref().unwrap_or(groups);
            match with_sum {
                true => fold_rows(into, rows, groups, values.values(), Measure::fold),
                false => fold_rows(into, rows, groups, values.values(), Measure::range),
            }
        }
        for (measured, into) in states.spreads.iter().zip(&mut self.spreads) {
            let values = evaluated.arguments[measured.argument].as_primitive::<Float64Type>();
            let chosen = chosen(measured, groups, values, evaluated);
            let groups = chosen.as_deref().unwrap_or(groups);
            fold_rows(into, rows, groups, values.values(), Spread::fold);
        }
        for (filter, into) in states.counts.iter().zip(&mut self.counts) {
            let filter = &evaluated.filters[*filter];
            let chosen = pick(groups, |row| filter.value(row));
            count_rows(into, rows, &chosen);
        }
        self.count_beside(states, groups, rows, evaluated);
        self.fold_others(states, groups, rows, evaluated)
    }

    /// Rows came to groups that something may have been said of.
    pub(crate) fn mark_changed(&mut self, groups: &[u32], rows: Option<&[u32]>) {
        for row in each(rows, groups.len()) {
            // What is outside has no mark, and before the first emission none has.
            if let Some(mark) = self.marks.get_mut(groups[row] as usize) {
                mark.changed = true;
            }
        }
    }

    fn count_beside(&mut self, states: &States, groups: &[u32], rows: Option<&[u32]>, evaluated: &Evaluated) {
        let nulls = match states.base() {
            None => None,
            Some(base) => {
                let values = &evaluated.arguments[states.measures[base].argument];
                match values.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => return,
                    nulls => nulls,
                }
            }
        };
        self.beside.resize(self.len, 0);
        match nulls {
            None => count_rows(&mut self.beside, rows, groups),
            Some(nulls) => count_rows(&mut self.beside, rows, &pick(groups, |row| nulls.is_null(row))),
        }
    }

    fn fold_others(
        &mut self,
        states: &States,
        groups: &[u32],
        rows: Option<&[u32]>,
        evaluated: &Evaluated,
    ) -> Result<()> {
        if self.others.is_empty() {
            return Ok(());
        }
        let count = groups.len();
        let outside = each(rows, count).filter(|&row| groups[row] == OUTSIDE).count();
        let all_inside = outside == 0;
        if outside == rows.map_or(count, <[u32]>::len) {
            // Some of DataFusion's look into a group of each row, also where the filter keeps it out.
            return Ok(());
        }
        let places: Vec<usize> = each(rows, count).map(|row| self.place_in_others(groups[row])).collect();
        let inside = (!all_inside)
            .then(|| BooleanArray::from_iter(each(rows, count).map(|row| Some(groups[row] != OUTSIDE))));
        let part = rows.map(|rows| UInt32Array::from(rows.to_vec()));
        for (other, accumulator) in states.others.iter().zip(&mut self.others) {
            let mut arguments = Vec::with_capacity(other.arguments.len());
            for &argument in &other.arguments {
                let values = &evaluated.arguments[argument];
                arguments.push(match &part {
                    None => Arc::clone(values),
                    Some(part) => take(values, part, None)?,
                });
            }
            let filter = match (other.filter, &inside) {
                (None, inside) => inside.clone(),
                (Some(filter), inside) => {
                    let filter = &evaluated.filters[filter];
                    let taken = each(rows, count).map(|row| filter.value(row));
                    Some(BooleanArray::from_iter(taken.enumerate().map(|(place, is_true)| {
                        Some(is_true && inside.as_ref().is_none_or(|inside| inside.value(place)))
                    })))
                }
            };
            accumulator.update_batch(&arguments, &places, filter.as_ref(), self.others_len)?;
        }
        Ok(())
    }

    /// The place of a group in the others, a new one if it has none. Rows outside have any; a filter keeps
    /// them out.
    fn place_in_others(&mut self, group: u32) -> usize {
        if group == OUTSIDE {
            return 0;
        }
        self.others_places.resize(self.len, OUTSIDE);
        let place = &mut self.others_places[group as usize];
        if *place == OUTSIDE {
            *place = u32::try_from(self.others_len).expect("no more places than groups");
            self.others_len += 1;
        }
        *place as usize
    }

    /// Takes states of `groups` over that [`Pane::peek`] gave.
    pub(crate) fn merge_other(&mut self, other: usize, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let places: Vec<usize> = groups.iter().map(|&group| self.place_in_others(group)).collect();
        self.others[other].merge_batch(state, &places, self.others_len)
    }
}

fn each(rows: Option<&[u32]>, count: usize) -> impl Iterator<Item = usize> {
    let whole = if rows.is_none() { 0..count } else { 0..0 };
    whole.chain(rows.unwrap_or_default().iter().map(|&row| row as usize))
}

/// `groups`, outside where the value is null or the filter not true. `None` if that leaves them as they are.
fn chosen(
    measured: &Measured,
    groups: &[u32],
    values: &Float64Array,
    evaluated: &Evaluated,
) -> Option<Vec<u32>> {
    let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
    let filter = measured.filter.map(|filter| &evaluated.filters[filter]);
    if nulls.is_none() && filter.is_none() {
        return None;
    }
    Some(pick(groups, |row| {
        nulls.is_none_or(|nulls| nulls.is_valid(row)) && filter.is_none_or(|filter| filter.value(row))
    }))
}

/// `groups`, outside where `is_in` is not true.
fn pick(groups: &[u32], is_in: impl Fn(usize) -> bool) -> Vec<u32> {
    groups.iter().enumerate().map(|(row, &group)| if is_in(row) { group } else { OUTSIDE }).collect()
}
