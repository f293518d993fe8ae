//! What a setting is: a key of a file, with its type, default and comment.

use toml::de::DeValue;

use super::kind::{Kind, Value};

/// A key of a configuration file.
#[derive(Debug)]
pub(super) struct Setting {
    /// With its section: `source.broker`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) fallback: Fallback,
    /// For the person who edits `andon.toml`; empty in files that are written by hand.
    pub(super) comment: &'static str,
}

/// What holds where a key is absent. All texts are TOML values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fallback {
    Is(&'static str),
    /// Nothing; with an example.
    Absent(&'static str),
    /// A mistake; with an example.
    Required(&'static str),
}

impl Fallback {
    pub(super) fn example(self) -> &'static str {
        match self {
            Fallback::Is(text) | Fallback::Absent(text) | Fallback::Required(text) => text,
        }
    }
}

impl Setting {
    /// A value as a user could write it.
    pub(super) fn example(&self) -> &'static str {
        self.fallback.example()
    }

    /// The default, parsed by the rules that hold for users.
    pub(super) fn default_value(&self, text: &str) -> Value {
        let parsed = DeValue::parse(text).expect("defaults in the table of settings are TOML");
        if let DeValue::Array(items) = parsed.get_ref() {
            let texts = items.iter().filter_map(|item| item.get_ref().as_str());
            return Value::Texts(texts.map(str::to_owned).collect());
        }
        self.kind
            .read(self.path, parsed.get_ref(), text)
            .expect("defaults in the table of settings are within bounds")
    }
}

pub(super) const fn set(
    path: &'static str,
    kind: Kind,
    fallback: Fallback,
    comment: &'static str,
) -> Setting {
    Setting { path, kind, fallback, comment }
}

/// A key of a file that is written by hand and not printed.
pub(super) const fn key(path: &'static str, kind: Kind, fallback: Fallback) -> Setting {
    set(path, kind, fallback, "")
}

pub(super) const fn whole(min: i64, max: i64) -> Kind {
    Kind::Whole { min, max }
}
pub(super) const fn duration(min: &'static str, max: &'static str) -> Kind {
    Kind::Duration { min, max }
}
pub(super) const fn size(min: &'static str, max: &'static str) -> Kind {
    Kind::Size { min, max }
}
