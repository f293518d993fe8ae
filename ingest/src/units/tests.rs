use proptest::prelude::*;

use super::*;

fn units() -> Units {
    Units::new(&[]).expect("shipped aliases are right")
}

fn converted(value: f64, from: &str, to: &str) -> Option<f64> {
    units().conversion_of(from, to).map(|conversion| conversion.apply(value))
}

#[test]
fn every_shipped_alias_stands_for_a_code() {
    for (alias, code) in aliases::SHIPPED {
        assert!(ucum::parse(code).is_some(), "{alias} stands for {code}");
    }
}

#[test]
fn what_people_write_becomes_a_ucum_code() {
    let units = units();
    let cases = [
        ("Nm", "N.m"),
        ("kWh", "kW.h"),
        ("°C", "Cel"),
        ("C", "Cel"),
        ("degC", "Cel"),
        ("rpm", "/min"),
        ("psi", "[psi]"),
        ("ppm", "[ppm]"),
        ("l/min", "L/min"),
        ("ml", "mL"),
        ("sec", "s"),
        ("kVarh", "kV.A.h"),
        (" bar ", "bar"),
    ];
    for (text, code) in cases {
        assert_eq!(units.resolve(text), Some(code), "{text}");
    }
}

#[test]
fn codes_are_read_by_their_grammar() {
    let codes = [
        "N.m",
        "kW.h",
        "mm/s2",
        "/min",
        "%",
        "[ppm]",
        "Cel",
        "bar",
        "kPa",
        "deg",
        "(N.m)/kg",
        "10*3/L",
        "m[H2O]",
        "{piece}",
        "1",
        "kg",
        "t",
        "g",
        "[g]",
        "m-1",
        "J/Cel",
        "mOhm",
        "A.h",
        "N.m{peak}",
        "min",
        "cd",
        "da[g]",
    ];
    for code in codes {
        assert!(ucum::parse(code).is_some(), "{code}");
    }
    let others = [
        "", "Nmm", "furlong", "kmin", "N..m", "N.", "m0", "m999", "(m", "m)", "{piece", "2.Cel", "(Cel)",
        "[psi", "µm", "k%", "m/", "1e3",
    ];
    for code in others {
        assert!(ucum::parse(code).is_none(), "{code}");
    }
}

#[test]
fn values_are_converted_within_a_dimension() {
    let cases = [
        (1500.0, "W.h", "kW.h", 1.5),
        (250.0, "mL", "L", 0.25),
        (4.2, "l", "L", 4.2),
        (212.0, "°F", "Cel", 100.0),
        (-40.0, "Cel", "[degF]", -40.0),
        (20.0, "Cel", "K", 293.15),
        (300.0, "K", "Cel", 26.850_000_000_000_023),
        (1.0, "bar", "kPa", 100.0),
        (60.0, "/min", "Hz", 1.0),
        (3.0, "kN.m", "N.m", 3000.0),
        (120.0, "s", "min", 2.0),
        (1.0, "%", "[ppm]", 10_000.0),
        (3.0, "L/min", "mL/s", 50.0),
        (7.2, "km/h", "m/s", 2.0),
        (2.0, "t", "kg", 2000.0),
        (36.0, "kC", "A.h", 10.0),
    ];
    for (value, from, to, expected) in cases {
        assert_eq!(converted(value, from, to), Some(expected), "{value} {from} in {to}");
    }
    let pressure = converted(100.0, "psi", "bar").expect("both are pressures");
    assert!((pressure - 6.894_757_293_168).abs() < 1e-12);
    let torque = converted(1.0, "ft-lb", "Nm").expect("both are torques");
    assert!((torque - 1.355_817_948_331_4).abs() < 1e-12);
}

#[test]
fn different_things_are_never_converted() {
    for (from, to) in [("bar", "N.m"), ("kW", "kW.h"), ("Cel", "V"), ("L", "kg"), ("deg", "Cel"), ("%", "dB")]
    {
        assert_eq!(converted(1.0, from, to), None, "{from} to {to}");
    }
}

#[test]
fn a_torque_is_no_energy_though_both_are_newton_metres() {
    assert_eq!(converted(1.0, "N.m", "J"), None);
    assert_eq!(converted(1.0, "kW.h", "N.m"), None);
    assert_eq!(converted(1.0, "W.s", "J"), Some(1.0));
}

#[test]
fn own_aliases_win_over_shipped_ones_and_over_ucum() {
    let own = [("C".to_owned(), "C".to_owned()), ("Umdr".to_owned(), "rpm".to_owned())];
    let units = Units::new(&own).expect("both are known");
    assert_eq!(units.resolve("C"), Some("C"));
    assert_eq!(units.conversion_of("C", "A.s"), Some(Conversion::Same));
    assert_eq!(units.resolve("Umdr"), Some("/min"));
}

#[test]
fn an_alias_of_nothing_is_refused() {
    let error = Units::new(&[("Schuss".to_owned(), "shot".to_owned())]).expect_err("no such code");
    assert_eq!(
        error.to_string(),
        "unit alias \"Schuss\" stands for \"shot\", which is no UCUM code; see ucum.org"
    );
}

#[test]
fn units_are_numbered_as_they_come() {
    let mut units = units();
    assert_eq!(units.intern("Nm"), Ok(1));
    assert_eq!(units.intern("bar"), Ok(2));
    assert_eq!(units.intern("N.m"), Ok(1));
    assert_eq!((units.number("N.m"), units.number("V"), units.number("")), (1, 0, 0));
    assert_eq!((units.code(2), units.code(0), units.code(99)), ("bar", "", ""));
    let error = units.intern("Drehmoment").expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "unit \"Drehmoment\" is no UCUM code and no alias; see ucum.org, or add it to [units] aliases"
    );
}

#[test]
fn the_table_of_units_has_a_bound() {
    let mut units = units();
    for count in 1..=UNITS_MAX {
        units.intern(&format!("{{kind {count}}}")).expect("there is room");
    }
    assert_eq!(units.intern("V"), Err(UnitError::Full { text: "V".to_owned() }));
    assert_eq!(units.intern("{kind 7}"), Ok(7));
}

proptest! {
    #[test]
    fn any_text_is_a_unit_or_none(text in ".{0,80}") {
        let _ = units().resolve(&text);
    }

    #[test]
    fn a_value_in_its_own_unit_stays_bit_for_bit(bits in any::<u64>(), code in "(N\\.m|kW\\.h|Cel|\\[psi\\]|deg|L/min)") {
        let value = f64::from_bits(bits);
        let conversion = units().conversion_of(&code, &code).expect("same");
        prop_assert_eq!(conversion.apply(value).to_bits(), bits);
    }

    #[test]
    fn there_and_back_is_close(value in -1e6f64..1e6, pair in prop::sample::select(vec![
        ("bar", "[psi]"), ("Cel", "[degF]"), ("L", "[gal_us]"), ("N.m", "[ft_i].[lbf_av]"), ("deg", "rad"),
    ])) {
        let units = units();
        let there = units.conversion_of(pair.0, pair.1).expect("same dimension");
        let back = units.conversion_of(pair.1, pair.0).expect("same dimension");
        prop_assert!((back.apply(there.apply(value)) - value).abs() <= value.abs() * 1e-14 + 1e-12);
    }
}
