//! What each step used, and measured of what its job card expects: one book per (site, job, step), booked when the
//! step is finished.
//!
//! Amounts come from readings of consumption metrics, joined to their step, and from bookings by hand.
//! A register's rise since the reading before belongs to the step that is active at the later reading; a
//! fall means that the register was set back, or is another one, and is nobody's consumption. A booking is final when the bay's watermark has
//! passed the finish; what changes it later gives the next revision of the amounts and checks that have changed.
//! Rework adds to the book of its step, which is due again when that is finished.

mod book;
mod checks;
mod due;
mod kept;
mod kinds;
mod metered;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::config::{MetricSettings, UsageKind, UsageSettings};
use ingest::readings::{JobCard, PlannedStep};
use ingest::series::SeriesTable;
use ingest::units::Units;
use rustc_hash::FxHashMap;

pub(crate) use self::book::converted;
pub(super) use self::book::{Amount, Book, BookKey, Use};
pub(super) use self::checks::{Check, Subject};
pub(super) use self::due::Due;
pub(super) use self::kept::KeptLots;
use self::kinds::Kinds;
pub(super) use self::metered::Metered;
use super::steps::Run;

/// Books that are kept so that rework adds to them; beyond it the final ones that ended first are forgotten.
const BOOKS_MAX: usize = 20_000;

/// All books, and what is needed to write them.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Usage {
    books: BTreeMap<BookKey, Book>,
    /// By bay: finished books that are changed or not final yet.
    attention: BTreeMap<u32, BTreeSet<BookKey>>,
    /// Bays of which a later card or a person has changed a book: they have something to say though no time has passed.
    amended: BTreeSet<u32>,
    /// By series: the register's newest (ts, value).
    registers: FxHashMap<u32, (i64, f64)>,
    #[serde(skip)]
    kinds: Kinds,
    /// No book ended before it; not known after a checkpoint.
    #[serde(skip)]
    ended_from_ms: Option<i64>,
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
        self.kinds = Kinds::new(metrics);
    }

    /// Takes in what is new in `table`.
    pub(super) fn follow(&mut self, table: &SeriesTable) {
        self.kinds.follow(table);
    }

    /// Whether readings of `series` are of a meter, a dispenser or a tank.
    #[inline]
    #[must_use]
    pub(super) fn is_metered(&self, series: u32) -> bool {
        self.kinds.is_metered(series)
    }

    /// The resource that a reading of a consumption metric is booked to, where its tags choose it: the air that a bay
    /// uses is measured in litres as well, and is never of the wrong grade.
    #[must_use]
    pub(super) fn resource_of(&self, series: u32, tags: Option<&str>) -> Option<String> {
        let is_chosen =
            |settings: &&UsageSettings| settings.resource.contains('{') && settings.kind != UsageKind::Level;
        let settings = self.kinds.usage_of(series).filter(is_chosen)?;
        Some(super::tags::fill(&settings.resource, tags))
    }

    /// The resource of which a reading is an amount that was used.
    #[must_use]
    pub(super) fn amount_of(&self, series: u32, tags: Option<&str>) -> Option<String> {
        let settings = self.kinds.usage_of(series).filter(|settings| settings.kind == UsageKind::Amount)?;
        Some(super::tags::fill(&settings.resource, tags))
    }

    /// Whether readings of a series are amounts that were used.
    #[must_use]
    pub(super) fn is_amount(&self, series: u32) -> bool {
        self.kinds.usage_of(series).is_some_and(|settings| settings.kind == UsageKind::Amount)
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
        used: &Use,
        units: &Units,
    ) -> Result<(), Arc<str>> {
        let planned = run.plan.as_ref().and_then(|plan| {
            let planned = plan.resources.iter().find(|planned| *planned.resource == *used.resource)?;
            Some((planned.quantity, planned.unit.as_deref().unwrap_or_default()))
        });
        let (key, book) = self.book_of(site, bay, run);
        book.add(used, planned, units)?;
        self.attend(key, run);
        Ok(())
    }

    /// Writes a reading of a metric that `run` expects into its book.
    pub(super) fn check(
        &mut self,
        site: &Arc<str>,
        bay: u32,
        run: &Run,
        subject: Subject,
        (value, unit): (f64, &str),
    ) {
        let (key, book) = self.book_of(site, bay, run);
        // Of a run that is booked already the book may know a newer card.
        let plan = run.plan.as_ref().filter(|_| !book.has_finish_of(run));
        book.checks.add(subject, value, unit, plan.map(|plan| plan.expect.as_slice()));
        self.attend(key, run);
    }

    /// The book of `run`'s step, made when new.
    fn book_of(&mut self, site: &Arc<str>, bay: u32, run: &Run) -> (BookKey, &mut Book) {
        let key = BookKey { site: Arc::clone(site), job: Arc::clone(&run.job), step: Arc::clone(&run.step) };
        let book = self.books.entry(key.clone()).or_insert_with(|| Book::new(bay, run.started_ms));
        (key, book)
    }

    /// What `run` did has been written into its book.
    fn attend(&mut self, key: BookKey, run: &Run) {
        let Some(book) = self.books.get_mut(&key) else { return };
        // What an earlier run did is known; more comes with the run that has begun since.
        let is_booked = book.has_finish_of(run);
        book.is_open |= !is_booked;
        if is_booked {
            self.attention.entry(book.bay).or_default().insert(key);
        }
    }

    /// Writes a use into the newest book of `job` (of its `step`, if named) whose run is not remembered any more. Gives
    /// the book's bay; none if there is no such book.
    ///
    /// # Errors
    /// As [`Usage::write`].
    pub(super) fn write_late(
        &mut self,
        site: &str,
        job: &str,
        step: Option<&str>,
        used: &Use,
        units: &Units,
    ) -> Result<Option<u32>, Arc<str>> {
        let from = BookKey { site: site.into(), job: job.into(), step: "".into() };
        let of_job = self.books.range(from..).take_while(|(key, _)| *key.site == *site && *key.job == *job);
        let fits = of_job
            .filter(|(key, book)| book.ended_ms.is_some() && step.is_none_or(|step| step == &*key.step));
        let Some(key) = fits.max_by_key(|(_, book)| book.ended_ms).map(|(key, _)| key.clone()) else {
            return Ok(None);
        };
        let Some(book) = self.books.get_mut(&key) else { return Ok(None) };
        book.add(used, None, units)?;
        let bay = book.bay;
        self.attention.entry(bay).or_default().insert(key);
        Ok(Some(bay))
    }

    /// A run of the step has been finished: its book is due. `plan` is the word of the newest card.
    pub(super) fn finish(
        &mut self,
        site: &Arc<str>,
        bay: u32,
        run: &Run,
        plan: Option<&PlannedStep>,
        ended_ms: i64,
    ) {
        let (key, book) = self.book_of(site, bay, run);
        book.checks.end_run(run);
        book.take_plan(plan);
        book.technician.clone_from(&run.technician);
        book.bay = bay;
        book.is_open = false;
        book.started_ms = book.started_ms.min(run.started_ms);
        book.ended_ms = Some(book.ended_ms.map_or(ended_ms, |known_ms| known_ms.max(ended_ms)));
        book.is_changed = true;
        let book_ended_ms = book.ended_ms;
        self.ended_from_ms = self.ended_from_ms.min(book_ended_ms);
        self.attention.entry(bay).or_default().insert(key);
    }

    /// A job card has come: steps that are booked are held against it anew.
    pub(super) fn take_card(&mut self, site: &str, card: &JobCard) {
        let from = BookKey { site: site.into(), job: card.job.as_str().into(), step: "".into() };
        let of_job = self.books.range_mut(from.clone()..);
        let of_job = of_job.take_while(|(key, _)| key.site == from.site && key.job == from.job);
        for (key, book) in of_job.filter(|(_, book)| book.ended_ms.is_some()) {
            if book.take_plan(card.steps.iter().find(|planned| *planned.step == *key.step)) {
                self.attention.entry(book.bay).or_default().insert(key.clone());
                self.amended.insert(book.bay);
            }
        }
    }

    /// Bays of which cards or people have changed a book since it was asked last.
    pub(super) fn take_amended(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.amended)
    }

    /// Forgets final books that ended before what `before_ms` says of their bay, and beyond [`BOOKS_MAX`] those that
    /// ended first: rework of their steps would begin a new book.
    pub(super) fn forget(&mut self, bays: usize, before_ms: impl Fn(u32) -> i64) {
        self.forget_beyond(BOOKS_MAX, bays, before_ms);
    }

    fn forget_beyond(&mut self, books_max: usize, bays: usize, before_ms: impl Fn(u32) -> i64) {
        self.attention.retain(|_, keys| !keys.is_empty());
        // Mostly nothing is so old, and not each book has to be looked at for that.
        let latest_ms = (0..).zip(0..bays).map(|(bay, _)| before_ms(bay)).max();
        if self.books.len() <= books_max && self.ended_from_ms.is_some() && latest_ms <= self.ended_from_ms {
            return;
        }
        let final_end = |book: &Book| book.ended_ms.filter(|_| book.is_final && !book.is_changed);
        self.books.retain(|_, book| final_end(book).is_none_or(|ended_ms| ended_ms >= before_ms(book.bay)));
        self.ended_from_ms = self.books.values().filter_map(|book| book.ended_ms).min().or(Some(i64::MAX));
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
