//! Settings of the intake side, checked: right by construction once they are here.

use std::path::PathBuf;
use std::time::Duration;

/// `[source]`: the broker and the session with it.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub host: String,
    pub port: u16,
    pub tls: Option<TlsSettings>,
    /// Fixed: the broker keeps the session under this name.
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// 0 or 1.
    pub qos: u8,
    pub keep_alive: Duration,
    /// The broker's window of unacknowledged messages for one client; half of it forces a commit.
    pub inflight_window: u16,
    /// Larger messages than this are quarantined; of those beyond twice of it only the beginning is kept.
    pub message_bytes_max: usize,
    /// QoS 0 messages beyond this, waiting for a slow journal, are shed and counted.
    pub waiting_bytes_max: usize,
}

/// `[source.tls]`.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust; the system's where absent.
    pub authority: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A secret that never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `[journal]`.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    pub folder: PathBuf,
    /// Segments are preallocated to this size.
    pub segment_bytes: u64,
    /// A group commit happens after this long or this much, whichever is first.
    pub commit_interval: Duration,
    pub commit_bytes: usize,
}

/// `[topics]`: patterns with captures `{site}` `{bay}` `{tool}`.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    pub telemetry: Vec<String>,
    pub steps: Vec<String>,
    pub usage: Vec<String>,
    pub jobs: Vec<String>,
    pub status: Vec<String>,
    pub assets: Vec<String>,
    /// Own output topics: ignored and counted when a wide subscription brings them in.
    pub outputs: Vec<String>,
}

impl Default for TopicSettings {
    fn default() -> Self {
        let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        TopicSettings {
            telemetry: list(&["workshop/{site}/{bay}/{tool}/telemetry", "workshop/{site}/telemetry"]),
            steps: list(&["workshop/{site}/{bay}/steps", "workshop/{site}/steps"]),
            usage: list(&["workshop/{site}/{bay}/usage"]),
            jobs: list(&["workshop/{site}/jobs"]),
            status: list(&["workshop/{site}/{bay}/{tool}/status", "workshop/{site}/{bay}/status"]),
            assets: list(&["workshop/{site}/assets"]),
            outputs: list(&["workshop/{site}/{bay}/andon"]),
        }
    }
}

/// What is known of a metric: `[metrics.NAME]` in `config/metrics.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSettings {
    pub metric: String,
    /// UCUM code that readings without a unit have, and that others are converted to.
    pub unit: Option<String>,
    /// Whether, and how, readings are consumption of a resource.
    pub usage: Option<UsageSettings>,
}

/// How readings of a metric become quantities of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageSettings {
    /// Name of the resource; `{grade}` and other tag names in braces are filled in from the tags.
    pub resource: String,
    pub kind: UsageKind,
}

/// What a reading of a consumption metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKind {
    /// An amount used.
    Amount,
    /// A register that only rises; the rise since the reading before is the amount. A fall is a reset, or another meter:
    /// nothing was used.
    Counter,
    /// How much there is of it, as in a tank: no consumption itself, and held against what is.
    Level,
}
