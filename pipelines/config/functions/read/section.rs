//! A section of the file, and the same of a site: one reading for both.

use std::ops::Range;

use super::super::super::document::Reader;
use super::super::super::mistake::Fault;
use super::super::super::values::Values;
use super::super::BySite;

/// A section, or what a site has of it.
#[derive(Debug)]
pub(super) struct Section<'v> {
    values: &'v Values,
    /// Where its keys stand among the values, with a dot at the end; nothing for a site.
    inner: String,
    /// Its name in the file.
    path: String,
}

/// Reads a section and those of its sites. `over` takes what the section says, and the rest from what is given to it.
pub(super) fn by_site<T: Default>(
    name: &str,
    values: &Values,
    reader: &mut Reader<'_>,
    over: fn(&T, &Section<'_>, &mut Reader<'_>) -> T,
) -> BySite<T> {
    let section = Section { values, inner: format!("{name}."), path: name.to_owned() };
    let general = over(&T::default(), &section, reader);
    let sites = values.tables(&format!("{name}.sites")).iter().map(|(site, values)| {
        let section = Section { values, inner: String::new(), path: format!("{name}.sites.{site}") };
        (site.clone(), over(&general, &section, reader))
    });
    let sites = sites.collect();
    BySite { general, sites }
}

impl<'v> Section<'v> {
    fn inner(&self, key: &str) -> String {
        format!("{}{key}", self.inner)
    }

    /// A key as messages name it.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'v str> {
        self.values.text(&self.inner(key))
    }

    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.values.texts(&self.inner(key)).map(<[String]>::to_vec)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.values.flag(&self.inner(key))
    }

    pub(super) fn whole<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        self.values.whole(&self.inner(key))
    }

    pub(super) fn pairs(&self, key: &str) -> &'v [(String, String)] {
        self.values.pairs(&self.inner(key))
    }

    /// An amount of money.
    pub(super) fn price(&self, key: &str, reader: &mut Reader<'_>) -> Option<f64> {
        let price = self.values.number(&self.inner(key))?;
        if price < 0.0 {
            let message = format!("`{}` is below zero: {price}", self.path(key));
            let remedy = "write what a unit costs; a credit is a matter for the books";
            reader.fault(&self.span(key), Fault::new(message, remedy));
        }
        Some(price)
    }

    /// Its tables by the names that the user gave them.
    pub(super) fn tables(&self, key: &str) -> impl Iterator<Item = (&'v str, Section<'v>)> {
        let path = self.path(key);
        self.values.tables(&self.inner(key)).iter().map(move |(name, values)| {
            (name.as_str(), Section { values, inner: String::new(), path: format!("{path}.{name}") })
        })
    }

    /// Where the user wrote it.
    pub(super) fn span(&self, key: &str) -> Range<usize> {
        self.values.span(&self.inner(key)).unwrap_or_default()
    }
}
