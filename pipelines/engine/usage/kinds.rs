//! Which series are of meters, dispensers and tanks, and in which units metrics are.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::config::{MetricSettings, UsageSettings};
use ingest::series::SeriesTable;

/// What the configuration says of metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds {
    units: BTreeMap<String, Arc<str>>,
    metrics: BTreeMap<String, UsageSettings>,
    by_series: Vec<Option<UsageSettings>>,
    /// The same as one byte a series: it is asked for each reading.
    is_metered: Vec<bool>,
}

impl Kinds {
    pub(super) fn new(metrics: &[MetricSettings]) -> Self {
        let units =
            metrics.iter().filter_map(|metric| Some((metric.metric.clone(), metric.unit.as_deref()?.into())));
        let consumption =
            metrics.iter().filter_map(|metric| Some((metric.metric.clone(), metric.usage.clone()?)));
        Kinds { units: units.collect(), metrics: consumption.collect(), ..Kinds::default() }
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        for series in &table.all()[self.by_series.len()..] {
            let settings = self.metrics.get(series.metric.as_ref()).cloned();
            self.is_metered.push(settings.is_some());
            self.by_series.push(settings);
        }
    }

    #[inline]
    #[must_use]
    pub(super) fn is_metered(&self, series: u32) -> bool {
        self.is_metered.get(series as usize) == Some(&true)
    }

    /// How readings of a series become quantities; none if they are of no meter.
    #[must_use]
    pub(super) fn usage_of(&self, series: u32) -> Option<&UsageSettings> {
        self.by_series.get(series as usize)?.as_ref()
    }

    /// By metric.
    #[must_use]
    pub(super) fn units(&self) -> &BTreeMap<String, Arc<str>> {
        &self.units
    }
}
