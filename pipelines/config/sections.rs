//! The sections of `andon.toml`, in its order.

/// What stands above each section.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("source", "The broker that sensors publish to, and the session with it."),
    (
        "source.tls",
        "Only with mqtts://. Without these the system's authorities are trusted, and no certificate is shown.",
    ),
    (
        "topics",
        "Which topics mean what. {site}, {bay} and {tool} each take one level; what a topic does not carry may \
         stand in the payload. Andon subscribes to these patterns and to nothing else.",
    ),
    (
        "units.aliases",
        "Other spellings of units that this shop's devices send, and the UCUM code they mean; beside the shipped \
         ones (Nm, °C, kWh and the like).",
    ),
    ("journal", "Every message is written here before it is acknowledged."),
    ("engine", "Event time: how long to wait, what is late, what is a repeat."),
    (
        "checkpoint",
        "Where the engine's state is kept, so that a restart replays only the newest entries of the journal.",
    ),
    ("export", "Parquet files: FOLDER/<stream>/date=YYYY-MM-DD/site=S/*.parquet."),
    (
        "retention",
        "How much of the past is kept on the disk. What a restart, the mirror or a correction still needs is never removed, \
         whatever the size.",
    ),
    (
        "store",
        "The tables exceptions, usage, steps and checks, and those of the workshop's functions, for the shop's other programs.",
    ),
    ("http", "Board, status and metrics on one port."),
    (
        "mirror",
        "A copy of journal and checkpoints in another region, for `andon run --standby` there. Without a url there is \
         none.",
    ),
    (
        "publish",
        "What Andon itself publishes over a second connection, retained, with QoS 1: the newest state of each topic, when it \
         changes and once after each connection. Nothing unless it is switched on here. A standby publishes nothing.",
    ),
    ("rules", "One rule or view a file."),
];
