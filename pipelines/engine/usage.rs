//! What each step used: one book per (site, job, step), booked when the step is finished.
//!
//! Amounts come from readings of consumption metrics, joined to their step, and from bookings by hand.
//! A register's rise since the reading before belongs to the step that is active at the later reading; a
//! fall means that the register started again from zero. A booking is final when the bay's watermark has
//! passed the finish; what changes it later gives the next revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::config::{MetricSettings, UsageKind, UsageSettings};
use ingest::series::SeriesTable;
use rustc_hash::FxHashMap;

use super::steps::Run;

/// Names a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct BookKey {
    pub site: Arc<str>,
    pub job: Arc<str>,
    pub step: Arc<str>,
}

/// Amounts of one step, over all its runs.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Book {
    /// Bay of the newest run.
    pub bay: u32,
    pub started_ms: i64,
    /// End of the newest finished run.
    pub ended_ms: Option<i64>,
    pub amounts: BTreeMap<Arc<str>, Amount>,
    /// Revision last emitted, 0 for none.
    pub revision: u32,
    /// Whether that was final.
    pub is_final: bool,
    /// Something has changed since.
    pub is_changed: bool,
}

/// How much of a resource.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Amount {
    pub quantity: f64,
    pub unit: Arc<str>,
    pub readings: u64,
    pub planned: Option<f64>,
}

/// All books, and what is needed to write them.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Usage {
    books: BTreeMap<BookKey, Book>,
    /// By bay: finished books that are changed or not final yet.
    attention: BTreeMap<u32, BTreeSet<BookKey>>,
    /// By series: the register's newest (ts, value).
    registers: FxHashMap<u32, (i64, f64)>,
    #[serde(skip)]
    kinds: Kinds,
}

/// Which series are consumption.
#[derive(Clone, Debug, Default)]
struct Kinds {
    metrics: BTreeMap<String, UsageSettings>,
    by_series: Vec<Option<UsageSettings>>,
}

/// An amount to be written into a book.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub resource: Arc<str>,
    pub quantity: f64,
    pub unit: Arc<str>,
}

impl Usage {
    /// No books yet.
    #[must_use]
    pub(super) fn new(metrics: &[MetricSettings]) -> Self {
        let mut usage = Usage::default();
        usage.set_metrics(metrics);
        usage
    }

    /// Tells which metrics are consumption: after a restore too.
    pub(super) fn set_metrics(&mut self, metrics: &[MetricSettings]) {
        let consumption =
            metrics.iter().filter_map(|metric| Some((metric.metric.clone(), metric.usage.clone()?)));
        self.kinds = Kinds { metrics: consumption.collect(), by_series: Vec::new() };
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        for series in &table.all()[self.kinds.by_series.len()..] {
            self.kinds.by_series.push(self.kinds.metrics.get(series.metric.as_ref()).cloned());
        }
    }

    /// Whether readings of `series` are consumption.
    #[inline]
    #[must_use]
    pub(super) fn is_consumption(&self, series: u32) -> bool {
        self.kinds.by_series.get(series as usize).is_some_and(Option::is_some)
    }

    /// What a reading of a consumption metric says was used; `None` for the first of a register, and for
    /// one older than the register's newest. Readings of a register must come in event time.
    pub(super) fn measure(
        &mut self,
        series: u32,
        ts_ms: i64,
        value: f64,
        unit: &str,
        tags: Option<&str>,
    ) -> Option<Use> {
        let settings = self.kinds.by_series.get(series as usize)?.as_ref()?;
        let quantity = match settings.kind {
            UsageKind::Amount => value,
            UsageKind::Counter => {
                let before = self.registers.get(&series).copied();
                if before.is_some_and(|(before_ms, _)| ts_ms < before_ms) {
                    return None;
                }
                self.registers.insert(series, (ts_ms, value));
                let (_, before) = before?;
                if value >= before { value - before } else { value }
            }
        };
        Some(Use {
            resource: super::tags::fill(&settings.resource, tags).into(),
            quantity,
            unit: unit.into(),
        })
    }

    /// Writes a use into the book of `run`.
    pub(super) fn write(&mut self, site: &Arc<str>, bay: u32, run: &Run, used: Use) {
        let key = BookKey { site: Arc::clone(site), job: Arc::clone(&run.job), step: Arc::clone(&run.step) };
        let book = self.books.entry(key.clone()).or_insert_with(|| Book::new(bay, run.started_ms));
        let planned = run.plan.as_ref().and_then(|plan| {
            plan.resources
                .iter()
                .find(|planned| *planned.resource == *used.resource)
                .map(|planned| planned.quantity)
        });
        let amount = book
            .amounts
            .entry(used.resource)
            .or_insert_with(|| Amount { unit: used.unit, ..Amount::default() });
        amount.quantity += used.quantity;
        amount.readings += 1;
        amount.planned = planned.or(amount.planned);
        book.is_changed = true;
        if book.ended_ms.is_some() {
            self.attention.entry(book.bay).or_default().insert(key);
        }
    }

    /// A run of the step has been finished: its book is due.
    pub(super) fn finish(&mut self, site: &Arc<str>, bay: u32, run: &Run, ended_ms: i64) {
        let key = BookKey { site: Arc::clone(site), job: Arc::clone(&run.job), step: Arc::clone(&run.step) };
        let book = self.books.entry(key.clone()).or_insert_with(|| Book::new(bay, run.started_ms));
        book.bay = bay;
        book.started_ms = book.started_ms.min(run.started_ms);
        book.ended_ms = Some(book.ended_ms.map_or(ended_ms, |known_ms| known_ms.max(ended_ms)));
        book.is_changed = true;
        self.attention.entry(bay).or_default().insert(key);
    }

    /// Books of `bay` that have something new to say: finished, and either changed or become final.
    /// `passed_ms` is the bay's frontier: what ended before it is final.
    pub(super) fn due(&mut self, bay: u32, passed_ms: i64) -> Vec<(BookKey, Book)> {
        let mut due = Vec::new();
        let Some(attention) = self.attention.get_mut(&bay) else { return due };
        attention.retain(|key| {
            let Some(book) = self.books.get_mut(key).filter(|book| book.bay == bay) else { return false };
            let Some(ended_ms) = book.ended_ms else { return false };
            let is_final = ended_ms < passed_ms;
            if book.is_changed || is_final {
                book.revision += 1;
                book.is_final = is_final;
                book.is_changed = false;
                due.push((key.clone(), book.clone()));
            }
            !is_final
        });
        due
    }

    /// Forgets final books that ended before what `before_ms` says of their bay.
    pub(super) fn forget(&mut self, before_ms: impl Fn(u32) -> i64) {
        let old = |book: &Book| {
            book.is_final && book.ended_ms.is_some_and(|ended_ms| ended_ms < before_ms(book.bay))
        };
        self.books.retain(|_, book| !old(book));
        self.attention.retain(|_, keys| !keys.is_empty());
    }

    /// All books, by name.
    #[must_use]
    pub(super) fn books(&self) -> &BTreeMap<BookKey, Book> {
        &self.books
    }

    /// Newest reading of each register, by series number.
    pub(super) fn registers(&self) -> &FxHashMap<u32, (i64, f64)> {
        &self.registers
    }
}

impl Book {
    fn new(bay: u32, started_ms: i64) -> Self {
        Book {
            bay,
            started_ms,
            ended_ms: None,
            amounts: BTreeMap::new(),
            revision: 0,
            is_final: false,
            is_changed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::series::Series;

    fn usage() -> Usage {
        let metric = |metric: &str, resource: &str, kind| MetricSettings {
            metric: metric.into(),
            unit: None,
            usage: Some(UsageSettings { resource: resource.into(), kind }),
        };
        let mut usage = Usage::new(&[
            metric("energy", "electricity", UsageKind::Counter),
            metric("dispensed", "{grade}", UsageKind::Amount),
        ]);
        let mut table = SeriesTable::default();
        for metric in ["energy", "dispensed", "torque"] {
            let name = |name: &str| Box::from(name);
            table.intern(Series {
                site: name("lyon"),
                bay: name("bay-01"),
                tool: name("meter"),
                metric: name(metric),
            });
        }
        usage.follow(&table);
        usage
    }

    #[test]
    fn a_register_counts_its_rises_and_starts_again_after_a_fall() {
        let mut usage = usage();
        let mut rise = |ts_ms, value| usage.measure(0, ts_ms, value, "kW.h", None).map(|used| used.quantity);
        assert_eq!(rise(0, 100.0), None, "the first reading is where counting starts");
        assert_eq!(rise(1, 100.5), Some(0.5));
        assert_eq!(rise(2, 2.0), Some(2.0));
        assert_eq!(rise(1, 1.0), None, "an older reading adds nothing: the newer one held it already");
    }

    #[test]
    fn a_shot_of_oil_is_an_amount_of_its_grade() {
        let mut usage = usage();
        let used = usage.measure(1, 0, 4.2, "L", Some(r#"{"grade":"oil_5w30"}"#)).expect("an amount");
        assert_eq!((&*used.resource, used.quantity), ("oil_5w30", 4.2));
        assert!(!usage.is_consumption(2));
    }
}
