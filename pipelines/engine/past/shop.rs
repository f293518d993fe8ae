//! Names as numbers, and how far each bay has come.

use std::ops::Range;

use ingest::readings::What;
use ingest::series::{Series, SeriesTable};
use rustc_hash::FxHashMap;

use super::super::CARDS_MAX;
use super::super::bays::Bays;
use super::super::bounds::Bounds;
use super::super::limits::Assets;
use super::super::names::Names;
use super::super::rules::Surroundings;
use super::super::steps::Steps;
use super::{Mode, PastRows};
use crate::config::Config;
use crate::history::StepRow;

/// States whose message may leave out its time, and is of its arrival then: that moves no watermark.
const STATES: [&str; 3] = ["online", "occupied", "open"];

/// What all rules that are tried on the same rows share.
#[derive(Debug)]
pub(crate) struct Shop {
    table: SeriesTable,
    names: Names,
    units: Vec<Box<str>>,
    unit_numbers: FxHashMap<Box<str>, u16>,
    bays: Bays,
    /// As they were known at that time; nobody asks when all corrections are in.
    steps: Steps,
    bounds: Bounds,
    assets: Assets,
    /// By series: whether it is one of [`STATES`].
    is_state: Vec<bool>,
    pub(super) mode: Mode,
    horizon_ms: i64,
    age_bound_ms: i64,
}

/// What a second brought about.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(super) at_ms: i64,
    /// Bays, and the time before which nothing of them is expected any more.
    pub(super) until: Vec<(u32, i64)>,
    /// Bays that have just fallen silent.
    pub(super) released: Vec<u32>,
}

impl Shop {
    /// Under the settings that history was made with.
    #[must_use]
    pub(crate) fn new(config: &Config, mode: Mode) -> Self {
        let mut settings = config.engine.clone();
        if mode == Mode::AsCorrected {
            // No correction comes from before the horizon, and whoever is silent may still bring some.
            settings.lateness = settings.longest_lateness() + settings.longest_horizon();
            settings.idle = settings.idle_final;
            settings.sites.clear();
            settings.kinds.clear();
        }
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let bays = Bays::new(millis(settings.lateness), millis(settings.idle), millis(settings.idle_final));
        Shop {
            table: SeriesTable::default(),
            names: Names::new(),
            units: vec!["".into()],
            unit_numbers: FxHashMap::default(),
            bays,
            steps: Steps::default(),
            horizon_ms: millis(settings.longest_horizon()),
            age_bound_ms: millis(settings.age_bound),
            bounds: Bounds::new(&settings),
            assets: Assets::new(&config.assets),
            is_state: Vec::new(),
            mode,
        }
    }

    /// All series and bays so far.
    #[must_use]
    pub(crate) fn table(&self) -> &SeriesTable {
        &self.table
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn bays(&self) -> &Bays {
        &self.bays
    }

    /// The number of a series.
    pub(crate) fn series(&mut self, series: Series) -> u32 {
        self.table.intern(series)
    }

    /// The number of a bay.
    pub(crate) fn bay(&mut self, site: &str, bay: &str) -> u32 {
        self.table.intern_bay(site, bay)
    }

    /// The number of the bay by which a row of steps is looked at: of a job that is on none, the first of its site.
    pub(crate) fn bay_of_step(&mut self, row: &StepRow) -> u32 {
        if !row.bay.is_empty() {
            return self.bay(&row.site, &row.bay);
        }
        // Names come with whole row groups, before their bays are heard.
        let is_heard = |bay: u32| self.bays.watermark_ms(bay) != i64::MIN;
        let of_site = (0..).zip(self.table.bays()).filter(|(_, (site, _))| **site == *row.site);
        let first = of_site.filter(|(bay, _)| is_heard(*bay)).min_by_key(|(_, names)| *names);
        let first = first.map(|(bay, _)| bay);
        first.unwrap_or_else(|| self.bay(&row.site, &row.bay))
    }

    /// The number of a unit's code; none where there are too many.
    pub(crate) fn unit(&mut self, code: &str) -> Option<u16> {
        if let Some(&number) = self.unit_numbers.get(code) {
            return Some(number);
        }
        let number = u16::try_from(self.units.len()).ok()?;
        self.units.push(code.into());
        self.unit_numbers.insert(code.into(), number);
        Some(number)
    }

    /// Takes in what names are new. Before rows are judged that have them.
    pub(crate) fn follow(&mut self) {
        self.names.follow(&self.table, &self.units);
        let fresh = &self.table.all()[self.is_state.len()..];
        self.is_state.extend(fresh.iter().map(|series| STATES.contains(&&*series.metric)));
    }

    /// Readings have arrived.
    pub(crate) fn heard(&mut self, rows: &PastRows, range: Range<usize>) {
        let readings = rows.readings();
        for row in range {
            let (ts_ms, arrived_ms) = (readings.ts_ms[row], readings.arrived_ms[row]);
            let is_of_arrival = ts_ms == arrived_ms && self.is_state[readings.series[row] as usize];
            let newest_ms = if is_of_arrival { i64::MIN } else { ts_ms };
            if !self.bounds.is_uniform() {
                self.bounds.meet(readings.series[row], &self.table, &self.assets, &mut self.bays);
            }
            self.bays.heard(rows.bays()[row], newest_ms, arrived_ms);
        }
    }

    /// A step event of a bay has arrived.
    pub(crate) fn heard_step(&mut self, bay: u32, row: &StepRow) {
        // An over-run is nothing that was heard.
        let Some(event) = row.event() else { return };
        self.bounds.meet_bay(bay, &self.table, &self.assets, &mut self.bays);
        self.bays.heard(bay, row.ts_ms, row.arrived_ms);
        if self.mode == Mode::AsArrived
            && let What::Step(step) = &event.what
        {
            self.steps.take(&row.site, bay, &event, step, ("", &[]));
        }
    }

    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { steps: &self.steps, names: &self.names, table: &self.table }
    }

    /// An epoch ends: steps that are too old to matter are forgotten.
    pub(crate) fn forget(&mut self) {
        for bay in 0..self.bays.all().len() {
            let bay = u32::try_from(bay).expect("bays are numbered in u32");
            let watermark_ms = self.bays.watermark_ms(bay);
            let steps = self.steps.bay_mut(bay);
            steps.tell(watermark_ms, i64::MIN);
            steps.forget(
                watermark_ms.saturating_sub(self.horizon_ms),
                watermark_ms.saturating_sub(self.age_bound_ms),
            );
        }
        self.steps.bound_cards(CARDS_MAX);
    }

    /// The second `at_ms` has passed.
    pub(crate) fn tick(&mut self, at_ms: i64) -> Passed {
        let ticked = self.bays.tick(at_ms);
        Passed { at_ms, until: self.bays.until(&ticked), released: ticked.released }
    }

    /// Those of `bays` that are silent show what has come of them, as when they fell silent.
    pub(crate) fn show(&self, bays: Vec<u32>, passed: &mut Passed) {
        passed.released.extend(bays.into_iter().filter(|&bay| self.bays.is_silent(bay)));
        passed.released.sort_unstable();
        passed.released.dedup();
    }

    /// The next second after `at_ms` at which something can happen though nothing arrives.
    #[must_use]
    pub(crate) fn next_deadline_ms(&self, at_ms: i64) -> Option<i64> {
        self.bays.next_deadline_ms(at_ms)
    }

    /// History ends: nothing is expected any more.
    pub(crate) fn end(&mut self) -> Passed {
        self.bays.close_all();
        let bays = u32::try_from(self.table.bays().len()).expect("bays are numbered in u32");
        let until = (0..bays).map(|bay| (bay, i64::MAX)).collect();
        Passed { at_ms: i64::MAX, until, released: Vec::new() }
    }
}
