//! An exception on its way to the browser.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::alone;
use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;

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

    let screenshot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("board.png");
    let mut browser = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/board.py"))
        .args(["--timeout", "30", &andon.url(), "tiles=1", "select=[data-exception]"])
        .arg(format!("screenshot={}", screenshot.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut lines = BufReader::new(browser.stdout.take().expect("it is piped")).lines();
    let mut next = || lines.next().map(|line| line.expect("a pipe"));
    let Some(tiles) = next() else {
        let mut error = String::new();
        browser.stderr.take().expect("it is piped").read_to_string(&mut error).expect("text");
        let code = browser.wait().expect("a process").code();
        assert_eq!(code, Some(2), "the board did not show a tile: {error}");
        eprintln!("skipped: {}", error.trim());
        return;
    };
    assert!(tiles.contains("tiles=1"), "{tiles}");

    let published_ms = work.now_ms();
    work.reading("bay-01", "wrench_7", "torque", 131.0);
    work.settle();
    let seen = next().unwrap_or_else(|| {
        let mut error = String::new();
        let _ = browser.stderr.take().expect("it is piped").read_to_string(&mut error);
        panic!("the exception is not on the board: {error}")
    });
    let seen: serde_json::Value = serde_json::from_str(&seen).expect("a line of JSON");
    let seen_ms = seen["at_ms"].as_i64().expect("a time") - published_ms;
    assert!(next().is_some(), "a screenshot");
    let status = browser.wait().expect("a process");
    assert!(status.success(), "the board reported errors");
    let bytes = std::fs::metadata(&screenshot).expect("a screenshot").len();
    eprintln!("published to visible on the board: {seen_ms} ms; {} has {bytes} bytes", screenshot.display());
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
