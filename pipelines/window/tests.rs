//! Stories as text: rows and what happens to their windows in, emissions out. And the law that a stream
//! says what the batch says, wherever it is cut, saved or corrected.

mod absorb;
mod exact;
mod judged;
mod law;
mod shared;
mod stories;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder,
    StringDictionaryBuilder, TimestampMillisecondArray, UInt64Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use arrow::util::display::array_value_to_string;
use ingest::series::{Series, SeriesTable};

use super::*;
use crate::calendar::{CalendarMemo, Calendars};
use crate::plan::{Plan, Planner};
use crate::schema::{TELEMETRY, time};

/// A reading as a line: `site/bay/tool/metric ts value job text`, `-` for none; the last two may be left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub names: [String; 4],
    pub ts_ms: i64,
    pub value: Option<f64>,
    pub job: Option<String>,
    pub text: Option<String>,
}

impl Reading {
    pub(crate) fn parse(line: &str) -> Reading {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut names = words[0].split('/').map(|name| if name == "-" { "" } else { name }.to_owned());
        let some = |place: usize| words.get(place).filter(|word| **word != "-").map(ToString::to_string);
        Reading {
            names: std::array::from_fn(|_| names.next().expect("four names")),
            ts_ms: words[1].parse().expect("a time in milliseconds"),
            value: some(2).map(|value| value.parse().expect("a number")),
            job: some(3),
            text: some(4),
        }
    }
}

/// Readings as the engine has them: columns, series, bays, times.
pub(crate) struct Telemetry {
    pub batch: RecordBatch,
    pub series: Vec<u32>,
    pub bay: Vec<u32>,
    pub ts_ms: Vec<i64>,
}

/// All columns of stream `telemetry`; those that no reading has are null.
pub(crate) fn telemetry(readings: &[Reading], first_message: u64, table: &mut SeriesTable) -> Telemetry {
    let names = |pick: &dyn Fn(&Reading) -> Option<&str>| -> ArrayRef {
        let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
        readings.iter().for_each(|reading| builder.append_option(pick(reading)));
        Arc::new(builder.finish())
    };
    let filled = |name: &'static str| -> ArrayRef {
        let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
        readings.iter().for_each(|_| builder.append_value(name));
        Arc::new(builder.finish())
    };
    let some = |name: &str| Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
    let at = |index: usize| names_of(readings, |reading| some(&reading.names[index]));
    let times: Vec<i64> = readings.iter().map(|reading| reading.ts_ms).collect();
    let columns = TELEMETRY.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "row_id" => {
                Arc::new(StringArray::from_iter_values((0..readings.len()).map(|row| row.to_string())))
            }
            "message" => Arc::new(UInt64Array::from_iter_values((first_message..).take(readings.len()))),
            "ts" | "arrived" => Arc::new(TimestampMillisecondArray::from(times.clone()).with_timezone("UTC")),
            "site" => at(0),
            "bay" => at(1),
            "tool" => at(2),
            "metric" => at(3),
            "value" => Arc::new(Float64Array::from_iter(readings.iter().map(|reading| reading.value))),
            "text" => Arc::new(StringArray::from_iter(readings.iter().map(|reading| reading.text.clone()))),
            "job" | "step" => names(&|reading| reading.job.as_deref()),
            "seq" => Arc::new(Int64Array::from_iter_values(
                (i64::try_from(first_message).unwrap_or(0)..).take(readings.len()),
            )),
            "lateness" => filled("on_time"),
            "tags" => {
                let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
                readings.iter().for_each(|_| builder.append(false).expect("an absent map"));
                cast(&builder.finish(), field.data_type()).expect("maps of texts")
            }
            _ => new_null_array(field.data_type(), readings.len()),
        }
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let series: Vec<u32> = readings
        .iter()
        .map(|reading| {
            let [site, bay, tool, metric] = reading.names.clone().map(String::into_boxed_str);
            table.intern(Series { site, bay, tool, metric })
        })
        .collect();
    let bay = series.iter().map(|&series| table.bay_of()[series as usize]).collect();
    let batch = RecordBatch::try_new(TELEMETRY.clone(), columns).expect("columns of the schema");
    Telemetry { batch, series, bay, ts_ms: times }
}

fn names_of(readings: &[Reading], pick: impl Fn(&Reading) -> Option<String>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    readings.iter().for_each(|reading| builder.append_option(pick(reading)));
    Arc::new(builder.finish())
}

pub(super) fn window_plan(sql: &str) -> WindowPlan {
    match Planner::new().plan_sql(sql) {
        Ok(Plan::Window(plan)) => *plan,
        other => panic!("no window plan: {other:?}"),
    }
}

/// A line for each group that was emitted.
pub(super) fn lines(closed: &[Closed]) -> Vec<String> {
    let mut lines = Vec::new();
    for one in closed {
        for row in 0..one.rows.num_rows() {
            let mut line = format!(
                "[{}, {}) r{}{}{}{}",
                one.starts_ms[row],
                if one.ends_ms[row] == i64::MAX { "-".to_owned() } else { one.ends_ms[row].to_string() },
                one.revisions[row],
                if one.is_withdrawn { " withdrawn" } else { "" },
                if one.is_final { "" } else { " open" },
                if one.matches.value(row) { "" } else { " no" },
            );
            let schema = one.rows.schema();
            for (field, column) in schema.fields().iter().zip(one.rows.columns()) {
                let value = match field.data_type() {
                    kind if *kind == time() => {
                        let number = cast(column, &DataType::Int64).expect("times are numbers");
                        array_value_to_string(&number, row)
                    }
                    _ => array_value_to_string(column, row),
                };
                let value = value.expect("values print");
                let _ = write!(line, " {}={}", field.name(), if value.is_empty() { "-" } else { &value });
            }
            lines.push(line);
        }
        for failure in &one.failed {
            lines.push(format!("[{}) failed {}: {}", failure.window_start_ms, failure.key, failure.error));
        }
    }
    lines
}

/// Runs `script` on `sql` and compares what is emitted with `expected`, line by line.
///
/// A line of the script is a reading, or `-- batch` (push what stands above), `watermark BAY MS`,
/// `site_watermark SITE MS`, `release BAY`, `save` (snapshot, restore, go on), `end`, `run JOB START END` (of a step, `-` for one that goes on), or
/// `finish BAY JOB MS`.
pub(super) fn check(sql: &str, script: &str, expected: &str) {
    check_with_horizon(sql, 900_000, script, expected);
}

pub(super) fn check_with_horizon(sql: &str, horizon_ms: i64, script: &str, expected: &str) {
    let mut bench = Bench::new(sql, horizon_ms);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        bench.step(line);
    }
    bench.flush();
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(bench.said.join("\n"), expected.join("\n"));
}

/// Site S0 has other shifts than the rest, with a gap between them, and is an hour ahead.
pub(super) fn calendars() -> Arc<Calendars> {
    let mut calendars = Calendars::default();
    let mut paris = calendars.others.clone();
    paris.zone = crate::calendar::zone("Europe/Paris").expect("a zone");
    let shifts = ["01:01-02:00", "20:00-01:00"];
    paris.shifts = shifts.map(|shift| shift.parse().expect("a shift")).to_vec();
    calendars.sites.insert("S0".to_owned(), paris);
    Arc::new(calendars)
}

/// An operator with what surrounds it in the engine.
pub(super) struct Bench {
    pub plan: WindowPlan,
    pub operator: WindowOperator,
    pub table: SeriesTable,
    horizon_ms: i64,
    waiting: Vec<Reading>,
    messages: u64,
    bays: Vec<i64>,
    sites: BTreeMap<Box<str>, i64>,
    pub runs: Runs,
    calendar: Option<CalendarMemo>,
    pub said: Vec<String>,
}

/// A run of a step of a job, which is on one bay.
#[derive(Clone, Debug)]
pub(super) struct StepRun {
    pub job: String,
    pub start_ms: i64,
    pub end_ms: i64,
    /// Whether its end has not been told yet.
    pub goes_on: bool,
}

#[derive(Default)]
pub(super) struct Runs(pub Vec<StepRun>);

impl Runs {
    /// Start and end of that of the reading's job at its time, as far as they have been told.
    fn of(&self, reading: &Reading) -> (i64, i64) {
        let holds = |run: &&StepRun| {
            reading.job.as_ref() == Some(&run.job) && (run.start_ms..run.end_ms).contains(&reading.ts_ms)
        };
        let known = |run: &StepRun| (run.start_ms, if run.goes_on { i64::MAX } else { run.end_ms });
        self.0.iter().find(holds).map_or(NO_RUN, known)
    }
}

impl Bench {
    pub(super) fn new(sql: &str, horizon_ms: i64) -> Self {
        let plan = window_plan(sql);
        Bench {
            operator: WindowOperator::new(&plan, horizon_ms).expect("an operator"),
            calendar: match plan.kind() {
                WindowKind::Calendar(unit) => Some(CalendarMemo::new(&calendars(), *unit)),
                _ => None,
            },
            plan,
            table: SeriesTable::default(),
            horizon_ms,
            waiting: Vec::new(),
            messages: 1,
            bays: Vec::new(),
            sites: BTreeMap::new(),
            runs: Runs::default(),
            said: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, readings: &[Reading]) -> Pushed {
        let rows = telemetry(readings, self.messages, &mut self.table);
        self.messages += readings.len() as u64;
        let batch = rows.batch.project(self.plan.columns()).expect("columns of the stream");
        let (operator, table) = (&mut self.operator, &self.table);
        let runs_ms: Vec<_> = match &mut self.calendar {
            Some(calendar) => calendar.windows_ms(&rows.bay, &rows.ts_ms, table),
            None => readings.iter().map(|reading| self.runs.of(reading)).collect(),
        };
        let (series, bay, ts_ms) = (&rows.series, &rows.bay, &rows.ts_ms);
        let input = Input { rows: &batch, series, bay, ts_ms, runs_ms: &runs_ms };
        match operator.push(&input, table) {
            Ok(pushed) => pushed,
            Err(WindowError::Row(_)) => {
                let failed = operator.failing_rows(&input, table).expect("the scope holds");
                assert!(!failed.is_empty(), "some row is to blame");
                for failure in &failed {
                    self.said.push(format!("row {} failed: {}", failure.row, failure.error));
                }
                let is_good = |row: &usize| failed.iter().all(|failure| failure.row != *row);
                let good: Vec<Reading> =
                    (0..readings.len()).filter(is_good).map(|row| readings[row].clone()).collect();
                self.push(&good)
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            let pushed = self.push(&waiting);
            for row in pushed.expired {
                self.said.push(format!("expired: row {row}"));
            }
        }
    }

    pub(super) fn close(&mut self, frontier: Option<&Frontier>) -> Vec<Closed> {
        let mut out = Vec::new();
        let own = Frontier {
            bays: &self.bays,
            sites: &self.sites,
            overall: self.bays.iter().copied().min().unwrap_or(i64::MIN),
        };
        self.operator.close(frontier.unwrap_or(&own), &mut out).expect("it closes");
        self.said.extend(lines(&out));
        out
    }

    pub(super) fn set_watermark(&mut self, bay: usize, ms: i64) {
        self.bays.resize(self.bays.len().max(bay + 1).max(self.table.bays().len()), i64::MIN);
        self.bays[bay] = ms;
    }

    pub(super) fn set_site_watermark(&mut self, site: &str, ms: i64) {
        self.sites.insert(site.into(), ms);
    }

    pub(super) fn save_and_restore(&mut self) {
        let (bytes, hash) = self.snapshot();
        let restored =
            WindowOperator::restore(&self.plan, self.horizon_ms, &bytes, &self.table).expect("it restores");
        self.operator = restored;
        let (again, hash_again) = self.snapshot();
        assert_eq!(hash, hash_again, "a restored state is the same state");
        assert_eq!(bytes.len(), again.len());
    }

    /// The state as bytes, and its hash.
    pub(super) fn snapshot(&mut self) -> (Vec<u8>, blake3::Hash) {
        let bytes = self.operator.snapshot(&self.table).expect("a snapshot");
        let hash = self.operator.hash_of(&bytes).expect("a hash");
        (bytes, hash)
    }

    fn bay(&self, name: &str) -> usize {
        let found = self.table.bays().iter().position(|(site, bay)| format!("{site}/{bay}") == name);
        found.expect("a bay with readings")
    }

    fn step(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["--", "batch"] => self.flush(),
            ["watermark", bay, ms] => {
                self.flush();
                self.set_watermark(self.bay(bay), ms.parse().expect("milliseconds"));
                self.close(None);
            }
            ["site_watermark", site, ms] => {
                self.flush();
                self.set_site_watermark(site, ms.parse().expect("milliseconds"));
                self.close(None);
            }
            ["release", bay] => {
                self.flush();
                let (mut out, bay) = (Vec::new(), self.bay(bay));
                self.operator.release(u32::try_from(bay).expect("few bays"), &mut out).expect("it shows");
                self.said.extend(lines(&out));
            }
            ["run", job, start, end] => {
                let ms =
                    |word: &str| if word == "-" { i64::MAX } else { word.parse().expect("milliseconds") };
                let (job, goes_on) = ((*job).to_owned(), *end == "-");
                self.runs.0.push(StepRun { job, start_ms: ms(start), end_ms: ms(end), goes_on });
            }
            ["finish", bay, job, end] => {
                self.flush();
                let end_ms = end.parse().expect("milliseconds");
                let bay = u32::try_from(self.bay(bay)).expect("few bays");
                let run = self.runs.0.iter_mut().find(|run| run.job == *job && run.goes_on);
                let run = run.expect("a run that goes on");
                (run.end_ms, run.goes_on) = (end_ms, false);
                self.operator.end_run(bay, run.start_ms, end_ms);
            }
            ["save"] => {
                self.flush();
                self.save_and_restore();
            }
            ["end"] => {
                self.flush();
                self.close(Some(&Frontier::end()));
            }
            _ => self.waiting.push(Reading::parse(line)),
        }
    }
}
