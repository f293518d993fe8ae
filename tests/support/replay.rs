//! The binary as a person types it, offline.

#![allow(dead_code, reason = "not every test that uses this uses all of it")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `andon` with arguments.
pub(crate) fn andon(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon")).args(arguments).output().expect("andon runs")
}

/// Exit code and stderr.
pub(crate) fn out_of(arguments: &[&str]) -> (Option<i32>, String) {
    let done = andon(arguments);
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The shipped configuration.
pub(crate) fn config() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/andon.toml").to_owned()
}

/// Copies the shipped configuration, to be changed.
pub(crate) fn copy_config(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    std::fs::create_dir_all(to.join("rules")).expect("makes a folder");
    for folder in ["", "rules"] {
        for entry in std::fs::read_dir(from.join(folder)).expect("lists").flatten() {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(folder).join(entry.file_name())).expect("copies");
            }
        }
    }
}

/// Replays a recording with the shipped configuration; the figures that it prints.
pub(crate) fn replay(recording: &Path, out: &Path, more: &[&str]) -> Value {
    let (config, recording, out) = (config(), recording.display().to_string(), out.display().to_string());
    let mut arguments = vec!["replay", "--config", &config, "--input", &recording, "--out", &out];
    arguments.extend(more);
    let done = andon(&arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    serde_json::from_str(printed.lines().last().unwrap_or_default()).expect("the last line is JSON")
}

/// Rows of a query over exports.
pub(crate) fn query(history: &Path, sql: &str) -> Vec<Value> {
    let done = andon(&["query", "--history", &history.display().to_string(), "--format", "json", sql]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("rows are JSON")
}
