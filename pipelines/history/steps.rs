//! Step events in message order.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Int64Type, TimestampMillisecondType, UInt64Type};
use arrow::util::display::array_value_to_string;
use ingest::readings::{Event, NONE, StepEvent, What};

use super::HistoryError;
use super::folder::{Span, StreamFiles};
use super::merge::{Merge, Rows};
use crate::schema::{LATER_COLUMNS, STEPS};

/// A step event.
#[derive(Debug)]
pub(crate) struct StepRow {
    pub message: u64,
    /// Place among the rows of its message.
    pub index: u32,
    pub ts_ms: i64,
    pub arrived_ms: i64,
    pub site: String,
    pub bay: String,
    /// Itself, with the columns of stream `steps`.
    pub row: RecordBatch,
}

impl StepRow {
    /// Whether it says that work has gone over its standard time.
    pub(crate) fn is_overrun(&self) -> bool {
        self.row
            .column_by_name("event")
            .is_some_and(|event| array_value_to_string(event, 0).is_ok_and(|event| event == "overran"))
    }

    /// The event that it was told of; none of what time alone brings, and of a kind that is not known here.
    pub(crate) fn event(&self) -> Option<Event> {
        let column = |name: &str| self.row.column_by_name(name).expect("the columns are those of the stream");
        let text = |name: &str| array_value_to_string(column(name), 0).unwrap_or_default().into_boxed_str();
        let step = StepEvent {
            bay: self.bay.as_str().into(),
            job: text("job"),
            step: text("step"),
            technician: Some(text("technician")).filter(|name| !name.is_empty()),
            event: serde_json::from_value(serde_json::Value::from(&*text("event"))).ok()?,
        };
        let seq = column("seq").as_primitive::<Int64Type>();
        Some(Event {
            message: self.message,
            index: self.index,
            arrived_ms: self.arrived_ms,
            ts_ms: self.ts_ms,
            boot: NONE,
            seq: if seq.is_null(0) { NONE } else { seq.value(0) },
            hash: 0,
            site: self.site.as_str().into(),
            what: What::Step(step),
        })
    }
}

/// All of them, in message order.
#[derive(Debug)]
pub(crate) struct StepRows {
    merge: Merge<Steps>,
    span: Span,
    waiting: VecDeque<StepRow>,
}

#[derive(Debug)]
struct Steps {
    rows: RecordBatch,
    site: String,
    span: Span,
}

impl Steps {
    fn column(&self, name: &str) -> &ArrayRef {
        self.rows.column_by_name(name).expect("the columns are those of the stream")
    }

    fn time_ms(&self, name: &str, row: usize) -> i64 {
        self.column(name).as_primitive::<TimestampMillisecondType>().value(row)
    }
}

impl Rows for Steps {
    fn len(&self) -> usize {
        self.rows.num_rows()
    }

    fn place(&self, row: usize) -> Option<(u64, u32)> {
        let is_wanted = self.span.holds(self.time_ms("ts", row));
        // Of one message in the order in which they were told.
        is_wanted.then(|| (self.column("message").as_primitive::<UInt64Type>().value(row), 0))
    }
}

impl StepRows {
    /// Of a stream's files.
    pub(crate) fn new(files: StreamFiles) -> Self {
        let wanted = STEPS.fields().iter().filter(|field| field.name() != "site");
        let span = files.span.unwrap_or(Span::ALL);
        let wanted = wanted.map(|field| field.name().clone()).collect();
        StepRows { merge: Merge::new(files, wanted), span, waiting: VecDeque::new() }
    }

    /// The message of the next.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn next_message(&mut self) -> Result<Option<u64>, HistoryError> {
        if self.waiting.is_empty() {
            self.fill()?;
        }
        Ok(self.waiting.front().map(|row| row.message))
    }

    /// The next, if it is of a message before `message`.
    ///
    /// # Errors
    /// As [`StepRows::next_message`].
    pub(crate) fn next_before(&mut self, message: u64) -> Result<Option<StepRow>, HistoryError> {
        let is_before = self.next_message()?.is_some_and(|next| next < message);
        Ok(if is_before { self.waiting.pop_front() } else { None })
    }

    fn fill(&mut self) -> Result<(), HistoryError> {
        let span = self.span;
        let places = self.merge.next(|rows, site| {
            Ok(Steps { rows: with_site(rows, site, &STEPS)?, site: site.to_owned(), span })
        })?;
        for place in &places {
            let (steps, row) = (self.merge.batch(place.batch), place.row as usize);
            let text = |name| array_value_to_string(steps.column(name), row).unwrap_or_default();
            let message = steps.column("message").as_primitive::<UInt64Type>().value(row);
            let before = self.waiting.back().filter(|before| before.message == message);
            let index = before.map_or(0, |before| before.index + 1);
            self.waiting.push_back(StepRow {
                message,
                index,
                ts_ms: steps.time_ms("ts", row),
                arrived_ms: steps.time_ms("arrived", row),
                site: steps.site.clone(),
                bay: text("bay"),
                row: steps.rows.slice(row, 1),
            });
        }
        self.merge.release(&places);
        Ok(())
    }
}

/// Rows of a file with the columns of the stream, the site among them.
pub(crate) fn with_site(
    rows: &RecordBatch,
    site: &str,
    schema: &arrow::datatypes::SchemaRef,
) -> Result<RecordBatch, HistoryError> {
    let column = |field: &arrow::datatypes::FieldRef| {
        let column = match rows.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None if LATER_COLUMNS.contains(&field.name().as_str()) => {
                new_null_array(field.data_type(), rows.num_rows())
            }
            None => Arc::new(StringArray::from(vec![site; rows.num_rows()])) as ArrayRef,
        };
        cast(&column, field.data_type())
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>();
    columns.and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns)).map_err(|error| {
        HistoryError::new(
            format!("rows of history do not fit their stream: {error}"),
            "replay the recording again with this version",
        )
    })
}
