//! The steps of a technician, asked for and as they change.

use std::sync::Arc;

use serde_json::{Value, json};

use super::connections::{Served, open, read_until, served};
use super::{board_with, get_json, workshop};
use crate::view::{Bay, ExpectedView, JobStepView, JobView, Jobs, ReadingView, UsedView, View};

fn step(step: &str, state: &str, technician: &str) -> JobStepView {
    JobStepView {
        step: step.to_owned(),
        state: state.to_owned(),
        bay: Some("bay-1".to_owned()),
        technician: Some(technician.to_owned()),
        ..JobStepView::default()
    }
}

fn jobs() -> Jobs {
    let job = |name: &str, state: &str, steps: Vec<JobStepView>| JobView {
        site: "lyon".to_owned(),
        job: name.to_owned(),
        state: state.to_owned(),
        steps,
        ..JobView::default()
    };
    let first =
        vec![step("S01", "closed", "T17"), step("S02", "assigned", "T17"), step("S03", "planned", "T18")];
    let jobs = vec![
        job("J1", "started", first),
        job("J2", "started", vec![step("S01", "active", "T17")]),
        job("J3", "released", vec![step("S01", "closed", "T17")]),
    ];
    Jobs { jobs, queue: Vec::new() }
}

/// The wrench on the bay reads `torque`, `counted` good readings are certain.
fn picture(jobs: &Arc<Jobs>, torque: f64, counted: u64) -> View {
    let newest = ReadingView {
        tool: "wrench-7".to_owned(),
        value: torque,
        unit: "N.m".to_owned(),
        spec_min: Some(80.0),
        spec_max: Some(95.0),
        within_spec: Some((80.0..=95.0).contains(&torque)),
        ..ReadingView::default()
    };
    let expected = ExpectedView {
        metric: "torque".to_owned(),
        expected: Some(5),
        counted,
        within: counted,
        missing: Some(5 - counted),
        newest: Some(newest),
        ..ExpectedView::default()
    };
    let oil =
        UsedView { resource: "oil_5w30".to_owned(), quantity: 1.5, planned: Some(4.2), unit: "L".to_owned() };
    let mut view = View { jobs: Arc::clone(jobs), ..workshop() };
    view.bays[0] = Bay {
        site: "lyon".to_owned(),
        bay: "bay-1".to_owned(),
        job: Some("J2".to_owned()),
        step: Some("S01".to_owned()),
        watermark_ms: Some(1_795_332_810_123),
        expected: vec![expected],
        resources: vec![oil],
        ..Bay::default()
    };
    view
}

#[tokio::test]
async fn a_technician_sees_the_own_steps_and_what_the_tool_in_hand_reads() {
    let board = board_with(picture(&Arc::new(jobs()), 87.25, 2));
    let own = get_json(&board, "/api/v1/technicians/T17/steps").await;
    let steps = own["steps"].as_array().expect("a list");
    let names: Vec<String> = steps.iter().map(|own| format!("{} {}", own["job"], own["step"])).collect();
    assert_eq!(names, [r#""J2" "S01""#, r#""J1" "S02""#, r#""J1" "S01""#], "what is worked on first");
    let newest = &steps[0]["expected"][0]["newest"];
    assert_eq!((&newest["value"], &newest["within_spec"]), (&json!(87.25), &json!(true)), "{own}");
    assert_eq!(
        steps[0]["resources"],
        json!([{"resource": "oil_5w30", "quantity": 1.5, "planned": 4.2, "unit": "L"}])
    );
    assert_eq!((&steps[0]["as_of_ms"], &steps[1]["as_of_ms"]), (&json!(1_795_332_810_123_i64), &Value::Null));
    assert!(steps[1].get("expected").is_none(), "nothing is measured of it yet: {own}");
    let nobody = get_json(&board, "/api/v1/technicians/T99/steps").await;
    assert_eq!(nobody, json!({"technician": "T99", "steps": []}));
}

#[tokio::test]
async fn a_stream_of_a_technician_sends_what_changes_of_it_and_nothing_else() {
    let Served { address, publisher, end: _end, .. } = served().await;
    let jobs = Arc::new(jobs());
    publisher.publish(picture(&jobs, 87.25, 2));
    let request = "GET /api/v1/technicians/T17/live HTTP/1.1\r\nhost: board\r\n\r\n";
    let mut connection = open(address, request).await;
    let first = read_until(&mut connection, "\"technician\":", 1).await;
    assert!(first.contains("content-type: text/event-stream") && first.contains("retry: 1000"), "{first}");
    assert!(first.contains("event: heartbeat\ndata: {\"at_ms\":1795332840123}"), "{first}");
    assert!(first.contains("id: 1\ndata: {\"technician\":\"T17\""), "{first}");

    // Others' work is no news, nor is what is the same.
    let mut others = picture(&jobs, 87.25, 2);
    others.bays[1].job = Some("J9".to_owned());
    publisher.publish(others);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    publisher.publish(picture(&jobs, 99.0, 3));
    let next = read_until(&mut connection, "\"technician\":", 1).await;
    assert!(next.contains("id: 3\n") && next.contains(r#""within_spec":false"#), "{next}");
    assert!(next.contains(r#""missing":2"#), "{next}");

    // A job that is handed over is nobody's any more.
    let mut fewer = (*jobs).clone();
    fewer.jobs[1].state = "released".to_owned();
    publisher.publish(picture(&Arc::new(fewer), 99.0, 3));
    let next = read_until(&mut connection, "\"technician\":", 1).await;
    assert!(!next.contains("J2") && next.contains("J1"), "{next}");
    let life = read_until(&mut connection, "event: heartbeat", 1).await;
    assert!(!life.contains("technician"), "only a sign of life: {life}");
}
