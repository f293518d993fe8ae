//! The database file: opening, migrating, copying, and which of its errors pass.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};

use super::connection::Dialect;
use super::fault::Fault;
use super::tables::{Table, Value};

pub(super) const NAME: &str = "sqlite";

/// Scripts in order; the database's `user_version` says how many it has seen.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../migrations/sqlite/0001_ledgers.sql"),
    include_str!("../../migrations/sqlite/0002_checks.sql"),
    include_str!("../../migrations/sqlite/0003_operators.sql"),
    include_str!("../../migrations/sqlite/0004_functions.sql"),
    include_str!("../../migrations/sqlite/0005_by_job.sql"),
    include_str!("../../migrations/sqlite/0006_balances.sql"),
    include_str!("../../migrations/sqlite/0007_inferred.sql"),
    include_str!("../../migrations/sqlite/0008_ledger.sql"),
];

/// How long a statement waits for another program's lock before the sink says that the store is busy.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Rows of one INSERT: far below SQLite's bound of 32,766 values.
const INSERT_ROWS: usize = 200;

/// A connection to the database with all migrations done. Creates file and folder if needed.
pub(super) async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, Fault> {
    let folder = options.get_filename().parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(sqlx::Error::Io)?;
    let options = options
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With a write-ahead log, less than FULL may lose the newest commits in a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    migrate(&mut connection).await?;
    Ok(connection)
}

/// A connection to a database that is there, which changes nothing in it.
pub(super) async fn connect_to_read(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let file = SqliteConnectOptions::new().filename(options.get_filename());
    file.read_only(true).busy_timeout(LOCK_WAIT).connect().await
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let seen: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    if seen > known {
        return Err(Fault::Unfit(format!(
            "its version is {seen}, this program knows {known}; use the program that wrote it, or a newer one"
        )));
    }
    for script in MIGRATIONS.iter().skip(usize::try_from(seen).unwrap_or(0)) {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    let noted = AssertSqlSafe(format!("PRAGMA user_version = {known}"));
    sqlx::raw_sql(noted).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// See [`Transaction::stage`](super::connection::Transaction::stage).
pub(super) async fn stage(
    connection: &mut SqliteConnection,
    table: &Table,
    rows: &[&Vec<Value>],
    epoch: i64,
) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(INSERT_ROWS) {
        let columns = table.column_names(Dialect::Sqlite);
        let head = format!("INSERT INTO staged_{} (epoch, {columns}) ", table.name);
        let mut query = QueryBuilder::<Sqlite>::new(head);
        query.push_values(rows, |mut tuple, row| {
            tuple.push_bind(epoch);
            for value in *row {
                match value {
                    Value::Null => tuple.push_bind(None::<i64>),
                    Value::Integer(value) => tuple.push_bind(*value),
                    Value::Real(value) => tuple.push_bind(*value),
                    Value::Text(value) => tuple.push_bind(value.clone()),
                };
            }
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes the database as it is at this moment, which others may be writing to, into the file `to`, durably.
pub(super) fn copy(options: &SqliteConnectOptions, to: &Path) -> Result<(), Fault> {
    let Some(name) = to.to_str().filter(|name| !name.contains('\'')) else {
        let file = to.display();
        return Err(Fault::Unfit(format!(
            "it cannot be copied into `{file}`, a name with letters that SQLite does not take; choose another"
        )));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(sqlx::Error::Io)?.block_on(async {
        let mut connection = connect_to_read(options).await?;
        let statement = AssertSqlSafe(format!("VACUUM INTO '{name}'"));
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    })?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    Ok(synced.map_err(sqlx::Error::Io)?)
}

/// Whether trying again can help, and what to say. Locked, full and unreachable pass; rows or a file that SQLite does
/// not take never do.
pub(super) fn reason(error: &sqlx::Error) -> (bool, String) {
    match error {
        sqlx::Error::Database(error) => {
            // The low byte is the primary result code.
            let code = error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
            match code {
                Some(5 | 6) => (true, "another program holds its lock; end that program or wait".to_owned()),
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
    }
}
