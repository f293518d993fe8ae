//! Jobs as they are asked for, queues as they are handed on.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{ask, board_with, get, workshop};
use crate::board::Board;
use crate::desk::{Asked, Desk, Reply, Wish};
use crate::store::reader::Question;
use crate::view::{JobStepView, JobView, Jobs, View};

fn job(site: &str, job: &str, state: &str, technician: &str) -> JobView {
    let step = JobStepView {
        step: "S01".to_owned(),
        state: "active".to_owned(),
        technician: Some(technician.to_owned()),
        ..JobStepView::default()
    };
    JobView {
        site: site.to_owned(),
        job: job.to_owned(),
        state: state.to_owned(),
        steps: vec![step],
        ..JobView::default()
    }
}

fn board() -> Board {
    let jobs = vec![
        job("lyon", "J1", "started", "T17"),
        job("oslo", "J1", "started", "T18"),
        job("lyon", "J2", "released", "T17"),
    ];
    board_with(View { jobs: Arc::new(Jobs { jobs, queue: Vec::new() }), ..workshop() })
}

fn names(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let jobs = body["jobs"].as_array().expect("a list");
    jobs.iter().map(|job| format!("{} {}", job["site"], job["job"]).replace('"', "")).collect()
}

#[tokio::test]
async fn jobs_are_asked_for_by_site_state_and_technician_a_page_at_a_time() {
    for (query, expected) in [
        ("", vec!["lyon J1", "oslo J1"]),
        ("?state=all", vec!["lyon J1", "oslo J1", "lyon J2"]),
        ("?state=released", vec!["lyon J2"]),
        ("?site=oslo", vec!["oslo J1"]),
        ("?state=all&technician=T17", vec!["lyon J1", "lyon J2"]),
        ("?state=all&skip=1&limit=1", vec!["oslo J1"]),
    ] {
        let (status, _, body) = get(&board(), &format!("/api/v1/jobs{query}")).await;
        assert_eq!(
            (status, names(&body)),
            (StatusCode::OK, expected.into_iter().map(str::to_owned).collect())
        );
    }
    for (query, words) in
        [("?state=lost", "`state` cannot be `lost`"), ("?limit=0", "1 to 500"), ("?sate=all", "sate")]
    {
        let (status, _, body) = get(&board(), &format!("/api/v1/jobs{query}")).await;
        assert!(status == StatusCode::BAD_REQUEST && body.contains(words), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_job_of_two_sites_is_named_with_its_site_and_what_is_known_already_is_not_sent_again() {
    let board = board();
    let (status, _, body) = get(&board, "/api/v1/jobs/J1").await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("name its `site`"), "{body}");
    let (status, _, body) = get(&board, "/api/v1/jobs/J9").await;
    assert!(status == StatusCode::NOT_FOUND && body.contains("no job `J9`"), "{body}");
    let (status, headers, _) = get(&board, "/api/v1/jobs/J1?site=oslo").await;
    assert_eq!(status, StatusCode::OK);
    let request = Request::get("/api/v1/jobs/J1?site=oslo").header("if-none-match", &headers["etag"]);
    let (status, _, body) = ask(&board, request.body(Body::empty()).expect("a request")).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

/// A service whose queue holds one line of a bill.
fn served() -> Board {
    let (desk, mut wishes) = Desk::new();
    tokio::spawn(async move {
        while let Some(Asked { wish, reply }) = wishes.recv().await {
            let Wish::Store(Question::Queue { name, from, limit }) = wish else { continue };
            assert_eq!((name.as_str(), limit), ("billing", 100));
            let body = json!({"item": "oil, \"5w30\"", "amount": 42.5, "note": "=1+1"});
            let item = json!({"offset": from, "job": "J1", "site": null, "body": body});
            let _ = reply.send(Reply { status: 200, body: json!([item]) });
        }
    });
    board_with(workshop()).with_desk(desk)
}

#[tokio::test]
async fn a_queue_is_read_on_from_an_offset_and_as_a_table() {
    let board = served();
    let (status, _, body) = get(&board, "/api/v1/queues/billing?from=7").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (status, &body["items"][0]["body"]["amount"], &body["next"]),
        (StatusCode::OK, &json!(42.5), &json!(8))
    );
    let (_, headers, body) = get(&board, "/api/v1/queues/billing?from=7&format=csv").await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    let expected = "amount,item,job,note,offset,site\r\n42.5,\"oil, \"\"5w30\"\"\",J1,'=1+1,7,\r\n";
    assert_eq!(body, expected, "what a spreadsheet would compute is text");
    let (status, _, body) = get(&board, "/api/v1/queues/wishes").await;
    assert!(status == StatusCode::NOT_FOUND && body.contains("billing, notifications, audit"), "{body}");
}
