//! What each step used: one book per (site, job, step), booked when the step is finished.
//!
//! Amounts come from readings of consumption metrics, joined to their step, and from bookings by hand.
//! A register's rise since the reading before belongs to the step that is active at the later reading; a
//! fall means that the register started again from zero. A booking is final when the bay's watermark has
//! passed the finish; what changes it later gives the next revision of the amounts that have changed. Rework
//! adds to the book of its step, which is due again when that is finished.

mod book;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::config::{MetricSettings, UsageKind, UsageSettings};
use ingest::series::SeriesTable;
use ingest::units::Units;
use rustc_hash::FxHashMap;

pub(super) use self::book::{Amount, Book, BookKey, Use};
use super::steps::Run;

/// Books that are kept so that rework adds to them; beyond it the final ones that ended first are forgotten.
const BOOKS_MAX: usize = 20_000;

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
    /// The same as one byte a series: it is asked for each reading.
    is_consumption: Vec<bool>,
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
        self.kinds = Kinds { metrics: consumption.collect(), ..Kinds::default() };
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        for series in &table.all()[self.kinds.by_series.len()..] {
            let settings = self.kinds.metrics.get(series.metric.as_ref()).cloned();
            self.kinds.is_consumption.push(settings.is_some());
            self.kinds.by_series.push(settings);
        }
    }

    /// Whether readings of `series` are consumption.
    #[inline]
    #[must_use]
    pub(super) fn is_consumption(&self, series: u32) -> bool {
        self.kinds.is_consumption.get(series as usize) == Some(&true)
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
    ///
    /// # Errors
    /// The unit in which the resource is booked, if the use's own measures something else. Nothing is written then.
    pub(super) fn write(
        &mut self,
        site: &Arc<str>,
        bay: u32,
        run: &Run,
        used: Use,
        units: &Units,
    ) -> Result<(), Arc<str>> {
        let key = BookKey { site: Arc::clone(site), job: Arc::clone(&run.job), step: Arc::clone(&run.step) };
        let planned = run.plan.as_ref().and_then(|plan| {
            let planned = plan.resources.iter().find(|planned| *planned.resource == *used.resource)?;
            Some((planned.quantity, planned.unit.as_deref().unwrap_or_default()))
        });
        let book = self.books.entry(key.clone()).or_insert_with(|| Book::new(bay, run.started_ms));
        book.add(used, planned, units)?;
        // What an earlier run used is known; more comes with the run that has begun since.
        let is_booked =
            run.ended_ms.is_some_and(|ended_ms| book.ended_ms.is_some_and(|known_ms| ended_ms <= known_ms));
        book.is_open |= !is_booked;
        if is_booked {
            self.attention.entry(book.bay).or_default().insert(key);
        }
        Ok(())
    }

    /// Writes a use into the newest book of `job` (of its `step`, if named) whose run is not remembered any more. Gives
    /// the book's bay, or the use back if there is no such book.
    ///
    /// # Errors
    /// As [`Usage::write`].
    pub(super) fn write_late(
        &mut self,
        site: &str,
        job: &str,
        step: Option<&str>,
        used: Use,
        units: &Units,
    ) -> Result<Result<u32, Use>, Arc<str>> {
        let from = BookKey { site: site.into(), job: job.into(), step: "".into() };
        let of_job = self.books.range(from..).take_while(|(key, _)| *key.site == *site && *key.job == *job);
        let fits = of_job
            .filter(|(key, book)| book.ended_ms.is_some() && step.is_none_or(|step| step == &*key.step));
        let Some(key) = fits.max_by_key(|(_, book)| book.ended_ms).map(|(key, _)| key.clone()) else {
            return Ok(Err(used));
        };
        let Some(book) = self.books.get_mut(&key) else { return Ok(Err(used)) };
        book.add(used, None, units)?;
        let bay = book.bay;
        self.attention.entry(bay).or_default().insert(key);
        Ok(Ok(bay))
    }

    /// A run of the step has been finished: its book is due.
    pub(super) fn finish(&mut self, site: &Arc<str>, bay: u32, run: &Run, ended_ms: i64) {
        let key = BookKey { site: Arc::clone(site), job: Arc::clone(&run.job), step: Arc::clone(&run.step) };
        let book = self.books.entry(key.clone()).or_insert_with(|| Book::new(bay, run.started_ms));
        book.bay = bay;
        book.is_open = false;
        book.started_ms = book.started_ms.min(run.started_ms);
        book.ended_ms = Some(book.ended_ms.map_or(ended_ms, |known_ms| known_ms.max(ended_ms)));
        book.is_changed = true;
        self.attention.entry(bay).or_default().insert(key);
    }

    /// Books of `bay` that have something new to say, each with the amounts that do: finished, and either changed or
    /// become final. `passed_ms` is the bay's frontier: what ended before it is final.
    pub(super) fn due(&mut self, bay: u32, passed_ms: i64) -> Vec<(BookKey, Book)> {
        let mut due = Vec::new();
        let Some(attention) = self.attention.get_mut(&bay) else { return due };
        attention.retain(|key| {
            let Some(book) = self.books.get_mut(key).filter(|book| book.bay == bay) else { return false };
            let Some(ended_ms) = book.ended_ms.filter(|_| !book.is_open) else { return false };
            let is_final = ended_ms < passed_ms;
            let all = book.is_changed || is_final != book.is_final;
            book.is_final = is_final;
            book.is_changed = false;
            let mut told = book.clone();
            told.amounts.clear();
            for (resource, amount) in &mut book.amounts {
                if all || amount.is_changed {
                    amount.revision += 1;
                    amount.is_changed = false;
                    told.amounts.insert(Arc::clone(resource), amount.clone());
                }
            }
            if !told.amounts.is_empty() {
                due.push((key.clone(), told));
            }
            !is_final
        });
        due
    }

    /// Forgets final books that ended before what `before_ms` says of their bay, and beyond [`BOOKS_MAX`] those that
    /// ended first: rework of their steps would begin a new book.
    pub(super) fn forget(&mut self, before_ms: impl Fn(u32) -> i64) {
        self.forget_beyond(BOOKS_MAX, before_ms);
    }

    fn forget_beyond(&mut self, books_max: usize, before_ms: impl Fn(u32) -> i64) {
        let final_end = |book: &Book| book.ended_ms.filter(|_| book.is_final && !book.is_changed);
        self.books.retain(|_, book| final_end(book).is_none_or(|ended_ms| ended_ms >= before_ms(book.bay)));
        self.attention.retain(|_, keys| !keys.is_empty());
        if self.books.len() <= books_max {
            return;
        }
        let ended = self.books.iter().filter_map(|(key, book)| Some((final_end(book)?, key.clone())));
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        for (_, key) in ended.into_iter().take(self.books.len() - books_max) {
            self.books.remove(&key);
        }
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

#[cfg(test)]
mod tests;
