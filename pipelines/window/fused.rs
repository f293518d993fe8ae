//! States of our own for the aggregates that most rules use: one load and one store per row for all of
//! them together, and copied to the bit into a snapshot and back.

/// count, sum, min and max of one column in one group. Same bits as DataFusion's accumulators give, which
/// is why an empty minimum is `f64::MAX` and not infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Measure {
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

impl Default for Measure {
    fn default() -> Self {
        Measure { count: 0, sum: 0.0, min: f64::MAX, max: f64::MIN }
    }
}

/// Welford's running variance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub count: u64,
    pub mean: f64,
    pub squares: f64,
}

impl Spread {
    /// Variance (of the `sample` or of the population) or its `root`; none without enough values.
    pub(crate) fn result(self, sample: bool, root: bool) -> Option<f64> {
        let count = if sample { self.count.saturating_sub(1) } else { self.count };
        #[expect(clippy::cast_precision_loss, reason = "as DataFusion divides")]
        let variance = (count > 0).then(|| self.squares / count as f64)?;
        Some(if root { variance.sqrt() } else { variance })
    }
}

/// A state that values are folded into one by one.
pub(crate) trait Fold: Copy + Default {
    fn fold(&mut self, value: f64);
}

impl Fold for Measure {
    #[inline]
    #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN replaces and is replaced, as in DataFusion")]
    fn fold(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        if !(value >= self.min) {
            self.min = value;
        }
        if !(value <= self.max) {
            self.max = value;
        }
    }
}

impl Fold for Spread {
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "as DataFusion divides")]
    fn fold(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }
}

/// Folds `values[row]` into `states[groups[row]]` for each of `rows` (all, if `None`), in order, but for rows
/// outside.
#[inline]
pub(crate) fn fold_rows<S: Fold>(states: &mut [S], rows: Option<&[u32]>, groups: &[u32], values: &[f64]) {
    let mut fold = |group: u32, value: f64| {
        // What is outside has no state.
        if let Some(state) = states.get_mut(group as usize) {
            state.fold(value);
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
