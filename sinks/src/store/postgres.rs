//! The company's PostgreSQL: connecting as the one program that writes, migrating, and which of its errors pass.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Postgres, Row, SqlSafeStr};

use super::connection::Dialect;
use super::fault::Fault;
use super::tables::{Column, Kind, Table, Value};

pub(super) const NAME: &str = "postgres";

/// Scripts in order; the table `_sqlx_migrations` says which the database has seen. A script that has been shipped never
/// changes, for its hash is kept there.
const MIGRATIONS: [(&str, &str); 6] = [
    ("ledgers", include_str!("../../migrations/postgres/0001_ledgers.sql")),
    ("functions", include_str!("../../migrations/postgres/0002_functions.sql")),
    ("by_job", include_str!("../../migrations/postgres/0003_by_job.sql")),
    ("balances", include_str!("../../migrations/postgres/0004_balances.sql")),
    ("inferred", include_str!("../../migrations/postgres/0005_inferred.sql")),
    ("ledger", include_str!("../../migrations/postgres/0006_ledger.sql")),
];

/// Held by the session of the one program that writes to a database. The letters say whose it is.
const LOCK: i64 = i64::from_be_bytes(*b"andon\0\0\0");
const LOCK_TRY: Duration = Duration::from_millis(250);

const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Longer than a statement may take: beyond it the network swallows what is sent.
const ANSWER_WAIT: Duration = Duration::from_secs(90);

/// What a session needs whatever the server's defaults are. Commits are on the disk when they return. A session whose
/// machine is gone ends within seconds, and so gives the lock back; one that waits for another's lock says so.
const WRITING: &str = "SET synchronous_commit = on; SET lock_timeout = '10s'; SET statement_timeout = '1min'; \
    SET idle_in_transaction_session_timeout = '1min'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; \
    SET tcp_keepalives_count = 3; SET client_min_messages = warning;";
const READING: &str = "SET default_transaction_read_only = on; SET statement_timeout = '10s';";

/// What a time, given by a device in ms, is held between: the years 1 to 9999. A `timestamptz` reaches further, what
/// reads it does not.
pub(super) const TIMES_MS: (i64, i64) = (-62_135_596_800_000, 253_402_300_799_999);

/// A connection to the database with all migrations done, which holds the lock. For so long it is tried to get it.
pub(super) async fn connect(options: &PgConnectOptions, patience: Patience) -> Result<PgConnection, Fault> {
    let mut connection = open(options, WRITING).await?;
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut connection).await?;
    if encoding != "UTF8" {
        return Err(Fault::Unfit(format!(
            "the database is in {encoding}; make it in UTF-8, with `createdb --encoding=UTF8 --template=template0 NAME`"
        )));
    }
    lock(&mut connection, patience).await?;
    migrate(&mut connection).await?;
    Ok(connection)
}

/// A connection that changes nothing.
pub(super) async fn connect_to_read(options: &PgConnectOptions) -> Result<PgConnection, Fault> {
    open(options, READING).await
}

/// What comes of `work` on a connection, which must be given up if that is nothing.
pub(super) async fn answered<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
    let silent = |_| Fault::Busy(format!("no answer within {} s; check the network", ANSWER_WAIT.as_secs()));
    Ok(tokio::time::timeout(ANSWER_WAIT, work).await.map_err(silent)??)
}

async fn open(options: &PgConnectOptions, settings: &'static str) -> Result<PgConnection, Fault> {
    let options = options.clone().application_name("andon").disable_statement_logging();
    let connecting = tokio::time::timeout(CONNECT_WAIT, options.connect());
    let silent =
        |_| Fault::Busy(format!("no answer within {} s; check host and port", CONNECT_WAIT.as_secs()));
    let mut connection = connecting.await.map_err(silent)??;
    sqlx::raw_sql(settings).execute(&mut connection).await?;
    Ok(connection)
}

/// What to do while another holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// After so long it is another Andon, rather than the end of a process that was before this one.
    Until(Duration),
    /// It may be the session that this process has lost: try again later.
    Later,
}

async fn lock(connection: &mut PgConnection, patience: Patience) -> Result<(), Fault> {
    let tries = match patience {
        Patience::Until(wait) => wait.as_millis() / LOCK_TRY.as_millis(),
        Patience::Later => 0,
    };
    for number in 0..=tries {
        let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
        if query.fetch_one(&mut *connection).await? {
            return Ok(());
        }
        if number < tries {
            tokio::time::sleep(LOCK_TRY).await;
        }
    }
    let holder = sqlx::query(
        "SELECT concat('session ', pid, coalesce(' from ' || host(client_addr), ''), ', since ', \
         to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')) \
         FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND classid = ($1 >> 32)::int::oid AND objid = ($1 & 4294967295)::oid \
         AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let holder = holder.bind(LOCK).fetch_optional(&mut *connection).await?;
    let holder = holder.map_or(Ok("another session".to_owned()), |row| row.try_get(0))?;
    let reason =
        format!("another Andon writes to it ({holder}); give each a database of its own, or end that one");
    Err(if patience == Patience::Later { Fault::Busy(reason) } else { Fault::Unfit(reason) })
}

async fn migrate(connection: &mut PgConnection) -> Result<(), Fault> {
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, script), version)| {
        let sql = script.into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // The lock of the one who writes is held.
    migrator.set_locking(false);
    let known = MIGRATIONS.len();
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Fault::Sql(error),
        MigrateError::VersionMissing(seen) => Fault::Unfit(format!(
            "its version is {seen}, this program knows {known}; use the program that wrote it, or a newer one"
        )),
        MigrateError::VersionMismatch(version) => Fault::Unfit(format!(
            "its tables were made by another script {version} than this program's; use the program that made them, or \
             an empty database"
        )),
        error => Fault::Unfit(format!("its tables cannot be brought up to date: {error}")),
    })
}

/// See [`Transaction::stage`](super::connection::Transaction::stage).
pub(super) async fn stage(
    connection: &mut PgConnection,
    table: &Table,
    rows: &[&Vec<Value>],
    epoch: i64,
) -> Result<(), sqlx::Error> {
    let each = |form: fn(&Column, usize) -> String| -> String {
        table
            .columns
            .iter()
            .zip(2..)
            .map(|(column, place)| form(column, place))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let columns = table.column_names(Dialect::Postgres);
    let values = each(|column, _| {
        let name = column.name(Dialect::Postgres);
        match column.kind {
            Kind::Time => format!("timestamptz 'epoch' + new.{name} * interval '1 millisecond'"),
            Kind::Json => format!("new.{name}::json"),
            _ => format!("new.{name}"),
        }
    });
    // One statement for any number of rows, which the server plans once.
    let arrays = each(|column, place| {
        let kind = match column.kind {
            Kind::Text | Kind::Json => "text",
            Kind::Integer | Kind::Time => "bigint",
            Kind::Real => "double precision",
            Kind::Flag => "boolean",
        };
        format!("${place}::{kind}[]")
    });
    let statement = AssertSqlSafe(format!(
        "INSERT INTO staged_{} (epoch, {columns}) SELECT $1, {values} FROM unnest({arrays}) AS new ({columns})",
        table.name
    ));
    let mut query = sqlx::query(statement).bind(epoch);
    for (place, column) in table.columns.iter().enumerate() {
        query = bind(query, column.kind, rows.iter().map(|row| &row[place]));
    }
    query.execute(connection).await.map(drop)
}

/// A column of many rows.
fn bind<'q, 'a>(
    query: Query<'q, Postgres, PgArguments>,
    kind: Kind,
    values: impl Iterator<Item = &'a Value>,
) -> Query<'q, Postgres, PgArguments> {
    let whole = |value: &Value| match value {
        Value::Integer(value) => Some(*value),
        _ => None,
    };
    match kind {
        Kind::Text | Kind::Json => query.bind(values.map(text).collect::<Vec<Option<String>>>()),
        Kind::Integer => query.bind(values.map(whole).collect::<Vec<Option<i64>>>()),
        Kind::Flag => {
            query.bind(values.map(|value| whole(value).map(|flag| flag != 0)).collect::<Vec<Option<bool>>>())
        }
        Kind::Time => {
            let (first, last) = TIMES_MS;
            let held = |value| whole(value).map(|ms| ms.clamp(first, last));
            query.bind(values.map(held).collect::<Vec<Option<i64>>>())
        }
        Kind::Real => {
            let real = |value: &Value| match value {
                Value::Real(value) => Some(*value),
                _ => None,
            };
            query.bind(values.map(real).collect::<Vec<Option<f64>>>())
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(value) => Some(Dialect::Postgres.fit(value)),
        _ => None,
    }
}

/// Whether trying again can help, and what to say. A server that is down, starting, full, or not to be reached passes;
/// rows, a login or rights that it does not take do not.
pub(super) fn reason(error: &sqlx::Error) -> (bool, String) {
    let sqlx::Error::Database(error) = error else {
        return match error {
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                (true, format!("{error}; check the server's certificate, sslmode and sslrootcert"))
            }
            sqlx::Error::Io(error) => {
                (true, format!("it cannot be reached: {error}; start it, or check host and port"))
            }
            sqlx::Error::Configuration(_) => (false, error.to_string()),
            // Connections that break off, and certificates, which someone renews.
            sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => (true, error.to_string()),
            error => (false, error.to_string()),
        };
    };
    let code = error.code().unwrap_or_default();
    let said = error.message();
    let (is_passing, remedy) = match (&*code, code.get(..2).unwrap_or_default()) {
        ("28P01", _) => (false, "check user and password"),
        ("28000", _) => (false, "check user and database, and what the server's pg_hba.conf allows"),
        ("3D000", _) => (false, "make it with `createdb`"),
        ("42501", _) => (false, "the user must be allowed to make tables: give it a database of its own"),
        ("53100", _) => (true, "no space; make room there"),
        ("53300", _) => (true, "end others' connections, or raise max_connections"),
        ("25006", _) => (true, "it is a copy that only follows; name the server that leads"),
        ("55P03", _) => (true, "another session holds a lock on a table; end it or wait"),
        ("57P01" | "57P02" | "57P03", _) => (true, "wait until the server is up"),
        // Connections, aborted transactions, resources, what an operator does, the server's system.
        (_, "08" | "40" | "53" | "57" | "58") => (true, ""),
        _ => (false, ""),
    };
    (is_passing, if remedy.is_empty() { said.to_owned() } else { format!("{said}; {remedy}") })
}
