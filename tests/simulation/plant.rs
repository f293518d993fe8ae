//! What all lives share: a configuration, and its rules planned once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ingest::config::TopicSettings;
use ingest::intake::IntakeSettings;
use ingest::storage::{CrashStorage, Storage};
use pipelines::config::{Config, Technician};
use pipelines::engine::Engine;
use pipelines::{exports, wire};
use sinks::parquet::{ParquetSettings, ParquetSink, Show};
use sinks::sink::SinkError;

/// Where everything durable is.
pub(crate) const DATA: &str = "/andon";

const RULES: [&str; 6] = [
    "torque_out_of_spec",
    "torque_per_minute",
    "readings_missing",
    "tool_offline",
    "tool_silent",
    "gateway_down",
];

/// A shop's configuration and the engine that was made for it, of which each start takes a fresh one.
pub(crate) struct Plant {
    pub(crate) config: Config,
    planned: Engine,
    exports: ParquetSettings,
}

impl Plant {
    /// The shipped configuration with a few of its rules, and times that fit a life of seconds.
    pub(crate) fn new() -> Plant {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml");
        let mut config = Config::load(&shipped).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        config.rules.retain(|rule| RULES.contains(&rule.name.as_str()));
        assert_eq!(config.rules.len(), RULES.len());
        let data = Path::new(DATA);
        config.journal.folder = data.join("journal");
        config.journal.segment_bytes = 8 << 10;
        config.journal.commit_interval = Duration::from_millis(60);
        config.journal.commit_bytes = 2_000;
        config.checkpoint.folder = data.join("checkpoints");
        config.checkpoint.keep = 2;
        config.export.folder = data.join("export");
        config.export.file_rows_max = 40;
        config.engine.lateness = Duration::from_secs(1);
        config.engine.idle = Duration::from_secs(1);
        config.engine.cut_interval = Duration::from_secs(3);
        config.source.inflight_window = 20;
        config.text = "a shop".to_owned();
        let mut functions = (*config.functions).clone();
        functions.assignment.bays.insert("lyon".to_owned(), vec!["bay-01".to_owned(), "bay-02".to_owned()]);
        let technician = Technician { site: "lyon".to_owned(), skills: Vec::new() };
        functions.assignment.technicians.insert("T17".to_owned(), technician);
        config.functions = Arc::new(functions);
        let planned = wire::engine(&config).expect("the shipped rules compile");
        let exports =
            exports::parquet(&planned, &config.export.folder, config.export.file_rows_max, Show::AtCut);
        Plant { config, planned, exports }
    }

    /// An engine before its first entry.
    pub(crate) fn engine(&self) -> Engine {
        let decoder = wire::decoder(&self.config).expect("the shipped topics and units");
        self.planned.fresh(&self.config, decoder).expect("it was made before")
    }

    /// The export, in a storage.
    pub(crate) fn export(&self, storage: &CrashStorage) -> Result<ParquetSink, SinkError> {
        ParquetSink::on(Arc::new(storage.clone()) as Arc<dyn Storage>, self.exports.clone())
    }

    /// Where the store's ledger is.
    pub(crate) fn ledger(&self) -> PathBuf {
        Path::new(DATA).join("ledger")
    }

    pub(crate) fn intake(&self) -> IntakeSettings {
        IntakeSettings {
            source: self.config.source.clone(),
            filters: TopicSettings::default().telemetry,
            commit_interval: self.config.journal.commit_interval,
            commit_bytes: self.config.journal.commit_bytes,
            cut_interval: self.config.engine.cut_interval,
        }
    }
}
