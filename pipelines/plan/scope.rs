//! The part of a condition that a series decides by itself, so that it costs nothing per row.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringDictionaryBuilder};
use arrow::datatypes::{Field, Schema, UInt32Type};
use datafusion::common::Result;
use datafusion::physical_expr::utils::conjunction;
use ingest::series::{Series, SeriesTable};

use super::expression::{Expression, columns_of, mask, never_fails, renumber};
use super::stream::Stream;
use crate::schema::{self, SERIES_COLUMNS};

/// A condition over site, bay, tool and metric. Never fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    condition: Option<Expression>,
}

impl Scope {
    /// Whether every series is within.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.condition.is_none()
    }

    /// Which rows of `series` (as [`series_batch`] makes it) are within: a bit a row, never null.
    ///
    /// # Errors
    /// The batch has other columns.
    pub fn evaluate(&self, series: &RecordBatch) -> Result<BooleanArray> {
        match &self.condition {
            Some(condition) => mask(condition, series),
            None => Ok(BooleanArray::from(vec![true; series.num_rows()])),
        }
    }
}

/// The names of the series from number `from` on, a row each. An empty bay or tool is null, as it is in
/// the streams.
#[must_use]
pub fn series_batch(table: &SeriesTable, from: usize) -> RecordBatch {
    let series = &table.all()[from..];
    let names: [fn(&Series) -> &str; 4] =
        [|series| &series.site, |series| &series.bay, |series| &series.tool, |series| &series.metric];
    let columns = names.map(|name| {
        let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
        for one in series {
            builder.append_option(Some(name(one)).filter(|name| !name.is_empty()));
        }
        Arc::new(builder.finish()) as ArrayRef
    });
    let fields = SERIES_COLUMNS.map(|name| Field::new(name, schema::name(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns.to_vec())
        .expect("four columns of one length and of their types")
}

/// Places of the series columns among the columns of `stream`; none if it has no series.
pub(crate) fn series_places(stream: Stream) -> Vec<usize> {
    let schema = stream.schema();
    let places: Option<Vec<usize>> = SERIES_COLUMNS.iter().map(|name| schema.index_of(name).ok()).collect();
    places.unwrap_or_default()
}

/// Whether a series decides `expression` by itself, and without an error.
pub(crate) fn is_of_series(stream: Stream, expression: &Expression) -> bool {
    let places = series_places(stream);
    let columns = columns_of(expression);
    !columns.is_empty()
        && columns.iter().all(|column| places.contains(column))
        && never_fails(expression, &stream.windowed_schema())
}

/// Parts `conditions` into the scope and the rest, which stays over the stream's columns.
pub(crate) fn split(stream: Stream, conditions: &[Expression]) -> Result<(Scope, Vec<Expression>)> {
    let (within, rest): (Vec<_>, Vec<_>) =
        conditions.iter().cloned().partition(|condition| is_of_series(stream, condition));
    let over_series =
        |condition: &Expression| renumber(condition, &series_places(stream), &stream.windowed_schema());
    let within = within.iter().map(over_series).collect::<Result<Vec<_>>>()?;
    let condition = (!within.is_empty()).then(|| conjunction(within));
    Ok((Scope { condition }, rest))
}
