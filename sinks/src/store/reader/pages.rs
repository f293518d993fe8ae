//! What may be as long as history: the ledger, usage and exceptions, by what is named and by time, page by page.

use sqlx::AssertSqlSafe;

use super::super::connection::Dialect;
use super::super::postgres::TIMES_MS;
use super::{Bound, ITEMS_MAX, of};

/// What there are pages of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paged {
    /// Rows by the time of their last use.
    #[default]
    Ledger,
    /// By the time at which they were raised.
    Exceptions,
    /// By the end of the step.
    Usage,
}

impl Paged {
    fn table(self) -> &'static str {
        match self {
            Paged::Ledger => "ledger",
            Paged::Exceptions => "exceptions",
            Paged::Usage => "usage",
        }
    }

    /// The column of the time by which rows are in order.
    #[must_use]
    pub fn time(self) -> &'static str {
        match self {
            Paged::Ledger => "last_ts_ms",
            Paged::Exceptions => "raised_ms",
            Paged::Usage => "ended_ms",
        }
    }

    /// The column that tells rows of the same time apart.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Paged::Ledger | Paged::Exceptions => "id",
            Paged::Usage => "row_id",
        }
    }
}

/// Which rows: those that fit all that is named, by time. A row whose time changes while somebody pages moves on in that
/// order, so it comes again, and is never passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuestion {
    pub of: Paged,
    /// Columns with what they must say.
    pub named: Vec<(&'static str, String)>,
    /// Of this time or later.
    pub from_ms: Option<i64>,
    /// And before this one.
    pub to_ms: Option<i64>,
    /// Time and id of the row behind which the page begins.
    pub after: Option<(i64, String)>,
    /// At most so many and at most [`ITEMS_MAX`].
    pub limit: u32,
}

impl PageQuestion {
    pub(super) fn statement(&self, dialect: Dialect) -> (AssertSqlSafe<String>, Vec<Bound>) {
        let (mut which, mut bound) = (Vec::new(), Vec::new());
        for (column, value) in &self.named {
            bound.push(Bound::Text(Some(value.clone())));
            which.push(format!("{column} = ${}", bound.len()));
        }
        let (table, id) = (self.of.table(), self.of.id());
        let time = match dialect {
            Dialect::Sqlite => self.of.time(),
            Dialect::Postgres => self.of.time().trim_end_matches("_ms"),
        };
        let moment = |bound: &mut Vec<Bound>, ms: i64| {
            bound.push(Bound::Integer(ms.clamp(TIMES_MS.0, TIMES_MS.1)));
            match dialect {
                Dialect::Sqlite => format!("${}", bound.len()),
                Dialect::Postgres => {
                    format!("timestamptz 'epoch' + ${} * interval '1 millisecond'", bound.len())
                }
            }
        };
        for (sign, ms) in [(">=", self.from_ms), ("<", self.to_ms)] {
            if let Some(ms) = ms {
                which.push(format!("{time} {sign} {}", moment(&mut bound, ms)));
            }
        }
        if let Some((ms, behind)) = &self.after {
            let ms = moment(&mut bound, *ms);
            bound.push(Bound::Text(Some(behind.clone())));
            which.push(format!("({time}, {id}) > ({ms}, ${})", bound.len()));
        }
        let which = if which.is_empty() { String::new() } else { format!("WHERE {} ", which.join(" AND ")) };
        bound.push(Bound::Integer(self.limit.min(ITEMS_MAX).into()));
        let columns = of(table).columns_as_read(dialect);
        let sql =
            format!("SELECT {columns} FROM {table} {which}ORDER BY {time}, {id} LIMIT ${}", bound.len());
        (AssertSqlSafe(sql), bound)
    }
}
