//! The database file: opening, migrating, and which of its errors pass.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::NAME;
use crate::sink::SinkError;

/// Scripts in order; the database's `user_version` says how many it has seen.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/0001_ledgers.sql"),
    include_str!("../../migrations/0002_checks.sql"),
    include_str!("../../migrations/0003_operators.sql"),
    include_str!("../../migrations/0004_functions.sql"),
];

/// How long a statement waits for another program's lock before the sink says that the store is busy.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Where the database is; opens connections to it.
#[derive(Debug)]
pub(super) struct Store {
    url: String,
    options: SqliteConnectOptions,
}

impl Store {
    /// `sqlite:FILE`. Errors: the text is no such URL.
    pub(super) fn new(url: &str) -> Result<Self, SinkError> {
        let refused = |reason: String| SinkError::Refused {
            sink: NAME.to_owned(),
            what: format!("the store `{url}`"),
            reason: format!("{reason}; write it as `sqlite:FILE`"),
        };
        // Anything else would be taken as a file's name.
        if !url.starts_with("sqlite:") {
            return Err(refused("it is no SQLite database".to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| refused(error.to_string()))?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log, less than FULL may lose the newest commits in a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(LOCK_WAIT)
            .disable_statement_logging();
        Ok(Store { url: url.to_owned(), options })
    }

    pub(super) fn file(&self) -> &Path {
        self.options.get_filename()
    }

    /// A connection to a database that is there, which changes nothing in it.
    pub(super) async fn connect_to_read(&self) -> Result<SqliteConnection, sqlx::Error> {
        SqliteConnectOptions::new()
            .filename(self.file())
            .read_only(true)
            .busy_timeout(LOCK_WAIT)
            .connect()
            .await
    }

    /// A connection to the database with all migrations done. Creates file and folder if needed.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, SinkError> {
        let folder = self.options.get_filename().parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|error| self.failed(&sqlx::Error::Io(error)))?;
        let mut connection = self.options.connect().await.map_err(|error| self.failed(&error))?;
        self.migrate(&mut connection).await?;
        Ok(connection)
    }

    async fn migrate(&self, connection: &mut SqliteConnection) -> Result<(), SinkError> {
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let mut transaction =
            connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(&error))?;
        let seen: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| self.failed(&error))?;
        if seen > known {
            return Err(SinkError::Refused {
                sink: NAME.to_owned(),
                what: format!("the store `{}`", self.url),
                reason: format!(
                    "its version is {seen}, this program knows {known}; use the program that wrote it, or a newer one"
                ),
            });
        }
        for script in MIGRATIONS.iter().skip(usize::try_from(seen).unwrap_or(0)) {
            sqlx::raw_sql(*script).execute(&mut *transaction).await.map_err(|error| self.failed(&error))?;
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}")))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.failed(&error))?;
        transaction.commit().await.map_err(|error| self.failed(&error))
    }

    /// Locked, full and unreachable pass; rows or a file that SQLite does not take never do.
    pub(super) fn failed(&self, error: &sqlx::Error) -> SinkError {
        let (is_passing, reason) = match error {
            sqlx::Error::Database(error) => {
                // The low byte is the primary result code.
                let code = error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
                match code {
                    Some(5 | 6) => {
                        (true, "another program holds its lock; end that program or wait".to_owned())
                    }
                    Some(13) => (true, "no space; make room there".to_owned()),
                    Some(8) => (true, "it is read-only; allow this user to write there".to_owned()),
                    Some(14) => (
                        true,
                        "it cannot be opened; check that its folder is there and may be written".to_owned(),
                    ),
                    // Out of memory, interrupted, disk error, locking protocol.
                    Some(7 | 9 | 10 | 15) => (true, error.message().to_owned()),
                    _ => (false, error.message().to_owned()),
                }
            }
            sqlx::Error::Io(error) => (true, error.to_string()),
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                (true, error.to_string())
            }
            error => (false, error.to_string()),
        };
        if is_passing {
            SinkError::Unavailable { sink: NAME.to_owned(), target: format!("`{}`", self.url), reason }
        } else {
            SinkError::Refused { sink: NAME.to_owned(), what: format!("a change of `{}`", self.url), reason }
        }
    }
}
