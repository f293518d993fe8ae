//! `/api/v1/quarantine`, `/api/v1/imports`: what could not be used, and recordings that become history.

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use ingest::entry::IntakeBuilder;
use ingest::entry::command::{NAME_CHARS_MAX, Order, REASON_CHARS_MAX, What};
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{Applied, ask, checked, key, read};
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::desk::{QuarantineQuery, Wish};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    actor: String,
    reason: Option<String>,
    topic: Option<String>,
    payload_base64: Option<String>,
}

/// Tries a record again, perhaps with another payload or topic.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{record}/replay",
    tag = "quarantine",
    params(("record" = String, Path, description = "Row id of the record")),
    request_body = ReplayBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    actor: String,
    /// Messages of the recording before the first of these.
    from: u64,
    messages: Vec<ImportedMessage>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportedMessage {
    topic: String,
    arrived_ms: i64,
    payload_base64: String,
}

/// The next piece of a recording. Without messages it tells how many are in.
#[utoipa::path(
    post,
    path = "/api/v1/imports/{recording}",
    tag = "quarantine",
    params(("recording" = String, Path, description = "A name for it, the same for all its pieces")),
    request_body = ImportBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
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

/// What could not be used, and why.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine",
    tag = "quarantine",
    params(QuarantineQuery),
    responses((status = 200, description = "A page, newest first", body = Object))
)]
pub(super) async fn quarantine(
    State((board, _)): Shared,
    query: Result<Query<QuarantineQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    ask(&board, Wish::Quarantine(query)).await
}

/// One record of quarantine.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine/{record}",
    tag = "quarantine",
    params(("record" = String, Path, description = "Row id of the record")),
    responses((status = 200, description = "The record with its bytes", body = Object))
)]
pub(super) async fn record(
    State((board, _)): Shared,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    ask(&board, Wish::Record(checked("record", record, NAME_CHARS_MAX)?)).await
}

fn decoded(payload: &str) -> Result<Vec<u8>, Problem> {
    let payload = base64::engine::general_purpose::STANDARD.decode(payload);
    payload.map_err(|error| Problem::bad_request(format!("`payload_base64` is no base64: {error}")))
}
