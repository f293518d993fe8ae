//! What others may know of the intake while it runs: counts for `/metrics`, reasons for `/readyz`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Counts and states, written by the intake's threads, once a batch and never once a message.
#[derive(Debug)]
pub struct IntakeStatus {
    messages: Count,
    bytes: Count,
    commits: Count,
    acknowledged: Count,
    acknowledgements_dropped: Count,
    shed: Count,
    truncated: Count,
    redelivered: Count,
    reconnects: Count,
    unacknowledged: AtomicU64,
    unacknowledged_gauge: Gauge,
    acknowledge_delay: Histogram,
    clock_behind_ms: AtomicI64,
    source: Mutex<SourceState>,
    journal: Mutex<JournalState>,
}

/// A copy of the counts since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeCounts {
    /// Messages taken in, durable or on their way there.
    pub messages: u64,
    /// Bytes of their payloads and topics, as received.
    pub bytes: u64,
    /// Batches made durable.
    pub commits: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Acknowledgements not sent, because their connection was gone. The broker sends those messages again.
    pub acknowledgements_dropped: u64,
    /// QoS 0 messages lost because too much waited for the journal.
    pub shed: u64,
    /// Messages whose payload was too long to be kept whole. They are in quarantine.
    pub truncated: u64,
    /// Messages that the broker marked as sent before.
    pub redelivered: u64,
    /// Connections lost.
    pub reconnects: u64,
    /// Messages of QoS 1 that wait for their acknowledgement.
    pub unacknowledged: u64,
}

/// How it stands with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceState {
    Connecting { address: String },
    Failed { address: String, reason: String, retry_ms: u128 },
    Behind { address: String, waiting_bytes: usize },
    Connected { address: String },
    Subscribed,
    Refused { filters: Vec<String> },
    Stopped,
}

impl std::fmt::Display for SourceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SourceState::Connecting { address } => write!(f, "connecting to {address}"),
            SourceState::Failed { address, reason, retry_ms } => {
                write!(f, "connecting to {address} failed: {reason}, next try in ")?;
                match retry_ms {
                    0..1000 => write!(f, "{retry_ms} ms"),
                    _ => write!(f, "{:.1} s", *retry_ms as f64 / 1000.0),
                }
            }
            SourceState::Behind { address, waiting_bytes } => {
                write!(f, "{address} is not read: the journal is behind, {waiting_bytes} bytes wait for it")
            }
            SourceState::Connected { address } => write!(f, "connected to {address}, not subscribed yet"),
            SourceState::Subscribed => f.write_str("subscribed"),
            SourceState::Refused { filters } => {
                write!(f, "the broker refused to subscribe us to {}; ", filters.join(", "))?;
                f.write_str("allow it there or take the topic out of `[topics]`")
            }
            SourceState::Stopped => f.write_str("the intake was stopped"),
        }
    }
}

/// How it stands with the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JournalState {
    Writing,
    Full { folder: String },
    Waiting { reason: String },
    Failed { reason: String },
}

impl std::fmt::Display for JournalState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalState::Writing => f.write_str("journal: writing"),
            JournalState::Full { folder } => write!(f, "journal: no space in {folder}, waiting"),
            JournalState::Waiting { reason } => write!(f, "nothing is acknowledged: {reason}"),
            JournalState::Failed { reason } => write!(f, "journal: failed: {reason}"),
        }
    }
}

/// A count for us and for Prometheus.
#[derive(Debug)]
struct Count {
    total: AtomicU64,
    counter: Counter,
}

impl Count {
    fn new(counter: Counter) -> Self {
        Count { total: AtomicU64::new(0), counter }
    }

    fn add(&self, count: usize) {
        if count > 0 {
            self.total.fetch_add(count as u64, Ordering::Relaxed);
            self.counter.increment(count as u64);
        }
    }

    fn get(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

impl IntakeStatus {
    pub(crate) fn new(client: &str, address: &str) -> Self {
        // `andon_ingest_messages_total` is the count of the conservation law; this is what this process took in.
        let messages = counter!("andon_ingest_received_messages_total", "client" => client.to_owned());
        IntakeStatus {
            messages: Count::new(messages),
            bytes: Count::new(counter!("andon_ingest_bytes_total")),
            commits: Count::new(counter!("andon_ingest_commits_total")),
            acknowledged: Count::new(counter!("andon_ingest_acknowledged_messages_total")),
            acknowledgements_dropped: Count::new(counter!("andon_ingest_acknowledgements_dropped_total")),
            // In /metrics by way of the status, as one of the service's counts.
            shed: Count::new(Counter::noop()),
            truncated: Count::new(counter!("andon_ingest_truncated_messages_total")),
            redelivered: Count::new(counter!("andon_ingest_redelivered_messages_total")),
            reconnects: Count::new(counter!("andon_ingest_reconnects_total")),
            unacknowledged: AtomicU64::new(0),
            unacknowledged_gauge: gauge!("andon_ingest_unacked_messages"),
            acknowledge_delay: histogram!("andon_ingest_ack_delay_seconds"),
            clock_behind_ms: AtomicI64::new(0),
            source: Mutex::new(SourceState::Connecting { address: address.to_owned() }),
            journal: Mutex::new(JournalState::Writing),
        }
    }

    /// The counts as they are now.
    #[must_use]
    pub fn counts(&self) -> IntakeCounts {
        IntakeCounts {
            messages: self.messages.get(),
            bytes: self.bytes.get(),
            commits: self.commits.get(),
            acknowledged: self.acknowledged.get(),
            acknowledgements_dropped: self.acknowledgements_dropped.get(),
            shed: self.shed.get(),
            truncated: self.truncated.get(),
            redelivered: self.redelivered.get(),
            reconnects: self.reconnects.get(),
            unacknowledged: self.unacknowledged.load(Ordering::Relaxed),
        }
    }

    /// Why messages do not come in and through, one line each; empty when all is well.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let source = lock(&self.source);
        let journal = lock(&self.journal);
        let source = (*source != SourceState::Subscribed).then(|| source.to_string());
        let journal = (*journal != JournalState::Writing).then(|| journal.to_string());
        let behind_s = self.clock_behind_ms.load(Ordering::Relaxed) / 1000;
        let clock = (behind_s > 0).then(|| {
            format!("the clock of this machine is {behind_s} s behind the journal's newest entry, from which time goes on; set it")
        });
        source.into_iter().chain(journal).chain(clock).collect()
    }

    /// How it stands with the broker, in words: `subscribed` when all is well.
    #[must_use]
    pub fn source(&self) -> String {
        lock(&self.source).to_string()
    }

    /// How it stands with the journal, in words.
    #[must_use]
    pub fn journal(&self) -> String {
        lock(&self.journal).to_string()
    }

    pub(crate) fn set_source(&self, state: SourceState) {
        *lock(&self.source) = state;
    }

    pub(super) fn set_clock_behind_ms(&self, behind_ms: i64) {
        self.clock_behind_ms.store(behind_ms, Ordering::Relaxed);
    }

    pub(crate) fn set_journal(&self, state: JournalState) {
        *lock(&self.journal) = state;
    }

    pub(super) fn count_received(&self, received: &Received) {
        self.messages.add(received.messages);
        self.bytes.add(received.bytes);
        self.shed.add(received.shed);
        self.truncated.add(received.truncated);
        self.redelivered.add(received.redelivered);
    }

    pub(super) fn count_commit(&self, delay_us: u64) {
        self.commits.add(1);
        self.acknowledge_delay.record(delay_us as f64 / 1e6);
    }

    pub(super) fn count_acknowledged(&self, messages: usize) {
        self.acknowledged.add(messages);
    }

    pub(super) fn count_acknowledgements_dropped(&self, messages: usize) {
        self.acknowledgements_dropped.add(messages);
    }

    pub(super) fn count_connection_lost(&self) {
        self.reconnects.add(1);
    }

    pub(super) fn set_unacknowledged(&self, messages: usize) {
        if self.unacknowledged.swap(messages as u64, Ordering::Relaxed) != messages as u64 {
            self.unacknowledged_gauge.set(messages as f64);
        }
    }
}

/// What one look at the socket brought.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) shed: usize,
    pub(super) truncated: usize,
    pub(super) redelivered: usize,
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
