//! What of a rule's life fits what it judges: known only once its SQL is planned.

use super::Rule;
use crate::config::mistake::Mistake;
use crate::config::{ExceptionKind, Lane, RuleSettings};
use crate::plan::{Plan, PlanError, Planner, Stream};

/// Plans a rule's SQL.
pub(in crate::config) type PlanRule<'a> = &'a dyn Fn(&RuleSettings) -> Result<Planned, PlanError>;

/// What planning finds out about a rule.
#[derive(Clone, Debug)]
pub(in crate::config) struct Planned {
    /// Names of the columns of SELECT.
    pub(in crate::config) columns: Vec<String>,
    pub(in crate::config) looks_at: LooksAt,
}

/// What a rule judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum LooksAt {
    Readings,
    /// Single rows of `steps` or `usage`.
    Rows(Stream),
    Windows,
}

/// What the engine's planner says.
pub(in crate::config) fn planned(planner: &Planner, rule: &RuleSettings) -> Result<Planned, PlanError> {
    let plan = planner.plan(rule)?;
    let looks_at = match &plan {
        Plan::Window(_) => LooksAt::Windows,
        Plan::Rows(rows) if rows.stream() == Stream::Telemetry => LooksAt::Readings,
        Plan::Rows(rows) => LooksAt::Rows(rows.stream()),
    };
    let columns = plan.output_schema().fields().iter().map(|field| field.name().clone()).collect();
    Ok(Planned { columns, looks_at })
}

impl Rule {
    /// Settings that have no meaning for what the rule judges.
    pub(super) fn check_life(&self, looks_at: LooksAt) -> Vec<Mistake> {
        let RuleSettings { lane, kind, key, raise_after, clear_after, is_view, .. } = &self.settings;
        if *is_view {
            return Vec::new();
        }
        let mut mistakes = Vec::new();
        let mut say = |at, message: String, remedy: &str| {
            mistakes.push(self.mistake(at, message, remedy.to_owned()));
        };
        if *lane == Lane::Instant && looks_at != LooksAt::Readings {
            let message =
                "`lane = \"instant\"` is for single readings: windows, steps and bookings have no arrival";
            say(self.lane_at, message.to_owned(), "leave `lane` out, or read single rows FROM telemetry");
        }
        if let LooksAt::Rows(stream) = looks_at {
            let of = format!("a row of {} is over when it has happened", stream.as_str());
            if *kind == Some(ExceptionKind::Condition) {
                say(self.kind_at, format!("`kind = \"condition\"`: {of}"), "leave `kind` out");
            }
        }
        let default =
            if looks_at == LooksAt::Windows { ExceptionKind::Condition } else { ExceptionKind::Event };
        // With a kind, or the instant lane, the file alone has told already.
        let is_said = kind.is_some() || *lane == Lane::Instant;
        if default == ExceptionKind::Event && !is_said && !(raise_after.is_zero() && clear_after.is_zero()) {
            let message = "a delay has no meaning for events, which single rows are by default";
            let remedy = match looks_at {
                LooksAt::Readings => "add `kind = \"condition\"`, or leave it out",
                _ => "leave it out",
            };
            say(self.delay_at, message.to_owned(), remedy);
        }
        if key.is_some() && kind.unwrap_or(default) == ExceptionKind::Event {
            let message = "`key` tells conditions apart, and each event is an exception of its own";
            say(self.key_at, message.to_owned(), "leave `key` out, or add `kind = \"condition\"`");
        }
        mistakes
    }
}
