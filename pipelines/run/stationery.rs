//! Messages that commands bring, written as their senders would.

use std::sync::Arc;

use ingest::config::TopicSettings;
use ingest::entry::{Intake, IntakeBuilder};
use ingest::time::Clock;
use serde_json::{Map, Value, json};
use sinks::desk::Says;
use sinks::store::Address;

/// What a message that a command brings is made of.
#[derive(Clone, Debug)]
pub(super) struct Stationery {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) topics: TopicSettings,
    /// Where the store is.
    pub(super) store: Address,
}

impl Stationery {
    /// The message that says it, at the time of now.
    pub(super) fn message(&self, says: &Says, mut payload: Map<String, Value>) -> Intake {
        let now_ms = self.clock.now_ms();
        let (patterns, site, bay) = match says {
            Says::Card { site } => (&self.topics.jobs, site, None),
            Says::Step { site, bay } => (&self.topics.steps, site, Some(bay)),
        };
        let pattern = patterns.first().map(String::as_str).unwrap_or_default();
        // What the topic does not carry stands in the payload.
        for (place, name) in [("site", Some(site)), ("bay", bay)] {
            if let Some(name) = name.filter(|_| !pattern.contains(&format!("{{{place}}}"))) {
                payload.insert(place.to_owned(), json!(name));
            }
        }
        payload.entry("ts").or_insert(json!(now_ms));
        let topic = pattern.replace("{site}", site).replace("{bay}", bay.map_or("", String::as_str));
        let mut messages = IntakeBuilder::new();
        messages.push(&topic, Value::Object(payload).to_string().as_bytes(), now_ms);
        messages.finish(0)
    }
}
