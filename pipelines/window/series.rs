//! Groups as far as a row's series decides them: looked up once a series, not once a row.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::datatypes::Schema;
use datafusion::common::Result;
use ingest::series::SeriesTable;

use super::frontier::Closers;
use super::groups::{GroupTable, OUTSIDE};
use crate::plan::key::Key;
use crate::plan::{WindowPlan, series_batch};

/// What series decide of a plan's groups.
#[derive(Debug)]
pub(crate) struct OfSeries {
    /// The groups; where rows decide too, the part of the key that series decide.
    pub groups: GroupTable,
    /// Series to group, or [`OUTSIDE`] the scope.
    of_series: Vec<u32>,
}

impl OfSeries {
    pub(crate) fn new(plan: &WindowPlan) -> Result<Self> {
        let fields = plan.group_schema.fields().iter().zip(&plan.keys);
        let fields = fields.filter(|(_, key)| matches!(key, Key::Series(_)));
        let fields: Vec<_> = fields.map(|(field, _)| field.clone()).collect();
        Ok(OfSeries { groups: GroupTable::new(Arc::new(Schema::new(fields)))?, of_series: Vec::new() })
    }

    /// An empty table for all keys, if rows decide some of them.
    pub(crate) fn table_of_rows(plan: &WindowPlan) -> Result<Option<GroupTable>> {
        plan.has_row_keys().then(|| GroupTable::new(plan.key_schema())).transpose()
    }

    /// The group of each row, as far as its series decides it.
    pub(crate) fn codes(
        &mut self,
        plan: &WindowPlan,
        series: &[u32],
        rows: usize,
        table: &SeriesTable,
        closers: &mut Closers,
    ) -> Result<Vec<u32>> {
        if series.is_empty() {
            // The empty key is the one part that rows without a series have in common.
            self.groups.intern(&[], 1, |_| 0)?;
            return Ok(vec![0; rows]);
        }
        self.follow(plan, table, closers)?;
        Ok(series.iter().map(|&series| self.of_series[series as usize]).collect())
    }

    /// The group of each series that is known, [`OUTSIDE`] the scope.
    pub(crate) fn of_series(&self) -> &[u32] {
        &self.of_series
    }

    /// Takes in what is new in `table`.
    pub(crate) fn follow(
        &mut self,
        plan: &WindowPlan,
        table: &SeriesTable,
        closers: &mut Closers,
    ) -> Result<()> {
        let known = self.of_series.len();
        if known < table.all().len() {
            let names = series_batch(table, known);
            let within = plan.scope.evaluate(&names)?;
            let inside: Vec<u32> =
                (0..).zip(within.iter()).filter(|(_, bit)| *bit == Some(true)).map(|(row, _)| row).collect();
            let names = arrow::compute::take_record_batch(&names, &UInt32Array::from(inside.clone()))?;
            let mut keys = Vec::new();
            for key in &plan.keys {
                if let Key::Series(key) = key {
                    keys.push(key.evaluate(&names)?.into_array(inside.len())?);
                }
            }
            let bay_of = table.bay_of();
            let of_rows = inside.iter().map(|&row| closers.of_bay(bay_of[known + row as usize], table));
            let of_rows: Vec<u32> = of_rows.collect();
            let numbers = self.groups.intern(&keys, inside.len(), |row| of_rows[row])?;
            self.of_series.resize(table.all().len(), OUTSIDE);
            for (row, number) in inside.iter().zip(numbers) {
                self.of_series[known + *row as usize] = number;
            }
        }
        Ok(())
    }
}
