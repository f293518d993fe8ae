//! What happens on a bay while no clocked step is active there, picked out for the functions: they infer from it when
//! steps were worked on that nobody has clocked.
//!
//! The functions say what they look for ([`Watch`]), and it is kept here as a byte a series, so that a reading costs a look
//! at that byte, and only where no step was active at its time. A reading that names a job in its tags is handed in whatever it
//! is of. Late ones are not.
//!
//! Bound: [`PENDING_MAX`] pieces of evidence wait for the rest of their tick; at that many they are handed in before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingest::readings::{Booking, Event};
use ingest::series::SeriesTable;

use super::block::{Block, Lateness};
use super::join::Booked;
use super::usage::Usage;
use super::{Engine, tags, workshop};
use crate::functions::{Evidence, Sign, Sought, Trace, Watch};

const PENDING_MAX: usize = 16_384;
/// How a set of tags begins to name a job: quotes within names and values stand behind a backslash.
const JOB_TAG: &str = "\"job\":";

/// What is looked for, by series. All of it can be found again.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    watch: Option<Arc<Watch>>,
    /// Some step waits.
    is_any: bool,
    flags: Vec<Flag>,
}

/// What a reading of a series can be evidence of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flag {
    #[default]
    Nothing,
    /// A step that may be on on its bay asks for such readings.
    Asked,
    /// A step is assigned to its bay, and it comes of work.
    Work,
}

impl Lookout {
    /// Takes in what is looked for now, and what series are new in `table`.
    fn follow(&mut self, watch: Arc<Watch>, table: &SeriesTable, usage: &Usage) {
        self.is_any = watch.any;
        let before = self.watch.replace(Arc::clone(&watch)).unwrap_or_default();
        let is_same = Arc::ptr_eq(&before, &watch);
        let known = self.flags.len();
        if is_same && known == table.all().len() {
            return;
        }
        self.flags.resize(table.all().len(), Flag::Nothing);
        // Of nearly all bays the same is looked for as before.
        let is_other = |place: &(Box<str>, Box<str>)| {
            let sought = |watch: &Watch| watch.bays.get(place).map(Arc::as_ptr);
            let of_work = |watch: &Watch| watch.of_work.get(&place.0).map(Arc::as_ptr);
            !is_same && (sought(&watch) != sought(&before) || of_work(&watch) != of_work(&before))
        };
        let bays: Vec<(Option<&Arc<Sought>>, bool)> =
            table.bays().iter().map(|place| (watch.bays.get(place), is_other(place))).collect();
        for (place, series) in table.all().iter().enumerate() {
            let (sought, is_other) = bays[table.bay_of()[place] as usize];
            if !is_other && place < known {
                continue;
            }
            let is_amount = usage.is_amount(u32::try_from(place).expect("series are numbered in u32"));
            let of_work = watch.of_work.get(&series.site);
            self.flags[place] =
                sought.map_or(Flag::Nothing, |sought| flag(sought, of_work, &series.metric, is_amount));
        }
    }

    /// Whether a reading of no step's time can be evidence.
    #[inline]
    pub(super) fn wants(&self, block: &Block, row: usize) -> bool {
        let names_a_job = || block.tags_of(row).is_some_and(|tags| tags.contains(JOB_TAG));
        self.is_any && (self.flags[block.readings.series[row] as usize] != Flag::Nothing || names_a_job())
    }
}

fn flag(sought: &Sought, of_work: Option<&Arc<BTreeSet<Box<str>>>>, metric: &str, is_amount: bool) -> Flag {
    if sought.metrics.contains(metric) || (is_amount && sought.resources) {
        Flag::Asked
    } else if sought.work && (is_amount || of_work.is_some_and(|metrics| metrics.contains(metric))) {
        Flag::Work
    } else {
        Flag::Nothing
    }
}

impl Engine {
    /// What the functions look for, before rows become certain.
    pub(super) fn look_out(&mut self) {
        let watch = self.functions.watch();
        self.lookout.follow(watch, self.decoder.series(), &self.usage);
    }

    /// Readings that can be evidence, among those that the join has listed.
    pub(super) fn gather(&mut self, blocks: &[&Block], booked: &[Booked]) {
        for &Booked { ts_ms, stretch_block, row, run, .. } in booked {
            let block = blocks[stretch_block];
            let is_late = block.lateness[row] == Lateness::Late as u8;
            if run.is_some() || is_late || !self.lookout.wants(block, row) {
                continue;
            }
            let series = block.readings.series[row];
            let names = self.decoder.series().get(series);
            let set = block.tags_of(row);
            let mut trace = Trace {
                metric: names.metric.clone(),
                value: block.readings.value[row],
                is_use: self.is_work(&names.site, &names.metric, series),
                ..Trace::default()
            };
            for (name, value) in set.map(tags::pairs).unwrap_or_default() {
                let value = Some(value.into_boxed_str());
                match name.as_str() {
                    "job" => trace.job = value,
                    "step" => trace.step = value,
                    "joint" => trace.joint = value,
                    "pset" => trace.pset = value,
                    _ => {}
                }
            }
            let unit = self.decoder.units().code(block.readings.unit[row]);
            trace.used = self.usage.amount_of(series, set).map(|resource| (resource.into(), unit.into()));
            let place = (block.readings.message[row], block.readings.index[row]);
            let (site, bay) = (names.site.clone(), names.bay.clone());
            self.evidence.push(Evidence { site, bay, ts_ms, place, sign: Sign::Trace(trace) });
            if self.evidence.len() >= PENDING_MAX {
                self.infer();
            }
        }
    }

    /// Whether a reading comes of work, and not by itself.
    fn is_work(&self, site: &str, metric: &str, series: u32) -> bool {
        let of_work = self.lookout.watch.as_ref().and_then(|watch| watch.of_work.get(site));
        self.usage.is_amount(series) || of_work.is_some_and(|metrics| metrics.contains(metric))
    }

    /// A booking that belongs to no clocked step.
    pub(super) fn gather_booking(&mut self, event: &Event, booking: &Booking) {
        let trace = Trace {
            is_booking: true,
            job: booking.job.clone(),
            step: booking.step.clone(),
            value: booking.quantity,
            used: Some((booking.resource.clone(), booking.unit.clone())),
            is_use: true,
            ..Trace::default()
        };
        let (site, bay) = (event.site.clone(), booking.bay.clone());
        let place = (event.message, event.index);
        self.evidence.push(Evidence { site, bay, ts_ms: event.ts_ms, place, sign: Sign::Trace(trace) });
    }

    /// After a checkpoint of a version that did not keep what cards ask of tools: the cards say it.
    pub(super) fn ask_anew(&mut self) {
        let units = self.decoder.units();
        let asked = self.steps.cards().map(|(site, card)| workshop::asked(site, card, units));
        asked.for_each(|asked| self.functions.take(asked));
    }

    /// Hands in what has been gathered.
    pub(super) fn infer(&mut self) {
        if !self.evidence.is_empty() {
            let evidence = std::mem::take(&mut self.evidence);
            self.functions.infer(evidence, self.decoder.units(), self.at_ms);
        }
    }
}
