//! `POST /api/v1/sql`: analysts ask the exports, without a file system between.

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::commands::{of_our_page, read};
use super::problem::Problem;
use super::routes::Shared;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// An array of objects.
    Json,
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl AnswerFormat {
    const ALL: [(&'static str, AnswerFormat); 3] = [
        ("application/json", AnswerFormat::Json),
        ("text/csv", AnswerFormat::Csv),
        ("application/vnd.apache.arrow.stream", AnswerFormat::Arrow),
    ];

    fn media_type(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).expect("all are there").0
    }

    /// The first of the types that `Accept` names which there is.
    fn accepted(accept: &str) -> Option<AnswerFormat> {
        let mut asked = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        asked.find_map(|kind| match kind {
            "" | "*/*" | "application/*" => Some(AnswerFormat::Json),
            "text/*" => Some(AnswerFormat::Csv),
            kind => {
                let known = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
                known.map(|(_, format)| *format)
            }
        })
    }
}

/// Why a statement has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The statement is at fault.
    Unfit(String),
    /// Later perhaps.
    Busy(String),
    /// We are.
    Failed(String),
}

/// Whoever can answer SQL.
#[async_trait]
pub trait Answers: Send + Sync + std::fmt::Debug {
    /// Begins to answer. The pieces are the body's; an error among them is the last, and breaks the answer off.
    ///
    /// # Errors
    /// The statement cannot be answered, or not now.
    async fn ask(
        &self,
        sql: String,
        format: AnswerFormat,
    ) -> Result<mpsc::Receiver<Result<Bytes, String>>, Refusal>;
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SqlBody {
    sql: String,
}

/// SQL over the exported streams, which stand as tables: `{"sql": "…"}`, or the statement itself as text.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    tag = "history",
    request_body(content((SqlBody = "application/json"), (String = "text/plain"))),
    responses((status = 200, description = "The rows, as `Accept` asks for", content((Object = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.arrow.stream"))))
)]
pub(super) async fn sql(
    State((board, _)): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accept = header(header::ACCEPT);
    let Some(format) = AnswerFormat::accepted(accept) else {
        let known = AnswerFormat::ALL.map(|(name, _)| name).join(", ");
        let detail = format!("rows cannot be written as `{accept}`; `Accept` may be {known}");
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail));
    };
    let kind = header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sql = if ["text/plain", "application/sql"].contains(&kind.as_str()) {
        of_our_page(&headers)?;
        let text = std::str::from_utf8(&body);
        text.map(str::to_owned).map_err(|_| Problem::bad_request("the statement is no UTF-8 text"))?
    } else {
        read::<SqlBody>(&headers, &body)?.sql
    };
    if sql.trim().is_empty() {
        return Err(Problem::bad_request("the statement is empty; send one of SQL, such as SHOW TABLES"));
    }
    let Some(answers) = &board.answers else {
        let detail = "this board has no exports to ask; ask the service itself";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let pieces = answers.ask(sql, format).await.map_err(|refusal| match refusal {
        Refusal::Unfit(detail) => Problem::bad_request(detail),
        Refusal::Busy(detail) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail),
        Refusal::Failed(detail) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail),
    })?;
    let body =
        Body::from_stream(ReceiverStream::new(pieces).map(|piece| piece.map_err(std::io::Error::other)));
    Ok(([(header::CONTENT_TYPE, format.media_type())], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_the_first_type_that_is_accepted_and_known() {
        let accepted = AnswerFormat::accepted;
        assert_eq!(accepted(""), Some(AnswerFormat::Json));
        assert_eq!(accepted("*/*"), Some(AnswerFormat::Json));
        assert_eq!(accepted("text/html, text/csv;q=0.9, */*"), Some(AnswerFormat::Csv));
        assert_eq!(accepted("Application/Vnd.Apache.Arrow.Stream"), Some(AnswerFormat::Arrow));
        assert_eq!(accepted("image/png"), None);
    }
}
