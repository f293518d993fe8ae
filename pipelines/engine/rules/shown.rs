//! What a view over single rows shows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use ingest::readings::Reject;
use sinks::emission::Emission;

use super::super::EngineError;
use super::super::ids::{reading_id, row_id};
use super::super::rule_row::text_of;
use super::failed_row;
use super::looked::Looked;
use super::row_rule::{Judged, RowRule};
use super::view::view_rows;

impl RowRule {
    /// Shows the rows of a view; those on which an expression fails go to quarantine.
    pub(super) fn show(
        &self,
        looked: Looked<'_>,
        selected: &[u32],
        rejects: &mut Vec<Reject>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let rows = looked.rows;
        let failed = |position: u32, reason: String| {
            let message = rows.locate(&[position]).next();
            let message = message.map_or(0, |(block, row)| rows.blocks[block].readings.message[row]);
            rejects.push(failed_row(&self.life.name, message, &reason));
        };
        let Some(Judged { selected, matches, output }) = self.judge(looked, selected, failed)? else {
            return Ok(());
        };
        let matching = selected.iter().zip(matches.values()).filter(|(_, matches)| *matches);
        let matching: Vec<u32> = matching.map(|(position, _)| *position).collect();
        let ids = rows.locate(&matching).map(|(block, row)| {
            let readings = &rows.blocks[block].readings;
            Some(reading_id(readings.message[row], readings.index[row]))
        });
        let ids: ArrayRef = Arc::new(ids.collect::<StringArray>());
        self.show_rows(&output, &ids, out)
    }

    pub(super) fn show_rows(
        &self,
        output: &RecordBatch,
        ids: &ArrayRef,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        if output.num_rows() == 0 {
            return Ok(());
        }
        let id = |row: usize| {
            row_id(&self.life.name, &[text_of(ids.as_ref(), row).unwrap_or_default().as_bytes()])
        };
        let ids = (0..output.num_rows()).map(|row| Some(id(row))).collect::<StringArray>();
        out.push(view_rows(
            &self.life.name,
            output,
            ids,
            &vec![1; output.num_rows()],
            &vec![true; output.num_rows()],
        )?);
        Ok(())
    }
}
