//! A physical plan, read from its leaf to its top: conditions, at most one GROUP BY, outputs.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::expression::{Expression, rebase};
use super::refusal::Refusal;
use super::stream::{Stream, StreamScan, WindowKind};

/// A chain of filters and projections over `source`, flattened.
#[derive(Debug)]
pub(crate) struct Chain {
    pub source: Source,
    /// All must be true. Over the source's columns, as `outputs` are.
    pub conditions: Vec<Expression>,
    pub outputs: Vec<Expression>,
}

/// What a chain stands on.
#[derive(Debug)]
pub(crate) enum Source {
    /// All columns of the stream, then the two of the window.
    Stream {
        stream: Stream,
        window: Option<WindowKind>,
    },
    Groups(Box<Groups>),
}

/// A GROUP BY.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Over the stream; its outputs are not used.
    pub below: Chain,
    /// Keys with their names.
    pub keys: Vec<(Expression, String)>,
    pub aggregates: Vec<Aggregate>,
    /// Keys, then aggregates: what the chain above reads.
    pub schema: SchemaRef,
}

/// An aggregate function with its arguments over the stream's columns.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub function: Arc<AggregateFunctionExpr>,
    /// Arguments, then what its ORDER BY goes by.
    pub arguments: Vec<Expression>,
    pub filter: Option<Expression>,
}

/// Reads `plan`.
///
/// # Errors
/// The node in the way.
pub(crate) fn walk(plan: &Arc<dyn ExecutionPlan>) -> Result<Chain, Refusal> {
    if let Some(scan) = plan.downcast_ref::<StreamScan>() {
        let names = scan.stream.windowed_schema();
        let outputs = scan.columns.iter().map(|&column| column_of(&names, column)).collect();
        let source = Source::Stream { stream: scan.stream, window: scan.window.clone() };
        return Ok(Chain { source, conditions: Vec::new(), outputs });
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let mut chain = walk(filter.input())?;
        for condition in split_conjunction(filter.predicate()) {
            chain.conditions.push(rebase(condition, &chain.outputs)?);
        }
        if let Some(kept) = filter.projection() {
            chain.outputs = kept.iter().map(|&column| Arc::clone(&chain.outputs[column])).collect();
        }
        return Ok(chain);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let mut chain = walk(projection.input())?;
        let outputs: Result<_> =
            projection.expr().iter().map(|output| rebase(&output.expr, &chain.outputs)).collect();
        chain.outputs = outputs?;
        return Ok(chain);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return walk_aggregate(aggregate);
    }
    Err(in_the_way(plan.name()))
}

fn walk_aggregate(exec: &AggregateExec) -> Result<Chain, Refusal> {
    let mut below = walk(exec.input())?;
    if matches!(exec.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned) {
        // The first stage has said everything; the second only names the results.
        let Source::Groups(groups) = &mut below.source else {
            return Err(in_the_way("AggregateExec"));
        };
        groups.schema = exec.schema();
        below.outputs = identity(&exec.schema());
        return Ok(below);
    }
    if matches!(below.source, Source::Groups(_)) {
        return Err(Refusal::new(
            "GROUP",
            "a GROUP BY over the result of another",
            "make the inner one a view of its own, or write one GROUP BY",
        ));
    }
    if exec.group_expr().has_grouping_set() {
        return Err(Refusal::new("GROUP", "grouping sets, ROLLUP and CUBE", "write one rule a grouping"));
    }
    let mut keys = Vec::new();
    for (key, name) in exec.group_expr().expr() {
        keys.push((rebase(key, &below.outputs)?, name.clone()));
    }
    let arguments = aggregate_expressions(exec.aggr_expr(), &AggregateMode::Partial, 0)?;
    let mut aggregates = Vec::new();
    for ((function, arguments), filter) in exec.aggr_expr().iter().zip(arguments).zip(exec.filter_expr()) {
        let rebased: Result<_> = arguments.iter().map(|one| rebase(one, &below.outputs)).collect();
        let filter = filter.as_ref().map(|filter| rebase(filter, &below.outputs)).transpose()?;
        aggregates.push(Aggregate { function: Arc::clone(function), arguments: rebased?, filter });
    }
    let schema = exec.schema();
    let groups = Groups { below, keys, aggregates, schema: schema.clone() };
    Ok(Chain { source: Source::Groups(Box::new(groups)), conditions: Vec::new(), outputs: identity(&schema) })
}

pub(crate) fn column_of(schema: &Schema, index: usize) -> Expression {
    Arc::new(Column::new(schema.field(index).name(), index))
}

fn identity(schema: &Schema) -> Vec<Expression> {
    (0..schema.fields().len()).map(|index| column_of(schema, index)).collect()
}

fn in_the_way(node: &str) -> Refusal {
    if node == "EmptyExec" || node == "PlaceholderRowExec" {
        return Refusal::new("WHERE", "the condition is never true", "correct the condition");
    }
    Refusal::new(
        "SELECT",
        format!("{node} cannot run on a stream"),
        "write SELECT … FROM a stream WHERE …, or a GROUP BY with a window",
    )
}
