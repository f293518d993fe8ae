//! A query with a window: which rows, which groups, which states, and what comes out of them.

mod slides;
pub(crate) mod together;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::conjunction;

use super::chain::{Groups, Source};
use super::expression::{Expression, FailedRow, columns_of, is_plain, isolate, mask, never_fails, renumber};
use super::key::{Closes, Key, closes_of, keys_of};
use super::refusal::Refusal;
use super::scope::{Scope, series_places, split};
use super::state::{ResultOf, States, state_of};
use super::stream::{Stream, WindowKind};
use super::{evaluate_all, needed};
pub(crate) use slides::Hindrance;

/// A rule or view over windows. Runs in a [`crate::window::WindowOperator`].
#[derive(Clone, Debug)]
pub struct WindowPlan {
    stream: Stream,
    columns: Vec<usize>,
    pub(crate) kind: WindowKind,
    pub(crate) scope: Scope,
    pub(crate) rows: RowExpressions,
    pub(crate) keys: Vec<Key>,
    pub(crate) closes: Closes,
    /// Places of site and bay among the keys without the window's; 0 where `closes` asks for none.
    pub(crate) closing_keys: (usize, usize),
    pub(crate) states: States,
    /// One for each column of `group_schema` behind the keys.
    pub(crate) results: Vec<ResultOf>,
    /// Keys with the window's columns, then aggregates.
    pub(crate) group_schema: SchemaRef,
    having: Option<Expression>,
    outputs: Vec<Expression>,
    output: SchemaRef,
    hash: String,
}

/// What is evaluated on the rows of a batch: [`WindowPlan::columns`], then the window's two if asked for.
#[derive(Clone, Debug)]
pub(crate) struct RowExpressions {
    pub schema: SchemaRef,
    pub with_window_columns: bool,
    pub condition: Option<Expression>,
    /// Distinct arguments of the aggregates.
    pub arguments: Vec<Expression>,
    /// Distinct FILTER clauses.
    pub filters: Vec<Expression>,
    /// Whether any of these may fail, so that rows that WHERE leaves out must not be seen by it.
    pub may_fail: bool,
    /// Whether nothing is computed: columns go into fused states as they are.
    pub is_plain: bool,
}

impl WindowPlan {
    pub(super) fn new(
        groups: &Groups,
        having: &[Expression],
        outputs: &[Expression],
        output: SchemaRef,
        hash: String,
    ) -> Result<Self, Refusal> {
        let Source::Stream { stream, window } = &groups.below.source else {
            return Err(Refusal::new("GROUP", "a GROUP BY over the result of another", "write one GROUP BY"));
        };
        let stream = *stream;
        let all = stream.windowed_schema();
        let (kind, mut keys) = keys_of(stream, window.as_ref(), groups)?;
        if let WindowKind::Session { keys: of_session, .. } = &kind {
            check_session(stream, of_session, groups)?;
        }
        let (scope, conditions) = split(stream, &groups.below.conditions)?;
        let condition = (!conditions.is_empty()).then(|| conjunction(conditions));

        let mut rows = RowExpressions {
            schema: all.clone(),
            with_window_columns: false,
            condition,
            arguments: Vec::new(),
            filters: Vec::new(),
            may_fail: false,
            is_plain: false,
        };
        let mut states = States::default();
        let mut results = Vec::with_capacity(groups.aggregates.len());
        for aggregate in &groups.aggregates {
            results.push(state_of(aggregate, &mut rows, &mut states)?);
        }

        let of_keys = keys.iter().filter_map(|key| if let Key::Row(row) = key { Some(row) } else { None });
        let read: Vec<&Expression> =
            rows.condition.iter().chain(&rows.arguments).chain(&rows.filters).chain(of_keys).collect();
        let mut wanted = needed(read.iter().copied());
        let first_of_window = stream.schema().fields().len();
        let columns: Vec<usize> = wanted.iter().copied().filter(|&column| column < first_of_window).collect();
        rows.with_window_columns = columns.len() < wanted.len();
        let why = match &kind {
            WindowKind::Fixed(windows) if windows.is_tumbling() => None,
            WindowKind::Fixed(_) => Some("where a row is in several windows"),
            WindowKind::Session { .. } => Some("before the session has ended"),
            WindowKind::Step => Some("before the step has ended"),
            WindowKind::Calendar(_) => Some("which is the site's own"),
        };
        if let Some(why) = why.filter(|_| rows.with_window_columns) {
            return Err(Refusal::new(
                kind.function(),
                format!("window_start or window_end within WHERE or an aggregate, {why}"),
                "use them in GROUP BY, SELECT and HAVING alone",
            ));
        }
        if rows.with_window_columns {
            wanted.truncate(columns.len());
            wanted.extend([first_of_window, first_of_window + 1]);
        }
        rows.may_fail = read.iter().any(|expression| !never_fails(expression, &all));
        rows.is_plain = states.others.is_empty()
            && rows.arguments.len() == read.len()
            && read.iter().all(|expression| is_plain(expression));
        let over = |expression: &Expression| renumber(expression, &wanted, &all);
        rows.schema = Arc::new(all.project(&wanted).map_err(datafusion::error::DataFusionError::from)?);
        rows.condition = rows.condition.as_ref().map(over).transpose()?;
        rows.arguments = rows.arguments.iter().map(over).collect::<Result<_>>()?;
        rows.filters = rows.filters.iter().map(over).collect::<Result<_>>()?;
        for key in &mut keys {
            match key {
                Key::Row(expression) => *expression = over(expression)?,
                Key::Series(expression) => {
                    *expression = renumber(expression, &series_places(stream), &all)?;
                }
                Key::WindowStart | Key::WindowEnd => {}
            }
        }
        let (closes, closing_keys) = closes_of(stream, groups, &keys);
        if let (WindowKind::Calendar(_), Closes::Overall) = (&kind, closes) {
            let message =
                format!("a {} of several sites, which have calendars of their own", kind.function());
            return Err(Refusal::new("GROUP", message, "add site to GROUP BY"));
        }
        let having = (!having.is_empty()).then(|| conjunction(having.iter().cloned()));
        Ok(WindowPlan {
            stream,
            columns,
            kind,
            scope,
            rows,
            keys,
            closes,
            closing_keys,
            states,
            results,
            group_schema: groups.schema.clone(),
            having,
            outputs: outputs.to_vec(),
            output,
            hash,
        })
    }

    /// The stream that it reads.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Indices of the stream's columns that the operator wants, in its order. Columns that only choose or
    /// name series (site, bay, tool, metric) are not among them.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The columns of SELECT.
    #[must_use]
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The part of WHERE that a series decides by itself. The operator applies it.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What makes its windows.
    #[must_use]
    pub fn kind(&self) -> &WindowKind {
        &self.kind
    }

    /// Hex digits that change with the query: state of another query is not restored.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether a row's series does not decide its group alone.
    pub(crate) fn has_row_keys(&self) -> bool {
        self.keys.iter().any(|key| matches!(key, Key::Row(_)))
    }

    /// The columns of GROUP BY without the window's: one open condition each.
    #[must_use]
    pub fn key_schema(&self) -> SchemaRef {
        let fields = self.group_schema.fields().iter().zip(&self.keys);
        let fields = fields.filter(|(_, key)| !matches!(key, Key::WindowStart | Key::WindowEnd));
        Arc::new(Schema::new(fields.map(|(field, _)| field.clone()).collect::<Vec<_>>()))
    }

    /// The same over other columns, with other states: what is selected of them is not to be asked for.
    pub(super) fn with_rows(&self, columns: Vec<usize>, rows: RowExpressions, states: States) -> Self {
        WindowPlan { columns, rows, states, ..self.clone() }
    }

    /// SELECT and HAVING over closed groups in `group_schema`: a bit and a row of output for each, but for
    /// those on which an expression fails, which are named.
    pub(crate) fn conclude(&self, groups: &RecordBatch, without: Vec<FailedRow>) -> Concluded {
        let mut evaluate = |rows: Range<usize>| {
            let part = groups.slice(rows.start, rows.len());
            let matches = match &self.having {
                Some(having) => mask(having, &part)?,
                None => BooleanArray::new(BooleanBuffer::new_set(rows.len()), None),
            };
            Ok((rows, matches, evaluate_all(&self.outputs, &part, &self.output)?))
        };
        let (mut pieces, mut failed) = (Vec::new(), Vec::new());
        let mut from = 0;
        for without in without {
            isolate(from..without.row, &mut evaluate, &mut pieces, &mut failed);
            from = without.row + 1;
            failed.push(without);
        }
        isolate(from..groups.num_rows(), &mut evaluate, &mut pieces, &mut failed);
        Concluded { pieces, failed }
    }
}

/// FROM comes before WHERE: what WHERE leaves out would still keep a session going. Over keys of the session it makes no
/// difference which comes first.
fn check_session(stream: Stream, keys: &[usize], groups: &Groups) -> Result<(), Refusal> {
    let schema = stream.schema();
    let name = |column: usize| schema.fields().get(column).map_or("window_start", |field| field.name());
    let read = groups.below.conditions.iter().flat_map(columns_of);
    if let Some(column) = read.into_iter().find(|column| !keys.contains(column)) {
        let name = name(column);
        return Err(Refusal::new(
            name,
            format!(
                "WHERE reads `{name}`, which is no key of the session: what it leaves out would keep it going"
            ),
            format!("add {name} to the keys of session(…) and to GROUP BY, or write FILTER (WHERE …)"),
        ));
    }
    let is_key = |key: usize| {
        let column = |(expression, _): &(Expression, String)| {
            expression.downcast_ref::<Column>().is_some_and(|column| column.index() == key)
        };
        groups.keys.iter().any(column)
    };
    if let Some(missing) = keys.iter().find(|key| !is_key(**key)) {
        let name = name(*missing);
        let remedy = format!("add {name} to GROUP BY, or take it out of session(…)");
        return Err(Refusal::new("GROUP", format!("GROUP BY lacks `{name}`, a key of the session"), remedy));
    }
    Ok(())
}

/// What [`WindowPlan::conclude`] finds: ranges of groups with their bits and outputs.
#[derive(Debug)]
pub(crate) struct Concluded {
    pub pieces: Vec<(Range<usize>, BooleanArray, RecordBatch)>,
    pub failed: Vec<FailedRow>,
}
