//! The dead band of a rule: an expression over the columns of its SELECT that tells when it is right again.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::Dialect;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::visit_expressions;

use super::expression::{Expression, FailedRow, columns_of, isolate, mask, renumber};
use super::refusal::{self, Refusal};
use super::{PlanError, Planner, check};

/// `clear_when`, compiled.
#[derive(Clone, Debug)]
pub struct Clearing {
    names: Vec<String>,
    /// Over the named columns alone.
    expression: Expression,
}

impl Clearing {
    /// Compiles `text` over the columns of a SELECT.
    ///
    /// # Errors
    /// It does not parse, names what is not there, is no condition, or gives another answer each time.
    pub fn new(planner: &Planner, text: &str, columns: &SchemaRef) -> Result<Self, PlanError> {
        let parsed = planner.state.sql_to_expr(text, &Dialect::Generic);
        let parsed = parsed.map_err(|error| refusal::syntax(&error, text))?;
        let checked = visit_expressions(&parsed, |part| match check::check_expression(part) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        });
        let checked = if let ControlFlow::Break(refusal) = checked { Err(refusal) } else { Ok(()) };
        checked.and_then(|()| Self::compile(planner, text, columns)).map_err(|refusal| refusal.locate(text))
    }

    fn compile(planner: &Planner, text: &str, columns: &SchemaRef) -> Result<Self, Refusal> {
        let schema = DFSchema::try_from(Arc::clone(columns))?;
        let logical = planner.state.create_logical_expr(text, &schema)?;
        logical.apply(|part| {
            if let Expr::AggregateFunction(call) = part {
                let message = "an aggregate in `clear_when`, which sees one row at a time";
                let remedy = "give it a name in SELECT, and use the name";
                return Err(Refusal::new(call.func.name(), message, remedy).into_external());
            }
            check::check_function(part).map_err(Refusal::into_external)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        let physical = planner.state.create_physical_expr(logical, &schema)?;
        let kind = physical.data_type(columns)?;
        if kind != DataType::Boolean {
            let message = format!("`clear_when` is to be a condition, it is {kind}");
            return Err(Refusal::new("", message, "write a comparison, such as value < 90"));
        }
        Ok(Self::of(&physical, columns)?)
    }

    /// An expression over `columns`, with those alone that it reads.
    pub(super) fn of(expression: &Expression, columns: &SchemaRef) -> Result<Self> {
        let kept: Vec<usize> = columns_of(expression).into_iter().collect();
        let names = kept.iter().map(|&column| columns.field(column).name().clone()).collect();
        Ok(Clearing { names, expression: renumber(expression, &kept, columns)? })
    }

    /// The columns that it reads, by name.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The same, over these columns alone.
    pub(super) fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The rows on which it is true: a bit a row, never null. `rows` has at least the columns that it reads. Rows on
    /// which it fails are no, and named.
    ///
    /// # Errors
    /// The batch lacks a column.
    pub fn evaluate(&self, rows: &RecordBatch) -> Result<(BooleanArray, Vec<FailedRow>)> {
        let places: Result<Vec<usize>, _> =
            self.names.iter().map(|name| rows.schema_ref().index_of(name)).collect();
        let rows = rows.project(&places?)?;
        if let Ok(all) = mask(&self.expression, &rows) {
            return Ok((all, Vec::new()));
        }
        let (mut pieces, mut failed) = (Vec::new(), Vec::new());
        let mut evaluate = |range: std::ops::Range<usize>| {
            Ok((range.start, mask(&self.expression, &rows.slice(range.start, range.len()))?))
        };
        isolate(0..rows.num_rows(), &mut evaluate, &mut pieces, &mut failed);
        pieces
            .extend(failed.iter().map(|failure: &FailedRow| (failure.row, BooleanArray::from(vec![false]))));
        pieces.sort_by_key(|(start, _)| *start);
        let parts: Vec<&dyn Array> = pieces.iter().map(|(_, part)| part as &dyn Array).collect();
        Ok((BooleanArray::from(concat(&parts)?.to_data()), failed))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array};

    use super::*;

    fn readings(values: &[Option<f64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("value", column, true)]).expect("one column")
    }

    fn compiled(text: &str) -> Result<Clearing, PlanError> {
        Clearing::new(&Planner::new(), text, &readings(&[]).schema())
    }

    #[test]
    fn it_is_true_or_it_is_not_and_nothing_is_unknown() {
        let clearing = compiled("value < 90 AND value > 0").expect("compiles");
        let (bits, failed) =
            clearing.evaluate(&readings(&[Some(89.0), Some(90.0), None])).expect("evaluates");
        assert_eq!((bits, failed), (BooleanArray::from(vec![true, false, false]), Vec::new()));
    }

    #[test]
    fn a_row_on_which_it_fails_is_no_and_is_named() {
        let clearing = compiled("1 / CAST(value AS BIGINT) >= 1").expect("compiles");
        let rows = readings(&[Some(1.0), Some(0.0), Some(1.0)]);
        let (bits, failed) = clearing.evaluate(&rows).expect("the others");
        assert_eq!(bits, BooleanArray::from(vec![true, false, true]));
        assert_eq!(failed.iter().map(|failure| failure.row).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn what_is_no_condition_over_the_columns_is_refused_in_its_place() {
        for (text, column, message) in [
            ("value <", 8, "syntax error"),
            ("0 < valeu", 5, "there is no column `valeu`"),
            ("value + 1", 1, "`clear_when` is to be a condition, it is Float64"),
            ("value < random()", 9, "random() gives another answer each time"),
            ("value < (SELECT 1)", 9, "a subquery"),
            ("value < max(value)", 9, "an aggregate"),
        ] {
            let error = compiled(text).expect_err(text);
            assert!(error.message.starts_with(message), "{text}: {error:?}");
            assert_eq!((error.line, error.column), (1, column), "{text}: {error:?}");
        }
    }
}
