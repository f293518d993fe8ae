//! What the lamp of each bay shows: a function of its open exceptions and of the step on it.
//!
//! | open exceptions of the bay that are not aside   | the lamp  |
//! |-------------------------------------------------|-----------|
//! | one is critical or high, and nobody has seen it | `red`     |
//! | others, or all of them acknowledged             | `yellow`  |
//! | none, and a step is worked on                   | `green`   |
//! | none, and the step is paused                    | `blue`    |
//! | none, and there is no step                      | `off`     |

use std::collections::BTreeMap;

use serde::Serialize;

use super::Engine;
use super::exceptions::{Exception, OperatorState};
use super::steps::{BaySteps, Run};
use crate::config::Severity;

/// Exceptions that a lamp names; how many more there are it says as a number.
const NAMED_MAX: usize = 20;

/// Site and bay.
pub(crate) type BayName = (Box<str>, Box<str>);

/// What a lamp shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Lamp {
    pub state: LampState,
    /// What it calls for, the most severe first, of these the newest.
    pub exceptions: Vec<Called>,
    #[serde(skip_serializing_if = "is_none")]
    pub beyond_limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LampState {
    Red,
    Yellow,
    Green,
    Blue,
    Off,
}

/// An exception as a lamp names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Called {
    pub id: String,
    pub rule: String,
    pub severity: &'static str,
    pub operator_state: &'static str,
    pub tool: Option<String>,
    pub job: Option<String>,
    pub step: Option<String>,
    pub raised_ms: i64,
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Engine {
    /// The lamps of all bays that have been heard, and of those with an open exception.
    #[must_use]
    pub(crate) fn lamps(&self) -> BTreeMap<BayName, Lamp> {
        let mut calling: BTreeMap<BayName, Vec<&Exception>> = BTreeMap::new();
        for exception in self.exceptions.open().filter(|exception| !exception.is_aside()) {
            let Some(bay) = exception.bay.as_deref().filter(|bay| !bay.is_empty()) else { continue };
            calling.entry((exception.site.as_str().into(), bay.into())).or_default().push(exception);
        }
        let mut lamps = BTreeMap::new();
        let table = self.decoder.series();
        for (number, (time, name)) in self.bays.all().iter().zip(table.bays()).enumerate() {
            let (site, bay) = name;
            if bay.is_empty() || time.arrived_ms == i64::MIN {
                continue;
            }
            let number = u32::try_from(number).expect("bays are numbered in u32");
            let run = self.steps.bay(number).and_then(BaySteps::current);
            let name: BayName = ((**site).into(), (**bay).into());
            let open = calling.remove(&name).unwrap_or_default();
            lamps.insert(name, Lamp::of(open, run));
        }
        lamps.extend(calling.into_iter().map(|(name, open)| (name, Lamp::of(open, None))));
        lamps
    }
}

impl Lamp {
    fn of(mut open: Vec<&Exception>, run: Option<&Run>) -> Lamp {
        open.sort_by(|left, right| left.urgency().cmp(&right.urgency()));
        let stops = |exception: &&Exception| {
            matches!(exception.severity, Severity::Critical | Severity::High)
                && exception.operator.state == OperatorState::Unacknowledged
        };
        let state = match run {
            _ if open.iter().any(stops) => LampState::Red,
            _ if !open.is_empty() => LampState::Yellow,
            Some(run) if run.is_paused() => LampState::Blue,
            Some(_) => LampState::Green,
            None => LampState::Off,
        };
        let beyond_limit = open.len().saturating_sub(NAMED_MAX);
        let exceptions = open.into_iter().take(NAMED_MAX).map(Called::of).collect();
        Lamp { state, exceptions, beyond_limit }
    }
}

impl Called {
    fn of(exception: &Exception) -> Called {
        Called {
            id: exception.id.clone(),
            rule: exception.rule.to_string(),
            severity: exception.severity.as_str(),
            operator_state: exception.operator.state.as_str(),
            tool: exception.tool.clone(),
            job: exception.job.clone(),
            step: exception.step.clone(),
            raised_ms: exception.raised_ms,
            message: exception.message.clone(),
        }
    }
}
