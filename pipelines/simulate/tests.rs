//! What one hears when listening to the shop.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

mod faults;
mod shop;

/// A message, read.
struct Heard {
    at_ms: i64,
    topic: String,
    /// `Null` if the payload is no JSON.
    payload: Value,
    raw: Vec<u8>,
}

impl Heard {
    fn level(&self, at: usize) -> &str {
        self.topic.split('/').nth(at).unwrap_or("")
    }

    /// `bay-07`; empty for messages of the site.
    fn bay(&self) -> &str {
        if self.level(2).starts_with("bay-") { self.level(2) } else { "" }
    }

    fn is_telemetry(&self) -> bool {
        self.level(4) == "telemetry"
    }

    fn is(&self, what: &str) -> bool {
        self.level(3) == what && self.level(4).is_empty()
    }

    fn is_tool(&self, prefix: &str) -> bool {
        self.is_telemetry() && self.level(3).split('-').next() == Some(prefix)
    }

    fn number(&self, name: &str) -> f64 {
        self.payload[name].as_f64().unwrap_or_else(|| panic!("{name} in {}", self.payload))
    }

    fn integer(&self, name: &str) -> i64 {
        self.payload[name].as_i64().unwrap_or_else(|| panic!("{name} in {}", self.payload))
    }

    fn text(&self, name: &str) -> &str {
        self.payload[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.payload))
    }

    /// All readings by metric.
    fn readings(&self) -> BTreeMap<String, Value> {
        match &self.payload["metrics"] {
            Value::Object(metrics) => metrics.clone().into_iter().collect(),
            _ => BTreeMap::from([(self.text("metric").to_owned(), self.payload["value"].clone())]),
        }
    }
}

/// Everything of the first `minutes`.
fn listen(settings: SimulateSettings, minutes: i64) -> Vec<Heard> {
    let end_ms = settings.start_ms + minutes * 60_000;
    let read = |message: Published| Heard {
        at_ms: message.at_ms,
        topic: message.topic.to_string(),
        payload: serde_json::from_slice(&message.payload).unwrap_or(Value::Null),
        raw: message.payload,
    };
    let shop = Workshop::new(settings).unwrap();
    shop.take_while(|message| message.at_ms < end_ms).map(read).collect()
}

fn with_fault(fault: Fault) -> SimulateSettings {
    SimulateSettings { faults: Faults::none().with(fault), rate: 10.0, ..SimulateSettings::default() }
}

/// A step as the shop told it.
struct StepStory {
    card: Value,
    assigned_ms: Option<i64>,
    started_ms: Option<i64>,
    finished_ms: Option<i64>,
    /// A tool was used before it was started: nobody clocks it.
    is_unclocked: bool,
    paused_ms: i64,
    technician: String,
    /// Torque readings while it was on.
    torques: Vec<f64>,
    angles: Vec<f64>,
    joints: Vec<String>,
    /// (grade, litres) of each shot.
    shots: Vec<(String, f64)>,
    parts: BTreeMap<String, f64>,
}

impl StepStory {
    fn window(&self, metric: &str) -> Option<(f64, f64)> {
        let item = self.card["expect"].as_array()?.iter().find(|item| item["metric"] == metric)?;
        Some((item["min"].as_f64()?, item["max"].as_f64()?))
    }

    fn planned_joints(&self) -> usize {
        let count = |item: &Value| item["count"].as_u64();
        self.card["expect"].as_array().into_iter().flatten().find_map(count).unwrap_or(0) as usize
    }

    /// Grade and litres that the card plans.
    fn planned_fluid(&self) -> Option<(String, f64)> {
        let fluid = self.card["resources"].as_array()?.iter().find(|item| item["unit"] == "L")?;
        Some((fluid["resource"].as_str()?.to_owned(), fluid["quantity"].as_f64()?))
    }

    /// Worked seconds against the standard.
    fn share_of_standard(&self) -> Option<f64> {
        let worked_ms = self.finished_ms? - self.started_ms? - self.paused_ms;
        Some(worked_ms as f64 / 1000.0 / self.card["standard_s"].as_f64()?)
    }
}

/// Puts together what belongs to each step, by the step that was on at the bay when it was heard.
fn steps(heard: &[Heard]) -> Vec<StepStory> {
    let mut cards: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut stories: Vec<StepStory> = Vec::new();
    let mut on: BTreeMap<String, usize> = BTreeMap::new();
    for message in heard {
        let bay = message.bay().to_owned();
        if message.level(2) == "jobs" {
            for step in message.payload["steps"].as_array().unwrap() {
                let key = (message.text("job").to_owned(), step["step"].as_str().unwrap().to_owned());
                assert!(cards.insert(key, step.clone()).is_none(), "a job number is given once");
            }
        } else if message.is("steps") {
            let key = (message.text("job").to_owned(), message.text("step").to_owned());
            if message.text("event") == "assigned" {
                let card = cards.get(&key).expect("a card is out before its step is assigned").clone();
                on.insert(bay.clone(), stories.len());
                stories.push(StepStory {
                    card,
                    assigned_ms: None,
                    started_ms: None,
                    finished_ms: None,
                    is_unclocked: false,
                    paused_ms: 0,
                    technician: message.text("technician").to_owned(),
                    torques: Vec::new(),
                    angles: Vec::new(),
                    joints: Vec::new(),
                    shots: Vec::new(),
                    parts: BTreeMap::new(),
                });
            }
            let story = &mut stories[on[&bay]];
            let ts_ms = message.integer("ts");
            match message.text("event") {
                "assigned" => story.assigned_ms = Some(ts_ms),
                "started" => {
                    assert!(!story.is_unclocked, "tools are used within steps");
                    story.started_ms = Some(ts_ms);
                }
                "paused" => story.paused_ms -= ts_ms,
                "resumed" => story.paused_ms += ts_ms,
                "finished" => story.finished_ms = Some(ts_ms),
                other => panic!("there is no event {other}"),
            }
        } else if let Some(story) = on.get(&bay).map(|place| &mut stories[*place]) {
            let is_on = story.finished_ms.is_none();
            let is_used = ["tq", "fluid"].iter().any(|tool| message.is_tool(tool)) || message.is("usage");
            story.is_unclocked |= is_used && story.started_ms.is_none();
            if message.is_tool("tq") {
                assert!(is_on, "tools are used within steps");
                story.torques.push(message.payload["metrics"]["torque"].as_f64().unwrap());
                story.angles.push(message.payload["metrics"]["angle"].as_f64().unwrap());
                story.joints.push(message.payload["tags"]["joint"].as_str().unwrap().to_owned());
            } else if message.is_tool("fluid") {
                assert!(is_on && message.text("metric") == "dispensed" && message.text("unit") == "L");
                let grade = message.payload["tags"]["grade"].as_str().unwrap().to_owned();
                story.shots.push((grade, message.number("value")));
            } else if message.is("usage") {
                assert!(is_on, "parts are booked within steps");
                *story.parts.entry(message.text("resource").to_owned()).or_default() +=
                    message.number("quantity");
            }
        }
    }
    stories
}
