//! Rows of stream `steps`.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array};
use arrow::error::ArrowError;
use ingest::readings::StepEventKind;

use super::super::block::{floats, numbers, times};
use super::super::ids::row_id;
use super::super::steps::{JobFacts, Told};
use super::{batch, event_name, names, same};
use crate::schema::STEPS;

/// Step events of one bay.
pub(in crate::engine) fn steps(site: &str, bay: &str, told: &[Told]) -> Result<RecordBatch, ArrowError> {
    let rows = told.len();
    let ids = told.iter().map(|told| {
        let record = &told.record;
        let mut place = [record.message.to_le_bytes(), u64::from(record.index).to_le_bytes()].concat();
        // It has the place of what it follows from.
        match record.event {
            StepEventKind::Overran => place.extend_from_slice(&record.ts_ms.to_le_bytes()),
            StepEventKind::Planned | StepEventKind::Slipped | StepEventKind::Doubled => {
                place.extend_from_slice(event_name(record.event).as_bytes());
                place.extend_from_slice(record.job.as_bytes());
                place.extend_from_slice(&record.ts_ms.to_le_bytes());
            }
            _ => {}
        }
        row_id("steps", &[site.as_bytes(), bay.as_bytes(), &place])
    });
    let plan = |told: &Told| told.run.as_ref().and_then(|run| run.plan.clone());
    let elapsed = told.iter().map(|told| match (&told.run, told.record.event) {
        (Some(run), StepEventKind::Finished | StepEventKind::Failed | StepEventKind::Overran) => {
            run.worked_ms(told.record.ts_ms) as f64 / 1000.0
        }
        _ => f64::NAN,
    });
    let technician = |told: &Told| {
        told.record.technician.clone().or_else(|| told.run.as_ref().and_then(|run| run.technician.clone()))
    };
    let overlaps = told.iter().map(|told| match (&told.run, told.record.event) {
        (Some(run), StepEventKind::Started | StepEventKind::Doubled) => run.overlaps.clone(),
        _ => None,
    });
    let seconds = |of: fn(&JobFacts) -> Option<i64>| {
        let seconds = |told: &Told| of(&told.facts).map_or(f64::NAN, |ms| ms as f64 / 1000.0);
        floats(told.iter().map(seconds).collect())
    };
    batch(
        &STEPS,
        vec![
            Arc::new(ids.collect::<Vec<_>>().into_iter().map(Some).collect::<StringArray>()),
            Arc::new(told.iter().map(|told| Some(told.record.message)).collect::<UInt64Array>()),
            times(told.iter().map(|told| told.record.ts_ms).collect()),
            times(told.iter().map(|told| told.record.arrived_ms).collect()),
            same(site, rows),
            same(bay, rows),
            names(told.iter().map(|told| Some(&told.record.job))),
            names(told.iter().map(|told| Some(&told.record.step))),
            names(told.iter().map(|told| plan(told).and_then(|plan| plan.operation.clone()))),
            names(told.iter().map(technician)),
            names(told.iter().map(|told| Some(event_name(told.record.event)))),
            numbers(told.iter().map(|told| told.record.seq).collect()),
            floats(elapsed.collect()),
            floats(
                told.iter()
                    .map(|told| plan(told).and_then(|plan| plan.standard_s).unwrap_or(f64::NAN))
                    .collect(),
            ),
            Arc::new(overlaps.collect::<StringArray>()),
            Arc::new(told.iter().map(|told| told.facts.after_open.clone()).collect::<StringArray>()),
            Arc::new(told.iter().map(|told| told.facts.qa_signed).collect::<BooleanArray>()),
            Arc::new(
                told.iter()
                    .map(|told| told.facts.promised_ms)
                    .collect::<TimestampMillisecondArray>()
                    .with_timezone("UTC"),
            ),
            seconds(|facts| facts.remaining_ms),
            seconds(|facts| facts.slack_ms),
        ],
    )
}
