//! The port as programs meet it: SQL for analysts, and a description that holds what it says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use arrow::ipc::reader::StreamReader;
use serde_json::Value;

use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{alone, job, until_exported};

/// A service that has seen some jobs.
fn worked(broker: &Mosquitto) -> (Shop, Andon) {
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..12 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);
    (shop, andon)
}

/// Status code, media type and body of what SQL is answered.
fn asked(andon: &mut Andon, (kind, accept): (&str, &str), body: &str) -> (u16, String, Vec<u8>) {
    let address = andon.address();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
    let head = format!(
        "POST /api/v1/sql HTTP/1.0\r\nHost: {address}\r\nContent-Type: {kind}\r\nAccept: {accept}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP answer");
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (code, kind.to_owned(), answer[end + 4..].to_vec())
}

#[test]
fn an_analyst_asks_the_running_service_in_sql_and_gets_json_csv_or_arrow() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (shop, mut andon) = worked(&broker);
    let sql = "SELECT bay, metric, count(*) AS readings, max(value) AS most FROM telemetry GROUP BY bay, metric ORDER BY \
               bay, metric";
    let same: Value = serde_json::from_str(&shop.history().text(sql)).expect("JSON");
    let question = serde_json::json!({ "sql": sql }).to_string();
    let (code, kind, body) = asked(&mut andon, ("application/json", "*/*"), &question);
    let rows: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((code, kind.as_str(), &rows), (200, "application/json", &same), "as `andon query` says");
    assert_eq!(rows.as_array().map(Vec::len), Some(9), "three metrics on three bays: {rows}");

    let (code, kind, body) = asked(&mut andon, ("text/plain; charset=utf-8", "text/csv"), sql);
    let text = String::from_utf8(body).expect("text");
    assert_eq!((code, kind.as_str()), (200, "text/csv"), "{text}");
    assert!(text.starts_with("bay,metric,readings,most\nbay-01,angle,48,"), "{text}");

    let accept = "application/vnd.apache.arrow.stream";
    let (code, kind, body) = asked(&mut andon, ("application/sql", accept), "SELECT * FROM telemetry");
    assert_eq!((code, kind.as_str()), (200, accept));
    let batches: Vec<_> = StreamReader::try_new(&body[..], None)
        .expect("an Arrow stream")
        .collect::<Result<_, _>>()
        .expect("whole batches");
    let readings: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    assert_eq!(readings as u64, andon.counts().get("applied"));
    andon.stop();
}

#[test]
fn what_an_analyst_may_not_do_or_cannot_have_is_refused_and_the_service_goes_on() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (_shop, mut andon) = worked(&broker);
    let mut refused = |kinds: (&str, &str), sql: &str, code: u16, words: &str| {
        let (found, kind, body) = asked(&mut andon, kinds, sql);
        let problem = String::from_utf8_lossy(&body).into_owned();
        assert_eq!((found, kind.as_str()), (code, "application/problem+json"), "{sql}: {problem}");
        assert!(problem.contains(words), "{sql}: {problem}");
    };
    let text = ("text/plain", "*/*");
    refused(text, "SELECT nothing FROM telemetry", 400, "nothing");
    refused(text, "SELEC 1", 400, "SELEC");
    refused(text, " ", 400, "the statement is empty");
    refused(text, "DROP TABLE telemetry", 400, "DDL not supported");
    refused(text, "COPY telemetry TO '/tmp/telemetry.parquet'", 400, "DML not supported");
    refused(text, "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", 400, "DDL not supported");
    refused(text, "SET datafusion.execution.batch_size = 1", 400, "not supported");
    refused(text, "SELECT * FROM '/etc/passwd'", 400, "not found");
    refused(("application/json", "image/png"), "{\"sql\": \"SELECT 1\"}", 406, "text/csv");
    refused(("application/json", "*/*"), "{\"statement\": \"SELECT 1\"}", 400, "sql");
    refused(("text/html", "*/*"), "SELECT 1", 415, "application/json");

    // More than there is room for: broken off, and the next one is answered.
    let greedy = "SELECT count(*) FROM (SELECT a.row_id, b.row_id, c.row_id, count(*) FROM telemetry a, telemetry b, telemetry c \
                  GROUP BY a.row_id, b.row_id, c.row_id)";
    let (code, _, body) = asked(&mut andon, text, greedy);
    let told = String::from_utf8_lossy(&body).into_owned();
    assert!(code == 400 || serde_json::from_str::<Value>(&told).is_err(), "{code}: {told}");
    let (code, _, body) = asked(&mut andon, text, "SELECT 1 AS one");
    assert_eq!((code, body.as_slice()), (200, &b"[{\"one\":1}]\n"[..]));
    assert!(andon.log().contains("broken off"), "{}", andon.log());
    andon.stop();
}

/// schemathesis makes requests from the description, fit and unfit ones, and holds the answers against it.
#[test]
fn every_route_answers_as_its_description_says_whatever_it_is_asked() {
    let _alone = alone();
    if Command::new("schemathesis").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `schemathesis` on the PATH; `make setup` installs it from PyPI");
        return;
    }
    let Some(broker) = Mosquitto::start("") else { return };
    let (shop, mut andon) = worked(&broker);
    let description: Value = andon.json("/api/v1/openapi.json");
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.len() >= 25 && paths.contains_key("/api/v1/jobs/{job}/steps/{step}/{verb}"), "{paths:?}");
    let checks =
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let output = Command::new("schemathesis")
        .args([
            "run",
            &format!("{}/api/v1/openapi.json", andon.url()),
            "--checks",
            checks,
            "--max-examples",
            "15",
        ])
        .args(["--generation-deterministic", "--phases", "coverage,fuzzing"])
        .args([
            "--exclude-path",
            "/api/v1/live",
            "--exclude-path",
            "/api/v1/technicians/{technician}/live",
            "--no-color",
            "--warnings",
            "off",
            "--request-timeout",
            "40",
        ])
        .current_dir(shop.folder())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    eprintln!(
        "{}",
        told.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    );
    andon.counts();
    andon.stop();
}
