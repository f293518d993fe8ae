//! The whole configuration, checked: right by construction once it is here.
//!
//! Files are parsed to TOML with places (`document`), held against tables of settings (`settings`), made
//! into the types below (`service`, `named`, `rules`), and all mistakes of all files come back at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest::config::{JournalSettings, MetricSettings, SourceSettings, TopicSettings};

mod mistake;

mod quantity;

mod kind;

mod bounded;

mod broker;

mod mirror;

mod pattern;

mod setting;

mod sections;

mod settings;

mod document;

mod values;

mod secret;

mod service;

mod fit;

mod named;

mod rules;

mod version;

mod files;

mod journaled;

mod load;

mod embedded;

mod printed;

pub(crate) use journaled::reads_alike;
pub use mirror::{Ack, MirrorSettings, Takeover};
pub use mistake::Mistake;
pub(crate) use mistake::nearest as nearest_name;
pub use printed::andon_toml;
pub use quantity::{QuantityError, parse_duration, parse_period, parse_size, print_duration, print_size};
pub(crate) use rules::ranks;

/// Everything from `andon.toml`, `metrics.toml`, `assets.toml` and `rules/*.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where `andon.toml` is: relative paths start here.
    pub folder: PathBuf,
    pub source: SourceSettings,
    pub topics: TopicSettings,
    pub journal: JournalSettings,
    pub engine: EngineSettings,
    pub checkpoint: CheckpointSettings,
    pub export: ExportSettings,
    pub store: StoreSettings,
    pub http: HttpSettings,
    /// None where the journal is not mirrored.
    pub mirror: Option<MirrorSettings>,
    pub metrics: Vec<MetricSettings>,
    /// Unit aliases beside the shipped ones: (alias, UCUM code).
    pub unit_aliases: Vec<(String, String)>,
    pub assets: Vec<ingest::readings::Asset>,
    /// Where the rules are read from.
    pub rules_folder: PathBuf,
    /// In the order of their file names.
    pub rules: Vec<RuleSettings>,
    /// All files as read, for the journal. Secrets are references in it.
    pub text: String,
    /// First 12 hex of BLAKE3 of what all files say; comments and spacing do not matter.
    pub version: String,
    /// What is allowed and worth a second look.
    pub warnings: Vec<Mistake>,
}

impl Config {
    /// Reads `path` (an `andon.toml`), `metrics.toml` and `assets.toml` beside it where they are, and the
    /// rules, whose SQL is planned. Secrets are fetched; nothing is connected to and nothing is written.
    ///
    /// # Errors
    /// All mistakes of all files.
    pub fn load(path: &Path) -> Result<Config, Vec<Mistake>> {
        Self::load_from(path, &files::Disk)
    }

    /// The same for commands that connect to no broker: secrets stay where they are.
    ///
    /// # Errors
    /// All mistakes of all files.
    pub fn load_without_secrets(path: &Path) -> Result<Config, Vec<Mistake>> {
        Self::load_from(path, &files::WithoutSecrets)
    }

    /// What the files at `path` say now, for a service that runs under this configuration: its `andon.toml` holds until it
    /// is started anew, and secrets stay where they are.
    ///
    /// # Errors
    /// All mistakes of all files.
    pub fn load_again(&self, path: &Path) -> Result<Config, Vec<Mistake>> {
        let main = journaled::Journaled::read(&self.text).map(|files| files.main().to_owned());
        Self::load_from(path, &files::Running { path, text: &main.unwrap_or_default() })
    }

    /// The configuration of a text that [`Config::text`] once was, whatever the disk says now. Its rules were planned
    /// before it was journaled, and are when they are put to work.
    ///
    /// # Errors
    /// The text is of another version of the program.
    pub fn from_text(text: &str) -> Result<Config, Vec<Mistake>> {
        journaled::config(text)
    }

    fn load_from(path: &Path, files: &dyn files::Files) -> Result<Config, Vec<Mistake>> {
        let planner = crate::plan::Planner::new();
        load::load(path, files, Some(&|rule| rules::planned(&planner, rule)))
    }

    /// The demo's configuration, from texts in the binary: the same from any folder. What it stores goes
    /// below `data`.
    #[must_use]
    pub fn embedded_demo(data: &Path, http: SocketAddr, mqtt: SocketAddr) -> Config {
        embedded::demo(data, http, mqtt)
    }
}

/// `[engine]`: rules 6.1 to 6.5 of event time.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    pub lateness: Duration,
    pub correction_horizon: Duration,
    pub clock_bound: Duration,
    pub age_bound: Duration,
    pub idle: Duration,
    pub idle_final: Duration,
    pub cut_interval: Duration,
    /// Messages of a channel that are remembered to recognise repeats.
    pub repeat_messages: usize,
    pub repeat_age: Duration,
    pub series_per_site_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        EngineSettings {
            lateness: Duration::from_secs(30),
            correction_horizon: minutes(15),
            clock_bound: Duration::from_secs(60),
            age_bound: minutes(30 * 24 * 60),
            idle: Duration::from_secs(30),
            idle_final: minutes(24 * 60),
            cut_interval: Duration::from_secs(5),
            repeat_messages: 65_536,
            repeat_age: minutes(24 * 60),
            series_per_site_max: 100_000,
        }
    }
}

/// `[checkpoint]`.
#[derive(Clone, Debug)]
pub struct CheckpointSettings {
    pub folder: PathBuf,
    /// How many are kept, the newest ones.
    pub keep: usize,
}

/// `[export]`: Parquet.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    pub folder: PathBuf,
    /// Whether stream `telemetry` is told at all.
    pub telemetry: bool,
    /// A file is full at this many rows.
    pub file_rows_max: usize,
}

/// `[store]`: the tables `exceptions`, `usage`, `steps`, `checks`.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// `sqlite:FILE`.
    pub url: String,
}

/// `[http]`.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub listen: SocketAddr,
}

/// A file of `rules/`: a rule raises exceptions, a view is a stream of its own.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    pub file: PathBuf,
    /// `rule = "…"` or `view = "…"`.
    pub name: String,
    pub is_view: bool,
    pub severity: Severity,
    pub lane: Lane,
    pub kind: Option<ExceptionKind>,
    /// Columns that name one open condition; default: series, or the GROUP BY keys without the window.
    pub key: Option<Vec<String>>,
    pub latch: bool,
    pub raise_after: Duration,
    pub clear_after: Duration,
    /// Expression over the columns of SELECT: what clears, where it is not whatever does not match.
    pub clear_when: Option<String>,
    /// What matches again within it of its clearing is the same exception.
    pub realarm_after: Duration,
    /// Raised when nothing that matches has arrived for so long.
    pub silent_after: Option<Duration>,
    /// `while = "step"`: silence counts while a step is worked on.
    pub while_step: bool,
    /// Rules whose open exceptions hold those of this one back.
    pub suppressed_by: Vec<String>,
    pub message: String,
    pub response: String,
    pub sql: String,
    /// Line of `sql` in the file, for messages.
    pub sql_line: usize,
    /// First 12 hex of BLAKE3 of the parsed content.
    pub version: String,
}

/// `severity = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

impl Severity {
    /// The name in files and streams.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

/// `lane = "…"`: when a rule looks at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// When its step is certain, or its window closes.
    Final,
    /// On arrival, and again when its step is certain.
    Instant,
}

/// `kind = "…"`: each row an exception, or one open per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    Event,
    Condition,
}
