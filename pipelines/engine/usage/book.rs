//! What one step used, and what it measured of what its job card expects.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::readings::PlannedStep;
use ingest::units::Units;

use super::super::ledger::{Lots, Origin, Rise};
use super::super::steps::Run;
use super::checks::Checks;

/// Names a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct BookKey {
    pub site: Arc<str>,
    pub job: Arc<str>,
    pub step: Arc<str>,
}

/// Amounts and checks of one step, over all its runs.
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
    pub checks: Checks,
    /// Of the newest card, and of the newest finished run.
    pub operation: Option<Arc<str>>,
    pub technician: Option<Arc<str>>,
    /// Whether what was told last was final.
    pub is_final: bool,
    /// Begin or end have changed since: all is told again.
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
    /// The same by lots; in checkpoints with the rest of the ledger.
    #[serde(skip)]
    pub lots: Lots,
    /// The quantity that a person has taken as it is, though it is not what was planned; in checkpoints as the lots are.
    #[serde(skip)]
    pub accepted: Option<f64>,
}

/// An amount to be written into a book.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub resource: Arc<str>,
    pub quantity: f64,
    pub unit: Arc<str>,
    pub origin: Origin,
}

impl Amount {
    /// Without its lots.
    pub(super) fn heading(&self) -> Self {
        Amount { unit: self.unit.clone(), lots: Lots::default(), ..*self }
    }
}

impl Book {
    pub(super) fn new(bay: u32, started_ms: i64) -> Self {
        Book {
            bay,
            started_ms,
            ended_ms: None,
            is_open: false,
            amounts: BTreeMap::new(),
            checks: Checks::default(),
            operation: None,
            technician: None,
            is_final: false,
            is_changed: false,
        }
    }

    /// The same without amounts and checks.
    pub(super) fn heading(&self) -> Self {
        let (operation, technician) = (self.operation.clone(), self.technician.clone());
        Book { amounts: BTreeMap::new(), checks: Checks::default(), operation, technician, ..*self }
    }

    /// Takes a card's word in; whether it says anything new of what is to be measured.
    pub(super) fn take_plan(&mut self, plan: Option<&PlannedStep>) -> bool {
        self.operation = plan.and_then(|plan| plan.operation.as_deref()).map(Arc::from);
        self.checks.expect(plan.map_or(&[], |plan| plan.expect.as_slice()))
    }

    /// Whether the finish of `run` is in it.
    pub(super) fn has_finish_of(&self, run: &Run) -> bool {
        run.ended_ms.is_some_and(|ended_ms| self.ended_ms.is_some_and(|known_ms| ended_ms <= known_ms))
    }

    /// Adds a use, in the unit in which its resource is booked already: that of the first use. `planned` is quantity and
    /// unit on the job card.
    pub(super) fn add(
        &mut self,
        used: &Use,
        planned: Option<(f64, &str)>,
        units: &Units,
    ) -> Result<(), Arc<str>> {
        let Use { resource, quantity, unit, origin } = used;
        let own = self.amounts.get(resource).map_or(unit, |amount| &amount.unit);
        let in_own = |quantity: f64| converted(quantity, unit, own, units);
        let Some(quantity) = in_own(*quantity) else { return Err(Arc::clone(own)) };
        let planned = planned.and_then(|(planned, unit)| converted(planned, unit, own, units));
        let rise = origin
            .rise
            .and_then(|rise| Some(Rise { from: in_own(rise.from)?, to: in_own(rise.to)?, ..rise }));
        let origin = Origin { rise, ..origin.clone() };
        let new = || Amount { unit: unit.clone(), ..Amount::default() };
        let amount = self.amounts.entry(resource.clone()).or_insert_with(new);
        amount.quantity += quantity;
        amount.lots.add(quantity, &origin, self.is_final);
        amount.readings += 1;
        amount.planned = planned.or(amount.planned);
        amount.is_changed = true;
        Ok(())
    }
}

/// `quantity` of `unit` in `own`; none if the two measure different things. What has no unit is in the other's.
pub(crate) fn converted(quantity: f64, unit: &str, own: &str, units: &Units) -> Option<f64> {
    if unit.is_empty() || own.is_empty() || unit == own {
        return Some(quantity);
    }
    Some(units.conversion_of(unit, own)?.apply(quantity))
}
