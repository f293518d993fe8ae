//! Queues: what is handed on, in one order each, for good.
//!
//! A queue is a stream of items with consecutive numbers, from 1: a consumer reads from the number behind the last that
//! it has. `billing`, `notifications` and `audit` are three of the same make. Each item carries the hash of the one
//! before it and its own, over all that it says, so that none can be changed, left out or put in between without the
//! chain showing it. Numbers and hashes are state of the engine: a restart, a replay and a standby give the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::told::Told;

/// All queues, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queues(BTreeMap<Box<str>, Head>);

/// The newest item of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Its number, 0 for none.
    pub number: u64,
    /// 64 hex digits; empty for none.
    pub hash: String,
}

/// An item before it has its place.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub at_ms: i64,
    pub site: Option<Box<str>>,
    pub job: Option<Box<str>>,
    pub kind: Box<str>,
    /// Names it for whoever must not do the same twice.
    pub key: Box<str>,
    pub body: Value,
}

/// An item of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub queue: Box<str>,
    pub number: u64,
    pub at_ms: i64,
    pub site: Option<Box<str>>,
    pub job: Option<Box<str>>,
    pub kind: Box<str>,
    pub key: Box<str>,
    /// JSON, members in the order of their names.
    pub body: String,
    /// Of the item before.
    pub previous: String,
    pub hash: String,
}

impl Queues {
    /// Puts an item behind the newest one.
    pub(super) fn push(&mut self, told: &mut Told, queue: &str, draft: Draft) {
        let head = self.0.entry(queue.into()).or_default();
        let Draft { at_ms, site, job, kind, key, body } = draft;
        let mut item = Item {
            queue: queue.into(),
            number: head.number + 1,
            at_ms,
            site,
            job,
            kind,
            key,
            body: body.to_string(),
            previous: std::mem::take(&mut head.hash),
            hash: String::new(),
        };
        item.hash = item.chained();
        *head = Head { number: item.number, hash: item.hash.clone() };
        told.items.push(item);
    }

    /// The newest item of each queue.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (&str, &Head)> {
        self.0.iter().map(|(queue, head)| (&**queue, head))
    }
}

impl Item {
    /// What its hash has to be: BLAKE3 over the hash before it and all that it says, each part behind its length.
    #[must_use]
    pub(crate) fn chained(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let (number, at_ms) = (self.number.to_le_bytes(), self.at_ms.to_le_bytes());
        // None and an empty name are two.
        let optional =
            |text: &Option<Box<str>>| text.as_ref().map_or(String::new(), |text| format!("={text}"));
        let (site, job) = (optional(&self.site), optional(&self.job));
        let parts: [&[u8]; 9] = [
            self.previous.as_bytes(),
            self.queue.as_bytes(),
            &number,
            &at_ms,
            site.as_bytes(),
            job.as_bytes(),
            self.kind.as_bytes(),
            self.key.as_bytes(),
            self.body.as_bytes(),
        ];
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        hasher.finalize().to_string()
    }
}
