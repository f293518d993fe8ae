//! What to commit and when: decisions of the intake, without I/O, threads or a clock of its own.
//!
//! One batch is open and takes in messages, ticks, cuts and submitted entries in their one order; at most
//! one is at the journal. [`Gathering`] says when the open one is due, gives it out, and keeps the packet
//! ids that may be acknowledged once it is durable.

use std::time::Duration;

use super::arrivals::{Arrivals, Pace, Passed};
use crate::entry::{Entry, IntakeBuilder};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Wall time.
    pub(crate) ms: i64,
    /// Monotonic.
    pub(crate) us: u64,
}

/// The bounds that make a batch due, or a message shed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) commit_interval_us: u64,
    pub(crate) commit_bytes: usize,
    /// Half of the broker's window: with so many unacknowledged the broker soon stops sending.
    pub(crate) unacknowledged_max: usize,
    /// QoS 0 messages are shed while more than this waits for the journal.
    pub(crate) waiting_bytes_max: usize,
    /// Longer payloads are cut to this length. It is beyond what the decoder takes, so they end in
    /// quarantine, cut or whole.
    pub(crate) payload_bytes_max: usize,
}

impl Bounds {
    pub(crate) fn new(settings: &super::IntakeSettings) -> Self {
        let source = &settings.source;
        Bounds {
            commit_interval_us: micros(settings.commit_interval),
            commit_bytes: settings.commit_bytes.max(1),
            unacknowledged_max: usize::from(source.inflight_window / 2).max(1),
            waiting_bytes_max: source.waiting_bytes_max,
            payload_bytes_max: source.message_bytes_max.saturating_mul(2).max(1),
        }
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A message as the source gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    /// Packet id to acknowledge; none for QoS 0.
    pub(crate) packet_id: Option<u16>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Whole,
    /// Its payload was cut to `payload_bytes_max`.
    Cut,
    /// QoS 0, and too much waits already: it is gone.
    Shed,
}

/// An entry with the monotonic time at which the first of it came.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) entry: Entry,
    pub(crate) received_us: u64,
}

/// What goes to the journal in one commit.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<Gathered>,
}

/// A batch that is at the journal, as far as the intake must remember it.
#[derive(Debug)]
pub(crate) struct Committed {
    /// To acknowledge now, in order of receipt. Empty for those whose connection is gone.
    pub(crate) packet_ids: Vec<u16>,
    /// When the first of the batch came in.
    pub(crate) received_us: u64,
}

#[derive(Debug)]
pub(crate) struct Gathering {
    bounds: Bounds,
    pace: Pace,
    arrivals: Arrivals,
    next_message: u64,
    /// The messages since the last entry, and when the first came.
    builder: IntakeBuilder,
    builder_since_us: u64,
    /// The open batch: sealed entries, their bytes, when the first thing came, and whom to acknowledge.
    entries: Vec<Gathered>,
    entries_bytes: usize,
    open_since_us: Option<u64>,
    packet_ids: Vec<u16>,
    /// The batch at the journal, and its bytes.
    at_journal: Option<Committed>,
    at_journal_bytes: usize,
}

impl Gathering {
    pub(crate) fn new(bounds: Bounds, arrivals: Arrivals, next_message: u64, now_us: u64) -> Self {
        Gathering {
            bounds,
            pace: Pace::new(arrivals.last_ms(), now_us),
            arrivals,
            next_message,
            builder: IntakeBuilder::new(),
            builder_since_us: 0,
            entries: Vec::new(),
            entries_bytes: 0,
            open_since_us: None,
            packet_ids: Vec::new(),
            at_journal: None,
            at_journal_bytes: 0,
        }
    }

    /// Takes a message in, which arrives at the moment of the last [`pass`](Self::pass).
    #[inline]
    pub(crate) fn message(&mut self, arrived: Arrived<'_>, now: Moment) -> Taken {
        if arrived.packet_id.is_none() && self.waiting_bytes() >= self.bounds.waiting_bytes_max {
            return Taken::Shed;
        }
        if self.builder.is_empty() {
            self.builder_since_us = now.us;
            self.open_since_us.get_or_insert(now.us);
        }
        let bytes = arrived.payload.len().min(self.bounds.payload_bytes_max);
        self.builder.push(arrived.topic, &arrived.payload[..bytes], self.arrivals.last_ms());
        self.packet_ids.extend(arrived.packet_id);
        // Sealed at this size also while the journal is busy: an entry is never much larger than a commit.
        if self.builder.bytes() >= self.bounds.commit_bytes {
            self.seal();
        }
        if bytes < arrived.payload.len() { Taken::Cut } else { Taken::Whole }
    }

    /// Time has come to `now`: puts the tick and the cut where they belong, if they are due.
    #[inline]
    pub(crate) fn pass(&mut self, now: Moment) {
        if let Some(passed) = self.arrivals.pass(self.pace.at_ms(now)) {
            self.place(passed, now.us);
        }
    }

    /// How far the wall clock is behind the time of the entries, where it was put back.
    pub(crate) fn clock_behind_ms(&self) -> i64 {
        self.pace.behind_ms()
    }

    #[cold]
    fn place(&mut self, passed: Passed, now_us: u64) {
        self.seal();
        if let Some(Entry::Tick { first_ms, last_ms }) = passed.tick {
            match self.entries.last_mut() {
                // Nothing came between: one silent stretch, however long the journal keeps us waiting.
                Some(Gathered { entry: Entry::Tick { last_ms: until_ms, .. }, .. }) => *until_ms = last_ms,
                _ => self.add(Entry::Tick { first_ms, last_ms }, now_us),
            }
        }
        if let Some(cut) = passed.cut {
            let is_silent_since_cut = matches!(
                self.entries.as_slice(),
                [.., Gathered { entry: Entry::Cut { .. }, .. }, Gathered { entry: Entry::Tick { .. }, .. }]
            );
            // Another cut would end an epoch of nothing but time, and a stalled journal would pile them up.
            if is_silent_since_cut { self.arrivals.uncut() } else { self.add(cut, now_us) }
        }
    }

    /// Puts a submitted entry behind all that came before it; a changed configuration begins an epoch of its own, so
    /// that what came under the one before is shown without it. A command gets its time, and its messages their
    /// ordinals.
    pub(crate) fn submit(&mut self, mut entry: Entry, now: Moment) {
        self.seal();
        match &mut entry {
            Entry::Configuration { change: Some(_), .. } => {
                let cut = self.arrivals.cut();
                self.add(cut, now.us);
            }
            Entry::Command(command) => {
                command.at_ms = self.arrivals.last_ms();
                command.messages.first_message = self.next_message;
                self.next_message += u64::from(command.messages.messages());
                self.entries_bytes += command.order.len() + command.messages.body().len();
            }
            Entry::Configuration { text, .. } => self.entries_bytes += text.len(),
            Entry::Filling { windows, .. } => self.entries_bytes += windows.len(),
            _ => {}
        }
        self.add(entry, now.us);
    }

    /// The end: nothing comes any more, and the epoch ends with what has come.
    pub(crate) fn finish(&mut self, now: Moment) {
        self.pass(now);
        self.seal();
        let cut = self.arrivals.cut();
        self.add(cut, now.us);
    }

    fn add(&mut self, entry: Entry, received_us: u64) {
        self.open_since_us.get_or_insert(received_us);
        self.entries.push(Gathered { entry, received_us });
    }

    fn seal(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        let messages = self.builder.messages();
        self.entries_bytes += self.builder.bytes();
        let intake = self.builder.finish(self.next_message);
        self.next_message += u64::from(messages);
        self.add(Entry::Intake(intake), self.builder_since_us);
    }

    /// Whether the open batch should go to the journal now. Never while one is there.
    #[inline]
    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        let Some(since_us) = self.open_since_us else { return false };
        self.at_journal.is_none()
            && (now_us.saturating_sub(since_us) >= self.bounds.commit_interval_us
                || self.entries_bytes + self.builder.bytes() >= self.bounds.commit_bytes
                || self.packet_ids.len() >= self.bounds.unacknowledged_max)
    }

    /// When the open batch is due by its age, in monotonic microseconds; `None` while it need not be asked.
    pub(crate) fn due_us(&self) -> Option<u64> {
        let since_us = if self.at_journal.is_none() { self.open_since_us } else { None };
        since_us.map(|since_us| since_us.saturating_add(self.bounds.commit_interval_us))
    }

    pub(crate) fn next_tick_ms(&self) -> i64 {
        self.arrivals.next_tick_ms()
    }

    /// Gives the open batch out; a new one is open. `None` when it is empty or one is at the journal.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.at_journal.is_some() {
            return None;
        }
        let received_us = self.open_since_us.take()?;
        self.seal();
        // Sealing counts as something that came: it belongs to the batch that goes.
        self.open_since_us = None;
        self.at_journal_bytes = std::mem::take(&mut self.entries_bytes);
        let packet_ids = std::mem::take(&mut self.packet_ids);
        self.at_journal = Some(Committed { packet_ids, received_us });
        Some(Batch { entries: std::mem::take(&mut self.entries) })
    }

    /// The batch at the journal is durable.
    pub(crate) fn committed(&mut self) -> Option<Committed> {
        self.at_journal_bytes = 0;
        self.at_journal.take()
    }

    /// The connection is gone, and with it the right to acknowledge what came over it: packet ids mean
    /// something else in the next session. The messages stay; the broker sends them again. Gives the number
    /// of acknowledgements dropped.
    pub(crate) fn connection_lost(&mut self) -> usize {
        let dropped = self.unacknowledged();
        self.packet_ids.clear();
        if let Some(at_journal) = &mut self.at_journal {
            at_journal.packet_ids.clear();
        }
        dropped
    }

    pub(crate) fn is_at_journal(&self) -> bool {
        self.at_journal.is_some()
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.packet_ids.len() + self.at_journal.as_ref().map_or(0, |batch| batch.packet_ids.len())
    }

    /// Bytes of messages that are not durable.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.builder.bytes() + self.entries_bytes + self.at_journal_bytes
    }
}

#[cfg(test)]
mod tests;
