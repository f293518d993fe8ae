//! The bounds of event time that hold for a bay, and for a tool.
//!
//! A site and a kind of asset may have other bounds than the rest. Two of them belong to the tool of a reading: how
//! far it may be ahead of its arrival, and how late it may still correct a window. They are its kind's; what that does
//! not set is its site's; what neither sets is the general one. Two belong to the bay: its lateness and its idle time.
//! Windows and steps of a bay are closed for all of its tools at once, so it waits for the slowest of them: each is the
//! largest of the site's and of those of the kinds of its tools. Its tools are the ones that name it as their bay, and
//! the ones that it has heard of, each from the message on that it is first heard in.
//!
//! A tool that is new on a bay makes its lateness longer, never its watermark lower: that stays until the newest time
//! has gone so far beyond it. All of this depends on messages in their order alone, and not on entries.

use std::collections::{BTreeMap, BTreeSet};

use ingest::series::SeriesTable;

use super::bays::Bays;
use super::limits::Assets;
use crate::config::{BoundSettings, EngineSettings};

/// What one bay waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct BayBounds {
    pub lateness_ms: i64,
    pub idle_ms: i64,
}

/// What holds for the readings of one tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToolBounds {
    pub horizon_ms: i64,
    pub ahead_max_ms: i64,
}

/// Tools heard on each bay, by its number; nothing where no kind has bounds of its own.
pub(super) type ToolsHeard = BTreeMap<u32, BTreeSet<Box<str>>>;

/// All bounds, and who they are for.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    bay: BayBounds,
    tool: ToolBounds,
    sites: BTreeMap<Box<str>, BoundSettings>,
    kinds: BTreeMap<Box<str>, BoundSettings>,
    heard: ToolsHeard,
    /// Of each series, and whether its bay has heard of its tool.
    series: Vec<(ToolBounds, bool)>,
}

impl Bounds {
    /// Those of the settings.
    #[must_use]
    pub(super) fn new(settings: &EngineSettings) -> Self {
        let named = |bounds: &[(String, BoundSettings)]| {
            bounds.iter().map(|(name, bounds)| (name.as_str().into(), bounds.clone())).collect()
        };
        Bounds {
            bay: BayBounds { lateness_ms: millis(settings.lateness), idle_ms: millis(settings.idle) },
            tool: ToolBounds {
                horizon_ms: millis(settings.correction_horizon),
                ahead_max_ms: millis(settings.clock_bound),
            },
            sites: named(&settings.sites),
            kinds: named(&settings.kinds),
            heard: ToolsHeard::new(),
            series: Vec::new(),
        }
    }

    /// Whether all sites and kinds have the same.
    #[inline]
    #[must_use]
    pub(super) fn is_uniform(&self) -> bool {
        self.sites.is_empty() && self.kinds.is_empty()
    }

    /// Of all readings, where no site and no kind has bounds of its own.
    #[inline]
    #[must_use]
    pub(super) fn uniform(&self) -> Option<ToolBounds> {
        self.is_uniform().then_some(self.tool)
    }

    /// Of the readings of a series.
    #[inline]
    #[must_use]
    pub(super) fn of_series(&mut self, series: u32, table: &SeriesTable, assets: &Assets) -> ToolBounds {
        if self.is_uniform() {
            return self.tool;
        }
        self.follow(table, assets);
        self.series[series as usize].0
    }

    /// Of what a site says beside readings: how far it may be ahead of its arrival.
    #[must_use]
    pub(super) fn ahead_max_ms(&self, site: &str) -> i64 {
        self.tool_of(site, None).ahead_max_ms
    }

    /// A reading of a series is about to be taken in: its bay may have a new tool.
    pub(super) fn meet(&mut self, series: u32, table: &SeriesTable, assets: &Assets, bays: &mut Bays) {
        self.follow(table, assets);
        let known = &mut self.series[series as usize].1;
        if std::mem::replace(known, true) {
            return;
        }
        let (bay, tool) = (table.bay_of()[series as usize], &table.get(series).tool);
        if !self.kinds.is_empty() && !tool.is_empty() {
            self.heard.entry(bay).or_default().insert(tool.clone());
        }
        self.meet_bay(bay, table, assets, bays);
    }

    /// Something of a bay is about to be taken in.
    pub(super) fn meet_bay(&self, bay: u32, table: &SeriesTable, assets: &Assets, bays: &mut Bays) {
        if !self.is_uniform() {
            bays.bind(bay, self.of_bay(bay, table, assets));
        }
    }

    /// An asset has become another.
    pub(super) fn assets_changed(&mut self, table: &SeriesTable, assets: &Assets, bays: &mut Bays) {
        if self.is_uniform() {
            return;
        }
        let met: Vec<bool> = self.series.drain(..).map(|(_, met)| met).collect();
        self.follow(table, assets);
        self.series.iter_mut().zip(met).for_each(|(series, met)| series.1 = met);
        for bay in (0..).take(bays.all().len()) {
            bays.bind(bay, self.of_bay(bay, table, assets));
        }
    }

    /// As it is written to checkpoints.
    pub(super) fn heard(&self) -> &ToolsHeard {
        &self.heard
    }

    /// Goes on from [`Bounds::heard`].
    pub(super) fn restore(
        &mut self,
        heard: ToolsHeard,
        table: &SeriesTable,
        assets: &Assets,
        bays: &mut Bays,
    ) {
        self.heard = if self.kinds.is_empty() { ToolsHeard::new() } else { heard };
        for bay in (0..).take(bays.all().len()) {
            bays.rebind(bay, self.of_bay(bay, table, assets));
        }
    }

    fn follow(&mut self, table: &SeriesTable, assets: &Assets) {
        for names in &table.all()[self.series.len()..] {
            let bounds = self.tool_of(&names.site, assets.kind(&names.site, &names.tool));
            self.series.push((bounds, false));
        }
    }

    fn tool_of(&self, site: &str, kind: Option<&str>) -> ToolBounds {
        let named = [kind.and_then(|kind| self.kinds.get(kind)), self.sites.get(site)];
        let first = |of: fn(&BoundSettings) -> Option<std::time::Duration>| {
            named.iter().flatten().find_map(|bounds| of(bounds)).map(millis)
        };
        ToolBounds {
            horizon_ms: first(|bounds| bounds.correction_horizon).unwrap_or(self.tool.horizon_ms),
            ahead_max_ms: first(|bounds| bounds.clock_bound).unwrap_or(self.tool.ahead_max_ms),
        }
    }

    fn of_bay(&self, bay: u32, table: &SeriesTable, assets: &Assets) -> BayBounds {
        let (site, name) = &table.bays()[bay as usize];
        let of_site = self.sites.get(site);
        let heard = self.heard.get(&bay).into_iter().flatten();
        let kinds: BTreeSet<&str> =
            heard.filter_map(|tool| assets.kind(site, tool)).chain(assets.kinds_on(site, name)).collect();
        let of_kinds: Vec<&BoundSettings> =
            kinds.into_iter().filter_map(|kind| self.kinds.get(kind)).collect();
        let largest = |general_ms: i64, of: fn(&BoundSettings) -> Option<std::time::Duration>| {
            let site_ms = of_site.and_then(of).map_or(general_ms, millis);
            of_kinds.iter().filter_map(|bounds| of(bounds)).map(millis).fold(site_ms, i64::max)
        };
        BayBounds {
            lateness_ms: largest(self.bay.lateness_ms, |bounds| bounds.lateness),
            idle_ms: largest(self.bay.idle_ms, |bounds| bounds.idle),
        }
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
