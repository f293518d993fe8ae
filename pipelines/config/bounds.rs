//! Bounds of event time that a site, or a kind of asset, has otherwise than `[engine]` says.

use std::time::Duration;

use super::EngineSettings;
use super::kind::Kind;
use super::setting::Fallback::Absent;
use super::setting::{Setting, duration, key, set};
use super::values::Values;

/// `[engine.sites.NAME]` and `[engine.kinds.NAME]`: what a site, or a kind of asset, has otherwise.
static BOUNDS: &[Setting] = &[
    key("lateness", duration("0s", "1d"), Absent("\"2min\"")),
    key("correction_horizon", duration("0s", "7d"), Absent("\"1h\"")),
    key("clock_bound", duration("1s", "1d"), Absent("\"2min\"")),
    key("idle", duration("1s", "1d"), Absent("\"2min\"")),
];

/// `[engine.sites]`.
pub(super) const SITES: Setting = set(
    "engine.sites",
    Kind::Tables(BOUNDS),
    Absent("lyon\nlateness = \"2min\""),
    "What a site has otherwise: lateness, correction_horizon, clock_bound and idle are possible.",
);

/// `[engine.kinds]`.
pub(super) const KINDS: Setting = set(
    "engine.kinds",
    Kind::Tables(BOUNDS),
    Absent("torque_tool\nlateness = \"5min\"\ncorrection_horizon = \"1h\""),
    "The same for a kind of asset, as `kind` in assets.toml or on workshop/{site}/assets names it. Of a reading's \
     clock_bound and correction_horizon its tool's kind decides, else its site, else [engine]. A bay waits for the \
     slowest on it: its lateness and idle are the largest of its site's and of the kinds of its tools, which are \
     those that name it as their bay and those that it has heard of.",
);

/// `[engine.sites.NAME]`, `[engine.kinds.NAME]`: what is not set is as everywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundSettings {
    pub lateness: Option<Duration>,
    pub correction_horizon: Option<Duration>,
    pub clock_bound: Option<Duration>,
    pub idle: Option<Duration>,
}

impl EngineSettings {
    /// The longest lateness that any site or kind has.
    #[must_use]
    pub fn longest_lateness(&self) -> Duration {
        self.longest(self.lateness, |bounds| bounds.lateness)
    }

    /// The longest correction horizon that any site or kind has: state is kept for so long.
    #[must_use]
    pub fn longest_horizon(&self) -> Duration {
        self.longest(self.correction_horizon, |bounds| bounds.correction_horizon)
    }

    /// The longest clock bound that any site or kind has.
    #[must_use]
    pub fn longest_clock_bound(&self) -> Duration {
        self.longest(self.clock_bound, |bounds| bounds.clock_bound)
    }

    fn longest(&self, general: Duration, of: impl Fn(&BoundSettings) -> Option<Duration>) -> Duration {
        let all = self.sites.iter().chain(&self.kinds);
        all.filter_map(|(_, bounds)| of(bounds)).fold(general, Duration::max)
    }
}

/// The tables at `path`.
pub(super) fn read(values: &Values, path: &str) -> Vec<(String, BoundSettings)> {
    let bounds = |values: &Values| BoundSettings {
        lateness: values.duration("lateness"),
        correction_horizon: values.duration("correction_horizon"),
        clock_bound: values.duration("clock_bound"),
        idle: values.duration("idle"),
    };
    values.tables(path).iter().map(|(name, values)| (name.clone(), bounds(values))).collect()
}
