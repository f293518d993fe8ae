//! Items of a queue on their way to a web server outside, one webhook each.
//!
//! A courier asks for what anybody could ask of the service: where it stands, the next item, that its steps be written down.
//! An attempt stands in the journal, and in the mirror where there is one, before the request goes out; its outcome after
//! it. What it reads is what the store has committed, so nothing goes out that could be rolled back; and a service that does
//! not lead takes no commands, so it sends nothing. Each repeat of an item carries the same `Idempotency-Key`.
//!
//! | the other side                        | what follows                                                                |
//! |---------------------------------------|-----------------------------------------------------------------------------|
//! | answers 2xx                           | sent; the next item                                                         |
//! | cannot be reached, 5xx, 408, 425, 429 | failed: again, after 1 s, 2 s, … at most 5 min                              |
//! | answers 3xx or 4xx                    | held: a person has to look, and says resend or skip                         |
//! | breaks off, or says nothing           | in doubt: again or held, as the webhook's `in_doubt` says; so after a crash |
//!
//! Bound: one item and one request a webhook; the queue itself waits in the store.

use std::time::Duration;

use ingest::config::Secret;
use ingest::entry::IntakeBuilder;
use ingest::entry::command::{Order, Progress, What};

use self::request::{Outcome, Parcel, Stored};
use crate::desk::{Desk, Reply, Wish};
use crate::store::reader::Question;
use crate::view::{Deliveries, DeliveryView};

mod request;

/// Pause where there is nothing to do, or nobody to ask.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// Letters of a detail that are written down.
const DETAIL_CHARS_MAX: usize = 300;

/// Where items of a queue go.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub name: String,
    pub queue: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// Signs what is sent.
    pub secret: Option<Secret>,
    pub in_doubt: InDoubt,
    /// The first item that it gets; none: the first one after it was set up.
    pub from: Option<u64>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What is done when it is not known whether an item has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It is sent again.
    Resend,
    /// A person decides.
    Hold,
}

/// Takes items of one queue to one place.
#[derive(Debug)]
pub struct Courier {
    webhook: Webhook,
    desk: Desk,
}

/// What a round has come to.
enum Round {
    /// Something was done.
    Done,
    /// There is nothing to do.
    Idle,
    /// The other side does not take it now.
    Failed { attempts: u32 },
}

/// Why a step was not written down.
enum Refused {
    /// The service takes no commands now.
    NotNow,
    /// It makes no sense as things are.
    Conflict,
}

impl Courier {
    /// For one webhook; `desk` is where it asks.
    #[must_use]
    pub fn new(webhook: Webhook, desk: Desk) -> Courier {
        Courier { webhook, desk }
    }

    /// Goes on for ever.
    pub async fn run(self) {
        loop {
            let pause = match self.round().await {
                Round::Done => continue,
                Round::Idle => PAUSE,
                Round::Failed { attempts } => back_off(attempts),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One item, if there is one.
    async fn round(&self) -> Round {
        let Some(Deliveries { deliveries, newest }) = self.standing().await else { return Round::Idle };
        let Webhook { name, queue, from, in_doubt, .. } = &self.webhook;
        let Some(standing) = deliveries.into_iter().find(|delivery| delivery.webhook == *name) else {
            let first = from.unwrap_or_else(|| newest.get(queue).map_or(1, |newest| newest + 1));
            let begun = self.tell(first, 0, Progress::Begin, "set up").await;
            return if begun.is_ok() { Round::Done } else { Round::Idle };
        };
        if standing.held.is_some() {
            return Round::Idle;
        }
        let item = standing.settled + 1;
        if standing.attempt_ms.is_some() && *in_doubt == InDoubt::Hold {
            let detail = "the service ended while it was sent: look whether it has arrived";
            // A standby sees the attempt of its leader as well, and must not ask on and on.
            let held = self.tell(item, standing.attempts, Progress::Held, detail).await;
            return if held.is_ok() { Round::Done } else { Round::Idle };
        }
        match self.next(item).await {
            Some(stored) => self.send(&stored, &standing).await,
            None => Round::Idle,
        }
    }

    async fn send(&self, stored: &Stored, standing: &DeliveryView) -> Round {
        let (item, attempts) = (stored.offset, standing.attempts + 1);
        if self.tell(item, attempts, Progress::Attempt, "").await.is_err() {
            return Round::Idle;
        }
        let parcel = Parcel::new(&self.webhook, stored);
        let outcome = parcel.send(self.webhook.timeout).await;
        let (progress, detail) = match outcome {
            Outcome::Taken(said) => (Progress::Sent, said),
            Outcome::NotTaken(why) => (Progress::Failed, why),
            Outcome::Refused(why) => (Progress::Held, why),
            Outcome::InDoubt(why) if self.webhook.in_doubt == InDoubt::Resend => (Progress::Failed, why),
            Outcome::InDoubt(why) => (Progress::Held, format!("{why}: look whether it has arrived")),
        };
        let labels = [("webhook", self.webhook.name.clone()), ("outcome", progress.as_str().to_owned())];
        metrics::counter!("andon_deliveries_total", &labels).increment(1);
        if progress != Progress::Sent {
            let webhook = &self.webhook.name;
            tracing::warn!(webhook, item, attempts, "not delivered, {}: {detail}", progress.as_str());
        }
        // Until it stands in the journal the item is in doubt for whoever comes next.
        while let Err(Refused::NotNow) = self.tell(item, attempts, progress, &detail).await {
            tokio::time::sleep(PAUSE).await;
        }
        if progress == Progress::Failed { Round::Failed { attempts } } else { Round::Done }
    }

    /// Where all webhooks stand.
    async fn standing(&self) -> Option<Deliveries> {
        let Reply { status: 200, body } = self.desk.ask(Wish::Deliveries).await else { return None };
        serde_json::from_value(body).ok()
    }

    /// The item of that number, once it is there for good.
    async fn next(&self, item: u64) -> Option<Stored> {
        let question = Question::Chain { name: self.webhook.queue.clone(), from: item, limit: 1 };
        let Reply { status: 200, body } = self.desk.ask(Wish::Store(question)).await else { return None };
        Stored::of(&body[0]).filter(|stored| stored.offset == item)
    }

    /// Has a step written down.
    async fn tell(&self, item: u64, attempt: u32, progress: Progress, detail: &str) -> Result<(), Refused> {
        let Webhook { name, queue, .. } = &self.webhook;
        let order = Order {
            actor: "andon".to_owned(),
            key: format!("{name}/{item}/{attempt}/{}", progress.as_str()),
            what: What::Deliver {
                webhook: name.clone(),
                queue: queue.clone(),
                item,
                progress,
                detail: detail.chars().take(DETAIL_CHARS_MAX).collect(),
            },
        };
        match self.desk.ask(Wish::Order(order, IntakeBuilder::new().finish(0))).await {
            Reply { status: 200, .. } => Ok(()),
            Reply { status: 503, .. } => Err(Refused::NotNow),
            Reply { body, .. } => {
                tracing::warn!(webhook = name, item, "{} was refused: {body}", progress.as_str());
                Err(Refused::Conflict)
            }
        }
    }
}

fn back_off(attempts: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE.saturating_mul(doubled).min(BACK_OFF_MAX)
}
