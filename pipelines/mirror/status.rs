//! How it stands with the mirror: what the journal's thread, the mirror's and the engine's tell each other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest::entry::Entry;
use ingest::intake::LogError;
use ingest::journal::Place;
use ingest::time::{Clock, Offset};
use tokio::sync::Notify;

pub use self::told::Behind;
use super::lag::Lag;
use super::manifest::Offered;
use super::tail::{Tail, Work};
use crate::config::{Ack, MirrorSettings, Takeover};

mod told;

/// The journal's thread looks around this often while it waits for the mirror.
const PATIENCE: Duration = Duration::from_millis(250);
/// A mirror that takes no longer than this is at work, and not away.
const SLOW_US: u64 = 2_000_000;

/// Shared by all threads of a leader.
#[derive(Debug)]
pub struct MirrorStatus {
    ack: Ack,
    takeover: Takeover,
    behind_bytes_max: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Condvar,
    /// There is something to put, or to give up.
    pub(super) work: Notify,
}

#[derive(Debug)]
struct State {
    tail: Tail,
    lag: Lag,
    /// Bytes and end of what was appended and not synced.
    unsynced: (u64, Offset),
    /// Every entry below may be put into the mirror, is durable here, and is in the mirror.
    ready: Offset,
    durable: Offset,
    mirrored: Offset,
    /// Ordinals of the next message: behind all that was appended, is durable, and is in the mirror.
    next_message: u64,
    durable_message: u64,
    mirrored_message: u64,
    /// By [`Clock::boot_us`]: until then we may acknowledge.
    permitted_until_us: u64,
    trouble: Option<String>,
    fenced: Option<String>,
    is_stopped: bool,
    offered: Option<Offered>,
}

impl MirrorStatus {
    /// With a journal that ends at `durable`, of which the mirror has what is before `mirrored`.
    #[must_use]
    pub fn new(settings: &MirrorSettings, clock: Arc<dyn Clock>, durable: Place, mirrored: Place) -> Self {
        let (next_message, mirrored_message) = (durable.next_message, mirrored.next_message);
        let (durable, mirrored) = (durable.offset, mirrored.offset);
        let mut lag = Lag::default();
        if mirrored < durable {
            lag.appended(durable, 0, clock.boot_us());
        }
        MirrorStatus {
            ack: settings.ack,
            takeover: settings.takeover,
            behind_bytes_max: settings.behind_bytes_max,
            clock,
            state: Mutex::new(State {
                tail: Tail::at(durable),
                lag,
                unsynced: (0, durable),
                ready: durable,
                durable,
                mirrored,
                next_message,
                durable_message: next_message,
                mirrored_message,
                permitted_until_us: 0,
                trouble: None,
                fenced: None,
                is_stopped: false,
                offered: None,
            }),
            changed: Condvar::new(),
            work: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// An entry is in the journal, not durable yet.
    pub(super) fn appended(&self, offset: Offset, entry: &Entry) {
        let mut state = self.lock();
        state.tail.push(entry.clone());
        state.unsynced.0 += super::tail::size_of_entry(entry) as u64;
        state.unsynced.1 = offset.next();
        state.next_message += entry.messages().map_or(0, |messages| u64::from(messages.messages()));
    }

    /// All that was appended is about to become durable here, and in the mirror meanwhile if both are waited for: what a
    /// power cut leaves there alone is taken back ([`super::regained`]).
    pub(super) fn syncing(&self) {
        if self.ack == Ack::Mirrored {
            self.make_ready(&mut self.lock());
        }
    }

    /// All that was appended is durable here.
    pub(super) fn synced(&self) {
        let mut state = self.lock();
        self.make_ready(&mut state);
        state.durable = state.ready;
        state.durable_message = state.next_message;
    }

    fn make_ready(&self, state: &mut State) {
        let (bytes, end) = std::mem::take(&mut state.unsynced);
        if bytes > 0 {
            state.lag.appended(end, bytes, self.clock.boot_us());
            state.ready = end;
            self.work.notify_one();
        }
    }

    /// Waits until what is durable may be acknowledged.
    ///
    /// # Errors
    /// [`LogError::Waiting`] after a while, with what it waits for; [`LogError::Failed`] once another leads.
    pub(super) fn wait_until_acknowledgeable(&self) -> Result<(), LogError> {
        let mut state = self.lock();
        let since_us = self.clock.boot_us();
        loop {
            let now_us = self.clock.boot_us();
            let Err(error) = self.verdict(&state, now_us) else { return Ok(()) };
            let is_over = state.is_stopped || state.trouble.is_some() || now_us - since_us > SLOW_US;
            let is_patient = !is_over || now_us - since_us <= PATIENCE.as_micros() as u64;
            if matches!(error, LogError::Failed { .. }) || !is_patient {
                return Err(error);
            }
            let waited = self.changed.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether what is durable may be acknowledged, as it stands.
    ///
    /// # Errors
    /// As [`wait_until_acknowledgeable`](Self::wait_until_acknowledgeable), at once.
    pub(super) fn acknowledgeable(&self) -> Result<(), LogError> {
        self.verdict(&self.lock(), self.clock.boot_us())
    }

    fn verdict(&self, state: &State, now_us: u64) -> Result<(), LogError> {
        if let Some(reason) = &state.fenced {
            return Err(LogError::Failed { reason: reason.clone() });
        }
        self.in_the_way(state, now_us).map_or(Ok(()), |reason| Err(LogError::Waiting { reason }))
    }

    fn in_the_way(&self, state: &State, now_us: u64) -> Option<String> {
        let trouble = || state.trouble.clone().unwrap_or_else(|| "the mirror is slow".to_owned());
        if now_us >= state.permitted_until_us {
            return Some(format!("the lease is not renewed: {}", trouble()));
        }
        if self.ack == Ack::Mirrored && state.mirrored < state.durable {
            return Some(trouble());
        }
        if state.lag.bytes() > self.behind_bytes_max {
            return Some(format!("the mirror is more than `mirror.behind_bytes_max` behind: {}", trouble()));
        }
        None
    }

    /// What to put behind `from`, of about `bytes_max`.
    pub(super) fn work_from(&self, from: Offset, bytes_max: usize) -> Work {
        let state = self.lock();
        if from >= state.ready {
            return Work::Nothing;
        }
        let entries = state.tail.get(from, state.ready, bytes_max);
        entries.map_or(Work::Behind(state.ready), Work::Entries)
    }

    /// The mirror has all entries before `end`.
    pub(super) fn set_mirrored(&self, end: Place) {
        self.change(|state| {
            state.mirrored_message = end.next_message;
            let end = end.offset;
            state.mirrored = end;
            state.lag.mirrored(end);
            state.tail.drop_before(end);
        });
    }

    /// We may acknowledge until then, by [`Clock::boot_us`].
    pub(super) fn permit(&self, until_us: u64) {
        self.change(|state| state.permitted_until_us = state.permitted_until_us.max(until_us));
    }

    /// Whether the permission has run out.
    pub(super) fn is_lapsed(&self) -> bool {
        self.clock.boot_us() >= self.lock().permitted_until_us
    }

    /// Whether something may leave the house: nobody else can lead.
    #[must_use]
    pub fn may_send(&self) -> bool {
        !self.is_lapsed() && self.fenced().is_none()
    }

    /// Whether we may go on while the mirror is away.
    pub(super) fn may_be_alone(&self) -> bool {
        self.ack == Ack::Local && self.takeover == Takeover::Manual
    }

    /// The mirror does not do its part, and why; or does it again.
    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.change(|state| match (&state.trouble, &trouble) {
            (None, Some(reason)) => tracing::warn!(reason, "the mirror falls behind"),
            (Some(_), None) => tracing::info!("the mirror is back"),
            _ => {}
        });
        self.change(|state| state.trouble = trouble);
    }

    /// Another leads: nothing is acknowledged any more.
    pub(super) fn fence(&self, reason: String) {
        tracing::error!(reason, "this process does not lead any more");
        self.change(|state| {
            state.permitted_until_us = 0;
            state.fenced.get_or_insert(reason);
        });
        self.work.notify_one();
    }

    /// Why another leads, if so.
    #[must_use]
    pub fn fenced(&self) -> Option<String> {
        self.lock().fenced.clone()
    }

    /// The service ends: waiting is over.
    pub fn stop(&self) {
        self.change(|state| state.is_stopped = true);
        self.work.notify_one();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// Every entry below is in the mirror.
    #[must_use]
    pub fn mirrored(&self) -> Offset {
        self.lock().mirrored
    }

    /// Waits until the mirror has all that is durable; whether it has.
    #[must_use]
    pub fn wait_until_mirrored(&self, patience: Duration) -> bool {
        let is_behind = |state: &mut State| state.mirrored < state.durable && state.fenced.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_behind);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.mirrored >= state.durable
    }

    /// A checkpoint for the mirror. One that still waits is replaced: the newer serves better.
    pub fn offer(&self, checkpoint: Offered) {
        self.change(|state| state.offered = Some(checkpoint));
        self.work.notify_one();
    }

    /// The checkpoint that waits, once the journal up to it is mirrored.
    pub(super) fn take_offered(&self) -> Option<Offered> {
        let mut state = self.lock();
        let mirrored = state.mirrored.0;
        state.offered.take_if(|offered| offered.manifest.resume_at <= mirrored)
    }
}
