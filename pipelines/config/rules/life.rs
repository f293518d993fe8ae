//! What of a rule's life fits what it judges: known only once its SQL is planned.

use arrow::datatypes::DataType;

use super::Rule;
use crate::config::mistake::{Fault, Mistake};
use crate::config::{CountsWhile, ExceptionKind, Lane, RuleSettings};
use crate::plan::{Clearing, Hindrance, Plan, PlanError, Planner, SilencePlan, Stream, WindowPlan};

/// Plans a rule's SQL.
pub(in crate::config) type PlanRule<'a> = &'a dyn Fn(&RuleSettings) -> Result<Planned, PlanError>;

/// What planning finds out about a rule.
#[derive(Clone, Debug)]
pub(in crate::config) struct Planned {
    /// Names of the columns of SELECT.
    pub(in crate::config) columns: Vec<String>,
    /// Their types.
    pub(in crate::config) kinds: Vec<DataType>,
    pub(in crate::config) looks_at: LooksAt,
    /// Why `clear_when` does not compile.
    pub(in crate::config) clear_when: Option<PlanError>,
    /// Why nothing can be expected by `silent_after`.
    pub(in crate::config) silence: Option<Fault>,
    /// What it costs, if that is much.
    pub(in crate::config) cost: Option<Fault>,
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
    let fields = plan.output_schema().fields();
    let columns: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let kinds = fields.iter().map(|field| field.data_type().clone()).collect();
    let clear_when =
        rule.clear_when.as_deref().map(|text| Clearing::new(planner, text, plan.output_schema()));
    let key_is_there = rule.key.iter().flatten().all(|name| columns.contains(name));
    let silence = match &plan {
        // A key that is not there is told as for every rule.
        Plan::Rows(rows) if rule.lasts().is_some() && looks_at == LooksAt::Readings && key_is_there => {
            let planned = SilencePlan::new(rows, rule.key.as_deref(), rule.counts_while);
            let matches_always = rule.held_after.is_some() && rows.matches_by_series();
            let endless = matches_always.then(|| {
                let message = "`held_after` of readings that always match: nothing ends it";
                Fault::new(message, "add to WHERE what the reading says, such as `value = 1`")
            });
            planned.err().map(|refusal| Fault::new(refusal.message, refusal.remedy)).or(endless)
        }
        _ => None,
    };
    let cost = if let Plan::Window(window) = &plan { cost_of(window) } else { None };
    Ok(Planned { columns, kinds, looks_at, clear_when: clear_when.and_then(Result::err), silence, cost })
}

/// Up to so many windows a row, nobody need know what they cost.
const FEW_WINDOWS: usize = 12;

/// What an operator should know of what windows cost.
fn cost_of(plan: &WindowPlan) -> Option<Fault> {
    let (windows, hindrance) = plan.windows_a_row().filter(|(windows, _)| *windows > FEW_WINDOWS)?;
    let (why, remedy) = match hindrance {
        Hindrance::Uneven => (
            "its size is no whole number of slides".to_owned(),
            "make it a whole number of them, or the slide longer",
        ),
        Hindrance::Key(key) => (
            format!("`{key}` may differ from row to row"),
            "make the slide longer, or GROUP BY site, bay, tool and metric alone",
        ),
        Hindrance::Aggregate(name) => (
            format!("`{name}` is not kept slide by slide"),
            "make the slide longer, or use count, sum, avg, min, max, stddev and var alone: the time of the last row is max(ts)",
        ),
    };
    Some(Fault::new(format!("each row is folded into {windows} windows one by one, since {why}"), remedy))
}

/// What a rule makes where its file does not say.
pub(super) fn default_kind(looks_at: LooksAt, settings: &RuleSettings) -> ExceptionKind {
    let is_condition = looks_at == LooksAt::Windows || settings.lasts().is_some();
    if is_condition { ExceptionKind::Condition } else { ExceptionKind::Event }
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
        let default = default_kind(looks_at, &self.settings);
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
        if kind.unwrap_or(default) == ExceptionKind::Event && self.settings.lasts().is_none() {
            let are_over = "events are over when they have happened";
            let remedy = match looks_at {
                LooksAt::Rows(_) => "leave it out",
                _ => "add `kind = \"condition\"`, or leave it out",
            };
            if self.settings.clear_when.is_some() {
                let message = format!("`clear_when` has no meaning here: {are_over}");
                say(self.clear_at, message, remedy);
            }
            if !self.settings.realarm_after.is_zero() {
                let message = format!("`realarm_after` has no meaning here: {are_over}");
                say(self.realarm_at, message, remedy);
            }
        }
        if self.settings.latch && !self.settings.suppressed_by.is_empty() {
            let message =
                "`suppressed_by` and `latch`: what must be reset by a person is not to be held back";
            say(self.suppressed_at, message.to_owned(), "leave one of them out");
        }
        mistakes.extend(self.check_silence(looks_at));
        mistakes
    }

    /// What does not go with `silent_after` and `held_after`, and what needs them.
    fn check_silence(&self, looks_at: LooksAt) -> Vec<Mistake> {
        let settings = &self.settings;
        let mut mistakes = Vec::new();
        let mut say = |at, message: &str, remedy: &str| {
            mistakes.push(self.mistake(at, message.to_owned(), remedy.to_owned()));
        };
        if settings.silent_intervals.is_some() && settings.silent_after.is_none() {
            let message = "`silent_intervals` goes beside `silent_after`, and the rule has none";
            say(self.intervals_at, message, "add the least time, for example `silent_after = \"90s\"`");
        }
        if settings.silent_after.is_some() && settings.held_after.is_some() {
            let message =
                "`silent_after` and `held_after`: the one waits for a reading, the other for another one";
            say(self.silent_at, message, "keep one of them, one file each");
        }
        let name = if settings.silent_after.is_some() { "silent_after" } else { "held_after" };
        if settings.lasts().is_none() {
            if settings.counts_while != CountsWhile::Always {
                let message = "`while` tells when silence counts, and the rule has no `silent_after`";
                say(
                    self.while_at,
                    message,
                    "add for example `silent_after = \"15min\"`, or leave `while` out",
                );
            }
            return mistakes;
        }
        match looks_at {
            LooksAt::Readings => {}
            LooksAt::Windows => {
                let message = format!("`{name}` over windows: a window without rows is none");
                say(
                    self.silent_at,
                    &message,
                    "write the single rows that are expected: SELECT … FROM telemetry",
                );
            }
            LooksAt::Rows(_) => {
                let message = format!("`{name}` is for readings: steps and bookings are not sent regularly");
                say(self.silent_at, &message, "read single rows FROM telemetry");
            }
        }
        if settings.lane == Lane::Instant {
            let message = format!(
                "`lane` has no meaning with `{name}`: rows are seen as they arrive, absence at ticks"
            );
            say(self.lane_at, &message, "leave `lane` out");
        }
        if settings.kind == Some(ExceptionKind::Event) {
            let message = "`kind = \"event\"`: silence goes on until something is heard";
            say(self.kind_at, message, "leave `kind` out");
        }
        if !settings.raise_after.is_zero() || !settings.clear_after.is_zero() {
            let message =
                "a delay beside `silent_after`: silence is raised after that time and cleared when it ends";
            say(self.delay_at, message, "leave `raise_after` and `clear_after` out");
        }
        if settings.clear_when.is_some() {
            let message = "`clear_when` beside `silent_after`: silence clears when something is heard";
            say(self.clear_at, message, "leave it out");
        }
        mistakes
    }
}
