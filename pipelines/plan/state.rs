//! Aggregates: which states they need, and where their results are read from.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::GroupsAccumulator;
use datafusion::physical_expr::GroupsAccumulatorAdapter;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;

use super::chain::Aggregate;
use super::expression::{Expression, plain_text};
use super::refusal::Refusal;
use super::windowed::RowExpressions;

/// Distinct states; numbers are places in [`RowExpressions::arguments`] and `filters`.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    /// count, sum, min, max of a Float64 argument.
    pub measures: Vec<Measured>,
    /// Whether anything reads the sum of each of them: exact sums are what costs.
    pub sums: Vec<bool>,
    /// count, mean, sum of squares of a Float64 argument.
    pub spreads: Vec<Measured>,
    /// count(*) FILTER (WHERE …).
    pub counts: Vec<usize>,
    /// What DataFusion accumulates.
    pub others: Vec<Other>,
}

impl States {
    /// The measure that counts every row on which its argument is not null.
    pub(crate) fn base(&self) -> Option<usize> {
        self.measures.iter().position(|measured| measured.filter.is_none())
    }
}

/// An argument, looked at where its filter is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub argument: usize,
    pub filter: Option<usize>,
}

/// An aggregate of DataFusion's.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub function: Arc<AggregateFunctionExpr>,
    pub arguments: Vec<usize>,
    pub filter: Option<usize>,
}

impl Other {
    /// An empty state.
    pub(crate) fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        if self.function.groups_accumulator_supported() {
            return self.function.create_groups_accumulator();
        }
        let function = Arc::clone(&self.function);
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
    }
}

/// Where a result is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultOf {
    Rows,
    Count(usize),
    CountOf(usize),
    SumOf(usize),
    MinOf(usize),
    MaxOf(usize),
    AverageOf(usize),
    Spread { spread: usize, sample: bool, root: bool },
    Other(usize),
}
/// Finds or adds the state that `aggregate` needs.
pub(super) fn state_of(
    aggregate: &Aggregate,
    rows: &mut RowExpressions,
    states: &mut States,
) -> Result<ResultOf, Refusal> {
    let function = &aggregate.function;
    let name = function.fun().name();
    let filter = aggregate.filter.as_ref().map(|filter| place_in(&mut rows.filters, filter));
    let plain = !function.is_distinct() && function.order_bys().is_empty();
    if let (true, [argument]) = (plain, aggregate.arguments.as_slice()) {
        let is_constant =
            argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null());
        if name == "count" && is_constant {
            return Ok(match filter {
                None => ResultOf::Rows,
                Some(filter) => ResultOf::Count(place_in(&mut states.counts, &filter)),
            });
        }
        if argument.data_type(&rows.schema)? == DataType::Float64 {
            let measured = |arguments: &mut Vec<Expression>| Measured {
                argument: place_in(arguments, argument),
                filter,
            };
            let fused: Option<fn(usize) -> ResultOf> = match name {
                "count" => Some(ResultOf::CountOf),
                "sum" => Some(ResultOf::SumOf),
                "min" => Some(ResultOf::MinOf),
                "max" => Some(ResultOf::MaxOf),
                "avg" => Some(ResultOf::AverageOf),
                _ => None,
            };
            if let Some(result) = fused {
                let measured = measured(&mut rows.arguments);
                let place = place_in(&mut states.measures, &measured);
                states.sums.resize(states.measures.len(), false);
                states.sums[place] |= matches!(name, "sum" | "avg");
                return Ok(result(place));
            }
            let spread = match name {
                "stddev" => Some((true, true)),
                "stddev_pop" => Some((false, true)),
                "var" => Some((true, false)),
                "var_pop" => Some((false, false)),
                _ => None,
            };
            if let Some((sample, root)) = spread {
                let measured = measured(&mut rows.arguments);
                let spread = place_in(&mut states.spreads, &measured);
                return Ok(ResultOf::Spread { spread, sample, root });
            }
        }
    }
    if !function.order_bys().is_empty() && !matches!(name, "first_value" | "last_value" | "percentile_cont") {
        return Err(Refusal::new(
            name,
            format!("ORDER BY within {name}"),
            format!("leave it out: {name} sees rows in the order in which they came"),
        ));
    }
    if name.starts_with("covar") || name.starts_with("regr_") {
        return Err(Refusal::new(
            name,
            format!("{name} gives other digits after a restart"),
            "use corr, stddev or avg",
        ));
    }
    let is_fraction = function.field().data_type().is_floating();
    if function.is_distinct() && (is_fraction && name != "min" && name != "max" || name.ends_with("_agg")) {
        return Err(Refusal::new(
            name,
            format!("{name}(DISTINCT …) takes values in no order, so a replay would differ"),
            "leave DISTINCT out, or use count(DISTINCT …)",
        ));
    }
    let arguments = aggregate.arguments.iter().map(|one| place_in(&mut rows.arguments, one)).collect();
    let other = Other { function: Arc::clone(function), arguments, filter };
    other.function.create_accumulator().and_then(|_| other.accumulator()).map_err(|error| {
        if name == "percentile" {
            let message = "percentile takes a value and a share from 0 to 1";
            return Refusal::new(name, message, "write percentile(value, 0.95)");
        }
        let message = format!("{name} does not take this: {}", plain_text(&error));
        Refusal::new(name, message, format!("write {name}(CAST(… AS VARCHAR)) or another function"))
    })?;
    states.others.push(other);
    Ok(ResultOf::Other(states.others.len() - 1))
}

/// The place of `item` in `all`, at the end if it is new.
pub(in crate::plan) fn place_in<T: PartialEq + Clone>(all: &mut Vec<T>, item: &T) -> usize {
    all.iter().position(|other| other == item).unwrap_or_else(|| {
        all.push(item.clone());
        all.len() - 1
    })
}
