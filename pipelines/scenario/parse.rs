//! A line of a scenario to what it does.

use std::fmt::Write as _;

use ingest::entry::command::{Order, What};

use super::{Action, Message};

/// What to do about a line that means nothing.
pub(super) const REMEDY: &str = "`andon test --help` has the lines of a scenario";

/// 2026-03-02, a Monday.
pub(super) const DAY_MS: i64 = 1_772_409_600_000;

/// What a line does; nothing for remarks. `at_ms` is the newest time so far.
pub(super) fn action(line: &str, at_ms: i64) -> Result<Option<Action>, String> {
    Ok(Some(match line.split_once(' ').unwrap_or((line, "")) {
        ("" | "#" | "rules", _) => return Ok(None),
        ("in", rest) => Action::Message(reading(rest)?),
        ("step", rest) => Action::Message(step(rest)?),
        ("raw", rest) => Action::Message(raw(rest)?),
        ("ask", rest) => command(rest)?,
        ("tick", times) => {
            let times = times.split_whitespace().map(parse_time).collect::<Result<Vec<i64>, String>>()?;
            let [first_ms, .., last_ms] = times[..] else {
                let [only_ms] = times[..] else { return Err("a tick without a time".to_owned()) };
                return Ok(Some(Action::Tick { first_ms: only_ms, last_ms: only_ms }));
            };
            Action::Tick { first_ms, last_ms }
        }
        ("cut", _) => Action::Cut { at_ms },
        ("end", _) => Action::End,
        (word, _) => return Err(format!("`{word}` begins no line of a scenario")),
    }))
}

/// Milliseconds since 1970 of a time in a scenario.
///
/// # Errors
/// It is no time.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time: write 10:00:00, 10:00:00.250 or +1d/10:00:00");
    let (days, clock) = text.split_once("d/").unwrap_or(("0", text));
    let days: i64 = days.parse().map_err(|_| wrong())?;
    let parts = clock.split(':').map(|part| part.parse::<f64>().map_err(|_| wrong()));
    let [hours, minutes, seconds] = parts.collect::<Result<Vec<f64>, String>>()?[..] else {
        return Err(wrong());
    };
    let of_day_ms = (hours * 60.0 + minutes) * 60_000.0 + seconds * 1000.0;
    Ok(DAY_MS + days * 86_400_000 + of_day_ms.round() as i64)
}

/// The words of a line, and what is named behind them.
type Words<'a, const COUNT: usize> = ([&'a str; COUNT], Vec<(&'a str, &'a str)>);

fn words<const COUNT: usize>(rest: &str) -> Result<Words<'_, COUNT>, String> {
    let mut words = rest.split_whitespace();
    let mut first = [""; COUNT];
    for place in &mut first {
        *place = words.next().ok_or_else(|| format!("`{rest}` has fewer than {COUNT} words"))?;
    }
    let named = words.map(|word| word.split_once('=').ok_or_else(|| format!("`{word}` is not NAME=VALUE")));
    Ok((first, named.collect::<Result<_, String>>()?))
}

fn reading(rest: &str) -> Result<Message, String> {
    let ([ts, channel, metric, value], named) = words(rest)?;
    let ts_ms = parse_time(ts)?;
    let (mut at_ms, mut tags) = (ts_ms, String::new());
    let mut payload = format!(r#"{{"ts":{ts_ms},"metric":"{metric}","value":{value}"#);
    for (name, value) in named {
        match name {
            "at" => at_ms = parse_time(value)?,
            "seq" | "boot" => _ = write!(payload, r#","{name}":{value}"#),
            "unit" => _ = write!(payload, r#","unit":"{value}""#),
            tag => _ = write!(tags, r#"{}"{tag}":"{value}""#, if tags.is_empty() { "" } else { "," }),
        }
    }
    if !tags.is_empty() {
        let _ = write!(payload, r#","tags":{{{tags}}}"#);
    }
    payload.push('}');
    Ok(Message { at_ms, topic: format!("workshop/{channel}/telemetry"), payload: payload.into_bytes() })
}

fn step(rest: &str) -> Result<Message, String> {
    let ([ts, bay, job, step, event], named) = words(rest)?;
    let mut at_ms = parse_time(ts)?;
    let mut payload = format!(r#"{{"ts":{at_ms},"job":"{job}","step":"{step}","event":"{event}""#);
    for (name, value) in named {
        match name {
            "at" => at_ms = parse_time(value)?,
            "seq" => _ = write!(payload, r#","seq":{value}"#),
            name => _ = write!(payload, r#","{name}":"{value}""#),
        }
    }
    payload.push('}');
    Ok(Message { at_ms, topic: format!("workshop/{bay}/steps"), payload: payload.into_bytes() })
}

/// Members whose value is no text.
const NUMBERS: [&str; 4] = ["line", "duration_s", "origin", "price_hundredths"];

fn command(rest: &str) -> Result<Action, String> {
    let ([at, actor, kind], named) = words(rest)?;
    let at_ms = parse_time(at)?;
    let mut what = serde_json::Map::from_iter([("kind".to_owned(), kind.into())]);
    let mut key = rest.to_owned();
    for (name, value) in named {
        let text = value.replace('_', " ");
        let value: serde_json::Value = match name {
            "key" => {
                key = value.to_owned();
                continue;
            }
            "rework" => (value == "true").into(),
            name if NUMBERS.contains(&name) => {
                value.parse::<u64>().map_err(|error| format!("`{name}`: {error}"))?.into()
            }
            "note" | "reason" => text.into(),
            _ => value.into(),
        };
        what.insert(name.to_owned(), value);
    }
    let what: What = serde_json::from_value(what.into()).map_err(|error| error.to_string())?;
    let message = match &what {
        What::Step { site, bay, job, step, verb, .. } => {
            let event = verb.event();
            let payload = format!(
                r#"{{"ts":{at_ms},"job":"{job}","step":"{step}","event":"{event}","technician":"{actor}"}}"#
            );
            let topic = format!("workshop/{site}/{bay}/steps");
            Some(Message { at_ms, topic, payload: payload.into_bytes() })
        }
        _ => None,
    };
    Ok(Action::Command { at_ms, order: Order { actor: actor.to_owned(), key, what }, message })
}

fn raw(rest: &str) -> Result<Message, String> {
    let mut parts = rest.splitn(3, ' ');
    let [Some(at), Some(topic), Some(text)] = [parts.next(), parts.next(), parts.next()] else {
        return Err(format!("`{rest}`: write AT TOPIC PAYLOAD"));
    };
    let mut payload = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let end = after.find([',', '}', ']']).unwrap_or(after.len());
        let _ = write!(payload, "{before}{}", parse_time(&after[..end])?);
        rest = &after[end..];
    }
    payload.push_str(rest);
    Ok(Message { at_ms: parse_time(at)?, topic: topic.to_owned(), payload: payload.into_bytes() })
}
