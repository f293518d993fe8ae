//! sum, avg, min, max, stddev and var over fractions, and sum over whole numbers ([`whole`]), for batch queries: the states
//! that windows of the stream have, so that history gives the same bits, whatever files and threads rows come from.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::functions_aggregate::{average, min_max, stddev, sum, variance};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, StatisticsArgs,
};

use super::percentile::Percentile;
use crate::window::fused::Spread;

mod states;
mod whole;

pub(super) use states::{Each, Single, State, state_fields};
use states::{Range, Total};
use whole::{WholeSum, WholeSums};

/// Puts them in the place of DataFusion's own, which depend on the order of rows: sums by rounding, the least and the
/// greatest where one of two zeros, or what is no number, came first; and `percentile` beside them.
///
/// # Errors
/// The registry takes no aggregates.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for (inner, of) in [
        (sum::sum_udaf(), Of::Sum),
        (average::avg_udaf(), Of::Average),
        (min_max::min_udaf(), Of::Least),
        (min_max::max_udaf(), Of::Greatest),
        (stddev::stddev_udaf(), Of::Spread { sample: true, root: true }),
        (stddev::stddev_pop_udaf(), Of::Spread { sample: false, root: true }),
        (variance::var_samp_udaf(), Of::Spread { sample: true, root: false }),
        (variance::var_pop_udaf(), Of::Spread { sample: false, root: false }),
    ] {
        registry.register_udaf(Arc::new(AggregateUDF::from(Exact { inner, of })))?;
    }
    registry.register_udaf(Arc::new(AggregateUDF::from(Percentile::new())))?;
    Ok(())
}

/// What is asked of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Sum,
    Average,
    Least,
    Greatest,
    Spread {
        sample: bool,
        root: bool,
    },
    /// `share` as the bits of a fraction.
    Percentile {
        share: u64,
    },
}

/// One of DataFusion's aggregates, exact over fractions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    inner: Arc<AggregateUDF>,
    of: Of,
}

impl Exact {
    fn is_ours(&self, arguments: &[FieldRef], is_distinct: bool) -> bool {
        // The least of them all is the least of them once each.
        let is_distinct = is_distinct && !matches!(self.of, Of::Least | Of::Greatest);
        !is_distinct && arguments.first().is_some_and(|field| *field.data_type() == DataType::Float64)
    }

    /// The type of the whole numbers that are to be added up, if it is these.
    fn wholes<'a>(&self, arguments: &'a [FieldRef], is_distinct: bool) -> Option<&'a DataType> {
        let kind = arguments.first()?.data_type();
        let is_whole = matches!(kind, DataType::Int64 | DataType::UInt64);
        (is_whole && self.of == Of::Sum && !is_distinct).then_some(kind)
    }
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(kind) = self.wholes(args.expr_fields, args.is_distinct) {
            return Ok(Box::new(WholeSum::new(kind)));
        }
        if !self.is_ours(args.expr_fields, args.is_distinct) {
            return self.inner.accumulator(args);
        }
        Ok(match self.of {
            Of::Spread { .. } => Box::new(Single { of: self.of, state: Spread::default() }),
            Of::Least | Of::Greatest => Box::new(Single { of: self.of, state: Range::default() }),
            _ => Box::new(Single { of: self.of, state: Total::default() }),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if self.wholes(args.input_fields, args.is_distinct).is_some() {
            return Ok(vec![Arc::new(Field::new(format!("{}[whole]", args.name), whole::STATE, true))]);
        }
        if !self.is_ours(args.input_fields, args.is_distinct) {
            return self.inner.state_fields(args);
        }
        Ok(state_fields(args.name).map(|(name, kind)| Arc::new(Field::new(name, kind, false))).to_vec())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.is_ours(args.expr_fields, args.is_distinct)
            || self.wholes(args.expr_fields, args.is_distinct).is_some()
            || self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if let Some(kind) = self.wholes(args.expr_fields, args.is_distinct) {
            return Ok(Box::new(WholeSums::new(kind)));
        }
        if !self.is_ours(args.expr_fields, args.is_distinct) {
            return self.inner.create_groups_accumulator(args);
        }
        Ok(match self.of {
            Of::Spread { .. } => Box::new(Each { of: self.of, states: Vec::<Spread>::new() }),
            Of::Least | Of::Greatest => Box::new(Each { of: self.of, states: Vec::<Range>::new() }),
            _ => Box::new(Each { of: self.of, states: Vec::<Total>::new() }),
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    /// What files say of their columns may be another zero.
    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        if *args.return_type == DataType::Float64 { None } else { self.inner.value_from_stats(args) }
    }
}
