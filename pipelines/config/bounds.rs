//! Bounds of event time that a site, or a kind of asset, has otherwise than `[engine]` says.

use std::time::Duration;

use super::EngineSettings;
use super::values::Values;

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
