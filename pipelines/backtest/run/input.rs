//! What rules are tried on what files.

use super::super::{BacktestError, Request};
use crate::config::{RuleSettings, nearest_name};
use crate::engine::past::Trial;
use crate::history::{Span, StreamFiles};
use crate::plan::Stream;
use crate::schema::{STEPS, TELEMETRY};

/// Rules that both configurations have word for word, and those that only one has or has in another version.
#[derive(Debug)]
pub(super) struct Rules {
    pub shared: Vec<RuleSettings>,
    pub old: Vec<RuleSettings>,
    pub new: Vec<RuleSettings>,
    /// Names of rules over silence: history does not tell what did not arrive.
    pub of_silence: Vec<String>,
}

impl Rules {
    /// Of a request.
    ///
    /// # Errors
    /// Neither has the rule that is asked for, or any rule.
    pub(super) fn new(request: &Request<'_>) -> Result<Self, BacktestError> {
        let wanted =
            |rule: &&RuleSettings| !rule.is_view && request.rule.is_none_or(|name| name == rule.name);
        let of = |rules: &[RuleSettings], is_of_silence: bool| -> Vec<RuleSettings> {
            let silent = |rule: &&RuleSettings| rule.lasts().is_some() == is_of_silence;
            rules.iter().filter(wanted).filter(silent).cloned().collect()
        };
        let (old, new) = (of(&request.old.rules, false), of(&request.new.rules, false));
        let all_of_silence = [of(&request.old.rules, true), of(&request.new.rules, true)].concat();
        let mut of_silence: Vec<String> = all_of_silence.into_iter().map(|rule| rule.name).collect();
        of_silence.sort();
        of_silence.dedup();
        if let (true, true, [name, ..]) = (old.is_empty(), new.is_empty(), of_silence.as_slice()) {
            return Err(BacktestError::Input {
                what: format!("rule `{name}` goes by what does not arrive, which history does not tell"),
                remedy: "replay a recording with it: `andon replay` has the time of every arrival".into(),
            });
        }
        if old.is_empty() && new.is_empty() {
            return Err(no_rule(request));
        }
        let has = |rules: &[RuleSettings], one: &RuleSettings| {
            rules.iter().any(|rule| rule.name == one.name && rule.version == one.version)
        };
        let (shared, only_old): (Vec<_>, Vec<_>) = old.into_iter().partition(|rule| has(&new, rule));
        let only_new = new.into_iter().filter(|rule| !has(&shared, rule)).collect();
        Ok(Rules { shared, old: only_old, new: only_new, of_silence })
    }
}

fn no_rule(request: &Request<'_>) -> BacktestError {
    let rules = request.old.rules.iter().chain(&request.new.rules).filter(|rule| !rule.is_view);
    let mut names: Vec<&str> = rules.map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match request.rule {
        None => BacktestError::Input {
            what: "neither configuration has a rule".into(),
            remedy: "put a rule into the folder that [rules] names; views raise nothing".into(),
        },
        Some(name) => {
            let remedy = match nearest_name(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.join(", ")),
            };
            BacktestError::Input { what: format!("neither configuration has a rule `{name}`"), remedy }
        }
    }
}

/// The files to read.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub telemetry: StreamFiles,
    pub steps: StreamFiles,
    /// Bookings, checks and gaps, where a rule reads them.
    pub booked: Vec<(Stream, StreamFiles)>,
    /// Columns of telemetry that rules read.
    pub columns: Vec<usize>,
    /// Rows of telemetry to read.
    pub rows: u64,
}

impl Input {
    /// Finds what the rules read.
    ///
    /// # Errors
    /// There is no history, or none of that time.
    pub(super) fn find(
        request: &Request<'_>,
        rules: &Rules,
        trials: [&Trial; 3],
    ) -> Result<Self, BacktestError> {
        let span = span(request, rules, trials);
        let reads = |stream: Stream| trials.iter().any(|trial| trial.reads(stream));
        let find = |stream: &str, schema, time, is_read: bool| match is_read {
            true => StreamFiles::find(request.history, stream, schema, time, span, None),
            false => Ok(StreamFiles::default()),
        };
        let reads_time = reads(Stream::Telemetry) || reads(Stream::Steps);
        let telemetry = find("telemetry", &TELEMETRY, "ts", reads_time)?;
        // Step events move the watermarks of their bays.
        let steps = find("steps", &STEPS, "ts", reads_time)?;
        let mut booked = Vec::new();
        for stream in
            [Stream::Usage, Stream::Checks, Stream::Gaps].into_iter().filter(|stream| reads(*stream))
        {
            let schema = stream.schema();
            let files = StreamFiles::find(
                request.history,
                stream.as_str(),
                &schema,
                stream.time_column(),
                span,
                None,
            )?;
            booked.push((stream, files));
        }
        let has_booked = booked.iter().any(|(_, files)| files.has_rows);
        if reads(Stream::Telemetry) && !telemetry.has_rows && (steps.has_rows || has_booked) {
            return Err(BacktestError::Input {
                what: format!("{} holds no readings to judge", request.history.display()),
                remedy:
                    "set `telemetry = true` in [export] to keep them from now on, or try a rule over steps, \
                         usage or checks with --rule"
                        .into(),
            });
        }
        if !telemetry.has_rows && !steps.has_rows && !has_booked {
            return Err(BacktestError::Input {
                what: format!("there is no history in {}", request.history.display()),
                remedy:
                    "name the export folder of a service, or what `andon replay --out` wrote, with --history"
                        .into(),
            });
        }
        let rows_booked: u64 = booked.iter().map(|(_, files)| files.rows()).sum();
        if telemetry.rows() + steps.rows() + rows_booked == 0 {
            return Err(empty_span(request));
        }
        let mut columns: Vec<usize> = trials.iter().flat_map(|trial| trial.telemetry_columns()).collect();
        columns.sort_unstable();
        columns.dedup();
        let rows = telemetry.rows();
        Ok(Input { telemetry, steps, booked, columns, rows })
    }
}

/// There is history, and none of that time.
pub(super) fn empty_span(request: &Request<'_>) -> BacktestError {
    let time = |ms: Option<i64>, none: &str| ms.map_or_else(|| none.to_owned(), super::super::report::time);
    BacktestError::Input {
        what: format!(
            "{} holds no rows from {} to {}",
            request.history.display(),
            time(request.from_ms, "the beginning"),
            time(request.to_ms, "the end")
        ),
        remedy: "choose --from and --to within the folders date=… that it has; times are UTC".into(),
    }
}

/// The time to read: what can bear on an exception of the time that is asked for.
fn span(request: &Request<'_>, rules: &Rules, trials: [&Trial; 3]) -> Span {
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let all = rules.shared.iter().chain(&rules.old).chain(&rules.new);
    let delay_ms = all.map(|rule| millis(rule.raise_after) + millis(rule.clear_after)).max().unwrap_or(0);
    let window_ms = trials.iter().map(|trial| trial.longest_window_ms()).max().unwrap_or(0);
    let before_ms = (2 * window_ms)
        .saturating_add(delay_ms)
        .saturating_add(millis(request.old.engine.longest_lateness()));
    Span {
        from_ms: request.from_ms.map_or(i64::MIN, |from_ms| from_ms.saturating_sub(before_ms)),
        to_ms: request.to_ms.unwrap_or(i64::MAX),
    }
}
