//! The stream of a view: `row_id`, its columns, `revision`, `final`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sinks::emission::Emission;

use super::super::{EngineError, rows_error};
use super::Rules;

impl Rules {
    /// Names and schemas of the views' streams.
    #[must_use]
    pub(crate) fn views(&self) -> Vec<(String, SchemaRef)> {
        let of_rows = self.rows.iter().filter(|rule| rule.is_view);
        let of_windows = self.windows.iter().filter(|rule| rule.is_view);
        let of_rows =
            of_rows.map(|rule| (rule.life.name.to_string(), view_schema(rule.plan.output_schema())));
        let of_windows = of_windows
            .map(|rule| (rule.life.name.to_string(), view_schema(rule.operator.plan().output_schema())));
        of_rows.chain(of_windows).collect()
    }
}

/// Its schema, around the `columns` of SELECT.
pub(super) fn view_schema(columns: &SchemaRef) -> SchemaRef {
    let mut fields = vec![Arc::new(Field::new("row_id", DataType::Utf8, false))];
    fields.extend(columns.fields().iter().filter(|field| field.name() != "row_id").cloned());
    fields.push(Arc::new(Field::new("revision", DataType::UInt32, false)));
    fields.push(Arc::new(Field::new("final", DataType::Boolean, false)));
    Arc::new(Schema::new(fields))
}

pub(super) fn view_rows(
    view: &Arc<str>,
    rows: &RecordBatch,
    ids: StringArray,
    revisions: &[u32],
    finals: &[bool],
) -> Result<Emission, EngineError> {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids)];
    let named = rows.schema_ref().fields().iter().zip(rows.columns());
    columns.extend(named.filter(|(field, _)| field.name() != "row_id").map(|(_, column)| Arc::clone(column)));
    columns.push(Arc::new(UInt32Array::from(revisions.to_vec())));
    columns.push(Arc::new(BooleanArray::from(finals.to_vec())));
    let rows = RecordBatch::try_new(view_schema(rows.schema_ref()), columns);
    Ok(Emission { stream: Arc::clone(view), rows: rows.map_err(|source| rows_error(view, source))? })
}
