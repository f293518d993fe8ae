//! The state as bytes, and back, to the bit.
//!
//! A snapshot is the header (JSON), the keys of the groups, and sections of states, all but the header as Arrow IPC: keys by
//! name, fused states as they are, DataFusion's accumulators as their own state columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;
use ingest::series::SeriesTable;
use rustc_hash::FxHashMap;

use super::columns::from_ipc;
use super::frontier::{Closers, bays_by_name};
use super::hash::hash_of;
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

    pub(super) fn parse(text: &[u8]) -> Result<Self, RestoreError> {
        serde_json::from_slice(text).map_err(|error| damaged(&format!("its header: {error}")))
    }

    /// Reads it, and the watermarks in it into `closers`.
    pub(super) fn take(
        rest: &mut &[u8],
        plan: &WindowPlan,
        closers: &mut Closers,
        table: &SeriesTable,
    ) -> Result<Self, RestoreError> {
        let header = Header::parse(take_section(rest)?)?;
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
        match self {
            WindowOperator::Panes(panes) => panes.encode(table),
            WindowOperator::Spans(spans) => spans.encode(table),
        }
        .map_err(WindowError::State)
    }

    /// A hash of the state in a snapshot of this query, by the names of its groups: the same whatever numbers series have,
    /// however rows were cut into batches, and whether snapshots were taken.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version.
    pub fn hash_of(&self, snapshot: &[u8]) -> Result<blake3::Hash, RestoreError> {
        hash_of(self.plan(), snapshot)
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
    let site = Names::new(&keys[site_key]).map_err(RestoreError::Damaged)?;
    let bay = (plan.closes == Closes::Bay).then(|| Names::new(&keys[bay_key]).map_err(RestoreError::Damaged));
    let bay = bay.transpose()?;
    let numbers = bays_by_name(table);
    let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    let mut last = ((u32::MAX, u32::MAX), 0);
    (0..rows)
        .map(|row| {
            let places = (site.places[row], bay.as_ref().map_or(0, |bay| bay.places[row]));
            if places == last.0 {
                return Ok(last.1);
            }
            if let Some(&closer) = known.get(&places) {
                last = (places, closer);
                return Ok(closer);
            }
            let name = (site.name(places.0), bay.as_ref().map_or("", |bay| bay.name(places.1)));
            let number = match bay {
                Some(_) => numbers.get(&name).copied(),
                // Where no bay closes, any of the site does.
                None => numbers.iter().find(|((site, _), _)| *site == name.0).map(|(_, &bay)| bay),
            };
            let unknown = || RestoreError::UnknownBay { site: name.0.to_owned(), bay: name.1.to_owned() };
            let closer = closers.of_bay(number.ok_or_else(unknown)?, table);
            known.insert(places, closer);
            last = (places, closer);
            Ok(closer)
        })
        .collect()
}

/// Stands for an absent name.
const NO_NAME: u32 = u32::MAX - 1;

/// Names of sites or bays, each once.
struct Names {
    names: StringArray,
    /// Of each row, or [`NO_NAME`].
    places: ScalarBuffer<u32>,
}

impl Names {
    /// Of a key, in a dictionary or not.
    fn new(key: &ArrayRef) -> Result<Self> {
        let once = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let key = cast(key, &once)?;
        let (names, places) = (key.as_any_dictionary().values(), key.as_dictionary::<UInt32Type>().keys());
        let all = || places.iter().map(|place| place.unwrap_or(NO_NAME)).collect();
        let places = if places.null_count() == 0 { places.values().clone() } else { all() };
        Ok(Names { names: names.as_string().clone(), places })
    }

    /// An absent bay is an empty name in the table.
    fn name(&self, place: u32) -> &str {
        let place = place as usize;
        if place < self.names.len() && self.names.is_valid(place) { self.names.value(place) } else { "" }
    }
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
