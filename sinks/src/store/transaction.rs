//! The two transactions of an epoch: staging its rows, and moving them to where they are seen.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::tables::{TABLES, Value};
use super::{Rows, Staged};

/// Staged rows of the epoch in the making stand under this number; journal epochs start with 1.
pub(super) const IN_THE_MAKING: i64 = 0;

/// What may be in the staging tables before rows are staged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    /// Epochs that checkpoints know; what an earlier process has staged beside them goes. `None` once it is gone.
    pub keep: Option<&'a BTreeMap<u64, Rows>>,
    /// Where the last call has had no answer: rows of the epoch in the making that were staged before it.
    pub in_doubt: Option<usize>,
}

/// One transaction: removes what no checkpoint knows, inserts what is not there yet, names the epoch.
pub(super) async fn stage(
    connection: &mut Connection,
    pending: &[(usize, Vec<Value>)],
    epoch: Option<i64>,
    before: Before<'_>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    if let Some(keep) = before.keep {
        // No journal has an epoch of this number, and a list of none is no SQL everywhere.
        let kept = keep.keys().map(u64::to_string).chain(["-1".to_owned()]).collect::<Vec<_>>().join(", ");
        transaction
            .run(each(|name| format!("DELETE FROM staged_{name} WHERE epoch NOT IN ({kept});")))
            .await?;
    }
    let pending = match before.in_doubt {
        Some(staged) if transaction.staged(epoch).await? > staged as i64 => &[],
        _ => pending,
    };
    for (index, table) in TABLES.iter().enumerate() {
        let rows: Vec<&Vec<Value>> =
            pending.iter().filter(|(of, _)| *of == index).map(|(_, row)| row).collect();
        if !rows.is_empty() {
            transaction.stage(table, &rows, IN_THE_MAKING).await?;
        }
    }
    if let Some(epoch) = epoch {
        let named =
            |name: &str| format!("UPDATE staged_{name} SET epoch = {epoch} WHERE epoch = {IN_THE_MAKING};");
        transaction.run(each(named)).await?;
    }
    transaction.commit().await
}

/// One transaction: moves the epochs that are not there yet, oldest first. The inner error says why an epoch
/// cannot be what the receipt says; nothing is changed then.
pub(super) async fn commit(
    connection: &mut Connection,
    staged: &Staged,
) -> Result<Result<(), String>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let dialect = transaction.dialect();
    for (epoch, rows) in &staged.epochs {
        let number = i64::try_from(*epoch).unwrap_or(i64::MAX);
        if transaction.newest_epoch().await?.is_some_and(|newest| number <= newest) {
            if transaction.hash_of(number).await?.as_ref() == Some(&rows.hash) {
                continue;
            }
            return Ok(Err(format!(
                "epoch {epoch} is there with other rows, so the store was written from another journal or \
                 another version; use an empty store, or put back the journal that belongs to it"
            )));
        }
        let count = i64::try_from(rows.count).unwrap_or(i64::MAX);
        let resume_at = i64::try_from(rows.resume_at).unwrap_or(i64::MAX);
        transaction.note(number, (count, &rows.hash), resume_at).await?;
        let moves = TABLES.iter().map(|table| table.move_statement(dialect, number)).collect();
        transaction.run(moves).await?;
        let found = transaction
            .run(each(|name| format!("DELETE FROM staged_{name} WHERE epoch = {number};")))
            .await?;
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

/// A statement for each table.
fn each(statement: impl Fn(&str) -> String) -> String {
    TABLES.iter().map(|table| statement(table.name)).collect()
}
