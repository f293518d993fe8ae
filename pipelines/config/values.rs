//! What a file of settings said: values by their path, each of the type that the table of settings gives it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use super::broker::Broker;
use super::kind::Value;

/// What a table said: one value for each setting that was set or has a default.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) entries: BTreeMap<&'static str, Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// Where the user wrote it; `None` for a default.
    pub(super) span: Option<Range<usize>>,
}

impl Values {
    fn value(&self, path: &str) -> Option<&Value> {
        self.entries.get(path).map(|entry| &entry.value)
    }

    /// Where the user set it; `None` where the default holds, also after a mistake.
    pub(super) fn span(&self, path: &str) -> Option<Range<usize>> {
        self.entries.get(path).and_then(|entry| entry.span.clone())
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.value(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&self, path: &str) -> Option<&[String]> {
        match self.value(path)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(super) fn pairs(&self, path: &str) -> &[(String, String)] {
        match self.value(path) {
            Some(Value::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    pub(super) fn each(&self, path: &str) -> &[Values] {
        match self.value(path) {
            Some(Value::Each(tables)) => tables,
            _ => &[],
        }
    }

    /// Tables by the names that the user gave them.
    pub(super) fn tables(&self, path: &str) -> &[(String, Values)] {
        match self.value(path) {
            Some(Value::Tables(tables)) => tables,
            _ => &[],
        }
    }

    pub(super) fn flag(&self, path: &str) -> Option<bool> {
        match self.value(path)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn number(&self, path: &str) -> Option<f64> {
        match self.value(path)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn date(&self, path: &str) -> Option<&serde_json::Value> {
        match self.value(path)? {
            Value::Date(date) => Some(date),
            _ => None,
        }
    }

    pub(super) fn duration(&self, path: &str) -> Option<Duration> {
        match self.value(path)? {
            Value::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    pub(super) fn size(&self, path: &str) -> Option<u64> {
        match self.value(path)? {
            Value::Size(bytes) => Some(*bytes),
            _ => None,
        }
    }

    /// A whole number in the type that holds it.
    pub(super) fn whole<T: TryFrom<i64>>(&self, path: &str) -> Option<T> {
        match self.value(path)? {
            Value::Whole(number) => T::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn broker(&self, path: &str) -> Option<&Broker> {
        match self.value(path)? {
            Value::Broker(broker) => Some(broker),
            _ => None,
        }
    }

    pub(super) fn mirror(&self, path: &str) -> Option<&super::MirrorPlace> {
        match self.value(path)? {
            Value::Mirror(url) => Some(url),
            _ => None,
        }
    }

    pub(super) fn address(&self, path: &str) -> Option<SocketAddr> {
        match self.value(path)? {
            Value::Address(address) => Some(*address),
            _ => None,
        }
    }
}
