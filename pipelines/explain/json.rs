//! An explanation as one JSON object, for programs.

use serde_json::{Value, json};

use super::{Explanation, Recomputed};
use crate::backtest::time;
use crate::engine::past::Exception;

/// The explanation.
#[must_use]
pub fn json(explanation: &Explanation) -> Value {
    let Explanation { found, recomputed } = explanation;
    let last = found.last();
    json!({
        "id": last.id,
        "rule": last.rule,
        "rule_version": last.rule_version,
        "severity": last.severity.as_str(),
        "site": last.site,
        "bay": last.bay,
        "tool": last.tool,
        "job": last.job,
        "step": last.step,
        "raised": time(last.raised_ms),
        "cleared": last.cleared_ms.map(time),
        "state": last.state.as_str(),
        "value": last.value,
        "limit_min": last.limit_min,
        "limit_max": last.limit_max,
        "message": last.message,
        "evidence": found.evidence(),
        "states": found.states.iter().map(state).collect::<Vec<_>>(),
        "recomputed": again(recomputed),
    })
}

fn state(state: &Exception) -> Value {
    json!({
        "state": state.state.as_str(),
        "cleared": state.cleared_ms.map(time),
        "value": state.value,
        "message": state.message,
    })
}

fn again(recomputed: &Recomputed) -> Value {
    let Recomputed { rule_version, is_same_version, again } = recomputed;
    let mut said = match again {
        Err(reason) => json!({ "same": null, "reason": reason }),
        Ok(again) => json!({
            "same": again.is_same,
            "matches": again.matches,
            "value": again.value,
            "message": again.message,
            "said": again.said,
        }),
    };
    said["rule_version"] = json!(rule_version);
    said["same_version"] = json!(is_same_version);
    said
}
