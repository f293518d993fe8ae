//! `[topics]`: which topics mean what, and which are Andon's own.

use ingest::config::TopicSettings;

use super::kind::Kind;
use super::service::TYPED;
use super::setting::Fallback::Is;
use super::setting::{Setting, set};
use super::values::Values;

pub(super) const TELEMETRY: Setting = set(
    "topics.telemetry",
    Kind::Patterns,
    Is("[\"workshop/{site}/{bay}/{tool}/telemetry\", \"workshop/{site}/telemetry\"]"),
    "Readings.",
);
pub(super) const STEPS: Setting = set(
    "topics.steps",
    Kind::Patterns,
    Is("[\"workshop/{site}/{bay}/steps\", \"workshop/{site}/steps\"]"),
    "Step events: started, paused, finished and so on.",
);
pub(super) const USAGE: Setting = set(
    "topics.usage",
    Kind::Patterns,
    Is("[\"workshop/{site}/{bay}/usage\"]"),
    "Parts and consumables booked by hand, with the `lot` that they are of, if they say it.",
);
pub(super) const JOBS: Setting =
    set("topics.jobs", Kind::Patterns, Is("[\"workshop/{site}/jobs\"]"), "Job cards.");
pub(super) const STATUS: Setting = set(
    "topics.status",
    Kind::Patterns,
    Is("[\"workshop/{site}/{bay}/{tool}/status\", \"workshop/{site}/{bay}/status\"]"),
    "Online, occupied, open: retained states and last wills.",
);
pub(super) const ASSETS: Setting = set(
    "topics.assets",
    Kind::Patterns,
    Is("[\"workshop/{site}/assets\"]"),
    "Tools and lifts with their limits. They may stand in assets.toml as well.",
);
pub(super) const OUTPUTS: Setting = set(
    "topics.outputs",
    Kind::Patterns,
    Is("[\"workshop/{site}/{bay}/andon\"]"),
    "What Andon itself publishes: ignored and counted, should it come back.",
);

pub(super) fn read(values: &Values) -> TopicSettings {
    let patterns = |setting: &Setting| values.texts(setting.path).expect(TYPED).to_vec();
    TopicSettings {
        telemetry: patterns(&TELEMETRY),
        steps: patterns(&STEPS),
        usage: patterns(&USAGE),
        jobs: patterns(&JOBS),
        status: patterns(&STATUS),
        assets: patterns(&ASSETS),
        outputs: patterns(&OUTPUTS),
    }
}
