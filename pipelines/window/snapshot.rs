//! The state as bytes, and back, to the bit.
//!
//! A snapshot is the header (JSON), the keys of the groups, and sections of states, all but the header as Arrow IPC: keys by
//! name, fused states as they are, DataFusion's accumulators as their own state columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;
use ingest::series::SeriesTable;

use super::columns::from_ipc;
use super::frontier::{Closers, bays_by_name};
use super::{WindowError, WindowOperator};
use crate::plan::WindowPlan;
use crate::plan::key::Closes;

/// Changes with the layout of the bytes.
const FORMAT: u32 = 3;

/// A snapshot that cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The query has changed since.
    #[error("the state is of plan {found}, the query compiles to {wanted}; start it empty")]
    OtherPlan { found: String, wanted: String },
    /// The series table lacks a bay of the state.
    #[error("the state has bay {bay:?} of site {site:?}, which the series table lacks; restore that first")]
    UnknownBay { site: String, bay: String },
    /// The bytes are no snapshot of this version.
    #[error("the state of a window does not read: {0}; start from another checkpoint")]
    Damaged(#[source] DataFusionError),
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    format: u32,
    plan: String,
    /// Highest watermarks seen: site, bay, milliseconds.
    seen: Vec<(String, String, i64)>,
    /// Starts of the windows whose sections follow; none where windows are rows of a section.
    pub windows: Vec<i64>,
    /// Starts of the slides whose sections follow those.
    pub slides: Vec<i64>,
}

impl Header {
    pub(super) fn new(plan: &WindowPlan, closers: &Closers, table: &SeriesTable, windows: Vec<i64>) -> Self {
        let (plan, seen) = (plan.hash().to_owned(), closers.by_name(table));
        Header { format: FORMAT, plan, seen, windows, slides: Vec::new() }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| exec_datafusion_err!("{error}"))
    }

    /// Reads it, and the watermarks in it into `closers`.
    pub(super) fn take(
        rest: &mut &[u8],
        plan: &WindowPlan,
        closers: &mut Closers,
        table: &SeriesTable,
    ) -> Result<Self, RestoreError> {
        let header: Header = serde_json::from_slice(take_section(rest)?)
            .map_err(|error| damaged(&format!("its header: {error}")))?;
        if header.plan != plan.hash() || header.format != FORMAT {
            return Err(RestoreError::OtherPlan { found: header.plan, wanted: plan.hash().to_owned() });
        }
        closers.restore(&header.seen, table);
        Ok(header)
    }
}

impl WindowOperator {
    /// The whole state. Taking it changes no result.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn snapshot(&mut self, table: &SeriesTable) -> Result<Vec<u8>, WindowError> {
        self.snapshot_and_hash(table).map(|(bytes, _)| bytes)
    }

    /// The same, and a hash of the state by the names of its groups: the same whatever numbers series have,
    /// however rows were cut into batches, and whether snapshots were taken.
    ///
    /// # Errors
    /// An aggregate fails, see [`WindowError::State`].
    pub fn snapshot_and_hash(&mut self, table: &SeriesTable) -> Result<(Vec<u8>, [u8; 32]), WindowError> {
        match self {
            WindowOperator::Panes(panes) => panes.encode(table),
            WindowOperator::Spans(spans) => spans.encode(table),
        }
        .map_err(WindowError::State)
    }

    /// An operator with the state that [`WindowOperator::snapshot`] wrote. `table` has at least the bays
    /// that it had then, under whatever numbers.
    ///
    /// # Errors
    /// The state is of another query, names a bay that `table` lacks, or does not read.
    pub fn restore(
        plan: &WindowPlan,
        correction_horizon_ms: i64,
        bytes: &[u8],
        table: &SeriesTable,
    ) -> Result<Self, RestoreError> {
        let mut operator =
            WindowOperator::new(plan, correction_horizon_ms).map_err(|error| damaged(&error.to_string()))?;
        operator.absorb(bytes, table)?;
        Ok(operator)
    }

    /// Takes in what another operator of the same plan knew: rows that came behind those of this one, and how far time has
    /// come. Neither has said anything yet. Windows that both hold are as if one had had all rows, but for what DataFusion's
    /// accumulators make of two parts.
    ///
    /// # Errors
    /// As [`WindowOperator::restore`]; the state is not to be used any more.
    pub fn absorb(&mut self, bytes: &[u8], table: &SeriesTable) -> Result<(), RestoreError> {
        match self {
            WindowOperator::Panes(panes) => panes.decode(bytes, table),
            WindowOperator::Spans(spans) => spans.decode(bytes, table),
        }
    }
}

/// What closes the groups with these keys: all columns of the plan's key.
pub(super) fn closers_of(
    plan: &WindowPlan,
    closers: &mut Closers,
    keys: &[ArrayRef],
    rows: usize,
    table: &SeriesTable,
) -> Result<Vec<u32>, RestoreError> {
    if plan.closes == Closes::Overall {
        return Ok(vec![0; rows]);
    }
    let (site_key, bay_key) = plan.closing_keys;
    let site = keys[site_key].as_string::<i32>();
    let bay = (plan.closes == Closes::Bay).then(|| keys[bay_key].as_string::<i32>());
    let numbers = bays_by_name(table);
    // Keys come in order, so most are of the bay of the one before.
    let mut last: Option<((&str, &str), u32)> = None;
    (0..rows)
        .map(|row| {
            // An absent bay is an empty name in the table; where none closes, any of the site does.
            let name =
                (site.value(row), bay.filter(|bay| bay.is_valid(row)).map_or("", |bay| bay.value(row)));
            if let Some((_, closer)) = last.filter(|(known, _)| *known == name) {
                return Ok(closer);
            }
            let number = match bay {
                Some(_) => numbers.get(&name).copied(),
                None => numbers.iter().find(|((site, _), _)| *site == name.0).map(|(_, &bay)| bay),
            };
            let unknown = || RestoreError::UnknownBay { site: name.0.to_owned(), bay: name.1.to_owned() };
            let closer = closers.of_bay(number.ok_or_else(unknown)?, table);
            last = Some((name, closer));
            Ok(closer)
        })
        .collect()
}

/// The batch of the next section.
pub(super) fn take_batch(rest: &mut &[u8]) -> Result<RecordBatch, RestoreError> {
    from_ipc(&Buffer::from(take_section(rest)?)).map_err(RestoreError::Damaged)
}

pub(super) fn put_section(bytes: &mut Vec<u8>, section: &[u8]) {
    bytes.extend_from_slice(&(section.len() as u64).to_le_bytes());
    bytes.extend_from_slice(section);
}

pub(super) fn take_section<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], RestoreError> {
    let (length, behind) = rest.split_first_chunk().ok_or_else(|| damaged("it is too short"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged("it is too short"))?;
    let (section, behind) = behind.split_at_checked(length).ok_or_else(|| damaged("it is too short"))?;
    *rest = behind;
    Ok(section)
}

fn damaged(text: &str) -> RestoreError {
    RestoreError::Damaged(exec_datafusion_err!("{text}"))
}
