//! The one table of settings of `andon.toml`: key, type, bounds, default and comment of each.
//!
//! Files are checked against it, and `config/andon.toml` is what `printed.rs` makes of it. What is
//! no setting is a constant in the code, with a comment.

use super::bounds::{KINDS, SITES};
use super::deliver::{MAIL, WEBHOOKS};
use super::kind::Kind;
use super::retention::{CHECKPOINTS, EXPORTS, JOURNAL, QUARANTINE};
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, duration, set, size, whole};
use super::{bucket, mirror, publish, store, topics};

/// `andon.toml`.
pub(super) static ANDON: &[Setting] = &[
    set(
        "source.broker",
        Kind::Broker,
        Is("\"mqtt://127.0.0.1:1883\""),
        "mqtt://host:port, or mqtts:// for TLS.",
    ),
    set(
        "source.client_id",
        Kind::Text,
        Is("\"andon\""),
        "The broker keeps the session, and what waits for us, under this name: one for each service, and never \
         changed.",
    ),
    set("source.username", Kind::Text, Absent("\"andon\""), "Name to log in with."),
    set(
        "source.password",
        Kind::Secret,
        Absent("\"env:ANDON_MQTT_PASSWORD\""),
        "By reference: env:NAME for an environment variable, file:PATH for a file.",
    ),
    set(
        "source.qos",
        whole(0, 1),
        Is("1"),
        "1: no acknowledged message is lost. 0: for brokers that cannot do better.",
    ),
    set(
        "source.keep_alive",
        duration("5s", "1h"),
        Is("\"30s\""),
        "A silent connection is checked this often.",
    ),
    set(
        "source.inflight_window",
        whole(1, 65_535),
        Is("20"),
        "Messages that the broker sends before it waits for acknowledgements; half of it forces a commit. It must \
         not exceed the broker's own (Mosquitto: max_inflight_messages, 20 by default), and the mosquitto.conf \
         beside this file has 5000.",
    ),
    set(
        "source.mosquitto_conf",
        Kind::Path,
        Absent("\"mosquitto.conf\""),
        "The broker's configuration, where it is a Mosquitto on this machine: inflight_window is checked against it. \
         Remove the line for any other broker.",
    ),
    set(
        "source.message_bytes_max",
        size("1KiB", "64MiB"),
        Is("\"1MiB\""),
        "Larger messages are quarantined.",
    ),
    set(
        "source.waiting_bytes_max",
        size("64KiB", "16GiB"),
        Is("\"64MiB\""),
        "Memory for messages that wait for a slow disk. Beyond it QoS 1 waits at the broker, and QoS 0 is shed and \
         counted.",
    ),
    set(
        "source.tls.authority",
        Kind::Path,
        Absent("\"ca.pem\""),
        "PEM file of the authorities to trust, in place of the system's.",
    ),
    set(
        "source.tls.client_certificate",
        Kind::Path,
        Absent("\"andon.pem\""),
        "PEM file of our certificate, for brokers that ask for one.",
    ),
    set("source.tls.client_key", Kind::Path, Absent("\"andon.key\""), "PEM file of its key."),
    topics::TELEMETRY,
    topics::STEPS,
    topics::USAGE,
    topics::JOBS,
    topics::STATUS,
    topics::ASSETS,
    topics::OUTPUTS,
    set(
        "units.aliases",
        Kind::Pairs,
        Absent("{ \"newton metre\" = \"N.m\" }"),
        "Spelling on the left, UCUM code on the right.",
    ),
    set(
        "journal.folder",
        Kind::Path,
        Is("\"data/journal\""),
        "Relative folders start at this file's folder, here and below. A disk of its own pays at high rates.",
    ),
    set(
        "journal.segment_bytes",
        size("1MiB", "4GiB"),
        Is("\"64MiB\""),
        "Segments are allocated at this size, and deleted whole; the next one is made ahead, so there is one more than is \
         kept.",
    ),
    set(
        "journal.commit_interval",
        duration("1ms", "1s"),
        Is("\"5ms\""),
        "A commit (one write, one sync, one round of acknowledgements) comes after this long or after commit_bytes, \
         whichever is first.",
    ),
    set("journal.commit_bytes", size("1KiB", "64MiB"), Is("\"256KiB\""), "See commit_interval."),
    set(
        "engine.lateness",
        duration("0s", "1d"),
        Is("\"30s\""),
        "How far a bay's rows may come out of order. Windows and steps wait this long behind the bay's newest row.",
    ),
    set(
        "engine.correction_horizon",
        duration("0s", "7d"),
        Is("\"15min\""),
        "Later rows still correct their window, as a new revision, up to this age. Beyond it they go to the stream \
         late.",
    ),
    set(
        "engine.clock_bound",
        duration("1s", "1d"),
        Is("\"60s\""),
        "Rows further ahead of their arrival are quarantined: their device's clock is wrong.",
    ),
    set(
        "engine.age_bound",
        duration("1h", "3650d"),
        Is("\"30d\""),
        "Rows older than this at their arrival are quarantined.",
    ),
    set(
        "engine.idle",
        duration("1s", "1d"),
        Is("\"30s\""),
        "What a bay has so far is shown, not final, once it is silent for this long.",
    ),
    set(
        "engine.idle_final",
        duration("1min", "30d"),
        Is("\"24h\""),
        "What a bay has so far is final once it is silent for this long.",
    ),
    set(
        "engine.cut_interval",
        duration("100ms", "10min"),
        Is("\"5s\""),
        "A checkpoint, and new rows in exports and store, this often.",
    ),
    set(
        "engine.repeat_messages",
        whole(1, 16_777_216),
        Is("65536"),
        "MQTT delivers messages again after a reconnect: they are recognised among so many messages of a topic, if \
         no older than repeat_age.",
    ),
    set("engine.repeat_age", duration("1s", "30d"), Is("\"24h\""), "See repeat_messages."),
    set(
        "engine.gap_after",
        duration("1s", "7d"),
        Is("\"10min\""),
        "Sequence numbers that were passed over are told, in the stream gaps, when they have not come for so long.",
    ),
    set(
        "engine.series_per_site_max",
        whole(1, 4_000_000),
        Is("100000"),
        "Distinct (bay, tool, metric) of a site. Readings of further ones are quarantined.",
    ),
    SITES,
    KINDS,
    set("checkpoint.folder", Kind::Path, Is("\"data/checkpoints\""), "One file a checkpoint."),
    set(
        "checkpoint.keep",
        whole(2, 1000),
        Is("3"),
        "So many are kept, the newest ones, and the room of one for the next. The last of another version of Andon stays as \
         well, while the journal reaches back to it.",
    ),
    set("export.folder", Kind::Path, Is("\"data/export\""), "Any engine that reads Parquet can query it."),
    set(
        "export.telemetry",
        Kind::Flag,
        Is("true"),
        "Whether the raw readings are exported. They are by far the most; without them windows, exceptions, usage and \
         the rest stay as they are, and rules cannot be tried on what was not kept.",
    ),
    set(
        "export.file_rows_max",
        whole(1, 100_000_000),
        Is("131072"),
        "A file is full at so many rows, or at 32 MiB.",
    ),
    JOURNAL,
    CHECKPOINTS,
    EXPORTS,
    QUARANTINE,
    store::URL,
    store::PASSWORD,
    set(
        "http.listen",
        Kind::Address,
        Is("\"127.0.0.1:8080\""),
        "IP address and port. Whoever reaches it sees everything, and commands are taken from this machine alone: keep \
         it on loopback, behind a proxy that asks for a login.",
    ),
    mirror::URL,
    bucket::ENDPOINT,
    bucket::REGION,
    bucket::ACCESS_KEY,
    bucket::SECRET_KEY,
    mirror::ACK,
    mirror::TAKEOVER,
    mirror::LEASE,
    mirror::INTERVAL,
    mirror::CHECKPOINT_INTERVAL,
    mirror::RETAIN,
    mirror::BEHIND_BYTES_MAX,
    publish::LAMPS,
    publish::LAMP_TOPIC,
    publish::TECHNICIANS,
    publish::TECHNICIAN_TOPIC,
    publish::BROKER,
    publish::CLIENT_ID,
    publish::USERNAME,
    publish::PASSWORD,
    WEBHOOKS,
    MAIL,
    set("rules.folder", Kind::Path, Is("\"rules\""), "Each *.toml in it, by name."),
];
