//! Window functions over any table, so that a rule's text runs on history too.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampMillisecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimestampMillisecondType};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Volatility, cast as cast_to, create_udf,
    ident, lit,
};

use super::block_on::block_on;
use super::function::{Asked, Call, WindowFunction};
use super::refusal::{Refusal, unknown};
use super::stream::{WINDOW_COLUMNS, Windows};
use crate::calendar::{CalendarUnit, Calendars, Stretch};
use crate::schema;

/// A window function over any table: its rows with `window_start` and `window_end`, each as often as there are windows
/// that hold it.
#[derive(Debug)]
pub(super) struct BatchWindow {
    pub function: WindowFunction,
    /// Of the sites.
    pub calendars: Arc<Calendars>,
}

impl TableFunctionImpl for BatchWindow {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let Call { table: name, time, windows } =
            self.function.call(args.exprs()).map_err(Refusal::into_external)?;
        let options = &args.session().config_options().catalog;
        let tables = args
            .session()
            .catalog_list()
            .catalog(&options.default_catalog)
            .and_then(|catalog| catalog.schema(&options.default_schema));
        let table = match tables {
            Some(tables) => block_on(tables.table(&name))?,
            None => None,
        };
        let Some(table) = table else {
            return Err(unknown("table", &name, &[]).into_external());
        };
        let time = time.unwrap_or_else(|| "ts".to_owned());
        let plan = match windows {
            Asked::Fixed(windows) => fixed(name, &table, &time, windows)?,
            Asked::Session { gap_ms, keys } => {
                of_text(&args, &session_text(&name, &table, &time, gap_ms, &keys))?
            }
            Asked::Calendar(unit) => of_calendar(name, &table, &time, unit, &self.calendars)?,
            Asked::Step => of_text(&args, &step_text(&name, &table))?,
        };
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// Each row with the windows of the clock that hold it.
fn fixed(name: String, table: &Arc<dyn TableProvider>, time: &str, windows: Windows) -> Result<LogicalPlan> {
    let own = || table.schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<Expr>>();
    let [start, end] = WINDOW_COLUMNS;
    let (mut with_starts, mut with_window) = (own(), own());
    let starts = starts_of(windows).call(vec![cast_to(ident(time), schema::time())]);
    with_starts.push(starts.alias(start));
    let size = lit(ScalarValue::new_interval_mdn(0, 0, windows.size_ms * 1_000_000));
    with_window.push(ident(start));
    with_window.push((ident(start) + size).alias(end));
    let rows = LogicalPlanBuilder::scan(name, provider_as_source(Arc::clone(table)), None)?;
    rows.project(with_starts)?.unnest_column(start)?.project(with_window)?.build()
}

/// Each row with the window of its site's calendar, without those that are in none.
fn of_calendar(
    name: String,
    table: &Arc<dyn TableProvider>,
    time: &str,
    unit: CalendarUnit,
    calendars: &Arc<Calendars>,
) -> Result<LogicalPlan> {
    let mut columns: Vec<Expr> = table.schema().fields().iter().map(|field| ident(field.name())).collect();
    for (column, is_end) in WINDOW_COLUMNS.into_iter().zip([false, true]) {
        let site = cast_to(ident("site"), DataType::Utf8);
        let bound = bound_of(unit, is_end, calendars).call(vec![site, cast_to(ident(time), schema::time())]);
        columns.push(bound.alias(column));
    }
    let rows = LogicalPlanBuilder::scan(name, provider_as_source(Arc::clone(table)), None)?;
    rows.project(columns)?.filter(ident(WINDOW_COLUMNS[0]).is_not_null())?.build()
}

/// A function from a site and a time to start or end of the window that holds it.
fn bound_of(unit: CalendarUnit, is_end: bool, calendars: &Arc<Calendars>) -> ScalarUDF {
    let calendars = Arc::clone(calendars);
    let bound = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let (sites, times) = (columns[0].as_string::<i32>(), cast(&columns[1], &schema::time())?);
        let times = times.as_primitive::<TimestampMillisecondType>();
        // Rows of a site and a day lie together.
        let mut last: Option<(&str, Stretch)> = None;
        let bounds = sites.iter().zip(times).map(|(site, ts_ms)| {
            let (site, ts_ms) = (site.unwrap_or_default(), ts_ms?);
            let holds = |(of, stretch): &(&str, Stretch)| {
                *of == site && stretch.start_ms <= ts_ms && ts_ms < stretch.end_ms
            };
            if !last.as_ref().is_some_and(holds) {
                last = calendars.of(site).stretch(unit, ts_ms).map(|stretch| (site, stretch));
            }
            let (_, stretch) = last.filter(|(_, stretch)| stretch.is_window)?;
            Some(if is_end { stretch.end_ms } else { stretch.start_ms })
        });
        let bounds: TimestampMillisecondArray = bounds.collect();
        Ok(ColumnarValue::Array(Arc::new(bounds.with_timezone("UTC"))))
    };
    let name =
        format!("{}_of_{}", if is_end { "end" } else { "start" }, WindowFunction::Calendar(unit).as_str());
    create_udf(
        &name,
        vec![DataType::Utf8, schema::time()],
        schema::time(),
        Volatility::Immutable,
        Arc::new(bound),
    )
}

fn of_text(args: &TableFunctionArgs, text: &str) -> Result<LogicalPlan> {
    let state = args.session().as_any().downcast_ref::<SessionState>();
    let state = state.ok_or_else(|| Refusal::new("", "a session of another kind", "").into_external())?;
    block_on(state.create_logical_plan(text))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Numbers the rows of each key by how often the gap has passed, and takes first and last of each number.
fn session_text(
    name: &str,
    table: &Arc<dyn TableProvider>,
    time: &str,
    gap_ms: i64,
    keys: &[String],
) -> String {
    let columns: Vec<String> = table.schema().fields().iter().map(|field| quoted(field.name())).collect();
    let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
    let (name, time, columns, keys) = (quoted(name), quoted(time), columns.join(", "), keys.join(", "));
    let gap = format!("INTERVAL '{gap_ms} milliseconds'");
    format!(
        "SELECT {columns}, min({time}) OVER whole AS window_start, max({time}) OVER whole + {gap} AS window_end
         FROM (SELECT *, sum(is_first) OVER (PARTITION BY {keys} ORDER BY {time}
                                             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_number
               FROM (SELECT *, CASE WHEN {time} < lag({time}) OVER (PARTITION BY {keys} ORDER BY {time}) + {gap}
                                    THEN 0 ELSE 1 END AS is_first
                     FROM {name}) AS told_apart) AS numbered
         WINDOW whole AS (PARTITION BY {keys}, session_number)"
    )
}

/// Joins rows with the starts of their steps and the first finish that follows: those that say when their run began with that
/// start, those of exports of earlier versions with the run of that time. A start within a run is none, but readings may have
/// been told of it before an earlier one came.
fn step_text(name: &str, table: &Arc<dyn TableProvider>) -> String {
    let columns = table.schema();
    let has_start = columns.field_with_name("step_started").is_ok();
    let columns = columns.fields().iter().map(|field| format!("rows_of.{}", quoted(field.name())));
    let (columns, name) = (columns.collect::<Vec<_>>().join(", "), quoted(name));
    let whose = "PARTITION BY site, bay, job, step ORDER BY ts, message";
    let by_time = "(starts.before IS NULL OR starts.before <> 'started') \
                   AND rows_of.ts >= starts.ts AND rows_of.ts < starts.ended";
    let is_its_start = match has_start {
        true => format!("(rows_of.step_started = starts.ts OR rows_of.step_started IS NULL AND {by_time})"),
        false => by_time.to_owned(),
    };
    format!(
        "WITH marks AS (SELECT *, lag(event) OVER ({whose}) AS before, lag(ts) OVER ({whose}) AS before_ts,
                               min(CASE WHEN event <> 'started' THEN ts END) OVER
                               ({whose} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS ended
                        FROM steps WHERE event IN ('started', 'finished', 'failed')),
              starts AS (SELECT * FROM marks WHERE event = 'started' AND ended IS NOT NULL
                         AND NOT coalesce(before = 'started' AND before_ts = ts, false))
         SELECT {columns}, starts.ts AS window_start, starts.ended AS window_end
         FROM {name} AS rows_of JOIN starts
           ON rows_of.site = starts.site AND rows_of.bay = starts.bay AND rows_of.job = starts.job
           AND rows_of.step = starts.step
         WHERE {is_its_start}"
    )
}

/// A function from a time to the starts of all windows that hold it.
fn starts_of(windows: Windows) -> ScalarUDF {
    let item = Arc::new(Field::new_list_field(schema::time(), true));
    let list = DataType::List(Arc::clone(&item));
    let Windows { size_ms, slide_ms, .. } = windows;
    let starts = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let times = ColumnarValue::values_to_arrays(arguments)?;
        let times = cast(&times[0], &schema::time())?;
        let times = times.as_primitive::<TimestampMillisecondType>();
        let (mut starts, mut lengths) = (Vec::new(), Vec::with_capacity(times.len()));
        for &time_ms in times.values() {
            let newest_ms = windows.start_of(time_ms);
            let before = starts.len();
            let all = windows.steps_back().map(|back_ms| newest_ms.saturating_sub(back_ms));
            starts.extend(all.filter(|&start_ms| time_ms < windows.end_of(start_ms)));
            lengths.push(starts.len() - before);
        }
        let starts: ArrayRef = Arc::new(TimestampMillisecondArray::from(starts).with_timezone("UTC"));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = times.nulls().cloned();
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, starts, nulls)?)))
    };
    // Its name tells windows apart, for plans are compared by names.
    let name = format!("windows_of_{size_ms}_each_{slide_ms}");
    create_udf(&name, vec![schema::time()], list, Volatility::Immutable, Arc::new(starts))
}
