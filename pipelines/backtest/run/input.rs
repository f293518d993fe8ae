//! What files are read.

use std::time::Duration;

use super::super::{BacktestError, Request};
use super::rules::{Chosen, Rules};
use crate::config::CountsWhile;
use crate::engine::past::Trial;
use crate::history::{Span, StreamFiles};
use crate::plan::Stream;
use crate::schema::{STEPS, TELEMETRY};

const DAY: Duration = Duration::from_secs(86_400);

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
    let all = [&rules.shared, &rules.old, &rules.new].into_iter().flat_map(Chosen::all);
    let delay = all.map(|rule| {
        // What is usual is learnt, and a bay may have been opened a while ago.
        let learns = rule.silent_intervals.is_some() || rule.counts_while == CountsWhile::Open;
        let learning = if learns { DAY } else { Duration::ZERO };
        rule.raise_after + rule.clear_after + rule.lasts().unwrap_or_default() + learning
    });
    let delay = delay.max();
    let delay_ms = millis(delay.unwrap_or_default());
    let window_ms = trials.iter().map(|trial| trial.longest_window_ms()).max().unwrap_or(0);
    let before_ms = (2 * window_ms)
        .saturating_add(delay_ms)
        .saturating_add(millis(request.old.engine.longest_lateness()));
    Span {
        from_ms: request.from_ms.map_or(i64::MIN, |from_ms| from_ms.saturating_sub(before_ms)),
        to_ms: request.to_ms.unwrap_or(i64::MAX),
    }
}
