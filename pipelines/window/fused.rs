//! States of our own for the aggregates that most rules use: one load and one store for all of them together. None
//! depends on the order of its values, so states can be merged.

use super::exact::{ExactSquares, ExactSum, is_usual};

/// count, sum, min and max of one column in one group. An empty minimum is `f64::MAX` and not infinity, as in
/// DataFusion's accumulators.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Measure {
    pub sum: ExactSum,
    pub count: u64,
    pub min: f64,
    pub max: f64,
}

impl Measure {
    /// Takes over what `other` has seen, but for the sum.
    pub(crate) fn merge_range(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.count += other.count;
        self.min = lesser(self.min, other.min);
        self.max = if other.max.is_nan() { f64::NAN } else { greater(self.max, other.max) };
    }

    /// Takes a value in, but for the sum.
    #[inline]
    pub(crate) fn range(&mut self, value: f64) {
        self.count += 1;
        if value.is_nan() {
            self.max = f64::NAN;
            return;
        }
        self.reach(value);
    }

    /// Lets the range reach to a number. One zero is as good as the other, so that their order does not matter.
    #[inline]
    fn reach(&mut self, number: f64) {
        let number = number + 0.0;
        self.min = lesser(self.min, number);
        self.max = greater(self.max, number);
    }

    /// The least value. What is no number is above all numbers, so it is the least only of its like.
    pub(crate) fn least(&self) -> f64 {
        if self.max.is_nan() && self.min == f64::MAX { f64::NAN } else { self.min }
    }
}

/// The lesser of a bound and a number. Chosen, not branched: which of values in no order is the least nobody can foretell.
#[inline]
fn lesser(bound: f64, number: f64) -> f64 {
    if number < bound { number } else { bound }
}

/// The greater of a number and a bound, which stays if it is no number.
#[inline]
fn greater(bound: f64, number: f64) -> f64 {
    if number > bound { number } else { bound }
}

impl Default for Measure {
    fn default() -> Self {
        Measure { sum: ExactSum::default(), count: 0, min: f64::MAX, max: f64::MIN }
    }
}

/// What variances are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub count: u64,
    pub sum: ExactSum,
    pub squares: ExactSquares,
}

impl Spread {
    /// Variance (of the `sample` or of the population) or its `root`; none without enough values.
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
    pub(crate) fn result(&self, sample: bool, root: bool) -> Option<f64> {
        let count = if sample { self.count.saturating_sub(1) } else { self.count };
        let spread = (count > 0).then(|| self.squares.spread(self.count, &self.sum))?;
        let variance = spread / self.count as f64 / count as f64;
        Some(if root { variance.sqrt() } else { variance })
    }
}

/// A state that values are folded into one by one.
pub(crate) trait Fold: Default {
    /// Takes a value in.
    fn fold(&mut self, value: f64);

    /// Takes over what `other` has seen.
    fn merge(&mut self, other: &Self);
}

impl Fold for Measure {
    #[inline]
    fn fold(&mut self, value: f64) {
        if is_usual(value) {
            // It is a number. Cutting a column of them beforehand is no faster: it is written and read once more.
            self.count += 1;
            self.sum.add_usual(value);
            self.reach(value);
        } else {
            self.sum.add_unusual(value);
            self.range(value);
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.sum.merge(&other.sum);
        self.merge_range(other);
    }
}

impl Fold for Spread {
    #[inline]
    fn fold(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
        self.squares.add(value);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }
}

/// Lets `fold` take `values[row]` of each of `rows` (all, if `None`) into `states[groups[row]]`, in order, but for rows
/// outside.
#[inline]
pub(crate) fn fold_rows<S>(
    states: &mut [S],
    rows: Option<&[u32]>,
    groups: &[u32],
    values: &[f64],
    fold: impl Fn(&mut S, f64),
) {
    let mut fold = |group: u32, value: f64| {
        if let Some(state) = states.get_mut(group as usize) {
            fold(state, value);
        }
    };
    match rows {
        None => groups.iter().zip(values).for_each(|(&group, &value)| fold(group, value)),
        Some(rows) => rows.iter().for_each(|&row| fold(groups[row as usize], values[row as usize])),
    }
}

/// Counts each of `rows` (all, if `None`) in its group.
#[inline]
pub(crate) fn count_rows(states: &mut [u64], rows: Option<&[u32]>, groups: &[u32]) {
    let mut count = |group: u32| {
        if let Some(state) = states.get_mut(group as usize) {
            *state += 1;
        }
    };
    match rows {
        None => groups.iter().for_each(|&group| count(group)),
        Some(rows) => rows.iter().for_each(|&row| count(groups[row as usize])),
    }
}
