//! Commands on their way into the journal, and their answers on the way back.
//!
//! A command is answered when it is durable and applied: it is submitted to the intake as an entry, and the run loop hands
//! its answer over once the engine has given it. Two who ask with the same key are answered in the order in which they
//! asked. What the exports are asked is read on threads beside, one at a time.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ingest::entry::command::{Order, What};
use ingest::entry::{Command, Entry, Intake, IntakeBuilder};
use ingest::intake::{IntakeError, Submitter};
use serde_json::{Value, json};
use sinks::desk::{Asked, Reply, Wish};
use sinks::store::Address;
use sinks::store::reader::{self, Question};
use tokio::sync::{mpsc, oneshot};

use super::stationery::Stationery;
use crate::engine::Engine;
use crate::engine::commands::{Answer, Outcome};
use crate::quarantine::{self, QuarantineError, Record};

const NOT_YET: &str = "the service is not ready to tell; GET /readyz says why; ask again";

type Back = oneshot::Sender<Reply>;

/// Takes wishes in and answers them.
#[derive(Clone, Debug, Default)]
pub(super) struct Clerk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// None before the service has restored, and when it ends.
    intake: Option<Submitter>,
    /// By key, in the order of submission. Bounded by the intake's own bound on what is submitted, and by the entries
    /// that may wait for the engine.
    waiting: BTreeMap<String, VecDeque<Back>>,
    /// What the engine is asked, at most [`QUESTIONS_MAX`].
    questions: Vec<(Wish, Back)>,
    /// The run loop has begun to answer these.
    is_telling: bool,
}

/// Beyond it the next is told to come again.
const QUESTIONS_MAX: usize = 32;

impl Clerk {
    /// Begins to take wishes in; commands are put off until [`Clerk::open`].
    pub(super) fn begin(
        mut wishes: mpsc::Receiver<Asked>,
        runtime: &tokio::runtime::Runtime,
        exports: &Path,
        stationery: Stationery,
    ) -> Clerk {
        let clerk = Clerk(Arc::default());
        let (of_task, exports) = (clerk.clone(), exports.to_owned());
        runtime.spawn(async move {
            let reading = Arc::new(tokio::sync::Semaphore::new(1));
            while let Some(Asked { wish, reply }) = wishes.recv().await {
                let wish = match wish {
                    Wish::Order(order, messages) => {
                        of_task.submit(&order, messages, reply);
                        continue;
                    }
                    Wish::Bring { order, says, payload } => {
                        of_task.submit(&order, stationery.message(&says, payload), reply);
                        continue;
                    }
                    Wish::Store(question) => {
                        let store = stationery.store.clone();
                        tokio::spawn(async move {
                            let _ = reply.send(stored(&store, &question).await);
                        });
                        continue;
                    }
                    wish @ (Wish::Gaps(_) | Wish::Devices(_) | Wish::Deliveries) => {
                        of_task.keep_question(wish, reply);
                        continue;
                    }
                    wish => wish,
                };
                let (clerk, exports, reading) = (of_task.clone(), exports.clone(), Arc::clone(&reading));
                tokio::spawn(async move {
                    let _one = reading.acquire_owned().await;
                    let _ = tokio::task::spawn_blocking(move || clerk.read(wish, &exports, reply)).await;
                });
            }
        });
        clerk
    }

    /// The service takes commands from now on.
    pub(super) fn open(&self, intake: Submitter) {
        self.state(|state| state.intake = Some(intake));
    }

    /// No answer will come any more.
    pub(super) fn close(&self) {
        self.state(|state| *state = State::default());
    }

    /// Whether somebody waits for the answer to the command of that key: nobody does on a standby.
    pub(super) fn is_awaited(&self, key: &str) -> bool {
        self.state(|state| state.waiting.contains_key(key))
    }

    /// A command was applied.
    pub(super) fn answer(&self, answer: &Answer) {
        let back = self.state(|state| {
            let waiting = state.waiting.get_mut(&answer.key)?;
            let back = waiting.pop_front();
            if waiting.is_empty() {
                state.waiting.remove(&answer.key);
            }
            back
        });
        if let Some(back) = back {
            let _ = back.send(reply(answer));
        }
    }

    /// Answers what the engine is asked. Between two entries, so that the answer is of one moment.
    pub(super) fn tell(&self, engine: &Engine) {
        let questions = self.state(|state| {
            state.is_telling = true;
            std::mem::take(&mut state.questions)
        });
        for (wish, back) in questions {
            let body = match wish {
                Wish::Gaps(query) => json!(engine.gaps(&query)),
                Wish::Devices(query) => json!(engine.devices(&query)),
                Wish::Deliveries => json!(engine.deliveries()),
                _ => unreachable!("no other wish is kept"),
            };
            let _ = back.send(Reply { status: 200, body });
        }
    }

    fn keep_question(&self, wish: Wish, back: Back) {
        let refused = self.state(|state| {
            if state.is_telling && state.questions.len() < QUESTIONS_MAX {
                state.questions.push((wish, back));
                return None;
            }
            Some((back, state.is_telling))
        });
        if let Some((back, is_telling)) = refused {
            let detail = if is_telling { "too many ask at once; ask again" } else { NOT_YET };
            let _ = back.send(Reply::problem(503, detail));
        }
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn submit(&self, order: &Order, messages: Intake, back: Back) {
        let entry = Entry::Command(Command::new(order, messages));
        // Under the lock, so that those of one key wait in the order of the journal.
        let refused = self.state(|state| {
            let Some(intake) = &state.intake else {
                let detail = "the service is not ready for commands; GET /readyz says why; ask again with the same key";
                return Some((back, detail.to_owned()));
            };
            match intake.submit(entry) {
                Ok(()) => {
                    state.waiting.entry(order.key.clone()).or_default().push_back(back);
                    None
                }
                Err(error @ (IntakeError::Busy { .. } | IntakeError::Stopped)) => {
                    Some((back, format!("{error}; ask again with the same key")))
                }
                Err(error) => Some((back, error.to_string())),
            }
        });
        if let Some((back, detail)) = refused {
            let _ = back.send(Reply::problem(503, detail));
        }
    }

    fn read(&self, wish: Wish, exports: &Path, back: Back) {
        let read = match wish {
            Wish::Order(..)
            | Wish::Bring { .. }
            | Wish::Store(_)
            | Wish::Gaps(_)
            | Wish::Devices(_)
            | Wish::Deliveries => unreachable!("it was done before"),
            Wish::Quarantine(query) => quarantine::page(exports, &query).map(|page| json!(page)),
            Wish::Record(record) => quarantine::record(exports, &record).map(|record| json!(record)),
            Wish::Replay { actor, key, record, topic, payload, reason } => {
                match quarantine::record(exports, &record) {
                    Ok(record) => {
                        return self.replay(
                            &record,
                            Order { actor, key, what: replay(&record, &payload, reason) },
                            topic,
                            payload,
                            back,
                        );
                    }
                    Err(error) => Err(error),
                }
            }
        };
        let reply = match read {
            Ok(body) => Reply { status: 200, body },
            Err(QuarantineError::Unknown { .. }) => Reply::problem(404, read.unwrap_err().to_string()),
            Err(QuarantineError::Query(_)) => Reply::problem(400, read.unwrap_err().to_string()),
            Err(QuarantineError::Exports(_)) => Reply::problem(500, read.unwrap_err().to_string()),
        };
        let _ = back.send(reply);
    }

    fn replay(
        &self,
        record: &Record,
        order: Order,
        topic: Option<String>,
        payload: Option<Vec<u8>>,
        back: Back,
    ) {
        let payload = match payload {
            Some(payload) => payload,
            None if record.payload.is_empty() => {
                let detail =
                    "the record holds no payload, for others of its message had brought enough; give one";
                let _ = back.send(Reply::problem(409, detail));
                return;
            }
            None => record.payload.clone(),
        };
        let mut messages = IntakeBuilder::new();
        messages.push(topic.as_deref().unwrap_or(&record.topic), &payload, record.arrived_ms);
        self.submit(&order, messages.finish(0), back);
    }
}

async fn stored(store: &Address, question: &Question) -> Reply {
    match reader::ask(store, question).await {
        Ok(rows) => Reply { status: 200, body: Value::Array(rows) },
        Err(error) => Reply::problem(503, error.to_string()),
    }
}

/// With a payload of one's own all of it is meant.
fn replay(record: &Record, payload: &Option<Vec<u8>>, reason: Option<String>) -> What {
    let metric = record.metric.clone().filter(|_| payload.is_none());
    What::Replay { record: record.row_id.clone(), origin: record.message, metric, reason }
}

fn reply(answer: &Answer) -> Reply {
    let status = match answer.outcome {
        Outcome::Applied => 200,
        Outcome::Unknown => 404,
        Outcome::Conflict => 409,
        Outcome::Invalid => 422,
    };
    if answer.outcome != Outcome::Applied && answer.imported.is_none() {
        return Reply::problem(status, format!("{} (journal offset {})", answer.detail, answer.offset));
    }
    let mut body = json!({ "offset": answer.offset, "outcome": "applied", "detail": answer.detail });
    if let Some(message) = answer.message {
        body["message"] = json!(message);
    }
    if let Some(imported) = answer.imported {
        body["imported"] = json!(imported);
    }
    // Of a recording that goes on elsewhere, where it goes on is no problem but an answer.
    if answer.outcome != Outcome::Applied {
        body["outcome"] = json!("out_of_line");
    }
    Reply { status: 200, body }
}
