//! A shop of a hundred bays on which something happens all the time: always the same tools, and job after job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const BAYS: usize = 100;
/// On each bay: wrench, meter, supply, lift, pump.
pub(crate) const TOOLS: usize = 5;
const BAY_TURNS: usize = BAYS * TOOLS;

/// What a job goes through.
const LIFE: [(&str, &str); 10] = [
    ("", "card"),
    ("S01", "started"),
    ("", "booking"),
    ("S01", "finished"),
    ("S02", "started"),
    ("S02", "paused"),
    ("S02", "resumed"),
    ("S02", "finished"),
    ("S02", "qa_signed"),
    ("S02", "released"),
];
/// Between two of these on the first bay, once the shop has its history; each further bay takes a little longer, so that
/// they do not keep step.
const PACE_MS: i64 = 6_000;
const SLOWER_MS: i64 = 40;
/// At one in so many messages a wrench goes offline. So too are the joints that are not as they should be: what is kept of
/// exceptions until somebody has seen to it must weigh little beside the rest, however fast the machine is.
const STATUS: u64 = 99_991;
/// Until it has its history one message in so many is one of these.
const HASTE: u64 = 25;

/// How much of what was said, counted as Andon counts.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) readings: AtomicU64,
    /// Readings of messages that came again.
    pub(crate) repeated: AtomicU64,
    /// Messages cut in the middle.
    pub(crate) cut: AtomicU64,
    /// Readings in a unit of something else.
    pub(crate) misread: AtomicU64,
    pub(crate) events: AtomicU64,
    /// Jobs that were begun.
    pub(crate) jobs: AtomicU64,
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

pub(crate) fn seen(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[derive(Clone, Copy, Debug)]
struct Bay {
    job: u64,
    bookings: u64,
    /// Place in [`LIFE`].
    next: usize,
    last_ms: i64,
}

/// Who says it.
#[derive(Debug)]
pub(crate) struct Bustle {
    told: Arc<Told>,
    /// Jobs that come as fast as they can, before they come at the pace of work.
    history: u64,
    bays: [Bay; BAYS],
    hurried: usize,
    seqs: [u64; BAY_TURNS],
    turn: usize,
    /// The newest whole message, and how many readings it has.
    last: (String, String, u64),
}

impl Bustle {
    /// With so many jobs behind it before they come at the pace of work.
    pub(crate) fn new(history: u64, told: Arc<Told>) -> Bustle {
        let bay = Bay { job: 0, bookings: 0, next: 0, last_ms: 0 };
        Bustle {
            told,
            history,
            bays: [bay; BAYS],
            hurried: 0,
            seqs: [0; BAY_TURNS],
            turn: 0,
            last: Default::default(),
        }
    }

    /// Topic and payload of the message of that number.
    pub(crate) fn says(&mut self, number: u64, now_ms: i64) -> (String, String) {
        // QoS 1: a message comes again.
        if number % 499 == 498 {
            let (topic, payload, readings) = self.last.clone();
            add(&self.told.readings, readings);
            add(&self.told.repeated, readings);
            return (topic, payload);
        }
        // A gateway cut it, and sends it whole after that.
        if number.is_multiple_of(997) {
            let (topic, mut payload) = self.reading(number, now_ms, false);
            payload.truncate(payload.len() / 2);
            add(&self.told.cut, 1);
            return (topic, payload);
        }
        if let Some(event) = self.event(number, now_ms) {
            return event;
        }
        if number % STATUS < 2 {
            return self.status(number, now_ms);
        }
        self.reading(number, now_ms, true)
    }

    /// What a tool says whose turn it is; `is_whole` if it arrives so.
    fn reading(&mut self, number: u64, now_ms: i64, is_whole: bool) -> (String, String) {
        let (bay, tool) = (self.turn % BAYS, self.turn / BAYS % TOOLS);
        let seq = self.seqs[self.turn % BAY_TURNS];
        // Something is wrong on one bay after the other.
        let is_ill = now_ms / 40_000 % BAYS as i64 == bay as i64;
        let few = number % 7;
        let (name, readings, said) = match tool {
            0 => {
                let torque = if number.is_multiple_of(34_183) { 131 } else { 84 + few };
                let (joint, unit) = (number % 20, if number % 1_013 == 5 { "furlong" } else { "N.m" });
                let is_misread = is_whole && unit == "furlong";
                add(&self.told.misread, u64::from(is_misread));
                let tags = format!(r#""tags":{{"joint":"J{joint:02}","pset":"P07"}}"#);
                ("wrench", 1, format!(r#""metric":"torque","value":{torque}.25,"unit":"{unit}",{tags}"#))
            }
            1 => {
                let (volts, kwh) = (if is_ill { 11.5 } else { 13.5 }, seq as f64 / 1_000.0);
                let warm = 20 + few;
                let metrics =
                    format!(r#""metrics":{{"voltage":{volts},"energy":{kwh},"temperature":{warm}}}"#);
                ("meter", 3, metrics)
            }
            2 => {
                let bar = if is_ill { 5.2 } else { 6.5 + few as f64 / 100.0 };
                ("supply", 1, format!(r#""metric":"air_pressure","value":{bar},"unit":"bar""#))
            }
            3 => {
                let (left, height) = (700 + few, 1_200 + few);
                let load = format!(r#""lift_load_left":{left},"lift_load_right":{left}"#);
                ("lift", 3, format!(r#""metrics":{{"lift_height":{height},{load}}}"#))
            }
            _ if number.is_multiple_of(2_003) => {
                let tags = r#""tags":{"grade":"coolant"}"#;
                ("pump", 1, format!(r#""metric":"dispensed","value":0.{few},"unit":"L",{tags}"#))
            }
            _ => ("pump", 1, format!(r#""metric":"temperature","value":{}.5"#, 18 + few)),
        };
        let topic = format!("workshop/lyon/bay-{bay:03}/{name}-{bay:03}/telemetry");
        let payload = format!(r#"{{"ts":{now_ms},"seq":{seq},{said}}}"#);
        if is_whole {
            add(&self.told.readings, readings);
            self.seqs[self.turn % BAY_TURNS] += 1;
            self.turn += 1;
            if !payload.contains("furlong") {
                self.last = (topic.clone(), payload.clone(), readings);
            }
        }
        (topic, payload)
    }

    /// A wrench goes offline, and with the next message it is back.
    fn status(&mut self, number: u64, now_ms: i64) -> (String, String) {
        let (bay, is_online) = ((number / STATUS) as usize % BAYS, number % STATUS == 1);
        add(&self.told.readings, 1);
        let topic = format!("workshop/lyon/bay-{bay:03}/wrench-{bay:03}/status");
        (topic, format!(r#"{{"ts":{now_ms},"online":{is_online}}}"#))
    }

    /// What happens to a job, if something is due.
    fn event(&mut self, number: u64, now_ms: i64) -> Option<(String, String)> {
        let is_history = seen(&self.told.jobs) < self.history;
        let bay = if is_history {
            if !number.is_multiple_of(HASTE) {
                return None;
            }
            self.hurried += 1;
            self.hurried % BAYS
        } else {
            number as usize % BAYS
        };
        // A moment at least: events of one moment have no order.
        let pace_ms = if is_history { 1 } else { PACE_MS + bay as i64 * SLOWER_MS };
        let Bay { job, bookings, next, last_ms } = &mut self.bays[bay];
        if now_ms < *last_ms + pace_ms {
            return None;
        }
        *last_ms = now_ms;
        let (step, event) = LIFE[*next];
        *next = (*next + 1) % LIFE.len();
        add(&self.told.events, 1);
        if event == "card" {
            add(&self.told.jobs, 1);
            *job = seen(&self.told.jobs);
            return Some(("workshop/lyon/jobs".to_owned(), card(*job, now_ms)));
        }
        let job = *job;
        if event == "booking" {
            let litres = if job.is_multiple_of(10) { 4.9 } else { 4.2 };
            let payload = format!(
                r#"{{"ts":{now_ms},"resource":"oil_5w30","quantity":{litres},"unit":"L","seq":{bookings}}}"#
            );
            *bookings += 1;
            return Some((format!("workshop/lyon/bay-{bay:03}/usage"), payload));
        }
        let payload = format!(
            r#"{{"ts":{now_ms},"job":"J{job:07}","step":"{step}","technician":"T{:02}","event":"{event}"}}"#,
            bay % 40
        );
        Some((format!("workshop/lyon/bay-{bay:03}/steps"), payload))
    }
}

fn card(job: u64, now_ms: i64) -> String {
    format!(
        r#"{{"ts":{now_ms},"job":"J{job:07}","vehicle":"V{job:07}","customer":"C{:03}","steps":[
        {{"step":"S01","operation":"oil","standard_s":600,"expect":[{{"metric":"torque","min":80,"max":95}}],
        "resources":[{{"resource":"oil_5w30","quantity":4.2,"unit":"L"}}]}},
        {{"step":"S02","operation":"wheel","standard_s":600,"expect":[{{"metric":"torque","min":80,"max":95}}]}}]}}"#,
        job % 500
    )
}
