//! Stories in text for the engine: messages and ticks in, rows out.
//!
//! | line                                               | what happens                                       |
//! |----------------------------------------------------|----------------------------------------------------|
//! | `# …`                                              | what the story shows                               |
//! | `rules NAME…`                                      | which of `fixtures/scenarios/config/rules` run     |
//! | `in TS site/bay/tool METRIC VALUE [NAME=VALUE]…`   | a reading; names: at, seq, boot, unit, joint        |
//! | `step TS site/bay JOB STEP EVENT [NAME=VALUE]…`    | a step event; names: at, seq, technician            |
//! | `raw AT TOPIC PAYLOAD`                             | any message; `@TIME` in it becomes milliseconds     |
//! | `tick TIME [TIME]`                                 | a second has passed, or all from the first to last |
//! | `cut`                                              | the epoch ends                                     |
//! | `end`                                              | no more input; also prints the counts              |
//! | `out STREAM COLUMN=VALUE…`                         | expected, after the line that brings it about      |
//!
//! `at` is the arrival, the event's own time where absent. Times are `HH:MM:SS[.mmm]` of one day, `+1d/` before
//! them is the day after.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::util::display::array_value_to_string;
use ingest::entry::{Entry, IntakeBuilder};
use ingest::time::Epoch;
use pipelines::config::Config;
use pipelines::digest::Digest;
use pipelines::engine::Engine;
use pipelines::wire;
use sinks::emission::Emission;

/// 2026-03-02, a Monday.
const DAY_MS: i64 = 1_772_409_600_000;
/// Columns that say nothing in a story: hashes, ordinals, what is the same in every row.
const UNTOLD: [&str; 11] = [
    "row_id",
    "id",
    "arrived",
    "site",
    "rule_version",
    "severity",
    "boot",
    "unit",
    "operation",
    "planned",
    "readings",
];

/// A message, before it is in an entry.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) at_ms: i64,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// What a line does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Message(Message),
    Tick { first_ms: i64, last_ms: i64 },
    Cut { at_ms: i64 },
    End,
}

/// How messages are grouped into entries, and whether the engine is moved to another process meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// All messages between two ticks in one entry; else an entry each.
    pub(crate) together: bool,
    /// Each second of a tick entry as an entry of its own.
    pub(crate) second_by_second: bool,
    /// After every entry the state goes into a fresh engine.
    pub(crate) restored: bool,
}

/// The way that the expected lines are written for.
pub(crate) const PLAIN: Way = Way { together: false, second_by_second: false, restored: false };

/// Engine with what it has put out.
pub(crate) struct Run<'a> {
    config: &'a Config,
    engine: Engine,
    way: Way,
    intake: IntakeBuilder,
    next_message: u64,
    epoch: u64,
    digest: Digest,
    out: Vec<Emission>,
    /// Lines since they were last taken.
    pub(crate) lines: Vec<String>,
}

/// Hash of rows, hash of state.
pub(crate) type Hashes = (String, String);

impl<'a> Run<'a> {
    pub(crate) fn new(config: &'a Config, way: Way) -> Self {
        Run {
            config,
            engine: wire::engine(config).expect("the configuration works"),
            way,
            intake: IntakeBuilder::new(),
            next_message: 1,
            epoch: 0,
            digest: Digest::default(),
            out: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn act(&mut self, action: &Action) {
        match action {
            Action::Message(message) => {
                self.intake.push(&message.topic, &message.payload, message.at_ms);
                if !self.way.together {
                    self.flush();
                }
            }
            Action::Tick { first_ms, last_ms } => {
                self.flush();
                let step_ms =
                    if self.way.second_by_second { 1000 } else { (last_ms - first_ms).max(0) + 1000 };
                let mut from_ms = *first_ms;
                while from_ms <= *last_ms {
                    let to_ms = (from_ms + step_ms - 1000).min(*last_ms);
                    self.apply(&Entry::Tick { first_ms: from_ms, last_ms: to_ms });
                    from_ms += step_ms;
                }
            }
            Action::Cut { at_ms } => {
                self.flush();
                self.epoch += 1;
                self.apply(&Entry::Cut { epoch: Epoch(self.epoch), at_ms: *at_ms });
            }
            Action::End => {
                self.flush();
                self.engine.end_of_input(&mut self.out).expect("the engine goes on");
                self.tell();
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        if !self.intake.is_empty() {
            let messages = u64::from(self.intake.messages());
            let entry = Entry::Intake(self.intake.finish(self.next_message));
            self.next_message += messages;
            self.apply(&entry);
        }
    }

    fn apply(&mut self, entry: &Entry) {
        self.engine.apply(entry, &mut self.out).expect("the engine goes on");
        self.tell();
        if self.way.restored {
            self.restore();
        }
    }

    /// The state goes into a fresh engine, as at a start after a crash.
    pub(crate) fn restore(&mut self) {
        let before = self.engine.state_hash().expect("a hash");
        self.restart(self.config);
        let after = self.engine.state_hash().expect("a hash");
        assert_eq!(before, after, "the state differs right after a restore");
    }

    /// The state goes into a fresh engine of a configuration that may be another.
    pub(crate) fn restart(&mut self, config: &'a Config) {
        let state = self.engine.snapshot().expect("a snapshot");
        self.engine = wire::engine(config).expect("the configuration works");
        self.engine.restore(config, &state).expect("its own snapshot");
        self.config = config;
    }

    fn tell(&mut self) {
        for emission in self.out.drain(..) {
            self.digest.take(&emission.stream, &emission.rows).expect("known types");
            (0..emission.rows.num_rows()).for_each(|row| self.lines.push(line(&emission, row)));
        }
    }

    /// The conservation law holds; what is not zero, as a line.
    pub(crate) fn counts(&self) -> String {
        let counts = self.engine.counts();
        assert_eq!(counts.messages, counts.decoded + counts.undecodable, "messages: {counts:?}");
        assert_eq!(counts.readings, counts.applied + counts.duplicates + counts.quarantined, "{counts:?}");
        assert_eq!(counts.applied, counts.on_time + counts.corrections + counts.late, "{counts:?}");
        assert_eq!(
            counts.events,
            counts.events_applied + counts.event_duplicates + counts.events_quarantined,
            "{counts:?}"
        );
        let counts = serde_json::to_value(counts).expect("counts are plain");
        let counts = counts.as_object().expect("an object");
        let told = counts.iter().filter(|(_, count)| **count != 0);
        told.fold("out counts".to_owned(), |mut line, (name, count)| {
            let _ = write!(line, " {name}={count}");
            line
        })
    }

    pub(crate) fn hashes(&mut self) -> Hashes {
        (self.digest.finish(), self.engine.state_hash().expect("a hash"))
    }
}

/// A row as the stories tell it.
fn line(emission: &Emission, row: usize) -> String {
    let mut line = format!("out {}", emission.stream);
    let rows: &RecordBatch = &emission.rows;
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let name = field.name().as_str();
        let is_ordinal = name == "message" && field.data_type() == &DataType::UInt64;
        if UNTOLD.contains(&name) || is_ordinal || column.is_null(row) {
            continue;
        }
        let value = value(name, column, row);
        if !value.is_empty() {
            let _ = write!(line, " {name}={value}");
        }
    }
    line
}

fn value(name: &str, column: &Arc<dyn Array>, row: usize) -> String {
    match column.data_type() {
        // `date_bin` gives nanoseconds.
        DataType::Timestamp(..) => {
            let milliseconds =
                cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)).expect("a time");
            time(milliseconds.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Binary => {
            let text = String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned();
            if text.chars().count() > 24 { String::new() } else { format!("`{text}`") }
        }
        _ => {
            let text = array_value_to_string(column, row).expect("a column of a stream");
            match name {
                "evidence" => of_evidence(&text),
                _ if text.contains(' ') => format!("\"{text}\""),
                _ => text,
            }
        }
    }
}

/// Of the evidence only what the two looks of a fast rule say.
fn of_evidence(text: &str) -> String {
    let evidence: serde_json::Value = serde_json::from_str(text).expect("evidence is JSON");
    match (evidence.get("reason").and_then(|reason| reason.as_str()), evidence.get("late_join")) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(_)) => "late_join".to_owned(),
        (None, None) => String::new(),
    }
}

fn time(ms: i64) -> String {
    let (day, ms) = ((ms - DAY_MS).div_euclid(86_400_000), (ms - DAY_MS).rem_euclid(86_400_000));
    let mut text = if day == 0 { String::new() } else { format!("{day:+}d/") };
    let seconds = ms / 1000;
    let _ = write!(text, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if ms % 1000 > 0 {
        let _ = write!(text, ".{:03}", ms % 1000);
    }
    text
}

/// Milliseconds since 1970 of a time in a story.
pub(crate) fn parse_time(text: &str) -> i64 {
    let wrong = format!("`{text}` is no time: write 10:00:00, 10:00:00.250 or +1d/10:00:00");
    let (days, clock) = text.split_once("d/").unwrap_or(("0", text));
    let days: i64 = days.parse().expect(&wrong);
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().expect(&wrong)).collect();
    let [hours, minutes, seconds] = parts[..] else { panic!("{wrong}") };
    DAY_MS + days * 86_400_000 + ((hours * 60.0 + minutes) * 60_000.0 + seconds * 1000.0).round() as i64
}

/// A story's lines, and what each does. Lines with `out` are left out.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) path: PathBuf,
    pub(crate) rules: Vec<String>,
    /// Line as written; none for remarks and the choice of rules.
    pub(crate) lines: Vec<(String, Option<Action>)>,
}

impl Story {
    pub(crate) fn read(path: &Path) -> Story {
        let text = std::fs::read_to_string(path).expect("the story can be read");
        let mut story = Story { path: path.to_owned(), rules: Vec::new(), lines: Vec::new() };
        let mut at_ms = 0;
        for line in text.lines().filter(|line| !line.starts_with("out ")) {
            let action = match line.split_once(' ').unwrap_or((line, "")) {
                ("" | "#", _) => None,
                ("rules", names) => {
                    story.rules = names.split_whitespace().map(str::to_owned).collect();
                    None
                }
                ("in", rest) => Some(Action::Message(reading(rest))),
                ("step", rest) => Some(Action::Message(step(rest))),
                ("raw", rest) => Some(Action::Message(raw(rest))),
                ("tick", times) => {
                    let times: Vec<i64> = times.split_whitespace().map(parse_time).collect();
                    Some(Action::Tick { first_ms: times[0], last_ms: *times.last().expect("a time") })
                }
                ("cut", _) => Some(Action::Cut { at_ms }),
                ("end", _) => Some(Action::End),
                _ => panic!("{}: `{line}` is no line of a story", path.display()),
            };
            match &action {
                Some(Action::Message(message)) => at_ms = at_ms.max(message.at_ms),
                Some(Action::Tick { last_ms, .. }) => at_ms = at_ms.max(*last_ms),
                _ => {}
            }
            story.lines.push((line.to_owned(), action));
        }
        story
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.lines.iter().filter_map(|(_, action)| action.as_ref())
    }
}

fn words(rest: &str, count: usize) -> (Vec<&str>, Vec<(&str, &str)>) {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    assert!(words.len() >= count, "`{rest}` has too few words");
    let named = words.split_off(count);
    let named =
        named.iter().map(|word| word.split_once('=').unwrap_or_else(|| panic!("`{word}` is not NAME=VALUE")));
    (words, named.collect())
}

fn reading(rest: &str) -> Message {
    let (words, named) = words(rest, 4);
    let [ts, channel, metric, value] = words[..] else { unreachable!("four words") };
    let mut at_ms = parse_time(ts);
    let mut payload = format!(r#"{{"ts":{at_ms},"metric":"{metric}","value":{value}"#);
    for (name, value) in named {
        match name {
            "at" => at_ms = parse_time(value),
            "seq" | "boot" => _ = write!(payload, r#","{name}":{value}"#),
            "unit" => _ = write!(payload, r#","unit":"{value}""#),
            tag => _ = write!(payload, r#","tags":{{"{tag}":"{value}"}}"#),
        }
    }
    payload.push('}');
    Message { at_ms, topic: format!("workshop/{channel}/telemetry"), payload: payload.into_bytes() }
}

fn step(rest: &str) -> Message {
    let (words, named) = words(rest, 5);
    let [ts, bay, job, step, event] = words[..] else { unreachable!("five words") };
    let mut at_ms = parse_time(ts);
    let mut payload = format!(r#"{{"ts":{at_ms},"job":"{job}","step":"{step}","event":"{event}""#);
    for (name, value) in named {
        match name {
            "at" => at_ms = parse_time(value),
            "seq" => _ = write!(payload, r#","seq":{value}"#),
            name => _ = write!(payload, r#","{name}":"{value}""#),
        }
    }
    payload.push('}');
    Message { at_ms, topic: format!("workshop/{bay}/steps"), payload: payload.into_bytes() }
}

fn raw(rest: &str) -> Message {
    let mut parts = rest.splitn(3, ' ');
    let [Some(at), Some(topic), Some(text)] = [parts.next(), parts.next(), parts.next()] else {
        panic!("`{rest}`: write AT TOPIC PAYLOAD")
    };
    let mut payload = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let end = after.find([',', '}', ']']).unwrap_or(after.len());
        let _ = write!(payload, "{before}{}", parse_time(&after[..end]));
        rest = &after[end..];
    }
    payload.push_str(rest);
    Message { at_ms: parse_time(at), topic: topic.to_owned(), payload: payload.into_bytes() }
}
