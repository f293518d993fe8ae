//! What people do about jobs over HTTP: take a card in, work on steps, sign, hand over, post what is held.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ingest::entry::command::{NAME_CHARS_MAX, Order, REASON_CHARS_MAX, StepVerb, What};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::commands::{Applied, ask, checked, key, no_messages, read};
use super::jobs::find;
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::desk::{Says, Wish};

/// Of a unit.
const PRICE_MAX: f64 = 1e9;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CardBody {
    actor: String,
    site: String,
    /// As on `workshop/{site}/jobs`.
    #[schema(value_type = Object)]
    card: Map<String, Value>,
}

/// Takes a job card in, as on `workshop/{site}/jobs`.
#[utoipa::path(
    post,
    path = "/api/v1/jobs",
    tag = "jobs",
    request_body = CardBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn card(
    State((board, _)): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let CardBody { actor, site, card } = read(&headers, &body)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let site = level("site", site)?;
    let Some(job) = card.get("job").and_then(Value::as_str) else {
        return Err(Problem::bad_request("`card.job` is missing: the name of the job, as a text"));
    };
    let job = checked("card.job", job.to_owned(), NAME_CHARS_MAX)?;
    let order = Order { actor, key, what: What::Card { site: site.clone(), job } };
    ask(&board, Wish::Bring { order, says: Says::Card { site }, payload: card }).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StepBody {
    actor: String,
    site: Option<String>,
    bay: Option<String>,
    reason: Option<String>,
    note: Option<String>,
}

/// Work on a step, and what QA says of it. A pause needs a reason.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job}/steps/{step}/{verb}",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job"), ("step" = String, Path, description = "Name of the step"), ("verb" = String, Path, pattern = "^(start|pause|resume|finish|sign_off|rework)$")),
    request_body = StepBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn step(
    State((board, _)): Shared,
    Path((job, step, verb)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let StepBody { actor, site, bay, reason, note } = read(&headers, &body)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let text =
        |name: &str, text: Option<String>| text.map(|text| checked(name, text, REASON_CHARS_MAX)).transpose();
    let (reason, note) = (text("reason", reason)?, text("note", note)?);
    let picture = board.now();
    let known = find(&picture.view.jobs, site.as_deref(), &job)?;
    let site = known.site.clone();
    let verb = match verb.as_str() {
        "sign_off" | "rework" => {
            let rework = verb == "rework";
            if bay.is_some() || reason.is_some() {
                return Err(Problem::bad_request(format!(
                    "`bay` and `reason` have no meaning for `{verb}`; say `note`"
                )));
            }
            let what = What::SignOff { site, job, step, rework, note };
            return ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await;
        }
        "start" => StepVerb::Start,
        "pause" => StepVerb::Pause,
        "resume" => StepVerb::Resume,
        "finish" => StepVerb::Finish,
        other => {
            let detail = format!(
                "a step cannot be made to `{other}`; use start, pause, resume, finish, sign_off or rework"
            );
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    if note.is_some() {
        return Err(Problem::bad_request("`note` has no meaning here; say `reason`"));
    }
    if verb == StepVerb::Pause && reason.is_none() {
        return Err(Problem::bad_request("a pause needs a `reason`, such as \"waiting for parts\""));
    }
    let planned = known.steps.iter().find(|known| known.step == step);
    let bay = bay.or_else(|| planned.and_then(|planned| planned.bay.clone()));
    let Some(bay) = bay else {
        return Err(Problem::bad_request(format!("step {step} is on no bay yet; name the `bay`")));
    };
    let bay = level("bay", bay)?;
    let payload = json!({ "job": job, "step": step, "technician": actor, "event": verb.event() });
    let Value::Object(payload) = payload else { unreachable!("it is an object") };
    let says = Says::Step { site: site.clone(), bay: bay.clone() };
    let what = What::Step { site, bay, job, step, verb, reason };
    ask(&board, Wish::Bring { order: Order { actor, key, what }, says, payload }).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    actor: String,
    site: Option<String>,
    reason: Option<String>,
}

/// Hands a job over. Refused while something of it is open; steps that are not done ask for a reason.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job}/release",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job")),
    request_body = ReleaseBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn release(
    State((board, _)): Shared,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let ReleaseBody { actor, site, reason } = read(&headers, &body)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let reason = reason.map(|reason| checked("reason", reason, REASON_CHARS_MAX)).transpose()?;
    let site = find(&board.now().view.jobs, site.as_deref(), &job)?.site.clone();
    let what = What::Release { site, job, reason };
    ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PostBody {
    actor: String,
    site: Option<String>,
    note: String,
    /// Of a unit, for a line that has no price or is to have another: from 0, which writes it off, to a billion, with at
    /// most two digits behind the point.
    price: Option<f64>,
}

/// Posts a line of the bill that is held. One without a price needs one.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job}/lines/{line}/post",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job"), ("line" = u32, Path, description = "Number of the line that is held")),
    request_body = PostBody,
    responses((status = 200, description = "Durable and applied", body = Applied))
)]
pub(super) async fn post_line(
    State((board, _)): Shared,
    Path((job, line)): Path<(String, u32)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let PostBody { actor, site, note, price } = read(&headers, &body)?;
    let actor = checked("actor", actor, NAME_CHARS_MAX)?;
    let note = checked("note", note, REASON_CHARS_MAX)?;
    let site = find(&board.now().view.jobs, site.as_deref(), &job)?.site.clone();
    let price_hundredths = price.map(hundredths).transpose()?;
    let what = What::PostLine { site, job, line, note, price_hundredths };
    ask(&board, Wish::Order(Order { actor, key, what }, no_messages())).await
}

/// A price as it is written down: no more than two digits behind the point, so that nothing of it is rounded away.
fn hundredths(price: f64) -> Result<i64, Problem> {
    let hundredths = (price * 100.0).round();
    let is_price = (0.0..=PRICE_MAX).contains(&price) && (hundredths / 100.0).to_bits() == price.to_bits();
    if !is_price {
        return Err(Problem::bad_request(format!(
            "`price` is {price}; give what one unit costs, from 0 to {PRICE_MAX}, with at most two digits behind the \
             point"
        )));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is a whole number below the bound")]
    Ok(hundredths as i64)
}

/// A name that is one level of a topic.
pub(super) fn level(name: &str, value: String) -> Result<String, Problem> {
    let value = checked(name, value, NAME_CHARS_MAX)?;
    if value.contains(['/', '+', '#']) {
        return Err(Problem::bad_request(format!("`{name}` may hold none of `/`, `+` and `#`: `{value}`")));
    }
    Ok(value)
}
