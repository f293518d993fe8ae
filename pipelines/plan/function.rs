//! Window functions in FROM: one text for the stream and for batch queries.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::FunctionRegistry;
use datafusion::functions::core::get_field;
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, GetFieldAccess, LogicalPlanBuilder, cast, ident, lit};
use datafusion::prelude::SessionContext;

use super::refusal::{Refusal, unknown};
use super::stream::{Stream, StreamTable, Tumble, WINDOW_COLUMNS};
use crate::schema;

/// The window functions that are not there yet, and what they will be.
pub(crate) const COMING: [&str; 3] = ["hop", "session", "per_step"];

/// Makes `tumble(table, ts, size)` known to an ordinary session, so that a rule's text runs there too.
///
/// # Errors
/// The session takes no more planners of expressions.
pub fn register_window_functions(context: &mut SessionContext) -> Result<()> {
    context.register_udtf("tumble", Arc::new(BatchTumble));
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

/// `tumble` over the engine's streams: the windows are the pane operator's work.
#[derive(Debug)]
pub(crate) struct StreamTumble;

impl TableFunctionImpl for StreamTumble {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (table, time, window) = tumble_arguments(args.exprs())?;
        let Some(stream) = Stream::named(&table) else {
            return Err(unknown_stream(&table).into_external());
        };
        if time != stream.time_column() {
            let expected = stream.time_column();
            return Err(Refusal::new(
                &time,
                format!("windows over {table} go by its event time `{expected}`, not by `{time}`"),
                format!("write tumble({table}, {expected}, INTERVAL '10 seconds')"),
            )
            .into_external());
        }
        Ok(Arc::new(StreamTable { stream, window: Some(window) }))
    }
}

/// A name in FROM that is no stream.
pub(crate) fn unknown_stream(name: &str) -> Refusal {
    unknown("stream", name, &Stream::ALL.map(Stream::as_str))
}

/// `tumble` over any table: its rows with `window_start` and `window_end`.
#[derive(Debug)]
struct BatchTumble;

impl TableFunctionImpl for BatchTumble {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (name, time, window) = tumble_arguments(args.exprs())?;
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
        let interval = lit(ScalarValue::new_interval_mdn(0, 0, window.size_ms * 1_000_000));
        let start = cast(date_bin().call(vec![interval.clone(), ident(&time)]), schema::time());
        let mut columns: Vec<Expr> =
            table.schema().fields().iter().map(|field| ident(field.name())).collect();
        columns.push(start.clone().alias(WINDOW_COLUMNS[0]));
        columns.push((start + interval).alias(WINDOW_COLUMNS[1]));
        let plan =
            LogicalPlanBuilder::scan(name, provider_as_source(table), None)?.project(columns)?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// So that its nanoseconds fit into 64 bits.
const WINDOW_MS_MAX: i64 = 36_525 * 86_400_000;

const TUMBLE_REMEDY: &str = "write tumble(telemetry, ts, INTERVAL '10 seconds')";

/// Table, time column and windows of `tumble(table, ts, size)`.
fn tumble_arguments(arguments: &[Expr]) -> Result<(String, String, Tumble)> {
    let [Expr::Column(table), Expr::Column(time), size] = arguments else {
        return Err(Refusal::new(
            "tumble",
            "tumble takes a stream, its time column and a size",
            TUMBLE_REMEDY,
        )
        .into_external());
    };
    let size_ms = interval_ms(size).map_err(Refusal::into_external)?;
    Ok((table.name.clone(), time.name.clone(), Tumble { size_ms, offset_ms: 0 }))
}

fn interval_ms(size: &Expr) -> Result<i64, Refusal> {
    match size {
        Expr::Literal(value, _) => scalar_interval_ms(value),
        _ => Err(Refusal::new("tumble", "the size of a window is no constant", TUMBLE_REMEDY)),
    }
}

/// Length of a window in milliseconds: positive, whole, and the same everywhere in the calendar.
pub(crate) fn scalar_interval_ms(size: &ScalarValue) -> Result<i64, Refusal> {
    let (months, days, nanoseconds) = match size {
        ScalarValue::IntervalMonthDayNano(Some(size)) => (size.months, size.days, size.nanoseconds),
        ScalarValue::IntervalDayTime(Some(size)) => (0, size.days, i64::from(size.milliseconds) * 1_000_000),
        ScalarValue::IntervalYearMonth(Some(months)) => (*months, 0, 0),
        _ => return Err(Refusal::new("tumble", "the size of a window is no interval", TUMBLE_REMEDY)),
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

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs what DataFusion's planner calls asynchronous. Over tables in memory it never waits, and a
/// runtime of the caller's is not needed, nor disturbed if there is one.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
