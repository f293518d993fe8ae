//! A copy of the store, which others may be writing to.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection};

use super::SqliteSink;
use super::store::Store;
use crate::sink::SinkError;

/// The file of `sqlite:FILE`.
///
/// # Errors
/// The text is no such URL.
pub fn file(url: &str) -> Result<PathBuf, SinkError> {
    Ok(Store::new(url)?.file().to_owned())
}

/// Writes the store as it is at this moment into the file `to`, durably; whether there is one.
///
/// # Errors
/// The store cannot be read, or the file not be written.
pub fn copy(url: &str, to: &Path) -> Result<bool, SinkError> {
    let store = Store::new(url)?;
    if !store.file().exists() {
        return Ok(false);
    }
    let failed = |error: std::io::Error| store.failed(&sqlx::Error::Io(error));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let Some(name) = to.to_str().filter(|name| !name.contains('\'')) else {
        let reason = "its name has letters that SQLite does not take; choose another".to_owned();
        return Err(SqliteSink::refused(format!("a copy into `{}`", to.display()), reason));
    };
    let copied = runtime.block_on(async {
        let mut connection = store.connect_to_read().await?;
        let statement = AssertSqlSafe(format!("VACUUM INTO '{name}'"));
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    });
    copied.map_err(|error| store.failed(&error))?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(failed)?;
    Ok(true)
}
