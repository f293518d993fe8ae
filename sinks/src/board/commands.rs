//! What people do over HTTP: POST routes, and what they ask that is in no picture.
//!
//! Each POST carries an `Idempotency-Key`: the same key is applied once and answered alike, whenever it is asked again
//! while it is among those of the newest 10,000 commands.
//! That header and the JSON content type are what no page of another origin can send unasked; one that does send an
//! `Origin` other than ours is refused, and so is whoever
//! is not on this machine. Actors are taken at their word: there are no logins yet.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::entry::command::{NAME_CHARS_MAX, Order, REASON_CHARS_MAX, What};
use ingest::entry::{Intake, IntakeBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::channels::{ChannelQuery, Devices, Gaps};
use crate::desk::{Reply, Wish};

/// How long an answer may take: a disk that is full holds it up.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExceptionBody {
    actor: String,
    reason: Option<String>,
    duration_s: Option<u32>,
}

/// What somebody does about an exception. Shelving needs a reason and a duration, a reset a reason.
#[utoipa::path(
    post,
    path = "/api/v1/exceptions/{id}/{verb}",
    tag = "exceptions",
    params(("id" = String, Path, description = "Of the exception"), ("verb" = String, Path, pattern = "^(acknowledge|shelve|unshelve|reset)$")),
    request_body = ExceptionBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn exception(
    State((board, _)): Shared,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let ExceptionBody { actor, reason, duration_s } = read(&headers, &body)?;
    let exception = checked("id", id, NAME_CHARS_MAX)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let reason = reason.map(|reason| checked("reason", reason, REASON_CHARS_MAX)).transpose()?;
    if duration_s.is_some() && verb != "shelve" {
        return Err(Problem::bad_request(format!("`duration_s` has no meaning for `{verb}`; leave it out")));
    }
    let what = match (verb.as_str(), reason, duration_s) {
        ("acknowledge", reason, _) => What::Acknowledge { exception, reason },
        ("unshelve", reason, _) => What::Unshelve { exception, reason },
        ("shelve", Some(reason), Some(duration_s)) => What::Shelve { exception, reason, duration_s },
        ("reset", Some(reason), _) => What::Reset { exception, reason },
        ("reset", ..) => {
            return Err(Problem::bad_request("a reset needs a `reason`: what was done about it"));
        }
        ("shelve", ..) => {
            let detail = "shelving needs a `reason` and a `duration_s`, at most 28800 (8 h)";
            return Err(Problem::bad_request(detail));
        }
        (other, ..) => {
            let detail = format!(
                "an exception cannot be made to `{other}`; use acknowledge, shelve, unshelve or reset"
            );
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await
}

/// Which messages of which device have never come.
#[utoipa::path(
    get,
    path = "/api/v1/status/gaps",
    tag = "service",
    params(ChannelQuery),
    responses((status = 200, description = "Sequence numbers that have not come", body = Gaps))
)]
pub(super) async fn gaps(
    State((board, _)): Shared,
    query: Result<Query<ChannelQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Gaps(query)).await
}

/// What came in and where it went, device by device.
#[utoipa::path(
    get,
    path = "/api/v1/status/devices",
    tag = "service",
    params(ChannelQuery),
    responses((status = 200, description = "The conservation law, device by device", body = Devices))
)]
pub(super) async fn devices(
    State((board, _)): Shared,
    query: Result<Query<ChannelQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Devices(query)).await
}

/// The answer to a command.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Applied {
    /// Of its entry in the journal.
    offset: u64,
    /// `applied`, or `out_of_line` for a piece of a recording that is not the next one.
    outcome: String,
    detail: String,
    /// Ordinal of the first message that it brought.
    message: Option<u64>,
    /// Messages of the recording that are in.
    imported: Option<u64>,
}

pub(super) async fn ask(board: &super::Board, wish: Wish) -> Result<Response, Problem> {
    answered(board, wish).await.map(|body| Json(body).into_response())
}

/// The answer to a wish, where it went well.
pub(super) async fn answered(board: &super::Board, wish: Wish) -> Result<Value, Problem> {
    let Some(desk) = &board.desk else {
        let detail = "this board shows and does nothing else; ask the service itself";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let Ok(Reply { status, body }) = tokio::time::timeout(PATIENCE, desk.ask(wish)).await else {
        let detail = format!(
            "no answer within {} s, and it may still be applied; ask again with the same key",
            PATIENCE.as_secs()
        );
        return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_success() {
        return Ok(body);
    }
    Err(Problem::new(status, body.as_str().unwrap_or_default()))
}

pub(super) fn no_messages() -> Intake {
    IntakeBuilder::new().finish(0)
}

pub(super) fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::trim);
    let is_fit = |key: &&str| !key.is_empty() && key.len() <= NAME_CHARS_MAX;
    key.filter(is_fit).map(str::to_owned).ok_or_else(|| {
        Problem::bad_request(format!(
            "the header `Idempotency-Key` is missing or longer than {NAME_CHARS_MAX} letters; send a new one, such \
             as a UUID, with each command, and the same one with each repeat of it"
        ))
    })
}

/// Refuses what a page of another origin sends.
pub(super) fn of_our_page(headers: &HeaderMap) -> Result<(), Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(origin), host) = (header(header::ORIGIN), header(header::HOST)) {
        let from = origin.split_once("://").map(|(_, from)| from);
        if from.is_none() || from != host {
            let detail = format!("a page of `{origin}` may not give commands; open the board itself");
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
    }
    Ok(())
}

pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    of_our_page(headers)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
        let detail = format!("the body is `{kind}`; send `Content-Type: application/json`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is not as it should be: {error}")))
}

pub(super) fn checked(name: &str, value: String, chars_max: usize) -> Result<String, Problem> {
    let chars = value.chars().count();
    if value.trim().is_empty() || chars > chars_max || value.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "`{name}` has {chars} letters; give 1 to {chars_max}, no line breaks among them"
        )));
    }
    Ok(value)
}
