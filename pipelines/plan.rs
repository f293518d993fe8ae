//! SQL texts to expressions and windows, or a clear refusal.
//!
//! A rule's text is parsed, optimised and compiled by DataFusion once, when the configuration is loaded.
//! The plan that comes out is never executed: it is read from its leaf to its top ([`chain`]) into a
//! [`RowsPlan`] or a [`WindowPlan`], whose expressions the engine evaluates batch by batch. What cannot
//! run on a stream is refused with its place in the text and what to write instead.

mod aggregate;
mod batch;
mod block_on;
mod chain;
mod check;
mod clear;
pub(crate) mod expression;
mod function;
pub(crate) mod key;
mod percentile;
pub(crate) mod quiet;
mod refusal;
mod rows;
mod scope;
mod silence;
pub(crate) mod state;
mod stream;
pub(crate) mod windowed;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::config::RuleSettings;
use crate::schema::STEP_COLUMNS;
use chain::Source;
use expression::{Expression, columns_of};
use refusal::Refusal;
use stream::StreamTable;

pub use clear::Clearing;
pub use expression::FailedRow;
pub use function::register_window_functions;
pub use refusal::PlanError;
pub use rows::{Matches, RowsPlan};
pub use scope::{Scope, series_batch};
pub use silence::SilencePlan;
pub use stream::{Stream, WindowKind, Windows};
pub(crate) use windowed::Hindrance;
pub use windowed::WindowPlan;

/// A compiled query.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Each row by itself.
    Rows(Box<RowsPlan>),
    /// GROUP BY with a window.
    Window(Box<WindowPlan>),
}

impl Plan {
    /// The stream that it reads.
    #[must_use]
    pub fn stream(&self) -> Stream {
        match self {
            Plan::Rows(plan) => plan.stream(),
            Plan::Window(plan) => plan.stream(),
        }
    }

    /// The columns of SELECT.
    #[must_use]
    pub fn output_schema(&self) -> &SchemaRef {
        match self {
            Plan::Rows(plan) => plan.output_schema(),
            Plan::Window(plan) => plan.output_schema(),
        }
    }

    /// Indices of the stream's columns that it needs, in the order in which it wants them.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        match self {
            Plan::Rows(plan) => plan.columns(),
            Plan::Window(plan) => plan.columns(),
        }
    }

    /// Whether it needs what the step join says of telemetry.
    #[must_use]
    pub fn uses_step_columns(&self) -> bool {
        let schema = self.stream().schema();
        let is_of_step = |&column: &usize| STEP_COLUMNS.contains(&schema.field(column).name().as_str());
        let is_window_of_step = matches!(self, Plan::Window(plan) if *plan.kind() == WindowKind::Step);
        self.stream() == Stream::Telemetry && (is_window_of_step || self.columns().iter().any(is_of_step))
    }

    /// The part of WHERE that a series decides by itself.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self {
            Plan::Rows(plan) => plan.scope(),
            Plan::Window(plan) => plan.scope(),
        }
    }
}

/// Compiles queries.
#[derive(Debug)]
pub struct Planner {
    state: SessionState,
}

impl Default for Planner {
    fn default() -> Self {
        Self::new()
    }
}

impl Planner {
    /// Knows the streams, the window functions and DataFusion's functions.
    ///
    /// # Panics
    /// Never: names are registered once.
    #[must_use]
    pub fn new() -> Self {
        let mut config = SessionConfig::new().with_target_partitions(1);
        config.options_mut().sql_parser.collect_spans = true;
        let mut planners = SessionStateDefaults::default_expr_planners();
        planners.push(Arc::new(function::TagAccess));
        // The plan is read, not run: rules that arrange its execution would only be in the way.
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_expr_planners(planners)
            .with_physical_optimizer_rules(Vec::new())
            .build();
        let mut context = SessionContext::new_with_state(state);
        aggregate::register(&mut context).expect("a session takes aggregates");
        // Makes two nested GROUP BYs of count(DISTINCT …).
        context.remove_optimizer_rule("single_distinct_aggregation_to_group_by");
        // Parts expressions over several projections, which the walk would put together again.
        context.remove_optimizer_rule("common_sub_expression_eliminate");
        for stream in Stream::ALL {
            let table = Arc::new(StreamTable { stream, window: None });
            context.register_table(stream.as_str(), table).expect("each stream is registered once");
        }
        for function in function::WindowFunction::ALL {
            context.register_udtf(function.as_str(), Arc::new(function::StreamWindow(function)));
        }
        Planner { state: context.state() }
    }

    /// Compiles the rule's or view's query.
    ///
    /// # Errors
    /// The query does not parse, names what is not there, cannot run on a stream, or lacks a column that an
    /// exception needs.
    pub fn plan(&self, rule: &RuleSettings) -> Result<Plan, PlanError> {
        let plan = self.plan_sql(&rule.sql)?;
        let check = if rule.is_view { check_view_columns } else { check_exception_columns };
        check(plan.output_schema()).map_err(|refusal| refusal.locate(&rule.sql))?;
        Ok(plan)
    }

    /// Compiles a query.
    ///
    /// # Errors
    /// As [`Planner::plan`], whatever its columns are.
    pub fn plan_sql(&self, sql: &str) -> Result<Plan, PlanError> {
        let parsed = self
            .state
            .sql_to_statement(sql, &Dialect::Generic)
            .map_err(|error| refusal::syntax(&error, sql))?;
        check::check_statement(&parsed).map_err(|refusal| refusal.locate(sql))?;
        self.compile(parsed).map_err(|refusal| refusal.locate(sql))
    }

    fn compile(&self, parsed: datafusion::sql::parser::Statement) -> Result<Plan, Refusal> {
        // Names that the optimizer makes up are numbered by query: else a query's hash would hang on those before it.
        let mut state = self.state.clone();
        *state.execution_props_mut() = ExecutionProps::new();
        let logical = block_on::block_on(state.statement_to_plan(parsed))?;
        check::check_functions(&logical)?;
        let physical = block_on::block_on(state.create_physical_plan(&logical))?;
        let text = displayable(physical.as_ref()).indent(true).to_string();
        let hash = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        let output = physical.schema();
        let chain = chain::walk(&physical)?;
        match &chain.source {
            Source::Groups(groups) => {
                let plan = WindowPlan::new(groups, &chain.conditions, &chain.outputs, output, hash)?;
                let stream = plan.stream();
                if stream.revised_by().is_some() {
                    return Err(refusal::of_revisions(stream));
                }
                Ok(Plan::Window(Box::new(plan)))
            }
            Source::Stream { window: Some(window), .. } => Err(Refusal::new(
                window.function(),
                "a window without GROUP BY",
                "add GROUP BY … window_start, window_end, or read FROM the stream itself",
            )),
            Source::Stream { stream, window: None } => {
                Ok(Plan::Rows(Box::new(RowsPlan::new(*stream, &chain, output, hash)?)))
            }
        }
    }
}

/// The times that give a view's rows their date, the first that is there.
pub const VIEW_TIMES: [&str; 3] = ["window_start", "ts", "ended"];

/// What the stream of a view needs, and what it has already.
fn check_view_columns(schema: &Schema) -> Result<(), Refusal> {
    let time = VIEW_TIMES.iter().find_map(|name| schema.field_with_name(name).ok());
    if !time.is_some_and(|time| matches!(time.data_type(), DataType::Timestamp(..))) {
        return Err(Refusal::new(
            "SELECT",
            "a view's rows have no date without a time",
            "add window_start to SELECT; for single rows ts, or ended of usage and checks",
        ));
    }
    for name in ["revision", "final", "date"] {
        if schema.field_with_name(name).is_ok() {
            return Err(Refusal::new(
                name,
                format!("the stream of a view has a column `{name}` of its own"),
                format!("leave it out, or give it another name: {name} AS {name}_of_row"),
            ));
        }
    }
    Ok(())
}

/// What an exception takes from its row, beside `site`: if there, then of that kind.
fn check_exception_columns(schema: &Schema) -> Result<(), Refusal> {
    if schema.index_of("site").is_err() {
        return Err(Refusal::new(
            "SELECT",
            "a rule's exceptions need the column `site`",
            "add site to SELECT (and to GROUP BY), or make it a view",
        ));
    }
    for field in schema.fields() {
        let kind = field.data_type();
        let (fits, wanted) = match field.name().as_str() {
            "site" | "bay" | "tool" | "job" | "step" | "unit" => (is_text(kind), "a text"),
            "value" | "spec_min" | "spec_max" | "limit_min" | "limit_max" => {
                (kind.is_numeric() || *kind == DataType::Boolean, "a number")
            }
            "ts" => (matches!(kind, DataType::Timestamp(..)), "a time"),
            _ => (true, ""),
        };
        if !fits {
            return Err(Refusal::new(
                field.name(),
                format!("column `{}` is to be {wanted}, it is {kind}", field.name()),
                "give it another name with AS, or CAST it",
            ));
        }
    }
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => value.is_string(),
        other => other.is_string(),
    }
}

/// Indices of the columns that any of `expressions` reads, ascending.
fn needed<'a>(expressions: impl Iterator<Item = &'a Expression>) -> Vec<usize> {
    let all: BTreeSet<usize> = expressions.flat_map(columns_of).collect();
    all.into_iter().collect()
}

/// The values of `outputs` over `batch`, a column each.
fn evaluate_all(outputs: &[Expression], batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns: Result<Vec<ArrayRef>> =
        outputs.iter().map(|output| output.evaluate(batch)?.into_array(rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns?, &options)?)
}
