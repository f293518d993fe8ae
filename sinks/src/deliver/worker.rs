//! The sink's side of the queue.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::runtime::{Builder, Runtime};

use super::{Call, DeliveryState, PAUSE_MAX, PAUSE_MIN, Shared, stopped, weight};
use crate::sink::{Sink, SinkError};

/// Works calls off until the delivery stops.
struct Worker {
    sink: Box<dyn Sink>,
    name: String,
    shared: Arc<Shared>,
    runtime: Runtime,
}

pub(super) fn spawn(sink: Box<dyn Sink>, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let name = sink.name().to_owned();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name(format!("andon-sink-{name}"));
    thread.spawn(move || {
        let ended = Ended(Arc::clone(&shared), name.clone());
        Worker { sink, name, shared, runtime }.run();
        drop(ended);
    })
}

/// Whatever ends the thread, a panic too, wakes those who wait for it.
struct Ended(Arc<Shared>, String);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        if std::thread::panicking() {
            queue.state = DeliveryState::Ended(SinkError::Refused {
                sink: self.1.clone(),
                what: "rows".to_owned(),
                reason: "a mistake in the program; its log has the place".to_owned(),
            });
        }
        queue.is_stopped = true;
        // Whoever waits for an answer gets none.
        queue.calls.clear();
        self.0.changed.notify_all();
    }
}

impl Worker {
    fn run(mut self) {
        while let Some(call) = self.next() {
            let ended = match call {
                Call::Write(emission) => {
                    let (rows, weight) = (emission.rows.num_rows(), weight(&emission));
                    let done = self.retried(async |sink| sink.write(&emission).await);
                    if done.is_ok() {
                        counter!("andon_sink_rows_total", "sink" => self.name.clone()).increment(rows as u64);
                    }
                    self.taken(weight);
                    done.err()
                }
                Call::Extend(streams) => self.retried(async |sink| sink.extend(&streams).await).err(),
                Call::Supersede(epoch) => self.retried(async |sink| sink.supersede(epoch).await).err(),
                Call::Prepare(epoch, resume_at, answer) => {
                    let done = self.retried(async |sink| sink.prepare(epoch, resume_at).await);
                    let error = done.as_ref().err().cloned();
                    let _ = answer.send(done);
                    error
                }
                Call::Commit(epoch, receipt, answer) => {
                    let done = self.retried(async |sink| sink.commit(epoch, &receipt).await);
                    let error = done.as_ref().err().cloned();
                    let _ = answer.send(done);
                    error
                }
                Call::Finish(answer) => {
                    let done = self.retried(async |sink| sink.finish().await);
                    let error = done.as_ref().err().cloned();
                    let _ = answer.send(done);
                    error
                }
            };
            if let Some(error) = ended {
                if !self.shared.lock().is_stopped {
                    tracing::error!(sink = self.name, %error, "the sink has ended");
                }
                self.shared.lock().state = DeliveryState::Ended(error);
                return;
            }
        }
    }

    /// The next call; none once the delivery stops.
    fn next(&self) -> Option<Call> {
        let mut queue = self.shared.lock();
        loop {
            if queue.is_stopped {
                return None;
            }
            match queue.calls.pop_front() {
                Some(call) => return Some(call),
                None => queue = self.shared.wait(queue),
            }
        }
    }

    /// Makes room for as many rows.
    fn taken(&self, rows: usize) {
        let mut queue = self.shared.lock();
        queue.rows -= rows;
        gauge!("andon_sink_pending_rows", "sink" => self.name.clone()).set(queue.rows as f64);
        self.shared.changed.notify_all();
    }

    /// Calls the sink until no passing error comes, or the delivery stops.
    fn retried<T>(
        &mut self,
        call: impl AsyncFn(&mut dyn Sink) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let mut pause = PAUSE_MIN;
        loop {
            let done = self.runtime.block_on(call(&mut *self.sink));
            let error = match done {
                Err(error) => error,
                Ok(value) => {
                    if pause > PAUSE_MIN {
                        tracing::info!(sink = self.name, "the sink works again");
                        self.shared.lock().state = DeliveryState::Working;
                    }
                    return Ok(value);
                }
            };
            counter!("andon_sink_errors_total", "sink" => self.name.clone()).increment(1);
            let SinkError::Unavailable { target, reason, .. } = &error else { return Err(error) };
            if pause == PAUSE_MIN {
                tracing::warn!(sink = self.name, %error, "waiting for the sink");
            }
            let state = DeliveryState::Waiting(format!("{}: {target}: {reason}, waiting", self.name));
            self.shared.lock().state = state;
            if !self.pause(pause) {
                return Err(stopped(&self.name));
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Waits; false if the delivery was stopped meanwhile.
    fn pause(&self, pause: Duration) -> bool {
        let queue = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(queue, pause, |queue| !queue.is_stopped);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !queue.is_stopped
    }
}
