//! One thread a sink: bounded queue, order, retry.
//!
//! The engine calls a [`Delivery`] and goes on; the sink works on a thread of its own, named `andon-sink-NAME`,
//! in the order of the calls. A passing error (a full disk, a store that is down) is tried again until it
//! passes, with a pause that grows; [`Delivery::state`] says meanwhile what is waited for. Any other error ends the
//! delivery: the next call returns it, and so do all after it.
//!
//! Bound: at `queue_rows_max` rows [`Delivery::write`] blocks the engine. That is the back-pressure: rows wait in
//! the journal, not in memory. Nothing is dropped.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use ingest::time::{Epoch, Offset};

use crate::emission::Emission;
use crate::parquet::StreamSettings;
use crate::sink::{Receipt, Sink, SinkError};

mod answers;
mod fanout;
#[cfg(test)]
mod tests;
mod worker;

pub use answers::Answers;
pub use fanout::{Fanout, Route, Stopper};

/// First pause after a passing error; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause: a store that is back is used again after at most this.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// See [`weight`]; what a row of telemetry is worth.
const TEXT_BYTES_OF_A_ROW: usize = 256;

/// A sink on its thread.
#[derive(Debug)]
pub struct Delivery {
    name: String,
    shared: Arc<Shared>,
    queue_rows_max: usize,
    thread: Option<JoinHandle<()>>,
}

/// How a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Working,
    /// A passing error is tried again; the text says which, and that it waits.
    Waiting(String),
    /// It has ended with this error.
    Ended(SinkError),
}

/// An answer that is still to come.
#[derive(Debug)]
pub struct Answer<T> {
    name: String,
    from: Receiver<Result<T, SinkError>>,
}

impl<T> Answer<T> {
    /// The answer, if it is there.
    fn look(&self) -> Option<Result<T, SinkError>> {
        match self.from.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(stopped(&self.name))),
        }
    }

    /// Blocks until it is there.
    pub fn wait(self) -> Result<T, SinkError> {
        self.from.recv().unwrap_or_else(|_| Err(stopped(&self.name)))
    }
}

#[derive(Debug)]
enum Call {
    Write(Emission),
    Extend(Vec<StreamSettings>),
    Prepare(Epoch, Offset, SyncSender<Result<Receipt, SinkError>>),
    Commit(Epoch, Receipt, SyncSender<Result<(), SinkError>>),
    Supersede(Epoch),
    Finish(SyncSender<Result<(), SinkError>>),
}

/// What both threads see.
#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something was put in, taken out, or ended.
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    calls: VecDeque<Call>,
    /// Rows of `calls` and of the call that is being worked on, by [`weight`].
    rows: usize,
    state: DeliveryState,
    /// No more calls come; waiting is given up.
    is_stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue whole: each change is one assignment.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }
}

/// How many rows an emission stands for in the queue: a row of long text, such as a payload in quarantine, stands for
/// several, so that the bound in rows is one in bytes, too.
fn weight(emission: &Emission) -> usize {
    let text_bytes = emission.rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8 => span(column.as_string::<i32>().value_offsets()),
        DataType::Binary => span(column.as_binary::<i32>().value_offsets()),
        _ => 0,
    });
    emission.rows.num_rows() + text_bytes.sum::<usize>() / TEXT_BYTES_OF_A_ROW
}

fn span(offsets: &[i32]) -> usize {
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    usize::try_from(last - first).unwrap_or(0)
}

fn stopped(name: &str) -> SinkError {
    SinkError::Unavailable {
        sink: name.to_owned(),
        target: "its target".to_owned(),
        reason: "the program is stopping; what is not committed comes again from the journal".to_owned(),
    }
}

impl Delivery {
    /// Starts the thread. Errors: the system has no thread to give.
    pub fn spawn(sink: Box<dyn Sink>, queue_rows_max: usize) -> std::io::Result<Delivery> {
        let name = sink.name().to_owned();
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                calls: VecDeque::new(),
                rows: 0,
                state: DeliveryState::Working,
                is_stopped: false,
            }),
            changed: Condvar::new(),
        });
        let thread = worker::spawn(sink, Arc::clone(&shared))?;
        Ok(Delivery { name, shared, queue_rows_max, thread: Some(thread) })
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands rows over; blocks while the queue is full. Errors: the delivery has ended.
    pub fn write(&self, emission: Emission) -> Result<(), SinkError> {
        let rows = weight(&emission);
        let mut queue = self.shared.lock();
        // An emission that is larger than the whole queue goes in alone.
        while queue.rows > 0 && queue.rows + rows > self.queue_rows_max {
            self.check(&queue)?;
            queue = self.shared.wait(queue);
        }
        queue.rows += rows;
        self.put(queue, Call::Write(emission))
    }

    /// Rows of these streams may come from now on. Errors: the delivery has ended.
    pub fn extend(&self, streams: &[StreamSettings]) -> Result<(), SinkError> {
        self.put(self.shared.lock(), Call::Extend(streams.to_vec()))
    }

    /// All rows handed over so far are durable when the answer is there.
    pub fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<Answer<Receipt>, SinkError> {
        self.ask(|answer| Call::Prepare(epoch, resume_at, answer))
    }

    /// The epoch is shown when the answer is there.
    pub fn commit(&self, epoch: Epoch, receipt: Receipt) -> Result<Answer<()>, SinkError> {
        self.ask(|answer| Call::Commit(epoch, receipt, answer))
    }

    /// The receipt of this epoch will not be committed, see [`Sink::supersede`]. Errors: the delivery has ended.
    pub fn supersede(&self, epoch: Epoch) -> Result<(), SinkError> {
        self.put(self.shared.lock(), Call::Supersede(epoch))
    }

    /// The input has ended; everything is written when the answer is there.
    pub fn finish(&self) -> Result<Answer<()>, SinkError> {
        self.ask(Call::Finish)
    }

    /// For `/readyz`.
    #[must_use]
    pub fn state(&self) -> DeliveryState {
        self.shared.lock().state.clone()
    }

    /// Gives up: what is queued is not delivered, calls that wait return. The journal still has it.
    pub fn stop(&self) {
        self.shared.stop();
    }

    fn ask<T>(
        &self,
        call: impl FnOnce(SyncSender<Result<T, SinkError>>) -> Call,
    ) -> Result<Answer<T>, SinkError> {
        // One answer goes through, so its sender never waits.
        let (answer, from) = sync_channel(1);
        self.put(self.shared.lock(), call(answer))?;
        Ok(Answer { name: self.name.clone(), from })
    }

    fn put(&self, mut queue: MutexGuard<'_, Queue>, call: Call) -> Result<(), SinkError> {
        self.check(&queue)?;
        queue.calls.push_back(call);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn check(&self, queue: &Queue) -> Result<(), SinkError> {
        match &queue.state {
            DeliveryState::Ended(error) => Err(error.clone()),
            _ if queue.is_stopped => Err(stopped(&self.name)),
            _ => Ok(()),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(sink = self.name, "the sink's thread ended in a panic");
        }
    }
}
