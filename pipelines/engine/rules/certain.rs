//! What rules say of rows whose step is certain: the second look of the fast lane, the only one of the others.

use arrow::array::RecordBatch;
use ingest::series::SeriesTable;
use sinks::emission::Emission;

use super::super::EngineError;
use super::super::bays::Bays;
use super::super::block::Rows;
use super::super::exceptions::Exceptions;
use super::Rules;
use super::looked::{Look, Looked, Verdicts};
use super::ranges::Ranges;
use super::row_rule::RowRule;
use super::verdict::Verdict;
use crate::plan::Stream;

impl Rules {
    /// The columns that [`Rules::look_when_certain`] needs, ascending.
    #[must_use]
    pub(in crate::engine) fn certain_columns(&self) -> &[usize] {
        &self.certain_columns
    }

    pub(super) fn over_readings(&self) -> impl Iterator<Item = &RowRule> {
        self.rows.iter().filter(|rule| rule.plan.stream() == Stream::Telemetry)
    }

    /// The second look of the fast lane, and the only one of other rules over readings. `batch` holds those columns of
    /// telemetry that are named beside it.
    pub(in crate::engine) fn look_when_certain(
        &mut self,
        rows: Rows<'_>,
        (batch, columns): (&RecordBatch, &[usize]),
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if self.row_routes.is_idle() {
            return Ok(());
        }
        let Verdicts { exceptions, rejects } = verdicts;
        let series = rows.copy(|block| &block.readings.series);
        let looked = Looked { rows, batch, columns, look: Look::Certain };
        self.row_routes.split(&series);
        let mut ranges = Ranges::new(&self.row_routes, &looked);
        for (number, rule) in self.rows.iter().enumerate() {
            if rule.is_quiet(looked.look, exceptions, || ranges.of(number)) {
                continue;
            }
            let selected = self.row_routes.of(number);
            let selected = &*rule.loud(looked.look, exceptions, selected, (&series, ranges.values()));
            if rule.is_view {
                rule.show(looked, selected, rejects, out)?;
            } else {
                let say = |exceptions: &mut Exceptions, verdict: Verdict| {
                    rule.apply(looked.look, verdict, exceptions);
                };
                rule.look(looked, selected, bays, table, Verdicts { exceptions, rejects }, say)?;
            }
        }
        Ok(())
    }
}
