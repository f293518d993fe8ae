//! Parts and consumables booked by hand: they wait until their time is certain, like readings, and go into the book
//! of their step. What belongs to none goes to quarantine, with what was sent.

use ingest::decode::REJECT_BYTES_MAX;
use ingest::entry::MessageRef;
use ingest::readings::{Booking, Event, Reason, Reject, What};

use super::ledger::Origin;
use super::usage::Use;
use super::{Engine, steps};

/// A booking that waits, with its message as it came.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct WaitingBooking {
    event: Event,
    topic: Box<str>,
    payload: Box<str>,
}

impl WaitingBooking {
    pub(super) fn new(event: Event, message: MessageRef<'_>) -> Self {
        let payload = &message.payload[..message.payload.len().min(REJECT_BYTES_MAX)];
        let payload = String::from_utf8_lossy(payload).into();
        WaitingBooking { event, topic: message.topic.into(), payload }
    }

    /// `booked_in` is the unit that its resource is booked in, where that is what is wrong.
    fn reject(self, booking: &Booking, booked_in: Option<&str>) -> Reject {
        let Booking { resource, bay, unit, job, .. } = booking;
        let (reason, detail) = match (booked_in, job) {
            (Some(own), _) => (
                Reason::WrongDimension,
                format!(
                    "`{resource}` is booked in {own}, and {unit} measures something else; send it in {own}"
                ),
            ),
            (None, Some(job)) => (
                Reason::NoStep,
                format!(
                    "`{resource}` for job {job} on bay {bay}: no such step was started; correct job and step"
                ),
            ),
            (None, None) => (
                Reason::NoStep,
                format!("`{resource}` on bay {bay}: no step was active then; name its `job` and `step`"),
            ),
        };
        Reject {
            message: self.event.message,
            arrived_ms: self.event.arrived_ms,
            topic: self.topic,
            payload: self.payload.into_boxed_bytes(),
            reason,
            detail,
            metric: None,
        }
    }
}

impl Engine {
    /// Books what the bays' watermarks have passed. Gives the bays whose books have changed.
    pub(super) fn book(&mut self, until: &[(u32, i64)]) -> Vec<u32> {
        let mut due = Vec::new();
        for waiting in std::mem::take(&mut self.bookings) {
            let What::Booking(booking) = &waiting.event.what else { continue };
            let bay = self.bay_number(&waiting.event.site, &booking.bay);
            let ts_ms = waiting.event.ts_ms;
            let passed =
                until.binary_search_by_key(&bay, |&(bay, _)| bay).is_ok_and(|at| ts_ms < until[at].1);
            if passed { due.push((bay, waiting)) } else { self.bookings.push(waiting) }
        }
        due.sort_by_key(|(bay, WaitingBooking { event, .. })| {
            (*bay, event.ts_ms, event.message, event.index)
        });
        let mut touched = Vec::new();
        for (bay, waiting) in due {
            let What::Booking(booking) = waiting.event.what.clone() else { continue };
            let wrong = match self.write(bay, &waiting.event, &booking) {
                Ok(Some(bay)) => {
                    touched.push(bay);
                    continue;
                }
                Ok(None) => {
                    self.gather_booking(&waiting.event, &booking);
                    waiting.reject(&booking, None)
                }
                Err(booked_in) => waiting.reject(&booking, Some(&booked_in)),
            };
            self.take_back(wrong);
        }
        touched
    }

    /// The bay whose book took the booking; none if it belongs to no step.
    fn write(
        &mut self,
        bay: u32,
        event: &Event,
        booking: &Booking,
    ) -> Result<Option<u32>, std::sync::Arc<str>> {
        let steps = self.steps.bay_mut(bay);
        let named = |run: &steps::Run| {
            booking.job.as_deref() == Some(&*run.job)
                && booking.step.as_deref().is_none_or(|step| step == &*run.step)
        };
        let run = match &booking.job {
            Some(_) => steps.runs.iter().rposition(named),
            // What is booked in the moment of the finish is of the step that was finished.
            None => steps.active(event.ts_ms).1.or_else(|| {
                let ends =
                    |run: &steps::Run| run.started_ms <= event.ts_ms && run.ended_ms == Some(event.ts_ms);
                steps.runs.iter().rposition(ends)
            }),
        };
        let used = Use {
            resource: booking.resource.as_ref().into(),
            quantity: booking.quantity,
            unit: booking.unit.as_ref().into(),
            origin: Origin {
                lot: booking.lot.as_deref().map(Into::into),
                ts_ms: event.ts_ms,
                message: event.message,
                rise: None,
            },
        };
        let units = self.decoder.units();
        if let Some(run) = run {
            let run = steps.runs[run].clone();
            self.usage.write(&event.site.as_ref().into(), bay, &run, &used, units)?;
            return Ok(Some(bay));
        }
        // Parts are often booked in the evening, when the run itself is forgotten, and from another bay's terminal.
        let Some(job) = &booking.job else { return Ok(None) };
        self.usage.write_late(&event.site, job, booking.step.as_deref(), &used, units)
    }
}
