//! The streams as tables that DataFusion can plan over and nobody can execute.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use crate::calendar::CalendarUnit;
use crate::schema;

/// What a rule or view reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    Telemetry,
    Steps,
    Usage,
    Checks,
    Gaps,
}

impl Stream {
    /// All streams that a query can read.
    pub const ALL: [Stream; 5] =
        [Stream::Telemetry, Stream::Steps, Stream::Usage, Stream::Checks, Stream::Gaps];

    /// Its name in FROM.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Telemetry => "telemetry",
            Stream::Steps => "steps",
            Stream::Usage => "usage",
            Stream::Checks => "checks",
            Stream::Gaps => "gaps",
        }
    }

    /// The stream of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Stream> {
        Self::ALL.into_iter().find(|stream| stream.as_str() == name)
    }

    /// Its columns.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        match self {
            Stream::Telemetry => schema::TELEMETRY.clone(),
            Stream::Steps => schema::STEPS.clone(),
            Stream::Usage => schema::USAGE.clone(),
            Stream::Checks => schema::CHECKS.clone(),
            Stream::Gaps => schema::GAPS.clone(),
        }
    }

    /// The column that holds a row's event time, by which windows go.
    #[must_use]
    pub fn time_column(self) -> &'static str {
        match self {
            Stream::Telemetry | Stream::Steps | Stream::Gaps => "ts",
            Stream::Usage | Stream::Checks => "ended",
        }
    }

    /// The columns that name what its rows are revisions of; none where a row is said once.
    #[must_use]
    pub(crate) fn revised_by(self) -> Option<&'static [&'static str]> {
        match self {
            Stream::Telemetry | Stream::Steps => None,
            Stream::Usage => Some(&["site", "job", "step", "resource"]),
            Stream::Checks => Some(&["site", "job", "step", "metric", "joint", "pset"]),
            Stream::Gaps => Some(&["topic", "boot", "first", "since"]),
        }
    }

    /// Its columns, then `window_start` and `window_end`.
    pub(crate) fn windowed_schema(self) -> SchemaRef {
        self.schema_in(false)
    }

    /// The same; the window of a step that goes on `is_open`, without an end.
    fn schema_in(self, is_open: bool) -> SchemaRef {
        let mut fields: Vec<_> = self.schema().fields().iter().cloned().collect();
        let [start, end] = WINDOW_COLUMNS;
        fields.push(Arc::new(Field::new(start, schema::time(), false)));
        fields.push(Arc::new(Field::new(end, schema::time(), is_open)));
        Arc::new(Schema::new(fields))
    }
}

/// What a window function adds to the columns of its stream.
pub(crate) const WINDOW_COLUMNS: [&str; 2] = ["window_start", "window_end"];

/// What makes the windows of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// The clock.
    Fixed(Windows),
    /// Silence: a window goes on until nothing comes for `gap_ms` for the same `keys`, places of columns of the stream.
    Session { gap_ms: i64, keys: Vec<usize> },
    /// The work: a window is a run of a step, from its start to its finish.
    Step,
    /// The site's calendar.
    Calendar(CalendarUnit),
}

impl WindowKind {
    /// How long a window is; of those that the clock does not end, how long one is expected to be at most.
    pub(crate) fn length_ms(&self) -> i64 {
        match self {
            WindowKind::Fixed(windows) => windows.size_ms,
            WindowKind::Session { .. } | WindowKind::Step => 86_400_000,
            // When clocks are put back.
            WindowKind::Calendar(_) => 90_000_000,
        }
    }

    /// The function that asks for it.
    pub(crate) fn function(&self) -> &'static str {
        match self {
            WindowKind::Fixed(windows) if windows.is_tumbling() => "tumble",
            WindowKind::Fixed(_) => "hop",
            WindowKind::Session { .. } => "session",
            WindowKind::Step => "per_step",
            WindowKind::Calendar(CalendarUnit::Shift) => "shift",
            WindowKind::Calendar(CalendarUnit::Day) => "day",
        }
    }
}

/// Windows of one size, a new one each slide: `[offset + n * slide, offset + n * slide + size)`. Where the slide is the
/// size they lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub size_ms: i64,
    pub slide_ms: i64,
    pub offset_ms: i64,
}

impl Windows {
    /// Windows side by side.
    #[must_use]
    pub fn tumbling(size_ms: i64, offset_ms: i64) -> Self {
        Windows { size_ms, slide_ms: size_ms, offset_ms }
    }

    /// Whether each time is in one window alone.
    #[must_use]
    pub fn is_tumbling(self) -> bool {
        self.slide_ms == self.size_ms
    }

    /// Start of the newest window that holds `ts_ms`.
    #[must_use]
    pub fn start_of(self, ts_ms: i64) -> i64 {
        let since = ts_ms.saturating_sub(self.offset_ms);
        since.saturating_sub(since.rem_euclid(self.slide_ms)).saturating_add(self.offset_ms)
    }

    /// How long before the newest window that may hold a time the others begin: 0, slide, 2 slides …
    pub(crate) fn steps_back(self) -> impl Iterator<Item = i64> {
        let (slide_ms, size_ms) = (self.slide_ms, self.size_ms);
        (0..).map(move |step: i64| step * slide_ms).take_while(move |&back_ms| back_ms < size_ms)
    }

    /// End of the window that starts at `start_ms`.
    #[must_use]
    pub fn end_of(self, start_ms: i64) -> i64 {
        start_ms.saturating_add(self.size_ms)
    }
}

/// A stream in FROM, under its name or in a window function.
#[derive(Debug)]
pub(crate) struct StreamTable {
    pub stream: Stream,
    pub window: Option<WindowKind>,
}

#[async_trait]
impl TableProvider for StreamTable {
    fn schema(&self) -> SchemaRef {
        match &self.window {
            None => self.stream.schema(),
            Some(window) => self.stream.schema_in(*window == WindowKind::Step),
        }
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = self.schema();
        let columns = projection.cloned().unwrap_or_else(|| (0..all.fields().len()).collect());
        let schema = Arc::new(all.project(&columns)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let window = self.window.clone();
        Ok(Arc::new(StreamScan { stream: self.stream, window, columns, properties }))
    }
}

/// The leaf of a plan: where the engine's rows come in.
#[derive(Debug)]
pub(crate) struct StreamScan {
    pub stream: Stream,
    pub window: Option<WindowKind>,
    /// Indices in the stream's columns, window columns behind them.
    pub columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for StreamScan {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "StreamScan: {} {:?} {:?}", self.stream.as_str(), self.window, self.numbers())
    }
}

/// How many columns `telemetry` had when its queries were first hashed.
const TELEMETRY_COLUMNS_FIRST: usize = 25;

impl StreamScan {
    /// The columns as the hash of a query has them: a column that a stream gets later is behind those of windows, so that
    /// the queries which were there keep their hashes, and with them their windows.
    fn numbers(&self) -> Vec<usize> {
        let columns = self.stream.schema().fields().len();
        let first = if self.stream == Stream::Telemetry { TELEMETRY_COLUMNS_FIRST } else { columns };
        let number = |&column: &usize| match column {
            column if column < first => column,
            column if column < columns => column + WINDOW_COLUMNS.len(),
            of_window => of_window - (columns - first),
        };
        self.columns.iter().map(number).collect()
    }
}

impl ExecutionPlan for StreamScan {
    fn name(&self) -> &'static str {
        "StreamScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        exec_err!("a plan over the stream {} is walked, never executed", self.stream.as_str())
    }
}
