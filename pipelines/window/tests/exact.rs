//! Sums and variances do not depend on order or on how partial ones are merged, and are rounded once.

use num_bigint::BigInt;
use proptest::prelude::*;

use crate::window::exact::ExactSum;
use crate::window::fused::{Fold, Measure, Spread};

/// Numbers as sensors send them, and those that make trouble.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-10_000_000..10_000_000i64).prop_map(|value| value as f64 / 1000.0),
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(1e-9), Just(-3e-12), Just(1e15), Just(-9.1e17), Just(5e-324)],
        1 => any::<f64>().prop_filter("finite", |value| value.is_finite() && value.abs() < 1e150),
    ]
}

fn folded(values: &[f64]) -> Spread {
    let mut state = Spread::default();
    values.iter().for_each(|&value| state.fold(value));
    state
}

fn bytes(state: &Spread) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.sum.encode(&mut bytes);
    state.squares.encode(&mut bytes);
    bytes
}

/// The sum in units of 2^-1074, by numbers without bounds.
fn by_whole_numbers(values: &[f64]) -> BigInt {
    let whole = |value: &f64| {
        let exponent = (value.to_bits() >> 52 & 0x7ff) as i64;
        let fraction = value.to_bits() & ((1 << 52) - 1);
        let whole = BigInt::from(if exponent == 0 { fraction } else { fraction | 1 << 52 });
        let whole = whole << (exponent.max(1) - 1);
        if value.is_sign_negative() { -whole } else { whole }
    };
    values.iter().map(whole).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sum_is_the_nearest_number_to_the_true_one(values in prop::collection::vec(value(), 0..40)) {
        let found = folded(&values).sum.value();
        // No other number is nearer: the true sum lies within half a step to either side.
        let twice = by_whole_numbers(&values) * 2;
        let below = by_whole_numbers(&[found.next_down()]) + by_whole_numbers(&[found]);
        let above = by_whole_numbers(&[found.next_up()]) + by_whole_numbers(&[found]);
        prop_assert!(below <= twice && twice <= above, "{found}");
    }

    #[test]
    fn order_and_halves_do_not_matter(
        values in prop::collection::vec(value(), 0..40), half in 0..40usize, seed in any::<u64>()
    ) {
        let whole = folded(&values);
        let mut other = values.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        let (first, second) = other.split_at(half.min(other.len()));
        let mut merged = folded(first);
        merged.merge(&folded(second));
        prop_assert_eq!(whole.sum.value().to_bits(), merged.sum.value().to_bits());
        prop_assert_eq!(whole.result(true, true), merged.result(true, true));
        let restored = ExactSum::decode(&{
            let mut bytes = Vec::new();
            merged.sum.encode(&mut bytes);
            bytes
        });
        prop_assert_eq!(restored.expect("a sum").value(), whole.sum.value());
        // What was merged in halves may lie elsewhere and is the same.
        if values.iter().all(|value| value.abs() < 1e8) {
            prop_assert_eq!(bytes(&whole), bytes(&merged));
        }
    }

    #[test]
    fn a_variance_is_what_two_passes_find(values in prop::collection::vec(-1e6..1e6f64, 2..40)) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let expected = squares / (values.len() - 1) as f64;
        let found = folded(&values).result(true, false).expect("two values");
        prop_assert!((found - expected).abs() <= expected * 1e-9, "{found} {expected}");
    }
}

#[test]
fn a_small_value_beside_a_huge_one_is_not_lost() {
    assert_eq!(folded(&[1e300, 1.0, -1e300]).sum.value(), 1.0);
    assert_eq!(folded(&[0.1; 10]).sum.value(), 1.0);
}

#[test]
fn equal_values_have_no_variance() {
    assert_eq!(folded(&[0.1; 7]).result(false, false), Some(0.0));
    assert_eq!(folded(&[1e200; 3]).result(true, true), Some(0.0));
}

#[test]
fn what_is_no_number_stays_none() {
    assert!(folded(&[1.0, f64::INFINITY, f64::NEG_INFINITY]).sum.value().is_nan());
    assert_eq!(folded(&[1.0, f64::INFINITY]).sum.value(), f64::INFINITY);
    assert_eq!(folded(&[f64::MAX, f64::MAX]).sum.value(), f64::INFINITY);
    assert!(folded(&[1.0, f64::NAN]).result(true, true).expect("two values").is_nan());
}

#[test]
fn many_small_parts_are_carried() {
    let values = vec![0.1; 300_000];
    let state = folded(&values);
    assert_eq!(state.sum.value(), 30_000.000000000001665);
    let mut twice = state.clone();
    twice.merge(&state);
    assert_eq!(twice.sum.value(), 2.0 * state.sum.value());
}

#[test]
fn many_values_at_the_upper_edge_do_not_overflow() {
    let large = 2f64.powi(26);
    let state = folded(&vec![large; 10_000]);
    assert_eq!(state.sum.value(), large * 10_000.0);
    assert_eq!(state.result(false, false), Some(0.0));
}

/// Values whose order decided of which two zeros, or whether no number, was the least or the greatest.
fn unordered() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(-f64::NAN), Just(1.5), Just(-2.0), Just(1e300)]
}

proptest! {
    #[test]
    fn the_least_and_the_greatest_are_the_same_in_any_order_and_in_parts(
        values in prop::collection::vec(unordered(), 1..200), turn in 0..200usize, cut in 0..200usize
    ) {
        let folded = |values: &[f64]| {
            let mut state = [Measure::default()];
            values.iter().for_each(|&value| state[0].fold(value));
            state
        };
        let bits = |state: &Measure| (state.count, state.least().to_bits(), state.max.to_bits());
        let [whole] = folded(&values);
        let mut turned = values.clone();
        turned.rotate_left(turn % values.len());
        let (first, second) = turned.split_at(cut % values.len());
        let ([mut merged], [rest]) = (folded(first), folded(second));
        merged.merge(&rest);
        prop_assert_eq!(bits(&merged), bits(&whole));
        // What is no number is above all numbers.
        let numbers = || values.iter().copied().filter(|value| !value.is_nan());
        let is_greatest = values.iter().any(|value| value.is_nan());
        prop_assert_eq!(whole.max.is_nan(), is_greatest);
        match numbers().reduce(f64::min) {
            Some(least) => prop_assert_eq!(whole.least(), least),
            None => prop_assert!(whole.least().is_nan()),
        }
    }
}
