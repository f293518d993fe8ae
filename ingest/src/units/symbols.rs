//! The symbols of UCUM that a workshop meets, with their sizes in base units as exact fractions.

use super::ucum::Exponents;

/// A unit symbol.
#[derive(Debug)]
pub(super) struct Symbol {
    pub(super) code: &'static str,
    pub(super) exponents: Exponents,
    pub(super) size: Size,
    /// Takes prefixes.
    pub(super) is_metric: bool,
    /// Is a force: a force times a length is a torque.
    pub(super) is_force: bool,
}

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    /// `times / over` base units.
    Ratio(f64, f64),
    /// A scale of temperature: `times / over` kelvins a degree, reading `zero` at 0 °C.
    Temperature { times: f64, over: f64, zero: f64 },
}

/// (prefix, times, over); longer ones first.
pub(super) const PREFIXES: &[(&str, f64, f64)] = &[
    ("da", 10.0, 1.0),
    ("Y", 1e24, 1.0),
    ("Z", 1e21, 1.0),
    ("E", 1e18, 1.0),
    ("P", 1e15, 1.0),
    ("T", 1e12, 1.0),
    ("G", 1e9, 1.0),
    ("M", 1e6, 1.0),
    ("k", 1e3, 1.0),
    ("h", 100.0, 1.0),
    ("d", 1.0, 10.0),
    ("c", 1.0, 100.0),
    ("m", 1.0, 1e3),
    ("u", 1.0, 1e6),
    ("n", 1.0, 1e9),
    ("p", 1.0, 1e12),
    ("f", 1.0, 1e15),
    ("a", 1.0, 1e18),
    ("z", 1.0, 1e21),
    ("y", 1.0, 1e24),
];

/// The symbol of a code, without prefixes.
pub(super) fn find(code: &str) -> Option<&'static Symbol> {
    SYMBOLS.iter().find(|symbol| symbol.code == code)
}

const fn metric(code: &'static str, exponents: Exponents, times: f64, over: f64) -> Symbol {
    Symbol { code, exponents, size: Size::Ratio(times, over), is_metric: true, is_force: false }
}

const fn plain(code: &'static str, exponents: Exponents, times: f64, over: f64) -> Symbol {
    Symbol { code, exponents, size: Size::Ratio(times, over), is_metric: false, is_force: false }
}

const fn force(code: &'static str, is_metric: bool, times: f64, over: f64) -> Symbol {
    Symbol { code, exponents: FORCE, size: Size::Ratio(times, over), is_metric, is_force: true }
}

const fn temperature(code: &'static str, times: f64, over: f64, zero: f64) -> Symbol {
    let size = Size::Temperature { times, over, zero };
    Symbol { code, exponents: [0, 0, 0, 0, 1, 0, 0, 0], size, is_metric: false, is_force: false }
}

// Metre, second, gram, radian, kelvin, coulomb, candela, bel.
const NUMBER: Exponents = [0; 8];
const LENGTH: Exponents = [1, 0, 0, 0, 0, 0, 0, 0];
const AREA: Exponents = [2, 0, 0, 0, 0, 0, 0, 0];
const VOLUME: Exponents = [3, 0, 0, 0, 0, 0, 0, 0];
const TIME: Exponents = [0, 1, 0, 0, 0, 0, 0, 0];
const RATE: Exponents = [0, -1, 0, 0, 0, 0, 0, 0];
const SPEED: Exponents = [1, -1, 0, 0, 0, 0, 0, 0];
const ACCELERATION: Exponents = [1, -2, 0, 0, 0, 0, 0, 0];
const MASS: Exponents = [0, 0, 1, 0, 0, 0, 0, 0];
const ANGLE: Exponents = [0, 0, 0, 1, 0, 0, 0, 0];
const FORCE: Exponents = [1, -2, 1, 0, 0, 0, 0, 0];
const PRESSURE: Exponents = [-1, -2, 1, 0, 0, 0, 0, 0];
const ENERGY: Exponents = [2, -2, 1, 0, 0, 0, 0, 0];
const POWER: Exponents = [2, -3, 1, 0, 0, 0, 0, 0];
const CHARGE: Exponents = [0, 0, 0, 0, 0, 1, 0, 0];
const CURRENT: Exponents = [0, -1, 0, 0, 0, 1, 0, 0];
const VOLTAGE: Exponents = [2, -2, 1, 0, 0, -1, 0, 0];

static SYMBOLS: &[Symbol] = &[
    metric("m", LENGTH, 1.0, 1.0),
    metric("s", TIME, 1.0, 1.0),
    metric("g", MASS, 1.0, 1.0),
    metric("rad", ANGLE, 1.0, 1.0),
    metric("K", [0, 0, 0, 0, 1, 0, 0, 0], 1.0, 1.0),
    metric("C", CHARGE, 1.0, 1.0),
    metric("cd", [0, 0, 0, 0, 0, 0, 1, 0], 1.0, 1.0),
    metric("B", [0, 0, 0, 0, 0, 0, 0, 1], 1.0, 1.0),
    plain("%", NUMBER, 1.0, 100.0),
    plain("[ppth]", NUMBER, 1.0, 1e3),
    plain("[ppm]", NUMBER, 1.0, 1e6),
    plain("[ppb]", NUMBER, 1.0, 1e9),
    metric("mol", NUMBER, 6.022_136_7e23, 1.0),
    metric("sr", [0, 0, 0, 2, 0, 0, 0, 0], 1.0, 1.0),
    metric("Hz", RATE, 1.0, 1.0),
    force("N", true, 1e3, 1.0),
    metric("Pa", PRESSURE, 1e3, 1.0),
    metric("J", ENERGY, 1e3, 1.0),
    metric("W", POWER, 1e3, 1.0),
    metric("A", CURRENT, 1.0, 1.0),
    metric("V", VOLTAGE, 1e3, 1.0),
    metric("F", [-2, 2, -1, 0, 0, 2, 0, 0], 1.0, 1e3),
    metric("Ohm", [2, -1, 1, 0, 0, -2, 0, 0], 1e3, 1.0),
    metric("S", [-2, 1, -1, 0, 0, 2, 0, 0], 1.0, 1e3),
    metric("Wb", [2, -1, 1, 0, 0, -1, 0, 0], 1e3, 1.0),
    metric("T", [0, -1, 1, 0, 0, -1, 0, 0], 1e3, 1.0),
    metric("H", [2, 0, 1, 0, 0, -2, 0, 0], 1e3, 1.0),
    metric("lm", [0, 0, 0, 2, 0, 0, 1, 0], 1.0, 1.0),
    metric("lx", [-2, 0, 0, 2, 0, 0, 1, 0], 1.0, 1.0),
    temperature("Cel", 1.0, 1.0, 0.0),
    temperature("[degF]", 5.0, 9.0, 32.0),
    temperature("[degR]", 5.0, 9.0, 491.67),
    plain("deg", ANGLE, std::f64::consts::PI, 180.0),
    plain("gon", ANGLE, std::f64::consts::PI, 200.0),
    plain("'", ANGLE, std::f64::consts::PI, 10_800.0),
    plain("''", ANGLE, std::f64::consts::PI, 648_000.0),
    plain("[circ]", ANGLE, 2.0 * std::f64::consts::PI, 1.0),
    metric("L", VOLUME, 1.0, 1e3),
    metric("l", VOLUME, 1.0, 1e3),
    metric("ar", AREA, 100.0, 1.0),
    plain("min", TIME, 60.0, 1.0),
    plain("h", TIME, 3600.0, 1.0),
    plain("d", TIME, 86_400.0, 1.0),
    plain("wk", TIME, 604_800.0, 1.0),
    plain("a", TIME, 31_557_600.0, 1.0),
    metric("t", MASS, 1e6, 1.0),
    metric("bar", PRESSURE, 1e8, 1.0),
    plain("atm", PRESSURE, 101_325e3, 1.0),
    plain("[psi]", PRESSURE, 6_894_757_293_168.0, 1e6),
    metric("m[H2O]", PRESSURE, 9_806_650.0, 1.0),
    metric("m[Hg]", PRESSURE, 133_322_000.0, 1.0),
    plain("[in_i'H2O]", PRESSURE, 249_088.91, 1.0),
    plain("[in_i'Hg]", PRESSURE, 3_386_378.8, 1.0),
    metric("eV", ENERGY, 1.602_176_634e-16, 1.0),
    metric("cal", ENERGY, 4184.0, 1.0),
    plain("[Btu]", ENERGY, 1_055_055.852_62, 1.0),
    plain("[HP]", POWER, 745_699.871_582_270_2, 1.0),
    metric("[g]", ACCELERATION, 980_665.0, 1e5),
    force("gf", true, 980_665.0, 1e5),
    force("[lbf_av]", false, 44_482_216_152_605.0, 1e10),
    force("dyn", true, 1.0, 100.0),
    metric("erg", ENERGY, 1.0, 1e4),
    metric("P", [-1, -1, 1, 0, 0, 0, 0, 0], 100.0, 1.0),
    metric("St", [2, -1, 0, 0, 0, 0, 0, 0], 1.0, 1e4),
    plain("[lb_av]", MASS, 45_359_237.0, 1e5),
    plain("[oz_av]", MASS, 45_359_237.0, 16e5),
    plain("[in_i]", LENGTH, 254.0, 1e4),
    plain("[ft_i]", LENGTH, 3048.0, 1e4),
    plain("[yd_i]", LENGTH, 9144.0, 1e4),
    plain("[mi_i]", LENGTH, 1_609_344.0, 1e3),
    plain("[mil_i]", LENGTH, 254.0, 1e7),
    plain("[sin_i]", AREA, 64_516.0, 1e8),
    plain("[sft_i]", AREA, 9_290_304.0, 1e8),
    plain("[cin_i]", VOLUME, 16_387_064.0, 1e12),
    plain("[cft_i]", VOLUME, 28_316_846_592.0, 1e12),
    plain("[gal_us]", VOLUME, 3_785_411_784.0, 1e12),
    plain("[qt_us]", VOLUME, 3_785_411_784.0, 4e12),
    plain("[pt_us]", VOLUME, 3_785_411_784.0, 8e12),
    plain("[foz_us]", VOLUME, 3_785_411_784.0, 128e12),
    plain("[gal_br]", VOLUME, 454_609.0, 1e8),
    plain("[kn_i]", SPEED, 1852.0, 3600.0),
];
