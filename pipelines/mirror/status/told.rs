//! What others are told of the mirror.

use super::{MirrorStatus, SLOW_US};

/// What is durable here and not in the mirror: it would be lost with this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behind {
    pub entries: u64,
    /// Counted, not estimated.
    pub messages: u64,
    /// Ordinal of the first message that the mirror does not have.
    pub mirrored_message: u64,
    pub bytes: u64,
    /// How long the oldest of it has been waiting.
    pub seconds: f64,
}

impl MirrorStatus {
    /// Why not ready, a fragment each.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let state = self.lock();
        let now_us = self.clock.boot_us();
        let fenced = state.fenced.clone();
        let is_silent = self.in_the_way(&state, now_us).filter(|_| state.lag.us(now_us) > SLOW_US);
        let silent = is_silent.map(|reason| format!("mirror: nothing is acknowledged: {reason}"));
        let trouble = state.trouble.as_ref().map(|reason| format!("mirror: {reason}"));
        fenced.or(silent).or(trouble).into_iter().collect()
    }

    /// Whether the last thing asked of it was answered.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.lock().trouble.is_none()
    }

    /// How far the mirror is behind.
    #[must_use]
    pub fn behind(&self) -> Behind {
        let state = self.lock();
        Behind {
            entries: state.durable.0.saturating_sub(state.mirrored.0),
            messages: state.durable_message.saturating_sub(state.mirrored_message),
            mirrored_message: state.mirrored_message,
            bytes: state.lag.bytes(),
            seconds: state.lag.us(self.clock.boot_us()) as f64 / 1e6,
        }
    }
}
