//! `/api/v1/queues/{name}`, and what else the store is asked: as JSON, or as CSV for a spreadsheet.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::commands::answered;
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::desk::Wish;
use crate::store::reader::{ITEMS_MAX, Question, ROWS_MAX};

/// Names of queues.
const QUEUES: [&str; 3] = ["billing", "notifications", "audit"];

/// `?from=…&limit=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QueueQuery {
    from: Option<u64>,
    limit: Option<u32>,
    format: Option<String>,
}

/// `?site=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RowsQuery {
    site: Option<String>,
    format: Option<String>,
}

/// Items of a queue from an offset on. `next` is where to go on.
#[utoipa::path(
    get,
    path = "/api/v1/queues/{name}",
    tag = "queues",
    params(("name" = String, Path, pattern = "^(billing|notifications|audit)$"), QueueQuery),
    responses((status = 200, description = "Items from an offset on; `next` is where to go on", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn queue(
    State((board, _)): Shared,
    Path(name): Path<String>,
    query: Result<Query<QueueQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(QueueQuery { from, limit, format }) =
        query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    if !QUEUES.contains(&name.as_str()) {
        let detail = format!("there is no queue `{name}`; there are {}", QUEUES.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let limit = limit.unwrap_or(100);
    if !(1..=ITEMS_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is {limit}; give a number from 1 to {ITEMS_MAX}")));
    }
    let from = from.unwrap_or(1).max(1);
    let is_csv = is_csv(&headers, format.as_deref())?;
    let question = Question::Queue { name: name.clone(), from, limit };
    let items = answered(&board, Wish::Store(question)).await?;
    let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
    if is_csv {
        return Ok(csv(&rows.iter().map(flat).collect::<Vec<_>>()));
    }
    let next = rows.last().and_then(|item| item["offset"].as_u64()).map_or(from, |last| last + 1);
    Ok(axum::Json(json!({ "queue": name, "items": rows, "next": next })).into_response())
}

/// The bill of a job.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job}/lines",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job"), RowsQuery),
    responses((status = 200, description = "Priced lines", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn lines(
    State((board, _)): Shared,
    Path(job): Path<String>,
    query: Result<Query<RowsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(RowsQuery { site, format }) =
        query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let is_csv = is_csv(&headers, format.as_deref())?;
    let lines = answered(&board, Wish::Store(Question::Lines { site, job })).await?;
    let rows = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    if is_csv { Ok(csv(rows)) } else { Ok(axum::Json(json!({ "lines": rows })).into_response()) }
}

/// Inspection records of a job with their evidence.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job}/inspections",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job"), super::jobs::SiteQuery),
    responses((status = 200, description = "Records with their evidence", body = Object))
)]
pub(super) async fn inspections(
    State((board, _)): Shared,
    Path(job): Path<String>,
    query: Result<Query<super::jobs::SiteQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let question = Question::Inspections { site: query.site, job };
    let records = answered(&board, Wish::Store(question)).await?;
    Ok(axum::Json(json!({ "inspections": records })).into_response())
}

/// `?site=…&date=…&format=json|csv`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BalancesQuery {
    site: Option<String>,
    /// Of the site's calendar, as 2026-03-29; the newest of each site, if not given.
    #[param(pattern = r"^\d{4}-\d{2}-\d{2}$")]
    date: Option<String>,
    format: Option<String>,
}

/// What meters, dispensers and tanks showed in a day, and where it went.
#[utoipa::path(
    get,
    path = "/api/v1/balances",
    tag = "jobs",
    params(BalancesQuery),
    responses((status = 200, description = "Balances of a day; `is_cut` where there are more than an answer holds", content((Object = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn balances(
    State((board, _)): Shared,
    query: Result<Query<BalancesQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(BalancesQuery { site, date, format }) =
        query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    if let Some(date) = &date
        && !is_date(date)
    {
        return Err(Problem::bad_request(format!("`date` cannot be `{date}`; write it as 2026-03-29")));
    }
    let is_csv = is_csv(&headers, format.as_deref())?;
    let found = answered(&board, Wish::Store(Question::Balances { site, date })).await?;
    let mut rows = found.as_array().cloned().unwrap_or_default();
    for row in &mut rows {
        row["final"] = json!(row["final"] == 1);
    }
    if is_csv {
        return Ok(csv(&rows));
    }
    let is_cut = rows.len() >= ROWS_MAX as usize;
    Ok(axum::Json(json!({ "balances": rows, "is_cut": is_cut })).into_response())
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 3
        && parts
            .iter()
            .zip([4, 2, 2])
            .all(|(part, digits)| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn is_csv(headers: &HeaderMap, format: Option<&str>) -> Result<bool, Problem> {
    match format {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => Err(Problem::bad_request(format!("`format` cannot be `{other}`; use json or csv"))),
        None => {
            let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
            Ok(accepted.contains("text/csv"))
        }
    }
}

/// An item with the members of its body beside the others.
fn flat(item: &Value) -> Value {
    let mut flat = item.clone();
    if let (Some(object), Some(Value::Object(body))) = (flat.as_object_mut(), item.get("body")) {
        object.remove("body");
        for (name, value) in body {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    flat
}

/// As RFC 4180 has it: all columns that any row has, in the order of their names.
pub(super) fn csv(rows: &[Value]) -> Response {
    let objects = || rows.iter().filter_map(Value::as_object);
    let columns: std::collections::BTreeSet<&String> = objects().flat_map(|row| row.keys()).collect();
    let line = |cells: Vec<String>| cells.join(",") + "\r\n";
    let mut text = line(columns.iter().map(|name| cell(&Value::String((*name).clone()))).collect());
    for row in objects() {
        text += &line(columns.iter().map(|name| row.get(*name).map_or(String::new(), cell)).collect());
    }
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response()
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // A spreadsheet would take what begins so for a formula.
    let is_formula = matches!(value, Value::String(_)) && text.starts_with(['=', '+', '-', '@']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
