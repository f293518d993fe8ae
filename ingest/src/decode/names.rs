//! Names to numbers, within bounds: series, bays, units.

use rustc_hash::FxHashMap;

use super::DecodeLimits;
use super::reject::Fault;
use super::spellings::{Spellings, UnitUse};
use crate::config::MetricSettings;
use crate::readings::Reason;
use crate::series::{Series, SeriesTable};
use crate::units::{Conversion, UnitError, Units};

#[derive(Debug)]
pub(super) struct Names {
    pub(super) series: SeriesTable,
    pub(super) units: Units,
    pub(super) spellings: Spellings,
    metric_units: FxHashMap<Box<str>, u16>,
    series_of_site: FxHashMap<Box<str>, usize>,
    limits: DecodeLimits,
}

impl Names {
    pub(super) fn new(
        metrics: &[MetricSettings],
        mut units: Units,
        limits: DecodeLimits,
    ) -> Result<Self, UnitError> {
        let mut metric_units = FxHashMap::default();
        for metric in metrics {
            if let Some(unit) = &metric.unit {
                metric_units.insert(metric.metric.as_str().into(), units.intern(unit)?);
            }
        }
        Ok(Names {
            series: SeriesTable::default(),
            units,
            spellings: Spellings::default(),
            metric_units,
            series_of_site: FxHashMap::default(),
            limits,
        })
    }

    /// In place of what was seen so far.
    pub(super) fn restore(&mut self, series: SeriesTable) {
        self.series_of_site.clear();
        for one in series.all() {
            *self.series_of_site.entry(one.site.clone()).or_default() += 1;
        }
        self.series = series;
    }

    /// Gives the units the numbers that they had.
    pub(super) fn restore_units(&mut self, codes: &[Box<str>]) -> Result<(), UnitError> {
        let named: Vec<(Box<str>, Box<str>)> = self
            .metric_units
            .iter()
            .map(|(metric, number)| (metric.clone(), self.units.code(*number).into()))
            .collect();
        self.units = self.units.emptied();
        for code in codes {
            self.units.intern(code)?;
        }
        for (metric, code) in named {
            let number = self.units.intern(&code)?;
            self.metric_units.insert(metric, number);
        }
        Ok(())
    }

    /// The number of a series; a new one if there is room.
    pub(super) fn series(&mut self, series: Series) -> Result<u32, Fault> {
        if let Some(number) = self.series.find(&series) {
            return Ok(number);
        }
        let of_site = self.series_of_site.get(&series.site).copied().unwrap_or(0);
        if of_site >= self.limits.series_per_site_max {
            let (site, bound) = (&series.site, self.limits.series_per_site_max);
            return Err(too_many(format!(
                "site \"{site}\" has already {bound} series; \"{}\"",
                series.metric
            )));
        }
        if self.series.all().len() >= self.limits.series_max {
            let bound = self.limits.series_max;
            return Err(too_many(format!("there are already {bound} series; \"{}\"", series.metric)));
        }
        self.check_bay(&series.site, &series.bay)?;
        *self.series_of_site.entry(series.site.clone()).or_default() += 1;
        Ok(self.series.intern(series))
    }

    /// Numbers a bay that events name, if there is room.
    pub(super) fn bay(&mut self, site: &str, bay: &str) -> Result<(), Fault> {
        self.check_bay(site, bay)?;
        self.series.intern_bay(site, bay);
        Ok(())
    }

    fn check_bay(&self, site: &str, bay: &str) -> Result<(), Fault> {
        if self.series.bays().len() < self.limits.series_max || self.series.find_bay(site, bay).is_some() {
            return Ok(());
        }
        Err(too_many(format!("there are already {} bays; \"{bay}\"", self.limits.series_max)))
    }

    /// The unit of readings of `metric` that have none; 0 if it is not known.
    pub(super) fn default_unit(&self, metric: &str) -> u16 {
        self.metric_units.get(metric).copied().unwrap_or(0)
    }

    /// What to do with values of a metric in the unit `text`. `default_unit` is the metric's own, or 0.
    pub(super) fn unit(&mut self, metric: &str, default_unit: u16, text: &str) -> Result<UnitUse, Fault> {
        let unknown = |error: UnitError| Fault { reason: Reason::UnknownUnit, detail: error.to_string() };
        if default_unit == 0 {
            let number = self.units.intern(text).map_err(unknown)?;
            return Ok(UnitUse { number, conversion: Conversion::Same });
        }
        // Not interned: only the metric's own unit is kept.
        let Some(code) = self.units.resolve(text) else {
            return Err(unknown(UnitError::Unknown { text: text.to_owned() }));
        };
        let own = self.units.code(default_unit);
        let Some(conversion) = self.units.conversion_of(code, own) else {
            let detail = format!("\"{metric}\" is measured in {own}, and {code} measures something else");
            return Err(Fault { reason: Reason::WrongDimension, detail });
        };
        Ok(UnitUse { number: default_unit, conversion })
    }
}

fn too_many(what: String) -> Fault {
    Fault { reason: Reason::TooManySeries, detail: format!("{what} has no room") }
}
