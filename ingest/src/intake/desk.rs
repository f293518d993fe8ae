//! All of the intake but the session with the broker: takes messages in, hands batches to the journal, wakes
//! for commits and ticks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::arrivals::Arrivals;
use super::gathering::{Arrived, Batch, Bounds, Gathering, Moment, Taken};
use super::status::{IntakeStatus, Received, SourceState};
use super::{IntakeError, IntakeSettings, Start};
use crate::entry::Entry;
use crate::source::frame::Published;
use crate::source::mqtt::{Lost, Session};
use crate::time::Clock;

/// How long to let messages come together, and how many are enough to go on reading at once.
const REST: Duration = Duration::from_millis(1);
const REST_MESSAGES_MAX: usize = 32;
/// The wall clock may jump: no sleep until a tick is longer than this.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Everything of the intake but the session with the broker.
pub(super) struct Desk {
    clock: Arc<dyn Clock>,
    gathering: Gathering,
    waiting_bytes_max: usize,
    commit_interval: Duration,
    /// A quarter of the broker's window.
    rest_unacknowledged_max: usize,
    /// Room for one, and one is out at a time: sending never waits.
    batches: mpsc::Sender<Batch>,
    durable: mpsc::Receiver<()>,
    submitted: mpsc::Receiver<Entry>,
    status: Arc<IntakeStatus>,
    /// Wakes us for the commit or tick it was set for.
    alarm: Option<(Option<u64>, i64, Pin<Box<Sleep>>)>,
}

/// What the desk wants of whoever has the session.
pub(super) enum Attention {
    /// Done by itself.
    Nothing,
    /// These messages are durable.
    Acknowledge(Vec<u16>),
    /// It was asked to end.
    Stop,
}

impl Desk {
    pub(super) fn new(
        settings: &IntakeSettings,
        clock: Arc<dyn Clock>,
        start: Start,
        batches: mpsc::Sender<Batch>,
        durable: mpsc::Receiver<()>,
        submitted: mpsc::Receiver<Entry>,
        status: Arc<IntakeStatus>,
    ) -> Desk {
        let arrivals =
            Arrivals::new(start.last_at_ms, clock.now_ms(), start.last_epoch, settings.cut_interval);
        let now_us = clock.monotonic_us();
        let gathering = Gathering::new(Bounds::new(settings), arrivals, start.next_message, now_us);
        let mut desk = Desk {
            clock,
            gathering,
            waiting_bytes_max: settings.source.waiting_bytes_max,
            commit_interval: settings.commit_interval,
            rest_unacknowledged_max: usize::from(settings.source.inflight_window / 4),
            batches,
            durable,
            submitted,
            status,
            alarm: None,
        };
        for entry in start.opening {
            desk.gathering.submit(entry, desk.now());
        }
        desk
    }

    fn now(&self) -> Moment {
        Moment { ms: self.clock.now_ms(), us: self.clock.monotonic_us() }
    }

    pub(super) fn status(&self) -> Arc<IntakeStatus> {
        Arc::clone(&self.status)
    }

    /// Whether more than so many times the bound waits for the journal.
    pub(super) fn is_behind(&self, times: usize) -> bool {
        self.gathering.waiting_bytes() > self.waiting_bytes_max.saturating_mul(times)
    }

    /// Takes in what was submitted before the end, and ends the epoch.
    pub(super) async fn finish(&mut self) {
        while let Some(entry) = self.submitted.recv().await {
            self.gathering.submit(entry, self.now());
        }
        self.gathering.finish(self.now());
    }

    pub(super) fn tell_behind(&self, session: &Session) {
        let waiting_bytes = self.gathering.waiting_bytes();
        tracing::warn!(waiting_bytes, "the journal is behind: nothing is read from the broker");
        self.status.set_source(SourceState::Behind { address: session.address(), waiting_bytes });
    }

    /// Waits for the journal, a submitted entry or the time of a commit or tick, and does what that asks for.
    /// May be cancelled.
    pub(super) async fn attend(&mut self) -> Result<Attention, IntakeError> {
        let now = self.now();
        self.set_alarm(now);
        // What is submitted waits where it is while much waits for the journal: whoever asks is told to come again.
        let is_behind = self.is_behind(1);
        if is_behind && self.submitted.is_closed() {
            return Ok(Attention::Stop);
        }
        let Desk { alarm, durable, submitted, .. } = self;
        let (_, _, alarm) = alarm.as_mut().expect("it was just set");
        tokio::select! {
            biased;
            written = durable.recv() => {
                let packet_ids = self.written(written)?;
                Ok(Attention::Acknowledge(packet_ids))
            }
            entry = submitted.recv(), if !is_behind => match entry {
                None => Ok(Attention::Stop),
                Some(entry) => {
                    let now = self.now();
                    self.gathering.pass(now);
                    self.gathering.submit(entry, now);
                    self.hand_over_if_due(now)?;
                    Ok(Attention::Nothing)
                }
            },
            () = alarm => {
                self.alarm = None;
                let now = self.now();
                self.gathering.pass(now);
                self.status.set_clock_behind_ms(self.gathering.clock_behind_ms());
                self.hand_over_if_due(now)?;
                Ok(Attention::Nothing)
            }
        }
    }

    fn set_alarm(&mut self, now: Moment) {
        let due_us = self.gathering.due_us();
        let tick_ms = self.gathering.next_tick_ms();
        if self.alarm.as_ref().is_some_and(|&(for_us, for_ms, _)| (for_us, for_ms) == (due_us, tick_ms)) {
            return;
        }
        let now_ms = now.ms.saturating_add(self.gathering.clock_behind_ms());
        let to_tick = Duration::from_millis(u64::try_from(tick_ms.saturating_sub(now_ms)).unwrap_or(0));
        let to_commit =
            due_us.map_or(SLEEP_MAX, |due_us| Duration::from_micros(due_us.saturating_sub(now.us)));
        let wait = to_tick.min(to_commit).min(SLEEP_MAX);
        self.alarm = Some((due_us, tick_ms, Box::pin(sleep(wait))));
    }

    /// Takes the session's messages in, and tells how many there were.
    pub(super) fn take_in(&mut self, session: &mut Session) -> Result<usize, Lost> {
        let now = self.now();
        self.gathering.pass(now);
        let mut received = Received::default();
        let Desk { gathering, batches, status, .. } = self;
        let taken = session.take(status, |message| {
            received.redelivered += usize::from(message.is_redelivered);
            let Published { topic, payload, packet_id, .. } = &message;
            match gathering.message(Arrived { topic, payload, packet_id: *packet_id }, now) {
                Taken::Shed => return received.shed += 1,
                Taken::Cut => received.truncated += 1,
                Taken::Whole => {}
            }
            received.messages += 1;
            received.bytes += topic.len() + payload.len();
            if gathering.is_due(now.us)
                && let Some(batch) = gathering.take()
            {
                // That the journal's thread is gone is seen by the next `attend`.
                let _ = batches.try_send(batch);
            }
        });
        self.status.count_received(&received);
        self.status.set_unacknowledged(self.gathering.unacknowledged());
        taken.map(|()| received.messages + received.shed)
    }

    /// Sleeps a little after a read that brought few messages. Brokers send them one by one, and being woken
    /// for each costs many times what the message itself does. The whole thread sleeps, since the socket
    /// wakes whoever waits for anything; a commit takes longer than this anyway. Not while the broker may be
    /// waiting for us.
    pub(super) fn rest_after(&self, messages: usize) {
        let has_room = self.gathering.unacknowledged() < self.rest_unacknowledged_max;
        if (1..REST_MESSAGES_MAX).contains(&messages) && has_room && self.commit_interval >= REST * 4 {
            std::thread::sleep(REST);
        }
    }

    fn hand_over_if_due(&mut self, now: Moment) -> Result<(), IntakeError> {
        if self.gathering.is_due(now.us) {
            self.hand_over()?;
        }
        Ok(())
    }

    /// Gives the open batch to the journal, if it is free; tells whether it has one now.
    pub(super) fn hand_over(&mut self) -> Result<bool, IntakeError> {
        if let Some(batch) = self.gathering.take() {
            self.batches.try_send(batch).map_err(|_| IntakeError::JournalGone)?;
        }
        Ok(self.gathering.is_at_journal())
    }

    /// The packet ids to acknowledge once the batch at the journal is durable.
    pub(super) async fn durable(&mut self) -> Result<Vec<u16>, IntakeError> {
        let written = self.durable.recv().await;
        self.written(written)
    }

    fn written(&mut self, written: Option<()>) -> Result<Vec<u16>, IntakeError> {
        let committed = written.and_then(|()| self.gathering.committed()).ok_or(IntakeError::JournalGone)?;
        let now = self.now();
        self.status.count_commit(now.us.saturating_sub(committed.received_us));
        self.hand_over_if_due(now)?;
        Ok(committed.packet_ids)
    }

    pub(super) async fn acknowledge(
        &mut self,
        session: &mut Session,
        packet_ids: &[u16],
    ) -> Result<(), Lost> {
        if packet_ids.is_empty() {
            return Ok(());
        }
        if let Err(lost) = session.acknowledge(packet_ids).await {
            self.status.count_acknowledgements_dropped(packet_ids.len());
            return Err(lost);
        }
        self.status.count_acknowledged(packet_ids.len());
        self.status.set_unacknowledged(self.gathering.unacknowledged());
        Ok(())
    }

    pub(super) fn connection_lost(&mut self) {
        self.status.count_connection_lost();
        self.status.count_acknowledgements_dropped(self.gathering.connection_lost());
        self.status.set_unacknowledged(0);
    }
}
