//! `/api/v1/live`: pictures as server-sent events.
//!
//! A client gets the newest picture at once, then each change, at most four a second. A client that reads
//! slowly holds one picture and skips those in between: nothing queues. Skipped pictures are counted, and
//! so are clients that are turned away because all seats are taken. Streams of technicians
//! ([`technicians`](super::technicians)) take the same seats.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::problem::Problem;
use super::{Board, Picture};
use crate::prometheus::{self, Prometheus};

/// Streams at once; the next client is told to come again (503).
pub(super) const CLIENTS_MAX: usize = 256;
/// Least time between two pictures to the same client.
const PICTURE_INTERVAL: Duration = Duration::from_millis(250);
/// A sign of life after this long without a picture. An event rather than a mere comment, since a browser
/// does not show comments to the page, and the page must notice a line that has gone dead.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
const HEARTBEAT: Bytes = Bytes::from_static(b": still here\nevent: heartbeat\ndata: {}\n\n");
/// First words of a stream: come back a second after the line breaks.
const GREETING: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// Opens a stream, or says 503 when all seats are taken.
#[utoipa::path(
    get,
    path = "/api/v1/live",
    tag = "service",
    responses((status = 200, description = "A picture an event, at most four a second", body = String, content_type = "text/event-stream"))
)]
pub(super) async fn live(State((board, prometheus)): State<(Board, Arc<Prometheus>)>) -> Response {
    let Some(seat) = take_seat(&board, &prometheus) else { return no_seat("poll /api/v1/bays") };
    let client = Client {
        pictures: board.pictures.clone(),
        closing: board.closing.subscribe(),
        prometheus,
        seen: None,
        _seat: seat,
    };
    stream(futures::stream::unfold(client, async |mut client: Client| {
        let event = client.next_event().await?;
        Some((event, client))
    }))
}

/// A seat for a stream; none if all are taken, which is counted.
pub(super) fn take_seat(board: &Board, prometheus: &Prometheus) -> Option<OwnedSemaphorePermit> {
    let seat = board.live_seats.clone().try_acquire_owned().ok();
    if seat.is_none() {
        prometheus.count(prometheus::LIVE_REFUSED, 1);
    }
    seat
}

/// The answer to whoever gets no seat: `instead` can be done without one.
pub(super) fn no_seat(instead: &str) -> Response {
    let detail = format!("all {CLIENTS_MAX} live streams are taken; close a board, or {instead}");
    ([(header::RETRY_AFTER, "5")], Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response()
}

/// An answer that goes on for as long as there are events.
pub(super) fn stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    let all = futures::stream::iter([GREETING]).chain(events).map(Ok::<Bytes, Infallible>);
    (headers, Body::from_stream(all)).into_response()
}

/// The open stream of one client.
struct Client {
    pictures: watch::Receiver<Arc<Picture>>,
    closing: watch::Receiver<bool>,
    prometheus: Arc<Prometheus>,
    /// Number of the last picture that was sent.
    seen: Option<u64>,
    _seat: OwnedSemaphorePermit,
}

impl Client {
    /// The next thing to send; `None` ends the stream. Asked for only when there is room to send it.
    async fn next_event(&mut self) -> Option<Bytes> {
        let picture = tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => return None,
            picture = next_picture(&mut self.pictures, self.seen) => picture,
        };
        let Some(picture) = picture else { return Some(HEARTBEAT) };
        if let Some(seen) = self.seen {
            let skipped = picture.number.saturating_sub(seen + 1);
            self.prometheus.count(prometheus::LIVE_SKIPPED, skipped);
        }
        self.seen = Some(picture.number);
        Some(picture.event())
    }
}

/// The newest picture, once it is another than `seen`; `None` when it is time for a sign of life.
pub(super) async fn next_picture(
    pictures: &mut watch::Receiver<Arc<Picture>>,
    seen: Option<u64>,
) -> Option<Arc<Picture>> {
    if seen.is_some() {
        tokio::time::sleep(PICTURE_INTERVAL).await;
    }
    let newest = async {
        pictures.wait_for(|picture| Some(picture.number) != seen).await.map(|newest| newest.clone())
    };
    match tokio::time::timeout(HEARTBEAT_INTERVAL, newest).await {
        Ok(Ok(picture)) => return Some(picture),
        // The publisher is gone: the service is about to end, and closes the stream when it does.
        Ok(Err(_)) => tokio::time::sleep(HEARTBEAT_INTERVAL).await,
        Err(_) => {}
    }
    None
}

impl Picture {
    /// `id:` and `data:` of this picture; JSON has no line breaks of its own.
    fn event(&self) -> Bytes {
        let write = || {
            let mut event = format!("id: {}\ndata: ", self.number).into_bytes();
            serde_json::to_writer(&mut event, &self.view)
                .expect("a view has only text keys and plain numbers");
            event.extend_from_slice(b"\n\n");
            Bytes::from(event)
        };
        self.event.get_or_init(write).clone()
    }
}
