//! Durations and sizes within bounds, and what is said of others.

use super::kind::Value;
use super::mistake::Fault;
use super::quantity::{self, QuantityError, parse_duration, parse_size};

pub(super) fn unitless(path: &str, number: &str, unit: &str) -> Fault {
    let key = path.rsplit('.').next().unwrap_or(path);
    let units = if unit == "s" { quantity::DURATION_UNIT_NAMES } else { quantity::SIZE_UNIT_NAMES };
    let remedy = format!("write for example `{key} = \"{number}{unit}\"`; units are {units}");
    Fault::new(format!("`{path}` has no unit: `{number}`"), remedy)
}

pub(super) fn read_duration(path: &str, text: &str, min: &str, max: &str) -> Result<Value, Fault> {
    let bound = |text| parse_duration(text).expect("bounds in the table of settings are durations");
    match parse_duration(text) {
        Ok(duration) if (bound(min)..=bound(max)).contains(&duration) => Ok(Value::Duration(duration)),
        Ok(_) => Err(out_of_range(path, text, min, max)),
        Err(QuantityError::NoUnit(number)) => Err(unitless(path, number.trim(), "s")),
        Err(error) => {
            let remedy = format!(
                "write a whole number and a unit ({}), such as \"5s\"",
                quantity::DURATION_UNIT_NAMES
            );
            Err(Fault::new(format!("`{path}` is no duration: {error}"), remedy))
        }
    }
}

pub(super) fn read_size(path: &str, text: &str, min: &str, max: &str) -> Result<Value, Fault> {
    let bound = |text| parse_size(text).expect("bounds in the table of settings are sizes");
    match parse_size(text) {
        Ok(size) if (bound(min)..=bound(max)).contains(&size) => Ok(Value::Size(size)),
        Ok(_) => Err(out_of_range(path, text, min, max)),
        Err(QuantityError::NoUnit(number)) => Err(unitless(path, number.trim(), "MiB")),
        Err(error) => {
            let remedy =
                format!("write a whole number and a unit ({}), such as \"64MiB\"", quantity::SIZE_UNIT_NAMES);
            Err(Fault::new(format!("`{path}` is no size: {error}"), remedy))
        }
    }
}

pub(super) fn out_of_range(path: &str, text: &str, min: &str, max: &str) -> Fault {
    Fault::new(format!("`{path}` is out of range: `{text}`"), format!("{min} to {max} is possible"))
}
