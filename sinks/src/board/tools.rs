//! `/api/v1/tools`: which tools are out of service, and taking one out or returning it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ingest::entry::command::{NAME_CHARS_MAX, Order, REASON_CHARS_MAX, What};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::{Applied, ask, checked, key, no_messages, read};
use super::functions::level;
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::desk::Wish;
use crate::view::ToolView;

/// `/api/v1/tools/out_of_service`.
#[derive(Serialize, ToSchema)]
struct Tools<'a> {
    at_ms: i64,
    tools: &'a [ToolView],
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToolBody {
    actor: String,
    reason: Option<String>,
}

/// Tools whose exceptions call for nobody.
#[utoipa::path(
    get,
    path = "/api/v1/tools/out_of_service",
    tag = "exceptions",
    responses((status = 200, description = "By site and tool, at most 200", body = Tools))
)]
pub(super) async fn tools(State((board, _)): Shared) -> Response {
    let view = &board.now().view;
    Json(Tools { at_ms: view.at_ms, tools: &view.tools_out_of_service }).into_response()
}

/// Takes a tool out of service, as for calibration, which needs a reason; or returns it.
#[utoipa::path(
    post,
    path = "/api/v1/tools/{site}/{tool}/{verb}",
    tag = "exceptions",
    params(("site" = String, Path, description = "Of the tool"), ("tool" = String, Path, description = "As in its topics"), ("verb" = String, Path, pattern = "^(out_of_service|return_to_service)$")),
    request_body = ToolBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn service(
    State((board, _)): Shared,
    Path((site, tool, verb)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let ToolBody { actor, reason } = read(&headers, &body)?;
    let (site, tool) = (level("site", site)?, level("tool", tool)?);
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let reason = reason.map(|reason| checked("reason", reason, REASON_CHARS_MAX)).transpose()?;
    let what = match (verb.as_str(), reason) {
        ("out_of_service", Some(reason)) => What::OutOfService { site, tool, reason },
        ("return_to_service", reason) => What::ReturnToService { site, tool, reason },
        ("out_of_service", None) => {
            return Err(Problem::bad_request(
                "taking a tool out of service needs a `reason`, as `in calibration`",
            ));
        }
        (other, _) => {
            let detail =
                format!("a tool cannot be made to `{other}`; use out_of_service or return_to_service");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await
}
