//! A rule or view over single rows.
//!
//! The condition is evaluated first, on the columns that it reads; the columns of SELECT are made only of
//! the rows that match, which are few.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use datafusion::common::Result as PlanResult;
use ingest::readings::Reject;
use ingest::series::SeriesTable;

use super::super::bays::Bays;
use super::super::block::{Block, Rows};
use super::super::exceptions::{Exceptions, RuleLife, Says};
use super::super::ids::reading_id;
use super::super::rule_row::{RuleRow, text_of};
use super::super::{EngineError, rows_error};
use super::looked::{Look, Looked, Verdicts};
use super::verdict::Verdict;
use super::{failed_row, window_error};
use crate::config::{ExceptionKind, Lane};
use crate::plan::quiet::Quiet;
use crate::plan::{Clearing, RowsPlan, Stream};

/// A rule or view over single rows.
#[derive(Clone, Debug)]
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
    /// By series, the values of which the condition says nothing. Empty where that is the same for all.
    pub quiet_of_series: Vec<Quiet>,
}

/// What a rule says of the rows of its scope.
pub(super) struct Judged<'a> {
    /// Place among the rows looked at, of each row in scope.
    pub selected: &'a [u32],
    /// A bit for each of these.
    pub matches: BooleanArray,
    /// The columns of SELECT of each row that matches.
    pub output: RecordBatch,
}

/// A row that a rule has judged.
pub(super) struct JudgedRow<'a> {
    /// Place among the rows in scope.
    pub at: usize,
    pub block: &'a Block,
    pub row: usize,
    /// The columns of [`RowRule::key`] for each row in scope.
    pub keys: Option<&'a RecordBatch>,
    /// Of its condition.
    pub says: Says,
    /// If it matches.
    pub found: Option<RuleRow>,
}

impl RowRule {
    pub(super) fn is_fast(&self) -> bool {
        self.lane == Lane::Instant && self.plan.stream() == Stream::Telemetry && !self.is_view
    }

    /// Judges the rows of the rule's scope, which are `selected`; none if there are none. Rows on which an expression
    /// fails do not match and are handed to `failed`.
    pub(super) fn judge<'a>(
        &self,
        looked: Looked<'_>,
        selected: &'a [u32],
        mut failed: impl FnMut(u32, String),
    ) -> Result<Option<Judged<'a>>, EngineError> {
        if selected.is_empty() {
            return Ok(None);
        }
        let wrong = |source| rows_error(&self.life.name, source);
        if let Ok(matches) = self.matches(looked, selected) {
            if matches.true_count() == 0 {
                let output = self.plan.no_rows().clone();
                return Ok(Some(Judged { selected, matches, output }));
            }
            let matching = selected.iter().zip(matches.values()).filter(|(_, matches)| *matches);
            let matching: Vec<u32> = matching.map(|(position, _)| *position).collect();
            let wanted = self.wanted(looked.rows, &matching).map_err(wrong)?;
            if let Ok(output) = self.plan.outputs(&wanted) {
                return Ok(Some(Judged { selected, matches, output }));
            }
        }
        let wanted = self.wanted(looked.rows, selected).map_err(wrong)?;
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
        Rows { at: Some(&rows.pick(positions)), ..rows }.batch(self.plan.columns())
    }

    /// Looks at the `selected` readings, those of its scope, and hands over what there is to say of them, in their order.
    pub(super) fn look(
        &self,
        looked: Looked<'_>,
        selected: &[u32],
        bays: &Bays,
        table: &SeriesTable,
        verdicts: Verdicts<'_>,
        mut say: impl FnMut(&mut Exceptions, Verdict),
    ) -> Result<(), EngineError> {
        let Verdicts { exceptions, rejects } = verdicts;
        let Some(judged) = self.judge_readings(looked, selected, rejects)? else { return Ok(()) };
        let is_condition = self.life.kind == ExceptionKind::Condition;
        // The first match of a condition may be among these rows.
        let is_first = is_condition && !self.is_second(looked.look) && judged.matches.true_count() > 0;
        let all_count = is_first || self.unmatched_count(looked.look, exceptions);
        self.each(looked, &judged, bays, all_count, rejects, |row| {
            let JudgedRow { at, block, row, keys, says, found } = row;
            let readings = &block.readings;
            let key = match is_condition {
                true => self.key_of(keys, at, table, readings.series[row]),
                false => String::new(),
            };
            let (reading, ts_ms) = ((readings.message[row], readings.index[row]), readings.ts_ms[row]);
            say(exceptions, Verdict { reading, ts_ms, key, says, found });
        })
    }

    /// The same rule, to which no series is known.
    pub(super) fn fresh(&self) -> Self {
        RowRule { quiet_of_series: Vec::new(), ..self.clone() }
    }

    /// Takes in further series.
    pub(super) fn follow(&mut self, names: &RecordBatch) {
        if let Some(quiet) = self.plan.quiet_of_series() {
            let each = quiet.each(names).expect("names cannot fail: the planner saw to it");
            self.quiet_of_series.extend(each);
        }
    }

    /// Whether a row that does not match changes anything, if none matches.
    pub(super) fn unmatched_count(&self, look: Look, exceptions: &Exceptions) -> bool {
        match (self.life.kind == ExceptionKind::Condition, self.is_second(look)) {
            (true, false) => exceptions.has_conditions(&self.life),
            (true, true) => exceptions.awaits_any_match(),
            (false, is_second) => is_second && exceptions.awaits_any(),
        }
    }

    /// Whether the rows have been looked at before.
    fn is_second(&self, look: Look) -> bool {
        look == Look::Certain && self.is_fast()
    }

    /// Judges readings; of those on which an expression fails the last look tells.
    pub(super) fn judge_readings<'a>(
        &self,
        looked: Looked<'_>,
        selected: &'a [u32],
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Judged<'a>>, EngineError> {
        self.judge(looked, selected, |position, reason| self.fail(looked, position, &reason, rejects))
    }

    /// An expression has failed on a row: the last look at it tells.
    fn fail(&self, looked: Looked<'_>, position: u32, reason: &str, rejects: &mut Vec<Reject>) {
        if looked.look == Look::Certain || !self.is_fast() {
            let place = looked.rows.locate(&[position]).next();
            let message = place.map_or(0, |(block, row)| looked.rows.blocks[block].readings.message[row]);
            rejects.push(failed_row(&self.life.name, message, reason));
        }
    }

    /// Hands the rows that match to `take`, in their order, and those that do not if `all_count`.
    pub(super) fn each<'a>(
        &self,
        looked: Looked<'a>,
        judged: &Judged<'_>,
        bays: &Bays,
        all_count: bool,
        rejects: &mut Vec<Reject>,
        mut take: impl FnMut(JudgedRow<'_>),
    ) -> Result<(), EngineError> {
        let Judged { selected, matches, output } = judged;
        if matches.true_count() == 0 && !all_count {
            return Ok(());
        }
        let rows = looked.rows;
        let is_condition = self.life.kind == ExceptionKind::Condition;
        let wrong = |source| rows_error(&self.life.name, source);
        // Keys that no series gives, and what clears, are of columns of SELECT, which only rows that match have.
        let keys = match &self.key {
            Some(names) if is_condition => {
                self.plan.named_outputs(names, &self.wanted(rows, selected).map_err(wrong)?).ok()
            }
            _ => None,
        };
        let clears = match &self.clear_when {
            Some(clearing) if is_condition && !self.is_second(looked.look) => {
                let evaluated = clearing.evaluate(&self.wanted(rows, selected).map_err(wrong)?);
                let (clears, failures) = evaluated.map_err(|source| window_error(&self.life.name, source))?;
                // Of a row that matches it does not matter what would clear it.
                for failure in failures.into_iter().filter(|failure| !matches.value(failure.row)) {
                    self.fail(looked, selected[failure.row], &failure.error, rejects);
                }
                Some(clears)
            }
            _ => None,
        };
        let mut matched = 0;
        for (at, place) in rows.locate(selected).enumerate() {
            let is_match = matches.value(at);
            if !is_match && !all_count {
                continue;
            }
            let (block, row) = (rows.blocks[place.0], place.1);
            let found = is_match.then(|| {
                matched += 1;
                let id = reading_id(block.readings.message[row], block.readings.index[row]);
                let mut found = RuleRow::new(output, matched - 1, id, block.readings.ts_ms[row]);
                // A verdict on arrival rests on no watermark; that of now would tell how messages were grouped.
                if looked.look == Look::Certain {
                    let watermark_ms = bays.watermark_ms(block.bay[row]);
                    found.watermark_ms = Some(watermark_ms).filter(|&ms| ms != i64::MIN);
                }
                found
            });
            let says = Says::of(is_match, clears.as_ref().is_none_or(|clears| clears.value(at)));
            take(JudgedRow { at, block, row, keys: keys.as_ref(), says, found });
        }
        Ok(())
    }

    /// The condition that a row belongs to. `keys` has the columns of [`RowRule::key`] for each row.
    pub(super) fn key_of(
        &self,
        keys: Option<&RecordBatch>,
        row: usize,
        table: &SeriesTable,
        series: u32,
    ) -> String {
        let Some(keys) = keys else {
            let names = table.get(series);
            return [&*names.site, &*names.bay, &*names.tool, &*names.metric].join("/");
        };
        let part = |column: &ArrayRef| text_of(column.as_ref(), row).unwrap_or_default();
        keys.columns().iter().map(part).collect::<Vec<_>>().join("/")
    }
}
