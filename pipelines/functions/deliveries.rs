//! How far each courier is in its queue: whatever takes items of it to somebody outside.
//!
//! Items go out one by one, in the order of their numbers, each behind an attempt that stands in the journal; what has become of
//! it stands there after it. So whoever leads next knows what was sent, and of which item it is in doubt.
//!
//! Bound: [`COURIERS_MAX`] couriers; a further one is refused.

use std::collections::BTreeMap;

use ingest::entry::command::{Progress, What};
use serde::{Deserialize, Serialize};
use sinks::view::DeliveryView;

use super::Functions;
use super::orders::Refusal;

const COURIERS_MAX: usize = 100;

/// Of all couriers, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Deliveries(BTreeMap<Box<str>, Delivery>);

/// Of one courier.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Delivery {
    queue: Box<str>,
    /// Items up to this number have gone out, or need not.
    settled: u64,
    /// How often the next one was tried.
    attempts: u32,
    /// When the attempt began of which nothing is known yet.
    attempt_ms: Option<i64>,
    /// Why it waits for a person.
    held: Option<Box<str>>,
    /// What was wrong with the last attempt, if anything was.
    failure: Option<Box<str>>,
    sent: u64,
    skipped: u64,
    /// Items that were for others.
    passed: u64,
    sent_ms: Option<i64>,
}

impl Functions {
    /// Takes in what has become of an item; in words, what follows.
    pub(crate) fn deliver(&mut self, what: &What, at_ms: i64) -> Result<String, Refusal> {
        let What::Deliver { courier, queue, item, progress, detail } = what else {
            unreachable!("the order is a delivery")
        };
        let head = self.queues.heads().find(|(name, _)| name == queue).map_or(0, |(_, head)| head.number);
        let known = self.deliveries.0.len();
        let Some(delivery) = self.deliveries.0.get_mut(&**courier) else {
            if *progress != Progress::Begin {
                return Err(Refusal::Unknown(format!(
                    "there is no courier `{courier}`; GET /api/v1/deliveries lists them"
                )));
            }
            if known >= COURIERS_MAX {
                return Err(Refusal::Conflict(format!("there are {COURIERS_MAX} couriers already")));
            }
            let delivery = Delivery {
                queue: queue.as_str().into(),
                settled: item.saturating_sub(1),
                ..Delivery::default()
            };
            self.deliveries.0.insert(courier.as_str().into(), delivery);
            return Ok(format!("courier `{courier}` gets queue `{queue}` from item {item} on"));
        };
        if *delivery.queue != **queue {
            let is = &delivery.queue;
            return Err(Refusal::Conflict(format!(
                "courier `{courier}` gets queue `{is}`; give the one for `{queue}` another name"
            )));
        }
        delivery.take((courier, *item, head), *progress, detail, at_ms)?;
        Ok(format!("item {item} of `{queue}` for courier `{courier}`: {}", progress.as_str()))
    }

    /// All couriers that have begun.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = DeliveryView> {
        let heads: BTreeMap<&str, u64> =
            self.queues.heads().map(|(queue, head)| (queue, head.number)).collect();
        self.deliveries.0.iter().map(move |(courier, delivery)| DeliveryView {
            courier: courier.to_string(),
            queue: delivery.queue.to_string(),
            settled: delivery.settled,
            waiting: heads.get(&*delivery.queue).copied().unwrap_or(0).saturating_sub(delivery.settled),
            attempts: delivery.attempts,
            attempt_ms: delivery.attempt_ms,
            held: delivery.held.as_deref().map(str::to_owned),
            failure: delivery.failure.as_deref().map(str::to_owned),
            sent: delivery.sent,
            skipped: delivery.skipped,
            passed: delivery.passed,
            sent_ms: delivery.sent_ms,
        })
    }
}

impl Delivery {
    fn take(
        &mut self,
        (courier, item, head): (&str, u64, u64),
        progress: Progress,
        detail: &str,
        at_ms: i64,
    ) -> Result<(), Refusal> {
        let conflict = |why: String| Err(Refusal::Conflict(why));
        let next = self.settled + 1;
        match progress {
            Progress::Begin => return conflict(format!("courier `{courier}` has begun already")),
            // Told once more, as after a crash.
            Progress::Sent if item == self.settled => return Ok(()),
            Progress::Passed if item == self.settled => return Ok(()),
            Progress::Passed if item < next || self.attempt_ms.is_some() || self.held.is_some() => {
                return conflict(format!(
                    "item {next} of courier `{courier}` cannot be passed over any more"
                ));
            }
            Progress::Passed if item > head => return conflict(format!("there is no item {item} yet")),
            Progress::Passed => {
                self.passed += item - self.settled;
                (self.settled, self.failure, self.attempts) = (item, None, 0);
            }
            _ if item != next => return conflict(format!("the next item of courier `{courier}` is {next}")),
            _ if item > head => return conflict(format!("there is no item {item} yet")),
            Progress::Attempt => {
                if let Some(why) = &self.held {
                    return conflict(format!("courier `{courier}` waits for a person: {why}"));
                }
                self.attempts = self.attempts.saturating_add(1);
                self.attempt_ms = Some(at_ms);
            }
            Progress::Resend | Progress::Skip if self.held.is_none() => {
                return conflict(format!("courier `{courier}` waits for nobody"));
            }
            Progress::Sent | Progress::Failed if self.attempt_ms.is_none() => {
                return conflict(format!("item {item} of courier `{courier}` is not on its way"));
            }
            Progress::Sent => {
                (self.settled, self.sent, self.sent_ms) = (item, self.sent + 1, Some(at_ms));
                (self.attempts, self.attempt_ms, self.held, self.failure) = (0, None, None, None);
            }
            Progress::Failed => (self.attempt_ms, self.failure) = (None, Some(detail.into())),
            Progress::Held => (self.attempt_ms, self.held) = (None, Some(detail.into())),
            Progress::Resend => self.held = None,
            Progress::Skip => {
                (self.settled, self.skipped) = (item, self.skipped + 1);
                (self.held, self.failure, self.attempts) = (None, None, 0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
