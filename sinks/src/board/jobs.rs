//! `/api/v1/jobs`: what the functions show, from the newest picture.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use xxhash_rust::xxh3::xxh3_64;

use super::Board;
use super::problem::{Path, Problem};
use super::routes::Shared;
use crate::view::{JobView, Jobs, QueuedStepView};

/// Jobs of one page.
const LIMIT_MAX: usize = 500;
const STATES: [&str; 5] = ["open", "accepted", "started", "ready", "released"];

/// `?site=…&state=open|accepted|started|ready|released|all&technician=…&skip=…&limit=…`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobQuery {
    site: Option<String>,
    state: Option<String>,
    technician: Option<String>,
    skip: Option<usize>,
    limit: Option<usize>,
}

/// `?site=…`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SiteQuery {
    pub(super) site: Option<String>,
}

/// `/api/v1/jobs`.
#[derive(Serialize, ToSchema)]
struct JobPage<'a> {
    jobs: Vec<&'a JobView>,
    /// Jobs that match beyond this page: `skip` goes over those that were shown.
    beyond_limit: usize,
    queue: Vec<&'a QueuedStepView>,
}

/// A page of jobs, and the steps that wait.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(JobQuery),
    responses((status = 200, description = "A page of jobs, and the steps that wait", body = JobPage), (status = 304, description = "It is as the `ETag` in `If-None-Match` says"))
)]
pub(super) async fn jobs(
    State((board, _)): Shared,
    query: Result<Query<JobQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is {limit}; give a number from 1 to {LIMIT_MAX}")));
    }
    let state = query.state.as_deref().unwrap_or("open");
    if state != "all" && !STATES.contains(&state) {
        return Err(Problem::bad_request(format!(
            "`state` cannot be `{state}`; use {} or all",
            STATES.join(", ")
        )));
    }
    let jobs = all(&board);
    let is_of = |site: &str| query.site.as_deref().is_none_or(|wanted| wanted == site);
    let is_in = |job: &JobView| match state {
        "all" => true,
        "open" => job.state != "released",
        state => job.state == state,
    };
    let is_theirs = |job: &JobView| {
        query
            .technician
            .as_deref()
            .is_none_or(|wanted| job.steps.iter().any(|step| step.technician.as_deref() == Some(wanted)))
    };
    let matching = jobs.jobs.iter().filter(|job| is_of(&job.site) && is_in(job) && is_theirs(job));
    let mut matching: Vec<&JobView> = matching.skip(query.skip.unwrap_or(0)).collect();
    let beyond_limit = matching.len().saturating_sub(limit);
    matching.truncate(limit);
    let queue = jobs.queue.iter().filter(|step| is_of(&step.site)).collect();
    Ok(tagged(&headers, &JobPage { jobs: matching, beyond_limit, queue }))
}

/// A job with its steps.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job}",
    tag = "jobs",
    params(("job" = String, Path, description = "Name of the job"), SiteQuery),
    responses((status = 200, description = "The job with its steps", body = JobView), (status = 304, description = "It is as the `ETag` in `If-None-Match` says"))
)]
pub(super) async fn job(
    State((board, _)): Shared,
    Path(job): Path<String>,
    query: Result<Query<SiteQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let jobs = all(&board);
    let found = find(&jobs, query.site.as_deref(), &job)?;
    Ok(tagged(&headers, found))
}

fn all(board: &Board) -> Arc<Jobs> {
    Arc::clone(&board.now().view.jobs)
}

/// The job of that name; at one site, if several have one.
pub(super) fn find<'a>(jobs: &'a Jobs, site: Option<&str>, job: &str) -> Result<&'a JobView, Problem> {
    let mut found =
        jobs.jobs.iter().filter(|known| known.job == job && site.is_none_or(|site| site == known.site));
    let Some(first) = found.next() else {
        let detail =
            format!("there is no job `{job}` here; GET /api/v1/jobs?state=all lists those that are known");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    if let Some(other) = found.next() {
        let detail = format!("job `{job}` is at `{}` and at `{}`; name its `site`", first.site, other.site);
        return Err(Problem::bad_request(detail));
    }
    Ok(first)
}

/// With an ETag over what it says, and nothing of it for who has that already.
fn tagged(headers: &HeaderMap, answer: &impl Serialize) -> Response {
    tagged_text(headers, serde_json::to_vec(answer).unwrap_or_default())
}

/// The same of what is written already.
pub(super) fn tagged_text(headers: &HeaderMap, body: Vec<u8>) -> Response {
    let tag = format!("\"{:016x}\"", xxh3_64(&body));
    let kept = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fixed = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if kept.is_some_and(|kept| kept.split(',').any(|kept| kept.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
