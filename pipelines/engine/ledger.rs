//! The ledger: what was used, row by row, of which lot, by whom, and what says so.
//!
//! A row is of a step, a resource and a lot (none where nobody named one): its lots beside each amount in the books of
//! [`usage`](super::usage), told with them and as final as they are. With one lot a row's quantity is the amount's to the
//! bit, for both are added up in the same order; with several their sum is. What no step accounts for has rows without job
//! and step, of a bay, a resource, a lot and a day ([`Unassigned`]), told with the day's balances: what a bay's meters
//! measured in a day is what its rows say, those of steps and those of the day.
//!
//! | state     | means                                                                                           |
//! |-----------|-------------------------------------------------------------------------------------------------|
//! | `held`    | not final; or the step used more or less than planned, so that billing holds its line           |
//! | `amended` | final, and something of it came after the step or the day had been final                        |
//! | `posted`  | final as it is                                                                                  |
//!
//! Bounds: a step and resource, or a bay, resource and day, has [`LOTS_MAX`] lots with names, what comes of further ones goes
//! under [`FURTHER_LOTS`]; a row names the first and last [`MESSAGES_END`] messages that it was made of. Days are as many as
//! balances are kept: a reading that is in none of these (`balances_missed`) is in no row either.

mod entry;
mod unassigned;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::entry::{Entry, Meter};
pub(super) use self::unassigned::{Day, Unassigned};

/// Lots of a step and resource that have rows of their own.
const LOTS_MAX: usize = 16;
/// The lot of all others.
const FURTHER_LOTS: &str = "(further lots)";
/// Messages that a row names at either end.
const MESSAGES_END: usize = 8;

/// What a use is made of.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub lot: Option<Arc<str>>,
    pub ts_ms: i64,
    /// Ordinal of its message.
    pub message: u64,
    /// Of a register.
    pub rise: Option<Rise>,
}

/// How far a register has gone on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rise {
    pub series: u32,
    pub from: f64,
    pub to: f64,
}

/// A resource by its lots.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Lots(BTreeMap<Option<Arc<str>>, Entry>);

/// A row of the ledger.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    /// None of what no step accounts for.
    pub job_and_step: Option<(Arc<str>, Arc<str>)>,
    /// Begin and end of the step, or of the day.
    pub started_ms: i64,
    pub ended_ms: i64,
    pub resource: Arc<str>,
    pub unit: Arc<str>,
    pub lot: Option<Arc<str>>,
    pub entry: Entry,
}

impl Lots {
    /// Adds a use; `is_final`: what was told before of its step or day was for good.
    pub(super) fn add(&mut self, quantity: f64, origin: &Origin, is_final: bool) {
        let entry = match &origin.lot {
            Some(_) if !self.0.contains_key(&origin.lot) && self.named() >= LOTS_MAX => {
                self.0.entry(Some(FURTHER_LOTS.into()))
            }
            lot => self.0.entry(lot.clone()),
        };
        entry.or_default().add(quantity, origin, is_final);
    }

    /// Adds what was used before a ledger was kept: of no lot, and nobody knows by which messages.
    pub(super) fn add_of_before(&mut self, quantity: f64, readings: u64, span_ms: (i64, i64)) {
        self.0.entry(None).or_default().add_of_before(quantity, readings, span_ms);
    }

    fn named(&self) -> usize {
        self.0.keys().flatten().filter(|lot| &***lot != FURTHER_LOTS).count()
    }

    /// Each lot with what is told of it; none of those for which `tell` gives none.
    pub(super) fn tell(
        &mut self,
        mut tell: impl FnMut(&mut Entry) -> Option<Entry>,
    ) -> impl Iterator<Item = (Option<Arc<str>>, Entry)> {
        self.0.iter_mut().filter_map(move |(lot, entry)| Some((lot.clone(), tell(entry)?)))
    }

    /// Whether something of it has not been told.
    #[must_use]
    pub(super) fn is_changed(&self) -> bool {
        self.0.values().any(Entry::is_changed)
    }

    /// By name; what differs between two engines can be seen in it.
    pub(super) fn state(&self, series_name: impl Fn(u32) -> String) -> String {
        let of = |(lot, entry): (&Option<Arc<str>>, &Entry)| format!("{lot:?} {}", entry.state(&series_name));
        self.0.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
