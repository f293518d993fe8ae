//! Errors as `application/problem+json` (RFC 9457): what failed, on what, and the remedy.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem { status, detail: detail.into() }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }
}

/// As it is written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemBody {
    /// `about:blank`: the status says of which kind it is.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// What failed, on what, and the remedy.
    detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let text = serde_json::to_string(&body).unwrap_or_default();
        (self.status, kind, text + "\n").into_response()
    }
}

/// What a path names. What it cannot name is a problem as any other.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(names)| Path(names)).map_err(|rejection| {
            Problem::bad_request(format!("`{}` names nothing: {}", parts.uri.path(), rejection.body_text()))
        })
    }
}
