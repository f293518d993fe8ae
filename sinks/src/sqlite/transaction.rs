//! The two transactions of an epoch: staging its rows, and moving them to where they are seen.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, QueryBuilder, Sqlite, SqliteConnection};

use super::tables::{TABLES, Value};
use super::{Rows, Staged};

/// Rows of one INSERT: far below SQLite's bound of 32,766 values.
const INSERT_ROWS: usize = 200;

/// Staged rows of the epoch in the making stand under this number; journal epochs start with 1.
const IN_THE_MAKING: i64 = 0;

/// One transaction: removes what no checkpoint knows (if `keep` is given), inserts, names the epoch.
pub(super) async fn stage(
    connection: &mut SqliteConnection,
    pending: &[(usize, Vec<Value>)],
    epoch: Option<i64>,
    keep: Option<&BTreeMap<u64, Rows>>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (index, table) in TABLES.iter().enumerate() {
        if let Some(keep) = keep {
            let kept = keep.keys().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let sql = format!("DELETE FROM staged_{} WHERE epoch NOT IN ({kept})", table.name);
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
        }
        let rows: Vec<&Vec<Value>> =
            pending.iter().filter(|(of, _)| *of == index).map(|(_, row)| row).collect();
        for rows in rows.chunks(INSERT_ROWS) {
            let head = format!("INSERT INTO staged_{} (epoch, {}) ", table.name, table.column_names());
            let mut query = QueryBuilder::<Sqlite>::new(head);
            query.push_values(rows, |mut tuple, row| {
                tuple.push_bind(IN_THE_MAKING);
                for value in *row {
                    match value {
                        Value::Null => tuple.push_bind(None::<i64>),
                        Value::Integer(value) => tuple.push_bind(*value),
                        Value::Real(value) => tuple.push_bind(*value),
                        Value::Text(value) => tuple.push_bind(value.clone()),
                    };
                }
            });
            query.build().execute(&mut *transaction).await?;
        }
        if let Some(epoch) = epoch {
            let sql = format!("UPDATE staged_{} SET epoch = ? WHERE epoch = ?", table.name);
            sqlx::query(AssertSqlSafe(sql))
                .bind(epoch)
                .bind(IN_THE_MAKING)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await
}

/// One transaction: moves the epochs that are not there yet, oldest first. The inner error says why an epoch
/// cannot be what the receipt says; nothing is changed then.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    staged: &Staged,
) -> Result<Result<(), String>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (epoch, rows) in &staged.epochs {
        let number = i64::try_from(*epoch).unwrap_or(i64::MAX);
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT max(epoch) FROM epochs").fetch_one(&mut *transaction).await?;
        if newest.is_some_and(|newest| number <= newest) {
            let hash: Option<String> = sqlx::query_scalar("SELECT row_hash FROM epochs WHERE epoch = ?")
                .bind(number)
                .fetch_optional(&mut *transaction)
                .await?;
            if hash.as_ref() == Some(&rows.hash) {
                continue;
            }
            return Ok(Err(format!(
                "epoch {epoch} is there with other rows, so the store was written from another journal or \
                 another version; use an empty store, or put back the journal that belongs to it"
            )));
        }
        sqlx::query("INSERT INTO epochs (epoch, row_count, row_hash, resume_at) VALUES (?, ?, ?, ?)")
            .bind(number)
            .bind(i64::try_from(rows.count).unwrap_or(i64::MAX))
            .bind(&rows.hash)
            .bind(i64::try_from(rows.resume_at).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
        let mut found = 0;
        for table in &TABLES {
            let (name, columns, on_conflict) = (table.name, table.column_names(), table.conflict_clause());
            let sql = format!(
                "INSERT INTO {name} ({columns}, epoch) SELECT {columns}, epoch FROM staged_{name} WHERE epoch = ? \
                 ORDER BY position ON CONFLICT {on_conflict}"
            );
            sqlx::query(AssertSqlSafe(sql)).bind(number).execute(&mut *transaction).await?;
            let sql = format!("DELETE FROM staged_{name} WHERE epoch = ?");
            found += sqlx::query(AssertSqlSafe(sql))
                .bind(number)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
        }
        if found != rows.count as u64 {
            return Ok(Err(format!(
                "the checkpoint speaks of {} rows of epoch {epoch} and the store holds {found}; put back the \
                 store that belongs to the journal",
                rows.count
            )));
        }
    }
    transaction.commit().await?;
    Ok(Ok(()))
}
