//! `/api/v1/deliveries`: how far couriers are, and what is done about an item that waits for a person.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ingest::entry::command::{NAME_CHARS_MAX, Order, Progress, REASON_CHARS_MAX, What};
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{Applied, answered, ask, checked, key, no_messages, read};
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::desk::Wish;
use crate::view::Deliveries;

/// How far couriers are.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    tag = "queues",
    responses((status = 200, description = "How far couriers are", body = Deliveries))
)]
pub(super) async fn deliveries(State((board, _)): Shared) -> Result<Response, Problem> {
    ask(&board, Wish::Deliveries).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    actor: String,
    /// The one that is held: so that nobody decides about another one that has come to wait meanwhile.
    item: u64,
    reason: String,
}

/// Decides about an item that waits for a person.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{courier}/{verb}",
    tag = "queues",
    params(("courier" = String, Path, description = "Its name"), ("verb" = String, Path, pattern = "^(resend|skip)$")),
    request_body = DecisionBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn decide(
    State((board, _)): Shared,
    Path((courier, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let DecisionBody { actor, item, reason } = read(&headers, &body)?;
    let progress = match verb.as_str() {
        "resend" => Progress::Resend,
        "skip" => Progress::Skip,
        other => {
            let detail = format!("an item cannot be made to `{other}`; use resend or skip");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let detail = checked("reason", reason, REASON_CHARS_MAX)?;
    let all = answered(&board, Wish::Deliveries).await?;
    let of_courier = |delivery: &&serde_json::Value| delivery["courier"] == *courier;
    let known = all["deliveries"].as_array().and_then(|all| all.iter().find(of_courier));
    let Some(queue) = known.and_then(|known| known["queue"].as_str()).map(str::to_owned) else {
        let detail = format!("there is no courier `{courier}`; GET /api/v1/deliveries lists them");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let what = What::Deliver { courier, queue, item, progress, detail };
    ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await
}
