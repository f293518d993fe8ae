//! What commands must bring along, and how they are answered.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use ingest::entry::command::What;
use serde_json::json;

use super::{ask, ask_from, board_with, workshop};
use crate::board::Board;
use crate::desk::{Asked, Desk, Reply, Wish};

/// A board whose service acknowledges whatever it is asked to.
fn served() -> Board {
    let (desk, mut wishes) = Desk::new();
    tokio::spawn(async move {
        while let Some(Asked { wish, reply }) = wishes.recv().await {
            let Wish::Order(order, messages) = wish else { continue };
            let What::Acknowledge { exception, .. } = order.what else { continue };
            assert_eq!(messages.messages(), 0);
            let body = json!({ "offset": 7, "detail": format!("{} {} {exception}", order.key, order.actor) });
            let _ = reply.send(Reply { status: 200, body });
        }
    });
    board_with(workshop()).with_desk(desk)
}

fn acknowledge(headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::post("/api/v1/exceptions/3f2a/acknowledge").header("host", "127.0.0.1:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

const KEY: (&str, &str) = ("idempotency-key", "k-1");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_command_goes_to_the_service_and_its_answer_comes_back() {
    let own = ("origin", "http://127.0.0.1:8080");
    let request = acknowledge(&[KEY, JSON, own], r#"{"actor":"T17"}"#);
    let (status, _, body) = ask(&served(), request).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"detail":"k-1 T17 3f2a","offset":7}"#));
}

#[tokio::test]
async fn commands_are_taken_from_this_machine_alone_and_everybody_may_read() {
    let board = served();
    for peer in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"] {
        let (status, _, body) = ask_from(peer, &board, acknowledge(&[KEY, JSON], r#"{"actor":"T17"}"#)).await;
        assert_eq!(status, StatusCode::OK, "{peer}: {body}");
    }
    for peer in ["192.0.2.7", "10.0.0.4", "2001:db8::7", "::ffff:192.0.2.7"] {
        let (status, headers, body) =
            ask_from(peer, &board, acknowledge(&[KEY, JSON], r#"{"actor":"T17"}"#)).await;
        let kind = headers["content-type"].to_str().ok();
        assert_eq!((status, kind), (StatusCode::FORBIDDEN, Some("application/problem+json")), "{peer}");
        assert!(body.contains("from this machine alone") && body.contains("a reverse proxy"), "{body}");
        let reading = Request::get("/api/v1/exceptions").body(Body::empty()).expect("a request");
        assert_eq!(ask_from(peer, &board, reading).await.0, StatusCode::OK, "{peer}");
        // It is posted, and changes nothing; who answers it is not here.
        let sql =
            Request::post("/api/v1/sql").header("content-type", "text/plain").body(Body::from("SELECT 1"));
        let (status, _, body) = ask_from(peer, &board, sql.expect("a request")).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{body}");
    }
    // Whoever has no address is a stranger as well.
    let router = crate::board::routes::router(board, crate::prometheus::Prometheus::new("0.1.0"));
    let request = acknowledge(&[KEY, JSON], r#"{"actor":"T17"}"#);
    let response = tower::ServiceExt::oneshot(router, request).await.expect("a router always answers");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_give_commands() {
    let board = served();
    let body = r#"{"actor":"T17"}"#;
    for (headers, expected, words) in [
        (vec![JSON], StatusCode::BAD_REQUEST, "`Idempotency-Key` is missing"),
        (vec![KEY, ("content-type", "text/plain")], StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json"),
        (vec![KEY, JSON, ("origin", "http://elsewhere.example")], StatusCode::FORBIDDEN, "elsewhere.example"),
        (vec![KEY, JSON, ("origin", "null")], StatusCode::FORBIDDEN, "may not give commands"),
    ] {
        let (status, headers, body) = ask(&board, acknowledge(&headers, body)).await;
        assert_eq!(
            (status, headers["content-type"].to_str().ok()),
            (expected, Some("application/problem+json"))
        );
        assert!(body.contains(words), "{body}");
    }
}

#[tokio::test]
async fn a_board_without_a_service_and_one_that_ends_say_so() {
    let request = || acknowledge(&[KEY, JSON], r#"{"actor":"T17"}"#);
    let (status, _, body) = ask(&board_with(workshop()), request()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let (desk, wishes) = Desk::new();
    drop(wishes);
    let (status, _, body) = ask(&board_with(workshop()).with_desk(desk), request()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body.contains("ask again with the same key"), "{body}");
}
