//! A report as people read it on a terminal.

use super::report::time;
use super::{Change, Counts, Difference, Outcome, Report, Stored};

/// Exceptions that are listed; JSON and HTML have more.
const LISTED_MAX: usize = 200;

/// The report, with a line end.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = head(report);
    let counts = report.counts();
    if report.changes().next().is_none() {
        out.push_str(&format!("\nNo difference: {} exceptions, the same in both.\n", counts.same));
    } else {
        out.push_str(&format!("\n{}", cells(report)));
        out.push_str(&format!("\n{}", list(report)));
        let Counts { added, removed, changed, same } = counts;
        out.push_str(&format!("\n{added} added, {removed} removed, {changed} changed, {same} the same.\n"));
    }
    if let Some(stored) = &report.stored {
        out.push_str(&compared(stored));
    }
    for note in &report.notes {
        out.push_str(&format!("note: {note}\n"));
    }
    out
}

fn head(report: &Report) -> String {
    let of_time = match report.readings_ms {
        Some((first_ms, last_ms)) => format!(", readings of {} to {}", time(first_ms), time(last_ms)),
        None => String::new(),
    };
    let side = |name: &str, side: &super::Side| {
        format!("  {name}  {} (version {}, {} rules)\n", side.folder, side.version, side.rules)
    };
    format!(
        "{} rows {}{of_time}\n{}{}",
        report.rows,
        report.mode.as_str(),
        side("old", &report.old),
        side("new", &report.new)
    )
}

fn cells(report: &Report) -> String {
    let mut rows = vec![
        ["rule", "bay", "job", "old", "new", "added", "removed", "changed", "same"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (key, counts) in report.cells.iter().filter(|(_, counts)| counts.is_other()) {
        let [rule, site, bay, job] = key;
        let place = if bay.is_empty() { site.clone() } else { format!("{site}/{bay}") };
        let job = if job.is_empty() { "–".to_owned() } else { job.clone() };
        let numbers =
            [counts.of_old(), counts.of_new(), counts.added, counts.removed, counts.changed, counts.same];
        rows.push([rule.clone(), place, job].into_iter().chain(numbers.map(|n| n.to_string())).collect());
    }
    aligned(&rows, 3)
}

fn list(report: &Report) -> String {
    let head = ["", "raised", "cleared", "rule", "bay", "tool", "job", "step", "message"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(report.changes().take(LISTED_MAX).map(line));
    let mut text = aligned(&rows, usize::MAX);
    let more = report.changes().skip(LISTED_MAX).count();
    if more > 0 {
        text.push_str(&format!("… and {more} more: --json has all of them\n"));
    }
    text
}

fn line(difference: &Difference) -> Vec<String> {
    let Outcome { raised_ms, rule, site, bay, tool, job, step, message, .. } = &difference.outcome;
    let text = |name: &Option<String>| name.clone().unwrap_or_else(|| "–".into());
    let message = match &difference.before {
        None => message.clone(),
        Some(before) => format!("{message} [{}]", changed(difference, before)),
    };
    vec![
        sign(difference.change).to_owned(),
        time(*raised_ms),
        cleared(&difference.outcome),
        rule.clone(),
        bay.clone().unwrap_or_else(|| site.clone()),
        text(tool),
        text(job),
        text(step),
        message,
    ]
}

fn sign(change: Change) -> &'static str {
    match change {
        Change::Added => "+ added",
        Change::Removed => "- removed",
        Change::Changed => "~ changed",
        Change::Same => "  same",
    }
}

/// When it was cleared, or what it is instead.
pub(super) fn cleared(outcome: &Outcome) -> String {
    outcome.cleared_ms.map_or_else(|| outcome.state.to_owned(), time)
}

/// What a changed one was before.
pub(super) fn changed(difference: &Difference, before: &Outcome) -> String {
    let was = |field: &&'static str| match *field {
        "severity" => format!("severity was {}", before.severity.as_str()),
        "raised" => format!("raised was {}", time(before.raised_ms)),
        "cleared" => format!("cleared was {}", cleared(before)),
        "value" => {
            format!("value was {}", before.value.map_or_else(|| "none".into(), |value| value.to_string()))
        }
        _ => format!("message was \"{}\"", before.message),
    };
    difference.fields.iter().map(was).collect::<Vec<_>>().join(", ")
}

fn compared(stored: &Stored) -> String {
    let Stored { exceptions, same, of_first_look, other_version, .. } = stored;
    let mut text = format!(
        "Of the old configuration, {same} of {exceptions} exceptions in history came out again with the same id, \
         raised and cleared"
    );
    let mut more = Vec::new();
    if *of_first_look > 0 {
        more.push(format!("{of_first_look} were a matter of the first look"));
    }
    let named = |ids: &[String], what: &str| {
        let shown: Vec<&str> = ids.iter().take(3).map(String::as_str).collect();
        let dots = if ids.len() > shown.len() { ", …" } else { "" };
        format!("{} {what} ({}{dots})", ids.len(), shown.join(", "))
    };
    if !stored.only_stored.is_empty() {
        more.push(named(&stored.only_stored, "did not come out"));
    }
    if !stored.only_here.is_empty() {
        more.push(named(&stored.only_here, "are not in history"));
    }
    if !stored.other.is_empty() {
        more.push(named(&stored.other, "have other times"));
    }
    if *other_version > 0 {
        more.push(format!("{other_version} are of other versions of these rules"));
    }
    if !more.is_empty() {
        text.push_str(&format!("; {}", more.join(", ")));
    }
    text + ".\n"
}

/// Columns side by side; those from `numbers` on at the right.
fn aligned(rows: &[Vec<String>], numbers: usize) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column >= numbers { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
