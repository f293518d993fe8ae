//! Settings that must fit each other, and those that deserve a second look.

use std::path::Path;
use std::time::Duration;

use ingest::config::TopicSettings;
use ingest::topic::{TopicError, Topics};
use ingest::units::Units;

use super::document::Reader;
use super::files::Files;
use super::mistake::{Fault, Mistake, SourceFile};
use super::service::TYPED;
use super::values::Values;

/// Settings that must fit each other. Each is reported where the user set it.
pub(super) fn check(
    values: &Values,
    topics: &TopicSettings,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) {
    let duration = |key: &str| values.duration(key).expect(TYPED);
    let size = |key: &str| values.size(key).expect(TYPED);
    let mut unfit = Vec::new();
    let mut at = |keys: &[&str], message: String, remedy: String| {
        if let Some(span) = keys.iter().find_map(|key| values.span(key)) {
            reader.fault(&span, Fault::new(message, remedy));
        }
    };
    for (less, more) in [
        ("engine.lateness", "engine.correction_horizon"),
        ("engine.correction_horizon", "engine.age_bound"),
        ("engine.idle", "engine.idle_final"),
    ] {
        if duration(less) > duration(more) {
            at(
                &[less, more],
                format!("`{less}` is longer than `{more}`"),
                format!("raise `{more}` or lower `{less}`"),
            );
        }
    }
    for (home, (name, bounds)) in ["engine.sites", "engine.kinds"]
        .into_iter()
        .flat_map(|home| values.tables(home).iter().map(move |table| (home, table)))
    {
        for (less, more) in
            [("lateness", "correction_horizon"), ("correction_horizon", "age_bound"), ("idle", "idle_final")]
        {
            let found = |key: &str| match bounds.duration(key) {
                Some(own) => (format!("{home}.{name}.{key}"), own),
                None => (format!("engine.{key}"), duration(&format!("engine.{key}"))),
            };
            let ((less_path, less_is), (more_path, more_is)) = (found(less), found(more));
            let span = bounds.span(less).or_else(|| bounds.span(more)).filter(|_| less_is > more_is);
            if let Some(span) = span {
                let message = format!("`{less_path}` is longer than `{more_path}`");
                let remedy = format!("raise `{more_path}` or lower `{less_path}`");
                unfit.push((span, Fault::new(message, remedy)));
            }
        }
    }
    for (less, more) in [
        ("source.message_bytes_max", "source.waiting_bytes_max"),
        ("source.message_bytes_max", "journal.segment_bytes"),
        ("journal.commit_bytes", "journal.segment_bytes"),
    ] {
        if size(less) > size(more) {
            at(
                &[less, more],
                format!("`{less}` is larger than `{more}`"),
                format!("raise `{more}` or lower `{less}`"),
            );
        }
    }
    let is_tls = |key| values.broker(key).is_some_and(|broker: &super::broker::Broker| broker.is_tls);
    let is_tls = is_tls("source.broker") || is_tls("publish.broker");
    for key in ["source.tls.authority", "source.tls.client_certificate", "source.tls.client_key"] {
        if let (Some(file), false) = (values.text(key), is_tls) {
            let message = format!("`{key}` is set to `{file}`, and `source.broker` is no mqtts:// URL");
            at(
                &[key],
                message,
                "write `broker = \"mqtts://host:8883\"`, or leave `[source.tls]` out".to_owned(),
            );
        } else if let Some(file) = values.text(key)
            && let Err(error) = files.read(&folder.join(file))
        {
            let message = format!("`{key}`: `{file}` cannot be read: {error}");
            at(&[key], message, "name a PEM file".to_owned());
        }
    }
    for (one, other) in [
        ("source.tls.client_certificate", "source.tls.client_key"),
        ("source.tls.client_key", "source.tls.client_certificate"),
        ("source.password", "source.username"),
        ("publish.password", "publish.username"),
    ] {
        if values.text(one).is_some() && values.text(other).is_none() {
            at(&[one], format!("`{one}` needs `{other}`"), format!("set `{other}` as well"));
        }
    }
    let folders = ["journal.folder", "checkpoint.folder", "export.folder"];
    for (index, key) in folders.iter().enumerate() {
        let same = folders[..index].iter().find(|other| {
            let path = |key: &str| folder.join(values.text(key).expect(TYPED));
            path(key) == path(other)
        });
        if let Some(other) = same {
            at(
                &[key, other],
                format!("`{key}` and `{other}` are the same folder"),
                "give each its own".to_owned(),
            );
        }
    }
    check_window(values, folder, files, &mut at);
    check_names(topics, values, &mut at);
    unfit.into_iter().for_each(|(span, fault)| reader.fault(&span, fault));
}

type At<'a> = dyn FnMut(&[&str], String, String) + 'a;

/// A window above the broker's never fills to the half that forces a commit.
fn check_window(values: &Values, folder: &Path, files: &dyn Files, at: &mut At<'_>) {
    let Some(name) = values.text("source.mosquitto_conf") else { return };
    let key = "source.mosquitto_conf";
    let text = match files.read(&folder.join(name)) {
        Ok(text) => text,
        Err(error) => {
            let remedy = "name the file that the broker is started with, or leave the line out".to_owned();
            return at(&[key], format!("`{key}`: `{name}` cannot be read: {error}"), remedy);
        }
    };
    let mut set = text.lines().filter_map(|line| line.trim().strip_prefix("max_inflight_messages"));
    let allowed: u32 =
        set.next_back().and_then(|number| number.trim().parse().ok()).unwrap_or(MOSQUITTO_WINDOW);
    let window: u32 = values.whole("source.inflight_window").expect(TYPED);
    // 0 stands for "no bound" in Mosquitto.
    if allowed != 0 && window > allowed {
        let message = format!("`source.inflight_window` is {window}, and `{name}` allows {allowed}");
        let remedy =
            format!("write `inflight_window = {allowed}`, or raise `max_inflight_messages` in `{name}`");
        at(&["source.inflight_window", key], message, remedy);
    }
}

/// A topic means one thing, and an alias stands for a unit.
fn check_names(topics: &TopicSettings, values: &Values, at: &mut At<'_>) {
    match Topics::new(topics) {
        Err(TopicError::Ambiguous { key, pattern, other_key, other }) => {
            let (key, other_key) = (format!("topics.{key}"), format!("topics.{other_key}"));
            let message =
                format!("`{pattern}` in `{key}` matches the same topics as `{other}` in `{other_key}`");
            at(&[&key, &other_key], message, "make a level of one of them literal, or remove one".to_owned());
        }
        Err(error) => at(&["topics.telemetry"], error.to_string(), "write the pattern anew".to_owned()),
        Ok(_) => {}
    }
    for (alias, code) in values.pairs("units.aliases") {
        if Units::new(&[(alias.clone(), code.clone())]).is_err() {
            let message = format!("the alias `{alias}` stands for `{code}`, which is no UCUM code");
            at(
                &["units.aliases"],
                message,
                "see ucum.org for the codes, such as `N.m`, `L` or `kW.h`".to_owned(),
            );
        }
    }
}

/// What is allowed and worth a second look.
pub(super) fn warnings(file: &SourceFile, values: &Values) -> Vec<Mistake> {
    let mut warnings = Vec::new();
    let mut warn = |key: &str, message: String, remedy: &str| {
        let span = values.span(key).unwrap_or_default();
        warnings.push(file.mistake(&span, Fault::new(message, remedy)));
    };
    let listen = values.address("http.listen").expect(TYPED);
    if !listen.ip().is_loopback() {
        let message = format!(
            "`http.listen` is `{listen}`: everyone who reaches it sees everything; commands are taken from this \
             machine alone"
        );
        let remedy = "keep it on 127.0.0.1, behind a proxy on this machine that asks for a login";
        warn("http.listen", message, remedy);
    }
    let window: u32 = values.whole("source.inflight_window").expect(TYPED);
    if window > MOSQUITTO_WINDOW && values.text("source.mosquitto_conf").is_none() {
        let message =
            format!("`source.inflight_window` is {window}, and Mosquitto's default is {MOSQUITTO_WINDOW}");
        warn(
            "source.inflight_window",
            message,
            "make sure that the broker's window is as large, or name `mosquitto_conf`",
        );
    }
    if duration_is_short(values, "engine.lateness") {
        let message = "`engine.lateness` is below 1s: tools on Wi-Fi buffer for longer".to_owned();
        warn(
            "engine.lateness",
            message,
            "rows that come later are corrections; see the counters `corrections` and `late`",
        );
    }
    warnings
}

/// `max_inflight_messages` of a Mosquitto whose configuration does not set it.
const MOSQUITTO_WINDOW: u32 = 20;

fn duration_is_short(values: &Values, key: &str) -> bool {
    values.duration(key).expect(TYPED) < Duration::from_secs(1)
}
