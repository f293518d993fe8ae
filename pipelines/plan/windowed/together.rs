//! Queries over the same rows, in the same groups: one plan that has the states of all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_expr::expressions::Column;

use super::super::expression::{Expression, is_plain, rebase};
use super::super::key::Key;
use super::super::state::{Measured, States, place_in};
use super::super::stream::{Stream, WindowKind, Windows};
use super::{RowExpressions, WindowPlan};

/// Places of one query's states among those of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatesAmong {
    pub measures: Vec<usize>,
    pub spreads: Vec<usize>,
    pub counts: Vec<usize>,
}

impl WindowPlan {
    /// Its windows, if they consist of slides that can be folded for several queries at once, and no expression fails.
    fn slides(&self) -> Option<Windows> {
        let WindowKind::Fixed(windows) = self.kind else { return None };
        let is_simple = self.hindrance(windows).is_none()
            && self.stream() == Stream::Telemetry
            && !self.rows.may_fail
            && !self.rows.with_window_columns;
        Some(windows).filter(|_| is_simple)
    }

    /// Whether both fold the same rows into the same groups and slides.
    pub(crate) fn shares_slides_with(&self, other: &WindowPlan) -> bool {
        let (Some(own), Some(others)) = (self.slides(), other.slides()) else { return false };
        let start = |windows: Windows| windows.offset_ms.rem_euclid(windows.slide_ms);
        let condition = |plan: &WindowPlan| {
            plan.rows.condition.as_ref().map(|condition| over(plan, condition, plan.columns()))
        };
        let is_same_condition = match (condition(self), condition(other)) {
            (None, None) => true,
            (Some(Ok(own)), Some(Ok(others))) => own == others,
            _ => false,
        };
        (own.slide_ms, start(own), self.closes) == (others.slide_ms, start(others), other.closes)
            && self.scope == other.scope
            && series_keys(self).eq(series_keys(other))
            && is_same_condition
    }

    /// A plan whose slides have the states of all `plans`, which share them, and where those of each are.
    pub(crate) fn together(plans: &[&WindowPlan]) -> Result<(WindowPlan, Vec<StatesAmong>)> {
        let first = plans[0];
        let columns: BTreeSet<usize> = plans.iter().flat_map(|plan| plan.columns()).copied().collect();
        let columns: Vec<usize> = columns.into_iter().collect();
        let place_of = |column: usize| columns.binary_search(&column).expect("it is of a plan");
        let mut rows = RowExpressions {
            schema: Arc::new(first.stream().windowed_schema().project(&columns)?),
            with_window_columns: false,
            condition: None,
            arguments: Vec::new(),
            filters: Vec::new(),
            may_fail: false,
            is_plain: false,
        };
        let (mut states, mut among) = (States::default(), Vec::new());
        for plan in plans {
            let places: Vec<usize> = plan.columns().iter().map(|&column| place_of(column)).collect();
            let over = |expression: &Expression| over(plan, expression, &places);
            rows.condition = plan.rows.condition.as_ref().map(over).transpose()?;
            let put = |all: &mut Vec<Expression>, own: &[Expression]| -> Result<Vec<usize>> {
                own.iter().map(|expression| Ok(place_in(all, &over(expression)?))).collect()
            };
            let arguments = put(&mut rows.arguments, &plan.rows.arguments)?;
            let filters = put(&mut rows.filters, &plan.rows.filters)?;
            let measured = |own: &Measured| Measured {
                argument: arguments[own.argument],
                filter: own.filter.map(|filter| filters[filter]),
            };
            let own = &plan.states;
            let mut measures = Vec::with_capacity(own.measures.len());
            for (measure, with_sum) in own.measures.iter().zip(&own.sums) {
                let place = place_in(&mut states.measures, &measured(measure));
                states.sums.resize(states.measures.len(), false);
                states.sums[place] |= with_sum;
                measures.push(place);
            }
            among.push(StatesAmong {
                measures,
                spreads: own
                    .spreads
                    .iter()
                    .map(|one| place_in(&mut states.spreads, &measured(one)))
                    .collect(),
                counts: own.counts.iter().map(|one| place_in(&mut states.counts, &filters[*one])).collect(),
            });
        }
        rows.is_plain =
            rows.condition.is_none() && rows.filters.is_empty() && rows.arguments.iter().all(is_plain);
        Ok((first.with_rows(columns, rows, states), among))
    }
}

fn series_keys(plan: &WindowPlan) -> impl Iterator<Item = &Expression> {
    plan.keys.iter().filter_map(|key| if let Key::Series(key) = key { Some(key) } else { None })
}

/// An expression over the columns of `plan`, whose places become `places`.
fn over(plan: &WindowPlan, expression: &Expression, places: &[usize]) -> Result<Expression> {
    let all = plan.stream().windowed_schema();
    let column = |(&column, &place): (&usize, &usize)| {
        Arc::new(Column::new(all.field(column).name(), place)) as Expression
    };
    rebase(expression, &plan.columns().iter().zip(places).map(column).collect::<Vec<_>>())
}
