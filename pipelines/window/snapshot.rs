//! The state as bytes, and back, to the bit.
//!
//! A snapshot is the header (JSON), the keys of the groups that series decide, and a section for each
//! window, all but the header as Arrow IPC: keys by name, fused states as they are, DataFusion's
//! accumulators as their own state columns. Closed windows that wait for corrections are kept in that form
//! between snapshots, so that a snapshot costs what has changed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::error::DataFusionError;
use ingest::series::SeriesTable;

use super::groups::GroupTable;
use super::pane::Pane;
use super::section::{Columns, Packed, decode_states, from_ipc, key_columns, to_ipc};
use super::{Slot, WindowError, WindowOperator};
use crate::plan::WindowPlan;
use crate::plan::key::Closes;

/// Changes with the layout of the bytes.
const FORMAT: u32 = 2;

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
struct Header {
    format: u32,
    plan: String,
    /// Highest watermarks seen: site, bay, milliseconds.
    seen: Vec<(String, String, i64)>,
    /// Starts of the windows whose sections follow.
    windows: Vec<i64>,
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
        self.encode(table).map_err(WindowError::State)
    }

    fn encode(&mut self, table: &SeriesTable) -> Result<(Vec<u8>, [u8; 32])> {
        let mut sections = Vec::new();
        let mut hash = blake3::Hasher::new();
        let mut windows = Vec::new();
        for start in self.panes.keys().copied().collect::<Vec<_>>() {
            if matches!(&self.panes[&start], Slot::Packed(packed) if self.has_expired(start, packed)) {
                self.unpack(start, table)?;
            }
            let plan = &self.plan;
            let expires = plan.windows.end_of(start).saturating_add(self.horizon_ms);
            let slot = self.panes.get_mut(&start).expect("only this changes them");
            let fresh = match slot {
                Slot::Packed(_) => None,
                Slot::Live(pane) => {
                    let is_alive = |closer: u32| expires > self.closers.seen(closer);
                    Some(Packed::new(plan, &mut self.groups, pane, is_alive)?)
                }
            };
            let packed = match (&fresh, &*slot) {
                (Some(packed), _) | (None, Slot::Packed(packed)) => packed,
                (None, Slot::Live(_)) => continue,
            };
            if packed.closers.is_empty() {
                continue;
            }
            windows.push(start);
            put_section(&mut sections, &packed.section);
            hash.update(&start.to_le_bytes());
            hash.update(packed.hash.as_bytes());
            let is_clean = matches!(slot, Slot::Live(pane) if pane.complete && !pane.dirty);
            if let (true, Some(packed)) = (is_clean, fresh)
                && let Slot::Live(pane) = std::mem::replace(slot, Slot::Packed(packed))
            {
                self.keep_spare(*pane);
            }
        }
        let seen = self.closers.by_name(table);
        let header = Header { format: FORMAT, plan: self.plan.hash().to_owned(), seen, windows };
        let header = serde_json::to_vec(&header).map_err(|error| exec_datafusion_err!("{error}"))?;
        hash.update(&header);
        let mut bytes = Vec::with_capacity(sections.len() + header.len() + 1024);
        put_section(&mut bytes, &header);
        let all: Vec<u32> = (0..).take(self.groups.len()).collect();
        self.groups.settle()?;
        let (fields, columns) = key_columns(&self.groups, &all.into())?;
        put_section(&mut bytes, &to_ipc(fields, columns, self.groups.len())?);
        bytes.append(&mut sections);
        Ok((bytes, *hash.finalize().as_bytes()))
    }

    /// Whether rows for some of its groups would be refused by now.
    fn has_expired(&self, start: i64, packed: &Packed) -> bool {
        let expires = self.plan.windows.end_of(start).saturating_add(self.horizon_ms);
        packed.closers.iter().any(|&closer| expires <= self.closers.seen(closer))
    }

    /// Makes a packed window ready for rows.
    pub(super) fn unpack(&mut self, start: i64, table: &SeriesTable) -> Result<()> {
        let Some(Slot::Packed(packed)) = self.panes.remove(&start) else {
            return Ok(());
        };
        let mut pane = self.open_pane()?;
        let batch = from_ipc(&packed.section)?;
        self.decode(&batch, None, &mut pane, table)?;
        pane.complete = true;
        pane.dirty = false;
        self.panes.insert(start, Slot::Live(Box::new(pane)));
        Ok(())
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
        let mut rest = bytes;
        let header: Header = serde_json::from_slice(take_section(&mut rest)?)
            .map_err(|error| damaged(&format!("its header: {error}")))?;
        if header.plan != plan.hash() || header.format != FORMAT {
            return Err(RestoreError::OtherPlan { found: header.plan, wanted: plan.hash().to_owned() });
        }
        operator.closers.restore(&header.seen, table);
        let keys = from_ipc(take_section(&mut rest)?).map_err(RestoreError::Damaged)?;
        let closers = operator.closers_of(keys.columns(), keys.num_rows(), table)?;
        let numbers = operator
            .groups
            .intern(keys.columns(), keys.num_rows(), |row| closers[row])
            .map_err(RestoreError::Damaged)?;
        for start in header.windows {
            let batch = from_ipc(take_section(&mut rest)?).map_err(RestoreError::Damaged)?;
            let mut pane = operator.open_pane().map_err(RestoreError::Damaged)?;
            operator.decode(&batch, Some(&numbers), &mut pane, table).map_err(RestoreError::Damaged)?;
            // The next close looks at every group, and says what is to be said.
            pane.dirty = true;
            operator.panes.insert(start, Slot::Live(Box::new(pane)));
        }
        Ok(operator)
    }

    /// What closes the groups with these keys.
    fn closers_of(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        table: &SeriesTable,
    ) -> Result<Vec<u32>, RestoreError> {
        let (site_key, bay_key) = self.plan.closing_keys;
        let in_panes = self.pane_groups.is_some() && keys.len() < self.plan.key_schema().fields().len();
        if self.plan.closes == Closes::Overall || in_panes {
            // Parts of keys close nothing.
            return Ok(vec![0; rows]);
        }
        let site = keys[site_key].as_string::<i32>();
        let bay = (self.plan.closes == Closes::Bay).then(|| keys[bay_key].as_string::<i32>());
        let numbers = super::frontier::bays_by_name(table);
        (0..rows)
            .map(|row| {
                let site = site.value(row);
                let number = match bay {
                    // An absent bay is an empty name in the table.
                    Some(bay) => {
                        let bay = if bay.is_null(row) { "" } else { bay.value(row) };
                        numbers.get(&(site, bay)).copied().ok_or(bay)
                    }
                    None => numbers.iter().find(|((of, _), _)| *of == site).map(|(_, &bay)| bay).ok_or(""),
                };
                match number {
                    Ok(number) => Ok(self.closers.of_bay(number, table)),
                    Err(bay) => Err(RestoreError::UnknownBay { site: site.to_owned(), bay: bay.to_owned() }),
                }
            })
            .collect()
    }

    /// Fills an empty pane from a window's section. `numbers` translates group numbers.
    fn decode(
        &mut self,
        batch: &RecordBatch,
        numbers: Option<&[u32]>,
        pane: &mut Pane,
        table: &SeriesTable,
    ) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let rows = batch.num_rows();
        let mut columns = Columns { batch, next: 0 };
        let groups: Vec<u32> = if let Some(of_pane) = &mut pane.groups {
            let keys: Vec<ArrayRef> =
                (0..plan.key_schema().fields().len()).map(|_| columns.next()).collect::<Result<_>>()?;
            let closers =
                self.closers_of(&keys, rows, table).map_err(|error| exec_datafusion_err!("{error}"))?;
            of_pane.intern(&keys, rows, |row| closers[row])?
        } else {
            let groups = columns.next()?;
            let translate = |&group: &u32| numbers.map_or(group, |numbers| numbers[group as usize]);
            groups.as_primitive::<UInt32Type>().values().iter().map(translate).collect()
        };
        let len = pane.groups.as_ref().map_or(self.groups.len(), GroupTable::len);
        pane.grow(len);
        decode_states(&plan, &mut columns, &groups, pane)
    }
}

fn put_section(bytes: &mut Vec<u8>, section: &[u8]) {
    bytes.extend_from_slice(&(section.len() as u64).to_le_bytes());
    bytes.extend_from_slice(section);
}

fn take_section<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], RestoreError> {
    let (length, behind) = rest.split_first_chunk().ok_or_else(|| damaged("it is too short"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged("it is too short"))?;
    let (section, behind) = behind.split_at_checked(length).ok_or_else(|| damaged("it is too short"))?;
    *rest = behind;
    Ok(section)
}

fn damaged(text: &str) -> RestoreError {
    RestoreError::Damaged(exec_datafusion_err!("{text}"))
}
