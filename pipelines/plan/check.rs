//! What a query must not say, found in its text before DataFusion plans it.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    self, GroupByExpr, Query, Select, SetExpr, Statement, TableFactor, visit_expressions,
};

use super::function::{WindowFunction, unknown_stream};
use super::refusal::Refusal;
use super::stream::Stream;

const SHAPE: &str = "write one SELECT … FROM a stream WHERE …, or with a window and GROUP BY";

/// Checks the statement's shape.
pub(crate) fn check_statement(parsed: &Parsed) -> Result<(), Refusal> {
    let Parsed::Statement(statement) = parsed else {
        return Err(Refusal::new("", "this is no query", SHAPE));
    };
    let Statement::Query(query) = statement.as_ref() else {
        return Err(Refusal::new("", "this is no query", SHAPE));
    };
    check_query(query, &mut Vec::new())?;
    match visit_expressions(statement.as_ref(), |expression| match check_expression(expression) {
        Ok(()) => ControlFlow::Continue(()),
        Err(refusal) => ControlFlow::Break(refusal),
    }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

fn check_query(query: &Query, named: &mut Vec<String>) -> Result<(), Refusal> {
    if let Some(with) = &query.with {
        if with.recursive {
            return Err(Refusal::new("RECURSIVE", "a stream has no WITH RECURSIVE", SHAPE));
        }
        for part in &with.cte_tables {
            check_query(&part.query, named)?;
            named.push(part.alias.name.value.clone());
        }
    }
    if query.order_by.is_some() {
        return Err(Refusal::new(
            "ORDER BY",
            "a stream has no end, so it has no ORDER BY",
            "leave it out: rows come by window and key",
        ));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        let word = if query.fetch.is_some() { "FETCH" } else { "LIMIT" };
        return Err(Refusal::new(
            word,
            format!("a stream has no end, so it has no {word}"),
            "leave it out, or narrow the condition",
        ));
    }
    match query.body.as_ref() {
        SetExpr::Select(select) => check_select(select, named),
        SetExpr::Query(inner) => check_query(inner, named),
        SetExpr::SetOperation { op, .. } => Err(Refusal::new(
            &op.to_string(),
            format!("{op} of two queries"),
            "write two rules, or one condition with OR",
        )),
        _ => Err(Refusal::new("", "this is no SELECT", SHAPE)),
    }
}

fn check_select(select: &Select, named: &mut Vec<String>) -> Result<(), Refusal> {
    if select.distinct.is_some() {
        return Err(Refusal::new(
            "DISTINCT",
            "DISTINCT over a stream remembers everything",
            "write a window and GROUP BY the columns",
        ));
    }
    if select.qualify.is_some() || !select.named_window.is_empty() {
        return Err(window_function("WINDOW"));
    }
    if matches!(select.group_by, GroupByExpr::All(_)) {
        return Err(Refusal::new("GROUP BY", "GROUP BY ALL", "name the keys"));
    }
    match select.from.as_slice() {
        [] => Err(Refusal::new(
            "SELECT",
            "nothing to read from",
            "write FROM telemetry, steps, usage, checks or gaps",
        )),
        [one] if one.joins.is_empty() => check_relation(&one.relation, named),
        _ => Err(join()),
    }
}

fn check_relation(relation: &TableFactor, named: &mut Vec<String>) -> Result<(), Refusal> {
    match relation {
        TableFactor::Table { name, args, .. } => {
            let name = name.to_string();
            if args.is_none() {
                return if named.contains(&name) || Stream::named(&name.to_lowercase()).is_some() {
                    Ok(())
                } else {
                    Err(unknown_stream(&name))
                };
            }
            let known = WindowFunction::ALL.map(WindowFunction::as_str);
            if known.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                return Ok(());
            }
            Err(super::refusal::unknown("window function", &name, &known))
        }
        TableFactor::Derived { subquery, .. } => check_query(subquery, named),
        TableFactor::NestedJoin { .. } => Err(join()),
        other => Err(Refusal::new("FROM", format!("{other} in FROM"), SHAPE)),
    }
}

pub(crate) fn check_expression(expression: &ast::Expr) -> Result<(), Refusal> {
    match expression {
        ast::Expr::Function(function) if function.over.is_some() => {
            Err(window_function(&function.name.to_string()))
        }
        ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
            Err(Refusal::new("( SELECT", "a subquery in an expression", "write its result as a constant"))
        }
        ast::Expr::GroupingSets(_) | ast::Expr::Cube(_) | ast::Expr::Rollup(_) => {
            Err(Refusal::new("GROUP BY", "grouping sets, ROLLUP and CUBE", "write one rule a grouping"))
        }
        _ => Ok(()),
    }
}

fn join() -> Refusal {
    Refusal::new(
        "JOIN",
        "a JOIN",
        "leave it out: telemetry has job, step, operation, technician, spec_min and spec_max already",
    )
}

fn window_function(word: &str) -> Refusal {
    Refusal::new(
        word,
        format!("the window function {word} OVER (…)"),
        "use a window in FROM: tumble(telemetry, ts, INTERVAL '10 seconds')",
    )
}

/// Refuses functions whose answer depends on when or where they run, and answers that depend on how rows
/// were cut into batches.
pub(crate) fn check_functions(plan: &LogicalPlan) -> Result<(), Refusal> {
    let checked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                check_function(part).map_err(Refusal::into_external)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    checked.map(|_| ()).map_err(|error: DataFusionError| Refusal::from(error))
}

pub(crate) fn check_function(expression: &Expr) -> Result<(), Refusal> {
    match expression {
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
            let name = call.func.name();
            Err(Refusal::new(
                name,
                format!("{name}() gives another answer each time, so a replay would differ"),
                "use the row's own ts and arrived",
            ))
        }
        Expr::AggregateFunction(call) if call.func.name().starts_with("approx_percentile") => {
            Err(sketch(call.func.name(), "percentile_cont(0.95) WITHIN GROUP (ORDER BY value)"))
        }
        Expr::AggregateFunction(call) if call.func.name() == "approx_median" => {
            Err(sketch(call.func.name(), "median(value)"))
        }
        Expr::WindowFunction(call) => Err(window_function(call.fun.name())),
        _ => Ok(()),
    }
}

fn sketch(name: &str, instead: &str) -> Refusal {
    Refusal::new(
        name,
        format!("{name} gives another answer when rows are cut into other batches"),
        format!("use {instead}"),
    )
}
