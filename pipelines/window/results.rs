//! What the groups of a pane come to.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, UInt32Array, new_empty_array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

use super::fused::Measure;
use super::groups::OUTSIDE;
use super::pane::Pane;
use crate::plan::FailedRow;
use crate::plan::expression::isolate;
use crate::plan::state::{ResultOf, States};

impl Pane {
    /// The columns of `results` for `groups`, and those of these that have no result, ascending.
    pub(crate) fn results(
        &mut self,
        states: &States,
        results: &[ResultOf],
        groups: &UInt32Array,
    ) -> Result<(Vec<ArrayRef>, Vec<FailedRow>)> {
        let chosen = groups.values();
        let mut failed = Vec::new();
        let others: Vec<ArrayRef> = (0..self.others.len())
            .map(|of| self.result_of_other(states, of, groups, &mut failed))
            .collect::<Result<_>>()?;
        failed.sort_by_key(|failed| failed.row);
        failed.dedup_by_key(|failed| failed.row);
        // Groups come in the order of their keys, so each state is fetched once, whatever is read from it.
        let measures: Vec<Vec<&Measure>> = self.measures.iter().map(|states| fetch(states, chosen)).collect();
        let columns: Result<_> = results
            .iter()
            .map(|&result| {
                Ok(match result {
                    ResultOf::Rows => {
                        integers(chosen.iter().map(|&group| self.rows_of(states, group as usize)))
                    }
                    ResultOf::Count(of) => {
                        integers(chosen.iter().map(|&group| self.counts[of][group as usize]))
                    }
                    ResultOf::CountOf(of) => integers(measures[of].iter().map(|measure| measure.count)),
                    ResultOf::SumOf(of) => floats(&measures[of], |measure| measure.sum.value()),
                    ResultOf::MinOf(of) => floats(&measures[of], Measure::least),
                    ResultOf::MaxOf(of) => floats(&measures[of], |measure| measure.max),
                    #[expect(clippy::cast_precision_loss, reason = "as DataFusion divides")]
                    ResultOf::AverageOf(of) => {
                        floats(&measures[of], |measure| measure.sum.value() / measure.count as f64)
                    }
                    ResultOf::Spread { spread, sample, root } => {
                        let states = fetch(&self.spreads[spread], chosen);
                        Arc::new(Float64Array::from_iter(
                            states.iter().map(|state| state.result(sample, root)),
                        ))
                    }
                    ResultOf::Other(of) => Arc::clone(&others[of]),
                })
            })
            .collect();
        Ok((columns?, failed))
    }

    /// Null where it fails, as a sum does that has grown too large.
    fn result_of_other(
        &mut self,
        states: &States,
        of: usize,
        groups: &UInt32Array,
        failed: &mut Vec<FailedRow>,
    ) -> Result<ArrayRef> {
        let has_place =
            |group: u32| self.others_places.get(group as usize).is_some_and(|&place| place != OUTSIDE);
        if groups.values().iter().any(|&group| !has_place(group)) {
            // A window that was withdrawn: no row has been there.
            let function = &states.others[of].function;
            let nothing = function.default_value(function.field().data_type())?;
            return nothing.to_array_of_size(groups.len());
        }
        let kind = states.others[of].function.field().data_type().clone();
        if groups.is_empty() {
            return Ok(new_empty_array(&kind));
        }
        let taken = self.peek(of, groups)?;
        let mut evaluate = |rows: Range<usize>| {
            let mut copy = states.others[of].accumulator()?;
            let taken: Vec<ArrayRef> =
                taken.iter().map(|column| column.slice(rows.start, rows.len())).collect();
            let places: Vec<usize> = (0..rows.len()).collect();
            copy.merge_batch(&taken, &places, rows.len())?;
            Ok((rows, copy.evaluate(EmitTo::All)?))
        };
        let (mut pieces, before) = (Vec::new(), failed.len());
        isolate(0..groups.len(), &mut evaluate, &mut pieces, failed);
        if let (true, [(_, whole)]) = (failed.len() == before, pieces.as_slice()) {
            return Ok(Arc::clone(whole));
        }
        pieces.extend(failed[before..].iter().map(|one| (one.row..one.row + 1, new_null_array(&kind, 1))));
        pieces.sort_by_key(|(rows, _)| rows.start);
        Ok(concat(&pieces.iter().map(|(_, column)| column.as_ref()).collect::<Vec<&dyn Array>>())?)
    }

    /// The state of `groups` in one of DataFusion's accumulators, which gives its state away and gets it
    /// back.
    pub(crate) fn peek(&mut self, other: usize, groups: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let accumulator = &mut self.others[other];
        let state = accumulator.state(EmitTo::All)?;
        let places: Vec<usize> = (0..self.others_len).collect();
        accumulator.merge_batch(&state, &places, self.others_len)?;
        let chosen: UInt32Array = groups
            .values()
            .iter()
            .map(|&group| self.others_places[group as usize])
            .collect::<Vec<_>>()
            .into();
        Ok(state.iter().map(|column| take(column, &chosen, None)).collect::<Result<_, _>>()?)
    }
}

fn integers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn fetch<'a, S>(states: &'a [S], groups: &[u32]) -> Vec<&'a S> {
    groups.iter().map(|&group| &states[group as usize]).collect()
}

/// What `read` says of each measure; null where it has no values.
fn floats(measures: &[&Measure], read: impl Fn(&Measure) -> f64) -> ArrayRef {
    let values = measures.iter().map(|measure| read(measure)).collect::<Vec<f64>>();
    let nulls = measures.iter().any(|measure| measure.count == 0);
    let nulls = nulls.then(|| measures.iter().map(|measure| measure.count > 0).collect::<NullBuffer>());
    Arc::new(Float64Array::new(values.into(), nulls))
}
