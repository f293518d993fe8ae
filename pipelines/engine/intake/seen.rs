//! Which elements of some messages have come before, and whether the messages are as most are.

use super::applied::Taken;
use crate::engine::Engine;
use crate::engine::repeats::{Print, Seen};

/// What was found of some messages.
pub(super) struct Looked {
    /// A verdict on each of their elements, in order.
    pub(super) seen: Vec<Seen>,
    /// Whether each message is of one reading, in its place, which is new and of a time that can be.
    pub(super) are_usual: bool,
}

impl Engine {
    /// Looks whether their elements have come before, and remembers them.
    pub(super) fn look(&mut self, taken: &[Taken<'_>]) -> Looked {
        self.repeats.fetch(taken.iter().map(|taken| taken.channel));
        let Engine { decoded, repeats, bounds, clock, .. } = self;
        let elements = decoded.elements.as_slice();
        let ahead_max_ms = bounds.uniform().map(|bounds| bounds.ahead_max_ms);
        let are_alone = elements.len() == taken.len() && decoded.readings.len() == taken.len();
        let mut looked = Looked {
            seen: Vec::with_capacity(elements.len()),
            are_usual: are_alone && ahead_max_ms.is_some(),
        };
        let ahead_max_ms = ahead_max_ms.unwrap_or_default();
        for (row, Taken { arrived_ms, channel, elements: of_message, .. }) in taken.iter().enumerate() {
            let arrived_ms = *arrived_ms;
            for (place, element) in elements[of_message.clone()].iter().enumerate() {
                let print = Print {
                    channel: *channel,
                    boot: element.boot,
                    seq: element.seq,
                    ts_ms: element.ts_ms,
                    arrived_ms,
                    hash: element.hash,
                    is_first: place == 0,
                };
                // An element without readings was rejected as a whole: it says nothing that could be said again.
                let verdict = if element.readings.is_empty() {
                    repeats.see_number(&print)
                } else {
                    repeats.see(&print)
                };
                let can_be = clock.out_of_bounds(element.ts_ms, arrived_ms, ahead_max_ms).is_none();
                let is_in_place = element.readings.start == row && element.readings.end == row + 1;
                looked.are_usual &= is_in_place & can_be & (verdict == Seen::New);
                looked.seen.push(verdict);
            }
        }
        looked
    }
}
