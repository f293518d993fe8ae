//! An explanation as people read it.

use serde_json::Value;

use super::{Explanation, Recomputed};
use crate::backtest::time;
use crate::engine::past::{Exception, State};

/// The explanation, with a line end.
#[must_use]
pub fn text(explanation: &Explanation) -> String {
    let Explanation { found, recomputed } = explanation;
    let (last, evidence) = (found.last(), found.evidence());
    let mut lines = vec![format!("{}: {}", last.rule, last.message)];
    let mut say = |name: &str, text: String| lines.push(format!("  {name:<11} {text}"));
    say("id", last.id.clone());
    say("severity", last.severity.as_str().to_owned());
    say("rule", format!("version {}", last.rule_version));
    say("where", place(last));
    say("raised", time(last.raised_ms));
    say("cleared", cleared(last, &evidence));
    if last.value.is_some() || last.limit_min.is_some() || last.limit_max.is_some() {
        say("value", value(last));
    }
    say("rests on", rests_on(&evidence));
    say("watermark", watermark(&evidence));
    if let Some(columns) = evidence["columns"].as_object() {
        let columns: Vec<String> =
            columns.iter().map(|(name, text)| format!("{name} {}", plain(text))).collect();
        say("row", columns.join(", "));
    }
    for state in &found.states {
        let told = match state.state {
            State::Active => "raised".to_owned(),
            State::Latched => "latched: it stays until it is reset".to_owned(),
            State::Suppressed => "held back by its cause".to_owned(),
            State::Cleared => format!("cleared {}", state.cleared_ms.map_or_else(String::new, time)),
        };
        say("told", told);
    }
    lines.extend(again(recomputed));
    lines.join("\n") + "\n"
}

fn place(exception: &Exception) -> String {
    let mut place = exception.site.clone();
    for (name, of) in [
        ("bay", &exception.bay),
        ("tool", &exception.tool),
        ("job", &exception.job),
        ("step", &exception.step),
    ] {
        if let Some(of) = of {
            place.push_str(&format!(", {name} {of}"));
        }
    }
    place
}

fn cleared(exception: &Exception, evidence: &Value) -> String {
    let why = match evidence["reason"].as_str() {
        Some("rejoined") => " (taken back when its step was known)",
        Some("amended") => " (taken back by a later revision of the booking)",
        Some("step_ended") => " (its step was finished)",
        Some("step_paused") => " (its step was paused)",
        Some("forgotten") => " (nothing was heard of it for very long)",
        Some("rule_removed") => " (its rule was taken out of the configuration)",
        _ => "",
    };
    match (exception.cleared_ms, exception.state) {
        (Some(cleared_ms), _) if cleared_ms == exception.raised_ms && why.is_empty() => {
            "at once: it was over when it had happened".into()
        }
        (Some(cleared_ms), _) => format!("{}{why}", time(cleared_ms)),
        (None, State::Latched) => "not before it is reset".into(),
        (None, _) => "not yet".into(),
    }
}

fn value(exception: &Exception) -> String {
    let value = exception.value.map_or_else(|| "none".into(), |value| value.to_string());
    match (exception.limit_min, exception.limit_max) {
        (Some(least), Some(most)) => format!("{value}, allowed {least} to {most}"),
        (Some(least), None) => format!("{value}, at least {least} expected"),
        (None, Some(most)) => format!("{value}, at most {most} allowed"),
        (None, None) => value,
    }
}

fn rests_on(evidence: &Value) -> String {
    match (evidence["window_start_ms"].as_i64(), evidence["window_end_ms"].as_i64()) {
        (Some(start_ms), Some(end_ms)) => format!("the window {} to {}", time(start_ms), time(end_ms)),
        _ => {
            let rows = evidence["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
            format!("row {}", rows.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
    }
}

fn watermark(evidence: &Value) -> String {
    match evidence["watermark_ms"].as_i64() {
        Some(watermark_ms) => {
            format!("{}: nothing of its bay from before that was still expected", time(watermark_ms))
        }
        None if evidence["window_start_ms"].is_i64() => "none: its window is of no single bay".into(),
        None => "none: it was judged on arrival".into(),
    }
}

fn plain(text: &Value) -> String {
    text.as_str().map_or_else(|| text.to_string(), str::to_owned)
}

fn again(recomputed: &Recomputed) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(version), false) = (&recomputed.rule_version, recomputed.is_same_version) {
        lines.push(format!("The rule is another now: version {version}."));
    }
    match &recomputed.again {
        Err(reason) => lines.push(format!("Not recomputed: {reason}.")),
        Ok(again) => {
            let verdict = if again.is_same { "the same" } else { "NOT the same" };
            lines.push(format!("Recomputed from history, {verdict}: {}.", again.said.join("; ")));
        }
    }
    lines
}
