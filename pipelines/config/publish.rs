//! `[publish]`: what Andon itself tells a broker.

use std::path::Path;

use ingest::config::{Secret, SourceSettings, TlsSettings, TopicSettings};
use ingest::publish::PublishSettings;

use super::document::Reader;
use super::files::Files;
use super::kind::Kind;
use super::mistake::Fault;
use super::pattern::braced;
use super::service::TYPED;
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, set};
use super::values::Values;

pub(super) const LAMPS: Setting = set(
    "publish.lamps",
    Kind::Flag,
    Is("false"),
    "For each bay, retained, what its lamp shows: {\"state\":\"red\",\"exceptions\":[…]}. red: a critical or high exception \
     that nobody has acknowledged; yellow: others, or acknowledged ones; else green while a step is worked on, blue while it is \
     paused, off without one. Exceptions that are shelved, or whose tool is \
     out of service, do not count.",
);
pub(super) const LAMP_TOPIC: Setting =
    set("publish.lamp_topic", Kind::Text, Is("\"workshop/{site}/{bay}/andon\""), "Where a lamp listens.");
pub(super) const TECHNICIANS: Setting = set(
    "publish.technicians",
    Kind::Flag,
    Is("false"),
    "For each technician, retained, the steps that are theirs, as /api/v1/technicians/NAME/steps has them, at most once a \
     second. No bay can be called technician then.",
);
pub(super) const TECHNICIAN_TOPIC: Setting = set(
    "publish.technician_topic",
    Kind::Text,
    Is("\"workshop/{site}/technician/{technician}\""),
    "Where a technician's device listens.",
);
pub(super) const BROKER: Setting = set(
    "publish.broker",
    Kind::Broker,
    Absent("\"mqtt://lamps.example:1883\""),
    "Another broker than that of [source]; of mqtts:// [source.tls] says whom to trust.",
);
pub(super) const CLIENT_ID: Setting = set(
    "publish.client_id",
    Kind::Text,
    Absent("\"andon-out\""),
    "The name of this second connection. Without the line that of [source] with -out behind it.",
);
pub(super) const USERNAME: Setting =
    set("publish.username", Kind::Text, Absent("\"andon\""), "Name to log in with at another broker.");
pub(super) const PASSWORD: Setting = set(
    "publish.password",
    Kind::Secret,
    Absent("\"env:ANDON_LAMPS_PASSWORD\""),
    "Its password, by reference: env:NAME for an environment variable, file:PATH for a file.",
);

/// `[publish]`, where something of it is on.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    pub broker: PublishSettings,
    /// Pattern with `{site}` and `{bay}`, if lamps are told.
    pub lamp_topic: Option<String>,
    /// Pattern with `{site}` and `{technician}`, if technicians are told.
    pub technician_topic: Option<String>,
}

/// What is published, if anything; its topics are added to those that are known for our own.
pub(super) fn read(
    values: &Values,
    source: &SourceSettings,
    tls: TlsSettings,
    (folder, files): (&Path, &dyn Files),
    topics: &mut TopicSettings,
    reader: &mut Reader<'_>,
) -> Option<OutputSettings> {
    let mut topic = |flag: &Setting, topic: &Setting, names: [&str; 2]| {
        let pattern = values.text(topic.path).expect(TYPED);
        if let Some(fault) = unfit(topic.path, pattern, names) {
            reader.fault(&values.span(topic.path).unwrap_or_default(), fault);
        }
        values.flag(flag.path).expect(TYPED).then(|| pattern.to_owned())
    };
    let lamp_topic = topic(&LAMPS, &LAMP_TOPIC, ["site", "bay"]);
    let technician_topic = topic(&TECHNICIANS, &TECHNICIAN_TOPIC, ["site", "technician"]);
    for (pattern, setting) in [(&lamp_topic, &LAMP_TOPIC), (&technician_topic, &TECHNICIAN_TOPIC)] {
        let Some(pattern) = pattern else { continue };
        let own = pattern.replace("{technician}", "+");
        let is_own = |known: &String| levels(known).eq(levels(&own));
        let TopicSettings { telemetry, steps, usage, jobs, status, assets, outputs } = topics;
        if [telemetry, steps, usage, jobs, status, assets].into_iter().flatten().any(|known| is_own(known)) {
            let message = format!("`{}` is a topic that Andon reads: `{pattern}`", setting.path);
            let span = values.span(setting.path).unwrap_or_default();
            reader.fault(&span, Fault::new(message, "tell lamps and technicians on topics of their own"));
        } else if !outputs.iter().any(is_own) {
            outputs.push(own);
        }
    }
    let client_id = values.text(CLIENT_ID.path).map(str::to_owned);
    let client_id = client_id.unwrap_or_else(|| format!("{}-out", source.client_id));
    let mut broker = PublishSettings {
        host: source.host.clone(),
        port: source.port,
        tls: source.tls.clone(),
        client_id,
        username: source.username.clone(),
        password: source.password.clone(),
        keep_alive: source.keep_alive,
    };
    if broker.client_id == source.client_id {
        let message = format!("`publish.client_id` is that of [source]: `{}`", broker.client_id);
        let remedy = "leave the line out: a broker ends the one connection when the other comes";
        reader.fault(&values.span(CLIENT_ID.path).unwrap_or_default(), Fault::new(message, remedy));
    }
    match values.broker(BROKER.path) {
        Some(other) => {
            (broker.host, broker.port) = (other.host.clone(), other.port);
            broker.tls = other.is_tls.then_some(tls);
            broker.username = values.text(USERNAME.path).map(str::to_owned);
            broker.password = secret(values, folder, files, reader);
        }
        None => {
            for key in [USERNAME.path, PASSWORD.path] {
                if let Some(span) = values.span(key) {
                    let message = format!("`{key}` is of no use without `publish.broker`");
                    reader
                        .fault(&span, Fault::new(message, "those of [source] are taken; leave the line out"));
                }
            }
        }
    }
    let is_on = lamp_topic.is_some() || technician_topic.is_some();
    is_on.then_some(OutputSettings { broker, lamp_topic, technician_topic })
}

fn secret(values: &Values, folder: &Path, files: &dyn Files, reader: &mut Reader<'_>) -> Option<Secret> {
    let reference = values.text(PASSWORD.path)?;
    let span = values.span(PASSWORD.path).unwrap_or_default();
    let found = files.secret(PASSWORD.path, reference, folder);
    found.map_err(|fault| reader.fault(&span, fault)).ok().flatten()
}

/// Levels, all captures alike.
fn levels(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').map(|level| if level.starts_with('{') { "+" } else { level })
}

fn unfit(path: &str, pattern: &str, names: [&str; 2]) -> Option<Fault> {
    let fault = |message: String| {
        let [one, other] = names;
        let remedy = format!(
            "write for example \"workshop/{{{one}}}/{{{other}}}/andon\", each name once, as a whole level"
        );
        Some(Fault::new(message, remedy))
    };
    let braced = match braced(pattern) {
        Ok(braced) => braced,
        Err(wrong) => return Some(Fault::new(format!("`{path}`: {}", wrong.message), wrong.remedy)),
    };
    let mut sorted = braced.clone();
    sorted.sort_unstable();
    let mut wanted = names.to_vec();
    wanted.sort_unstable();
    if sorted != wanted {
        return fault(format!(
            "`{path}` names {{{}}} in `{pattern}`, and {{{}}} are needed",
            braced.join("}, {"),
            names.join("} and {")
        ));
    }
    let is_odd = |level: &str| {
        level.is_empty()
            || level.contains(['+', '#'])
            || (level.contains('{') != level.starts_with('{'))
            || (level.contains('}') && !level.ends_with('}'))
    };
    pattern.split('/').any(is_odd).then(|| fault(format!("`{path}` is no topic: `{pattern}`"))).flatten()
}
