//! `[store]`: where the tables are.

use std::path::Path;

use sinks::store::{Address, has_password};
use toml::de::{DeTable, DeValue};

use super::document::Reader;
use super::files::Files;
use super::kind::Kind;
use super::mistake::Fault;
use super::service::TYPED;
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, set};
use super::values::Values;

/// Of which [`Files::secret`] is told.
pub(super) const PASSWORD_KEY: &str = "store.password";

pub(super) const URL: Setting = set(
    "store.url",
    Kind::Store,
    Is("\"sqlite:data/andon.db\""),
    "sqlite:FILE, or postgres://USER@HOST:PORT/DATABASE for PostgreSQL (tested with 15), in a database of Andon's own. A \
     password may stand in it, as USER:PASSWORD@; the journal's text of the configuration leaves it out.",
);
pub(super) const PASSWORD: Setting = set(
    PASSWORD_KEY,
    Kind::Secret,
    Absent("\"env:ANDON_STORE_PASSWORD\""),
    "Of PostgreSQL, by reference: env:NAME for an environment variable, file:PATH for a file.",
);

/// `[store]`: the tables `exceptions`, `usage`, `steps`, `checks` and those of the workshop's functions.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// `sqlite:FILE` or `postgres://…`; shown without its password.
    pub url: Address,
}

pub(super) fn read(
    values: &Values,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) -> StoreSettings {
    let text = values.text("store.url").expect(TYPED);
    let url = Address::parse(text, folder).expect(TYPED);
    let Some(reference) = values.text(PASSWORD_KEY) else { return StoreSettings { url } };
    let span = values.span(PASSWORD_KEY).unwrap_or_default();
    // A reference that leads nowhere need not be said beside that.
    let needless = if url.file().is_some() {
        Some("`store.password` is of no use to the SQLite file of `store.url`")
    } else {
        has_password(text).then_some("`store.url` and `store.password` both give a password")
    };
    if let Some(message) = needless {
        reader.fault(&span, Fault::new(message, "leave one of the two out"));
        return StoreSettings { url };
    }
    let secret = files.secret(PASSWORD_KEY, reference, folder);
    let secret = secret.map_err(|fault| reader.fault(&span, fault)).ok().flatten();
    StoreSettings { url: secret.map_or(url.clone(), |secret| url.with_password(&secret)) }
}

/// A file's text as the journal may hold it: with `***` in place of the store's password, in comments too.
pub(super) fn without_password(text: &str, table: &DeTable<'_>) -> String {
    let url = table.get("store").and_then(|store| match store.get_ref() {
        DeValue::Table(store) => store.get("url"),
        _ => None,
    });
    let mut shown = text.to_owned();
    if let Some(url) = url
        && let DeValue::String(value) = url.get_ref()
        && has_password(value)
    {
        // As a whole: an escape in it may hide where the password is.
        let value = serde_json::Value::from(sinks::store::without_password(value));
        shown.replace_range(url.span(), &value.to_string());
    }
    let lines = shown.split_inclusive('\n').map(|line| {
        if line.contains("postgres") { sinks::store::without_password(line) } else { line.to_owned() }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_not_in_the_text_that_is_journaled() {
        let cases = [
            "[store]\nurl = \"postgres://andon:hunter2@db/shop\"\n",
            "store.url = 'postgres://andon:hunter2@db/shop'\n# url = \"postgresql://andon:hunter2@old/shop\"\n",
            "[store]\nurl = \"postgres\\u003A//andon\\u003Ahunter2\\u0040db/shop\" # there\n",
        ];
        for text in cases {
            let shown = without_password(text, DeTable::parse(text).expect("TOML").get_ref());
            assert!(!shown.contains("hunter2") && shown.contains("andon:***@db/shop"), "{shown}");
            let again = without_password(&shown, DeTable::parse(&shown).expect("TOML").get_ref());
            assert_eq!(again, shown);
        }
        let plain = "[store]\nurl = \"sqlite:a:b@c\" # a:b@c\n[source]\nbroker = \"mqtt://a:1\"\n";
        assert_eq!(without_password(plain, DeTable::parse(plain).expect("TOML").get_ref()), plain);
    }
}
