//! The least and the greatest value that have come to a rule: found once for all rules that get the same rows.

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;

use super::looked::Looked;
use super::routes::Routes;
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
