//! What one step used.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::units::Units;

/// Names a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct BookKey {
    pub site: Arc<str>,
    pub job: Arc<str>,
    pub step: Arc<str>,
}

/// Amounts of one step, over all its runs.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Book {
    /// Bay of the newest run.
    pub bay: u32,
    pub started_ms: i64,
    /// End of the newest finished run.
    pub ended_ms: Option<i64>,
    /// A later run has begun: nothing is told until it is finished.
    pub is_open: bool,
    pub amounts: BTreeMap<Arc<str>, Amount>,
    /// Whether what was told last was final.
    pub is_final: bool,
    /// Begin or end have changed since: all amounts are told again.
    pub is_changed: bool,
}

/// How much of a resource.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Amount {
    pub quantity: f64,
    pub unit: Arc<str>,
    pub readings: u64,
    /// In the same unit.
    pub planned: Option<f64>,
    /// Revision last told, 0 for none.
    pub revision: u32,
    /// It has changed since.
    pub is_changed: bool,
}

/// An amount to be written into a book.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub resource: Arc<str>,
    pub quantity: f64,
    pub unit: Arc<str>,
}

impl Book {
    pub(super) fn new(bay: u32, started_ms: i64) -> Self {
        Book {
            bay,
            started_ms,
            ended_ms: None,
            is_open: false,
            amounts: BTreeMap::new(),
            is_final: false,
            is_changed: false,
        }
    }

    /// Adds a use, in the unit in which its resource is booked already: that of the first use. `planned` is quantity and
    /// unit on the job card.
    pub(super) fn add(
        &mut self,
        used: Use,
        planned: Option<(f64, &str)>,
        units: &Units,
    ) -> Result<(), Arc<str>> {
        let Use { resource, quantity, unit } = used;
        let own = self.amounts.get(&resource).map_or(&unit, |amount| &amount.unit);
        let Some(quantity) = converted(quantity, &unit, own, units) else { return Err(Arc::clone(own)) };
        let planned = planned.and_then(|(planned, unit)| converted(planned, unit, own, units));
        let amount = self.amounts.entry(resource).or_insert_with(|| Amount { unit, ..Amount::default() });
        amount.quantity += quantity;
        amount.readings += 1;
        amount.planned = planned.or(amount.planned);
        amount.is_changed = true;
        Ok(())
    }
}

/// `quantity` of `unit` in `own`; none if the two measure different things. What has no unit is in the other's.
fn converted(quantity: f64, unit: &str, own: &str, units: &Units) -> Option<f64> {
    if unit.is_empty() || own.is_empty() || unit == own {
        return Some(quantity);
    }
    Some(units.conversion_of(unit, own)?.apply(quantity))
}
