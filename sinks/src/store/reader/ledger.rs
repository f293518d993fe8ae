//! The ledger by job, lot, resource and time, page by page.

use sqlx::AssertSqlSafe;

use super::super::connection::Dialect;
use super::super::postgres::TIMES_MS;
use super::{Bound, ITEMS_MAX, of};

/// Which rows of the ledger: those that fit all that is named, by the time of their last use. A row that changes while
/// somebody pages moves on in that order, so it comes again, and is never passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerQuestion {
    pub site: Option<String>,
    pub job: Option<String>,
    pub lot: Option<String>,
    pub resource: Option<String>,
    /// Last used at this time or later.
    pub from_ms: Option<i64>,
    /// And before this one.
    pub to_ms: Option<i64>,
    /// Time and id of the row behind which the page begins.
    pub after: Option<(i64, String)>,
    /// At most so many and at most [`ITEMS_MAX`].
    pub limit: u32,
}

impl LedgerQuestion {
    pub(super) fn statement(&self, dialect: Dialect) -> (AssertSqlSafe<String>, Vec<Bound>) {
        let (mut which, mut bound) = (Vec::new(), Vec::new());
        let named =
            [("site", &self.site), ("job", &self.job), ("lot", &self.lot), ("resource", &self.resource)];
        for (column, value) in named.into_iter().filter(|(_, value)| value.is_some()) {
            bound.push(Bound::Text(value.clone()));
            which.push(format!("{column} = ${}", bound.len()));
        }
        let last = match dialect {
            Dialect::Sqlite => "last_ts_ms",
            Dialect::Postgres => "last_ts",
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
                which.push(format!("{last} {sign} {}", moment(&mut bound, ms)));
            }
        }
        if let Some((ms, id)) = &self.after {
            let ms = moment(&mut bound, *ms);
            bound.push(Bound::Text(Some(id.clone())));
            which.push(format!("({last}, id) > ({ms}, ${})", bound.len()));
        }
        let which = if which.is_empty() { String::new() } else { format!("WHERE {} ", which.join(" AND ")) };
        bound.push(Bound::Integer(self.limit.min(ITEMS_MAX).into()));
        let columns = of("ledger").columns_as_read(dialect);
        let sql = format!("SELECT {columns} FROM ledger {which}ORDER BY {last}, id LIMIT ${}", bound.len());
        (AssertSqlSafe(sql), bound)
    }
}
