//! The board in a browser: an exception on its way there, and each of its views.

use std::io::{BufRead, BufReader, Lines, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::alone;
use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A browser that does steps one by one, and says what came of each.
pub(crate) struct Screen {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Steps of which nothing was said yet.
    steps: std::vec::IntoIter<String>,
}

impl Screen {
    /// Opens a page. None without a browser, which is said.
    pub(crate) fn open(url: &str, steps: &[&str]) -> Option<Screen> {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/board.py"))
            .args(["--timeout", "30", url])
            .args(steps)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let steps = steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>().into_iter();
        let mut screen = Screen { process, lines, steps };
        if screen.next().is_some() {
            return Some(screen);
        }
        let (error, code) = screen.last_words();
        assert_eq!(code, Some(2), "the board did not show itself: {error}");
        eprintln!("skipped: {}", error.trim());
        None
    }

    /// What came of the next step; none if it came to nothing.
    fn next(&mut self) -> Option<Value> {
        let step = self.steps.next().expect("there is another step");
        let line = self.lines.next()?.expect("a pipe");
        let line: Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_eq!(line["step"], step, "steps are done in their order");
        Some(line)
    }

    /// What came of the steps up to the one that begins with `step`.
    pub(crate) fn until(&mut self, step: &str) -> Value {
        loop {
            let Some(line) = self.next() else {
                let (error, _) = self.last_words();
                panic!("the board never came to `{step}`: {error}")
            };
            if line["step"].as_str().is_some_and(|done| done.starts_with(step)) {
                return line;
            }
        }
    }

    /// The text that the next step gives, which is a `text=`.
    pub(crate) fn text(&mut self) -> String {
        let line = self.until("text=");
        line["value"].as_str().unwrap_or_else(|| panic!("no text: {line}")).to_owned()
    }

    /// All steps are done, and the page reported no errors of its own.
    pub(crate) fn end(mut self) {
        while self.steps.len() > 0 {
            self.until("");
        }
        let (error, code) = self.last_words();
        assert_eq!(code, Some(0), "{error}");
    }

    fn last_words(&mut self) -> (String, Option<i32>) {
        let mut error = String::new();
        let _ = self.process.stderr.take().expect("it is asked once").read_to_string(&mut error);
        (error, self.process.wait().expect("a process").code())
    }
}

pub(crate) fn screenshot(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn an_exception_injected_by_mqtt_is_on_the_board_within_two_seconds() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.card("J000123");
    work.step("bay-01", "J000123", "started");
    work.reading("bay-01", "wrench_7", "torque", 87.25);
    work.settle();

    let file = screenshot("board.png");
    let picture = format!("screenshot={}", file.display());
    let steps = ["tiles=1", "select=[data-exception]", &picture];
    let Some(mut screen) = Screen::open(&andon.url(), &steps) else { return };

    let published_ms = work.now_ms();
    work.reading("bay-01", "wrench_7", "torque", 131.0);
    work.settle();
    let seen = screen.until("select=[data-exception]");
    let seen_ms = seen["at_ms"].as_i64().expect("a time") - published_ms;
    screen.end();
    let bytes = std::fs::metadata(&file).expect("a screenshot").len();
    eprintln!("published to visible on the board: {seen_ms} ms; {} has {bytes} bytes", file.display());
    assert!(bytes > 10_000, "the screenshot shows something");
    assert!((0..=2000).contains(&seen_ms), "it took {seen_ms} ms");
    let exceptions = andon.json("/api/v1/exceptions?state=all");
    let exception = &exceptions["exceptions"][0];
    assert_eq!(exception["rule"], "torque_out_of_spec");
    assert_eq!(
        (&exception["job"], &exception["limit_min"], &exception["limit_max"]),
        (&"J000123".into(), &80.0.into(), &95.0.into())
    );
    andon.stop();
}

/// What a supervisor looks up in the course of a day, and what the page says of it.
const ROUND: [&str; 61] = [
    "tiles=1",
    // Nothing of a view is asked for before somebody looks at it.
    "eval=performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/v1/jobs')).length",
    // By keyboard.
    "eval=document.querySelector('#views [data-view=jobs]').focus()",
    "key=Enter",
    "select=#job-list [data-job=J7][data-late=yes] [data-step=S01][data-state=active]",
    "text=#job-list [data-job=J7]",
    // A step of somebody else: the service says why not, and so does the page.
    "click=#job-list [data-job=J7] [data-verb=pause]",
    "select=dialog[open] input",
    "write=Q2",
    "key=Tab",
    "write=lunch",
    "key=Enter",
    "select=#job-list [data-job=J7] .wrong:not([hidden])",
    "text=#job-list [data-job=J7] .wrong:not([hidden])",
    "eval=location.hash",
    "gone=#bays:not([hidden])",
    "select=#job-list [data-job=J7][data-held=yes] [data-state=qa_hold]",
    "text=#job-list [data-job=J7] [data-step=S01]",
    "text=#jobs-sum",
    "select=#job-list [data-job=J8] [data-step=S01]",
    "text=#job-list [data-job=J8] [data-step=S01]",
    "select=#flood-list [data-flood=yes]",
    "text=#flood-list",
    // By address.
    "eval=location.hash = '#balances'",
    "select=#balance-rows [data-some=yes]",
    "text=#balance-rows tr",
    // By mouse.
    "click=#views [data-view=waiting]",
    "select=#record-list [data-verdict=failed]",
    "text=#record-list",
    "select=#bill-list [data-job=J2]",
    "text=#bill-list",
    "click=#bill-list summary",
    "select=#bill-list .lines li",
    "text=#bill-list .lines",
    "select=#queue-list [data-queue=notifications] .newest li",
    "text=#queue-list [data-queue=notifications]",
    "click=#bill-list .lines button",
    "select=dialog[open] input",
    "write=agreed with the customer",
    "key=Enter",
    "gone=#bill-list [data-job=J2]",
    // Who acts was asked for once.
    "text=#actor-name",
    "click=#open [data-exception] .commands button:not([hidden])",
    "select=#open [data-operator=acknowledged]",
    "text=#open [data-operator=acknowledged]",
    "eval=document.querySelector('#open [data-operator=acknowledged]').dataset.exception",
    "click=#views [data-view=jobs]",
    // A window that is left does nothing.
    "click=#job-list [data-job=J7] [data-verb=sign_off]",
    "select=dialog[open] input",
    "text=dialog[open]",
    "key=Escape",
    "gone=dialog[open]",
    "click=#job-list [data-job=J7] [data-verb=sign_off]",
    "select=dialog[open] input",
    "write=checked by hand",
    "key=Enter",
    "select=#job-list [data-job=J7] [data-step=S01][data-state=closed]",
    "select=#jobs-age[data-age=fresh]",
    "select=#jobs-age[data-age=old]",
    "text=#jobs-age",
    "count=#job-list [data-job]",
];

#[test]
fn each_view_of_the_board_shows_what_it_is_for_and_a_button_does_what_it_says() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    a_late_job_is_in_work(&mut work);
    nobody_clocks(&mut andon, &mut work);
    a_bill_is_held(&mut work);
    a_balance_is_told(&mut andon, &mut work);
    tools_go_offline(&mut andon, &mut work);

    let Some(mut screen) = Screen::open(&andon.url(), &ROUND) else { return };
    assert_eq!(screen.until("eval=performance")["value"], 0, "nobody looks at jobs yet");
    says(&screen.text(), &["J7", "<b>V7</b>", "in work", "late by", "active", "S01 wheel", "bay-01", "T17"]);
    says(&screen.text(), &["step S01 is T17's, and not Q2's"]);
    assert_eq!(screen.until("eval=location.hash")["value"], "#jobs");

    // It is finished without a joint: the page sees it by itself.
    work.step("bay-01", "J7", "finished");
    work.settle();
    says(&screen.text(), &["QA hold", "5 of 5 good readings of torque lack"]);
    says(&screen.text(), &["2 open", "1 late", "1 held"]);
    says(&screen.text(), &["S01 wheel", "not clocked, and worked on from", "80 % sure, by tags"]);
    says(&screen.text(), &["Flood of exceptions", "in 10 min, more than 10 are a flood", "tool offline"]);
    says(&screen.text(), &["electricity", "kWh", "bay-09", "100", "102.5", "2.5"]);
    says(&screen.text(), &["not in order", "J7 S01", "5 of 5 good readings of torque lack"]);
    says(&screen.text(), &["J2", "held"]);
    says(&screen.text(), &["handed over with something open"]);
    says(&screen.text(), &["J7 accepted", "No webhook and no mail takes them"]);

    says(&screen.text(), &["You are Q2"]);
    says(&screen.text(), &["Acknowledged by Q2"]);
    let id = screen.until("eval=")["value"].clone();
    let exceptions = andon.json("/api/v1/exceptions?state=open");
    let all = exceptions["exceptions"].as_array().expect("a list");
    let theirs: Vec<&Value> = all.iter().filter(|one| one["operator_state"] == "acknowledged").collect();
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    assert_eq!((&theirs[0]["id"], &theirs[0]["actor"]), (&id, &json!("Q2")));

    // The record of the step is signed, with why it is in order.
    says(&screen.text(), &["Sign off J7 S01", "Good readings that lack: 5", "Cancel"]);
    screen.until("select=#job-list [data-job=J7] [data-step=S01][data-state=closed]");
    let signed = andon.json("/api/v1/jobs/J7")["steps"][0].clone();
    assert_eq!((&signed["signed_by"], &signed["verdict"]), (&json!("Q2"), &json!("accepted")), "{signed}");

    // What nobody confirms any more stays, and is called old.
    screen.until("select=#jobs-age[data-age=fresh]");
    andon.stop();
    says(&screen.text(), &["Old: as of", "The service does not answer"]);
    assert_eq!(screen.until("count=")["value"], 2, "the jobs are still shown");
    screen.end();
}

pub(crate) fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

/// A job that was promised for an hour ago is worked on; what is on its card is not markup.
fn a_late_job_is_in_work(work: &mut Work) {
    let now_ms = work.now_ms();
    let card = json!({
        "ts": now_ms, "job": "J7", "customer": "C7", "vehicle": "<b>V7</b>", "promised": now_ms - HOUR_MS,
        "steps": [{
            "step": "S01", "operation": "wheel", "standard_s": 600,
            "expect": [{"metric": "torque", "min": 80, "max": 95, "count": 5}],
        }],
    });
    work.events += 1;
    work.message("workshop/lyon/jobs", card.to_string().as_bytes());
    work.step("bay-01", "J7", "started");
    work.settle();
}

/// A job is worked on, its wrench says so, and nobody has clocked it.
fn nobody_clocks(andon: &mut Andon, work: &mut Work) {
    let now_ms = work.now_ms();
    let card = json!({
        "ts": now_ms - HOUR_MS, "job": "J8", "customer": "C8", "vehicle": "V8", "promised": now_ms + HOUR_MS,
        "steps": [{
            "step": "S01", "operation": "wheel", "standard_s": 600,
            "expect": [{"metric": "torque", "min": 80, "max": 95, "count": 2}],
        }],
    });
    work.events += 1;
    work.message("workshop/lyon/jobs", card.to_string().as_bytes());
    let reading = |work: &mut Work, metric: &str, ago_ms: i64, seq: u64| {
        let payload = json!({
            "ts": now_ms - ago_ms, "metric": metric, "value": 87.5, "seq": seq, "tags": {"job": "J8"},
        });
        work.readings += 1;
        work.message("workshop/lyon/bay-08/wrench_8/telemetry", payload.to_string().as_bytes());
    };
    reading(work, "torque", 120_000, 1);
    reading(work, "torque", 90_000, 2);
    reading(work, "current", 0, 3);
    work.settle();
    until("it is seen", 30, || {
        let jobs = andon.json("/api/v1/jobs")["jobs"].clone();
        let of_j8 = jobs.as_array().into_iter().flatten().find(|job| job["job"] == "J8");
        let is_seen = of_j8.is_some_and(|job| job["steps"][0]["inferred_ended_ms"].is_i64());
        if is_seen { Ok(()) } else { Err(jobs) }
    });
}

/// A job is handed over in spite of all, so somebody has to look at its bill.
fn a_bill_is_held(work: &mut Work) {
    work.card("J2");
    for event in ["started", "finished", "released"] {
        work.step("bay-02", "J2", event);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    work.settle();
}

/// A meter ran two days ago, and no step accounts for what it showed.
fn a_balance_is_told(andon: &mut Andon, work: &mut Work) {
    let morning_ms = (work.now_ms() / DAY_MS - 2) * DAY_MS + 6 * HOUR_MS;
    let show = |work: &mut Work, hours: i64, value: f64| {
        let ts = morning_ms + hours * HOUR_MS;
        let payload = json!({"ts": ts, "metric": "energy", "value": value, "seq": hours});
        work.readings += 1;
        work.message("workshop/lyon/bay-09/meter/telemetry", payload.to_string().as_bytes());
        work.settle();
    };
    show(work, 0, 100.0);
    show(work, 1, 102.5);
    until("nobody accounts for it", 30, || {
        let counts = andon.counts();
        if counts.get("usage_unassigned") > 0 { Ok(()) } else { Err(counts) }
    });
    show(work, 3, 102.5);
    show(work, 5, 102.5);
    let balance = until("a balance is told", 30, || {
        let answer = andon.json("/api/v1/balances");
        if answer["balances"] == json!([]) { Err(answer) } else { Ok(answer["balances"][0].clone()) }
    });
    assert_eq!((&balance["unassigned"], &balance["difference"]), (&json!(2.5), &json!(0.0)), "{balance}");
    let from_ms = morning_ms;
    let page = andon.json(&format!("/api/v1/ledger?site=lyon&resource=electricity&from={from_ms}&limit=1"));
    let row = &page["ledger"][0];
    let said = ["job", "bay", "quantity", "from_value", "to_value"].map(|name| row[name].clone());
    assert_eq!(said, [Value::Null, json!("bay-09"), json!(2.5), json!(100.0), json!(102.5)], "{page}");
    let next = page["next"].as_str().expect("the page is full");
    let behind =
        andon.json(&format!("/api/v1/ledger?site=lyon&resource=electricity&from={from_ms}&after={next}"));
    assert_eq!((&behind["ledger"], &behind["next"]), (&json!([]), &Value::Null), "{behind}");
}

/// More tools than anybody can look at within ten minutes.
fn tools_go_offline(andon: &mut Andon, work: &mut Work) {
    for tool in 1..=11 {
        let topic = format!("workshop/lyon/bay-01/wrench_{tool}/status");
        work.message(&topic, br#"{"online":false}"#);
    }
    work.settle();
    until("it is a flood", 30, || {
        let sites = andon.json("/api/v1/exceptions/flood")["sites"].clone();
        if sites[0]["in_flood"] == true { Ok(()) } else { Err(sites) }
    });
}
