//! Messages on their way to the broker, kept until it has them.

use std::collections::VecDeque;

use rumqttc::AsyncClient;

use super::{PublishReport, Published, quality};

/// QoS 1 messages that the broker has not acknowledged; the embedded broker takes no more than 100.
pub(super) const INFLIGHT_MAX: u16 = 100;

/// Messages handed to the client and not done. At the bound the shop is not asked for another one.
pub(super) const HELD_MAX: usize = 2 * INFLIGHT_MAX as usize;

/// What has been handed to the client.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// In the client's queue, not yet written.
    waiting: VecDeque<Published>,
    /// Written with QoS 1 under a packet id, not yet acknowledged.
    written: VecDeque<(u16, Published)>,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.written.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() + self.written.len() < HELD_MAX
    }

    pub(super) fn unacknowledged(&self) -> u64 {
        (self.waiting.len() + self.written.len()) as u64
    }

    /// Hands a message to the client, whose queue has room for all that a flight holds.
    pub(super) fn send(&mut self, client: &AsyncClient, message: Published) {
        hand_over(client, &message);
        self.waiting.push_back(message);
    }

    /// Hands all that is not done to a new client. Returns how many of them the old one had written.
    pub(super) fn send_again(&mut self, client: &AsyncClient) -> u64 {
        let written = self.written.len() as u64;
        while let Some((_, message)) = self.written.pop_back() {
            self.waiting.push_front(message);
        }
        self.waiting.iter().for_each(|message| hand_over(client, message));
        written
    }

    /// The client wrote its next message, with a packet id, or 0 for QoS 0.
    pub(super) fn written(&mut self, packet: u16, report: &mut PublishReport) {
        let Some(message) = self.waiting.pop_front() else { return };
        if packet == 0 {
            count(&message, report);
        } else {
            self.written.push_back((packet, message));
        }
    }

    /// The broker acknowledged a packet.
    pub(super) fn acknowledged(&mut self, packet: u16, report: &mut PublishReport) {
        let place = self.written.iter().position(|(written, _)| *written == packet);
        if let Some((_, message)) = place.and_then(|place| self.written.remove(place)) {
            count(&message, report);
        }
    }
}

fn count(message: &Published, report: &mut PublishReport) {
    report.messages += 1;
    report.payload_bytes += message.payload.len() as u64;
}

fn hand_over(client: &AsyncClient, message: &Published) {
    let handed =
        client.try_publish(&*message.topic, quality(message.qos), message.retain, message.payload.clone());
    if let Err(error) = handed {
        // Cannot be: the queue is as long as the flight. It stays in flight and is sent again if it happens.
        tracing::error!(%error, topic = &*message.topic, "a message did not fit into the client's queue");
    }
}
