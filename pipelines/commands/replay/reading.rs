//! Recordings as entries, read and decoded ahead on a thread of their own.

use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use ingest::decode::{Ahead, AheadDecoder, REJECT_BYTES_MAX};
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
    /// Messages, decoded as far as that can be done before those ahead of them are applied.
    Intake(Intake, Ahead),
    /// A line that is none.
    Unreadable(Reject),
    /// They do not read on.
    Failed(RecordingError),
}

/// Recordings, merged by time, that are read ahead.
#[derive(Debug)]
pub(super) struct Reading {
    read: Receiver<Read>,
    spent: SyncSender<(Intake, Ahead)>,
    thread: JoinHandle<()>,
}

impl Reading {
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn spawn(
        inputs: Vec<Recording>,
        cut_interval: Duration,
        decoder: AheadDecoder,
    ) -> std::io::Result<Self> {
        let (to, read) = sync_channel(WAITING_ENTRIES_MAX);
        let (spent, back) = sync_channel(WAITING_ENTRIES_MAX);
        let mut reader = Reader {
            to,
            back,
            intake: IntakeBuilder::new(),
            decoder,
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

    /// An intake has been applied: whoever reads fills its memory again. What finds no room there is dropped.
    pub(super) fn give_back(&self, intake: Intake, ahead: Ahead) {
        let _ = self.spent.try_send((intake, ahead));
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
    back: Receiver<(Intake, Ahead)>,
    intake: IntakeBuilder,
    decoder: AheadDecoder,
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
        let intake = self.intake.finish(self.next_message);
        self.next_message += messages;
        for (intake, ahead) in self.back.try_iter() {
            self.intake.reuse(intake);
            self.decoder.reuse(ahead);
        }
        let ahead = self.decoder.decode(&intake);
        self.to.send(Read::Intake(intake, ahead))
    }
}
