//! Which rows a rule need not look at, by their values: all of them, by the least and the greatest value, which are found
//! once for all rules that get the same rows; or each by itself.

use std::borrow::Cow;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;

use super::looked::{Look, Looked};
use super::routes::Routes;
use super::row_rule::RowRule;
use crate::engine::exceptions::Exceptions;
use crate::schema::TELEMETRY;

/// Of the rows that were handed out last.
pub(super) struct Ranges<'a> {
    routes: &'a Routes,
    /// Of each row, NaN for none. Empty where no condition reads it.
    values: &'a [f64],
    /// By class.
    known: Vec<Option<(f64, f64)>>,
}

impl<'a> Ranges<'a> {
    pub(super) fn new(routes: &'a Routes, looked: &Looked<'a>) -> Self {
        let value = TELEMETRY.index_of("value").expect("readings have a value");
        let values = looked.columns.binary_search(&value);
        let values = values.map(|place| looked.batch.column(place).as_primitive::<Float64Type>().values());
        Ranges { routes, values: values.map_or(&[], |values| values), known: vec![None; routes.classes()] }
    }

    /// Of each row.
    pub(super) fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Of the rows of a rule whose condition reads the value; upside down if none has one.
    pub(super) fn of(&mut self, rule: usize) -> (f64, f64) {
        let Some(class) = self.routes.class_of(rule) else { return (f64::INFINITY, f64::NEG_INFINITY) };
        let find = || {
            let rows = self.routes.of(rule).iter();
            // NaN is neither less nor greater than anything.
            rows.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), row| {
                let value = self.values[*row as usize];
                (least.min(value), greatest.max(value))
            })
        };
        *self.known[class].get_or_insert_with(find)
    }
}

impl RowRule {
    /// Whether rows with these values, the least and the greatest, change nothing.
    pub(super) fn is_quiet(
        &self,
        look: Look,
        exceptions: &Exceptions,
        range: impl FnOnce() -> (f64, f64),
    ) -> bool {
        let quiet = self.plan.quiet().filter(|_| self.is_view || !self.unmatched_count(look, exceptions));
        quiet.is_some_and(|quiet| quiet.holds(range()))
    }

    /// Those of the `selected` rows that are to be looked at, by the series and the value of all rows.
    pub(super) fn loud<'a>(
        &self,
        look: Look,
        exceptions: &Exceptions,
        selected: &'a [u32],
        (series, values): (&[u32], &[f64]),
    ) -> Cow<'a, [u32]> {
        let of_all = self.plan.quiet();
        let is_known = of_all.is_some() || !self.quiet_of_series.is_empty();
        if !is_known || !self.is_view && self.unmatched_count(look, exceptions) {
            return Cow::Borrowed(selected);
        }
        let is_loud = |row: &u32| {
            let (series, value) = (series[*row as usize], values[*row as usize]);
            let quiet = self.quiet_of_series.get(series as usize).copied().or(of_all);
            quiet.is_none_or(|quiet| quiet.is_loud(value))
        };
        if self.is_view {
            return selected.iter().copied().filter(is_loud).collect();
        }
        // What one row raises another may clear.
        Cow::Borrowed(if selected.iter().any(is_loud) { selected } else { &[] })
    }
}
