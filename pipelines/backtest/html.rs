//! A report as one page without anything from outside: a time line, counts, the exceptions.

mod line;

use super::difference::CellKey;
use super::report::time;
use super::text::{changed, cleared};
use super::{Change, Counts, Difference, Outcome, Report};

const STYLE: &str = include_str!("html/page.css");

/// Exceptions that are listed; JSON has all.
const LISTED_MAX: usize = 2_000;

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let Counts { added, removed, changed, same } = report.counts();
    let span = report.readings_ms.map_or_else(String::new, |(first_ms, last_ms)| {
        format!(", readings of {} to {}", time(first_ms), time(last_ms))
    });
    let side = |name: &str, side: &super::Side| {
        let (folder, version) = (escaped(&side.folder), escaped(&side.version));
        format!("<dt>{name}</dt><dd>{folder} <small>version {version}, {} rules</small></dd>", side.rules)
    };
    let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect();
    let tile = |change: Change, count: u64| {
        format!(
            "<div class=\"tile {0}\">{1}<b>{count}</b><span>{0}</span></div>",
            change.as_str(),
            line::sample(change)
        )
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Andon backtest</title>\
         <style>\n{STYLE}</style></head>\n<body><h1>Backtest</h1>\n\
         <p>{} rows, {}{span}</p>\n<dl>{}{}</dl>\n\
         <div class=\"tiles\">{}{}{}{}</div>\n<h2>Time line</h2>\n{}\n<h2>Counts</h2>\n{}\n\
         <h2>Differences</h2>\n{}\n<h2>Notes</h2>\n<ul>{notes}</ul></body></html>\n",
        report.rows,
        report.mode.as_str(),
        side("old", &report.old),
        side("new", &report.new),
        tile(Change::Added, added),
        tile(Change::Removed, removed),
        tile(Change::Changed, changed),
        tile(Change::Same, same),
        line::time_line(report),
        counts(report),
        list(report),
    )
}

fn counts(report: &Report) -> String {
    let (other, same): (Vec<_>, Vec<_>) = report.cells.iter().partition(|(_, counts)| counts.is_other());
    let table = |cells: &[(&CellKey, &Counts)]| {
        let rows: String = cells.iter().map(|(key, counts)| cell_row(key, counts)).collect();
        let head = "<tr><th>rule</th><th>bay</th><th>job</th><th class=\"number\">old</th>\
                    <th class=\"number\">new</th><th class=\"number\">added</th><th class=\"number\">removed</th>\
                    <th class=\"number\">changed</th><th class=\"number\">same</th></tr>";
        format!("<div class=\"scroll\"><table>{head}\n{rows}</table></div>")
    };
    let mut out = if other.is_empty() { "<p>No difference.</p>".to_owned() } else { table(&other) };
    if !same.is_empty() {
        let summary = format!("{} more without a difference", same.len());
        out.push_str(&format!("<details><summary>{summary}</summary>{}</details>", table(&same)));
    }
    out
}

fn cell_row([rule, site, bay, job]: &CellKey, counts: &Counts) -> String {
    let place = if bay.is_empty() { site.clone() } else { format!("{site}/{bay}") };
    let numbers =
        [counts.of_old(), counts.of_new(), counts.added, counts.removed, counts.changed, counts.same];
    let numbers = numbers.iter().map(|number| format!("<td class=\"number\">{number}</td>"));
    let names = [rule, &place, job].map(|name| format!("<td>{}</td>", escaped(name))).concat();
    format!("<tr>{names}{}</tr>\n", numbers.collect::<String>())
}

fn list(report: &Report) -> String {
    if report.changes().next().is_none() {
        return "<p>None.</p>".into();
    }
    let rows: String = report.changes().take(LISTED_MAX).map(row).collect();
    let more = report.changes().skip(LISTED_MAX).count();
    let more = if more > 0 { format!("<p>… and {more} more, in the JSON.</p>") } else { String::new() };
    let head = "<tr><th></th><th>raised</th><th>cleared</th><th>rule</th><th>bay</th><th>tool</th><th>job</th>\
                <th>step</th><th>message</th></tr>";
    format!("<div class=\"scroll\"><table>{head}\n{rows}</table></div>{more}")
}

fn row(difference: &Difference) -> String {
    let Outcome { raised_ms, rule, site, bay, tool, job, step, message, severity, .. } = &difference.outcome;
    let cell = |text: &str| format!("<td>{}</td>", escaped(text));
    let name = |name: &Option<String>| cell(name.as_deref().unwrap_or("–"));
    let before = match &difference.before {
        Some(before) => format!("<br><small>{}</small>", escaped(&changed(difference, before))),
        None => String::new(),
    };
    format!(
        "<tr><td class=\"change {0}\">{1}{0}</td><td>{2}</td><td>{3}</td><td>{4} <small>{5}</small></td>\
         {6}{7}{8}{9}<td class=\"message\">{10}{before}</td></tr>\n",
        difference.change.as_str(),
        line::sample(difference.change),
        time(*raised_ms),
        escaped(&cleared(&difference.outcome)),
        escaped(rule),
        severity.as_str(),
        cell(bay.as_deref().unwrap_or(site)),
        name(tool),
        name(job),
        name(step),
        escaped(message),
    )
}

/// Text that is no markup.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}
