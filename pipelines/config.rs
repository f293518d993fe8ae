//! The whole configuration, checked: right by construction once it is here.
//!
//! Files are parsed to TOML with places (`document`), held against tables of settings (`settings`), made
//! into the types below (`service`, `named`, `rules`), and all mistakes of all files come back at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::Calendars;
use ingest::config::{JournalSettings, MetricSettings, SourceSettings, TopicSettings};

mod mistake;

mod quantity;

mod kind;

mod bounded;

mod bounds;

mod calendar;

mod functions;

mod broker;

mod mirror;

mod bucket;

mod retention;

mod store;

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

mod rule;

mod rules;

mod version;

mod deliver;

mod publish;

mod topics;

mod files;

mod journaled;

mod load;

mod embedded;

mod printed;

pub use bounds::BoundSettings;
pub use bucket::Bucket;
pub use functions::{
    AssignmentSettings, BillingSettings, BySite, FunctionSettings, Labour, Level, NotificationSettings,
    Price, QaSettings, Route, RoutingSettings, Technician, Told,
};
pub(crate) use journaled::reads_alike;
pub use mirror::{Ack, MirrorPlace, MirrorSettings, Takeover};
pub use mistake::Mistake;
pub(crate) use mistake::nearest as nearest_name;
pub use printed::{andon_toml, functions_toml};
pub use publish::OutputSettings;
pub use quantity::{QuantityError, parse_duration, parse_period, parse_size, print_duration, print_size};
pub use retention::RetentionSettings;
pub use rule::{CountsWhile, ExceptionKind, Lane, RuleSettings, Severity};
pub(crate) use rules::{Wording, ranks};
pub use store::StoreSettings;

/// Files beside `andon.toml` that may be absent.
pub(crate) const NEIGHBOURS: [&str; 4] = ["metrics.toml", "assets.toml", "calendar.toml", "functions.toml"];

/// Everything from `andon.toml`, `metrics.toml`, `assets.toml`, `calendar.toml`, `functions.toml` and `rules/*.toml`.
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
    pub retention: RetentionSettings,
    pub store: StoreSettings,
    pub http: HttpSettings,
    /// None where the journal is not mirrored.
    pub mirror: Option<MirrorSettings>,
    /// None where nothing is published.
    pub publish: Option<OutputSettings>,
    /// Where items of queues are sent.
    pub couriers: Vec<sinks::courier::CourierSettings>,
    pub metrics: Vec<MetricSettings>,
    /// Unit aliases beside the shipped ones: (alias, UCUM code).
    pub unit_aliases: Vec<(String, String)>,
    pub assets: Vec<ingest::readings::Asset>,
    /// Where the rules are read from.
    pub rules_folder: PathBuf,
    /// Zones and shifts of the sites, from `calendar.toml`.
    pub calendars: Arc<Calendars>,
    /// What the workshop's functions go by, from `functions.toml`.
    pub functions: Arc<FunctionSettings>,
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
    /// Reads `path` (an `andon.toml`), `metrics.toml`, `assets.toml`, `calendar.toml` and `functions.toml` beside it where
    /// they are, and the rules, whose SQL is planned. Secrets are fetched; nothing is connected to and nothing is written.
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

    /// The same, with the store's password alone.
    ///
    /// # Errors
    /// All mistakes of all files.
    pub fn load_to_read_the_store(path: &Path) -> Result<Config, Vec<Mistake>> {
        Self::load_from(path, &files::StoreSecret)
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
    /// Sequence numbers that have not come for so long are told.
    pub gap_after: Duration,
    pub series_per_site_max: usize,
    /// What sites have otherwise, by name.
    pub sites: Vec<(String, BoundSettings)>,
    /// What kinds of assets have otherwise, by name.
    pub kinds: Vec<(String, BoundSettings)>,
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
            gap_after: minutes(10),
            series_per_site_max: 100_000,
            sites: Vec::new(),
            kinds: Vec::new(),
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

/// `[http]`.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub listen: SocketAddr,
}
