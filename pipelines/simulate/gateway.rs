//! A bay's gateway: passes messages on, holds them while it is off, and repeats a few when an acknowledgement was lost.

use std::collections::VecDeque;

use super::Published;

/// Messages that a gateway holds. When it is full the outage ends early: nothing is ever lost here.
pub(super) const BACKLOG_MAX: usize = 20_000;

/// The one door out of a bay.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    offline: bool,
    backlog: Vec<Published>,
    /// How many messages more are to be repeated, and those that will be.
    repeat: (usize, Vec<Published>),
}

impl Gateway {
    /// Takes a message and appends to `out` what arrives because of it. Returns how many of them are repeats.
    pub(super) fn pass(&mut self, message: Published, out: &mut VecDeque<Published>) -> u64 {
        if self.offline {
            self.backlog.push(message);
            return 0;
        }
        if self.repeat.0 == 0 {
            out.push_back(message);
            return 0;
        }
        let at_ms = message.at_ms;
        self.repeat.0 -= 1;
        self.repeat.1.push(message.clone());
        out.push_back(message);
        if self.repeat.0 == 0 { self.send_again(at_ms, out) } else { 0 }
    }

    /// Repeats the next `count` messages once they have passed. Refused while it is off or repeats already.
    pub(super) fn repeat(&mut self, count: usize) -> bool {
        let ready = !self.offline && self.repeat.0 == 0;
        if ready {
            self.repeat.0 = count;
        }
        ready
    }

    fn send_again(&mut self, at_ms: i64, out: &mut VecDeque<Published>) -> u64 {
        let repeats = self.repeat.1.len() as u64;
        out.extend(self.repeat.1.drain(..).map(|message| Published { at_ms, ..message }));
        repeats
    }

    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn is_full(&self) -> bool {
        self.backlog.len() >= BACKLOG_MAX
    }

    /// Holds what comes from now on. Returns how many repeats went out before.
    pub(super) fn go_offline(&mut self, at_ms: i64, out: &mut VecDeque<Published>) -> u64 {
        self.offline = true;
        self.repeat.0 = 0;
        self.send_again(at_ms, out)
    }

    /// Delivers what it held, in order, at `at_ms`.
    pub(super) fn go_online(&mut self, at_ms: i64, out: &mut VecDeque<Published>) {
        self.offline = false;
        out.extend(self.backlog.drain(..).map(|message| Published { at_ms, ..message }));
    }
}
