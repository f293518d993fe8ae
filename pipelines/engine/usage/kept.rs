//! The lots of all amounts in a checkpoint: a part of its own, which earlier versions lack.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::ledger::Lots;
use super::Usage;
use super::book::BookKey;

/// What the ledger keeps of an amount.
#[derive(serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct KeptLots<'a> {
    key: Cow<'a, BookKey>,
    resource: Arc<str>,
    lots: Cow<'a, Lots>,
    accepted: Option<f64>,
}

impl Usage {
    /// By book and resource.
    pub(in crate::engine) fn lots(&self) -> impl Iterator<Item = KeptLots<'_>> {
        self.books.iter().flat_map(|(key, book)| {
            book.amounts.iter().map(move |(resource, amount)| KeptLots {
                key: Cow::Borrowed(key),
                resource: resource.clone(),
                lots: Cow::Borrowed(&amount.lots),
                accepted: amount.accepted,
            })
        })
    }

    /// After a restore of the books.
    pub(in crate::engine) fn set_lots(&mut self, kept: Vec<KeptLots<'_>>) {
        for KeptLots { key, resource, lots, accepted } in kept {
            let book = self.books.get_mut(&*key);
            let Some(amount) = book.and_then(|book| book.amounts.get_mut(&resource)) else { continue };
            (amount.lots, amount.accepted) = (lots.into_owned(), accepted);
        }
    }

    /// The same where no ledger was kept: what is booked is of no lot. It is told when its step has something to say.
    pub(in crate::engine) fn set_lots_of_before(&mut self) {
        for book in self.books.values_mut() {
            let span_ms = (book.started_ms, book.ended_ms.unwrap_or(book.started_ms));
            for amount in book.amounts.values_mut() {
                amount.lots.add_of_before(amount.quantity, amount.readings, span_ms);
            }
        }
    }
}
