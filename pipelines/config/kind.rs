//! The types that a setting can have: what is accepted, and what is said of anything else.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use sinks::store::{Address, AddressError};
use toml::de::DeValue;

use super::bounded::{out_of_range, read_duration, read_size, unitless};
use super::broker::{Broker, read_broker};
use super::mirror::{MirrorPlace, read_url};
use super::mistake::Fault;
use super::quantity;
use super::setting::Setting;
use super::values::Values;

/// Type and bounds of a setting. Bounds are inclusive, and texts as a user writes them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text but the empty one.
    Text,
    /// A text, or the empty one for none, where leaving the line out means that another holds.
    TextOrNone,
    /// Lower-case letters, digits and `_`, a letter first: fit for a stream, a folder and a metric label.
    Name,
    /// One of a few words.
    Word(&'static [&'static str]),
    Flag,
    Whole {
        min: i64,
        max: i64,
    },
    Number,
    Duration {
        min: &'static str,
        max: &'static str,
    },
    Size {
        min: &'static str,
        max: &'static str,
    },
    /// A file or folder; relative ones start at the configuration's folder.
    Path,
    /// `mqtt://host:port` or `mqtts://host:port`.
    Broker,
    /// `ip:port`.
    Address,
    /// `file:///FOLDER` or `s3://BUCKET/PREFIX`.
    Mirror,
    /// `sqlite:FILE` or `postgres://…`.
    Store,
    /// `env:NAME` or `file:PATH`; never the secret itself.
    Secret,
    /// Topic patterns with captures.
    Patterns,
    Texts,
    /// A table of texts whose keys the user chooses.
    Pairs,
    /// A date or time: RFC 3339 text, TOML date, or ms since 1970.
    Date,
    /// An array of tables, each with these settings.
    Each(&'static [Setting]),
    /// Tables whose names the user chooses, each with these settings.
    Tables(&'static [Setting]),
}

/// A setting's value, of its kind and within its bounds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Whole(i64),
    Number(f64),
    Duration(Duration),
    Size(u64),
    Broker(Broker),
    Address(SocketAddr),
    Mirror(MirrorPlace),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
    Date(serde_json::Value),
    Each(Vec<Values>),
    /// By name, in the order of the names.
    Tables(Vec<(String, Values)>),
}

impl Kind {
    /// What a value of this kind is, for "must be …".
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Text | Kind::TextOrNone | Kind::Name | Kind::Path => "a text",
            Kind::Word(_) => "one word of a few",
            Kind::Flag => "true or false",
            Kind::Whole { .. } => "a whole number",
            Kind::Number => "a number",
            Kind::Duration { .. } => "a duration",
            Kind::Size { .. } => "a size",
            Kind::Broker => "a broker's URL",
            Kind::Address => "an address",
            Kind::Mirror => "a mirror's URL",
            Kind::Store => "a store's URL",
            Kind::Secret => "a reference to a secret",
            Kind::Patterns | Kind::Texts => "a list of texts",
            Kind::Pairs => "a table of texts",
            Kind::Date => "a date",
            Kind::Each(_) => "a list of tables",
            Kind::Tables(_) => "a table of tables",
        }
    }

    /// The bounds as a sentence for the printed configuration, if there are any.
    pub(super) fn bounds(self) -> Option<String> {
        match self {
            Kind::Whole { min, max } => Some(format!("{min} to {max}")),
            Kind::Duration { min, max } | Kind::Size { min, max } => Some(format!("{min} to {max}")),
            _ => None,
        }
    }

    /// Reads a value that is no list and no table.
    ///
    /// # Errors
    /// The fault names `path`; secrets are never repeated in it.
    pub(super) fn read(self, path: &str, value: &DeValue<'_>, example: &str) -> Result<Value, Fault> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let wrong_type = || {
            let message = format!("`{path}` must be {}, and is {}", self.describe(), type_of(value));
            Fault::new(message, format!("write for example `{key} = {example}`"))
        };
        match (self, value) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Whole { min, max }, DeValue::Integer(number)) => {
                let found = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let found = found.filter(|found| (min..=max).contains(found));
                let fault = || out_of_range(path, &number.to_string(), &min.to_string(), &max.to_string());
                found.map(Value::Whole).ok_or_else(fault)
            }
            (Kind::Number, DeValue::Integer(_) | DeValue::Float(_)) => {
                let number = number_of(value).filter(|number| number.is_finite());
                let fault = || Fault::new(format!("`{path}` is not finite"), "write a number");
                number.map(Value::Number).ok_or_else(fault)
            }
            (Kind::Date, DeValue::Integer(number)) => {
                let ms = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let fault = || Fault::new(format!("`{path}` is out of range"), "write ms since 1970 UTC");
                ms.map(|ms| Value::Date(ms.into())).ok_or_else(fault)
            }
            (Kind::Date, DeValue::Datetime(date)) => Ok(Value::Date(date.to_string().into())),
            (Kind::Duration { .. }, DeValue::Integer(number)) => Err(unitless(path, number.as_str(), "s")),
            (Kind::Size { .. }, DeValue::Integer(number)) => {
                let bytes: Option<u64> = number.as_str().parse().ok();
                let meant = bytes.map_or_else(
                    || example.to_owned(),
                    |bytes| format!("\"{}\"", quantity::print_size(bytes)),
                );
                let units = quantity::SIZE_UNIT_NAMES;
                let message = format!("`{path}` has no unit: `{number}`");
                Err(Fault::new(message, format!("write for example `{key} = {meant}`; units are {units}")))
            }
            (kind, DeValue::String(text)) => kind.read_text(path, text).unwrap_or_else(|| Err(wrong_type())),
            _ => Err(wrong_type()),
        }
    }

    /// Reads a text; `None` where this kind is not written as one.
    fn read_text(self, path: &str, text: &str) -> Option<Result<Value, Fault>> {
        let plain = |text: &str| Value::Text(text.to_owned());
        let result = match self {
            Kind::Secret => check_secret(path, text).map(|()| plain(text)),
            Kind::Text | Kind::Path if text.trim().is_empty() => {
                Err(Fault::new(format!("`{path}` is empty"), "write a text, or leave the line out"))
            }
            Kind::Text | Kind::TextOrNone | Kind::Path => Ok(plain(text)),
            Kind::Name => check_name(path, text).map(|()| plain(text)),
            Kind::Word(words) if words.contains(&text) => Ok(plain(text)),
            Kind::Word(words) => {
                let remedy = match super::mistake::nearest(text, words.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`? Possible are {}", words.join(", ")),
                    None => format!("possible are {}", words.join(", ")),
                };
                Err(Fault::new(format!("`{path}` cannot be `{text}`"), remedy))
            }
            Kind::Duration { min, max } => read_duration(path, text, min, max),
            Kind::Size { min, max } => read_size(path, text, min, max),
            Kind::Broker => read_broker(path, text).map(Value::Broker),
            Kind::Mirror => read_url(path, text).map(Value::Mirror),
            Kind::Address => text.parse().map(Value::Address).map_err(|_| {
                let remedy = "write an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
                Fault::new(format!("`{path}` is no address: `{text}`"), remedy)
            }),
            Kind::Store => match Address::parse(text, Path::new("")) {
                Ok(_) => Ok(plain(text)),
                Err(AddressError { message, remedy }) => {
                    Err(Fault::new(format!("`{path}` {message}"), remedy))
                }
            },
            Kind::Date => Ok(Value::Date(text.into())),
            Kind::Flag | Kind::Whole { .. } | Kind::Number => return None,
            Kind::Patterns | Kind::Texts | Kind::Pairs | Kind::Each(_) | Kind::Tables(_) => return None,
        };
        Some(result)
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The number of a TOML integer or float.
pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            number.to_string().parse().ok()
        }
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

fn check_secret(path: &str, text: &str) -> Result<(), Fault> {
    let name = text.strip_prefix("env:").or_else(|| text.strip_prefix("file:"));
    if name.is_some_and(|name| !name.trim().is_empty()) {
        return Ok(());
    }
    let remedy = "write \"env:NAME\" for an environment variable or \"file:PATH\" for a file";
    Err(Fault::new(format!("`{path}` must not hold the secret itself"), remedy))
}

fn check_name(path: &str, text: &str) -> Result<(), Fault> {
    let is_plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 64 {
        return Ok(());
    }
    let remedy = "use lower-case letters, digits and `_`, a letter first, at most 64";
    Err(Fault::new(format!("`{path}` is no fit name: `{text}`"), remedy))
}
