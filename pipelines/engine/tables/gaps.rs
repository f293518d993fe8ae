//! Rows of stream `gaps`.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow::error::ArrowError;
use ingest::readings::NONE;
use ingest::topic::Topics;

use super::super::block::times;
use super::super::ids::row_id;
use super::super::overdue::Gap;
use super::{batch, names};
use crate::schema::GAPS;

/// Numbers that are missing, or have come after all; `named` are the topics of channels by number.
pub(in crate::engine) fn gaps(
    gaps: &[Gap],
    named: &[&str],
    topics: &Topics,
) -> Result<RecordBatch, ArrowError> {
    let topic = |gap: &Gap| named.get(gap.channel as usize).copied().unwrap_or_default();
    let routes: Vec<_> = gaps.iter().map(|gap| topics.resolve(topic(gap))).collect();
    let ids = gaps.iter().map(|gap| {
        let boot = gap.boot.unwrap_or(NONE).to_le_bytes();
        let (first, revision) = (gap.first.to_le_bytes(), gap.revision.to_le_bytes());
        row_id("gaps", &[topic(gap).as_bytes(), &boot, &first, &gap.since_ms.to_le_bytes(), &revision])
    });
    batch(
        &GAPS,
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()),
            times(gaps.iter().map(|gap| gap.ts_ms).collect()),
            times(gaps.iter().map(|gap| gap.since_ms).collect()),
            names(routes.iter().map(|route| route.as_ref().and_then(|route| route.site))),
            names(routes.iter().map(|route| route.as_ref().and_then(|route| route.bay))),
            names(routes.iter().map(|route| route.as_ref().and_then(|route| route.tool))),
            names(gaps.iter().map(|gap| Some(topic(gap)))),
            Arc::new(gaps.iter().map(|gap| gap.boot).collect::<Int64Array>()),
            Arc::new(gaps.iter().map(|gap| Some(gap.first)).collect::<Int64Array>()),
            Arc::new(gaps.iter().map(|gap| Some(gap.last)).collect::<Int64Array>()),
            Arc::new(gaps.iter().map(|gap| Some(gap.missing)).collect::<UInt64Array>()),
            Arc::new(gaps.iter().map(|gap| Some(gap.revision)).collect::<UInt32Array>()),
            Arc::new(gaps.iter().map(|gap| Some(gap.missing == 0)).collect::<BooleanArray>()),
        ],
    )
}
