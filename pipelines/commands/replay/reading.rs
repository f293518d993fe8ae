//! Recordings as entries, read ahead on a thread of their own.

use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use ingest::decode::REJECT_BYTES_MAX;
use ingest::entry::{Entry, Intake, IntakeBuilder};
use ingest::intake::Arrivals;
use ingest::readings::{Reason, Reject};
use ingest::recording::{MergedRecordings, Recorded, RecordedMessages, Recording, RecordingError};
use ingest::time::Epoch;

/// An intake entry is handed on at this size: its topics are looked up once.
pub const INTAKE_BYTES: usize = 1 << 20;
/// Entries that may wait to be applied; who reads waits at the bound.
const WAITING_ENTRIES_MAX: usize = 4;

/// What recordings hold, in order.
#[derive(Debug)]
pub(super) enum Read {
    Entry(Entry),
    /// A line that is none.
    Unreadable(Reject),
    /// They do not read on.
    Failed(RecordingError),
}

/// Recordings, merged by time, that are read ahead.
#[derive(Debug)]
pub(super) struct Reading {
    read: Receiver<Read>,
    spent: SyncSender<Intake>,
    thread: JoinHandle<()>,
}

impl Reading {
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn spawn(inputs: Vec<Recording>, cut_interval: Duration) -> std::io::Result<Self> {
        let (to, read) = sync_channel(WAITING_ENTRIES_MAX);
        let (spent, back) = sync_channel(WAITING_ENTRIES_MAX);
        let mut reader = Reader {
            to,
            back,
            intake: IntakeBuilder::new(),
            next_message: 1,
            recordings: MergedRecordings::new(inputs),
        };
        let run = move || {
            // Nobody listens any more where applying has failed.
            let _ = reader.run(cut_interval);
        };
        let thread = Builder::new().name("andon-reading".into()).spawn(run)?;
        Ok(Reading { read, spent, thread })
    }

    /// The next, as long as there is one.
    pub(super) fn next(&self) -> Option<Read> {
        self.read.recv().ok()
    }

    /// An entry has been applied: whoever reads fills its memory again. What finds no room there is dropped.
    pub(super) fn give_back(&self, entry: Entry) {
        if let Entry::Intake(intake) = entry {
            let _ = self.spent.try_send(intake);
        }
    }

    /// After the last.
    pub(super) fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Reader {
    to: SyncSender<Read>,
    back: Receiver<Intake>,
    intake: IntakeBuilder,
    next_message: u64,
    recordings: MergedRecordings,
}

impl Reader {
    fn run(&mut self, cut_interval: Duration) -> Result<(), SendError<Read>> {
        let mut arrivals: Option<Arrivals> = None;
        loop {
            match self.recordings.advance() {
                Ok(true) => {}
                Ok(false) => return self.flush(),
                Err(error) => return self.to.send(Read::Failed(error)),
            }
            let message = self.recordings.current();
            let at_ms = message.arrived_ms();
            let arrivals = arrivals.get_or_insert_with(|| Arrivals::new(None, at_ms, Epoch(0), cut_interval));
            if let Some(passed) = arrivals.pass(at_ms) {
                self.flush()?;
                passed
                    .tick
                    .into_iter()
                    .chain(passed.cut)
                    .try_for_each(|entry| self.to.send(Read::Entry(entry)))?;
            }
            let number = self.recordings.topic_number();
            // Asked for again, since it lends the recordings.
            match self.recordings.current() {
                Recorded::Message { topic, payload, .. } => {
                    self.intake.push_numbered(topic, number, payload, arrivals.last_ms())
                }
                Recorded::Unreadable { raw, detail, .. } => {
                    let reject = Reject {
                        message: self.next_message + u64::from(self.intake.messages()),
                        arrived_ms: arrivals.last_ms(),
                        topic: "".into(),
                        payload: raw[..raw.len().min(REJECT_BYTES_MAX)].into(),
                        reason: Reason::NotARecordingLine,
                        detail: detail.to_owned(),
                        metric: None,
                    };
                    self.flush()?;
                    self.next_message += 1;
                    self.to.send(Read::Unreadable(reject))?;
                }
            }
            if self.intake.bytes() >= INTAKE_BYTES {
                self.flush()?;
            }
        }
    }

    fn flush(&mut self) -> Result<(), SendError<Read>> {
        if self.intake.is_empty() {
            return Ok(());
        }
        let messages = u64::from(self.intake.messages());
        let entry = Entry::Intake(self.intake.finish(self.next_message));
        self.next_message += messages;
        self.back.try_iter().for_each(|spent| self.intake.reuse(spent));
        self.to.send(Read::Entry(entry))
    }
}
