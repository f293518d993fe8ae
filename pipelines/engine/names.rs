//! The names behind series and unit numbers, as dictionaries for Arrow columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use ingest::series::SeriesTable;
use rustc_hash::FxHashMap;

use super::block::LATENESS;
use crate::schema::SERIES_COLUMNS;

/// One of site, bay, tool, metric: a key for each series, and the distinct names.
#[derive(Clone, Debug)]
pub(super) struct NameColumn {
    /// Dictionary key by series number, [`Names::NULL`] for an empty name.
    pub keys: Vec<u32>,
    pub values: ArrayRef,
    distinct: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, u32>,
}

/// All names, kept in step with the series table.
#[derive(Clone, Debug)]
pub(super) struct Names {
    columns: [NameColumn; 4],
    units: ArrayRef,
    lateness: ArrayRef,
    series: usize,
}

impl Names {
    /// The key that stands for null.
    pub(super) const NULL: u32 = u32::MAX;

    /// No series yet.
    #[must_use]
    pub(super) fn new() -> Self {
        let column = || NameColumn {
            keys: Vec::new(),
            values: Arc::new(StringArray::from(vec![""])),
            distinct: Vec::new(),
            numbers: FxHashMap::default(),
        };
        Names {
            columns: [column(), column(), column(), column()],
            units: Arc::new(StringArray::from(vec![""])),
            lateness: Arc::new(StringArray::from(LATENESS.to_vec())),
            series: 0,
        }
    }

    /// Takes in what is new in `table` and the units' codes. Cheap when nothing is. True if there are new series.
    pub(super) fn follow(&mut self, table: &SeriesTable, units: &[Box<str>]) -> bool {
        if units.len() != self.units.len() {
            self.units = Arc::new(StringArray::from_iter_values(units));
        }
        if table.all().len() == self.series {
            return false;
        }
        for series in &table.all()[self.series..] {
            for (column, name) in
                self.columns.iter_mut().zip([&series.site, &series.bay, &series.tool, &series.metric])
            {
                let key = if name.is_empty() { Names::NULL } else { column.number(name) };
                column.keys.push(key);
            }
        }
        self.series = table.all().len();
        for column in &mut self.columns {
            let names = column.distinct.iter().map(AsRef::as_ref);
            // A dictionary that all keys are null in still needs a value to point at.
            column.values = Arc::new(StringArray::from_iter_values(names.chain(std::iter::once(""))));
        }
        true
    }

    /// The name column `name`, one of [`SERIES_COLUMNS`].
    #[must_use]
    pub(super) fn column(&self, name: &str) -> &NameColumn {
        let place = SERIES_COLUMNS.iter().position(|column| *column == name).expect("a series column");
        &self.columns[place]
    }

    /// Unit codes by number.
    #[must_use]
    pub(super) fn units(&self) -> &ArrayRef {
        &self.units
    }

    /// Names of lateness by number.
    #[must_use]
    pub(super) fn lateness(&self) -> &ArrayRef {
        &self.lateness
    }
}

impl NameColumn {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.distinct.len()).expect("names are bounded by configuration");
        self.distinct.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }
}
