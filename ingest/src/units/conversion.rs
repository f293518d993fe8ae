//! From one unit to another of its dimension.

use super::ucum::Unit;

/// What makes a value in one unit a value in another: `(value - minus) * times / over + plus`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Conversion {
    /// Both units are the same size: values stay bit for bit.
    Same,
    /// One rounding where either is 1, as for mL and L.
    Scale { times: f64, over: f64 },
    /// Temperatures: the zero points differ.
    Affine { minus: f64, times: f64, over: f64, plus: f64 },
}

impl Conversion {
    /// The value in the other unit.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Conversion::Same => value,
            Conversion::Scale { times, over } => value * times / over,
            Conversion::Affine { minus, times, over, plus } => (value - minus) * times / over + plus,
        }
    }

    /// `None` where the units measure different things.
    pub(super) fn between(from: &Unit, to: &Unit) -> Option<Self> {
        if from.dimension != to.dimension {
            return None;
        }
        let (times, over) = reduced(from.times * to.over, from.over * to.times);
        Some(match (from.zero(), to.zero()) {
            (Some(minus), Some(plus)) if minus != plus => Conversion::Affine { minus, times, over, plus },
            _ if times == over => Conversion::Same,
            _ => Conversion::Scale { times, over },
        })
    }
}

/// The fraction in its lowest terms, if both parts are whole and exact.
fn reduced(times: f64, over: f64) -> (f64, f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |part: f64| part.fract() == 0.0 && (1.0..=EXACT).contains(&part);
    if !whole(times) || !whole(over) {
        // Beyond exact integers the quotient is at most two roundings away, as the fraction itself is.
        return if times == over { (1.0, 1.0) } else { (times / over, 1.0) };
    }
    let (mut a, mut b) = (times, over);
    while b != 0.0 {
        (a, b) = (b, a % b);
    }
    (times / a, over / a)
}
