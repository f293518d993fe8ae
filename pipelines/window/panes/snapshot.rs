//! Windows of the clock as bytes, and back.
//!
//! There is a section for each window, and for each slide that has not gone into its windows. Closed ones that wait for
//! corrections are kept in that form between snapshots, so that a snapshot costs what has changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt32Type;
use datafusion::common::{Result, exec_datafusion_err};
use ingest::series::SeriesTable;

use super::super::columns::{Columns, from_ipc, to_ipc};
use super::super::groups::GroupTable;
use super::super::pane::Pane;
use super::super::section::{Packed, decode_states, key_columns};
use super::super::snapshot::{Header, RestoreError, closers_of, put_section, take_batch};
use super::{PaneOperator, Slot};

impl PaneOperator {
    /// See [`super::super::WindowOperator::snapshot`].
    pub(in crate::window) fn encode(&mut self, table: &SeriesTable) -> Result<Vec<u8>> {
        let mut sections: Vec<Buffer> = Vec::new();
        let mut windows = Vec::new();
        for start in self.panes.keys().copied().collect::<Vec<_>>() {
            if matches!(&self.panes[&start], Slot::Packed(packed) if self.has_expired(start, packed)) {
                self.unpack(start, table)?;
            }
            let plan = &self.plan;
            let expires = self.windows.end_of(start).saturating_add(self.horizon_ms);
            let slot = self.panes.get_mut(&start).expect("only this changes them");
            let fresh = match slot {
                Slot::Packed(_) => None,
                Slot::Live(pane) => {
                    let is_alive = |closer: u32| expires > self.closers.seen(closer);
                    Some(Packed::new(plan, &mut self.of_series.groups, pane, is_alive)?)
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
            sections.push(packed.section.clone());
            let is_clean = matches!(slot, Slot::Live(pane) if pane.complete && !pane.dirty);
            if let (true, Some(packed)) = (is_clean, fresh)
                && let Slot::Live(pane) = std::mem::replace(slot, Slot::Packed(packed))
            {
                self.keep_spare(*pane);
            }
        }
        let mut slides = Vec::new();
        for (&start, slide) in &mut self.pending {
            let packed = Packed::new(&self.plan, &mut self.of_series.groups, slide, |_| true)?;
            slides.push(start);
            sections.push(packed.section.clone());
        }
        let mut header = Header::new(&self.plan, &self.closers, table, windows);
        header.slides = slides;
        let header = header.encode()?;
        self.of_series.groups.settle()?;
        let (fields, columns) = key_columns(&mut self.of_series.groups, None)?;
        let keys = to_ipc(fields, columns, self.of_series.groups.len())?;
        let all = || [header.as_slice(), &keys].into_iter().chain(sections.iter().map(Buffer::as_slice));
        let mut bytes = Vec::with_capacity(all().map(|section| section.len() + 8).sum());
        all().for_each(|section| put_section(&mut bytes, section));
        Ok(bytes)
    }

    /// Whether rows for some of its groups would be refused by now.
    fn has_expired(&self, start: i64, packed: &Packed) -> bool {
        let expires = self.windows.end_of(start).saturating_add(self.horizon_ms);
        packed.closers.iter().any(|&closer| expires <= self.closers.seen(closer))
    }

    /// Makes a packed window ready for rows.
    pub(super) fn unpack(&mut self, start: i64, table: &SeriesTable) -> Result<()> {
        let Some(Slot::Packed(packed)) = self.panes.remove(&start) else {
            return Ok(());
        };
        let mut pane = self.open_pane()?;
        let batch = from_ipc(&packed.section)?;
        self.fill(&batch, None, &mut pane, table)?;
        pane.complete = true;
        pane.dirty = false;
        self.panes.insert(start, Slot::Live(Box::new(pane)));
        Ok(())
    }

    /// See [`super::super::WindowOperator::absorb`].
    pub(in crate::window) fn decode(
        &mut self,
        bytes: &[u8],
        table: &SeriesTable,
    ) -> Result<(), RestoreError> {
        let mut rest = bytes;
        let plan = Arc::clone(&self.plan);
        let header = Header::take(&mut rest, &plan, &mut self.closers, table)?;
        let keys = take_batch(&mut rest)?;
        let rows = keys.num_rows();
        self.of_series.groups.reserve(rows);
        let closers = if plan.has_row_keys() {
            // Parts of keys close nothing.
            vec![0; rows]
        } else {
            closers_of(&plan, &mut self.closers, keys.columns(), rows, table)?
        };
        let numbers = self
            .of_series
            .groups
            .intern(keys.columns(), rows, |row| closers[row])
            .map_err(RestoreError::Damaged)?;
        let mut next = |operator: &mut Self, known: Option<Box<Pane>>| {
            let batch = take_batch(&mut rest)?;
            let fresh = || operator.open_pane().map(Box::new).map_err(RestoreError::Damaged);
            let mut pane = known.map_or_else(fresh, Ok)?;
            operator.fill(&batch, Some(&numbers), &mut pane, table).map_err(RestoreError::Damaged)?;
            Ok(pane)
        };
        for start in header.windows {
            if matches!(self.panes.get(&start), Some(Slot::Packed(_))) {
                self.unpack(start, table).map_err(RestoreError::Damaged)?;
            }
            let known = match self.panes.remove(&start) {
                Some(Slot::Live(pane)) => Some(pane),
                _ => None,
            };
            let mut pane = next(self, known)?;
            // The next close looks at every group, and says what is to be said.
            pane.dirty = true;
            self.panes.insert(start, Slot::Live(pane));
        }
        for start in header.slides {
            let known = self.pending.remove(&start);
            let slide = next(self, known)?;
            self.pending.insert(start, slide);
        }
        Ok(())
    }

    /// Takes a window's section into a pane. `numbers` translates group numbers.
    fn fill(
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
            let closers = closers_of(&plan, &mut self.closers, &keys, rows, table);
            let closers = closers.map_err(|error| exec_datafusion_err!("{error}"))?;
            of_pane.intern(&keys, rows, |row| closers[row])?
        } else {
            let groups = columns.next()?;
            let translate = |&group: &u32| numbers.map_or(group, |numbers| numbers[group as usize]);
            groups.as_primitive::<UInt32Type>().values().iter().map(translate).collect()
        };
        let len = pane.groups.as_ref().map_or(self.of_series.groups.len(), GroupTable::len);
        pane.grow(len);
        decode_states(&plan, &mut columns, &groups, pane)
    }
}
