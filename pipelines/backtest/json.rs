//! A report as one JSON object, for programs.

use serde_json::{Value, json};

use super::report::time;
use super::{Change, Counts, Difference, Outcome, Report, Side, Stored};

/// The report. Exceptions that are the same in both are counted and not listed.
#[must_use]
pub fn json(report: &Report) -> Value {
    let cells = report.cells.iter().map(|([rule, site, bay, job], counts)| {
        let mut cell = of_counts(*counts);
        cell["rule"] = json!(rule);
        cell["site"] = json!(site);
        cell["bay"] = json!(optional(bay));
        cell["job"] = json!(optional(job));
        cell
    });
    let Counts { added, removed, changed, same } = report.counts();
    json!({
        "mode": report.mode.as_str(),
        "from": report.from_ms.map(time),
        "to": report.to_ms.map(time),
        "rows": report.rows,
        "readings_from": report.readings_ms.map(|(first_ms, _)| time(first_ms)),
        "readings_to": report.readings_ms.map(|(_, last_ms)| time(last_ms)),
        "old": side(&report.old),
        "new": side(&report.new),
        "added": added,
        "removed": removed,
        "changed": changed,
        "same": same,
        "counts": cells.collect::<Vec<_>>(),
        "exceptions": report.changes().map(difference).collect::<Vec<_>>(),
        "stored": report.stored.as_ref().map(stored),
        "notes": report.notes,
    })
}

fn optional(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

fn side(side: &Side) -> Value {
    json!({ "folder": side.folder, "version": side.version, "rules": side.rules })
}

fn of_counts(counts: Counts) -> Value {
    let Counts { added, removed, changed, same } = counts;
    json!({
        "old": counts.of_old(), "new": counts.of_new(),
        "added": added, "removed": removed, "changed": changed, "same": same,
    })
}

fn difference(difference: &Difference) -> Value {
    let mut exception = outcome(&difference.outcome);
    exception["change"] = json!(difference.change.as_str());
    if difference.change == Change::Changed {
        exception["fields"] = json!(difference.fields);
        exception["before"] = json!(difference.before.as_ref().map(outcome));
    }
    exception
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "id": outcome.id,
        "rule": outcome.rule,
        "severity": outcome.severity.as_str(),
        "site": outcome.site,
        "bay": outcome.bay,
        "tool": outcome.tool,
        "job": outcome.job,
        "step": outcome.step,
        "raised": time(outcome.raised_ms),
        "cleared": outcome.cleared_ms.map(time),
        "state": outcome.state,
        "value": outcome.value,
        "message": outcome.message,
    })
}

fn stored(stored: &Stored) -> Value {
    json!({
        "exceptions": stored.exceptions,
        "same": stored.same,
        "of_first_look": stored.of_first_look,
        "other_version": stored.other_version,
        "only_stored": stored.only_stored,
        "only_here": stored.only_here,
        "other_times": stored.other,
    })
}
