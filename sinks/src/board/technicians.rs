//! `/api/v1/technicians/{technician}`: the steps of one technician, as an answer and as server-sent events.
//!
//! Both are made of the newest picture: of the jobs, and of the tiles of the bays on which the steps go on. A stream takes a
//! seat as `/api/v1/live` does, looks at as many pictures, and sends what it shows when that has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Picture;
use super::jobs::tagged_text;
use super::live::{HEARTBEAT_INTERVAL, next_picture, no_seat, stream, take_seat};
use super::problem::Path;
use super::routes::Shared;
use crate::view::{Bay, Jobs, OwnStep, OwnStepView, OwnSteps};

/// Where the steps of each technician are: places of their jobs, and in these.
#[derive(Debug)]
pub(super) struct Whose(BTreeMap<String, Vec<(usize, usize)>>);

impl Whose {
    fn of(jobs: &Jobs) -> Whose {
        let mut all: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (job, of_job) in jobs.jobs.iter().enumerate() {
            for (step, of_step) in of_job.steps.iter().enumerate() {
                if let Some(technician) = &of_step.technician {
                    all.entry(technician.clone()).or_default().push((job, step));
                }
            }
        }
        Whose(all)
    }
}

impl Picture {
    /// What is `technician`'s, as JSON.
    fn steps_of(&self, technician: &str) -> Vec<u8> {
        let jobs = &self.view.jobs;
        let Whose(all) = self.whose.get_or_init(|| Whose::of(jobs));
        let own = all.get(technician).into_iter().flatten();
        let own = own.map(|&(job, step)| (&jobs.jobs[job], &jobs.jobs[job].steps[step]));
        let mut own: Vec<OwnStepView<'_>> =
            own.filter_map(|(job, step)| OwnStepView::of(job, step)).collect();
        own.sort_by_key(OwnStepView::rank);
        let steps = own.into_iter().map(|own| {
            let is_its = |bay: &&Bay| {
                bay.site == own.site
                    && bay.job.as_deref() == Some(own.job)
                    && bay.step.as_deref() == Some(&*own.step.step)
            };
            let tile = self.view.bays.iter().find(is_its);
            OwnStep {
                own,
                expected: tile.map_or(&[][..], |bay| &bay.expected),
                resources: tile.map_or(&[][..], |bay| &bay.resources),
                as_of_ms: tile.and_then(|bay| bay.watermark_ms),
            }
        });
        let all = OwnSteps { technician, steps: steps.collect() };
        serde_json::to_vec(&all).expect("steps have only text keys and plain numbers")
    }
}

/// What is a technician's, or lately was.
#[utoipa::path(
    get,
    path = "/api/v1/technicians/{technician}/steps",
    tag = "jobs",
    params(("technician" = String, Path, description = "Who")),
    responses((status = 200, description = "What is theirs, or lately was", body = OwnSteps), (status = 304, description = "It is as the `ETag` in `If-None-Match` says"))
)]
pub(super) async fn steps(
    State((board, _)): Shared,
    Path(technician): Path<String>,
    headers: HeaderMap,
) -> Response {
    tagged_text(&headers, board.now().steps_of(&technician))
}

/// The same as it changes, at most four times a second; each `data` is what `steps` answers then. Before it, and each five
/// seconds without one, comes an event `heartbeat` with the service's time.
#[utoipa::path(
    get,
    path = "/api/v1/technicians/{technician}/live",
    tag = "jobs",
    params(("technician" = String, Path, description = "Who")),
    responses((status = 200, description = "What is theirs, an event a change", body = String, content_type = "text/event-stream"))
)]
pub(super) async fn live(State((board, prometheus)): Shared, Path(technician): Path<String>) -> Response {
    let Some(seat) = take_seat(&board, &prometheus) else {
        return no_seat(&format!("poll /api/v1/technicians/{technician}/steps"));
    };
    let client = Client {
        technician,
        pictures: board.pictures.clone(),
        closing: board.closing.subscribe(),
        seen: None,
        sent: Vec::new(),
        _seat: seat,
    };
    stream(futures::stream::unfold(client, async |mut client: Client| {
        let event = client.next_event().await?;
        Some((event, client))
    }))
}

/// The open stream of one technician.
struct Client {
    technician: String,
    pictures: watch::Receiver<Arc<Picture>>,
    closing: watch::Receiver<bool>,
    /// Number of the last picture that was looked at.
    seen: Option<u64>,
    /// What was sent last.
    sent: Vec<u8>,
    _seat: OwnedSemaphorePermit,
}

impl Client {
    /// The next thing to send; `None` ends the stream. Asked for only when there is room to send it.
    async fn next_event(&mut self) -> Option<Bytes> {
        let mut closing = self.closing.clone();
        let changed = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return None,
            changed = tokio::time::timeout(HEARTBEAT_INTERVAL, self.change()) => changed,
        };
        let at_ms = self.pictures.borrow().view.at_ms;
        let mut event = format!("event: heartbeat\ndata: {{\"at_ms\":{at_ms}}}\n\n").into_bytes();
        if let Ok(number) = changed {
            event.extend_from_slice(format!("id: {number}\ndata: ").as_bytes());
            event.extend_from_slice(&self.sent);
            event.extend_from_slice(b"\n\n");
        }
        Some(event.into())
    }

    /// Waits until there is something else to send than what was; the number of its picture.
    async fn change(&mut self) -> u64 {
        loop {
            let Some(picture) = next_picture(&mut self.pictures, self.seen).await else { continue };
            self.seen = Some(picture.number);
            let steps = picture.steps_of(&self.technician);
            if steps != self.sent {
                self.sent = steps;
                return picture.number;
            }
        }
    }
}
