//! Why a database could not, and which of that passes.

use super::address::{Address, Place};
use super::{postgres, sqlite};
use crate::sink::SinkError;

/// Why a database could not.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// It can later.
    #[error("{0}")]
    Busy(String),
    /// It never can.
    #[error("{0}")]
    Unfit(String),
}

impl Address {
    /// A fault of this database as the sink says it.
    pub(super) fn failed(&self, fault: impl Into<Fault>) -> SinkError {
        let (is_passing, reason) = match (fault.into(), &self.place) {
            (Fault::Sql(error), Place::Sqlite(_)) => sqlite::reason(&error),
            (Fault::Sql(error), Place::Postgres(_)) => postgres::reason(&error),
            (Fault::Busy(reason), _) => (true, reason),
            (Fault::Unfit(reason), _) => (false, reason),
        };
        if is_passing {
            SinkError::Unavailable { sink: self.sink().to_owned(), target: format!("`{self}`"), reason }
        } else {
            self.refused(format!("the store `{self}`"), reason)
        }
    }

    pub(super) fn refused(&self, what: String, reason: String) -> SinkError {
        SinkError::Refused { sink: self.sink().to_owned(), what, reason }
    }
}
