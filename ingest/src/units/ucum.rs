//! The grammar of UCUM codes (<https://ucum.org/ucum>, case-sensitive form): `kW.h`, `mm/s2`, `/min`,
//! `(N.m)/kg`, `10*3/L`, `{piece}`, `[psi]`.

use super::symbols::{self, PREFIXES, Size, Symbol};

/// What is measured: exponents of metre, second, gram, radian, kelvin, coulomb, candela, bel.
pub(super) type Exponents = [i8; 8];

/// A torque and an energy have the same exponents, yet nobody may take the one for the other: a product
/// that names a force (`N.m`) is a torque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    pub(super) exponents: Exponents,
    is_torque: bool,
}

/// A unit's dimension, and its size in base units as the fraction `times / over`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) dimension: Dimension,
    pub(super) times: f64,
    pub(super) over: f64,
    /// What it reads at 0 °C, for the scales of temperature.
    zero: Option<f64>,
    has_force: bool,
}

const TEMPERATURE: Exponents = [0, 0, 0, 0, 1, 0, 0, 0];
const ENERGY: Exponents = [2, -2, 1, 0, 0, 0, 0, 0];

/// Longer codes are refused: no real one comes near.
const CODE_BYTES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

impl Unit {
    pub(super) const ONE: Unit = Unit {
        dimension: Dimension { exponents: [0; 8], is_torque: false },
        times: 1.0,
        over: 1.0,
        zero: None,
        has_force: false,
    };

    /// What it reads at 0 °C, where it measures temperature.
    pub(super) fn zero(&self) -> Option<f64> {
        let kelvins = (self.dimension.exponents == TEMPERATURE).then(|| 273.15 * self.over / self.times);
        self.zero.or(kelvins)
    }

    fn of(symbol: &Symbol) -> Self {
        let (times, over, zero) = match symbol.size {
            Size::Ratio(times, over) => (times, over, None),
            Size::Temperature { times, over, zero } => (times, over, Some(zero)),
        };
        let dimension = Dimension { exponents: symbol.exponents, is_torque: false };
        Unit { dimension, times, over, zero, has_force: symbol.is_force }
    }

    /// `self` times `other` to the power of `power`.
    fn with(mut self, other: &Unit, power: i8) -> Option<Self> {
        for (mine, others) in self.dimension.exponents.iter_mut().zip(other.dimension.exponents) {
            *mine = mine.checked_add(others.checked_mul(power)?)?;
        }
        let (times, over) = if power < 0 { (other.over, other.times) } else { (other.times, other.over) };
        for _ in 0..power.unsigned_abs() {
            self.times *= times;
            self.over *= over;
        }
        self.has_force |= other.has_force;
        self.zero = self.zero.or(other.zero);
        let usable = |part: f64| part.is_finite() && part > 0.0;
        (usable(self.times) && usable(self.over)).then_some(self)
    }
}

/// The unit that a code names; `None` if it is none.
pub(super) fn parse(code: &str) -> Option<Unit> {
    if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.is_ascii() {
        return None;
    }
    let without_annotation =
        code.split_once('{').filter(|(_, rest)| rest.len().checked_sub(1) == rest.find('}'));
    if let Some(symbol) = symbols::find(without_annotation.map_or(code, |(symbol, _)| symbol)) {
        return Some(Unit::of(symbol));
    }
    let mut reader = Reader { rest: code, depth: 0 };
    let mut unit = reader.term()?;
    if !reader.rest.is_empty() {
        return None;
    }
    // `J/Cel` counts degrees; `(Cel)` or `2.Cel` would be a scale with an unknown zero.
    if unit.zero.take().is_some() && unit.dimension.exponents == TEMPERATURE {
        return None;
    }
    unit.dimension.is_torque = unit.has_force && unit.dimension.exponents == ENERGY;
    Some(unit)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, expected: char) -> bool {
        let found = self.rest.strip_prefix(expected);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    /// `[/] component { (.|/) component }`
    fn term(&mut self) -> Option<Unit> {
        let mut divides = self.eat('/');
        let mut unit = Unit::ONE;
        loop {
            let component = self.component()?;
            unit = unit.with(&component, if divides { -1 } else { 1 })?;
            divides = match self.rest.as_bytes().first() {
                Some(b'.') => false,
                Some(b'/') => true,
                _ => return Some(unit),
            };
            self.take(1);
        }
    }

    /// `( term )`, a whole number, an annotation, or a symbol with exponent and annotation.
    fn component(&mut self) -> Option<Unit> {
        if self.eat('(') {
            self.depth += 1;
            let unit = if self.depth <= DEPTH_MAX { self.term()? } else { return None };
            self.depth -= 1;
            return self.eat(')').then_some(unit);
        }
        if self.annotation()? {
            return Some(Unit::ONE);
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_power_of_ten = self.rest.starts_with("10*") || self.rest.starts_with("10^");
        let unit = if is_power_of_ten {
            self.take(3);
            let power = self.exponent()?;
            Unit::ONE.with(&Unit { times: 10.0, ..Unit::ONE }, power)?
        } else if digits > 0 {
            let number: u32 = self.take(digits).parse().ok()?;
            Unit::ONE.with(&Unit { times: f64::from(number), ..Unit::ONE }, 1)?
        } else {
            let symbol = self.symbol()?;
            let power = self.exponent()?;
            Unit::ONE.with(&symbol, power)?
        };
        self.annotation()?;
        Some(unit)
    }

    /// Whether there was one; `None` if it has no end.
    fn annotation(&mut self) -> Option<bool> {
        if !self.eat('{') {
            return Some(false);
        }
        let end = self.rest.find('}')?;
        self.take(end + 1);
        Some(true)
    }

    /// 1 where there is none.
    fn exponent(&mut self) -> Option<i8> {
        let sign = usize::from(self.rest.starts_with(['-', '+']));
        let digits = self.rest.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
        match (sign, digits) {
            (0, 0) => Some(1),
            (_, 1..=2) => self.take(sign + digits).parse().ok().filter(|power| *power != 0),
            _ => None,
        }
    }

    fn symbol(&mut self) -> Option<Unit> {
        let mut in_brackets = false;
        let ends =
            |byte: u8| matches!(byte, b'.' | b'/' | b'(' | b')' | b'{' | b'}' | b'+' | b'-' | b'0'..=b'9');
        let len = self.rest.bytes().position(|byte| {
            in_brackets = (in_brackets || byte == b'[') && byte != b']';
            !in_brackets && ends(byte)
        });
        let text = self.take(len.unwrap_or(self.rest.len()));
        if let Some(symbol) = symbols::find(text) {
            return Some(Unit::of(symbol));
        }
        PREFIXES.iter().find_map(|(prefix, times, over)| {
            let symbol = symbols::find(text.strip_prefix(prefix)?).filter(|symbol| symbol.is_metric)?;
            let mut unit = Unit::of(symbol);
            unit.times *= times;
            unit.over *= over;
            Some(unit)
        })
    }
}
