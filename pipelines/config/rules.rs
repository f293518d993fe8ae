//! Files of `rules/`: one rule or view each, and what its SQL must fit.

use std::time::Duration;

use toml::de::DeTable;

mod causes;
mod columns;
mod life;
mod wording;

use super::document::Reader;
use super::kind::Kind;
use super::mistake::{Fault, Mistake, SourceFile};
use super::setting::Fallback::{Absent, Is, Required};
use super::setting::{Setting, duration, key};
use super::values::Values;
use super::{CountsWhile, ExceptionKind, Lane, RuleSettings, Severity, pattern, version};
use crate::engine::INTERVALS_MAX;
use crate::plan::PlanError;
pub(super) use causes::check_causes;
pub(crate) use causes::ranks;
pub(super) use life::{PlanRule, Planned, planned};
pub(crate) use wording::Wording;

static RULE: &[Setting] = &[
    key("rule", Kind::Name, Absent("\"tool_drift\"")),
    key("view", Kind::Name, Absent("\"torque_per_minute\"")),
    key("severity", Kind::Word(&["critical", "high", "medium", "low"]), Absent("\"high\"")),
    key("lane", Kind::Word(&["final", "instant"]), Is("\"final\"")),
    key("kind", Kind::Word(&["event", "condition"]), Absent("\"condition\"")),
    key("key", Kind::Texts, Absent("[\"site\", \"bay\", \"tool\"]")),
    key("latch", Kind::Flag, Is("false")),
    key("raise_after", duration("0s", "1d"), Is("\"0s\"")),
    key("clear_after", duration("0s", "1d"), Is("\"0s\"")),
    key("clear_when", Kind::Text, Absent("\"value < 90\"")),
    key("realarm_after", duration("0s", "1d"), Is("\"0s\"")),
    key("silent_after", duration("1s", "1d"), Absent("\"3min\"")),
    key("silent_intervals", Kind::Whole { min: 2, max: INTERVALS_MAX }, Absent("3")),
    key("held_after", duration("1s", "1d"), Absent("\"10min\"")),
    key("while", Kind::Word(&["step", "no_step", "open"]), Absent("\"step\"")),
    key("suppressed_by", Kind::Texts, Absent("[\"gateway_down\"]")),
    key("message", Kind::Text, Absent("\"{tool} reads {value} {unit}\"")),
    key("response", Kind::Text, Absent("\"Stop, and call the foreman\"")),
    key("sql", Kind::Text, Required("\"SELECT … FROM telemetry WHERE …\"")),
];

/// Keys that only rules have.
const RULE_ONLY: [&str; 16] = [
    "severity",
    "lane",
    "kind",
    "key",
    "latch",
    "raise_after",
    "clear_after",
    "clear_when",
    "realarm_after",
    "silent_after",
    "silent_intervals",
    "held_after",
    "while",
    "suppressed_by",
    "message",
    "response",
];

/// Streams that are there without any view.
const STREAMS: [&str; 10] = [
    "telemetry",
    "steps",
    "usage",
    "ledger",
    "checks",
    "balances",
    "gaps",
    "exceptions",
    "late",
    "quarantine",
];

/// A rule that could be read, and where its parts stand: (line, column), from 1.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) settings: RuleSettings,
    pub(super) name_at: (usize, usize),
    message_at: (usize, usize),
    key_at: (usize, usize),
    lane_at: (usize, usize),
    kind_at: (usize, usize),
    delay_at: (usize, usize),
    silent_at: (usize, usize),
    intervals_at: (usize, usize),
    while_at: (usize, usize),
    realarm_at: (usize, usize),
    suppressed_at: (usize, usize),
    /// The first character of the text of `clear_when` itself.
    clear_at: (usize, usize),
    /// The first character of the SQL text itself.
    sql_at: (usize, usize),
}

/// Reads a file of `rules/`. `None` with at least one mistake where a part without default is missing.
pub(super) fn read(file: &SourceFile, table: &DeTable<'_>) -> (Option<Rule>, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let values = reader.read(table, RULE, &(0..0), "");
    let is_view = table.contains_key("view");
    check_keys(table, &values, is_view, &mut reader);
    let rule = build(file, table, &values, is_view);
    (rule, reader.mistakes)
}

fn build(file: &SourceFile, table: &DeTable<'_>, values: &Values, is_view: bool) -> Option<Rule> {
    let name_key = if is_view { "view" } else { "rule" };
    let at = |key: &str| values.span(key).map_or((1, 1), |span| file.place(span.start));
    let text = |key: &str| values.text(key).map(str::to_owned);
    let severity = match values.text("severity") {
        Some("critical") => Severity::Critical,
        Some("high") => Severity::High,
        Some("medium") => Severity::Medium,
        Some(_) => Severity::Low,
        None if is_view => Severity::Low,
        None => return None,
    };
    let name = text(name_key)?;
    let sql_span = values.span("sql")?;
    let text_at = |span: &std::ops::Range<usize>| file.place(text_start(&file.text, span.start));
    let sql_at = text_at(&sql_span);
    let settings = RuleSettings {
        file: file.path.clone(),
        is_view,
        severity,
        lane: if values.text("lane") == Some("instant") { Lane::Instant } else { Lane::Final },
        kind: values.text("kind").map(|kind| match kind {
            "event" => ExceptionKind::Event,
            _ => ExceptionKind::Condition,
        }),
        key: values.texts("key").map(<[String]>::to_vec),
        latch: values.flag("latch").unwrap_or_default(),
        raise_after: values.duration("raise_after").unwrap_or_default(),
        clear_after: values.duration("clear_after").unwrap_or_default(),
        clear_when: text("clear_when"),
        realarm_after: values.duration("realarm_after").unwrap_or_default(),
        silent_after: values.duration("silent_after"),
        silent_intervals: values.whole("silent_intervals"),
        held_after: values.duration("held_after"),
        counts_while: values.text("while").map_or(CountsWhile::Always, CountsWhile::named),
        suppressed_by: values.texts("suppressed_by").map(<[String]>::to_vec).unwrap_or_default(),
        // What nobody worded is called by its name.
        message: text("message").unwrap_or_else(|| name.replace('_', " ")),
        response: text("response").unwrap_or_default(),
        name,
        sql: text("sql")?,
        sql_line: sql_at.0,
        version: version::of(table),
    };
    let delay_at = if settings.raise_after.is_zero() { at("clear_after") } else { at("raise_after") };
    Some(Rule {
        settings,
        name_at: at(name_key),
        message_at: at("message"),
        key_at: at("key"),
        lane_at: at("lane"),
        kind_at: at("kind"),
        delay_at,
        silent_at: if values.span("silent_after").is_some() { at("silent_after") } else { at("held_after") },
        intervals_at: at("silent_intervals"),
        while_at: at("while"),
        realarm_at: at("realarm_after"),
        suppressed_at: at("suppressed_by"),
        clear_at: values.span("clear_when").as_ref().map_or((1, 1), text_at),
        sql_at,
    })
}

/// What the keys must fit among themselves.
fn check_keys(table: &DeTable<'_>, values: &Values, is_view: bool, reader: &mut Reader<'_>) {
    let top = 0..0;
    match (table.contains_key("rule"), is_view) {
        (false, false) => {
            let remedy = "add `rule = \"NAME\"` for exceptions, or `view = \"NAME\"` for a stream";
            reader.fault(&top, Fault::new("the file names neither a rule nor a view", remedy));
        }
        (true, true) => {
            let span = table.get_key_value("view").map(|(key, _)| key.span()).unwrap_or_default();
            reader.fault(
                &span,
                Fault::new("the file names a rule and a view", "keep one of them, one file each"),
            );
        }
        _ => {}
    }
    if is_view {
        for name in RULE_ONLY {
            if let Some((key, _)) = table.get_key_value(name) {
                let message = format!("`{name}` has no meaning in a view");
                reader.fault(&key.span(), Fault::new(message, "leave it out, or make the file a rule"));
            }
        }
    } else if table.contains_key("rule") && !table.contains_key("severity") {
        let remedy = "add for example `severity = \"high\"`";
        reader.fault(&top, Fault::new("`severity` is missing", remedy));
    }
    if let (Some(name), Some(span)) = (values.text("view"), values.span("view"))
        && STREAMS.contains(&name)
    {
        let message = format!("the view's name `{name}` is taken by a stream that is always there");
        reader.fault(&span, Fault::new(message, format!("choose another, such as `{name}_view`")));
    }
    // An instant rule without `kind` makes events; what else defaults to is known once the SQL is planned.
    let is_event = match values.text("kind") {
        Some(kind) => kind == "event",
        None => values.text("lane") == Some("instant"),
    };
    for name in ["raise_after", "clear_after"] {
        if let (true, Some(span)) = (is_event, values.span(name))
            && values.duration(name) > Some(Duration::ZERO)
        {
            let message = format!("`{name}` has no meaning for events: each row is closed at once");
            reader.fault(&span, Fault::new(message, "add `kind = \"condition\"`, or leave it out"));
        }
    }
    if let (Some(message), Some(span)) = (values.text("message"), values.span("message"))
        && let Err(fault) = pattern::braced(message)
    {
        reader.fault(&span, fault);
    }
}

/// Names are unique over all files, since exceptions and streams carry them.
pub(super) fn check_names(rules: &[Rule]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let name = &rule.settings.name;
        if let Some(first) = rules[..index].iter().find(|other| other.settings.name == *name) {
            let message = format!("the name `{name}` is taken by `{}`", first.settings.file.display());
            mistakes.push(rule.mistake(
                rule.name_at,
                message,
                "give each rule and view a name of its own".to_owned(),
            ));
        }
    }
    mistakes
}

/// Plans every rule, and holds placeholders and keys against the columns that come out. What a rule costs, if that is much,
/// goes to `warnings`.
pub(super) fn check_sql(rules: &[Rule], plan: PlanRule<'_>, warnings: &mut Vec<Mistake>) -> Vec<Mistake> {
    rules.iter().flat_map(|rule| rule.check_sql(plan, warnings)).collect()
}

impl Rule {
    fn mistake(&self, (line, column): (usize, usize), message: String, remedy: String) -> Mistake {
        Mistake { file: self.settings.file.clone(), line, column, message, remedy }
    }

    fn check_sql(&self, plan: PlanRule<'_>, warnings: &mut Vec<Mistake>) -> Vec<Mistake> {
        let planned = match plan(&self.settings) {
            Ok(planned) => planned,
            Err(error) => return vec![self.mistake_within(self.sql_at, error)],
        };
        let mut mistakes = self.check_columns(&planned);
        let Planned { looks_at, clear_when, silence, cost, .. } = planned;
        warnings.extend(cost.map(|fault| self.mistake(self.sql_at, fault.message, fault.remedy)));
        mistakes.extend(self.check_life(looks_at));
        mistakes.extend(clear_when.map(|error| self.mistake_within(self.clear_at, error)));
        mistakes.extend(silence.map(|fault| self.mistake(self.silent_at, fault.message, fault.remedy)));
        mistakes
    }

    /// A mistake within a text that begins at `text_at`.
    fn mistake_within(&self, text_at: (usize, usize), error: PlanError) -> Mistake {
        let PlanError { line, column, message, remedy } = error;
        // Only the first line of the text can start in the middle of a line of the file.
        let column = if line <= 1 { text_at.1 + column.max(1) - 1 } else { column };
        self.mistake((text_at.0 + line.max(1) - 1, column), message, remedy)
    }
}

/// The first byte of a TOML text's content: behind the quotes, and behind the line break that follows `"""`.
fn text_start(file: &str, value_start: usize) -> usize {
    let rest = &file[value_start..];
    let is_long = rest.starts_with("\"\"\"") || rest.starts_with("'''");
    if !is_long {
        return value_start + 1;
    }
    let inner = &rest[3..];
    let line_break = if inner.starts_with("\r\n") { 2 } else { usize::from(inner.starts_with('\n')) };
    value_start + 3 + line_break
}
