//! How far webhooks are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One webhook, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    pub webhook: String,
    pub queue: String,
    /// Items up to this number have gone out, or need not.
    pub settled: u64,
    /// Items behind it.
    pub waiting: u64,
    /// How often the next one was tried.
    pub attempts: u32,
    /// When the attempt began of which nothing is known yet, ms since 1970 UTC.
    pub attempt_ms: Option<i64>,
    /// Why it waits for a person.
    pub held: Option<String>,
    /// What was wrong with the last attempt.
    pub failure: Option<String>,
    pub sent: u64,
    /// Left out by a person.
    pub skipped: u64,
    pub sent_ms: Option<i64>,
}

/// All webhooks, and the newest item of each queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deliveries {
    pub deliveries: Vec<DeliveryView>,
    /// By queue; a queue without an item is not there.
    pub newest: std::collections::BTreeMap<String, u64>,
}
