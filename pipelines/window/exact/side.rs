//! Numbers without bounds, for what fixed units cannot hold, and their rounding.

use num_bigint::{BigInt, Sign};

/// A unit at the side: what the square of the least number has.
pub(super) const SIDE_EXPONENT: i32 = 2 * LEAST_EXPONENT;
/// Of the least number above zero.
pub(super) const LEAST_EXPONENT: i32 = -1074;

/// What does not fit fixed units.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Side {
    pub units: BigInt,
    /// Sum of the infinities and of what is no number; zero if there were none.
    pub special: f64,
}

/// A finite number as a whole number and the power of two that it is a multiple of.
pub(super) fn parts(value: f64) -> (u64, i32, bool) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let whole = if exponent == 0 { fraction } else { fraction | 1 << 52 };
    let exponent = i32::try_from(exponent.max(1)).expect("eleven bits");
    (whole, exponent - 1 + LEAST_EXPONENT, bits >> 63 == 1)
}

impl Side {
    pub(super) fn value(&self, whole: &BigInt) -> f64 {
        if self.special == 0.0 { rounded(whole, SIDE_EXPONENT) } else { self.special }
    }

    /// `whole` is all of the sum: how much of it lies here depends on how it came about.
    pub(super) fn encode(&self, whole: &BigInt, fixed_bytes: usize, bytes: &mut Vec<u8>) {
        bytes.extend(std::iter::repeat_n(0, fixed_bytes));
        let special = if self.special.is_nan() { f64::NAN } else { self.special };
        bytes.extend_from_slice(&special.to_le_bytes());
        bytes.extend(whole.to_signed_bytes_le());
    }

    #[cold]
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (special, units) = bytes.split_first_chunk()?;
        Some(Side { units: BigInt::from_signed_bytes_le(units), special: f64::from_le_bytes(*special) })
    }
}

pub(super) fn merge_sides(side: &mut Option<Box<Side>>, other: Option<&Side>) {
    if let Some(other) = other {
        let side = side.get_or_insert_default();
        side.units += &other.units;
        side.special += other.special;
    }
}

/// The number nearest to `units` times 2 to the `exponent`; of two that are as near, the even one.
pub(super) fn rounded(units: &BigInt, exponent: i32) -> f64 {
    let magnitude = units.magnitude();
    let bits = i32::try_from(magnitude.bits()).unwrap_or(i32::MAX);
    let last = (exponent + bits - 53).max(LEAST_EXPONENT);
    let cut = last - exponent;
    let whole = if cut <= 0 {
        magnitude << -cut
    } else {
        let kept = magnitude >> cut;
        let rest = magnitude - (&kept << cut);
        let half = num_bigint::BigUint::from(1u8) << (cut - 1);
        let is_up = rest > half || (rest == half && kept.bit(0));
        kept + u8::from(is_up)
    };
    let whole = u64::try_from(whole).expect("53 bits, or one more after rounding");
    if last > 971 {
        return if units.sign() == Sign::Minus { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    #[expect(clippy::cast_precision_loss, reason = "53 bits and a power of two are exact")]
    let value = whole as f64 * power_of_two(last);
    if units.sign() == Sign::Minus { -value } else { value }
}

/// 2 to the `exponent`, from -1074 to 1023.
pub(super) const fn power_of_two(exponent: i32) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (exponent - LEAST_EXPONENT))
    }
}
