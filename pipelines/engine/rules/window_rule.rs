//! A rule or view over windows.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, StringBuilder, UInt32Array};
use arrow::compute::take_record_batch;
use ingest::readings::Reject;
use ingest::series::SeriesTable;
use sinks::emission::Emission;

use super::super::block::Rows;
use super::super::exceptions::{Exceptions, RuleLife, Says};
use super::super::ids::{RowIds, row_id};
use super::super::rule_row::{RuleRow, key_text, put_key_text, text_of, time_of};
use super::super::{EngineError, rows_error};
use super::looked::Verdicts;
use super::pushed::Columns;
use super::view::view_rows;
use super::{failed_row, window_error};
use crate::calendar::CalendarMemo;
use crate::config::ExceptionKind;
use crate::plan::{Clearing, FailedRow, WindowKind};
use crate::window::{Closed, FailedGroup, WindowError, WindowOperator};

/// A rule or view over windows.
#[derive(Debug)]
pub(super) struct WindowRule {
    pub life: RuleLife,
    pub is_view: bool,
    /// Columns of SELECT that name one condition; none for the keys of GROUP BY without the window's.
    pub key: Option<Vec<String>>,
    pub operator: WindowOperator,
    /// What clears a condition, where it is not whatever does not match.
    pub clear_when: Option<Clearing>,
    pub needs_steps: bool,
    /// Windows that begin earlier lack rows, for the query is younger: they are never told.
    pub opens_ms: i64,
    /// While it waits for what history tells of it: the newest message that history tells of. Until then it folds in what is
    /// newer, and says nothing.
    pub waits_behind: Option<u64>,
    /// Where windows are those of the sites' calendars.
    pub calendar: Option<CalendarMemo>,
}

impl WindowRule {
    /// Rows are whole from `opens_ms` on. A session may have begun before its first one unless there was a gap.
    pub(super) fn open_at(&mut self, opens_ms: i64) {
        let gap_ms = match self.operator.plan().kind() {
            WindowKind::Session { gap_ms, .. } => *gap_ms,
            _ => 0,
        };
        self.opens_ms = if opens_ms == i64::MIN { opens_ms } else { opens_ms.saturating_add(gap_ms) };
    }

    /// Whether it waits for what history tells of it.
    pub(super) fn is_waiting(&self) -> bool {
        self.waits_behind.is_some()
    }

    /// Folds rows of the query's scope in; those on which an expression fails go to quarantine. Gives the number
    /// of those whose window other bays have left so far behind that it is forgotten.
    pub(super) fn fold(
        &mut self,
        rows: Rows<'_>,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let batch = rows.batch(self.operator.plan().columns());
        let batch = batch.map_err(|source| rows_error(&self.life.name, source))?;
        let of_steps = *self.operator.plan().kind() == WindowKind::Step;
        let (bay, ts_ms) = (rows.copy(|block| &block.bay), rows.copy(|block| &block.readings.ts_ms));
        let runs_ms = match &mut self.calendar {
            Some(calendar) => calendar.windows_ms(&bay, &ts_ms, table),
            None if of_steps => rows.runs_ms(),
            None => Vec::new(),
        };
        let columns = Columns { series: rows.copy(|block| &block.readings.series), bay, ts_ms, runs_ms };
        let message = |row: usize| rows.copy(|block| &block.readings.message)[row];
        self.push(&batch, columns, message, table, rejects)
    }

    /// Pushes rows; those on which an expression fails go to quarantine.
    fn push(
        &mut self,
        batch: &RecordBatch,
        columns: Columns,
        message: impl Fn(usize) -> u64,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let wrong = |source: WindowError| window_error(&self.life.name, source);
        match self.operator.push(&columns.input(batch), table) {
            Ok(pushed) => {
                let surplus = pushed.surplus.iter().map(|&row| self.surplus_row(message(row as usize)));
                rejects.extend(surplus);
                return Ok(pushed.expired.len() as u64);
            }
            Err(WindowError::Row(_)) => {}
            Err(error) => return Err(wrong(error)),
        }
        let failed = self.operator.failing_rows(&columns.input(batch), table).map_err(wrong)?;
        let reject = |row: &FailedRow| failed_row(&self.life.name, message(row.row), &row.error);
        rejects.extend(failed.iter().map(reject));
        let failed: Vec<usize> = failed.iter().map(|row| row.row).collect();
        let kept: Vec<usize> =
            (0..columns.ts_ms.len()).filter(|row| failed.binary_search(row).is_err()).collect();
        let take = UInt32Array::from_iter_values(kept.iter().map(|&row| row as u32));
        let batch = take_record_batch(batch, &take).map_err(|source| rows_error(&self.life.name, source))?;
        let pushed = self.operator.push(&columns.pick(&kept).input(&batch), table).map_err(wrong)?;
        let surplus = pushed.surplus.iter().map(|&row| self.surplus_row(message(kept[row as usize])));
        rejects.extend(surplus);
        Ok(pushed.expired.len() as u64)
    }

    /// The quarantine row of a row that is in no window, since there are too many groups.
    fn surplus_row(&self, message: u64) -> Reject {
        let rule = &self.life.name;
        let detail = format!(
            "rule `{rule}` has as many groups as a window may have, and this row would make another one; group by what \
             has fewer values"
        );
        Reject { detail, ..failed_row(rule, message, "") }
    }

    /// Folds rows of stream `steps` of one bay in, as [`WindowRule::fold`] does with telemetry.
    pub(super) fn fold_told(
        &mut self,
        batch: &RecordBatch,
        bay: u32,
        table: &SeriesTable,
        rejects: &mut Vec<Reject>,
    ) -> Result<u64, EngineError> {
        let plan = self.operator.plan();
        let rows = batch.project(plan.columns()).map_err(|source| rows_error(&self.life.name, source))?;
        let time = batch.column_by_name(plan.stream().time_column());
        let time_of = |row| time.and_then(|time| time_of(time.as_ref(), row)).unwrap_or_default();
        let ts_ms: Vec<i64> = (0..batch.num_rows()).map(time_of).collect();
        let bay = vec![bay; ts_ms.len()];
        let of_calendar = self.calendar.as_mut().map(|calendar| calendar.windows_ms(&bay, &ts_ms, table));
        let columns = Columns { series: Vec::new(), bay, ts_ms, runs_ms: of_calendar.unwrap_or_default() };
        self.push(&rows, columns, |_| 0, table, rejects)
    }

    /// Closed windows become rows of the view, or verdicts. `watermark_ms` is that of a site's bay.
    pub(super) fn tell(
        &self,
        closed: &[Closed],
        watermark_ms: impl Fn(&str, &str) -> Option<i64>,
        verdicts: Verdicts<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        for closed in closed {
            let failed = closed.failed.iter().filter(|group| group.window_start_ms >= self.opens_ms);
            verdicts.rejects.extend(failed.map(|group| self.failed_group(group)));
            if self.is_view {
                self.show(closed, out)?;
            } else if !closed.is_withdrawn {
                let said = self.says(closed, verdicts.rejects)?;
                self.judge(closed, &said, &watermark_ms, verdicts.exceptions);
            }
        }
        Ok(())
    }

    /// The quarantine row of a group on which SELECT or HAVING fails.
    fn failed_group(&self, group: &FailedGroup) -> Reject {
        let (rule, FailedGroup { window_start_ms, key, error }) = (&self.life.name, group);
        let start = jiff::Timestamp::from_millisecond(*window_start_ms);
        let start = start.map_or_else(|_| window_start_ms.to_string(), |start| start.to_string());
        let reject = failed_row(rule, 0, "");
        let detail =
            format!("rule `{rule}` could not judge the window {start} of {key}: {error}; mend its SQL");
        Reject { detail, ..reject }
    }

    /// What each row says of its condition.
    fn says(&self, closed: &Closed, rejects: &mut Vec<Reject>) -> Result<Vec<Says>, EngineError> {
        let clears = match &self.clear_when {
            Some(clearing) => {
                let evaluated = clearing.evaluate(&closed.rows);
                let (clears, failures) = evaluated.map_err(|source| window_error(&self.life.name, source))?;
                let failures = failures.iter().filter(|failure| !closed.matches.value(failure.row));
                rejects.extend(failures.map(|failure| failed_row(&self.life.name, 0, &failure.error)));
                Some(clears)
            }
            None => None,
        };
        let clears = |row| clears.as_ref().is_none_or(|clears| clears.value(row));
        Ok((0..closed.rows.num_rows()).map(|row| Says::of(closed.matches.value(row), clears(row))).collect())
    }

    fn judge(
        &self,
        closed: &Closed,
        said: &[Says],
        watermark_ms: impl Fn(&str, &str) -> Option<i64>,
        exceptions: &mut Exceptions,
    ) {
        let is_event = self.life.kind == ExceptionKind::Event;
        let nothing_to_clear = is_event || !exceptions.has_conditions(&self.life);
        if nothing_to_clear && !said.contains(&Says::Wrong) {
            // As nearly always: no key is worth its text.
            return;
        }
        for (key, row) in self.judged_rows(closed, said) {
            if closed.ends_ms[row] == i64::MAX {
                // A step is judged when it is finished.
                continue;
            }
            if said[row] != Says::Wrong && (is_event || !exceptions.has_conditions(&self.life)) {
                continue;
            }
            let (start_ms, end_ms) = (closed.starts_ms[row], closed.ends_ms[row]);
            // Without the revision: a window that is shown again is the same evidence.
            let id = row_id(&self.life.name, &[key.as_bytes(), &start_ms.to_le_bytes()]);
            let mut found = RuleRow::new(&closed.rows, row, id, end_ms);
            found.window = Some((start_ms, end_ms));
            found.watermark_ms = found.bay.as_deref().and_then(|bay| watermark_ms(&found.site, bay));
            if !is_event {
                exceptions.judge(&self.life, &key, said[row], &found);
            } else if closed.is_new[row] {
                exceptions.event(&self.life, &found);
            }
        }
    }

    /// The rows to judge, each with its condition's key. Where several groups of a window are one condition, a row that
    /// matches speaks for it, and if there is none, one that does not clear.
    pub(super) fn judged_rows(&self, closed: &Closed, said: &[Says]) -> Vec<(String, usize)> {
        let rows = (0..closed.rows.num_rows()).filter(|&row| closed.starts_ms[row] >= self.opens_ms);
        let Some(columns) = &self.key else {
            return rows.map(|row| (key_text(&closed.keys, row), row)).collect();
        };
        let mut of_key: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let part = |name: &String| {
                let column = closed.rows.column_by_name(name)?;
                text_of(column.as_ref(), row)
            };
            let key = columns.iter().map(|name| part(name).unwrap_or_default()).collect::<Vec<_>>().join("/");
            let spoken = of_key.entry(key).or_insert(row);
            if said[row] < said[*spoken] {
                *spoken = row;
            }
        }
        of_key.into_iter().collect()
    }

    fn show(&self, closed: &Closed, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let is_told = |row: usize| {
            closed.starts_ms[row] >= self.opens_ms && (closed.is_withdrawn || closed.matches.value(row))
        };
        let told: Vec<usize> = (0..closed.rows.num_rows()).filter(|&row| is_told(row)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let mut ids = StringBuilder::with_capacity(told.len(), told.len() * 32);
        let (mut row_ids, mut key) = (RowIds::new(&self.life.name), String::new());
        for &row in &told {
            let (start, revision) =
                (closed.starts_ms[row].to_le_bytes(), closed.revisions[row].to_le_bytes());
            put_key_text(&closed.keys, row, &mut key);
            ids.append_value(row_ids.id(&[key.as_bytes(), &start, &revision]));
        }
        let rows = if told.len() == closed.rows.num_rows() {
            closed.rows.clone()
        } else {
            let take = UInt32Array::from_iter_values(told.iter().map(|&row| row as u32));
            take_record_batch(&closed.rows, &take).map_err(|source| rows_error(&self.life.name, source))?
        };
        let revisions: Vec<u32> = told.iter().map(|&row| closed.revisions[row]).collect();
        out.push(view_rows(
            &self.life.name,
            &rows,
            ids.finish(),
            &revisions,
            &vec![closed.is_final; told.len()],
        )?);
        Ok(())
    }
}
