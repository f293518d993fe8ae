//! `/api/v1/ledger`: what was used of which lot, by whom, page by page, as JSON or as CSV for a spreadsheet.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::commands::answered;
use super::problem::Problem;
use super::queues::{csv, is_csv};
use super::routes::Shared;
use crate::desk::Wish;
use crate::store::reader::{ITEMS_MAX, LedgerQuestion, Question};

/// `?site=…&job=…&lot=…&resource=…&from=…&to=…&after=…&limit=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    site: Option<String>,
    job: Option<String>,
    /// Such as one that is recalled.
    lot: Option<String>,
    resource: Option<String>,
    /// Last used at this time or later: ms since 1970, or as 2026-11-22T07:34:00Z.
    from: Option<String>,
    /// Last used before this time.
    to: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = r"^-?\d{1,15}-[0-9a-f]{32}$")]
    after: Option<String>,
    /// From 1 to 1000, 100 if not given.
    limit: Option<u32>,
    format: Option<String>,
}

/// Rows of the ledger that fit all that is named, by the time of their last use.
#[utoipa::path(
    get,
    path = "/api/v1/ledger",
    tag = "jobs",
    params(LedgerQuery),
    responses((status = 200, description = "A page of rows; `next` is where to go on, null behind the last", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn ledger(
    State((board, _)): Shared,
    query: Result<Query<LedgerQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let is_csv = is_csv(&headers, query.format.as_deref())?;
    let question = query.question()?;
    let limit = question.limit as usize;
    let found = answered(&board, Wish::Store(Question::Ledger(question))).await?;
    let mut rows = found.as_array().cloned().unwrap_or_default();
    for row in &mut rows {
        row["final"] = json!(row["final"] == 1);
    }
    if is_csv {
        return Ok(csv(&rows));
    }
    let next = rows.last().filter(|_| rows.len() >= limit).and_then(cursor);
    Ok(axum::Json(json!({ "ledger": rows, "next": next })).into_response())
}

impl LedgerQuery {
    fn question(self) -> Result<LedgerQuestion, Problem> {
        let LedgerQuery { site, job, lot, resource, from, to, after, limit, format: _ } = self;
        let limit = limit.unwrap_or(100);
        if !(1..=ITEMS_MAX).contains(&limit) {
            let detail = format!("`limit` is {limit}; give a number from 1 to {ITEMS_MAX}");
            return Err(Problem::bad_request(detail));
        }
        let moment = |name: &str, text: Option<String>| text.map(|text| time_ms(name, &text)).transpose();
        let (from_ms, to_ms) = (moment("from", from)?, moment("to", to)?);
        let after = after.map(|after| place(&after)).transpose()?;
        Ok(LedgerQuestion { site, job, lot, resource, from_ms, to_ms, after, limit })
    }
}

fn time_ms(name: &str, text: &str) -> Result<i64, Problem> {
    let rfc_3339 = || text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).ok();
    text.parse::<i64>().ok().or_else(rfc_3339).ok_or_else(|| {
        Problem::bad_request(format!(
            "`{name}` cannot be `{text}`; write ms since 1970, or 2026-11-22T07:34:00Z"
        ))
    })
}

/// What stands behind a row: the time of its last use and its id.
fn cursor(row: &Value) -> Option<String> {
    Some(format!("{}-{}", row["last_ts_ms"].as_i64()?, row["id"].as_str()?))
}

fn place(after: &str) -> Result<(i64, String), Problem> {
    let parted = after.rsplit_once('-').and_then(|(ms, id)| Some((ms.parse::<i64>().ok()?, id)));
    let is_id = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parted {
        Some((ms, id)) if is_id(id) => Ok((ms, id.to_owned())),
        _ => Err(Problem::bad_request(format!("`after` cannot be `{after}`; take the `next` of a page"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: LedgerQuery) -> Result<LedgerQuestion, String> {
        query.question().map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn times_are_numbers_or_written_out_and_a_page_goes_on_behind_the_one_before() {
        let id = "0123456789abcdef0123456789abcdef";
        let text = |text: &str| Some(text.to_owned());
        let query = LedgerQuery {
            from: text("2026-11-22T07:34:00.123Z"),
            to: text("1795332900000"),
            after: cursor(&json!({"last_ts_ms": -5, "id": id})),
            ..LedgerQuery::default()
        };
        let expected = LedgerQuestion {
            from_ms: Some(1_795_332_840_123),
            to_ms: Some(1_795_332_900_000),
            after: Some((-5, id.to_owned())),
            limit: 100,
            ..LedgerQuestion::default()
        };
        assert_eq!(asked(query), Ok(expected));
    }

    #[test]
    fn what_cannot_be_is_named_with_what_to_write() {
        let text = |text: &str| Some(text.to_owned());
        let wrong = [
            (LedgerQuery { from: text("monday"), ..LedgerQuery::default() }, "`from` cannot be `monday`"),
            (LedgerQuery { after: text("7"), ..LedgerQuery::default() }, "take the `next` of a page"),
            (LedgerQuery { after: text("7-é"), ..LedgerQuery::default() }, "take the `next` of a page"),
            (LedgerQuery { limit: Some(0), ..LedgerQuery::default() }, "give a number from 1 to 1000"),
        ];
        for (query, words) in wrong {
            let error = asked(query).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
