//! What each request has to pass, and what each answer carries.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::openapi;
use super::problem::Problem;

/// A request may carry no more than this; but for messages, which may be larger.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
pub(super) const MESSAGES_BYTES_MAX: usize = 4 << 20;

/// The page loads from here alone, and nobody may put it in a frame.
const CONTENT_SECURITY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// Whoever can post can sign, reset and hand over under any name, so what changes something comes from this machine alone,
/// whatever address is bound. Without an address the other side is a stranger.
pub(super) async fn refuse_commands_from_elsewhere(request: Request, next: Next) -> Response {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        || request.uri().path() == openapi::READING;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    if is_reading || peer.is_some_and(|peer| peer.is_loopback()) {
        return next.run(request).await;
    }
    let from = peer.map_or("nowhere".to_owned(), |peer| peer.to_string());
    let detail = format!(
        "commands are taken from this machine alone, and this one comes from {from}: nobody is asked here who they are; \
         run a reverse proxy on this machine that asks for a login, and let it send commands on to the loopback address"
    );
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

pub(super) async fn refuse_large_bodies(request: Request, next: Next) -> Response {
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
pub(super) async fn secure(mut response: Response) -> Response {
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
