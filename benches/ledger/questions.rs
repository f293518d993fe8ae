//! What people ask a store, in the words of either database.

use super::made;

#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn column(self, time: &str) -> String {
        match self {
            Dialect::Sqlite => format!("{time}_ms"),
            Dialect::Postgres => time.to_owned(),
        }
    }

    fn moment(self, ms: i64) -> String {
        match self {
            Dialect::Sqlite => ms.to_string(),
            Dialect::Postgres => format!("to_timestamp({ms} / 1000.0)"),
        }
    }
}

/// Each question and its SQL, over so many rows of `usage`.
pub(crate) fn sql(dialect: Dialect, rows: u64) -> Vec<(&'static str, String)> {
    let job = made::job(rows / 10);
    let from_ms = made::START_MS + rows.cast_signed() / 2 * made::ROW_MS;
    let week = |time: &str| {
        let column = dialect.column(time);
        let (from, to) = (dialect.moment(from_ms), dialect.moment(from_ms + 7 * 86_400_000));
        format!("{column} >= {from} AND {column} < {to}")
    };
    let (cleared, raised, last) =
        (dialect.column("cleared"), dialect.column("raised"), dialect.column("last_ts"));
    let in_week = week("ended");
    vec![
        ("what did this job use?", format!("SELECT * FROM usage WHERE job = '{job}'")),
        (
            "how much oil in a week?",
            format!(
                "SELECT unit, sum(quantity) FROM usage WHERE resource = 'R01' AND {in_week} GROUP BY unit"
            ),
        ),
        (
            "all resources of a week",
            format!(
                "SELECT resource, unit, sum(quantity) FROM usage WHERE {in_week} GROUP BY resource, unit"
            ),
        ),
        (
            "which jobs got this lot?",
            format!("SELECT DISTINCT site, job FROM ledger WHERE lot = '{}'", made::lot(rows / 2)),
        ),
        (
            "which lots did this job get?",
            format!("SELECT DISTINCT resource, lot FROM ledger WHERE job = '{job}' AND lot IS NOT NULL"),
        ),
        (
            "rows of oil in a week, as they came",
            format!(
                "SELECT * FROM ledger WHERE resource = 'R01' AND {} ORDER BY {last}, id LIMIT 100",
                week("last_ts")
            ),
        ),
        (
            "what is open, worst first?",
            format!("SELECT * FROM exceptions WHERE {cleared} IS NULL ORDER BY severity, {raised} LIMIT 200"),
        ),
        ("exceptions of this job", format!("SELECT * FROM exceptions WHERE job = '{job}' ORDER BY {raised}")),
        ("the newest hundred", format!("SELECT * FROM exceptions ORDER BY {raised} DESC LIMIT 100")),
        (
            "lines that a person has to look at",
            format!(
                "SELECT * FROM invoice_lines WHERE site = 'S1' AND state = 'held' ORDER BY {} LIMIT 100",
                dialect.column("ts")
            ),
        ),
        (
            "the total of this job",
            format!("SELECT * FROM invoice_totals WHERE site = 'S1' AND job = '{job}'"),
        ),
    ]
}
