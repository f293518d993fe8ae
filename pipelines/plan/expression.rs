//! Physical expressions: moving them from one set of columns to another, and evaluating them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
    TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, utils};

/// An expression of DataFusion's, compiled.
pub(crate) type Expression = Arc<dyn PhysicalExpr>;

/// A row on which an expression fails, such as a division by zero or a cast of what is no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRow {
    /// Its place in the batch.
    pub row: usize,
    /// What failed.
    pub error: String,
}

/// `expression` with column `n` replaced by `columns[n]`. Whole numbers that do not fit fail, in place of starting again
/// from the other end.
pub(crate) fn rebase(expression: &Expression, columns: &[Expression]) -> Result<Expression> {
    let replaced = Arc::clone(expression).transform_up(|node| {
        if let Some(binary) = node.downcast_ref::<BinaryExpr>() {
            return Ok(Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true)) as Expression));
        }
        let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
        let new = columns.get(column.index()).cloned();
        let missing = || plan_datafusion_err!("column {} of {}", column.index(), columns.len());
        Ok(Transformed::yes(new.ok_or_else(missing)?))
    });
    replaced.data()
}

/// Indices of the columns that `expression` reads.
pub(crate) fn columns_of(expression: &Expression) -> BTreeSet<usize> {
    utils::collect_columns(expression).iter().map(Column::index).collect()
}

/// `expression` over a batch that has only the columns `kept`, in that order.
pub(crate) fn renumber(expression: &Expression, kept: &[usize], names: &Schema) -> Result<Expression> {
    let mut columns: Vec<Expression> = Vec::with_capacity(names.fields().len());
    for (index, field) in names.fields().iter().enumerate() {
        let place = kept.iter().position(|&column| column == index).unwrap_or(usize::MAX);
        columns.push(Arc::new(Column::new(field.name(), place)));
    }
    rebase(expression, &columns)
}

/// Whether it is a column or a constant, so that evaluating it costs nothing.
pub(crate) fn is_plain(expression: &Expression) -> bool {
    expression.is::<Column>() || expression.is::<Literal>()
}

/// Whether it gives a value on any row whatever, never an error. May say no where yes would be true.
pub(crate) fn never_fails(expression: &Expression, schema: &Schema) -> bool {
    let node = expression.as_ref();
    let itself = if let Some(binary) = node.downcast_ref::<BinaryExpr>() {
        let both = |kind: &DataType| {
            [binary.left(), binary.right()]
                .iter()
                .all(|side| side.data_type(schema).is_ok_and(|found| &found == kind))
        };
        match binary.op() {
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide => {
                both(&DataType::Float64)
            }
            operator => operator.is_logic_operator() || operator.supports_propagation(),
        }
    } else if let Some(cast) = node.downcast_ref::<CastExpr>() {
        let text = |kind: &DataType| match kind {
            DataType::Dictionary(_, value) => value.is_string(),
            other => other.is_string(),
        };
        text(cast.cast_type()) && cast.expr().data_type(schema).is_ok_and(|from| text(&from))
            || matches!(cast.cast_type(), DataType::Float64)
                && cast.expr().data_type(schema).is_ok_and(|from| from.is_numeric())
    } else if let Some(function) = node.downcast_ref::<ScalarFunctionExpr>() {
        ["lower", "upper", "starts_with", "ends_with", "contains", "abs"].contains(&function.name())
    } else {
        is_plain(expression)
            || node.is::<InListExpr>()
            || node.is::<IsNullExpr>()
            || node.is::<IsNotNullExpr>()
            || node.is::<NotExpr>()
            || node.is::<LikeExpr>()
            || node.is::<TryCastExpr>()
    };
    itself && expression.children().into_iter().all(|child| never_fails(child, schema))
}

/// The rows on which `predicate` is true: unknown is no.
pub(crate) fn mask(predicate: &Expression, batch: &RecordBatch) -> Result<BooleanArray> {
    let rows = batch.num_rows();
    match predicate.evaluate(batch)? {
        ColumnarValue::Scalar(value) => {
            let all = matches!(value, ScalarValue::Boolean(Some(true)));
            Ok(BooleanArray::from(vec![all; rows]))
        }
        ColumnarValue::Array(array) => {
            let found = array
                .as_boolean_opt()
                .ok_or_else(|| plan_datafusion_err!("a condition of type {}", array.data_type()))?;
            Ok(if found.null_count() > 0 { prep_null_mask_filter(found) } else { found.clone() })
        }
    }
}

/// What an evaluation says went wrong, without who says it.
pub(crate) fn plain_text(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    }
}

/// Applies `evaluate` to ranges of `0..rows` so that only rows on which it fails by themselves are left
/// out: halves what fails until it is one row. Pieces come in order.
pub(crate) fn isolate<T>(
    rows: Range<usize>,
    evaluate: &mut dyn FnMut(Range<usize>) -> Result<T>,
    pieces: &mut Vec<T>,
    failed: &mut Vec<FailedRow>,
) {
    if rows.is_empty() {
        return;
    }
    match evaluate(rows.clone()) {
        Ok(piece) => pieces.push(piece),
        Err(error) if rows.len() == 1 => {
            failed.push(FailedRow { row: rows.start, error: plain_text(&error) });
        }
        Err(_) => {
            let middle = rows.start + rows.len() / 2;
            isolate(rows.start..middle, evaluate, pieces, failed);
            isolate(middle..rows.end, evaluate, pieces, failed);
        }
    }
}
