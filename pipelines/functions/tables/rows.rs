//! Rows as batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, StringDictionaryBuilder, TimestampMillisecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{SchemaRef, UInt32Type};
use arrow::error::ArrowError;

use super::super::queues::Item;
use super::super::told::{InspectionRow, JobRow, LineRow, StepRow};
use super::{INSPECTIONS, INVOICE_LINES, JOB_CARDS, JOB_STEPS, QUEUE_ITEMS};
use crate::engine::ids::row_id;

pub(super) fn job_cards(rows: &[JobRow]) -> Result<RecordBatch, ArrowError> {
    let id = |row: &JobRow| {
        let revision = row.head.revision.to_le_bytes();
        row_id("job_cards", &[row.head.site.as_bytes(), row.head.job.as_bytes(), &revision])
    };
    let columns = vec![
        ids(rows, id),
        times(rows, |row| Some(row.at_ms)),
        names(rows, |row| Some(&*row.head.site)),
        names(rows, |row| Some(&*row.head.job)),
        names(rows, |row| row.head.customer.as_deref()),
        names(rows, |row| row.head.vehicle.as_deref()),
        times(rows, |row| row.head.promised_ms),
        names(rows, |row| Some(row.head.state.as_str())),
        numbers(rows, |row| row.steps),
        numbers(rows, |row| row.closed),
        times(rows, |row| Some(row.head.accepted_ms)),
        times(rows, |row| row.head.started_ms),
        times(rows, |row| row.head.ready_ms),
        times(rows, |row| row.head.released_ms),
        names(rows, |row| row.head.released_by.as_deref()),
        texts(rows, |row| row.head.reason.as_deref()),
        revisions(rows, |row| row.head.revision),
    ];
    batch(&JOB_CARDS, columns)
}

pub(super) fn job_steps(rows: &[StepRow]) -> Result<RecordBatch, ArrowError> {
    let id = |row: &StepRow| {
        let revision = row.head.revision.to_le_bytes();
        let parts = [row.site.as_bytes(), row.job.as_bytes(), row.plan.step.as_bytes(), &revision];
        row_id("job_steps", &parts)
    };
    let skills: Vec<Option<String>> =
        rows.iter().map(|row| (!row.plan.skills.is_empty()).then(|| row.plan.skills.join(", "))).collect();
    let columns = vec![
        ids(rows, id),
        times(rows, |row| Some(row.at_ms)),
        names(rows, |row| Some(&*row.site)),
        names(rows, |row| Some(&*row.job)),
        names(rows, |row| Some(&*row.plan.step)),
        numbers(rows, |row| row.position),
        names(rows, |row| row.plan.operation.as_deref()),
        Arc::new(skills.into_iter().collect::<StringArray>()),
        names(rows, |row| Some(row.head.state.as_str())),
        names(rows, |row| row.head.bay.as_deref()),
        names(rows, |row| row.head.technician.as_deref()),
        texts(rows, |row| row.head.reason.as_deref()),
        times(rows, |row| row.head.assigned_ms),
        times(rows, |row| row.head.started_ms),
        times(rows, |row| row.head.ended_ms),
        floats(rows, |row| Some(row.worked_ms as f64 / 1000.0)),
        floats(rows, |row| row.plan.standard_ms.map(|ms| ms as f64 / 1000.0)),
        times(rows, |row| row.inferred.as_ref().map(|inferred| inferred.started_ms)),
        times(rows, |row| row.inferred.as_ref().and_then(|inferred| inferred.ended_ms)),
        floats(rows, |row| row.inferred.as_ref().map(|inferred| inferred.confidence)),
        names(rows, |row| row.inferred.as_ref().map(|inferred| inferred.from.as_str())),
        revisions(rows, |row| row.head.revision),
    ];
    batch(&JOB_STEPS, columns)
}

pub(super) fn inspections(rows: &[InspectionRow]) -> Result<RecordBatch, ArrowError> {
    let id = |row: &InspectionRow| {
        let revision = row.revision.to_le_bytes();
        row_id("inspections", &[row.site.as_bytes(), row.job.as_bytes(), row.step.as_bytes(), &revision])
    };
    let columns = vec![
        ids(rows, id),
        times(rows, |row| Some(row.at_ms)),
        names(rows, |row| Some(&*row.site)),
        names(rows, |row| Some(&*row.job)),
        names(rows, |row| Some(&*row.step)),
        names(rows, |row| row.bay.as_deref()),
        names(rows, |row| row.technician.as_deref()),
        names(rows, |row| Some(row.classes.as_str()).filter(|classes| !classes.is_empty())),
        names(rows, |row| Some(row.verdict.as_str())),
        texts(rows, |row| row.reason.as_deref()),
        numbers(rows, |row| row.missing),
        texts(rows, |row| Some(row.evidence.as_str())),
        names(rows, |row| row.signature.as_ref().map(|signature| &*signature.actor)),
        times(rows, |row| row.signature.as_ref().map(|signature| signature.at_ms)),
        texts(rows, |row| row.signature.as_ref().and_then(|signature| signature.note.as_deref())),
        revisions(rows, |row| row.revision),
    ];
    batch(&INSPECTIONS, columns)
}

pub(super) fn invoice_lines(rows: &[LineRow]) -> Result<RecordBatch, ArrowError> {
    let id = |row: &LineRow| {
        let (number, revision) = (row.number.to_le_bytes(), row.line.revision.to_le_bytes());
        row_id("invoice_lines", &[row.site.as_bytes(), row.job.as_bytes(), &number, &revision])
    };
    let columns = vec![
        ids(rows, id),
        times(rows, |row| Some(row.at_ms)),
        names(rows, |row| Some(&*row.site)),
        names(rows, |row| Some(&*row.job)),
        numbers(rows, |row| row.number),
        names(rows, |row| Some(row.line.kind.as_str())),
        names(rows, |row| Some(&*row.line.step)),
        names(rows, |row| Some(&*row.line.item)),
        floats(rows, |row| Some(row.line.quantity)),
        names(rows, |row| Some(&*row.line.unit).filter(|unit| !unit.is_empty())),
        floats(rows, |row| row.line.price),
        floats(rows, |row| row.line.amount),
        names(rows, |row| Some(&*row.line.currency)),
        names(rows, |row| Some(if row.line.held.is_some() { "held" } else { "posted" })),
        texts(rows, |row| row.line.held.as_deref()),
        names(rows, |row| row.line.posted_by.as_deref()),
        texts(rows, |row| row.line.note.as_deref()),
        revisions(rows, |row| row.line.revision),
    ];
    batch(&INVOICE_LINES, columns)
}

pub(super) fn queue_items(rows: &[Item]) -> Result<RecordBatch, ArrowError> {
    let columns = vec![
        ids(rows, |row| row_id("queue_items", &[row.queue.as_bytes(), &row.number.to_le_bytes()])),
        times(rows, |row| Some(row.at_ms)),
        names(rows, |row| Some(&*row.queue)),
        numbers(rows, |row| row.number),
        names(rows, |row| row.site.as_deref()),
        names(rows, |row| row.job.as_deref()),
        names(rows, |row| Some(&*row.kind)),
        texts(rows, |row| Some(&*row.key)),
        texts(rows, |row| Some(row.body.as_str())),
        texts(rows, |row| Some(row.previous.as_str())),
        texts(rows, |row| Some(row.hash.as_str())),
    ];
    batch(&QUEUE_ITEMS, columns)
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn ids<R>(rows: &[R], of: impl Fn(&R) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
}

fn names<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::with_capacity(rows.len(), 1, 16);
    rows.iter().for_each(|row| builder.append_option(of(row)));
    Arc::new(builder.finish())
}

fn texts<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<StringArray>())
}

fn times<R>(rows: &[R], of: impl Fn(&R) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn numbers<R>(rows: &[R], of: impl Fn(&R) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
}

fn floats<R>(rows: &[R], of: impl Fn(&R) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Float64Array>())
}

fn revisions<R>(rows: &[R], of: impl Fn(&R) -> u32) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
}
