//! What answers on which path.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::exceptions::ExceptionQuery;
use super::problem::Problem;
use super::{Board, commands, deliveries, functions, jobs, live, page, queues};
use crate::prometheus::Prometheus;
use crate::view::{Bay, ExceptionView, Status, UsageView};

/// A request may carry no more than this; but for messages, which may be larger.
const BODY_BYTES_MAX: usize = 64 * 1024;
const MESSAGES_BYTES_MAX: usize = 4 << 20;

/// The page loads from here alone, and nobody may put it in a frame.
const CONTENT_SECURITY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

pub(super) type Shared = State<(Board, Arc<Prometheus>)>;

/// All routes of the port.
pub(super) fn router(board: Board, prometheus: Arc<Prometheus>) -> Router {
    let with_messages = DefaultBodyLimit::max(MESSAGES_BYTES_MAX);
    let mut router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/status/gaps", get(commands::gaps))
        .route("/api/v1/status/devices", get(commands::devices))
        .route("/api/v1/configuration", get(configuration))
        .route("/api/v1/bays", get(bays))
        .route("/api/v1/exceptions", get(exceptions))
        .route("/api/v1/exceptions/{id}/{verb}", post(commands::exception))
        .route("/api/v1/quarantine", get(commands::quarantine))
        .route("/api/v1/quarantine/{record}", get(commands::record))
        .route("/api/v1/quarantine/{record}/replay", post(commands::replay).layer(with_messages))
        .route("/api/v1/imports/{recording}", post(commands::import).layer(with_messages))
        .route("/api/v1/usage", get(usage))
        .route("/api/v1/jobs", get(jobs::jobs).post(functions::card))
        .route("/api/v1/jobs/{job}", get(jobs::job))
        .route("/api/v1/jobs/{job}/release", post(functions::release))
        .route("/api/v1/jobs/{job}/inspections", get(queues::inspections))
        .route("/api/v1/jobs/{job}/lines", get(queues::lines))
        .route("/api/v1/jobs/{job}/lines/{line}/post", post(functions::post_line))
        .route("/api/v1/jobs/{job}/steps/{step}/{verb}", post(functions::step))
        .route("/api/v1/technicians/{technician}/steps", get(jobs::technician))
        .route("/api/v1/queues/{name}", get(queues::queue))
        .route("/api/v1/deliveries", get(deliveries::deliveries))
        .route("/api/v1/deliveries/{webhook}/{verb}", post(deliveries::decide))
        .route("/api/v1/live", get(live::live));
    for (path, kind, content) in page::FILES {
        router = router.route(path, get(async move || page::file(kind, content)));
    }
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(refuse_large_bodies))
        .layer(middleware::map_response(secure))
        .with_state((board, prometheus))
}

/// 200 when restored and subscribed; else 503 with the reasons. JSON, or text for who asks for text.
async fn readyz(State((board, _)): Shared, headers: HeaderMap) -> Response {
    #[derive(Serialize)]
    struct Readiness<'a> {
        ready: bool,
        reasons: &'a [String],
    }
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

async fn metrics(State((board, prometheus)): Shared) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    prometheus.set_live_clients(live::CLIENTS_MAX - board.live_seats.available_permits());
    (kind, prometheus.render(&board.now().view)).into_response()
}

async fn status(State((board, _)): Shared) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        at_ms: i64,
        #[serde(flatten)]
        status: &'a Status,
    }
    let view = &board.now().view;
    Json(Answer { at_ms: view.at_ms, status: &view.status }).into_response()
}

async fn configuration(State((board, _)): Shared) -> Response {
    Json(board.configuration.borrow().clone()).into_response()
}

async fn bays(State((board, _)): Shared) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        at_ms: i64,
        bays: &'a [Bay],
    }
    let view = &board.now().view;
    Json(Answer { at_ms: view.at_ms, bays: &view.bays }).into_response()
}

async fn exceptions(
    State((board, _)): Shared,
    query: Result<Query<ExceptionQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer<'a> {
        at_ms: i64,
        exceptions: Vec<&'a ExceptionView>,
        /// Matching ones that the limit cut off.
        beyond_limit: usize,
    }
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let view = &board.now().view;
    let (exceptions, beyond_limit) = query.select(&view.exceptions)?;
    Ok(Json(Answer { at_ms: view.at_ms, exceptions, beyond_limit }).into_response())
}

async fn usage(State((board, _)): Shared) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        at_ms: i64,
        usage: &'a [UsageView],
    }
    let view = &board.now().view;
    Json(Answer { at_ms: view.at_ms, usage: &view.usage }).into_response()
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

async fn refuse_large_bodies(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let has_messages = path.starts_with("/api/v1/imports/") || path.ends_with("/replay");
    let bytes_max = if has_messages { MESSAGES_BYTES_MAX } else { BODY_BYTES_MAX };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|bytes| bytes > bytes_max as u64) {
        let detail = format!("the request body is over {bytes_max} bytes; send less");
        let close = [(header::CONNECTION, "close")];
        return (close, Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)).into_response();
    }
    next.run(request).await
}

/// On every answer. Data is for now, so it is not kept, unless a route says otherwise.
async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
