//! Items of a queue on their way to somebody outside: a web server, or people who have an address for mail.
//!
//! A courier asks for what anybody could ask of the service: where it stands, the next item, that its steps be written down.
//! An attempt stands in the journal, and in the mirror where there is one, before anything goes out; its outcome after
//! it. What it reads is what the store has committed, so nothing goes out that could be rolled back; and a service that does
//! not lead takes no commands, so it sends nothing. Each repeat of an item carries the same `Idempotency-Key` or `Message-ID`.
//!
//! | the other side                                            | what follows                                                 |
//! |-----------------------------------------------------------|--------------------------------------------------------------|
//! | takes it: 2xx                                             | sent; the next item                                          |
//! | cannot be reached, is busy: 5xx, 408, 425, 429, SMTP's 4xx | failed: again, after 1 s, 2 s, … at most 5 min               |
//! | refuses it: 3xx, 4xx, SMTP's 5xx                          | held: a person has to look, and says resend or skip          |
//! | breaks off, or says nothing                               | in doubt: again or held, as `in_doubt` says; so after a crash |
//!
//! What is not for a courier, as a mail's are the items of channel `mail` alone, is passed over and counted.
//!
//! Bound: one item and one attempt a courier; the queue itself waits in the store.

mod mail;

mod parcel;

mod webhook;

use std::time::Duration;

use ingest::entry::IntakeBuilder;
use ingest::entry::command::{Order, Progress, What};

use self::mail::Letter;
pub use self::mail::{Mail, Security, Sender};
use self::parcel::{Outcome, Stored, without_addresses};
use self::webhook::Request;
pub use self::webhook::Webhook;
use crate::desk::{Desk, Reply, Wish};
use crate::store::reader::Question;
use crate::view::{Deliveries, DeliveryView};

/// Pause where there is nothing to do, or nobody to ask.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// Letters of a detail that are written down.
const DETAIL_CHARS_MAX: usize = 300;
/// Items that are looked at for one that is not for others.
const ITEMS_MAX: u32 = 100;

/// What a courier takes, and to where.
#[derive(Clone, Debug)]
pub struct CourierSettings {
    pub name: String,
    pub queue: String,
    pub destination: Destination,
    pub in_doubt: InDoubt,
    /// The first item that it gets; none: the first one after it was set up.
    pub from: Option<u64>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Where items go.
#[derive(Clone, Debug)]
pub enum Destination {
    Webhook(Webhook),
    Mail(Mail),
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
    settings: CourierSettings,
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

/// What comes next in the queue.
enum Next {
    /// Something for this courier.
    Item(Box<Stored>),
    /// Items up to this number are for others.
    Others(u64),
    Nothing,
}

impl Destination {
    fn is_for(&self, stored: &Stored) -> bool {
        match self {
            Destination::Webhook(_) => true,
            Destination::Mail(_) => Letter::is_for(stored),
        }
    }

    /// How many items are looked at for one that is for it.
    fn items_max(&self) -> u32 {
        match self {
            Destination::Webhook(_) => 1,
            Destination::Mail(_) => ITEMS_MAX,
        }
    }

    async fn send(&self, queue: &str, stored: &Stored, timeout: Duration) -> Outcome {
        match self {
            Destination::Webhook(webhook) => Request::new(webhook, queue, stored).send(timeout).await,
            Destination::Mail(mail) => match Letter::new(mail, queue, stored) {
                Ok(letter) => letter.send(mail, timeout).await,
                Err(why) => Outcome::Refused(why),
            },
        }
    }
}

impl Courier {
    /// `desk` is where it asks.
    #[must_use]
    pub fn new(settings: CourierSettings, desk: Desk) -> Courier {
        Courier { settings, desk }
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
        let CourierSettings { name, queue, from, in_doubt, .. } = &self.settings;
        let Some(standing) = deliveries.into_iter().find(|delivery| delivery.courier == *name) else {
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
            Next::Item(stored) => self.send(&stored, &standing).await,
            Next::Others(last) => {
                let passed = self.tell(last, 0, Progress::Passed, "").await;
                if passed.is_err() {
                    return Round::Idle;
                }
                self.count(Progress::Passed, last - standing.settled);
                Round::Done
            }
            Next::Nothing => Round::Idle,
        }
    }

    async fn send(&self, stored: &Stored, standing: &DeliveryView) -> Round {
        let (item, attempts) = (stored.offset, standing.attempts + 1);
        if self.tell(item, attempts, Progress::Attempt, "").await.is_err() {
            return Round::Idle;
        }
        let CourierSettings { name, queue, destination, in_doubt, timeout, .. } = &self.settings;
        let outcome = destination.send(queue, stored, *timeout).await;
        let (progress, detail) = match outcome {
            Outcome::Taken(said) => (Progress::Sent, said),
            Outcome::NotTaken(why) => (Progress::Failed, why),
            Outcome::Refused(why) => (Progress::Held, why),
            Outcome::InDoubt(why) if *in_doubt == InDoubt::Resend => (Progress::Failed, why),
            Outcome::InDoubt(why) => (Progress::Held, format!("{why}: look whether it has arrived")),
        };
        let detail = without_addresses(&detail);
        self.count(progress, 1);
        if progress != Progress::Sent {
            let courier = name;
            tracing::warn!(courier, item, attempts, "not delivered, {}: {detail}", progress.as_str());
        }
        // Until it stands in the journal the item is in doubt for whoever comes next.
        while let Err(Refused::NotNow) = self.tell(item, attempts, progress, &detail).await {
            tokio::time::sleep(PAUSE).await;
        }
        if progress == Progress::Failed { Round::Failed { attempts } } else { Round::Done }
    }

    fn count(&self, progress: Progress, items: u64) {
        let labels = [("courier", self.settings.name.clone()), ("outcome", progress.as_str().to_owned())];
        metrics::counter!("andon_deliveries_total", &labels).increment(items);
    }

    /// Where all couriers stand.
    async fn standing(&self) -> Option<Deliveries> {
        let Reply { status: 200, body } = self.desk.ask(Wish::Deliveries).await else { return None };
        serde_json::from_value(body).ok()
    }

    /// The item of that number, once it is there for good; or how far others' items go from there.
    async fn next(&self, item: u64) -> Next {
        let CourierSettings { queue, destination, .. } = &self.settings;
        let question = Question::Chain { name: queue.clone(), from: item, limit: destination.items_max() };
        let Reply { status: 200, body } = self.desk.ask(Wish::Store(question)).await else {
            return Next::Nothing;
        };
        let rows = body.as_array().map(Vec::as_slice).unwrap_or_default();
        let stored = rows.iter().map_while(Stored::of);
        let mut others = None;
        for (stored, number) in stored.zip(item..) {
            if stored.offset != number {
                break;
            }
            match (destination.is_for(&stored), others) {
                (true, None) => return Next::Item(Box::new(stored)),
                (true, Some(_)) => break,
                (false, _) => others = Some(number),
            }
        }
        others.map_or(Next::Nothing, Next::Others)
    }

    /// Has a step written down.
    async fn tell(&self, item: u64, attempt: u32, progress: Progress, detail: &str) -> Result<(), Refused> {
        let CourierSettings { name, queue, .. } = &self.settings;
        let order = Order {
            actor: "andon".to_owned(),
            key: format!("{name}/{item}/{attempt}/{}", progress.as_str()),
            what: What::Deliver {
                courier: name.clone(),
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
                tracing::warn!(courier = name, item, "{} was refused: {body}", progress.as_str());
                Err(Refused::Conflict)
            }
        }
    }
}

fn back_off(attempts: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE.saturating_mul(doubled).min(BACK_OFF_MAX)
}
