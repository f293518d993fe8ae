//! A trace as people read it.

use std::fmt::Write as _;

use super::{Row, Trace};

/// RFC 3339.
pub(super) fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// All of it, stage by stage.
#[must_use]
pub fn text(trace: &Trace) -> String {
    let mut out = format!("message {}\n", trace.message);
    intake(trace, &mut out);
    if let Some(decoded) = &trace.decoded {
        out.push_str("\ndecoded, by the present configuration\n");
        let rejects =
            decoded.rejects.iter().map(|(reason, detail)| format!("quarantined: {reason}: {detail}"));
        lines(
            &mut out,
            decoded.readings.iter().cloned().chain(decoded.events.iter().cloned()).chain(rejects),
        );
    }
    out.push_str("\nrepeats\n");
    let named = |words: &str, messages: &[u64]| {
        let names: Vec<String> = messages.iter().map(u64::to_string).collect();
        (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
    };
    let repeats = &trace.repeats;
    let told: Vec<String> = [
        named("it says again what was said in message", &repeats.repeat_of),
        named("it is said again in message", &repeats.repeated_by),
        named("the same seq has other content in message", &repeats.conflicts),
    ]
    .into_iter()
    .flatten()
    .collect();
    let none = "none of its topic in the journal, which begins at message";
    let none = format!("{none} {}", trace.journal_from_message);
    lines(&mut out, if told.is_empty() { vec![none] } else { told }.into_iter());
    out.push_str("\nrows\n");
    if trace.rows.is_empty() {
        out.push_str(
            "  none in the exports: it was a repeat, or waits for its bay's watermark and the next cut\n",
        );
    }
    for (stream, rows) in &trace.rows {
        lines(&mut out, rows.iter().map(|row| format!("{stream} {}", shown(row))));
    }
    if !trace.windows.is_empty() || !trace.exceptions.is_empty() {
        out.push_str("\nwindows and rules\n");
    }
    for (view, rows) in &trace.windows {
        lines(&mut out, rows.iter().map(|row| format!("{view} {}", shown(row))));
    }
    lines(&mut out, trace.exceptions.iter().map(exception));
    if !trace.items.is_empty() {
        out.push_str("\nqueues\n");
        lines(&mut out, trace.items.iter().map(shown));
    }
    if !trace.untold.is_empty() {
        out.push_str("\nnot told here\n");
        lines(&mut out, trace.untold.iter().cloned());
    }
    if !trace.files.is_empty() {
        out.push_str("\nfiles\n");
        lines(&mut out, trace.files.iter().cloned());
    }
    out.trim_end().to_owned()
}

fn intake(trace: &Trace, out: &mut String) {
    out.push_str("\nintake\n");
    match &trace.journal {
        None => {
            let from = trace.journal_from_message;
            let _ = writeln!(out, "  its entry is trimmed: the journal begins at message {from}");
        }
        Some(found) => {
            let arrived = instant(found.arrived_ms);
            let _ = writeln!(out, "  {}, {} bytes, arrived {arrived}", found.topic, found.payload_bytes);
            let epoch =
                found.epoch.map_or("no cut behind it yet".to_owned(), |epoch| format!("epoch {epoch}"));
            let _ = writeln!(out, "  journal offset {}, {epoch}", found.offset);
            if let Some(command) = &found.command {
                let origin =
                    command.origin.map(|origin| format!(", first message {origin}")).unwrap_or_default();
                let _ =
                    writeln!(out, "  by {} of {}: {}{origin}", command.kind, command.actor, command.target);
            }
        }
    }
    if let Some(checkpoint) = &trace.checkpoint {
        let holds = match checkpoint.holds_message {
            Some(false) => ", which does not hold it yet",
            Some(true) => ", which holds it",
            None => "",
        };
        let _ = writeln!(out, "  newest checkpoint: epoch {}{holds}", checkpoint.epoch);
    }
}

fn exception(row: &Row) -> String {
    let value = |name: &str| row.get(name).map_or("", String::as_str);
    let [rule, id, state, raised, message] = ["rule", "id", "state", "raised", "message"].map(value);
    format!("exception {rule} {id} {state}, raised {raised}: {message}")
}

/// The columns that say something beside the message itself.
fn shown(row: &Row) -> String {
    let untold = ["message", "arrived", "seq", "boot", "topic"];
    let told = row.iter().filter(|(name, _)| !untold.contains(&name.as_str()));
    told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn lines(out: &mut String, lines: impl Iterator<Item = String>) {
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}
