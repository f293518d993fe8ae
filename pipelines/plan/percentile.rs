//! `percentile(value, share)`: of a histogram whose buckets are the same for everybody, so that counts are exact to
//! merge, and the answer depends neither on order nor on where rows are cut.
//!
//! A bucket holds numbers that agree in sign, exponent and the first ten bits behind it. The answer is the middle of the
//! bucket of the nearest rank, within the least and the greatest value: it differs from the true value by less than
//! 0.05 %. A state is as large as the number of buckets that it has met: 1,024 for each doubling of the value at most.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use super::aggregate::{Each, Of, Single, State, state_fields};
use crate::window::fused::Fold;

/// Bits of a number that its bucket leaves out.
const LEFT_OUT: u32 = 42;

/// The aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Percentile {
    signature: Signature,
}

impl Percentile {
    pub(super) fn new() -> Self {
        let kinds = vec![DataType::Float64, DataType::Float64];
        Percentile { signature: Signature::exact(kinds, Volatility::Immutable) }
    }

    /// The share that is asked for.
    fn share(args: &AccumulatorArgs) -> Result<Of> {
        let share = args.exprs.get(1).and_then(|share| share.downcast_ref::<Literal>());
        match share.map(Literal::value) {
            Some(ScalarValue::Float64(Some(share))) if (0.0..=1.0).contains(share) => {
                Ok(Of::Percentile { share: share.to_bits() })
            }
            _ => plan_err!("percentile takes a value and a share from 0 to 1"),
        }
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        "percentile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single { of: Self::share(&args)?, state: Histogram::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(args.name).map(|(name, kind)| Arc::new(Field::new(name, kind, false))).to_vec())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Each { of: Self::share(&args)?, states: Vec::<Histogram>::new() }))
    }
}

/// Counts by bucket.
#[derive(Clone, Debug)]
struct Histogram {
    buckets: BTreeMap<i32, u64>,
    count: u64,
    least: f64,
    greatest: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: BTreeMap::new(), count: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

/// The bucket of a number; buckets are in the order of what they hold.
fn bucket_of(value: f64) -> i32 {
    let magnitude = (value.abs().to_bits() >> LEFT_OUT) as i32;
    if value < 0.0 { -magnitude - 1 } else { magnitude }
}

/// The middle of a bucket.
fn middle_of(bucket: i32) -> f64 {
    let (magnitude, sign) = if bucket < 0 { (-(bucket + 1), -1.0) } else { (bucket, 1.0) };
    // Of zero, which has a bucket with next to nothing, and of what is infinite.
    let edge = u64::from(magnitude.cast_unsigned()) << LEFT_OUT;
    if magnitude == 0 || f64::from_bits(edge).is_infinite() {
        return sign * f64::from_bits(edge);
    }
    sign * f64::from_bits(edge + (1 << (LEFT_OUT - 1)))
}

impl Fold for Histogram {
    fn fold(&mut self, value: f64) {
        // What is no number has no rank.
        if value.is_nan() {
            return;
        }
        *self.buckets.entry(bucket_of(value)).or_default() += 1;
        self.count += 1;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    fn merge(&mut self, other: &Self) {
        other.buckets.iter().for_each(|(&bucket, count)| *self.buckets.entry(bucket).or_default() += count);
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
}

impl State for Histogram {
    fn result(&self, of: Of) -> Option<f64> {
        let Of::Percentile { share } = of else { return None };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let rank = (f64::from_bits(share) * self.count as f64).ceil() as u64;
        let mut before = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            before += **count;
            before >= rank.max(1)
        });
        let (&bucket, _) = bucket?;
        Some(middle_of(bucket).clamp(self.least, self.greatest))
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.extend_from_slice(&self.least.to_le_bytes());
        bytes.extend_from_slice(&self.greatest.to_le_bytes());
        for (bucket, count) in &self.buckets {
            bytes.extend_from_slice(&bucket.to_le_bytes());
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        self.count
    }

    fn decode(count: u64, bytes: &[u8]) -> Option<Self> {
        let (least, rest) = bytes.split_first_chunk()?;
        let (greatest, rest) = rest.split_first_chunk()?;
        let mut buckets = BTreeMap::new();
        for pair in rest.chunks(12) {
            let (bucket, counted) = pair.split_first_chunk()?;
            buckets.insert(i32::from_le_bytes(*bucket), u64::from_le_bytes(counted.try_into().ok()?));
        }
        let (least, greatest) = (f64::from_le_bytes(*least), f64::from_le_bytes(*greatest));
        Some(Histogram { buckets, count, least, greatest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.fold(value));
        histogram
    }

    fn percentile(histogram: &Histogram, share: f64) -> Option<f64> {
        histogram.result(Of::Percentile { share: share.to_bits() })
    }

    #[test]
    fn of_equal_values_it_is_the_value_and_of_none_nothing() {
        assert_eq!(percentile(&folded(&[87.25; 9]), 0.5), Some(87.25));
        assert_eq!(percentile(&folded(&[]), 0.5), None);
        assert_eq!(percentile(&folded(&[f64::NAN, 3.0]), 1.0), Some(3.0));
        assert_eq!(percentile(&folded(&[0.0, -0.0]), 0.5), Some(0.0));
        assert_eq!(percentile(&folded(&[1.0, f64::INFINITY]), 1.0), Some(f64::INFINITY));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_near_the_value_of_the_nearest_rank_however_states_are_merged(
            values in prop::collection::vec(prop_oneof![-1e9..1e9f64, -1.0..1.0f64, Just(0.0)], 1..200),
            half in 0..200usize, share in 0.0..=1.0f64
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = ((share * values.len() as f64).ceil() as usize).max(1);
            let expected = sorted[rank - 1];
            let found = percentile(&folded(&values), share).expect("values");
            prop_assert!((found - expected).abs() <= expected.abs() * 0.0005, "{found} {expected}");
            let (first, second) = values.split_at(half.min(values.len()));
            let mut merged = folded(second);
            merged.merge(&folded(first));
            prop_assert_eq!(percentile(&merged, share), Some(found));
            let mut bytes = Vec::new();
            let count = merged.encode(&mut bytes);
            let restored = Histogram::decode(count, &bytes).expect("a state");
            prop_assert_eq!(percentile(&restored, share), Some(found));
        }
    }
}
