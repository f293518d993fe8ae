//! The page in a real browser, driven by `tests/browser/board.py`. Skips, with one line, without Chromium.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ingest::time::{Clock, SystemClock};
use serde_json::Value;
use sinks::board::{Board, BoardPublisher, serve};
use sinks::prometheus::Prometheus;
use sinks::view::{Bay, BayState, ExceptionView, Status, View};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The driver at work: one line of JSON a step.
struct Browser {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Browser {
    fn open(address: SocketAddr, steps: &[&str]) -> Browser {
        let driver = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/browser/board.py");
        let mut process = Command::new("python3")
            .arg(driver)
            .args(["--timeout", "30"])
            .arg(format!("http://{address}/"))
            .args(steps)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("python3 runs");
        let stdout = process.stdout.take().expect("stdout is piped");
        Browser { process, lines: BufReader::new(stdout).lines() }
    }

    /// What the next step says; `None` when the driver has ended.
    fn next(&mut self) -> Option<Value> {
        let line = self.lines.next()?.expect("the driver writes text");
        Some(serde_json::from_str(&line).expect("the driver writes JSON"))
    }

    #[track_caller]
    fn value(&mut self) -> Value {
        self.next().expect("the step came true").get("value").cloned().unwrap_or_default()
    }

    #[track_caller]
    fn assert_ended_well(mut self) {
        let status = self.process.wait().expect("the driver ends");
        assert!(status.success(), "the driver ended with {status}; its reason is above");
    }
}

fn there_is_a_browser() -> bool {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file()));
    if !found {
        println!("skipped: no Chromium here (apt-get install chromium)");
    }
    found
}

struct Served {
    address: SocketAddr,
    publisher: BoardPublisher,
    end: oneshot::Sender<()>,
    handle: JoinHandle<()>,
}

async fn served() -> Served {
    let (publisher, board) = Board::new();
    let (end, ended) = oneshot::channel();
    let shutdown = async {
        let _ = ended.await;
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let (address, handle) =
        serve(listen, board, Prometheus::new("0.1.0"), shutdown).await.expect("a free port");
    Served { address, publisher, end, handle }
}

fn workshop(now_ms: i64, bays: &[(&str, BayState)]) -> View {
    let bay = |&(name, state): &(&str, BayState)| Bay {
        site: "lyon".to_owned(),
        bay: name.to_owned(),
        operation: Some("Front axle torque".to_owned()),
        job: Some("J000100".to_owned()),
        elapsed_s: Some(100.0),
        standard_s: Some(200.0),
        state,
        last_arrived_ms: Some(now_ms - 12_000),
        ..Bay::default()
    };
    let status = Status { version: "0.1.0".to_owned(), ..Status::default() };
    View { at_ms: now_ms, status, bays: bays.iter().map(bay).collect(), ..View::default() }
}

fn exception(bay: &str, message: &str, now_ms: i64) -> ExceptionView {
    ExceptionView {
        id: "exception-1".to_owned(),
        severity: "critical".to_owned(),
        site: "lyon".to_owned(),
        bay: bay.to_owned(),
        state: "active".to_owned(),
        raised_ms: now_ms,
        message: message.to_owned(),
        response: "Stop, loosen, tighten again".to_owned(),
        ..ExceptionView::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_tell_bays_apart_and_a_new_exception_shows_within_two_seconds() {
    if !there_is_a_browser() {
        return;
    }
    let served = served().await;
    let clock = SystemClock::default();
    let bays = [("bay-2", BayState::Normal), ("bay-10", BayState::Stopped), ("bay-9", BayState::Normal)];
    served.publisher.publish(workshop(clock.now_ms(), &bays));
    let steps = [
        "tiles=3",
        "eval=[...document.querySelectorAll('[data-bay]')].map((tile) => tile.dataset.bay).join()",
        "text=[data-bay='bay-10'] .word",
        "text=[data-bay='bay-2'] .age",
        "exception=97.25",
        "text=#open-count",
        "click=[data-sort='bay']",
        "eval=[...document.querySelectorAll('[data-bay]')].map((tile) => tile.dataset.bay).join()",
        "eval=[document.documentElement, ...document.querySelectorAll('.list')].every((one) => one.scrollWidth <= one.clientWidth)",
    ];
    let mut browser = Browser::open(served.address, &steps);
    assert_eq!(browser.next().expect("tiles appear")["found"], 3);
    assert_eq!(browser.value(), "bay-10,bay-2,bay-9", "red first, then by name as people count");
    assert_eq!(browser.value(), "Stopped");
    let age = browser.value();
    assert!(age.as_str().is_some_and(|age| age.starts_with('1') && age.ends_with(" s ago")), "{age}");

    let raised_ms = clock.now_ms();
    let mut view = workshop(raised_ms, &bays);
    view.exceptions = vec![exception("bay-10", "tightened to 97.25 N.m", raised_ms)];
    view.status.exceptions_open = 1;
    served.publisher.publish(view);
    let shown = browser.next().expect("the exception appears");
    assert_eq!(shown["found"], "exception-1");
    let took_ms = shown["at_ms"].as_i64().expect("a time") - raised_ms;
    println!("an exception shows {took_ms} ms after it was published");
    assert!(took_ms < 2000, "{took_ms} ms from publishing to the page");
    assert_eq!(browser.value(), "1 open");
    browser.value();
    assert_eq!(browser.value(), "bay-2,bay-9,bay-10");
    assert_eq!(browser.value(), true, "nothing sticks out to the side");
    browser.assert_ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_messages_are_shown_and_never_obeyed() {
    if !there_is_a_browser() {
        return;
    }
    let served = served().await;
    let now_ms = SystemClock::default().now_ms();
    let name = "<script>document.title='owned'</script>";
    let message = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>";
    let mut view = workshop(now_ms, &[(name, BayState::Stopped)]);
    view.exceptions = vec![exception(name, message, now_ms)];
    view.exceptions[0].evidence =
        serde_json::json!({ "</pre><script>": "<script>document.title='owned'</script>" });
    view.status.not_ready = vec!["<script>document.title='owned'</script>".to_owned()];
    served.publisher.publish(view);
    let steps = [
        "tiles=1",
        "exception=onerror",
        "click=#open summary",
        "text=.bay",
        "text=#open .message",
        "text=#bar-text",
        "select=.raw:not(:empty)",
        "count=main script, main img, main b:not(.where):not(#open-count):not(#jump-count)",
        "eval=document.title",
    ];
    let mut browser = Browser::open(served.address, &steps);
    for _ in 0..3 {
        browser.next().expect("the page shows it");
    }
    assert_eq!(browser.value(), name);
    assert_eq!(browser.value(), message);
    assert_eq!(browser.value(), "Not ready: <script>document.title='owned'</script>");
    browser.next().expect("the evidence is unfolded");
    assert_eq!(browser.value(), 0, "data became markup");
    assert_eq!(browser.value(), "1 stopped · Andon");
    browser.assert_ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_has_lost_its_line_says_so_and_recovers_by_itself() {
    if !there_is_a_browser() {
        return;
    }
    let Served { address, publisher, end, handle } = served().await;
    let now_ms = SystemClock::default().now_ms();
    publisher.publish(workshop(now_ms, &[("bay-1", BayState::Normal)]));
    let steps = [
        "tiles=1",
        "select=[data-connection='lost']",
        "text=#bar-text",
        "select=[data-connection='live']",
        "select=[data-bay='bay-2']",
    ];
    let mut browser = Browser::open(address, &steps);
    browser.next().expect("the tile appears");
    end.send(()).expect("the server waits for it");
    handle.await.expect("the server ends");
    browser.next().expect("the page says that the line is lost");
    let text = browser.value();
    assert!(
        text.as_str().is_some_and(|text| text.starts_with("Connection lost, showing data of ")),
        "{text}"
    );

    let (publisher, board) = Board::new();
    publisher.publish(workshop(now_ms, &[("bay-1", BayState::Normal), ("bay-2", BayState::Normal)]));
    serve(address, board, Prometheus::new("0.1.0"), std::future::pending())
        .await
        .expect("the port is free again");
    browser.next().expect("the page is live again");
    browser.next().expect("the page shows the new picture");
    browser.assert_ended_well();
}
