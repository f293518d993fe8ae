//! Sums that are rounded once: the same bits in whatever order values come and however partial sums are merged.
//!
//! A sum is kept as a whole number of units so small that usual values are whole: adding is exact, so order cannot
//! matter. A stream sees rows in another order than history does, and panes, sessions and partitions are merged;
//! all of them give the same sum. What does not fit the fixed units (from 2^27 on, smaller than 2^-19 with all of its
//! digits, infinite, not a number) goes to the side, where numbers have no bounds: slower, and as exact.

mod side;

use num_bigint::BigInt;

use self::side::{SIDE_EXPONENT, Side, merge_sides, parts, power_of_two, rounded};

/// A unit of [`ExactSum`] is 2 to this.
const SUM_EXPONENT: i32 = -71;
/// So many low bits of a sum are counted by themselves.
const LOW_BITS: i32 = 47;
/// A unit of [`ExactSquares`] is 2 to this.
const SQUARES_EXPONENT: i32 = -176;

/// An exact sum of numbers, in two parts that each add without a carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExactSum {
    /// In units of 2^-24.
    high: i64,
    /// In units of 2^-71.
    low: i64,
    side: Option<Box<Side>>,
}

/// What [`ExactSum`] holds without its side is below this.
const BOUND: f64 = power_of_two(SUM_EXPONENT + LOW_BITS + 51);

/// Whether a value is zero, or so large that its last digit is a unit at least, and within bounds.
#[inline]
pub(crate) fn is_usual(value: f64) -> bool {
    const LEAST: u64 = power_of_two(SUM_EXPONENT + 52).to_bits();
    // Bits of numbers without a sign are in the order of the numbers; what is no number is above all.
    let bits = value.abs().to_bits();
    bits == 0 || (LEAST..BOUND.to_bits()).contains(&bits)
}

/// A value in units of the high and the low part, and what is left of it: nothing, if it [`is_usual`].
#[inline]
fn cut(value: f64) -> (i64, i64, f64) {
    /// One and a half times 2 to so much that the last bit of a sum with it is a unit of the high, or the low part:
    /// adding it cuts a number there, and the bits count its units.
    const HIGH: f64 = 1.5 * power_of_two(SUM_EXPONENT + LOW_BITS + 52);
    const LOW: f64 = 1.5 * power_of_two(SUM_EXPONENT + 52);
    let at_high = value + HIGH;
    let rest = value - (at_high - HIGH);
    let at_low = rest + LOW;
    let units = |cut: f64, by: f64| cut.to_bits().cast_signed().wrapping_sub(by.to_bits().cast_signed());
    (units(at_high, HIGH), units(at_low, LOW), rest - (at_low - LOW))
}

impl ExactSum {
    /// Adds a value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        if is_usual(value) { self.add_usual(value) } else { self.add_unusual(value) }
    }

    /// Adds a value that [`is_usual`].
    #[inline]
    pub(crate) fn add_usual(&mut self, value: f64) {
        let (high, low, _) = cut(value);
        if let Some(high) = self.high.checked_add(high)
            && let Some(low) = self.low.checked_add(low)
        {
            (self.high, self.low) = (high, low);
        } else {
            self.add_aside(value);
        }
    }

    /// Small ones may be whole units as well.
    #[cold]
    pub(crate) fn add_unusual(&mut self, value: f64) {
        let is_whole = value.abs() < BOUND && cut(value).2 == 0.0;
        if is_whole { self.add_usual(value) } else { self.add_aside(value) }
    }

    #[cold]
    fn add_aside(&mut self, value: f64) {
        if self.carry() {
            return self.add(value);
        }
        let side = self.side.get_or_insert_default();
        if !value.is_finite() {
            side.special += value;
            return;
        }
        let (whole, exponent, is_negative) = parts(value);
        let units = BigInt::from(whole) << (exponent - SIDE_EXPONENT);
        side.units += if is_negative { -units } else { units };
    }

    /// Moves what the low part has gathered over to the high one; whether there was much.
    fn carry(&mut self) -> bool {
        let carried = self.low >> LOW_BITS;
        let high = self.high.checked_add(carried).filter(|_| self.low.unsigned_abs() > 1 << 61);
        if let Some(high) = high {
            (self.high, self.low) = (high, self.low - (carried << LOW_BITS));
        }
        high.is_some()
    }

    /// Adds all that `other` has.
    pub(crate) fn merge(&mut self, other: &ExactSum) {
        self.carry();
        let sums = self.high.checked_add(other.high).zip(self.low.checked_add(other.low));
        if let Some(sums) = sums {
            (self.high, self.low) = sums;
        } else {
            let side = self.side.get_or_insert_default();
            side.units += BigInt::from(other.units()) << (SUM_EXPONENT - SIDE_EXPONENT);
        }
        merge_sides(&mut self.side, other.side.as_deref());
    }

    /// The sum, rounded to the nearest number.
    pub(crate) fn value(&self) -> f64 {
        if let Some(side) = &self.side {
            return side.value(&self.whole());
        }
        let carried = self.low >> LOW_BITS;
        #[expect(clippy::cast_precision_loss, reason = "there is one rounding")]
        if self.high.unsigned_abs() < 1 << 52 {
            // Both parts are numbers without rounding, so adding them rounds once.
            let (high, low) = (self.high + carried, self.low - (carried << LOW_BITS));
            high as f64 * power_of_two(SUM_EXPONENT + LOW_BITS) + low as f64 * power_of_two(SUM_EXPONENT)
        } else {
            self.units() as f64 * power_of_two(SUM_EXPONENT)
        }
    }

    /// What fits, in units.
    fn units(&self) -> i128 {
        (i128::from(self.high) << LOW_BITS) + i128::from(self.low)
    }

    /// All of it in units of the side.
    fn whole(&self) -> BigInt {
        let own = BigInt::from(self.units()) << (SUM_EXPONENT - SIDE_EXPONENT);
        own + self.side.as_ref().map(|side| &side.units).unwrap_or(&BigInt::ZERO)
    }

    /// Its state, the same for the same sum.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match &self.side {
            None => bytes.extend_from_slice(&self.units().to_le_bytes()),
            Some(side) => side.encode(&self.whole(), 16, bytes),
        }
    }

    /// What [`ExactSum::encode`] wrote; `None` if these are no such bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut sum = ExactSum::default();
        sum.take(bytes).map(|()| sum)
    }

    /// Becomes what [`ExactSum::decode`] gives, in place, which is faster for many.
    #[inline]
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let (units, side) = bytes.split_first_chunk()?;
        let units = i128::from_le_bytes(*units);
        self.high = i64::try_from(units >> LOW_BITS).ok()?;
        self.low = i64::try_from(units - (i128::from(self.high) << LOW_BITS)).ok()?;
        self.side = if side.is_empty() { None } else { Some(Box::new(Side::decode(side)?)) };
        Some(())
    }
}

/// An exact sum of squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExactSquares {
    low: u128,
    high: i128,
    side: Option<Box<Side>>,
}

impl ExactSquares {
    /// Adds the square of a value.
    pub(crate) fn add(&mut self, value: f64) {
        let (whole, exponent, _) = parts(value);
        let square = u128::from(whole) * u128::from(whole);
        let shift = 2 * exponent - SQUARES_EXPONENT;
        // 106 bits, shifted by less than that, leave 20 for the number of rows, and then the side.
        if value.is_finite() && (0..128).contains(&shift) {
            let shift = shift.cast_unsigned();
            let high = if shift == 0 { 0 } else { square >> (128 - shift) };
            if self.add_units(square << shift, high.cast_signed()) {
                return;
            }
        }
        let side = self.side.get_or_insert_default();
        if value.is_finite() {
            side.units += BigInt::from(square) << (2 * exponent - SIDE_EXPONENT);
        } else {
            side.special += value * value;
        }
    }

    /// Whether there was room.
    fn add_units(&mut self, low: u128, high: i128) -> bool {
        let (low, carry) = self.low.overflowing_add(low);
        let sum = self.high.checked_add(high).and_then(|sum| sum.checked_add(i128::from(carry)));
        if let Some(high) = sum {
            (self.low, self.high) = (low, high);
        }
        sum.is_some()
    }

    /// Adds all that `other` has.
    pub(crate) fn merge(&mut self, other: &ExactSquares) {
        if !self.add_units(other.low, other.high) {
            let side = self.side.get_or_insert_default();
            side.units += other.fixed() << (SQUARES_EXPONENT - SIDE_EXPONENT);
        }
        merge_sides(&mut self.side, other.side.as_deref());
    }

    /// What fits, in its units.
    fn fixed(&self) -> BigInt {
        (BigInt::from(self.high) << 128) + self.low
    }

    fn whole(&self) -> BigInt {
        let own = self.fixed() << (SQUARES_EXPONENT - SIDE_EXPONENT);
        own + self.side.as_ref().map(|side| &side.units).unwrap_or(&BigInt::ZERO)
    }

    /// The sum of the squares of the distances of `count` values, whose sum is `sum`, from their mean, times `count`.
    pub(crate) fn spread(&self, count: u64, sum: &ExactSum) -> f64 {
        if self.side.is_none() && sum.side.is_none() {
            let own = BigInt::from(sum.units());
            let of_sum = (&own * &own) << (2 * SUM_EXPONENT - SQUARES_EXPONENT);
            return rounded(&(self.fixed() * count - of_sum), SQUARES_EXPONENT);
        }
        let special = |side: &Option<Box<Side>>| side.as_ref().map_or(0.0, |side| side.special);
        if special(&self.side) != 0.0 || special(&sum.side) != 0.0 {
            return f64::NAN;
        }
        let own = sum.whole();
        let spread = ((self.whole() * count) << -SIDE_EXPONENT) - &own * &own;
        rounded(&spread, 2 * SIDE_EXPONENT)
    }

    /// Its state, the same for the same sum.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match &self.side {
            None => {
                bytes.extend_from_slice(&self.low.to_le_bytes());
                bytes.extend_from_slice(&self.high.to_le_bytes());
            }
            Some(side) => side.encode(&self.whole(), 32, bytes),
        }
    }

    /// What [`ExactSquares::encode`] wrote; `None` if these are no such bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut squares = ExactSquares::default();
        squares.take(bytes).map(|()| squares)
    }

    /// Becomes what [`ExactSquares::decode`] gives, in place.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let (low, rest) = bytes.split_first_chunk()?;
        let (high, side) = rest.split_first_chunk()?;
        (self.low, self.high) = (u128::from_le_bytes(*low), i128::from_le_bytes(*high));
        self.side = if side.is_empty() { None } else { Some(Box::new(Side::decode(side)?)) };
        Some(())
    }
}
