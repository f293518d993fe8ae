//! What goes to quarantine.

use crate::entry::MessageRef;
use crate::readings::{Reason, Reject};

/// Raw bytes of a reject are cut here.
pub const REJECT_BYTES_MAX: usize = 64 * 1024;

/// And its topic here.
pub(super) const TOPIC_BYTES_MAX: usize = 1024;

/// Why an element or a reading cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn bad_field(detail: String) -> Self {
        Fault { reason: Reason::BadField, detail }
    }
}

/// A reject of the whole message.
pub(super) fn message(message: &MessageRef<'_>, reason: Reason, detail: String) -> Reject {
    part(message, message.payload, reason, detail)
}

/// A reject of a part of the message.
pub(super) fn part(message: &MessageRef<'_>, raw: &[u8], reason: Reason, detail: String) -> Reject {
    Reject {
        message: message.ordinal,
        arrived_ms: message.arrived_ms,
        topic: message.topic[..message.topic.floor_char_boundary(TOPIC_BYTES_MAX)].into(),
        payload: raw[..raw.len().min(REJECT_BYTES_MAX)].into(),
        reason,
        detail,
        metric: None,
    }
}

/// What is wrong with a text at that byte.
#[cold]
pub(super) fn not_json(text: &str, at: usize, expected: &'static str) -> String {
    if text.trim().is_empty() {
        return "the payload is empty".to_owned();
    }
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(found) => format!("byte {at}: expected {expected}, found {found:?}"),
        None => format!("byte {at}: expected {expected}, found the end"),
    }
}
