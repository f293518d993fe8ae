//! How far couriers are: webhooks, and mails.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One courier, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Name of the webhook or mail.
    pub courier: String,
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
    /// Left to others, as a mail does with items of other channels.
    pub passed: u64,
    pub sent_ms: Option<i64>,
}

/// All couriers, and the newest item of each queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deliveries {
    pub deliveries: Vec<DeliveryView>,
    /// By queue; a queue without an item is not there.
    pub newest: std::collections::BTreeMap<String, u64>,
}
