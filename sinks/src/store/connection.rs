//! A connection to either database, and a transaction on it.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::tables::{TABLES, Table, Value};
use super::transaction::IN_THE_MAKING;
use super::{postgres, sqlite};

/// How a database writes what the two write differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A text as it is stored: PostgreSQL has no NUL in one. In JSON it is escaped.
    pub(super) fn fit(self, text: &str) -> String {
        match self {
            Dialect::Sqlite => text.to_owned(),
            Dialect::Postgres => text.replace('\0', "\u{fffd}"),
        }
    }
}

/// Of the one program that writes.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Rolled back if it is dropped.
#[derive(Debug)]
pub(super) enum Transaction<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(sqlx::Transaction<'c, Postgres>),
}

impl Connection {
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_>, sqlx::Error> {
        Ok(match self {
            // At once for writing: a reader that becomes a writer may find that it cannot.
            Connection::Sqlite(connection) => {
                Transaction::Sqlite(connection.begin_with("BEGIN IMMEDIATE").await?)
            }
            Connection::Postgres(connection) => Transaction::Postgres(connection.begin().await?),
        })
    }
}

/// The same with each.
macro_rules! with {
    ($transaction:expr, $it:ident => $work:expr) => {
        match $transaction {
            Transaction::Sqlite($it) => $work,
            Transaction::Postgres($it) => $work,
        }
    };
}

impl Transaction<'_> {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Transaction::Sqlite(_) => Dialect::Sqlite,
            Transaction::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs statements in one go, and says how many rows they changed together.
    pub(super) async fn run(&mut self, script: String) -> Result<u64, sqlx::Error> {
        let script = AssertSqlSafe(script);
        Ok(with!(self, it => sqlx::raw_sql(script).execute(&mut **it).await?.rows_affected()))
    }

    /// Puts rows into the staging table of `table`, under the number of the epoch in the making.
    pub(super) async fn stage(
        &mut self,
        table: &Table,
        rows: &[&Vec<Value>],
        epoch: i64,
    ) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(it) => sqlite::stage(it, table, rows, epoch).await,
            Transaction::Postgres(it) => postgres::stage(it, table, rows, epoch).await,
        }
    }

    /// Rows that are staged of the epoch in the making, or under the number that it is to have.
    pub(super) async fn staged(&mut self, epoch: Option<i64>) -> Result<i64, sqlx::Error> {
        let number = epoch.unwrap_or(IN_THE_MAKING);
        let of_table = |table: &Table| {
            format!("(SELECT count(*) FROM staged_{} WHERE epoch IN ({IN_THE_MAKING}, {number}))", table.name)
        };
        let query = format!("SELECT {}", TABLES.each_ref().map(of_table).join(" + "));
        with!(self, it => sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut **it).await)
    }

    /// The newest epoch that brought rows.
    pub(super) async fn newest_epoch(&mut self) -> Result<Option<i64>, sqlx::Error> {
        let query = "SELECT max(epoch) FROM epochs";
        with!(self, it => sqlx::query_scalar(query).fetch_one(&mut **it).await)
    }

    /// The hash of the rows that an epoch brought.
    pub(super) async fn hash_of(&mut self, epoch: i64) -> Result<Option<String>, sqlx::Error> {
        let query = "SELECT row_hash FROM epochs WHERE epoch = $1";
        with!(self, it => sqlx::query_scalar(query).bind(epoch).fetch_optional(&mut **it).await)
    }

    /// Notes that an epoch is there.
    pub(super) async fn note(
        &mut self,
        epoch: i64,
        (row_count, row_hash): (i64, &str),
        resume_at: i64,
    ) -> Result<(), sqlx::Error> {
        let query = "INSERT INTO epochs (epoch, row_count, row_hash, resume_at) VALUES ($1, $2, $3, $4)";
        with!(self, it => {
            let query = sqlx::query(query).bind(epoch).bind(row_count).bind(row_hash).bind(resume_at);
            query.execute(&mut **it).await.map(drop)
        })
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        with!(self, it => it.commit().await)
    }
}
