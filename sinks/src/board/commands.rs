//! What people do over HTTP: POST routes, and what they ask that is in no picture.
//!
//! Each POST carries an `Idempotency-Key`: the same key is applied once and answered alike, whenever it is asked again.
//! That header and the JSON content type are what no page of another origin can send unasked; one that does send an
//! `Origin` other than ours is refused. Actors are taken at their word: there are no logins yet.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use ingest::entry::command::{NAME_CHARS_MAX, Order, REASON_CHARS_MAX, What};
use ingest::entry::{Intake, IntakeBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;
use super::routes::Shared;
use crate::channels::ChannelQuery;
use crate::desk::{QuarantineQuery, Reply, Wish};

/// How long an answer may take: a disk that is full holds it up.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionBody {
    actor: String,
    reason: Option<String>,
    duration_s: Option<u32>,
}

/// `POST /api/v1/exceptions/{id}/acknowledge|shelve|unshelve|reset`.
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    actor: String,
    reason: Option<String>,
    topic: Option<String>,
    payload_base64: Option<String>,
}

/// `POST /api/v1/quarantine/{record}/replay`.
pub(super) async fn replay(
    State((board, _)): Shared,
    Path(record): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let ReplayBody { actor, reason, topic, payload_base64 } = read(&headers, &body)?;
    let wish = Wish::Replay {
        actor: checked("actor", actor, NAME_CHARS_MAX)?,
        key,
        record: checked("record", record, NAME_CHARS_MAX)?,
        topic: topic.map(|topic| checked("topic", topic, 65_535)).transpose()?,
        payload: payload_base64.map(|payload| decoded(&payload)).transpose()?,
        reason: reason.map(|reason| checked("reason", reason, REASON_CHARS_MAX)).transpose()?,
    };
    ask(&board, wish).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    actor: String,
    /// Messages of the recording before the first of these.
    from: u64,
    messages: Vec<ImportedMessage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportedMessage {
    topic: String,
    arrived_ms: i64,
    payload_base64: String,
}

/// `POST /api/v1/imports/{recording}`: the next piece of it. Without messages it tells how many are in.
pub(super) async fn import(
    State((board, _)): Shared,
    Path(recording): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let ImportBody { actor, from, messages } = read(&headers, &body)?;
    let mut builder = IntakeBuilder::new();
    for message in &messages {
        builder.push(&message.topic, &decoded(&message.payload_base64)?, message.arrived_ms);
    }
    let recording = checked("recording", recording, NAME_CHARS_MAX)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let order = Order { actor, key, what: What::Import { recording, from } };
    ask(&board, Wish::Order(order, builder.finish(0))).await
}

/// `GET /api/v1/quarantine`.
pub(super) async fn quarantine(
    State((board, _)): Shared,
    query: Result<Query<QuarantineQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Quarantine(query)).await
}

/// `GET /api/v1/quarantine/{record}`.
pub(super) async fn record(
    State((board, _)): Shared,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    ask(&board, Wish::Record(checked("record", record, NAME_CHARS_MAX)?)).await
}

/// `GET /api/v1/status/gaps`.
pub(super) async fn gaps(
    State((board, _)): Shared,
    query: Result<Query<ChannelQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Gaps(query)).await
}

/// `GET /api/v1/status/devices`.
pub(super) async fn devices(
    State((board, _)): Shared,
    query: Result<Query<ChannelQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Devices(query)).await
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

pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(origin), host) = (header(header::ORIGIN), header(header::HOST)) {
        let from = origin.split_once("://").map(|(_, from)| from);
        if from.is_none() || from != host {
            let detail = format!("a page of `{origin}` may not give commands; open the board itself");
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
    }
    let kind = header(header::CONTENT_TYPE).unwrap_or_default();
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

fn decoded(payload: &str) -> Result<Vec<u8>, Problem> {
    let payload = base64::engine::general_purpose::STANDARD.decode(payload);
    payload.map_err(|error| Problem::bad_request(format!("`payload_base64` is no base64: {error}")))
}
