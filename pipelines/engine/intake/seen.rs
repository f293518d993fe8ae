//! Which elements of some messages have come before.

use super::applied::Taken;
use crate::engine::Engine;
use crate::engine::repeats::{Print, Seen};

impl Engine {
    /// A verdict on each of their elements, in order.
    pub(super) fn seen(&mut self, taken: &[Taken<'_>]) -> Vec<Seen> {
        self.repeats.fetch(taken.iter().map(|taken| taken.channel));
        let mut seen = Vec::with_capacity(self.decoded.elements.len());
        for Taken { message, channel, elements } in taken {
            for (place, element) in self.decoded.elements[elements.clone()].iter().enumerate() {
                let print = Print {
                    channel: *channel,
                    boot: element.boot,
                    seq: element.seq,
                    ts_ms: element.ts_ms,
                    arrived_ms: message.arrived_ms,
                    hash: element.hash,
                    is_first: place == 0,
                };
                // An element without readings was rejected as a whole: it says nothing that could be said again.
                seen.push(if element.readings.is_empty() {
                    self.repeats.see_number(&print)
                } else {
                    self.repeats.see(&print)
                });
            }
        }
        seen
    }
}
