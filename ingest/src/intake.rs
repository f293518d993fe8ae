//! The loop from source to journal to acknowledgement.
//!
//! ```text
//!  broker ──► thread andon-intake ──batch──► thread andon-journal ──durable entries──► engine
//!    ▲          one open batch     (room 1)     append, fdatasync      (bounded)
//!    └─ PUBACK ─┘  ◄──────────── durable ───────────┘
//! ```
//!
//! * **One order.** Only `andon-intake` decides what comes after what: it numbers messages, places ticks
//!   and cuts between them and hands over whole batches, one at a time. While one is being written the
//!   next gathers, so a slow disk makes larger batches and not a longer queue.
//! * **Group commit.** A batch goes to the journal after `commit_interval`, at `commit_bytes`, or when half
//!   of the broker's window waits for it, whichever is first ([`gathering`]).
//! * **Acknowledged means durable.** PUBACKs leave after fdatasync, in the order of receipt, many in one
//!   write. Those of a connection that is gone are dropped and counted: the broker sends these messages
//!   again, and packet ids start anew in a new session.
//! * **The connection lives on**, however far behind the journal is. QoS 1 is bounded by the broker's window,
//!   since nothing is acknowledged; QoS 0 beyond `waiting_bytes_max` is shed and counted. A broker that
//!   sends QoS 1 beyond its window (Mosquitto 2.0, emptying the queue of a session) is not read while twice
//!   that waits, and after a lost connection the next is made only below it: so reconnecting cannot pile
//!   up one window after the other. Pings go on in all cases.
//! * **A full disk** is waited for: the batch is kept, nothing is acknowledged, the status says so. Any
//!   other error of the journal ends the intake; the engine sees its channel close, and
//!   [`IntakeHandle::join`] says why.

pub(crate) mod arrivals;

pub mod by_hand;

mod committer;

mod desk;

pub(crate) mod gathering;

pub mod handover;

mod receiver;

pub mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use arrivals::Arrivals;
pub use handover::{EntryReceiver, EntrySender, handover};
pub use status::{IntakeCounts, IntakeStatus};

use crate::config::SourceSettings;
use crate::entry::Entry;
use crate::source::SourceError;
use crate::source::mqtt::Session;
use crate::time::{Clock, Epoch, Offset};

/// The journal, as the intake needs it.
pub trait Log: Send {
    /// Puts the entry at the next offset. Not durable yet.
    ///
    /// # Errors
    /// [`LogError::Full`] and [`LogError::Waiting`] when the same call can be made again.
    fn append(&mut self, entry: &Entry) -> Result<Offset, LogError>;

    /// Makes all appended entries durable.
    ///
    /// # Errors
    /// As for `append`.
    fn sync(&mut self) -> Result<(), LogError>;
}

/// Why a [`Log`] could not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Trying the same call again helps once there is room.
    #[error("no space in {folder}")]
    Full { folder: String },
    /// Trying the same call again helps once others have done their part, such as a mirror.
    #[error("{reason}")]
    Waiting { reason: String },
    /// Nothing helps; what was appended since the last sync is in doubt.
    #[error("{reason}")]
    Failed { reason: String },
}

/// What the intake is told.
#[derive(Clone, Debug)]
pub struct IntakeSettings {
    pub source: SourceSettings,
    /// MQTT topic filters to subscribe to.
    pub filters: Vec<String>,
    /// A group commit happens after this long or this much, whichever is first.
    pub commit_interval: Duration,
    pub commit_bytes: usize,
    /// Arrival time between two cuts.
    pub cut_interval: Duration,
}

/// Where the journal ends, and what to begin with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Ordinal of the next message; 1 in an empty journal.
    pub next_message: u64,
    /// Time of the last entry that has one. The seconds since then become one silent stretch.
    pub last_at_ms: Option<i64>,
    /// Epoch of the last cut.
    pub last_epoch: Epoch,
    /// Entries before anything else: the configuration.
    pub opening: Vec<Entry>,
}

/// An entry that is safe on disk, on its way to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    pub offset: Offset,
    pub entry: Entry,
    /// [`Clock::monotonic_us`] when the first message of it came in; for latencies.
    pub received_us: u64,
}

/// Why the intake ended, or could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("cannot start the thread `{name}`: {reason}")]
    Thread { name: &'static str, reason: String },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the journal failed: {0}; nothing since its last sync was acknowledged, restart to recover")]
    Journal(LogError),
    #[error("stopped while the journal had {0}; {1} entries were not written")]
    StoppedFull(LogError, usize),
    #[error("stopped while waiting: {0}; what was not acknowledged comes again")]
    StoppedWaiting(LogError),
    #[error("the engine takes no more entries")]
    EngineGone,
    #[error("the journal's thread is gone")]
    JournalGone,
    #[error("the intake was stopped")]
    Stopped,
    #[error("{waiting} entries already wait to be taken in; try again")]
    Busy { waiting: usize },
    #[error("the thread `{name}` panicked")]
    Panicked { name: &'static str },
}

/// Entries submitted and not taken in yet; beyond, [`IntakeError::Busy`].
const SUBMITTED_MAX: usize = 64;

/// The running intake. Dropping it stops the intake as [`shutdown`](Self::shutdown) does, unawaited.
#[derive(Debug)]
pub struct IntakeHandle {
    status: Arc<IntakeStatus>,
    submissions: Submitter,
    /// Ends the wait for a full disk.
    stopping: Arc<AtomicBool>,
    receiver: JoinHandle<Result<(), IntakeError>>,
    committer: JoinHandle<Result<(), IntakeError>>,
}

impl IntakeHandle {
    /// Starts the threads `andon-intake` and `andon-journal`. Durable entries go to `entries` in the order
    /// of the journal; its bound is the back-pressure of the engine on the journal. Install the metrics
    /// recorder before.
    ///
    /// # Errors
    /// When the settings cannot work, or a thread cannot be started. A broker that is not there is no error.
    pub fn spawn(
        settings: IntakeSettings,
        log: Box<dyn Log>,
        clock: Arc<dyn Clock>,
        start: Start,
        entries: EntrySender,
    ) -> Result<IntakeHandle, IntakeError> {
        let payload_bytes_max = gathering::Bounds::new(&settings).payload_bytes_max;
        let session =
            Session::new(&settings.source, &settings.filters, payload_bytes_max, Arc::clone(&clock))?;
        let status = Arc::new(IntakeStatus::new(&settings.source.client_id, &session.address()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (submissions, submitted) = tokio::sync::mpsc::channel(SUBMITTED_MAX);
        // One batch is at the journal, the next gathers: see the head of this module.
        let (batches, batches_to_write) = tokio::sync::mpsc::channel(1);
        let (durable, durable_batches) = tokio::sync::mpsc::channel(1);

        let committer = committer::Committer {
            log,
            batches: batches_to_write,
            durable,
            entries,
            status: Arc::clone(&status),
            stopping: Arc::clone(&stopping),
        };
        let committer = spawn_thread("andon-journal", move || committer.run())?;
        let desk = desk::Desk::new(
            &settings,
            clock,
            start,
            batches,
            durable_batches,
            submitted,
            Arc::clone(&status),
        );
        let receiver = spawn_thread("andon-intake", move || receiver::run(session, desk))?;
        let submissions = Submitter(Arc::new(Mutex::new(Some(submissions))));
        Ok(IntakeHandle { status, submissions, stopping, receiver, committer })
    }

    /// What others may know of the intake while it runs, and after.
    #[must_use]
    pub fn status(&self) -> Arc<IntakeStatus> {
        Arc::clone(&self.status)
    }

    /// As [`Submitter::submit`].
    ///
    /// # Errors
    /// Those.
    pub fn submit(&self, entry: Entry) -> Result<(), IntakeError> {
        self.submissions.submit(entry)
    }

    /// The way for others to submit entries.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        self.submissions.clone()
    }

    /// Asks the intake to end: a final commit with a last cut, its acknowledgements, DISCONNECT. Returns at
    /// once; the entries must be taken until their channel closes.
    pub fn shutdown(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.submissions.close();
    }

    /// Whether both threads have ended, by themselves or after [`shutdown`](Self::shutdown).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.receiver.is_finished() && self.committer.is_finished()
    }

    /// Stops and waits for the end. Another thread must take the entries meanwhile, or have dropped its end.
    ///
    /// # Errors
    /// What ended the intake before it was asked to, or kept it from ending well.
    pub fn join(self) -> Result<(), IntakeError> {
        self.shutdown();
        let received = joined("andon-intake", self.receiver);
        // The journal's reason is the cause where both have one.
        joined("andon-journal", self.committer)?;
        received
    }
}

/// Puts entries into the order of a running intake, from any thread.
#[derive(Clone, Debug)]
pub struct Submitter(Arc<Mutex<Option<tokio::sync::mpsc::Sender<Entry>>>>);

impl Submitter {
    /// Puts an entry between the messages that have come and those that will.
    ///
    /// # Errors
    /// [`IntakeError::Busy`] when 64 wait already, [`IntakeError::Stopped`] after the end.
    pub fn submit(&self, entry: Entry) -> Result<(), IntakeError> {
        use tokio::sync::mpsc::error::TrySendError;

        let submissions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(submissions) = submissions.as_ref() else { return Err(IntakeError::Stopped) };
        submissions.try_send(entry).map_err(|error| match error {
            TrySendError::Full(_) => IntakeError::Busy { waiting: SUBMITTED_MAX },
            TrySendError::Closed(_) => IntakeError::Stopped,
        })
    }

    /// The order to stop.
    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn spawn_thread(
    name: &'static str,
    run: impl FnOnce() -> Result<(), IntakeError> + Send + 'static,
) -> Result<JoinHandle<Result<(), IntakeError>>, IntakeError> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(run).map_err(|error| IntakeError::Thread { name, reason: error.to_string() })
}

fn joined(name: &'static str, thread: JoinHandle<Result<(), IntakeError>>) -> Result<(), IntakeError> {
    thread.join().unwrap_or(Err(IntakeError::Panicked { name }))
}
