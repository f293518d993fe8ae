//! Where the tables are, from one line of configuration. A password in it is never shown.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ingest::config::Secret;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::postgres;

const SQLITE: &str = "sqlite:";
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];
/// How a URL is written.
const FORMS: &str =
    "write \"sqlite:FILE\", such as \"sqlite:data/andon.db\", or \"postgres://USER@HOST:PORT/DATABASE\"";
/// Settings behind the `?` of a PostgreSQL URL. Another would go unheeded.
const PARAMETERS: [&str; 5] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
#[derive(Clone)]
pub struct Address {
    /// Without the password.
    shown: String,
    pub(super) place: Place,
}

/// A kind of database, and how it is found.
#[derive(Clone)]
pub(super) enum Place {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// What is wrong with a URL, on what, and what to do. Never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct AddressError {
    pub message: String,
    pub remedy: String,
}

impl Address {
    /// Reads a URL. A file that is named from nowhere is looked for in `folder`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str, folder: &Path) -> Result<Address, AddressError> {
        if let Some(file) = url.strip_prefix(SQLITE) {
            if file.trim().is_empty() {
                return Err(wrong("is a store without a file", FORMS));
            }
            if file == ":memory:" || file.contains("mode=memory") {
                return Err(wrong("is a store that ends with the process", FORMS));
            }
            let options = SqliteConnectOptions::from_str(url)
                .map_err(|error| wrong(&format!("is no SQLite database: {error}"), FORMS))?;
            // The folder is no part of a URL, whatever letters it has.
            return Ok(Address::of_file(&folder.join(options.get_filename())));
        }
        if !POSTGRES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(wrong("is no store that is known here", FORMS));
        }
        look_at(url)?;
        let options = PgConnectOptions::from_str(url).map_err(|error| {
            let reason = match &error {
                sqlx::Error::Configuration(error) => error.to_string(),
                error => error.to_string(),
            };
            wrong(&format!("is no PostgreSQL URL: {reason}"), FORMS)
        })?;
        Ok(Address { shown: without_password(url), place: Place::Postgres(Box::new(options)) })
    }

    /// The database in that file.
    #[must_use]
    pub fn of_file(file: &Path) -> Address {
        let shown = format!("{SQLITE}{}", file.display());
        Address { shown, place: Place::Sqlite(Box::new(SqliteConnectOptions::new().filename(file))) }
    }

    /// With this password, in place of one that the URL holds. SQLite has none.
    #[must_use]
    pub fn with_password(mut self, password: &Secret) -> Address {
        if let Place::Postgres(options) = &mut self.place {
            **options = options.as_ref().clone().password(&password.0);
        }
        self
    }

    /// The file of an SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(options) => Some(options.get_filename()),
            Place::Postgres(_) => None,
        }
    }

    /// What the sink is called in errors, metrics and checkpoints.
    #[must_use]
    pub(super) fn sink(&self) -> &'static str {
        match &self.place {
            Place::Sqlite(_) => super::sqlite::NAME,
            Place::Postgres(_) => postgres::NAME,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, out)
    }
}

/// Whether a URL holds a password.
#[must_use]
pub fn has_password(url: &str) -> bool {
    password(url).is_some()
}

/// A URL, or the line of a file that holds one, with `***` in place of a password.
#[must_use]
pub fn without_password(text: &str) -> String {
    match password(text) {
        Some((first, last)) => format!("{}***{}", &text[..first], &text[last..]),
        None => text.to_owned(),
    }
}

/// First and last byte of the password. A `/`, `?` or `#` stands behind all that may hold one.
fn password(text: &str) -> Option<(usize, usize)> {
    let user = text.find("://")? + "://".len();
    let end = text[user..].find(['/', '?', '#']).map_or(text.len(), |end| user + end);
    let at = user + text[user..end].rfind('@')?;
    let first = user + text[user..at].find(':')? + 1;
    Some((first, at))
}

/// What sqlx takes without a word, and would be a surprise.
fn look_at(url: &str) -> Result<(), AddressError> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // A letter of the password that parts a URL would leave the rest of it in the host, which errors show.
    if rest.find('@').is_none_or(|at| rest[..at].contains(['/', '?', '#'])) {
        let remedy = "write \"postgres://USER@HOST:PORT/DATABASE\"; in a password write / as %2F, ? as %3F, # as %23, @ as %40";
        return Err(wrong("names no user", remedy));
    }
    let (user, place) = place.rsplit_once('@').unwrap_or(("", place));
    if user.split(':').next().is_none_or(str::is_empty) {
        return Err(wrong("names no user", FORMS));
    }
    if place.split_once('/').is_none_or(|(_, database)| database.is_empty() || database.contains('/')) {
        return Err(wrong("names no database", FORMS));
    }
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == "password" {
            let remedy =
                "write postgres://USER:PASSWORD@HOST:PORT/DATABASE, or store.password = \"file:PATH\"";
            return Err(wrong("has its password behind the `?`", remedy));
        }
        if !PARAMETERS.contains(&name) {
            let remedy = format!("possible are {}", PARAMETERS.join(", "));
            return Err(wrong(&format!("has the unknown setting `{name}`"), &remedy));
        }
        if name == "sslmode" && !MODES.contains(&value) {
            let remedy = format!("possible are {}", MODES.join(", "));
            return Err(wrong(&format!("has the unknown sslmode `{value}`"), &remedy));
        }
    }
    Ok(())
}

fn wrong(message: &str, remedy: &str) -> AddressError {
    AddressError { message: message.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, AddressError> {
        Address::parse(url, Path::new("/srv/shop"))
    }

    #[test]
    fn a_file_is_beside_the_configuration_and_a_database_is_where_it_says() {
        assert_eq!(
            parse("sqlite:data/andon.db").expect("good").to_string(),
            "sqlite:/srv/shop/data/andon.db"
        );
        assert_eq!(parse("sqlite:/x.db").expect("good").file(), Some(Path::new("/x.db")));
        let odd = Address::parse("sqlite:andon.db", Path::new("/a?b%zz")).expect("good");
        assert_eq!(odd.file(), Some(Path::new("/a?b%zz/andon.db")));
        let address = parse("postgres://andon:p%40ss@db:5433/shop?sslmode=require").expect("good");
        let Place::Postgres(options) = &address.place else { panic!("{address}") };
        let place = (options.get_host(), options.get_port(), options.get_username(), options.get_database());
        assert_eq!(place, ("db", 5433, "andon", Some("shop")));
        assert_eq!(address.file(), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = parse("postgresql://andon:hunter2@db/shop").expect("good");
        for text in [address.to_string(), format!("{address:?}"), format!("{:#?}", Some(&address))] {
            assert!(text.contains("postgresql://andon:***@db/shop"), "{text}");
        }
        let address = address.with_password(&Secret("hunter3".to_owned()));
        assert!(!format!("{address:?} {address}").contains("hunter"));
        let wrong = [
            "postgres://andon:hunter2@db:port/shop",
            "postgres://andon:hunter2@db",
            "postgres://andon:hunter2@/shop?password=hunter2",
            "postgres://andon:hunter2@db/shop?sslmode=hunter",
            "postgres://:hunter2@db/shop",
            "mysql://andon:hunter2@db/shop",
            "postgres://andon:hun/ter2@db/shop",
            "postgres://andon:hunter2#@db/shop",
        ];
        for url in wrong {
            let error = parse(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2") && !error.contains("ter2"), "{url}: {error}");
        }
        let line = "url = \"postgres://andon:hun@ter2@db/shop\" # as@it:is";
        assert_eq!(without_password(line), "url = \"postgres://andon:***@db/shop\" # as@it:is");
        assert!(!has_password("postgres://andon@db:5432/shop") && !has_password("sqlite:a:b@c"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let cases = [
            ("sqlite: ", "is a store without a file"),
            ("sqlite::memory:", "is a store that ends with the process"),
            ("postgres://db:5432/shop", "names no user"),
            ("postgres://andon@db:5432", "names no database"),
            ("postgres://andon@db:5432/", "names no database"),
            ("postgres://andon@db:543210/shop", "is no PostgreSQL URL: invalid port number"),
            ("postgres://andon@db/shop?sslmod=require", "has the unknown setting `sslmod`"),
            ("postgres://andon@db/shop?sslmode=on", "has the unknown sslmode `on`"),
            ("data/andon.db", "is no store that is known here"),
        ];
        for (url, message) in cases {
            assert_eq!(parse(url).expect_err(url).message, message, "{url}");
        }
    }
}
