//! A query without a window: each row by itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{concat, concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::utils::conjunction;

use super::chain::{Chain, column_of};
use super::clear::Clearing;
use super::expression::{Expression, FailedRow, isolate, mask, rebase, renumber};
use super::quiet::{Quiet, QuietOfSeries};
use super::scope::{Scope, is_of_series, series_places, split};
use super::stream::Stream;
use super::{evaluate_all, needed};

/// A rule or view over single rows.
#[derive(Clone, Debug)]
pub struct RowsPlan {
    stream: Stream,
    columns: Vec<usize>,
    input: SchemaRef,
    scope: Scope,
    condition: Option<Expression>,
    /// The columns that the condition reads, and the condition over them alone.
    condition_columns: Vec<usize>,
    condition_alone: Option<Expression>,
    quiet: Option<Quiet>,
    /// Where it is not the same for all series.
    quiet_of_series: Option<QuietOfSeries>,
    outputs: Vec<Expression>,
    output: SchemaRef,
    no_rows: RecordBatch,
    hash: String,
}

/// What [`RowsPlan::evaluate`] finds in a batch.
#[derive(Clone, Debug)]
pub struct Matches {
    /// A bit for each row of the batch, never null.
    pub rows: BooleanArray,
    /// The matching rows alone, in their order, in the plan's output schema.
    pub output: RecordBatch,
}

impl RowsPlan {
    pub(super) fn new(stream: Stream, chain: &Chain, output: SchemaRef, hash: String) -> Result<Self> {
        let all = stream.windowed_schema();
        let (scope, conditions) = split(stream, &chain.conditions)?;
        let columns = needed(conditions.iter().chain(&chain.outputs));
        let input = Arc::new(all.project(&columns)?);
        let over = |expression: &Expression| renumber(expression, &columns, &all);
        let whole = (!conditions.is_empty()).then(|| conjunction(conditions.iter().cloned()));
        let condition = whole.as_ref().map(over).transpose()?;
        let condition_columns = needed(whole.iter());
        let alone = |condition: &Expression| renumber(condition, &condition_columns, &all);
        let condition_alone = whole.as_ref().map(alone).transpose()?;
        let quiet = whole.as_ref().and_then(|condition| Quiet::of(stream, condition));
        let quiet_of_series = match &whole {
            Some(condition) => QuietOfSeries::of(stream, condition)?,
            None => None,
        };
        let outputs = chain.outputs.iter().map(over).collect::<Result<_>>()?;
        Ok(RowsPlan {
            stream,
            columns,
            input,
            scope,
            condition,
            condition_columns,
            condition_alone,
            quiet,
            quiet_of_series,
            outputs,
            no_rows: RecordBatch::new_empty(output.clone()),
            output,
            hash,
        })
    }

    /// The stream that it reads.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Indices of the stream's columns that [`RowsPlan::evaluate`] wants, in its order.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The schema of those columns.
    #[must_use]
    pub fn input_schema(&self) -> &SchemaRef {
        &self.input
    }

    /// The columns of SELECT.
    #[must_use]
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The columns of SELECT, without rows.
    #[must_use]
    pub fn no_rows(&self) -> &RecordBatch {
        &self.no_rows
    }

    /// Hex digits that change with the query.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The part of WHERE that a series decides by itself: evaluate it once a series, and do not hand the
    /// rows of others in.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Indices of the stream's columns that [`RowsPlan::matches`] wants, in its order.
    #[must_use]
    pub fn condition_columns(&self) -> &[usize] {
        &self.condition_columns
    }

    /// Values whose rows never match.
    #[must_use]
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        self.quiet
    }

    /// The same by series, where it is not the same for all.
    pub(crate) fn quiet_of_series(&self) -> Option<&QuietOfSeries> {
        self.quiet_of_series.as_ref()
    }

    /// Which rows of `batch` (the columns of [`RowsPlan::condition_columns`]) match: a bit a row, never null.
    ///
    /// # Errors
    /// The condition fails on some row.
    pub fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        match &self.condition_alone {
            Some(condition) => mask(condition, batch),
            None => Ok(BooleanArray::from(vec![true; batch.num_rows()])),
        }
    }

    /// The columns of SELECT for rows that match; `batch` has the columns of [`RowsPlan::columns`].
    ///
    /// # Errors
    /// An expression fails on some row.
    pub fn outputs(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        evaluate_all(&self.outputs, batch, &self.output)
    }

    /// The named columns of SELECT, whether or not rows match; `batch` has the columns of [`RowsPlan::columns`].
    ///
    /// # Errors
    /// An expression fails on some row, or there is no such column.
    pub fn named_outputs(&self, names: &[String], batch: &RecordBatch) -> Result<RecordBatch> {
        let places: Vec<usize> =
            names.iter().map(|name| self.output.index_of(name)).collect::<std::result::Result<_, _>>()?;
        let outputs: Vec<Expression> = places.iter().map(|&place| self.outputs[place].clone()).collect();
        evaluate_all(&outputs, batch, &Arc::new(self.output.project(&places)?))
    }

    /// A column of SELECT over the columns of a series (site, bay, tool, metric); none if it reads others.
    ///
    /// # Errors
    /// There is no such column.
    pub(crate) fn output_of_series(&self, name: &str) -> Result<Option<Expression>> {
        let output = &self.outputs[self.output.index_of(name)?];
        let all = self.stream.windowed_schema();
        let over_all: Vec<Expression> = self.columns.iter().map(|&column| column_of(&all, column)).collect();
        let over_all = rebase(output, &over_all)?;
        let is_decided = is_of_series(self.stream, &over_all);
        is_decided.then(|| renumber(&over_all, &series_places(self.stream), &all)).transpose()
    }

    /// What is said over columns of SELECT, over those of [`RowsPlan::columns`].
    ///
    /// # Errors
    /// There is no such column.
    pub fn clearing(&self, clearing: &Clearing) -> Result<Clearing> {
        let mut outputs = Vec::new();
        for name in clearing.names() {
            outputs.push(self.outputs[self.output.index_of(name)?].clone());
        }
        Clearing::of(&rebase(clearing.expression(), &outputs)?, &self.input)
    }

    /// Whether a series decides by itself that its rows match.
    #[must_use]
    pub fn matches_by_series(&self) -> bool {
        self.condition.is_none()
    }

    /// Which rows of `batch` (the columns of [`RowsPlan::columns`]) match, and their outputs.
    ///
    /// # Errors
    /// An expression fails on some row. [`RowsPlan::evaluate_each`] tells which.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Matches> {
        let rows = match &self.condition {
            Some(condition) => mask(condition, batch)?,
            None => BooleanArray::from(vec![true; batch.num_rows()]),
        };
        let count = rows.true_count();
        if count == 0 {
            return Ok(Matches { rows, output: self.no_rows.clone() });
        }
        let output = if count == batch.num_rows() {
            self.outputs(batch)?
        } else {
            self.outputs(&filter_record_batch(batch, &rows)?)?
        };
        Ok(Matches { rows, output })
    }

    /// The same, where [`RowsPlan::evaluate`] failed: rows on which an expression fails do not match and
    /// are named, for quarantine.
    ///
    /// # Errors
    /// Only if the batch has other columns than the plan wants.
    pub fn evaluate_each(&self, batch: &RecordBatch) -> Result<(Matches, Vec<FailedRow>)> {
        let (mut pieces, mut failed) = (Vec::new(), Vec::new());
        let mut evaluate = |rows: std::ops::Range<usize>| {
            let piece = self.evaluate(&batch.slice(rows.start, rows.len()))?;
            Ok((rows.start, piece))
        };
        isolate(0..batch.num_rows(), &mut evaluate, &mut pieces, &mut failed);
        let no = BooleanArray::from(vec![false]);
        let mut parts: Vec<(usize, BooleanArray)> =
            pieces.iter().map(|(start, piece)| (*start, piece.rows.clone())).collect();
        parts.extend(failed.iter().map(|failure| (failure.row, no.clone())));
        parts.sort_by_key(|(start, _)| *start);
        let rows = if parts.is_empty() {
            BooleanArray::from(Vec::<bool>::new())
        } else {
            let arrays: Vec<&dyn Array> = parts.iter().map(|(_, part)| part as &dyn Array).collect();
            let joined: ArrayRef = concat(&arrays)?;
            BooleanArray::from(joined.to_data())
        };
        let output = concat_batches(&self.output, pieces.iter().map(|(_, piece)| &piece.output))?;
        Ok((Matches { rows, output }, failed))
    }
}
