//! The rule asked again.

use std::path::Path;

use serde_json::Value;

use super::{ExplainError, Found};
use crate::backtest::feed::{Feed, FeedError, Judge};
use crate::config::{Config, CountsWhile, ExceptionKind, RuleSettings};
use crate::engine::EngineError;
use crate::engine::ids::row_id;
use crate::engine::past::{Exception, Mode, Part, Passed, Recount, Said, Shop, say_of_row};
use crate::history::one_row::row_of_id;
use crate::history::{Span, StepRow, StepRows, StepRuns, StreamFiles, TelemetryRows};
use crate::plan::key::Closes;
use crate::plan::{Plan, Planner, RowsPlan, Stream, WindowPlan};
use crate::schema::{STEPS, TELEMETRY};

/// What came of asking a rule again.
#[derive(Debug)]
pub struct Recomputed {
    /// Version of the configuration's rule, if it has the rule.
    pub rule_version: Option<String>,
    /// Whether that is the version that raised the exception.
    pub is_same_version: bool,
    /// What it says, or why it could not be asked.
    pub again: Result<Again, String>,
}

/// What a rule says now.
#[derive(Debug)]
pub struct Again {
    /// Whether that is what the exception says.
    pub is_same: bool,
    pub matches: bool,
    pub value: Option<f64>,
    pub message: String,
    /// In words, a line each.
    pub said: Vec<String>,
}

impl Recomputed {
    /// It could not be asked.
    pub(super) fn not(reason: &str) -> Self {
        Recomputed { rule_version: None, is_same_version: false, again: Err(reason.to_owned()) }
    }
}

/// Asks the configuration's rule again.
pub(super) fn recompute(history: &Path, found: &Found, config: &Config) -> Result<Recomputed, ExplainError> {
    let last = found.last();
    let Some(rule) = config.rules.iter().find(|rule| !rule.is_view && *rule.name == *last.rule) else {
        let reason = format!("the configuration has no rule `{}` any more", last.rule);
        return Ok(Recomputed::not(&reason));
    };
    let plan = Planner::new().plan(rule);
    let plan = plan.map_err(|source| EngineError::Rule { rule: rule.name.clone(), source })?;
    let evidence = found.evidence();
    let again = match plan {
        Plan::Rows(_) if rule.lasts().is_some() => of_silence(last, &evidence, rule),
        Plan::Rows(plan) => of_row((history, config), last, &evidence, rule, &plan)?,
        Plan::Window(plan) => of_window(history, last, &evidence, rule, &plan, config)?,
    };
    Ok(Recomputed {
        rule_version: Some(rule.version.clone()),
        is_same_version: *rule.version == *last.rule_version,
        again,
    })
}

/// Silence is asked of its evidence: what did not arrive is in no history.
fn of_silence(last: &Exception, evidence: &Value, rule: &RuleSettings) -> Result<Again, String> {
    let Some(arrived_ms) = evidence["last_arrived_ms"].as_i64() else {
        return Err("it does not rest on silence, and the rule waits for silence now".into());
    };
    let allowed_ms = rule.lasts().map_or(0, |allowed| allowed.as_millis());
    let allowed_ms = i64::try_from(allowed_ms).unwrap_or(i64::MAX);
    let usual_ms = evidence["usual_interval_ms"].as_i64();
    let allowed_ms = match (rule.silent_intervals, usual_ms) {
        (Some(intervals), Some(usual_ms)) => allowed_ms.max(i64::from(intervals).saturating_mul(usual_ms)),
        _ => allowed_ms,
    };
    let silent_ms = last.raised_ms.saturating_sub(arrived_ms);
    // Where it counts within a step alone, it may count from the step's start.
    let is_same = if rule.counts_while != CountsWhile::Always {
        silent_ms >= allowed_ms
    } else {
        silent_ms == allowed_ms
    };
    let seconds = |ms: i64| std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
    let usual = match usual_ms.filter(|_| rule.silent_intervals.is_some()) {
        Some(usual_ms) => format!(", with something each {} s as a rule", seconds(usual_ms)),
        None => String::new(),
    };
    let so_far =
        if rule.held_after.is_some() { "it had been said and not taken back" } else { "nothing had arrived" };
    let said = format!(
        "{so_far} for {} s when it was raised, and the rule allows {} s{usual}",
        seconds(silent_ms),
        seconds(allowed_ms)
    );
    let message = last.message.clone();
    Ok(Again { is_same, matches: silent_ms >= allowed_ms, value: None, message, said: vec![said] })
}

fn of_row(
    (history, config): (&Path, &Config),
    last: &Exception,
    evidence: &Value,
    rule: &RuleSettings,
    plan: &RowsPlan,
) -> Result<Result<Again, String>, ExplainError> {
    let Some(id) = evidence["rows"][0].as_str() else {
        return Ok(Err("it rests on a window, and the rule looks at single rows now".into()));
    };
    let (stream, time) = (plan.stream(), plan.stream().time_column());
    // A booking is told in revisions that end at other times; readings and step events are of the time of raising.
    let span = match stream {
        Stream::Usage | Stream::Checks => Span::ALL,
        _ => Span { from_ms: last.raised_ms, to_ms: last.raised_ms.saturating_add(1) },
    };
    let schema = stream.schema();
    let files = StreamFiles::find(history, stream.as_str(), &schema, time, span, Some(&last.site))?;
    let Some(row) = row_of_id(files, &schema, id)? else {
        return Ok(Err(format!("row {id} of {} is not in the history", stream.as_str())));
    };
    let said = say_of_row(rule, plan, &row, &config.calendars)?;
    let mut again = Again {
        is_same: said.matches && is_value(&said, last),
        matches: said.matches,
        value: said.value,
        message: said.message.clone(),
        said: vec![in_words(&said)],
    };
    if evidence["reason"] == "rejoined" {
        again.is_same = !said.matches;
        again.said = vec![if said.matches {
            "it matches with its step, and was taken back for that it does not".into()
        } else {
            "it does not match with its step, which was not known on arrival: so it was taken back".into()
        }];
    }
    Ok(Ok(again))
}

fn of_window(
    history: &Path,
    last: &Exception,
    evidence: &Value,
    rule: &RuleSettings,
    plan: &WindowPlan,
    config: &Config,
) -> Result<Result<Again, String>, ExplainError> {
    let bounds = evidence["window_start_ms"].as_i64().zip(evidence["window_end_ms"].as_i64());
    let Some((start_ms, end_ms)) = bounds else {
        return Ok(Err("it rests on a single row, and the rule looks at windows now".into()));
    };
    let mut recount = Recount::new(rule, config, start_ms)?;
    recount_window(history, last, evidence, (start_ms, end_ms), plan, config, &mut recount)?;
    let is_of_it =
        |said: &&Said| said.window.as_ref().is_some_and(|window| names(last, rule, &window.key, start_ms));
    let all: Vec<&Said> = recount.said.iter().filter(is_of_it).collect();
    let Some(newest) = all.last() else {
        return Ok(Err(
            "the history has no rows of its window any more, or the rule groups them otherwise".into()
        ));
    };
    let then = all.iter().find(|said| said.matches && is_value(said, last));
    let said = then.unwrap_or(newest);
    let mut lines = vec![in_words(said)];
    if then.is_some() && said != newest {
        lines.push(format!("since then rows came late, and {}", in_words(newest)));
    }
    Ok(Ok(Again {
        is_same: then.is_some(),
        matches: said.matches,
        value: said.value,
        message: said.message.clone(),
        said: lines,
    }))
}

/// Tells `recount` the rows that bear on a window, as they came.
fn recount_window(
    history: &Path,
    last: &Exception,
    evidence: &Value,
    (start_ms, end_ms): (i64, i64),
    plan: &WindowPlan,
    config: &Config,
    recount: &mut Recount,
) -> Result<(), ExplainError> {
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let engine = &config.engine;
    let around_ms = millis(engine.longest_lateness())
        + millis(engine.longest_horizon())
        + millis(engine.longest_clock_bound());
    // What was shown of a bay that is silent rests on when it was last heard, which may be long before the window.
    let heard_ms =
        evidence["watermark_ms"].as_i64().map_or(start_ms, |watermark_ms| watermark_ms.min(start_ms));
    let span = Span { from_ms: heard_ms.saturating_sub(around_ms), to_ms: end_ms.saturating_add(around_ms) };
    // Bays of other sites matter only where all of them close a window together.
    let site = (plan.closes != Closes::Overall).then_some(&*last.site);
    let telemetry = StreamFiles::find(history, "telemetry", &TELEMETRY, "ts", span, site)?;
    let steps = StreamFiles::find(history, "steps", &STEPS, "ts", span, site)?;
    let mut runs = StepRuns::read(steps.clone())?;
    let steps = (StepRows::new(steps), runs.take_before_start());
    let telemetry = TelemetryRows::new(telemetry, &recount.telemetry_columns(), runs);
    let mut feed = Feed::new(telemetry, steps, config, Mode::AsArrived);
    let reads_steps = plan.stream() == Stream::Steps;
    let mut judge = Window { recount, reads_steps };
    while feed.next(&mut judge)? {}
    feed.end(&mut judge)?;
    Ok(recount.end()?)
}

struct Window<'a> {
    recount: &'a mut Recount,
    reads_steps: bool,
}

impl Judge for Window<'_> {
    fn rows(&mut self, part: &Part<'_>, shop: &Shop) -> Result<(), EngineError> {
        self.recount.rows(part, shop)
    }

    fn step(&mut self, step: &StepRow, bay: u32, shop: &Shop) -> Result<(), EngineError> {
        if self.reads_steps { self.recount.steps(&step.row, bay, shop) } else { Ok(()) }
    }

    fn tick(&mut self, passed: &Passed, shop: &Shop) -> Result<(), EngineError> {
        self.recount.tick(passed, shop)
    }

    fn cut(&mut self, _at_ms: i64) {}
}

/// Whether the exception's id says that it is of the condition `key`, or the event of its window.
fn names(exception: &Exception, rule: &RuleSettings, key: &str, start_ms: i64) -> bool {
    let id = if rule.kind == Some(ExceptionKind::Event) {
        let of_window = row_id(&rule.name, &[key.as_bytes(), &start_ms.to_le_bytes()]);
        row_id(&rule.name, &[of_window.as_bytes()])
    } else {
        row_id(&rule.name, &[key.as_bytes(), &exception.raised_ms.to_le_bytes()])
    };
    id == exception.id
}

fn is_value(said: &Said, exception: &Exception) -> bool {
    said.value.map(f64::to_bits) == exception.value.map(f64::to_bits)
}

fn in_words(said: &Said) -> String {
    let matches = if said.matches { "it matches" } else { "it does not match" };
    let value = said.value.map_or_else(String::new, |value| format!(", value {value}"));
    match &said.window {
        None => format!("{matches}{value}"),
        Some(window) if window.is_final => format!("revision {} says {matches}{value}", window.revision),
        Some(window) => {
            format!("revision {}, of a bay that had fallen silent, says {matches}{value}", window.revision)
        }
    }
}

impl From<FeedError> for ExplainError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::History(error) => ExplainError::History(error),
            FeedError::Engine(error) => ExplainError::Engine(error),
        }
    }
}
