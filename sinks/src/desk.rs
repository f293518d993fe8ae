//! What people ask of the service over HTTP, on its way to whoever can do it, and the answer.
//!
//! Bound: [`WISHES_MAX`] wishes wait; beyond, the next is told to come again (503).

use ingest::entry::Intake;
use ingest::entry::command::Order;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::channels::ChannelQuery;
use crate::store::reader::Question;

/// Wishes that wait to be looked at.
const WISHES_MAX: usize = 32;

/// What somebody wants.
#[derive(Debug)]
pub enum Wish {
    /// A command for the journal, with the messages that it brings.
    Order(Order, Intake),
    /// A record of quarantine is to be tried again, perhaps with another payload or topic.
    Replay {
        actor: String,
        key: String,
        /// Row id in stream `quarantine`.
        record: String,
        topic: Option<String>,
        payload: Option<Vec<u8>>,
        reason: Option<String>,
    },
    /// A command that brings a message of its own making.
    Bring {
        order: Order,
        says: Says,
        /// Of the message, as JSON; its time is added.
        payload: serde_json::Map<String, Value>,
    },
    /// What the store holds.
    Store(Question),
    /// A page of records in quarantine.
    Quarantine(QuarantineQuery),
    /// One record with its bytes.
    Record(String),
    /// Sequence numbers that have not come.
    Gaps(ChannelQuery),
    /// What became of all that came, channel by channel.
    Devices(ChannelQuery),
    /// How far couriers are.
    Deliveries,
}

/// What a message that a command brings is about, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A job card of a site.
    Card { site: String },
    /// A step event on a bay.
    Step { site: String, bay: String },
}

/// Which records in quarantine are asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineQuery {
    pub reason: Option<String>,
    pub topic: Option<String>,
    pub site: Option<String>,
    /// Arrived at or after, and before, ms since 1970 UTC.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    /// `true`: replayed ones alone; `false`: those that are not.
    pub replayed: Option<bool>,
    /// Newer ones that were shown before.
    pub skip: Option<u32>,
    /// At most so many, 50 if not given.
    pub limit: Option<u32>,
}

/// An answer as HTTP has it: a status of 2xx with JSON, or another with what is wrong, as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    /// What is wrong.
    #[must_use]
    pub fn problem(status: u16, detail: impl Into<String>) -> Reply {
        Reply { status, body: Value::String(detail.into()) }
    }
}

/// A wish with the way back.
#[derive(Debug)]
pub struct Asked {
    pub wish: Wish,
    /// Dropped: the service ends.
    pub reply: oneshot::Sender<Reply>,
}

/// Where wishes are handed in.
#[derive(Clone, Debug)]
pub struct Desk(mpsc::Sender<Asked>);

impl Desk {
    /// One, and where its wishes come out.
    #[must_use]
    pub fn new() -> (Desk, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(WISHES_MAX);
        (Desk(sender), receiver)
    }

    /// Hands a wish in and waits for the answer.
    pub async fn ask(&self, wish: Wish) -> Reply {
        let (reply, answered) = oneshot::channel();
        match self.0.try_send(Asked { wish, reply }) {
            Err(mpsc::error::TrySendError::Full(_)) => Reply::problem(
                503,
                format!("{WISHES_MAX} requests wait already; ask again with the same key"),
            ),
            Err(mpsc::error::TrySendError::Closed(_)) => ended(),
            Ok(()) => answered.await.unwrap_or_else(|_| ended()),
        }
    }
}

fn ended() -> Reply {
    let detail =
        "the service ends, and it is not known whether this was applied; ask again with the same key";
    Reply::problem(503, detail)
}
