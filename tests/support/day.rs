//! A day of a workshop as a recording, and what can be known of it without Andon: what was clocked, metered, dispensed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ingest::recording::{Recorded, RecordedMessages, Recording, RecordingError};
use ingest::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::mosquitto::Publisher;
use super::shop::{command, text};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// From when to when the shop works.
const OPENS_MS: i64 = 6 * HOUR_MS;
const WORKS_MS: i64 = 10 * HOUR_MS;
/// What the tank of oil loses in the afternoon, that no dispenser measured.
pub(crate) const LEAK_L: f64 = 3.0;
const OIL: &str = "oil_5w30";

/// All faults but the clock that is fast: none can be ahead of an arrival that is days later.
const FAULTS: &str = "nok_torque,stuck_sensor,offline_gateway,duplicate,malformed,overrun,silent_tool,over_dispense,missed_joint";

/// Arrival, topic, payload.
type Message = (i64, String, Vec<u8>);

/// What a counter showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) falls: u64,
    pub(crate) fallen: f64,
}

/// The recording.
pub(crate) struct Day {
    messages: Vec<Message>,
    /// By job and step: seconds between started and finished that are not between paused and resumed.
    pub(crate) worked_s: BTreeMap<(String, String), f64>,
    /// By bay, tool and metric.
    pub(crate) counters: BTreeMap<(String, String, String), Shown>,
    /// By bay and grade.
    pub(crate) dispensed: BTreeMap<(String, String), f64>,
}

impl Day {
    /// Of twelve bays, two days ago: so that it can go by at any pace, and no message is ahead of its arrival. All steps that
    /// have begun are finished in the evening, and each bay says something after midnight, so that the day is over.
    pub(crate) fn record(folder: &Path) -> Day {
        let midnight_ms = SystemClock::default().now_ms().div_euclid(DAY_MS) * DAY_MS - 2 * DAY_MS;
        let opens_ms = midnight_ms + OPENS_MS;
        let file = folder.join("day.ndjson");
        let start = jiff::Timestamp::from_millisecond(opens_ms).expect("a time").to_string();
        let arguments = ["simulate", "--bays", "12", "--rate", "1", "--for", "10h", "--faults", FAULTS];
        command(&[arguments.as_slice(), &["--start", &start, "--out", text(&file)]].concat());
        let mut messages = Vec::new();
        let mut recording = Recording::open(&file, None).expect("just written");
        let read = recording.for_each(|recorded| {
            let Recorded::Message { topic, arrived_ms, payload } = recorded else { panic!("{recorded:?}") };
            // A last will has no time but that of its arrival, which is another when the day is played.
            let payload = match serde_json::from_slice::<Value>(payload) {
                Ok(Value::Object(mut will)) if topic.ends_with("/status") && !will.contains_key("ts") => {
                    will.insert("ts".to_owned(), json!(arrived_ms));
                    Value::Object(will).to_string().into_bytes()
                }
                _ => payload.to_vec(),
            };
            messages.push((arrived_ms, topic.to_owned(), payload));
            Ok::<(), RecordingError>(())
        });
        read.expect("it is whole");
        let mut day = Day {
            messages,
            worked_s: BTreeMap::new(),
            counters: BTreeMap::new(),
            dispensed: BTreeMap::new(),
        };
        day.close(opens_ms + WORKS_MS, midnight_ms + DAY_MS + HOUR_MS / 2);
        day
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Publishes all of it within `seconds`, at the pace of the day; `told` is how many have gone out.
    pub(crate) fn play(&self, port: u16, seconds: u64, told: &AtomicU64) {
        let mut publisher = Publisher::connect(port);
        let clock = SystemClock::default();
        let (first_ms, last_ms) = (self.messages[0].0, self.messages[self.messages.len() - 1].0);
        for (number, (at_ms, topic, payload)) in self.messages.iter().enumerate() {
            let share = (at_ms - first_ms) as f64 / (last_ms - first_ms) as f64;
            let due_us = (share * seconds as f64 * 1e6) as u64;
            let now_us = clock.monotonic_us();
            if due_us > now_us + 20_000 {
                publisher.settle();
                std::thread::sleep(Duration::from_micros(due_us - now_us));
            }
            publisher.publish(topic, payload, 1);
            told.store(number as u64 + 1, Ordering::SeqCst);
        }
        publisher.settle();
    }

    /// Adds what the recording lacks, and reads what is known of the day.
    fn close(&mut self, closes_ms: i64, over_ms: i64) {
        let mut bays = BTreeSet::from(["store".to_owned()]);
        let mut clocked: BTreeMap<(String, String), Vec<(i64, String)>> = BTreeMap::new();
        let mut at_bay = BTreeMap::new();
        let mut shots: Vec<(i64, f64)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (_, topic, payload) in &self.messages {
            let levels: Vec<&str> = topic.split('/').collect();
            let Ok(said) = serde_json::from_slice::<Value>(payload) else { continue };
            if levels.len() < 4 || !seen.insert((topic.clone(), payload.clone())) {
                continue;
            }
            let ts_ms = said["ts"].as_i64().expect("a time");
            let bay = levels[2].to_owned();
            bays.insert(bay.clone());
            let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            match levels[levels.len() - 1] {
                "steps" => {
                    let step = (word("job"), word("step"));
                    at_bay.insert(step.clone(), bay);
                    clocked.entry(step).or_default().push((ts_ms, word("event")));
                }
                "telemetry" => {
                    let tool = levels[3].to_owned();
                    for metric in ["air_volume", "energy"] {
                        let single = (said["metric"] == metric).then(|| &said["value"]);
                        let value = single.unwrap_or(&said["metrics"][metric]).as_f64();
                        // What was cut, and units of something else, are in quarantine.
                        let Some(now) = value.filter(|_| said["unit"].is_null() || said["unit"] == "kW.h")
                        else {
                            continue;
                        };
                        let key = (bay.clone(), tool.clone(), metric.to_owned());
                        let shown = self.counters.entry(key);
                        let shown = shown.or_insert(Shown { first: now, last: now, falls: 0, fallen: 0.0 });
                        if now < shown.last {
                            shown.falls += 1;
                            shown.fallen += shown.last - now;
                        }
                        shown.last = now;
                    }
                    if said["metric"] == "dispensed" {
                        let (grade, litres) =
                            (said["tags"]["grade"].as_str().expect("a grade"), said["value"].as_f64());
                        let litres = litres.expect("litres");
                        *self.dispensed.entry((bay, grade.to_owned())).or_default() += litres;
                        if grade == OIL {
                            shots.push((ts_ms, litres));
                        }
                    }
                }
                _ => {}
            }
        }
        let mut more: Vec<Message> = Vec::new();
        let mut say = |ts_ms: i64, topic: String, payload: Value| {
            more.push((ts_ms, topic, payload.to_string().into_bytes()));
        };
        for ((job, step), events) in &mut clocked {
            let goes_on = events.iter().rev().find(|(_, event)| event != "assigned");
            if goes_on.is_some_and(|(_, event)| event != "finished") {
                let ts = closes_ms + 60_000;
                events.push((ts, "finished".to_owned()));
                let bay = &at_bay[&(job.clone(), step.clone())];
                let payload = json!({"ts": ts, "job": job, "step": step, "event": "finished"});
                say(ts, format!("workshop/lyon/{bay}/steps"), payload);
            }
        }
        for hour in 0..=11 {
            let ts = closes_ms - WORKS_MS + hour * HOUR_MS;
            let drawn: f64 = shots.iter().filter(|(at_ms, _)| *at_ms <= ts).map(|(_, litres)| litres).sum();
            let lost = if hour >= 8 { LEAK_L } else { 0.0 };
            let payload = json!({
                "ts": ts, "metric": "tank_level", "value": 800.0 - drawn - lost, "unit": "L", "tags": {"grade": OIL},
            });
            say(ts, "workshop/lyon/store/tank-1/telemetry".to_owned(), payload);
        }
        for bay in &bays {
            let payload = json!({"ts": over_ms, "metric": "temperature", "value": 18.5, "unit": "Cel"});
            say(over_ms, format!("workshop/lyon/{bay}/night-1/telemetry"), payload);
        }
        self.messages.extend(more);
        self.messages.sort_by_key(|(at_ms, ..)| *at_ms);
        self.worked_s =
            clocked.into_iter().filter_map(|(step, events)| Some((step, worked_s(&events)?))).collect();
    }
}

/// None where nobody has begun.
fn worked_s(events: &[(i64, String)]) -> Option<f64> {
    let (mut worked_ms, mut since_ms, mut has_begun) = (0, None, false);
    for (ts_ms, event) in events {
        match event.as_str() {
            "started" | "resumed" => {
                has_begun = true;
                since_ms = Some(*ts_ms);
            }
            "paused" | "finished" => worked_ms += since_ms.take().map_or(0, |since_ms| ts_ms - since_ms),
            _ => {}
        }
    }
    has_begun.then_some(worked_ms as f64 / 1000.0)
}
