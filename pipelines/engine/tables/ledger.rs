//! Rows of stream `ledger`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;

use super::super::block::times;
use super::super::ids::row_id;
use super::super::ledger::{Meter, Posting};
use super::{batch, names, same};
use crate::calendar::SiteCalendar;
use crate::schema::LEDGER;

/// Rows of a bay.
pub(in crate::engine) fn ledger(
    site: &str,
    bay: &str,
    postings: &[Posting],
    calendar: &SiteCalendar,
) -> Result<RecordBatch, ArrowError> {
    let rows = postings.len();
    let ids = |with_revision: bool| -> ArrayRef {
        Arc::new(
            postings
                .iter()
                .map(|posting| Some(id(site, bay, posting, with_revision)))
                .collect::<StringArray>(),
        )
    };
    let shown = |of: fn((f64, f64)) -> f64| -> ArrayRef {
        let of_posting = |posting: &Posting| match posting.entry.meter {
            Meter::Shows { from, to, .. } => Some(of((from, to))),
            Meter::None | Meter::Unknown => None,
        };
        Arc::new(postings.iter().map(of_posting).collect::<Float64Array>())
    };
    let job_and_step = || postings.iter().map(|posting| posting.job_and_step.as_ref());
    let local_date =
        |posting: &Posting| posting.job_and_step.is_none().then(|| calendar.date(posting.started_ms));
    let evidence = |posting: &Posting| format!("{:?}", posting.entry.messages);
    let moments = |of: fn(&Posting) -> i64| times(postings.iter().map(of).collect());
    batch(
        &LEDGER,
        vec![
            ids(true),
            ids(false),
            same(site, rows),
            same(bay, rows),
            names(job_and_step().map(|named| named.map(|(job, _)| job))),
            names(job_and_step().map(|named| named.map(|(_, step)| step))),
            names(postings.iter().map(|posting| Some(&posting.resource))),
            names(postings.iter().map(|posting| posting.lot.as_ref())),
            Arc::new(Float64Array::from_iter_values(postings.iter().map(|posting| posting.entry.quantity))),
            names(postings.iter().map(|posting| Some(&posting.unit).filter(|unit| !unit.is_empty()))),
            shown(|(from, _)| from),
            shown(|(_, to)| to),
            moments(|posting| posting.entry.first_ms),
            moments(|posting| posting.entry.last_ms),
            Arc::new(UInt64Array::from_iter_values(postings.iter().map(|posting| posting.entry.readings))),
            Arc::new(StringArray::from_iter_values(postings.iter().map(evidence))),
            names(postings.iter().map(local_date)),
            moments(|posting| posting.started_ms),
            moments(|posting| posting.ended_ms),
            names(postings.iter().map(|posting| Some(posting.entry.state.as_str()))),
            Arc::new(UInt32Array::from_iter_values(postings.iter().map(|posting| posting.entry.revision))),
            Arc::new(postings.iter().map(|posting| Some(posting.entry.is_final)).collect::<BooleanArray>()),
        ],
    )
}

/// Names a row, or what it is a revision of. A step keeps its name when it is done again on another bay.
fn id(site: &str, bay: &str, posting: &Posting, with_revision: bool) -> String {
    // No lot and one without a name are two.
    let lot = posting.lot.as_ref().map_or(String::new(), |lot| format!("={lot}"));
    let revision = posting.entry.revision.to_le_bytes();
    let revision: &[u8] = if with_revision { &revision } else { &[] };
    let (site, resource) = (site.as_bytes(), posting.resource.as_bytes());
    match &posting.job_and_step {
        Some((job, step)) => {
            let parts = [b"step", site, job.as_bytes(), step.as_bytes(), resource, lot.as_bytes(), revision];
            row_id("ledger", &parts)
        }
        None => {
            let (started, unit) = (posting.started_ms.to_le_bytes(), posting.unit.as_bytes());
            row_id(
                "ledger",
                &[b"day", site, bay.as_bytes(), &started, resource, unit, lot.as_bytes(), revision],
            )
        }
    }
}
