//! What books have to say: amounts and checks that are new, and rows of the ledger.

use std::sync::Arc;

use super::super::ledger::Posting;
use super::Usage;
use super::book::{Book, BookKey};
use super::checks::Check;
use crate::config::{BillingSettings, BySite};
use crate::functions::Measured;

/// What a book has to say.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub key: BookKey,
    /// With the amounts that have something new to say alone.
    pub book: Book,
    pub checks: Vec<Check>,
    /// All that was measured of what is expected, where something of it is new.
    pub measured: Vec<Measured>,
    /// Rows of the ledger.
    pub postings: Vec<Posting>,
}

impl Due {
    /// Whether the amounts or checks say something, and not the ledger alone.
    pub(crate) fn says_amounts_or_checks(&self) -> bool {
        !(self.book.amounts.is_empty() && self.checks.is_empty())
    }
}

impl Usage {
    /// Books of `bay` that have something new to say, each with the amounts and checks that do: finished, and either
    /// changed or become final. `passed_ms` is the bay's frontier: what ended before it is final. `billing` says which
    /// quantities are held at which site.
    pub(in crate::engine) fn due(
        &mut self,
        bay: u32,
        passed_ms: i64,
        billing: &BySite<BillingSettings>,
    ) -> Vec<Due> {
        let mut due = Vec::new();
        let Some(attention) = self.attention.get_mut(&bay) else { return due };
        attention.retain(|key| {
            let Some(book) = self.books.get_mut(key).filter(|book| book.bay == bay) else { return false };
            let Some(ended_ms) = book.ended_ms.filter(|_| !book.is_open) else { return false };
            let is_final = ended_ms < passed_ms;
            let all = book.is_changed || is_final != book.is_final;
            book.is_final = is_final;
            book.is_changed = false;
            let checks = book.checks.due(all, self.kinds.units());
            let postings = book.postings(key, all, billing.of(&key.site));
            let mut told = book.heading();
            for (resource, amount) in &mut book.amounts {
                if all || amount.is_changed {
                    amount.revision += 1;
                    amount.is_changed = false;
                    told.amounts.insert(Arc::clone(resource), amount.heading());
                }
            }
            if !(told.amounts.is_empty() && checks.is_empty() && postings.is_empty()) {
                let measured = if checks.is_empty() { Vec::new() } else { book.checks.measured() };
                due.push(Due { key: key.clone(), book: told, checks, measured, postings });
            }
            !is_final
        });
        due
    }

    /// A person has taken what a step used of a resource as it is: its bay has something to say at the next tick.
    pub(in crate::engine) fn accept(
        &mut self,
        (site, job): (&str, &str),
        (step, resource): (&str, &str),
        quantity: f64,
    ) {
        let key = BookKey { site: site.into(), job: job.into(), step: step.into() };
        let Some(book) = self.books.get_mut(&key) else { return };
        let Some(amount) = book.amounts.get_mut(resource) else { return };
        amount.accepted = Some(quantity);
        self.amended.insert(book.bay);
        self.attention.entry(book.bay).or_default().insert(key);
    }
}

impl Book {
    /// Lots that have something new to say, or all. `billing` says which quantities are held; what a person has taken as it is
    /// is not.
    fn postings(&mut self, key: &BookKey, all: bool, billing: &BillingSettings) -> Vec<Posting> {
        let (started_ms, is_final) = (self.started_ms, self.is_final);
        let ended_ms = self.ended_ms.unwrap_or(started_ms);
        let mut postings = Vec::new();
        for (resource, amount) in &mut self.amounts {
            let is_held = amount.accepted != Some(amount.quantity)
                && billing.holds_quantity(resource, amount.quantity, amount.planned);
            let told = amount.lots.tell(|entry| entry.tell(all, is_final, is_held));
            postings.extend(told.map(|(lot, entry)| Posting {
                job_and_step: Some((key.job.clone(), key.step.clone())),
                started_ms,
                ended_ms,
                resource: resource.clone(),
                unit: amount.unit.clone(),
                lot,
                entry,
            }));
        }
        postings
    }
}
