//! Groups of a pane that become one, and places that are used again.

use arrow::array::UInt32Array;
use datafusion::common::Result;

use super::fused::{Fold, Measure, Spread};
use super::groups::OUTSIDE;
use super::mark::Mark;
use super::pane::Pane;
use crate::plan::state::States;
use crate::plan::windowed::together::StatesAmong;

/// A slide that several queries share, as one of them sees it.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub slide: &'a Pane,
    /// Its groups that have rows, and how many.
    pub present: &'a [(usize, u64)],
    pub among: &'a StatesAmong,
    /// By group of the slide: that of the query.
    pub groups: &'a [u32],
}

impl Pane {
    /// Forgets one group; its place among the others stays taken until the pane is made anew.
    pub(crate) fn reset(&mut self, group: u32) {
        let group = group as usize;
        self.measures.iter_mut().for_each(|states| states[group] = Measure::default());
        self.spreads.iter_mut().for_each(|states| states[group] = Spread::default());
        self.counts.iter_mut().for_each(|states| states[group] = 0);
        self.beside.get_mut(group).into_iter().for_each(|rows| *rows = 0);
        self.marks.get_mut(group).into_iter().for_each(|mark| *mark = Mark::default());
        self.others_places.get_mut(group).into_iter().for_each(|place| *place = OUTSIDE);
    }

    /// Takes all groups of `other` in, which keeps them; there must be none of DataFusion's accumulators.
    pub(crate) fn merge_all(&mut self, states: &States, other: &Pane) {
        self.grow(other.len());
        if !self.marks.is_empty() {
            for group in 0..other.len() {
                self.marks[group].changed |= other.rows_of(states, group) > 0;
            }
        }
        for (into, from) in self.measures.iter_mut().zip(&other.measures) {
            into.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        }
        for (into, from) in self.spreads.iter_mut().zip(&other.spreads) {
            into.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        }
        for (into, from) in self.counts.iter_mut().zip(&other.counts) {
            into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
        }
        if !other.beside.is_empty() {
            self.beside.resize(self.len(), 0);
            self.beside.iter_mut().zip(&other.beside).for_each(|(into, from)| *into += from);
        }
    }

    /// Takes over what a slide of several queries holds for one of them.
    pub(crate) fn merge_part(&mut self, states: &States, part: &Part<'_>) {
        let Part { slide, present, among, groups } = part;
        let pairs = present.iter().map(|&(from, rows)| (from, groups[from] as usize, rows));
        let pairs: Vec<(usize, usize, u64)> = pairs.collect();
        for (place, (into, with_sum)) in among.measures.iter().zip(self.measures.iter_mut().zip(&states.sums))
        {
            let other = &slide.measures[*place];
            match with_sum {
                true => pairs.iter().for_each(|&(from, to, _)| into[to].merge(&other[from])),
                false => pairs.iter().for_each(|&(from, to, _)| into[to].merge_range(&other[from])),
            }
        }
        for (place, into) in among.spreads.iter().zip(&mut self.spreads) {
            pairs.iter().for_each(|&(from, to, _)| into[to].merge(&slide.spreads[*place][from]));
        }
        for (place, into) in among.counts.iter().zip(&mut self.counts) {
            pairs.iter().for_each(|&(from, to, _)| into[to] += slide.counts[*place][from]);
        }
        let base = states.base().map(|base| &slide.measures[among.measures[base]]);
        for (from, to, rows) in pairs {
            let beside = rows - base.map_or(0, |base| base[from].count);
            if beside > 0 {
                self.beside.resize(self.len(), 0);
                self.beside[to] += beside;
            }
        }
    }

    /// Takes what group `from` has over into group `into`, but for what was said of it.
    pub(crate) fn merge(&mut self, into: u32, from: u32) -> Result<()> {
        let (to, of) = (into as usize, from as usize);
        for states in &mut self.measures {
            let other = std::mem::take(&mut states[of]);
            states[to].merge(&other);
        }
        for states in &mut self.spreads {
            let other = std::mem::take(&mut states[of]);
            states[to].merge(&other);
        }
        for states in &mut self.counts {
            states[to] += states[of];
        }
        if !self.beside.is_empty() {
            self.beside[to] += self.beside[of];
        }
        for other in 0..self.others.len() {
            let state = self.peek(other, &UInt32Array::from(vec![from]))?;
            self.merge_other(other, &[into], &state)?;
        }
        Ok(())
    }
}
