//! `andon.toml` to settings: paths resolved, secrets fetched, settings checked against each other.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ingest::config::{JournalSettings, SourceSettings, TlsSettings, TopicSettings};
use sinks::courier::CourierSettings;
use toml::de::DeTable;

use super::bounds;
use super::document::Reader;
use super::files::Files;
use super::fit::{check, warnings};
use super::mistake::{Mistake, SourceFile};
use super::settings::ANDON;
use super::{
    CheckpointSettings, EngineSettings, ExportSettings, HttpSettings, MirrorSettings, OutputSettings,
    RetentionSettings, StoreSettings, deliver, mirror, publish, retention, store, topics,
};

/// What `andon.toml` says.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) source: SourceSettings,
    pub(super) topics: TopicSettings,
    pub(super) journal: JournalSettings,
    pub(super) engine: EngineSettings,
    pub(super) checkpoint: CheckpointSettings,
    pub(super) export: ExportSettings,
    pub(super) retention: RetentionSettings,
    pub(super) store: StoreSettings,
    pub(super) http: HttpSettings,
    pub(super) mirror: Option<MirrorSettings>,
    pub(super) publish: Option<OutputSettings>,
    pub(super) couriers: Vec<CourierSettings>,
    pub(super) unit_aliases: Vec<(String, String)>,
    pub(super) rules_folder: PathBuf,
    /// Where the user named it, if so.
    pub(super) rules_folder_span: Option<Range<usize>>,
    pub(super) warnings: Vec<Mistake>,
}

pub(super) const TYPED: &str = "the table of settings gives each path its type and default";

/// Reads the file. With mistakes, defaults stand where they were made, so that other files can be checked.
pub(super) fn read(
    file: &SourceFile,
    table: &DeTable<'_>,
    folder: &Path,
    files: &dyn Files,
) -> (Service, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let values = reader.read(table, ANDON, &(0..0), "");
    let secret = values.text("source.password").and_then(|reference| {
        let found = files.secret("source.password", reference, folder);
        let span = values.span("source.password").unwrap_or_default();
        found.map_err(|fault| reader.fault(&span, fault)).ok().flatten()
    });
    let mut topics = topics::read(&values);
    check(&values, &topics, folder, files, &mut reader);
    let mirror = mirror::read(&values, folder, files, &mut reader);
    let couriers = deliver::read(&values, folder, files, &mut reader);
    let store = store::read(&values, folder, files, &mut reader);
    let path = |key: &str| folder.join(values.text(key).expect(TYPED));
    let duration = |key: &str| values.duration(key).expect(TYPED);
    let bytes = |key: &str| values.size(key).expect(TYPED);
    let memory = |key: &str| usize::try_from(bytes(key)).unwrap_or(usize::MAX);
    let broker = values.broker("source.broker").expect(TYPED);
    let optional = |key: &str| values.text(key).map(|text| folder.join(text));
    let client = optional("source.tls.client_certificate").zip(optional("source.tls.client_key"));
    let tls = TlsSettings { authority: optional("source.tls.authority"), client };
    let source = SourceSettings {
        host: broker.host.clone(),
        port: broker.port,
        tls: broker.is_tls.then(|| tls.clone()),
        client_id: values.text("source.client_id").expect(TYPED).to_owned(),
        username: values.text("source.username").map(str::to_owned),
        password: secret,
        qos: values.whole("source.qos").expect(TYPED),
        keep_alive: duration("source.keep_alive"),
        inflight_window: values.whole("source.inflight_window").expect(TYPED),
        message_bytes_max: memory("source.message_bytes_max"),
        waiting_bytes_max: memory("source.waiting_bytes_max"),
    };
    let publish = publish::read(&values, &source, tls, (folder, files), &mut topics, &mut reader);
    let service = Service {
        source,
        topics,
        journal: JournalSettings {
            folder: path("journal.folder"),
            segment_bytes: bytes("journal.segment_bytes"),
            commit_interval: duration("journal.commit_interval"),
            commit_bytes: memory("journal.commit_bytes"),
        },
        engine: EngineSettings {
            lateness: duration("engine.lateness"),
            correction_horizon: duration("engine.correction_horizon"),
            clock_bound: duration("engine.clock_bound"),
            age_bound: duration("engine.age_bound"),
            idle: duration("engine.idle"),
            idle_final: duration("engine.idle_final"),
            cut_interval: duration("engine.cut_interval"),
            repeat_messages: values.whole("engine.repeat_messages").expect(TYPED),
            repeat_age: duration("engine.repeat_age"),
            gap_after: duration("engine.gap_after"),
            series_per_site_max: values.whole("engine.series_per_site_max").expect(TYPED),
            sites: bounds::read(&values, "engine.sites"),
            kinds: bounds::read(&values, "engine.kinds"),
        },
        checkpoint: CheckpointSettings {
            folder: path("checkpoint.folder"),
            keep: values.whole("checkpoint.keep").expect(TYPED),
        },
        export: ExportSettings {
            folder: path("export.folder"),
            telemetry: values.flag("export.telemetry").expect(TYPED),
            file_rows_max: values.whole("export.file_rows_max").expect(TYPED),
        },
        retention: retention::read(&values),
        store,
        http: HttpSettings { listen: values.address("http.listen").expect(TYPED) },
        mirror,
        publish,
        couriers,
        unit_aliases: values.pairs("units.aliases").to_vec(),
        rules_folder: path("rules.folder"),
        rules_folder_span: values.span("rules.folder"),
        warnings: warnings(file, &values),
    };
    (service, reader.mistakes)
}
