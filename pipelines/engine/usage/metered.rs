//! What readings of meters, dispensers and tanks say.

use std::sync::Arc;

use ingest::config::UsageKind;

use super::super::balances::{MeterKind, Shown};
use super::super::ledger::{Origin, Rise};
use super::super::tags;
use super::{Usage, Use};

/// What a reading of a meter, a dispenser or a tank says.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Metered {
    pub kind: MeterKind,
    pub resource: Arc<str>,
    pub unit: Arc<str>,
    /// Of a register or a level.
    pub shown: Option<Shown>,
    /// Consumption, if it is any.
    pub used: Option<Use>,
}

impl Usage {
    /// What a reading of a meter, a dispenser or a tank says; `None` for one that is older than its register's newest.
    /// Readings of a register must come in event time. `message` is the ordinal of the reading's.
    pub(in crate::engine) fn measure(
        &mut self,
        series: u32,
        (ts_ms, message): (i64, u64),
        value: f64,
        unit: &str,
        reading_tags: Option<&str>,
    ) -> Option<Metered> {
        let settings = self.kinds.usage_of(series)?;
        let shown = match settings.kind {
            UsageKind::Amount => None,
            UsageKind::Counter | UsageKind::Level => {
                let before = self.registers.get(&series).copied();
                if before.is_some_and(|(before_ms, _)| ts_ms < before_ms) {
                    return None;
                }
                self.registers.insert(series, (ts_ms, value));
                Some(Shown { before: before.map(|(_, before)| before), now: value })
            }
        };
        let quantity = match (settings.kind, shown) {
            (UsageKind::Amount, _) => Some(value),
            // Of the first one nobody knows what was before, and a fall is no consumption.
            (UsageKind::Counter, Some(Shown { before: Some(before), now })) if now >= before => {
                Some(now - before)
            }
            _ => None,
        };
        let (resource, unit): (Arc<str>, Arc<str>) =
            (tags::fill(&settings.resource, reading_tags).into(), unit.into());
        let used = quantity.map(|quantity| {
            let lot = reading_tags.and_then(|set| tags::one(set, "lot")).map(Arc::from);
            let rise = shown.and_then(|Shown { before, now }| Some(Rise { series, from: before?, to: now }));
            let origin = Origin { lot, ts_ms, message, rise };
            Use { resource: resource.clone(), quantity, unit: unit.clone(), origin }
        });
        Some(Metered { kind: settings.kind.into(), resource, unit, shown, used })
    }
}
