//! Rows of the streams `steps`, `usage`, `ledger`, `checks`, `balances`, `gaps`, `exceptions` and `quarantine` as batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, RecordBatch, StringArray, StringDictionaryBuilder,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use ingest::readings::{Reason, Reject, StepEventKind};
use ingest::topic::Topics;

use super::block::{floats, times};
use super::exceptions::{Exception, Operator};
use super::ids::row_id;
use super::steps::Told;
use super::usage::{Check, Due};
use crate::schema::{CHECKS, EXCEPTIONS, QUARANTINE, USAGE};

mod balances;
mod commands;
mod gaps;
mod ledger;
mod steps;

pub(super) use self::balances::balances;
pub(super) use self::commands::{AnsweredCommand, command};
pub(super) use self::gaps::gaps;
pub(super) use self::ledger::ledger;
pub(super) use self::steps::steps;

fn names<T: AsRef<str>>(names: impl Iterator<Item = Option<T>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::with_capacity(names.size_hint().0, 1, 16);
    names.for_each(|name| builder.append_option(name));
    Arc::new(builder.finish())
}

fn same(name: &str, rows: usize) -> ArrayRef {
    names(std::iter::repeat_n(Some(name), rows))
}

fn optional_times(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let times: TimestampMillisecondArray = times.collect();
    Arc::new(times.with_timezone("UTC"))
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Name of a step event in the stream.
#[must_use]
pub(super) fn event_name(event: StepEventKind) -> &'static str {
    match event {
        StepEventKind::Assigned => "assigned",
        StepEventKind::Started => "started",
        StepEventKind::Paused => "paused",
        StepEventKind::Resumed => "resumed",
        StepEventKind::Finished => "finished",
        StepEventKind::Failed => "failed",
        StepEventKind::Released => "released",
        StepEventKind::QaSigned => "qa_signed",
        StepEventKind::Reworked => "reworked",
        StepEventKind::Overran => "overran",
        StepEventKind::Planned => "planned",
        StepEventKind::Slipped => "slipped",
        StepEventKind::Doubled => "doubled",
    }
}

/// The reject of a step event that no start precedes.
#[must_use]
pub(super) fn stray_reject(bay: &str, told: &Told) -> Reject {
    let record = &told.record;
    let (topic, payload) = record.raw.clone().unwrap_or_default();
    Reject {
        message: record.message,
        arrived_ms: record.arrived_ms,
        topic,
        payload: payload.into_boxed_bytes(),
        reason: Reason::StepNotStarted,
        metric: None,
        detail: not_started(record.event, &record.job, &record.step, bay),
    }
}

/// What to do about an event of a step that nobody has started.
pub(super) fn not_started(event: StepEventKind, job: &str, step: &str, bay: &str) -> String {
    let event = event_name(event);
    format!(
        "`{event}` of step {job}/{step} on bay {bay}, which was not started; send its `started` event first"
    )
}

/// Bookings that are due; none if no resource was used.
pub(super) fn usage(bay: &str, due: &[Due]) -> Result<Option<RecordBatch>, ArrowError> {
    let mut rows = Vec::new();
    for Due { key, book, .. } in due {
        rows.extend(book.amounts.iter().map(|(resource, amount)| (key, book, resource, amount)));
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let ids = rows.iter().map(|(key, _, resource, amount)| {
        let parts = [&key.site, &key.job, &key.step, *resource].map(|part| part.as_bytes());
        let revision = amount.revision.to_le_bytes();
        row_id("usage", &[parts[0], parts[1], parts[2], parts[3], &revision])
    });
    let count = rows.len();
    let rows_batch = batch(
        &USAGE,
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()),
            names(rows.iter().map(|(key, ..)| Some(&key.site))),
            same(bay, count),
            names(rows.iter().map(|(key, ..)| Some(&key.job))),
            names(rows.iter().map(|(key, ..)| Some(&key.step))),
            names(rows.iter().map(|(_, _, resource, _)| Some(resource))),
            Arc::new(rows.iter().map(|(.., amount)| Some(amount.quantity)).collect::<Float64Array>()),
            names(rows.iter().map(|(.., amount)| Some(&amount.unit).filter(|unit| !unit.is_empty()))),
            floats(rows.iter().map(|(.., amount)| amount.planned.unwrap_or(f64::NAN)).collect()),
            Arc::new(rows.iter().map(|(.., amount)| Some(amount.readings)).collect::<UInt64Array>()),
            times(rows.iter().map(|(_, book, ..)| book.started_ms).collect()),
            times(rows.iter().map(|(_, book, ..)| book.ended_ms.unwrap_or(book.started_ms)).collect()),
            Arc::new(rows.iter().map(|(.., amount)| Some(amount.revision)).collect::<UInt32Array>()),
            Arc::new(rows.iter().map(|(_, book, ..)| Some(book.is_final)).collect::<BooleanArray>()),
        ],
    )?;
    Ok(Some(rows_batch))
}

/// Checks that are due; none if nothing was expected.
pub(super) fn checks(bay: &str, due: &[Due]) -> Result<Option<RecordBatch>, ArrowError> {
    let rows: Vec<(&Due, &Check)> =
        due.iter().flat_map(|due| due.checks.iter().map(move |check| (due, check))).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let ids = rows.iter().map(|(Due { key, .. }, check)| {
        let Check { subject, revision, .. } = check;
        // No name and an empty one are two subjects.
        let tag = |name: &Option<Arc<str>>| name.as_ref().map_or(String::new(), |name| format!("={name}"));
        let (joint, pset) = (tag(&subject.joint), tag(&subject.pset));
        let parts = [&*key.site, &*key.job, &*key.step, &*subject.metric, &*joint, &*pset];
        let parts = parts.map(str::as_bytes);
        let [site, job, step, metric, joint, pset] = parts;
        row_id("checks", &[site, job, step, metric, joint, pset, &revision.to_le_bytes()])
    });
    let number = |value: &dyn Fn(&Check) -> Option<u64>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, check)| value(check)).collect::<UInt64Array>())
    };
    let limit = |value: fn(&Check) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, check)| value(check)).collect::<Float64Array>())
    };
    let book =
        |name: for<'a> fn(&'a Due) -> Option<&'a Arc<str>>| names(rows.iter().map(|(due, _)| name(due)));
    let rows_batch = batch(
        &CHECKS,
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()),
            book(|due| Some(&due.key.site)),
            same(bay, rows.len()),
            book(|due| Some(&due.key.job)),
            book(|due| Some(&due.key.step)),
            book(|due| due.book.operation.as_ref()),
            book(|due| due.book.technician.as_ref()),
            names(rows.iter().map(|(_, check)| Some(&check.subject.metric))),
            names(rows.iter().map(|(_, check)| check.subject.joint.as_ref())),
            names(rows.iter().map(|(_, check)| check.subject.pset.as_ref())),
            names(rows.iter().map(|(_, check)| check.expect.class.as_ref())),
            number(&|check| check.expect.count.map(u64::from)),
            number(&|check| check.tally.map(|tally| tally.counted)),
            number(&|check| check.tally.map(|tally| tally.within)),
            number(&Check::missing),
            number(&Check::surplus),
            limit(|check| check.expect.min),
            limit(|check| check.expect.max),
            names(rows.iter().map(|(_, check)| check.unit.as_ref())),
            times(rows.iter().map(|(due, _)| due.book.started_ms).collect()),
            times(rows.iter().map(|(due, _)| due.book.ended_ms.unwrap_or(due.book.started_ms)).collect()),
            Arc::new(rows.iter().map(|(_, check)| Some(check.revision)).collect::<UInt32Array>()),
            Arc::new(rows.iter().map(|(due, _)| Some(due.book.is_final)).collect::<BooleanArray>()),
        ],
    )?;
    Ok(Some(rows_batch))
}

/// Changes of exceptions.
pub(super) fn exceptions(changes: &[Exception]) -> Result<RecordBatch, ArrowError> {
    let none = ingest::readings::NONE;
    debug_assert!(changes.iter().all(|change| change.raised_ms != none), "an exception has a time");
    let number = |value: fn(&Exception) -> Option<f64>| -> ArrayRef {
        Arc::new(changes.iter().map(value).collect::<Float64Array>())
    };
    let text = |text: fn(&Exception) -> &str| -> ArrayRef {
        Arc::new(changes.iter().map(|change| Some(text(change))).collect::<StringArray>())
    };
    batch(
        &EXCEPTIONS,
        vec![
            Arc::new(changes.iter().map(|change| Some(change.row_id())).collect::<StringArray>()),
            text(|change| &change.id),
            names(changes.iter().map(|change| Some(&change.rule))),
            names(changes.iter().map(|change| Some(&change.rule_version))),
            names(changes.iter().map(|change| Some(change.severity.as_str()))),
            names(changes.iter().map(|change| Some(&change.site))),
            names(changes.iter().map(|change| change.bay.as_ref())),
            names(changes.iter().map(|change| change.tool.as_ref())),
            names(changes.iter().map(|change| change.job.as_ref())),
            names(changes.iter().map(|change| change.step.as_ref())),
            times(changes.iter().map(|change| change.raised_ms).collect()),
            optional_times(changes.iter().map(|change| change.cleared_ms)),
            names(changes.iter().map(|change| Some(change.state.as_str()))),
            number(|change| change.value),
            number(|change| change.limit_min),
            number(|change| change.limit_max),
            text(|change| &change.message),
            text(|change| &change.evidence),
            names(changes.iter().map(|change| {
                (change.operator != Operator::default()).then(|| change.operator.state.as_str())
            })),
            optional_times(changes.iter().map(|change| change.operator.since_ms)),
            names(changes.iter().map(|change| change.operator.actor.as_ref())),
            Arc::new(changes.iter().map(|change| change.operator.reason.as_deref()).collect::<StringArray>()),
            optional_times(changes.iter().map(|change| change.operator.until_ms)),
        ],
    )
}

/// What could not be used.
pub(super) fn quarantine(rejects: &[Reject], topics: &Topics) -> Result<RecordBatch, ArrowError> {
    let mut same_message = (0, 0_u64);
    let ids = rejects.iter().map(|reject| {
        // Two readings of one message may have been refused for the same reason.
        same_message = match same_message {
            (message, before) if message == reject.message => (message, before + 1),
            _ => (reject.message, 0),
        };
        let before = same_message.1;
        let place =
            [reject.message.to_le_bytes(), before.to_le_bytes(), reject.arrived_ms.to_le_bytes()].concat();
        let reason = reject.reason.as_str().as_bytes();
        row_id("quarantine", &[&place, reason, reject.detail.as_bytes(), &reject.payload])
    });
    let site =
        |reject: &Reject| topics.resolve(&reject.topic).and_then(|route| route.site.map(str::to_owned));
    batch(
        &QUARANTINE,
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()),
            Arc::new(rejects.iter().map(|reject| Some(reject.message)).collect::<UInt64Array>()),
            Arc::new(rejects.iter().map(|reject| Some(reject.topic.as_ref())).collect::<StringArray>()),
            Arc::new(rejects.iter().map(|reject| Some(reject.payload.as_ref())).collect::<BinaryArray>()),
            names(rejects.iter().map(|reject| Some(reject.reason.as_str()))),
            Arc::new(rejects.iter().map(|reject| Some(reject.detail.as_str())).collect::<StringArray>()),
            times(rejects.iter().map(|reject| reject.arrived_ms).collect()),
            names(rejects.iter().map(site)),
            Arc::new(rejects.iter().map(|reject| reject.metric.as_deref()).collect::<StringArray>()),
        ],
    )
}
