//! Window functions in FROM: one text for the stream and for batch queries.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, GetFieldAccess, lit};
use datafusion::prelude::SessionContext;

use super::batch::BatchWindow;
use super::refusal::{Refusal, unknown};
use super::stream::{Stream, StreamTable, WindowKind, Windows};
use crate::calendar::{CalendarUnit, Calendars};

/// A window function in FROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowFunction {
    /// `tumble(table, time, size)`: windows side by side.
    Tumble,
    /// `hop(table, time, slide, size)`: a new window each slide.
    Hop,
    /// `session(table, time, gap, keys…)`: a window ends when nothing has come for the gap.
    Session,
    /// `per_step(table)`: a window is a run of a step.
    PerStep,
    /// `shift(table, time)` and `day(table, time)`: windows of the site's calendar.
    Calendar(CalendarUnit),
}

/// A call of a window function.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub table: String,
    /// The column that windows go by; runs of steps go by the step's.
    pub time: Option<String>,
    pub windows: Asked,
}

/// The windows that a call asks for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Fixed(Windows),
    Session { gap_ms: i64, keys: Vec<String> },
    Step,
    Calendar(CalendarUnit),
}

impl WindowFunction {
    pub(crate) const ALL: [WindowFunction; 6] = [
        WindowFunction::Tumble,
        WindowFunction::Hop,
        WindowFunction::Session,
        WindowFunction::PerStep,
        WindowFunction::Calendar(CalendarUnit::Shift),
        WindowFunction::Calendar(CalendarUnit::Day),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            WindowFunction::Tumble => "tumble",
            WindowFunction::Hop => "hop",
            WindowFunction::Session => "session",
            WindowFunction::PerStep => "per_step",
            WindowFunction::Calendar(CalendarUnit::Shift) => "shift",
            WindowFunction::Calendar(CalendarUnit::Day) => "day",
        }
    }

    /// A call that is right.
    fn example(self, table: &str, time: &str) -> String {
        match self {
            WindowFunction::Tumble => format!("tumble({table}, {time}, INTERVAL '10 seconds')"),
            WindowFunction::Hop => {
                format!("hop({table}, {time}, INTERVAL '10 seconds', INTERVAL '60 seconds')")
            }
            WindowFunction::Session => {
                format!("session({table}, {time}, INTERVAL '5 minutes', site, bay, tool, metric)")
            }
            WindowFunction::PerStep => "per_step(telemetry)".to_owned(),
            WindowFunction::Calendar(_) => format!("{}({table}, {time})", self.as_str()),
        }
    }

    fn refuse(self, message: &str) -> Refusal {
        let name = self.as_str();
        Refusal::new(name, message, format!("write {}", self.example("telemetry", "ts")))
    }
}

/// Makes the window functions known to an ordinary session, so that a rule's text runs there too. `calendars` are those
/// of the sites.
///
/// # Errors
/// The session takes no more planners of expressions.
pub fn register_window_functions(context: &mut SessionContext, calendars: &Arc<Calendars>) -> Result<()> {
    for function in WindowFunction::ALL {
        let calendars = Arc::clone(calendars);
        context.register_udtf(function.as_str(), Arc::new(BatchWindow { function, calendars }));
    }
    super::aggregate::register(context)?;
    context.register_expr_planner(Arc::new(TagAccess))
}

/// Makes `tags['joint']` the tag of that name.
#[derive(Debug)]
pub(crate) struct TagAccess;

impl ExprPlanner for TagAccess {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        match access.field_access {
            GetFieldAccess::NamedStructField { name } => {
                Ok(PlannerResult::Planned(get_field().call(vec![access.expr, lit(name)])))
            }
            _ => Ok(PlannerResult::Original(access)),
        }
    }
}

/// A window function over the engine's streams: the windows are the pane operator's work.
#[derive(Debug)]
pub(crate) struct StreamWindow(pub WindowFunction);

impl TableFunctionImpl for StreamWindow {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let call = self.0.call(args.exprs()).map_err(Refusal::into_external)?;
        let table = self.table(call).map_err(Refusal::into_external)?;
        Ok(Arc::new(table))
    }
}

impl StreamWindow {
    fn table(&self, call: Call) -> Result<StreamTable, Refusal> {
        let Call { table, time, windows } = call;
        let stream = Stream::named(&table).ok_or_else(|| unknown_stream(&table))?;
        let expected = stream.time_column();
        if let Some(time) = time.filter(|time| time != expected) {
            return Err(Refusal::new(
                &time,
                format!("windows over {table} go by its event time `{expected}`, not by `{time}`"),
                format!("write {}", self.0.example(&table, expected)),
            ));
        }
        let window = match windows {
            Asked::Fixed(windows) => WindowKind::Fixed(windows),
            Asked::Session { gap_ms, keys } => {
                let schema = stream.schema();
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let place = |key: &String| {
                    schema.index_of(key).map_err(|_| super::refusal::unknown("column", key, &names))
                };
                WindowKind::Session { gap_ms, keys: keys.iter().map(place).collect::<Result<_, _>>()? }
            }
            Asked::Calendar(unit) => WindowKind::Calendar(unit),
            Asked::Step if stream == Stream::Telemetry => WindowKind::Step,
            Asked::Step => return Err(self.0.refuse("only readings belong to runs of steps")),
        };
        Ok(StreamTable { stream, window: Some(window) })
    }
}

/// A name in FROM that is no stream.
pub(crate) fn unknown_stream(name: &str) -> Refusal {
    unknown("stream", name, &Stream::ALL.map(Stream::as_str))
}

/// So that its nanoseconds fit into 64 bits.
const WINDOW_MS_MAX: i64 = 36_525 * 86_400_000;

/// What a row in many windows costs has a bound.
const WINDOWS_OF_A_ROW_MAX: i64 = 1_000;

impl WindowFunction {
    /// What a call asks for.
    pub(super) fn call(self, arguments: &[Expr]) -> Result<Call, Refusal> {
        let (table, time, windows) = match (self, arguments) {
            (WindowFunction::Tumble, [Expr::Column(table), Expr::Column(time), size]) => {
                let windows = Windows::tumbling(self.interval_ms(size)?, 0);
                (table, Some(time), Asked::Fixed(windows))
            }
            (WindowFunction::Hop, [Expr::Column(table), Expr::Column(time), slide, size]) => {
                let windows = Windows {
                    size_ms: self.interval_ms(size)?,
                    slide_ms: self.interval_ms(slide)?,
                    offset_ms: 0,
                };
                (table, Some(time), Asked::Fixed(windows))
            }
            (WindowFunction::Session, [Expr::Column(table), Expr::Column(time), gap, keys @ ..])
                if !keys.is_empty() =>
            {
                let names = keys.iter().map(|key| match key {
                    Expr::Column(key) => Ok(key.name.clone()),
                    _ => Err(self.refuse("a key of a session is no column")),
                });
                let keys = names.collect::<Result<Vec<String>, _>>()?;
                (table, Some(time), Asked::Session { gap_ms: self.interval_ms(gap)?, keys })
            }
            (WindowFunction::PerStep, [Expr::Column(table)]) => (table, None, Asked::Step),
            (WindowFunction::Calendar(unit), [Expr::Column(table), Expr::Column(time)]) => {
                (table, Some(time), Asked::Calendar(unit))
            }
            (WindowFunction::Tumble, _) => {
                return Err(self.refuse("tumble takes a stream, its time column and a size"));
            }
            (WindowFunction::Hop, _) => {
                return Err(self.refuse("hop takes a stream, its time column, a slide and a size"));
            }
            (WindowFunction::Session, _) => {
                return Err(self.refuse("session takes a stream, its time column, a gap and its keys"));
            }
            (WindowFunction::PerStep, _) => return Err(self.refuse("per_step takes the stream alone")),
            (WindowFunction::Calendar(_), _) => {
                let message = format!("{} takes a stream and its time column", self.as_str());
                return Err(self.refuse(&message));
            }
        };
        if let Asked::Fixed(windows) = windows {
            self.check_fixed(windows)?;
        }
        Ok(Call { table: table.name.clone(), time: time.map(|time| time.name.clone()), windows })
    }

    fn check_fixed(self, windows: Windows) -> Result<(), Refusal> {
        if windows.slide_ms > windows.size_ms {
            return Err(self.refuse(
                "the slide is longer than the window, so rows would be in none; the slide comes first",
            ));
        }
        if windows.size_ms / windows.slide_ms > WINDOWS_OF_A_ROW_MAX {
            return Err(self.refuse("each row would be in more than a thousand windows"));
        }
        Ok(())
    }

    fn interval_ms(self, size: &Expr) -> Result<i64, Refusal> {
        match size {
            Expr::Literal(value, _) if matches!(value.data_type(), DataType::Interval(_)) => {
                scalar_interval_ms(value)
            }
            Expr::Literal(..) => Err(self.refuse("the size of a window is no interval")),
            _ => Err(self.refuse("the size of a window is no constant")),
        }
    }
}

/// Length of a window in milliseconds: positive, whole, and the same everywhere in the calendar.
pub(crate) fn scalar_interval_ms(size: &ScalarValue) -> Result<i64, Refusal> {
    let (months, days, nanoseconds) = match size {
        ScalarValue::IntervalMonthDayNano(Some(size)) => (size.months, size.days, size.nanoseconds),
        ScalarValue::IntervalDayTime(Some(size)) => (0, size.days, i64::from(size.milliseconds) * 1_000_000),
        ScalarValue::IntervalYearMonth(Some(months)) => (*months, 0, 0),
        _ => return Err(WindowFunction::Tumble.refuse("the size of a window is no interval")),
    };
    let refuse = |message: &str, remedy: &str| Err(Refusal::new("INTERVAL", message, remedy));
    if months != 0 {
        return refuse("months and years have no fixed length", "write the size in days or less");
    }
    if nanoseconds % 1_000_000 != 0 {
        return refuse("times are whole milliseconds, the window's size is not", "write whole milliseconds");
    }
    let size_ms = i64::from(days) * 86_400_000 + nanoseconds / 1_000_000;
    if size_ms > WINDOW_MS_MAX {
        return refuse("a window of more than a hundred years", "write a shorter one");
    }
    if size_ms <= 0 {
        return refuse("the size of a window must be more than nothing", "write INTERVAL '10 seconds'");
    }
    Ok(size_ms)
}
