//! Commands of the workshop's functions.

use ingest::entry::Command;
use ingest::entry::command::{Order, Progress, What};
use sinks::view::Deliveries;

use super::super::belated::Lane;
use super::{Answer, Engine, EngineError, Operator, Outcome};
use crate::functions::{Done, Refusal};

impl Engine {
    /// A record is signed, a vehicle handed over, a line posted.
    pub(super) fn function(&mut self, order: &Order, at_ms: i64) -> Answer {
        let done = self.functions.order(&order.what, &order.actor, at_ms);
        if let (Ok(_), What::PostLine { site, job, line, .. }) = (&done, &order.what)
            && let Some((step, resource, quantity)) = self.functions.accepted(site, job, *line)
        {
            self.usage.accept((site, job), (step, resource), quantity);
        }
        self.said(&order.key, done)
    }

    /// A technician begins, pauses or ends a step: what may be done takes effect as any step event does.
    pub(super) fn step(&mut self, order: &Order, command: &Command) -> Result<Answer, EngineError> {
        let done = match self.functions.order(&order.what, &order.actor, command.at_ms) {
            Ok(done) => done,
            refused => return Ok(self.said(&order.key, refused)),
        };
        let answer = self.brought(order, command, done)?;
        if let (Outcome::Applied, What::Step { site, bay, .. }) = (answer.outcome, &order.what) {
            // It is of the present, as one that comes over MQTT: the bay is heard.
            let bay = self.meet_bay(site, bay);
            let ts_ms = command.messages.last_arrived_ms().unwrap_or(command.at_ms);
            self.bays.heard(bay, ts_ms, command.at_ms);
        }
        self.functions.step_done(&order.what, command.at_ms);
        Ok(answer)
    }

    /// A job card is taken in as if it had come from the office's system.
    pub(super) fn card(&mut self, order: &Order, command: &Command) -> Result<Answer, EngineError> {
        let What::Card { site, job } = &order.what else { unreachable!("the order is a card") };
        let done = Done { site: site.clone(), detail: format!("job `{job}` is taken in") };
        let answer = self.brought(order, command, done)?;
        self.functions.settle(command.at_ms);
        Ok(answer)
    }

    /// Something has become of an item on its way outside.
    pub(super) fn deliver(&mut self, order: &Order, at_ms: i64) -> Answer {
        match self.functions.deliver(&order.what, at_ms) {
            Ok(detail) => {
                let goes_out = matches!(order.what, What::Deliver { progress: Progress::Attempt, .. });
                Answer { goes_out, ..self.new_answer(&order.key, Outcome::Applied, detail) }
            }
            Err(refusal) => self.said(&order.key, Err(refusal)),
        }
    }

    /// How far couriers are.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        let newest = self.functions.queue_heads().map(|(queue, head)| (queue.to_owned(), head.number));
        Deliveries { deliveries: self.functions.deliveries().collect(), newest: newest.collect() }
    }

    /// A latched exception is over.
    pub(super) fn reset(&mut self, order: &Order, exception: &str, by: Operator) -> Answer {
        // Of one that is not known there is no site, and nothing to inspect.
        let site = self.exceptions.site_of(exception);
        if let Some(Err(refusal)) = site.map(|site| self.functions.may_inspect(site, &order.actor)) {
            return self.said(&order.key, Err(refusal));
        }
        let done = self.exceptions.reset(exception, by);
        self.operated(&order.key, done)
    }

    /// Takes in what a command brings; what cannot be used leaves all as it was.
    fn brought(&mut self, order: &Order, command: &Command, done: Done) -> Result<Answer, EngineError> {
        let lane = Lane::Replay { metric: None };
        let taken = self.take_belated(&command.messages, 0, &lane, command.at_ms)?;
        if taken.is_nothing() {
            let why = taken.refused.unwrap_or_else(|| "it says nothing new".to_owned());
            return Ok(self.new_answer(&order.key, Outcome::Invalid, format!("it cannot be used: {why}")));
        }
        let message = Some(command.messages.first_message);
        let applied = u64::from(command.messages.messages());
        Ok(Answer { message, applied, ..self.said(&order.key, Ok(done)) })
    }

    fn said(&self, key: &str, done: Result<Done, Refusal>) -> Answer {
        match done {
            Ok(Done { site, detail }) => {
                Answer { site: Some(site), ..self.new_answer(key, Outcome::Applied, detail) }
            }
            Err(Refusal::Unknown(detail)) => self.new_answer(key, Outcome::Unknown, detail),
            Err(Refusal::Conflict(detail)) => self.new_answer(key, Outcome::Conflict, detail),
        }
    }
}
