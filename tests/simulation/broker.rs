//! A broker: keeps a session, a window and packet ids, redelivers, forgets.

use std::collections::VecDeque;
use std::rc::Rc;

use super::work::Message;

/// Messages on their way to Andon.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    /// There is a session: messages for it are kept.
    has_session: bool,
    is_connected: bool,
    queue: VecDeque<Rc<Message>>,
    in_flight: VecDeque<Delivery>,
    next_id: u16,
    window: usize,
    /// Numbers of messages that it had acknowledged to their publisher, and lost.
    pub(crate) lost: Vec<u64>,
    pub(crate) redelivered: u64,
}

/// A message on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) packet_id: u16,
    pub(crate) message: Rc<Message>,
    is_sent: bool,
}

impl Broker {
    pub(crate) fn new(window: u16) -> Broker {
        Broker { window: window.into(), ..Broker::default() }
    }

    /// Somebody publishes. Without a session it is for nobody.
    pub(crate) fn publish(&mut self, message: Rc<Message>) {
        if self.has_session { self.queue.push_back(message) } else { self.lost.push(message.number) }
    }

    /// Andon connects and subscribes: what was in flight comes again, under the same packet ids.
    pub(crate) fn connect(&mut self) {
        self.has_session = true;
        self.is_connected = true;
        self.in_flight.iter_mut().for_each(|delivery| delivery.is_sent = false);
    }

    pub(crate) fn disconnect(&mut self) {
        self.is_connected = false;
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// It forgets the session, or comes back with nothing.
    pub(crate) fn lose_session(&mut self) {
        self.disconnect();
        self.has_session = false;
        let in_flight = self.in_flight.drain(..).map(|delivery| delivery.message);
        self.lost.extend(in_flight.chain(self.queue.drain(..)).map(|message| message.number));
    }

    /// What goes over the wire now, at most `count`. `new_first` sends what was never sent before what comes again.
    pub(crate) fn deliver(&mut self, count: usize, new_first: bool) -> Vec<Delivery> {
        if !self.is_connected {
            return Vec::new();
        }
        let mut sent = Vec::new();
        if !new_first {
            self.again(count, &mut sent);
        }
        while sent.len() < count && self.in_flight.len() < self.window {
            let Some(message) = self.queue.pop_front() else { break };
            let is_taken = |id: u16| self.in_flight.iter().any(|delivery| delivery.packet_id == id);
            let id = (1..).map(|step| self.next_id.wrapping_add(step).max(1)).find(|id| !is_taken(*id));
            self.next_id = id.expect("the window is smaller than the numbers");
            let delivery = Delivery { packet_id: self.next_id, message, is_sent: true };
            self.in_flight.push_back(delivery.clone());
            sent.push(delivery);
        }
        self.again(count, &mut sent);
        sent
    }

    fn again(&mut self, count: usize, sent: &mut Vec<Delivery>) {
        for delivery in self.in_flight.iter_mut().filter(|delivery| !delivery.is_sent) {
            if sent.len() < count {
                delivery.is_sent = true;
                self.redelivered += 1;
                sent.push(delivery.clone());
            }
        }
    }

    /// Andon acknowledges; the numbers of the messages.
    pub(crate) fn acknowledged(&mut self, packet_ids: &[u16]) -> Vec<u64> {
        let mut numbers = Vec::new();
        for id in packet_ids {
            if let Some(place) = self.in_flight.iter().position(|delivery| delivery.packet_id == *id) {
                numbers.extend(self.in_flight.remove(place).map(|delivery| delivery.message.number));
            }
        }
        numbers
    }

    /// Nothing is left to deliver.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }
}
