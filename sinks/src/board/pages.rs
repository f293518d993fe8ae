//! What may be as long as history, page by page, as JSON or as CSV for a spreadsheet: `/api/v1/ledger`,
//! `/api/v1/exceptions/history`, `/api/v1/usage/history`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::Board;
use super::commands::answered;
use super::exceptions::{SEVERITIES, unknown};
use super::problem::Problem;
use super::queues::{csv, is_csv};
use super::routes::Shared;
use crate::desk::Wish;
use crate::store::reader::{ITEMS_MAX, PageQuestion, Paged, Question};

/// Which page, in the terms of every list.
#[derive(Debug, Default)]
struct Page {
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    format: Option<String>,
}

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

/// `?site=…&bay=…&tool=…&job=…&rule=…&severity=…&from=…&to=…&after=…&limit=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PastExceptionQuery {
    site: Option<String>,
    bay: Option<String>,
    tool: Option<String>,
    job: Option<String>,
    rule: Option<String>,
    severity: Option<String>,
    /// Raised at this time or later: ms since 1970, or as 2026-11-22T07:34:00Z.
    from: Option<String>,
    /// Raised before this time.
    to: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = r"^-?\d{1,15}-[0-9a-f]{32}$")]
    after: Option<String>,
    /// From 1 to 1000, 100 if not given.
    limit: Option<u32>,
    format: Option<String>,
}

/// `?site=…&bay=…&job=…&resource=…&from=…&to=…&after=…&limit=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PastUsageQuery {
    site: Option<String>,
    bay: Option<String>,
    job: Option<String>,
    resource: Option<String>,
    /// Of steps that ended at this time or later: ms since 1970, or as 2026-11-22T07:34:00Z.
    from: Option<String>,
    /// Before this time.
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
    let LedgerQuery { site, job, lot, resource, from, to, after, limit, format } = query;
    let named = [("site", site), ("job", job), ("lot", lot), ("resource", resource)];
    let page = Page { from, to, after, limit, format };
    answer(&board, &headers, ("ledger", Paged::Ledger), named, page).await
}

/// Exceptions that fit all that is named, by the time at which they were raised, each as it was told last.
#[utoipa::path(
    get,
    path = "/api/v1/exceptions/history",
    tag = "exceptions",
    params(PastExceptionQuery),
    responses((status = 200, description = "A page of exceptions; `next` is where to go on, null behind the last", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn exceptions(
    State((board, _)): Shared,
    query: Result<Query<PastExceptionQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let PastExceptionQuery { site, bay, tool, job, rule, severity, from, to, after, limit, format } = query;
    if let Some(other) = severity.as_deref().filter(|severity| !SEVERITIES.contains(severity)) {
        return Err(unknown("severity", other, &SEVERITIES));
    }
    let named =
        [("site", site), ("bay", bay), ("tool", tool), ("job", job), ("rule", rule), ("severity", severity)];
    let page = Page { from, to, after, limit, format };
    answer(&board, &headers, ("exceptions", Paged::Exceptions), named, page).await
}

/// What steps used, by the end of the step: all that fits what is named.
#[utoipa::path(
    get,
    path = "/api/v1/usage/history",
    tag = "jobs",
    params(PastUsageQuery),
    responses((status = 200, description = "A page of rows; `next` is where to go on, null behind the last", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn usage(
    State((board, _)): Shared,
    query: Result<Query<PastUsageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let PastUsageQuery { site, bay, job, resource, from, to, after, limit, format } = query;
    let named = [("site", site), ("bay", bay), ("job", job), ("resource", resource)];
    let page = Page { from, to, after, limit, format };
    answer(&board, &headers, ("usage", Paged::Usage), named, page).await
}

async fn answer<const N: usize>(
    board: &Board,
    headers: &HeaderMap,
    (list, of): (&str, Paged),
    named: [(&'static str, Option<String>); N],
    page: Page,
) -> Result<Response, Problem> {
    let is_csv = is_csv(headers, page.format.as_deref())?;
    let question = page.question(of, named)?;
    let limit = question.limit as usize;
    let found = answered(board, Wish::Store(Question::Page(question))).await?;
    let mut rows = found.as_array().cloned().unwrap_or_default();
    for flag in rows.iter_mut().filter_map(|row| row.get_mut("final")) {
        *flag = json!(*flag == 1);
    }
    if is_csv {
        return Ok(csv(&rows));
    }
    let next = rows.last().filter(|_| rows.len() >= limit).and_then(|row| cursor(of, row));
    Ok(axum::Json(json!({ list: rows, "next": next })).into_response())
}

impl Page {
    fn question<const N: usize>(
        self,
        of: Paged,
        named: [(&'static str, Option<String>); N],
    ) -> Result<PageQuestion, Problem> {
        let Page { from, to, after, limit, format: _ } = self;
        let limit = limit.unwrap_or(100);
        if !(1..=ITEMS_MAX).contains(&limit) {
            let detail = format!("`limit` is {limit}; give a number from 1 to {ITEMS_MAX}");
            return Err(Problem::bad_request(detail));
        }
        let moment = |name: &str, text: Option<String>| text.map(|text| time_ms(name, &text)).transpose();
        let (from_ms, to_ms) = (moment("from", from)?, moment("to", to)?);
        let after = after.map(|after| place(&after)).transpose()?;
        let named = named.into_iter().filter_map(|(column, value)| Some((column, value?)));
        Ok(PageQuestion { of, named: named.collect(), from_ms, to_ms, after, limit })
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

/// What stands behind a row: its time and its id.
fn cursor(of: Paged, row: &Value) -> Option<String> {
    Some(format!("{}-{}", row[of.time()].as_i64()?, row[of.id()].as_str()?))
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

    fn asked(page: Page) -> Result<PageQuestion, String> {
        page.question(Paged::Ledger, [("job", None), ("lot", Some("D-0422".to_owned()))])
            .map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn times_are_numbers_or_written_out_and_a_page_goes_on_behind_the_one_before() {
        let id = "0123456789abcdef0123456789abcdef";
        let text = |text: &str| Some(text.to_owned());
        let page = Page {
            from: text("2026-11-22T07:34:00.123Z"),
            to: text("1795332900000"),
            after: cursor(Paged::Ledger, &json!({"last_ts_ms": -5, "id": id})),
            ..Page::default()
        };
        let expected = PageQuestion {
            of: Paged::Ledger,
            named: vec![("lot", "D-0422".to_owned())],
            from_ms: Some(1_795_332_840_123),
            to_ms: Some(1_795_332_900_000),
            after: Some((-5, id.to_owned())),
            limit: 100,
        };
        assert_eq!(asked(page), Ok(expected));
    }

    #[test]
    fn what_cannot_be_is_named_with_what_to_write() {
        let text = |text: &str| Some(text.to_owned());
        let wrong = [
            (Page { from: text("monday"), ..Page::default() }, "`from` cannot be `monday`"),
            (Page { after: text("7"), ..Page::default() }, "take the `next` of a page"),
            (Page { after: text("7-é"), ..Page::default() }, "take the `next` of a page"),
            (Page { limit: Some(0), ..Page::default() }, "give a number from 1 to 1000"),
        ];
        for (page, words) in wrong {
            let error = asked(page).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
