//! Events that say what another of their bay has said.

use ingest::readings::StepEvent;

use super::{BaySteps, Record, Steps};

/// How what an event says is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Known {
    /// It is told, or will be.
    Said,
    /// It was refused, for want of a start. It is told when that comes.
    Refused,
}

impl Steps {
    /// How a bay knows what an event says: the same of the same step, by the same technician, at the same millisecond.
    /// What came out of a recording is known to recordings (`is_imported`) only: nobody has judged or booked it.
    pub(in crate::engine) fn known(
        &self,
        bay: u32,
        ts_ms: i64,
        step: &StepEvent,
        is_imported: bool,
    ) -> Option<Known> {
        self.bay(bay)?.known(ts_ms, step, is_imported)
    }
}

impl BaySteps {
    fn known(&self, ts_ms: i64, step: &StepEvent, is_imported: bool) -> Option<Known> {
        let says_it = |record: &&Record| {
            record.event == step.event
                && *record.job == *step.job
                && *record.step == *step.step
                && record.technician.as_deref() == step.technician.as_deref()
                && (is_imported || !record.is_imported)
        };
        let from = self.events.partition_point(|record| record.ts_ms < ts_ms);
        let of_moment = self.events[from..].iter().take_while(|record| record.ts_ms == ts_ms);
        let found: Vec<&Record> = of_moment.filter(says_it).collect();
        let is_refused = found.iter().all(|record| record.is_refused);
        (!found.is_empty()).then_some(if is_refused { Known::Refused } else { Known::Said })
    }
}
