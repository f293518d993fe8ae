//! What a small shop publishes in some seconds, over two connections that the broker interleaves.

use std::rc::Rc;

/// 2026-03-02 10:00 UTC.
pub(crate) const START_MS: i64 = 1_772_445_600_000;

/// A message as published.
#[derive(Debug)]
pub(crate) struct Message {
    /// Each has its own; readings and step events carry it as `seq`.
    pub(crate) number: u64,
    /// When the broker gets it.
    pub(crate) at_ms: i64,
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reading,
    Step,
    Other,
}

/// Messages in the order in which the broker gets them.
pub(crate) fn messages(rng: &mut fastrand::Rng, seconds: i64) -> Vec<Rc<Message>> {
    let mut shop = Shop { rng, number: 0, messages: Vec::new() };
    for second in 0..seconds {
        let (job, bay) = (second / 5, ["bay-01", "bay-02"][(second / 5) as usize % 2]);
        match second % 5 {
            0 => {
                shop.card(second, job);
                shop.step(second, bay, job, "started");
            }
            4 => {
                shop.step(second, bay, job, "finished");
                // Of the job before all is certain by now.
                if job > 0 {
                    shop.step(second, bay, job - 1, "released");
                }
            }
            _ => {}
        }
        for _ in 0..shop.rng.i64(2..7) {
            let (joint, value) = (shop.rng.i64(1..4), shop.rng.i64(78..97));
            shop.reading(second, bay, joint, value);
        }
        if shop.rng.u8(..4) == 0 {
            shop.online(second);
        }
        if shop.rng.u8(..6) == 0 {
            shop.nonsense(second);
        }
    }
    let mut messages = shop.messages;
    messages.sort_by_key(|message| (message.at_ms, message.number));
    messages.into_iter().map(Rc::new).collect()
}

struct Shop<'a> {
    rng: &'a mut fastrand::Rng,
    number: u64,
    messages: Vec<Message>,
}

impl Shop<'_> {
    /// Steps and cards go over one connection, tools over another that lags by up to 0.8 s.
    fn say(&mut self, second: i64, lag_ms: i64, kind: Kind, topic: String, rest: &str) {
        self.number += 1;
        let ts_ms = START_MS + second * 1000 + self.rng.i64(0..900);
        let at_ms = ts_ms + self.rng.i64(5..=lag_ms);
        let payload = format!(r#"{{"ts":{ts_ms},"seq":{},{rest}"#, self.number);
        self.messages.push(Message { number: self.number, at_ms, topic, payload, kind });
    }

    fn reading(&mut self, second: i64, bay: &str, joint: i64, value: i64) {
        let rest =
            format!(r#""metric":"torque","value":{value},"unit":"N.m","tags":{{"joint":"J{joint}"}}}}"#);
        self.say(second, 800, Kind::Reading, format!("workshop/lyon/{bay}/wrench/telemetry"), &rest);
    }

    fn step(&mut self, second: i64, bay: &str, job: i64, event: &str) {
        let rest = format!(r#""job":"J{job:03}","step":"S01","technician":"T17","event":"{event}"}}"#);
        self.say(second, 40, Kind::Step, format!("workshop/lyon/{bay}/steps"), &rest);
    }

    fn card(&mut self, second: i64, job: i64) {
        let rest = format!(
            r#""job":"J{job:03}","customer":"C1","steps":[{{"step":"S01","operation":"wheel","standard_s":5,"expect":[{{"metric":"torque","min":80,"max":95,"count":9}}],"resources":[{{"resource":"oil_5w30","quantity":4.2,"unit":"L"}}]}}]}}"#
        );
        self.say(second, 40, Kind::Other, "workshop/lyon/jobs".to_owned(), &rest);
    }

    fn online(&mut self, second: i64) {
        let rest = format!(r#""online":{}}}"#, self.rng.bool());
        self.say(second, 40, Kind::Other, "workshop/lyon/bay-01/wrench/status".to_owned(), &rest);
    }

    fn nonsense(&mut self, second: i64) {
        let topic = "workshop/lyon/bay-01/wrench/telemetry".to_owned();
        self.say(second, 800, Kind::Other, topic, r#""metr"#);
    }
}
