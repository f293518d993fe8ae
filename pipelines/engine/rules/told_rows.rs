//! A rule or view over rows of `steps`, `usage`, `checks` or `gaps`, which are told once and for all.

use arrow::array::RecordBatch;
use arrow::compute::filter;
use sinks::emission::Emission;

use super::super::rule_row::{RuleRow, text_of, time_of};
use super::super::{EngineError, rows_error};
use super::looked::Verdicts;
use super::row_rule::RowRule;
use super::{failed_row, window_error};

impl RowRule {
    /// Looks at rows of `steps`, `usage`, `checks` or `gaps` as they are told.
    pub(super) fn look_at_told(
        &self,
        batch: &RecordBatch,
        watermark_ms: i64,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let wanted =
            batch.project(self.plan.columns()).map_err(|source| rows_error(&self.life.name, source))?;
        let (matches, output) = match self.plan.evaluate(&wanted) {
            Ok(found) => (found.rows, found.output),
            Err(_) => {
                let each = self.plan.evaluate_each(&wanted);
                let (found, failures) = each.map_err(|source| window_error(&self.life.name, source))?;
                rejects.extend(failures.iter().map(|failure| failed_row(&self.life.name, 0, &failure.error)));
                (found.rows, found.output)
            }
        };
        let ids = filter(batch.column(0), &matches).map_err(|source| rows_error(&self.life.name, source))?;
        if self.is_view {
            return self.show_rows(&output, &ids, out);
        }
        let time = batch.column_by_name(self.plan.stream().time_column());
        let mut matched = 0;
        for row in 0..batch.num_rows() {
            let found = matches.value(row).then(|| {
                matched += 1;
                let ts_ms = time.and_then(|time| time_of(time.as_ref(), row)).unwrap_or_default();
                let id = text_of(ids.as_ref(), matched - 1).unwrap_or_default();
                let mut found = RuleRow::new(&output, matched - 1, id, ts_ms);
                found.watermark_ms = Some(watermark_ms).filter(|&ms| ms != i64::MIN);
                found
            });
            if let Some(names) = self.plan.stream().revised_by() {
                exceptions.event_amended(&self.life, &named(batch, row, names), found.as_ref());
            } else if let Some(found) = &found {
                exceptions.event(&self.life, found);
            }
        }
        Ok(())
    }
}

/// What names a booking or a check through all its revisions.
fn named(batch: &RecordBatch, row: usize, names: &[&str]) -> String {
    let part = |name| batch.column_by_name(name).and_then(|column| text_of(column.as_ref(), row));
    let parts: Vec<String> = names.iter().map(|name| part(name).unwrap_or_default()).collect();
    parts.join("/")
}
