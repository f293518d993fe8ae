//! What decoding costs: CPU time of this thread per message, from JSON bytes to Arrow arrays.
//!
//! Messages are distinct, of 1,000 tools in turn, in intakes of 8,192. The floor is a hand-rolled parser of
//! the same shape without any of the rules; the target is what may not be exceeded.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, TimestampMillisecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use ingest::config::{MetricSettings, TopicSettings};
use ingest::decode::{DecodeLimits, Decoder};
use ingest::entry::MessageRef;
use ingest::readings::{Decoded, NONE, Readings};
use ingest::recording::{Recorded, RecordedMessages, Recording};
use ingest::topic::Topics;
use ingest::units::Units;
use rustix::time::{ClockId, clock_gettime};

const TOOLS: usize = 1000;
const MESSAGES: usize = 98_304;
const INTAKE: usize = 8192;
const ROUNDS: usize = 15;

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Messages, ready to be decoded.
struct Load {
    topics: Vec<String>,
    payloads: Vec<String>,
}

impl Load {
    fn new(payload: impl Fn(usize) -> String) -> Self {
        let topics =
            (0..TOOLS).map(|tool| format!("workshop/lyon/bay-{:03}/torque-{tool:04}/telemetry", tool / 4));
        Load { topics: topics.collect(), payloads: (0..MESSAGES).map(payload).collect() }
    }

    fn mean_bytes(&self) -> usize {
        self.payloads.iter().map(String::len).sum::<usize>() / self.payloads.len()
    }
}

fn decoder() -> Decoder {
    let metrics = ["torque:N.m", "angle:deg", "temperature:Cel"].map(|metric| {
        let (metric, unit) = metric.split_once(':').expect("has a unit");
        MetricSettings { metric: metric.to_owned(), unit: Some(unit.to_owned()), usage: None }
    });
    let topics = Topics::new(&TopicSettings::default()).expect("patterns are right");
    let units = Units::new(&[]).expect("aliases are right");
    Decoder::new(topics, &metrics, units, DecodeLimits::default()).expect("units are right")
}

/// Wraps the columns; only the null masks are computed.
fn arrays(readings: &mut Readings) -> Vec<ArrayRef> {
    let take = std::mem::take::<Vec<i64>>;
    let counter = |column: Vec<i64>| {
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(column.len(), |row| column[row] != NONE));
        Arc::new(Int64Array::new(ScalarBuffer::from(column), Some(nulls)))
    };
    let value = std::mem::take(&mut readings.value);
    let value_nulls = NullBuffer::new(BooleanBuffer::collect_bool(value.len(), |row| !value[row].is_nan()));
    vec![
        Arc::new(UInt64Array::from(std::mem::take(&mut readings.message))),
        Arc::new(UInt32Array::from(std::mem::take(&mut readings.index))),
        Arc::new(TimestampMillisecondArray::from(take(&mut readings.ts_ms)).with_timezone("UTC")),
        Arc::new(TimestampMillisecondArray::from(take(&mut readings.arrived_ms)).with_timezone("UTC")),
        Arc::new(UInt32Array::from(std::mem::take(&mut readings.series))),
        counter(take(&mut readings.boot)),
        counter(take(&mut readings.seq)),
        Arc::new(Float64Array::new(ScalarBuffer::from(value), Some(value_nulls))),
        Arc::new(UInt32Array::from(std::mem::take(&mut readings.text))),
        Arc::new(UInt16Array::from(std::mem::take(&mut readings.unit))),
        Arc::new(UInt32Array::from(std::mem::take(&mut readings.tags))),
    ]
}

/// Room for the next batch, as the engine keeps it.
fn reserve(readings: &mut Readings, rows: usize) {
    readings.message.reserve(rows);
    readings.index.reserve(rows);
    readings.ts_ms.reserve(rows);
    readings.arrived_ms.reserve(rows);
    readings.series.reserve(rows);
    readings.boot.reserve(rows);
    readings.seq.reserve(rows);
    readings.value.reserve(rows);
    readings.text.reserve(rows);
    readings.unit.reserve(rows);
    readings.tags.reserve(rows);
}

/// (least, median) CPU ns per message, and readings per message.
fn decode(load: &Load) -> (f64, f64, f64) {
    let mut decoder = decoder();
    let mut out = Decoded::default();
    let mut rounds = Vec::new();
    let mut rows = 0;
    for _ in 0..ROUNDS {
        rows = 0;
        let start = cpu_ns();
        for (intake, payloads) in load.payloads.chunks(INTAKE).enumerate() {
            decoder.begin_intake();
            for (place, payload) in payloads.iter().enumerate() {
                let number = intake * INTAKE + place;
                let tool = number % TOOLS;
                let message = MessageRef {
                    ordinal: number as u64 + 1,
                    topic: &load.topics[tool],
                    topic_index: tool as u32,
                    arrived_ms: 1_795_332_840_000 + number as i64,
                    payload: payload.as_bytes(),
                    from_payload: payload.as_bytes(),
                };
                decoder.decode(message, &mut out);
                black_box(&out.elements);
                out.elements.clear();
                assert!(out.rejects.is_empty(), "{:?}", out.rejects);
                if out.readings.len() >= INTAKE {
                    rows += out.readings.len();
                    black_box(arrays(&mut out.readings));
                    out.readings.clear();
                    reserve(&mut out.readings, INTAKE + 16);
                }
            }
        }
        rows += out.readings.len();
        black_box(arrays(&mut out.readings));
        out.readings.clear();
        rounds.push((cpu_ns() - start) as f64 / MESSAGES as f64);
    }
    rounds.sort_by(f64::total_cmp);
    (rounds[0], rounds[ROUNDS / 2], rows as f64 / MESSAGES as f64)
}

/// (least, median) CPU ns per line, and bytes per line.
fn split(load: &Load) -> (f64, f64, usize) {
    let mut text = String::new();
    for (number, payload) in load.payloads.iter().enumerate() {
        let (topic, len) = (&load.topics[number % TOOLS], payload.len());
        writeln!(
            text,
            r#"{{"tst":"2026-11-22T07:34:{:02}.{:06}+0000","topic":"{topic}","qos":1,"retain":0,"payloadlen":{len},"mid":{},"payload":{payload}}}"#,
            number / 10_000,
            number % 10_000 * 100,
            number % 65_535 + 1,
        )
        .expect("in memory");
    }
    let line_bytes = text.len() / MESSAGES;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let input = Cursor::new(text.clone());
        let start = cpu_ns();
        let mut recording = Recording::from_reader("benchmark", input, None).expect("can be read");
        let mut messages = 0;
        while recording.advance().expect("can be read") {
            let Recorded::Message { payload, .. } = black_box(recording.current()) else {
                panic!("a message")
            };
            messages += usize::from(!payload.is_empty());
        }
        rounds.push((cpu_ns() - start) as f64 / MESSAGES as f64);
        assert_eq!(messages, MESSAGES);
    }
    rounds.sort_by(f64::total_cmp);
    (rounds[0], rounds[ROUNDS / 2], line_bytes)
}

fn value(number: usize) -> f64 {
    (8000 + number * 7919 % 2000) as f64 / 100.0
}

fn main() {
    let ts_ms = |number: usize| 1_795_332_840_000 + number as i64 * 3;
    let single = Load::new(|number| {
        format!(
            r#"{{"ts":{},"metric":"torque","value":{},"unit":"N.m","seq":{},"boot":3,"program":"M10-8.8 wheel","quality":"good","firmware":"4.18.{}"}}"#,
            ts_ms(number),
            value(number),
            100_000 + number,
            number % 10
        )
    });
    let spaced = Load::new(|number| {
        let (second, millis) = (number / 1000 % 60, number % 1000);
        format!(
            r#"{{"ts": "2026-11-22T07:34:{second:02}.{millis:03}Z", "metric": "torque", "value": {}, "unit": "Nm", "seq": {}, "boot": 3, "quality": "good"}}"#,
            value(number),
            100_000 + number
        )
    });
    let tagged = Load::new(|number| {
        format!(
            r#"{{"ts":{},"metric":"torque","value":{},"unit":"N.m","seq":{},"tags":{{"joint":"J{}","pset":"P12","class":"A"}},"boot":3,"q":"good"}}"#,
            ts_ms(number),
            value(number),
            100_000 + number,
            number % 20
        )
    });
    let several = Load::new(|number| {
        let metrics: Vec<String> =
            (0..10).map(|metric| format!(r#""metric_{metric}":{}"#, value(number + metric))).collect();
        format!(r#"{{"ts":{},"seq":{number},"metrics":{{{}}}}}"#, ts_ms(number), metrics.join(","))
    });
    println!(
        "{:34} {:>6} {:>8} {:>8} {:>7} {:>7}",
        "CPU ns per message", "bytes", "least", "median", "floor", "target"
    );
    let row = |name: &str, bytes: usize, (least, median): (f64, f64), floor: &str, target: &str| {
        println!("{name:34} {bytes:>6} {least:>8.0} {median:>8.0} {floor:>7} {target:>7}");
    };
    let (least, median, _) = decode(&single);
    row("JSON to Arrow, one reading", single.mean_bytes(), (least, median), "132", "250");
    let (least, median, _) = decode(&spaced);
    row("  RFC 3339, spaces, unit alias", spaced.mean_bytes(), (least, median), "-", "-");
    let (least, median, _) = decode(&tagged);
    row("  with tags", tagged.mean_bytes(), (least, median), "-", "-");
    let (least, median, readings) = decode(&several);
    row("  ten metrics at once", several.mean_bytes(), (least, median), "-", "-");
    row(
        "  the same, per reading",
        several.mean_bytes() / 10,
        (least / readings, median / readings),
        "-",
        "-",
    );
    let (least, median, bytes) = split(&single);
    row("recording line to message", bytes, (least, median), "-", "100");
}
