//! Exceptions as they were told, each state a row.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Schema, SchemaRef, TimestampMillisecondType};
use arrow::util::display::array_value_to_string;

use super::HistoryError;
use super::folder::{Span, StreamFiles};
use super::group::all;
use super::steps::with_site;
use crate::config::Severity;
use crate::engine::past::{Exception, Operator, State};
use crate::schema::{EXCEPTIONS, OPERATOR_COLUMNS};

/// What conditions do; what people do about them is not told by rules, and files of earlier versions lack it.
static CONDITIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = EXCEPTIONS.fields().iter();
    let fields = fields.filter(|field| !OPERATOR_COLUMNS.contains(&field.name().as_str())).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

/// Hands every state of exceptions raised within `span`, whose id is `wanted`, to `take`; those of one exception in the
/// order in which they were told.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn each_state(
    history: &Path,
    span: Span,
    mut wanted: impl FnMut(&str) -> bool,
    mut take: impl FnMut(Exception),
) -> Result<(), HistoryError> {
    let files = StreamFiles::find(history, "exceptions", &CONDITIONS, "raised", span, None)?;
    all(files, |rows, site| {
        let rows = with_site(&rows, site, &CONDITIONS)?;
        let ids = rows.column_by_name("id").map(|ids| ids.as_string::<i32>());
        let is_wanted = |row: &usize| ids.is_some_and(|ids| wanted(ids.value(*row)));
        let states = (0..rows.num_rows()).filter(is_wanted).map(|row| state(&rows, row));
        states.filter(|state| span.holds(state.raised_ms)).for_each(&mut take);
        Ok(())
    })
}

fn state(rows: &RecordBatch, row: usize) -> Exception {
    let column = |name: &str| rows.column_by_name(name).expect("the columns are those of the stream");
    let name = |name: &str| {
        let column = column(name);
        column.is_valid(row).then(|| array_value_to_string(column, row).unwrap_or_default())
    };
    let text = |column: &str| name(column).unwrap_or_default();
    let time = |name: &str| {
        let times = column(name).as_primitive::<TimestampMillisecondType>();
        times.is_valid(row).then(|| times.value(row))
    };
    let number = |name: &str| {
        let numbers = column(name).as_primitive::<Float64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    };
    let optional = |column: &str| name(column).filter(|name| !name.is_empty());
    Exception {
        id: text("id"),
        rule: text("rule").into(),
        rule_version: text("rule_version").into(),
        severity: match text("severity").as_str() {
            "critical" => Severity::Critical,
            "high" => Severity::High,
            "medium" => Severity::Medium,
            _ => Severity::Low,
        },
        site: text("site"),
        bay: optional("bay"),
        tool: optional("tool"),
        job: optional("job"),
        step: optional("step"),
        raised_ms: time("raised").unwrap_or_default(),
        cleared_ms: time("cleared"),
        state: match text("state").as_str() {
            "active" => State::Active,
            "latched" => State::Latched,
            _ => State::Cleared,
        },
        value: number("value"),
        limit_min: number("limit_min"),
        limit_max: number("limit_max"),
        message: text("message"),
        evidence: text("evidence"),
        // What a rule says does not depend on it.
        operator: Operator::default(),
    }
}
