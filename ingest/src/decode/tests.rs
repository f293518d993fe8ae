//! What messages say, in the words of the shop floor: a topic and a payload in, readings, events and
//! rejects as lines of text out.

use super::*;
use crate::config::TopicSettings;
use crate::readings::{NONE, What};

mod against_serde_json;
mod ahead;
mod bad_input;
mod events;
mod names;
mod short_way;
mod telemetry;
mod times;

const ARRIVED_MS: i64 = 1_795_332_900_000;
const TELEMETRY: &str = "workshop/lyon/B1/T1/telemetry";

/// A decoder with a few configured metrics, and what it said last.
struct Shop {
    decoder: Decoder,
    out: Decoded,
    messages: u64,
}

fn metric(name: &str, unit: &str) -> MetricSettings {
    MetricSettings { metric: name.to_owned(), unit: Some(unit.to_owned()), usage: None }
}

impl Shop {
    fn new() -> Self {
        Shop::with(TopicSettings::default(), DecodeLimits::default())
    }

    fn with(topics: TopicSettings, limits: DecodeLimits) -> Self {
        let topics = Topics::new(&topics).expect("patterns are right");
        let metrics = [
            metric("torque", "N.m"),
            metric("angle", "deg"),
            metric("oil", "L"),
            metric("temperature", "Cel"),
        ];
        let units = Units::new(&[]).expect("aliases are right");
        let decoder = Decoder::new(topics, &metrics, units, limits).expect("units are right");
        Shop { decoder, out: Decoded::default(), messages: 0 }
    }

    fn decode(&mut self, topic: &str, payload: &[u8]) {
        self.messages += 1;
        self.out.readings.clear();
        self.out.elements.clear();
        self.decode_with_behind(topic, payload, payload);
    }

    /// `behind` is what lies behind the payload in memory.
    fn decode_with_behind(&mut self, topic: &str, payload: &[u8], behind: &[u8]) {
        let from_payload = [payload, behind].concat();
        let (ordinal, payload) = (self.messages, &from_payload[..payload.len()]);
        let arrived_ms = ARRIVED_MS;
        let message =
            MessageRef { ordinal, topic, topic_index: 0, arrived_ms, payload, from_payload: &from_payload };
        self.decoder.decode(message, &mut self.out);
    }

    /// Everything that a message said, a line each.
    fn says(&mut self, topic: &str, payload: &str) -> Vec<String> {
        self.decode(topic, payload.as_bytes());
        let mut lines: Vec<String> = (0..self.out.readings.len()).map(|row| self.reading(row)).collect();
        lines.extend(self.out.events.iter().map(|event| format!("{} {:?}", event.site, event.what)));
        lines.extend(
            self.out.rejects.iter().map(|reject| format!("{}: {}", reject.reason.as_str(), reject.detail)),
        );
        lines
    }

    fn reading(&self, row: usize) -> String {
        let readings = &self.out.readings;
        let series = self.decoder.series().get(readings.series[row]);
        let places =
            [&series.site, &series.bay, &series.tool].map(|name| if name.is_empty() { "-" } else { name });
        let text = (readings.text[row] as usize).checked_sub(1).map(|place| &readings.texts[place]);
        let value = text.map_or_else(|| readings.value[row].to_string(), |text| format!("{text:?}"));
        let mut line = format!("{} {} {value}", places.join("/"), series.metric);
        let unit = self.decoder.units().code(readings.unit[row]);
        if !unit.is_empty() {
            line += &format!(" {unit}");
        }
        line += &format!(" @{}", readings.ts_ms[row]);
        for (name, count) in [("seq", readings.seq[row]), ("boot", readings.boot[row])] {
            if count != NONE {
                line += &format!(" {name} {count}");
            }
        }
        if let Some(place) = (readings.tags[row] as usize).checked_sub(1) {
            line += &format!(" {}", readings.tag_sets[place]);
        }
        line
    }
}

/// As [`Shop::says`], for the telemetry topic of a new shop.
fn telemetry(payload: &str) -> Vec<String> {
    Shop::new().says(TELEMETRY, payload)
}
