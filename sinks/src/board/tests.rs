//! The routes asked one by one ([`tower::ServiceExt`]); what needs a connection is in [`connections`].

mod commands;
mod connections;
mod jobs;
mod technicians;

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::prometheus::Prometheus;
use crate::view::{Bay, BayState, Counts, ExceptionView, Trend, UsageView};

/// A board of two bays, with three exceptions, one of them cleared.
fn workshop() -> View {
    let exception = |id: &str, bay: &str, severity: &str, state: &str| ExceptionView {
        id: id.to_owned(),
        bay: bay.to_owned(),
        severity: severity.to_owned(),
        state: state.to_owned(),
        ..ExceptionView::default()
    };
    let bay = |name: &str, state: BayState| Bay {
        site: "lyon".to_owned(),
        bay: name.to_owned(),
        state,
        trends: vec![Trend { metric: "torque".to_owned(), points: vec![87.253_41], ..Trend::default() }],
        ..Bay::default()
    };
    let counts = Counts { messages: 12, decoded: 11, undecodable: 1, ..Counts::default() };
    View {
        at_ms: 1_795_332_840_123,
        status: Status { version: "0.1.0".to_owned(), counts, exceptions_open: 2, ..Status::default() },
        bays: vec![bay("bay-1", BayState::Stopped), bay("bay-2", BayState::Normal)],
        exceptions: vec![
            exception("e1", "bay-1", "critical", "active"),
            exception("e2", "bay-2", "low", "latched"),
            exception("e3", "bay-1", "high", "cleared"),
        ],
        usage: vec![UsageView { resource: "oil_5w30".to_owned(), quantity: 4.2, ..UsageView::default() }],
        ..View::default()
    }
}

fn board_with(view: View) -> Board {
    let (publisher, board) = Board::new();
    publisher.publish(view);
    board
}

/// Asks from this machine.
async fn ask(board: &Board, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    ask_from("127.0.0.1", board, request).await
}

async fn ask_from(peer: &str, board: &Board, mut request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let peer = SocketAddr::new(peer.parse().expect("an address"), 50_000);
    request.extensions_mut().insert(ConnectInfo(peer));
    let router = routes::router(board.clone(), Prometheus::new("0.1.0"));
    let response = router.oneshot(request).await.expect("a router always answers");
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the body is whole");
    (head.status, head.headers, String::from_utf8(body.to_vec()).expect("answers are text"))
}

async fn get(board: &Board, path: &str) -> (StatusCode, HeaderMap, String) {
    ask(board, Request::get(path).body(Body::empty()).expect("a request")).await
}

async fn get_json(board: &Board, path: &str) -> Value {
    let (status, _, body) = get(board, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} is no JSON: {body}"))
}

#[tokio::test]
async fn the_service_is_alive_before_it_is_ready() {
    let (publisher, board) = Board::new();
    assert_eq!(get(&board, "/livez").await.0, StatusCode::OK);

    let (status, _, body) = get(&board, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("no picture has been published yet"), "{body}");

    let mut view = workshop();
    view.status.not_ready = vec!["no connection to the broker".to_owned(), "restoring".to_owned()];
    publisher.publish(view);
    let (status, _, body) = get(&board, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = serde_json::from_str(&body).expect("JSON by default");
    assert_eq!(body, json!({ "ready": false, "reasons": ["no connection to the broker", "restoring"] }));

    let request =
        Request::get("/readyz").header("accept", "text/plain").body(Body::empty()).expect("a request");
    let (status, _, body) = ask(&board, request).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, "not ready: no connection to the broker\nnot ready: restoring\n");

    publisher.publish(workshop());
    let (status, _, body) = get(&board, "/readyz").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"ready":true,"reasons":[]}"#));
}

#[tokio::test]
async fn each_route_gives_its_part_of_the_newest_picture() {
    let board = board_with(workshop());
    let status = get_json(&board, "/api/v1/status").await;
    assert_eq!(status["at_ms"], 1_795_332_840_123_i64);
    assert_eq!(status["counts"]["undecodable"], 1);
    assert_eq!(status["exceptions_open"], 2);

    let bays = get_json(&board, "/api/v1/bays").await;
    assert_eq!(bays["bays"][0]["bay"], "bay-1");
    assert_eq!(bays["bays"][0]["state"], "stopped");
    assert_eq!(bays["bays"][0]["trends"][0]["points"], json!([87.253]));

    let usage = get_json(&board, "/api/v1/usage").await;
    assert_eq!(usage["usage"][0]["quantity"], 4.2);

    let (_, headers, text) = get(&board, "/metrics").await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("\nandon_ingest_messages_total 12\n"), "{text}");
    assert!(text.contains("\nandon_board_live_clients 0\n"), "{text}");
}

#[tokio::test]
async fn exceptions_are_chosen_by_state_severity_and_bay() {
    let board = board_with(workshop());
    for (query, expected) in [
        ("", vec!["e1", "e2"]),
        ("?state=open", vec!["e1", "e2"]),
        ("?state=all", vec!["e1", "e2", "e3"]),
        ("?severity=critical,low", vec!["e1", "e2"]),
        ("?severity=high", vec![]),
        ("?state=all&bay=bay-1", vec!["e1", "e3"]),
        ("?state=all&bay=bay-1&severity=high", vec!["e3"]),
        ("?site=elsewhere", vec![]),
    ] {
        let answer = get_json(&board, &format!("/api/v1/exceptions{query}")).await;
        let ids: Vec<&str> = answer["exceptions"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|one| one["id"].as_str())
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
    let answer = get_json(&board, "/api/v1/exceptions?state=all&limit=1").await;
    assert_eq!(answer["beyond_limit"], 2, "what a limit cuts off is told");
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_with_the_remedy() {
    let board = board_with(workshop());
    for (query, remedy) in [
        ("state=closed", "`state` cannot be `closed`; use open, all"),
        ("severity=fatal", "`severity` cannot be `fatal`; use critical, high, medium, low"),
        ("limit=0", "`limit` is 0; give a number from 1 to 200"),
        ("limit=201", "`limit` is 201; give a number from 1 to 200"),
        ("limit=many", "limit"),
        ("colour=red", "unknown field `colour`"),
    ] {
        let (status, headers, body) = get(&board, &format!("/api/v1/exceptions?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&body).expect("a problem is JSON");
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(remedy)), "{query}: {body}");
    }
}

#[tokio::test]
async fn unknown_paths_methods_and_large_bodies_are_problems() {
    let board = board_with(workshop());
    let post = |path: &str, bytes: usize| {
        Request::post(path)
            .header("content-length", bytes)
            .body(Body::from(vec![b'x'; bytes]))
            .expect("a request")
    };
    let unknown = Request::get("/api/v2/status").body(Body::empty()).expect("a request");
    for (request, expected, words) in [
        (unknown, StatusCode::NOT_FOUND, "nothing is at `/api/v2/status`"),
        (post("/api/v1/bays", 2), StatusCode::METHOD_NOT_ALLOWED, "does not take POST; use GET"),
        (post("/api/v1/bays", 65_537), StatusCode::PAYLOAD_TOO_LARGE, "over 65536 bytes"),
    ] {
        let (status, headers, body) = ask(&board, request).await;
        assert_eq!(status, expected);
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(body.contains(words), "{body}");
    }
}

#[tokio::test]
async fn every_answer_keeps_the_browser_strict() {
    let board = board_with(workshop());
    for path in ["/", "/page/page.js", "/api/v1/status", "/metrics", "/nowhere"] {
        let request = Request::get(path).header("origin", "http://elsewhere.example").body(Body::empty());
        let (_, headers, _) = ask(&board, request.expect("a request")).await;
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn the_page_asks_only_for_files_that_are_there() {
    let board = board_with(workshop());
    let (status, headers, html) = get(&board, "/").await;
    assert_eq!(
        (status, headers["content-type"].to_str().ok()),
        (StatusCode::OK, Some("text/html; charset=utf-8"))
    );
    let mut wanted: Vec<String> = html
        .split(['"', '\''])
        .filter(|text| text.starts_with("page/"))
        .map(|path| format!("/{path}"))
        .collect();
    for (path, _, content) in page::FILES.iter().filter(|(path, ..)| path.ends_with(".js")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let imports = content.split('"').filter_map(|text| text.strip_prefix("./"));
        wanted.extend(imports.map(|name| format!("{folder}/{name}")));
    }
    assert!(wanted.len() > 5, "{wanted:?}");
    for path in wanted {
        assert_eq!(get(&board, &path).await.0, StatusCode::OK, "{path}");
    }
}

#[test]
fn every_file_of_the_page_is_served_and_what_scripts_look_for_is_on_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/board/page");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the page")
        .map(|file| file.expect("a file").file_name().into_string().expect("a plain name"))
        .map(|name| match name.as_str() {
            "page.html" => "/".to_owned(),
            "technician.html" => "/technician/{technician}".to_owned(),
            _ => format!("/page/{name}"),
        })
        .collect();
    files.sort_unstable();
    let mut served: Vec<&str> = page::FILES.iter().map(|(path, ..)| *path).collect();
    served.sort_unstable();
    assert_eq!(served, files);

    let page_at = |wanted: &str| page::FILES.iter().find(|(path, ..)| *path == wanted).expect("the page").2;
    let (html, of_technician) = (page_at("/"), page_at("/technician/{technician}"));
    let has = |id: &str| html.contains(&format!("id=\"{id}\""));
    let own = ["/page/technician.js", "/page/cards.js", "/page/readings.js"];
    let mut looked_for = 0;
    for (path, _, content) in page::FILES.iter().filter(|(path, ..)| path.ends_with(".js")) {
        let html = if own.contains(path) { of_technician } else { html };
        for id in content.split("getElementById(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{id}\"")), "{path} looks for #{id}");
            looked_for += 1;
        }
    }
    assert!(looked_for > 30, "{looked_for}");
    // Each tab names a view that is there.
    let views: Vec<&str> =
        html.split("data-view=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(views, ["bays", "jobs", "balances", "waiting"], "the bays are shown first");
    for view in views {
        assert!(has(view) && html.contains(&format!("href=\"#{view}\"")), "{view}");
    }
}

#[test]
fn the_page_never_turns_data_into_markup_and_loads_nothing_from_elsewhere() {
    for (path, _, content) in page::FILES {
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"]
        {
            assert!(!content.contains(forbidden), "{path} has {forbidden}");
        }
        for (number, line) in content.lines().enumerate().filter(|(_, line)| line.contains("http://")) {
            assert!(line.contains("http://www.w3.org/2000/svg"), "{path}:{}: {line}", number + 1);
        }
    }
}
