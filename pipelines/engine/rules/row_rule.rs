//! A rule or view over single rows.
//!
//! The condition is evaluated first, on the columns that it reads; the columns of SELECT are made only of
//! the rows that match, which are few.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{filter, take_record_batch};
use datafusion::common::Result as PlanResult;
use ingest::readings::Reject;
use ingest::series::SeriesTable;
use sinks::emission::Emission;

use super::super::bays::Bays;
use super::super::block::Rows;
use super::super::exceptions::{Exceptions, RuleLife, Says};
use super::super::ids::{reading_id, row_id};
use super::super::rule_row::{RuleRow, text_of, time_of};
use super::super::{EngineError, rows_error};
use super::looked::{Look, Looked, Verdicts};
use super::verdict::Verdict;
use super::view::view_rows;
use super::{failed_row, window_error};
use crate::config::{ExceptionKind, Lane};
use crate::plan::{Clearing, RowsPlan, Stream};

/// A rule or view over single rows.
#[derive(Debug)]
pub(super) struct RowRule {
    pub life: RuleLife,
    pub is_view: bool,
    pub lane: Lane,
    /// Columns that name one condition; none for the series itself.
    pub key: Option<Vec<String>>,
    /// It holds other rules back, or is held back: on arrival its verdicts have their effect message by message.
    pub waits_its_turn: bool,
    pub plan: RowsPlan,
    /// What clears a condition, where it is not whatever does not match. Over the columns of the plan.
    pub clear_when: Option<Clearing>,
    /// By series: whether it is in the rule's scope.
    pub scope: Vec<bool>,
}

/// What a rule says of the rows of its scope.
struct Judged {
    /// Place among the rows looked at, of each row in scope.
    selected: Vec<u32>,
    /// A bit for each of these.
    matches: BooleanArray,
    /// The columns of SELECT of each row that matches.
    output: RecordBatch,
}

impl RowRule {
    pub(super) fn is_fast(&self) -> bool {
        self.lane == Lane::Instant && self.plan.stream() == Stream::Telemetry && !self.is_view
    }

    /// Judges the rows of the rule's scope; none if there are none. Rows on which an expression fails do not
    /// match and are handed to `failed`.
    fn judge(
        &self,
        looked: Looked<'_>,
        mut failed: impl FnMut(u32, String),
    ) -> Result<Option<Judged>, EngineError> {
        let in_scope = (0..).zip(looked.series).filter(|(_, series)| self.scope[**series as usize]);
        let selected: Vec<u32> = in_scope.map(|(position, _)| position).collect();
        if selected.is_empty() {
            return Ok(None);
        }
        let wrong = |source| rows_error(&self.life.name, source);
        if let Ok(matches) = self.matches(looked, &selected) {
            if matches.true_count() == 0 {
                let output = RecordBatch::new_empty(self.plan.output_schema().clone());
                return Ok(Some(Judged { selected, matches, output }));
            }
            let matching = selected.iter().zip(matches.values()).filter(|(_, matches)| *matches);
            let matching: Vec<u32> = matching.map(|(position, _)| *position).collect();
            let wanted = self.wanted(looked.rows, &matching).map_err(wrong)?;
            if let Ok(output) = self.plan.outputs(&wanted) {
                return Ok(Some(Judged { selected, matches, output }));
            }
        }
        let wanted = self.wanted(looked.rows, &selected).map_err(wrong)?;
        let each = self.plan.evaluate_each(&wanted);
        let (found, failures) = each.map_err(|source| window_error(&self.life.name, source))?;
        failures.into_iter().for_each(|failure| failed(selected[failure.row], failure.error));
        Ok(Some(Judged { selected, matches: found.rows, output: found.output }))
    }

    fn matches(&self, looked: Looked<'_>, selected: &[u32]) -> PlanResult<BooleanArray> {
        let place = |column| looked.columns.binary_search(column).expect("conditions' columns are all made");
        let places: Vec<usize> = self.plan.condition_columns().iter().map(place).collect();
        let mut batch = looked.batch.project(&places)?;
        if selected.len() < batch.num_rows() {
            batch = take_record_batch(&batch, &UInt32Array::from(selected.to_vec()))?;
        }
        self.plan.matches(&batch)
    }

    /// The columns that the whole plan wants, of the rows at `positions`.
    fn wanted(&self, rows: Rows<'_>, positions: &[u32]) -> Result<RecordBatch, arrow::error::ArrowError> {
        let (stretches, joined) = rows.pick(positions);
        let joined = rows.joined.map(|_| &joined);
        Rows { stretches: &stretches, joined, ..rows }.batch(self.plan.columns())
    }

    /// Looks at readings and hands over what there is to say of them, in their order.
    pub(super) fn look(
        &self,
        looked: Looked<'_>,
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        mut say: impl FnMut(&mut Exceptions, Verdict),
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let Looked { rows, look, .. } = looked;
        let is_condition = self.life.kind == ExceptionKind::Condition;
        let message_of = |(block, row): (usize, usize)| rows.blocks[block].readings.message[row];
        let mut failed = |position: u32, reason: String| {
            if look == Look::Certain || !self.is_fast() {
                let message = rows.locate(&[position]).next().map_or(0, message_of);
                rejects.push(failed_row(&self.life.name, message, &reason));
            }
        };
        let Some(Judged { selected, matches, output }) = self.judge(looked, &mut failed)? else {
            return Ok(());
        };
        let is_second = look == Look::Certain && self.is_fast();
        // Whether a row that does not match changes anything: the first match of a condition may be among these.
        let all_count = match (is_condition, is_second) {
            (true, false) => matches.true_count() > 0 || exceptions.has_conditions(&self.life),
            (true, true) => exceptions.awaits_any_match(),
            (false, _) => is_second && exceptions.awaits_any(),
        };
        if matches.true_count() == 0 && !all_count {
            return Ok(());
        }
        let wrong = |source| rows_error(&self.life.name, source);
        // Keys that no series gives, and what clears, are of columns of SELECT, which only rows that match have.
        let keys = match &self.key {
            Some(names) if is_condition => {
                self.plan.named_outputs(names, &self.wanted(rows, &selected).map_err(wrong)?).ok()
            }
            _ => None,
        };
        let clears = match &self.clear_when {
            Some(clearing) if is_condition && !is_second => {
                let evaluated = clearing.evaluate(&self.wanted(rows, &selected).map_err(wrong)?);
                let (clears, failures) = evaluated.map_err(|source| window_error(&self.life.name, source))?;
                // Of a row that matches it does not matter what would clear it.
                for failure in failures.into_iter().filter(|failure| !matches.value(failure.row)) {
                    failed(selected[failure.row], failure.error);
                }
                Some(clears)
            }
            _ => None,
        };
        let mut matched = 0;
        for (at, place) in rows.locate(&selected).enumerate() {
            let is_match = matches.value(at);
            if !is_match && !all_count {
                continue;
            }
            let (block, row) = (rows.blocks[place.0], place.1);
            let ts_ms = block.readings.ts_ms[row];
            let reading = (message_of(place), block.readings.index[row]);
            let found = is_match.then(|| {
                matched += 1;
                let id = reading_id(reading.0, reading.1);
                let mut found = RuleRow::new(&output, matched - 1, id, ts_ms);
                // A verdict on arrival rests on no watermark; that of now would tell how messages were grouped.
                if look == Look::Certain {
                    let watermark_ms = bays.watermark_ms(block.bay[row]);
                    found.watermark_ms = Some(watermark_ms).filter(|&ms| ms != i64::MIN);
                }
                found
            });
            let key = if is_condition {
                self.key_of(keys.as_ref(), at, table, block.readings.series[row])
            } else {
                String::new()
            };
            let says = Says::of(is_match, clears.as_ref().is_none_or(|clears| clears.value(at)));
            say(exceptions, Verdict { reading, ts_ms, key, says, found });
        }
        Ok(())
    }

    /// The condition that a row belongs to. `keys` has the columns of [`RowRule::key`] for each row.
    fn key_of(&self, keys: Option<&RecordBatch>, row: usize, table: &SeriesTable, series: u32) -> String {
        let Some(keys) = keys else {
            let names = table.get(series);
            return [&*names.site, &*names.bay, &*names.tool, &*names.metric].join("/");
        };
        let part = |column: &ArrayRef| text_of(column.as_ref(), row).unwrap_or_default();
        keys.columns().iter().map(part).collect::<Vec<_>>().join("/")
    }

    /// Looks at rows of `steps` or `usage` as they are told.
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
            if self.plan.stream() == Stream::Usage {
                exceptions.event_amended(&self.life, &booking_of(batch, row), found.as_ref());
            } else if let Some(found) = &found {
                exceptions.event(&self.life, found);
            }
        }
        Ok(())
    }

    /// Shows the rows of a view; those on which an expression fails go to quarantine.
    pub(super) fn show(
        &self,
        looked: Looked<'_>,
        rejects: &mut Vec<Reject>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let rows = looked.rows;
        let failed = |position: u32, reason: String| {
            let message = rows.locate(&[position]).next();
            let message = message.map_or(0, |(block, row)| rows.blocks[block].readings.message[row]);
            rejects.push(failed_row(&self.life.name, message, &reason));
        };
        let Some(Judged { selected, matches, output }) = self.judge(looked, failed)? else { return Ok(()) };
        let matching = selected.iter().zip(matches.values()).filter(|(_, matches)| *matches);
        let matching: Vec<u32> = matching.map(|(position, _)| *position).collect();
        let ids = rows.locate(&matching).map(|(block, row)| {
            let readings = &rows.blocks[block].readings;
            Some(reading_id(readings.message[row], readings.index[row]))
        });
        let ids: ArrayRef = Arc::new(ids.collect::<StringArray>());
        self.show_rows(&output, &ids, out)
    }

    fn show_rows(
        &self,
        output: &RecordBatch,
        ids: &ArrayRef,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if output.num_rows() == 0 {
            return Ok(());
        }
        let id = |row: usize| {
            row_id(&self.life.name, &[text_of(ids.as_ref(), row).unwrap_or_default().as_bytes()])
        };
        let ids = (0..output.num_rows()).map(|row| Some(id(row))).collect::<StringArray>();
        out.push(view_rows(
            &self.life.name,
            output,
            ids,
            &vec![1; output.num_rows()],
            &vec![true; output.num_rows()],
        )?);
        Ok(())
    }
}

/// What names a booking through all its revisions.
fn booking_of(usage: &RecordBatch, row: usize) -> String {
    let part = |name| usage.column_by_name(name).and_then(|column| text_of(column.as_ref(), row));
    ["site", "job", "step", "resource"].map(|name| part(name).unwrap_or_default()).join("/")
}
