//! What answers on which path.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::exceptions::ExceptionQuery;
use super::guards::{self, BODY_BYTES_MAX, MESSAGES_BYTES_MAX};
use super::problem::Problem;
use super::{
    Board, Configuration, commands, deliveries, functions, jobs, live, openapi, page, pages, quarantine,
    queues, sql, technicians, tools,
};
use crate::prometheus::Prometheus;
use crate::view::{Bay, ExceptionView, FloodView, Status, UsageView};

pub(super) type Shared = State<(Board, Arc<Prometheus>)>;

/// All routes of the port.
pub(super) fn router(board: Board, prometheus: Arc<Prometheus>) -> Router {
    let with_messages = DefaultBodyLimit::max(MESSAGES_BYTES_MAX);
    let (router, description) = OpenApiRouter::with_openapi(openapi::begun())
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(status))
        .routes(routes!(commands::gaps))
        .routes(routes!(commands::devices))
        .routes(routes!(configuration))
        .routes(routes!(bays))
        .routes(routes!(exceptions))
        .routes(routes!(floods))
        .routes(routes!(pages::exceptions))
        .routes(routes!(commands::exception))
        .routes(routes!(tools::tools))
        .routes(routes!(tools::service))
        .routes(routes!(quarantine::quarantine))
        .routes(routes!(quarantine::record))
        .routes(routes!(quarantine::replay).layer(with_messages))
        .routes(routes!(quarantine::import).layer(with_messages))
        .routes(routes!(usage))
        .routes(routes!(queues::balances))
        .routes(routes!(pages::usage))
        .routes(routes!(pages::ledger))
        .routes(routes!(jobs::jobs, functions::card))
        .routes(routes!(jobs::job))
        .routes(routes!(functions::release))
        .routes(routes!(queues::inspections))
        .routes(routes!(queues::lines))
        .routes(routes!(functions::post_line))
        .routes(routes!(functions::step))
        .routes(routes!(technicians::steps))
        .routes(routes!(technicians::live))
        .routes(routes!(queues::queue))
        .routes(routes!(deliveries::deliveries))
        .routes(routes!(deliveries::decide))
        .routes(routes!(sql::sql))
        .routes(routes!(live::live))
        .split_for_parts();
    let description = openapi::finished(description);
    let mut router = router.route(openapi::PATH, get(async move || Json(description.clone())));
    for (path, kind, content) in page::FILES {
        router = router.route(path, get(async move || page::file(kind, content)));
    }
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guards::refuse_large_bodies))
        .layer(middleware::from_fn(guards::refuse_commands_from_elsewhere))
        .layer(middleware::map_response(guards::secure))
        .with_state((board, prometheus))
}

/// `/readyz`.
#[derive(Serialize, ToSchema)]
struct Readiness<'a> {
    ready: bool,
    reasons: &'a [String],
}

/// `/api/v1/status`.
#[derive(Serialize, ToSchema)]
struct StatusNow<'a> {
    /// Wall time of the picture, ms since 1970 UTC.
    at_ms: i64,
    #[serde(flatten)]
    status: &'a Status,
}

/// `/api/v1/bays`.
#[derive(Serialize, ToSchema)]
struct Bays<'a> {
    at_ms: i64,
    bays: &'a [Bay],
}

/// `/api/v1/exceptions`.
#[derive(Serialize, ToSchema)]
struct Exceptions<'a> {
    at_ms: i64,
    exceptions: Vec<&'a ExceptionView>,
    /// Matching ones that the limit cut off.
    beyond_limit: usize,
}

/// `/api/v1/exceptions/flood`.
#[derive(Serialize, ToSchema)]
struct Floods<'a> {
    at_ms: i64,
    sites: &'a [FloodView],
}

/// `/api/v1/usage`.
#[derive(Serialize, ToSchema)]
struct Usage<'a> {
    at_ms: i64,
    usage: &'a [UsageView],
}

/// 200 when restored and subscribed; else 503 with the reasons. JSON, or text for who asks for text.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses((status = 200, description = "Restored and subscribed", content((Readiness = "application/json"), (String = "text/plain"))), (status = 503, description = "Why not", content((Readiness = "application/json"), (String = "text/plain"))))
)]
async fn readyz(State((board, _)): Shared, headers: HeaderMap) -> Response {
    let picture = board.now();
    let reasons = &picture.view.status.not_ready;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accepted.contains("text/") && !accepted.contains("json") {
        let text: String = reasons.iter().map(|reason| format!("not ready: {reason}\n")).collect();
        return (status, if text.is_empty() { "ready\n".to_owned() } else { text }).into_response();
    }
    (status, Json(Readiness { ready: reasons.is_empty(), reasons })).into_response()
}

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "service",
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain"))
)]
async fn livez() -> &'static str {
    "ok\n"
}

/// All figures, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, description = "For Prometheus", body = String, content_type = "text/plain"))
)]
async fn metrics(State((board, prometheus)): Shared) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    prometheus.set_live_clients(live::CLIENTS_MAX - board.live_seats.available_permits());
    (kind, prometheus.render(&board.now().view)).into_response()
}

/// How the service is: the conservation law, lags, latencies.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "service",
    responses((status = 200, description = "Counts, lags, latencies", body = StatusNow))
)]
async fn status(State((board, _)): Shared) -> Response {
    let view = &board.now().view;
    Json(StatusNow { at_ms: view.at_ms, status: &view.status }).into_response()
}

/// The configuration that applies.
#[utoipa::path(
    get,
    path = "/api/v1/configuration",
    tag = "service",
    responses((status = 200, description = "What applies; secrets are references in it", body = Configuration))
)]
async fn configuration(State((board, _)): Shared) -> Response {
    Json(board.configuration.borrow().clone()).into_response()
}

/// The bays as the board shows them.
#[utoipa::path(
    get,
    path = "/api/v1/bays",
    tag = "service",
    responses((status = 200, description = "A tile a bay", body = Bays))
)]
async fn bays(State((board, _)): Shared) -> Response {
    let view = &board.now().view;
    Json(Bays { at_ms: view.at_ms, bays: &view.bays }).into_response()
}

/// Exceptions, open ones first.
#[utoipa::path(
    get,
    path = "/api/v1/exceptions",
    tag = "exceptions",
    params(ExceptionQuery),
    responses((status = 200, description = "Open ones first", body = Exceptions))
)]
async fn exceptions(
    State((board, _)): Shared,
    query: Result<Query<ExceptionQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let view = &board.now().view;
    let (exceptions, beyond_limit) = query.select(&view.exceptions)?;
    Ok(Json(Exceptions { at_ms: view.at_ms, exceptions, beyond_limit }).into_response())
}

/// How many exceptions call at once, and which most.
#[utoipa::path(
    get,
    path = "/api/v1/exceptions/flood",
    tag = "exceptions",
    responses((status = 200, description = "By site", body = Floods))
)]
async fn floods(State((board, _)): Shared) -> Response {
    let view = &board.now().view;
    Json(Floods { at_ms: view.at_ms, sites: &view.floods }).into_response()
}

/// What steps used, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    tag = "jobs",
    responses((status = 200, description = "Newest bookings first", body = Usage))
)]
async fn usage(State((board, _)): Shared) -> Response {
    let view = &board.now().view;
    Json(Usage { at_ms: view.at_ms, usage: &view.usage }).into_response()
}

async fn unknown_route(uri: Uri) -> Problem {
    let detail = format!("nothing is at `{}`; the board is at /, the data under /api/v1/", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let other = if method == Method::GET { "POST" } else { "GET" };
    let detail = format!("`{}` does not take {method}; use {other}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
