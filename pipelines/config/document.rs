//! A TOML file walked against a table of settings: values out, and every mistake with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::{Kind, Value};
use super::mistake::{Fault, Mistake, SourceFile, nearest};
use super::pattern;
use super::setting::{Fallback, Setting};
use super::values::{Entry, Values};

/// Parses a file.
///
/// # Errors
/// All syntax errors of the file.
pub(super) fn parse(file: &SourceFile) -> Result<DeTable<'_>, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    if errors.is_empty() {
        return Ok(table.into_inner());
    }
    let mistake = |error: &toml::de::Error| {
        let span = error.span().unwrap_or_default();
        let message = format!("this is no TOML: {}", error.message());
        let remedy = "write `key = value`, texts in double quotes, a key once in its section";
        file.mistake(&span, Fault::new(message, remedy))
    };
    Err(errors.iter().map(mistake).collect())
}

/// Walks tables of one file and collects its mistakes.
#[derive(Debug)]
pub(super) struct Reader<'f> {
    file: &'f SourceFile,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f SourceFile) -> Self {
        Reader { file, mistakes: Vec::new() }
    }

    pub(super) fn fault(&mut self, span: &Range<usize>, fault: Fault) {
        self.mistakes.push(self.file.mistake(span, fault));
    }

    /// Reads `table` by `settings`. `header` is where a missing key is reported, `prefix` (empty, or ending
    /// in a dot) is put before keys in messages. A setting with a mistake has its default.
    pub(super) fn read(
        &mut self,
        table: &DeTable<'_>,
        settings: &'static [Setting],
        header: &Range<usize>,
        prefix: &str,
    ) -> Values {
        let mut values = Values::default();
        self.walk(table, settings, "", prefix, &mut values);
        for setting in settings {
            match setting.fallback {
                Fallback::Is(default) if !values.entries.contains_key(setting.path) => {
                    let value = setting.default_value(default);
                    values.entries.insert(setting.path, Entry { value, span: None });
                }
                Fallback::Required(example) if !is_present(table, setting.path) => {
                    let key = setting.path.rsplit('.').next().unwrap_or(setting.path);
                    let message = format!("`{prefix}{}` is missing", setting.path);
                    self.fault(header, Fault::new(message, format!("add for example `{key} = {example}`")));
                }
                _ => {}
            }
        }
        values
    }

    fn walk(
        &mut self,
        table: &DeTable<'_>,
        settings: &'static [Setting],
        section: &str,
        prefix: &str,
        values: &mut Values,
    ) {
        for (key, value) in table {
            let path = format!("{section}{}", key.get_ref());
            let inner = format!("{path}.");
            if let Some(setting) = settings.iter().find(|setting| setting.path == path) {
                if let Some(found) =
                    self.value(setting.kind, &format!("{prefix}{path}"), value, setting.example())
                {
                    values.entries.insert(setting.path, Entry { value: found, span: Some(value.span()) });
                }
            } else if settings.iter().any(|setting| setting.path.starts_with(&inner)) {
                match value.get_ref() {
                    DeValue::Table(inner_table) => self.walk(inner_table, settings, &inner, prefix, values),
                    _ => {
                        let message = format!("`{prefix}{path}` is a section, not a value");
                        self.fault(
                            &value.span(),
                            Fault::new(message, format!("write `[{prefix}{path}]` and its keys below")),
                        );
                    }
                }
            } else {
                let what = if value.get_ref().is_table() { "section" } else { "key" };
                let fault = unknown_key(what, section, key.get_ref(), prefix, settings);
                self.fault(&key.span(), fault);
            }
        }
    }

    fn value(
        &mut self,
        kind: Kind,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        example: &str,
    ) -> Option<Value> {
        match (kind, value.get_ref()) {
            (Kind::Texts | Kind::Patterns, DeValue::Array(items)) => {
                let before = self.mistakes.len();
                let mut texts = Vec::new();
                for item in items {
                    let text = self.value(Kind::Text, path, item, example);
                    let Some(Value::Text(text)) = text else { continue };
                    let fault =
                        if matches!(kind, Kind::Patterns) { pattern::fault(path, &text) } else { None };
                    match fault {
                        Some(fault) => self.fault(&item.span(), fault),
                        None => texts.push(text),
                    }
                }
                (self.mistakes.len() == before).then_some(Value::Texts(texts))
            }
            (Kind::Pairs, DeValue::Table(table)) => {
                let mut pairs = Vec::new();
                for (key, item) in table {
                    let path = format!("{path}.{}", key.get_ref());
                    if let Some(Value::Text(text)) = self.value(Kind::Text, &path, item, example) {
                        pairs.push((key.get_ref().to_string(), text));
                    }
                }
                Some(Value::Pairs(pairs))
            }
            (Kind::Each(settings), DeValue::Array(items)) => {
                let mut tables = Vec::new();
                for item in items {
                    let DeValue::Table(table) = item.get_ref() else {
                        let message = format!("`{path}` must be a list of tables");
                        self.fault(
                            &item.span(),
                            Fault::new(message, format!("write for example `{example}`")),
                        );
                        continue;
                    };
                    tables.push(self.read(table, settings, &item.span(), &format!("{path}.")));
                }
                Some(Value::Each(tables))
            }
            (Kind::Tables(settings), DeValue::Table(table)) => {
                let mut tables = Vec::new();
                for (key, item) in table {
                    let path = format!("{path}.{}", key.get_ref());
                    let DeValue::Table(inner) = item.get_ref() else {
                        let remedy = format!("write `[{path}]` and its keys below");
                        self.fault(&key.span(), Fault::new(format!("`{path}` is no table"), remedy));
                        continue;
                    };
                    let values = self.read(inner, settings, &key.span(), &format!("{path}."));
                    tables.push((key.get_ref().to_string(), values));
                }
                tables.sort_by(|one, other| one.0.cmp(&other.0));
                Some(Value::Tables(tables))
            }
            (kind, plain) => match kind.read(path, plain, example) {
                Ok(value) => Some(value),
                Err(fault) => {
                    self.fault(&value.span(), fault);
                    None
                }
            },
        }
    }
}

/// Whether the table has the key at all, with whatever value.
fn is_present(table: &DeTable<'_>, path: &str) -> bool {
    match path.split_once('.') {
        None => table.contains_key(path),
        Some((section, rest)) => match table.get(section).map(Spanned::get_ref) {
            Some(DeValue::Table(inner)) => is_present(inner, rest),
            // Required keys of an absent section are not missed.
            _ => true,
        },
    }
}

fn unknown_key(what: &str, section: &str, key: &str, prefix: &str, settings: &'static [Setting]) -> Fault {
    let message = format!("unknown {what} `{prefix}{section}{key}`");
    // The keys and sections that may stand beside it.
    let mut known: Vec<&str> = settings
        .iter()
        .filter_map(|setting| setting.path.strip_prefix(section))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    known.dedup();
    if let Some(meant) = nearest(key, known.iter().copied()) {
        return Fault::new(message, format!("did you mean `{meant}`?"));
    }
    let elsewhere = settings.iter().find(|setting| setting.path.rsplit('.').next() == Some(key));
    if let Some((home, _)) = elsewhere.and_then(|setting| setting.path.rsplit_once('.')) {
        return Fault::new(message, format!("`{key}` belongs into the section `[{home}]`"));
    }
    Fault::new(message, format!("possible here are {}", known.join(", ")))
}
