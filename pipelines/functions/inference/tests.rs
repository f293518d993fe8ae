//! Inference in small: what evidence makes of the steps of jobs. Stories with telemetry are in `fixtures/functions`.

use proptest::prelude::*;

use super::super::input::Input;
use super::*;
use crate::config::{BillingSettings, Config, FunctionSettings};

/// A site without assignment, with a job for each card: `STEP what:wanted …`, steps parted by commas.
struct Shop {
    functions: Functions,
    units: Units,
}

impl Shop {
    fn new(cards: &[(&str, &str)]) -> Shop {
        let any = "127.0.0.1:0".parse().expect("an address");
        let config = Config::embedded_demo(std::path::Path::new("/nowhere"), any, any);
        let functions = Functions::new(&config.functions, &config.calendars);
        let mut shop = Shop { functions, units: Units::new(&[]).expect("no aliases") };
        cards.iter().for_each(|(job, steps)| shop.card(job, steps));
        shop
    }

    fn card(&mut self, job: &str, steps: &str) {
        let step = |step: &str| {
            let mut words = step.split_whitespace();
            let name = words.next().expect("a name");
            let asks = words.map(|word| word.split_once(':').expect("what and how much"));
            let (resources, readings): (Vec<_>, Vec<_>) = asks.partition(|(what, _)| what.starts_with("oil"));
            let readings: Vec<String> = readings
                .iter()
                .map(|(metric, count)| format!(r#"{{"metric":"{metric}","min":80,"count":{count}}}"#))
                .collect();
            let resources: Vec<String> = resources
                .iter()
                .map(|(resource, litres)| {
                    format!(r#"{{"resource":"{resource}","quantity":{litres},"unit":"L"}}"#)
                })
                .collect();
            format!(
                r#"{{"step":"{name}","expect":[{}],"resources":[{}]}}"#,
                readings.join(","),
                resources.join(",")
            )
        };
        let steps: Vec<String> = steps.split(',').map(step).collect();
        let card = format!(r#"{{"job":"{job}","steps":[{}]}}"#, steps.join(","));
        let card: ingest::readings::JobCard = serde_json::from_str(&card).expect("a card");
        let site: Box<str> = "lyon".into();
        let steps = Asks::of(&card, &self.units);
        let plan = super::super::CardPlan::new(&card, self.functions.calendars.of("lyon"));
        self.functions.take(Input::Card { site: site.clone(), card: plan, ts_ms: 0 });
        self.functions.take(Input::Asked { site, job: job.into(), steps });
        self.functions.tick(0);
    }

    fn event(&mut self, ts_ms: i64, job: &str, step: &str, event: &str) {
        let text =
            format!(r#"{{"bay":"b1","job":"{job}","step":"{step}","technician":"T1","event":"{event}"}}"#);
        let event = serde_json::from_str(&text).expect("an event");
        self.functions.take(Input::Step { site: "lyon".into(), event, ts_ms });
        self.functions.tick(ts_ms);
    }

    /// Evidence of one pass: `TS metric value [job/step]` each, or `TS start job/step`.
    fn hear(&mut self, all: &[&str]) {
        let evidence = all.iter().zip(0..).map(|(line, place)| evidence(line, place)).collect();
        self.functions.infer(evidence, &self.units, 1_000_000);
    }

    /// `STEP started-ended confidence from` of each that is inferred.
    fn inferred(&self, job: &str) -> Vec<String> {
        let job = &self.functions.jobs[&("lyon".into(), job.into())];
        let line = |step: &Step| {
            let Inferred { started_ms, ended_ms, confidence, from } = step.inferred()?;
            let ended = ended_ms.map_or(String::new(), |ended_ms| ended_ms.to_string());
            Some(format!("{} {started_ms}-{ended} {confidence} {from}", step.plan.step))
        };
        job.steps.iter().filter_map(line).collect()
    }
}

fn evidence(line: &str, place: u64) -> Evidence {
    let words: Vec<&str> = line.split_whitespace().collect();
    let named = words.get(3).map(|named| named.split_once('/').expect("job and step"));
    let name = |name: &str| Some(name).filter(|name| !name.is_empty()).map(Box::from);
    let sign = match words[1] {
        "start" => {
            let (job, step) = words[2].split_once('/').expect("job and step");
            Sign::Started { job: job.into(), step: step.into() }
        }
        metric => Sign::Trace(Trace {
            metric: metric.into(),
            value: words[2].parse().expect("a value"),
            used: metric.starts_with("oil").then(|| (metric.into(), "L".into())),
            is_use: metric != "energy",
            job: named.and_then(|(job, _)| name(job)),
            step: named.and_then(|(_, step)| name(step)),
            ..Trace::default()
        }),
    };
    let ts_ms = words[0].parse().expect("a time");
    Evidence { site: "lyon".into(), bay: "b1".into(), ts_ms, place: (place, 0), sign }
}

#[test]
fn a_step_ends_with_the_last_good_reading_that_its_card_asks_for() {
    let mut shop = Shop::new(&[("J1", "S1 torque:2 oil:4,S2 angle:1")]);
    shop.event(5, "J1", "S1", "assigned");
    shop.hear(&["10 torque 88", "20 torque 70"]);
    assert_eq!(shop.inferred("J1"), ["S1 10- 0.44 expected readings"], "one is out of its limits");
    shop.hear(&["30 oil 3.9", "40 torque 88", "50 torque 88", "60 angle 90"]);
    let whole = ["S1 10-40 0.7 expected readings", "S2 60-60 0.7 expected readings"];
    assert_eq!(shop.inferred("J1"), whole, "within the tolerance of bills");
}

#[test]
fn how_much_of_what_is_planned_is_enough_is_a_matter_of_the_site() {
    let ended = |site: &str| {
        let mut shop = Shop::new(&[("J1", "S1 torque:1 oil:4")]);
        let mut settings = FunctionSettings::default();
        let billing = BillingSettings { quantity_tolerance_percent: 10, ..BillingSettings::default() };
        settings.billing.sites.insert(site.to_owned(), billing);
        shop.functions.settings = Arc::new(settings);
        shop.event(5, "J1", "S1", "assigned");
        shop.hear(&["10 torque 88", "20 oil 3.7"]);
        shop.functions.jobs.values().next().and_then(|job| job.steps[0].inferred()?.ended_ms)
    };
    assert_eq!((ended("bern"), ended("lyon")), (None, Some(20)), "the job is at Lyon");
}

#[test]
fn a_tool_that_no_card_asks_for_speaks_of_the_one_step_that_is_assigned_and_what_reports_by_itself_of_none() {
    let mut shop = Shop::new(&[("J1", "S1,S2 torque:1")]);
    shop.event(50, "J1", "S1", "assigned");
    shop.hear(&["40 angle 1", "60 energy 1"]);
    assert!(shop.inferred("J1").is_empty(), "it was not assigned by then");
    shop.hear(&["70 angle 1", "80 angle 1"]);
    assert_eq!(shop.inferred("J1"), ["S1 70- 0.3 tool use"]);
    shop.hear(&["90 torque 88", "95 angle 1"]);
    assert_eq!(shop.inferred("J1"), ["S1 70-80 0.3 tool use", "S2 90-90 0.7 expected readings"]);
}

#[test]
fn of_two_vehicles_on_one_bay_nothing_is_inferred_that_both_ask_for() {
    let mut shop = Shop::new(&[("J1", "S1 torque:2"), ("J2", "S1 torque:2 angle:1")]);
    shop.event(5, "J1", "S1", "assigned");
    shop.event(6, "J2", "S1", "assigned");
    shop.hear(&["10 torque 88", "20 voltage 12"]);
    assert!(shop.inferred("J1").is_empty() && shop.inferred("J2").is_empty());
    shop.hear(&[
        "30 angle 85",
        "40 torque 88 J1/S1",
        "50 torque 88 J1/",
        "60 torque 88 J9/S1",
        "70 torque 88 J2/S7",
    ]);
    assert_eq!(shop.inferred("J1"), ["S1 40-50 0.9 tags"]);
    assert_eq!(shop.inferred("J2"), ["S1 30-30 0.53 expected readings"], "the other began there after it");
}

#[test]
fn a_later_card_asks_for_more_and_what_was_seen_of_it_stays() {
    let mut shop = Shop::new(&[("J1", "S1 torque:2")]);
    shop.event(5, "J1", "S1", "assigned");
    shop.hear(&["10 torque 88"]);
    shop.card("J1", "S1 angle:1 torque:2");
    shop.hear(&["20 torque 88"]);
    assert_eq!(shop.inferred("J1"), ["S1 10- 0.53 expected readings"]);
    shop.hear(&["30 angle 88"]);
    assert_eq!(shop.inferred("J1"), ["S1 10-30 0.7 expected readings"]);
}

#[test]
fn what_is_clocked_ends_what_goes_on_and_its_own_end_removes_it() {
    let mut shop = Shop::new(&[("J1", "S1 torque:9"), ("J2", "S1 torque:9")]);
    shop.hear(&["10 torque 88 J1/S1", "20 torque 88 J1/S1"]);
    shop.event(30, "J2", "S1", "started");
    shop.hear(&["30 start J2/S1"]);
    assert_eq!(shop.inferred("J1"), ["S1 10-20 0.55 tags"]);
    shop.hear(&["25 torque 88 J2/S1"]);
    assert!(shop.inferred("J2").is_empty(), "it is clocked");
    shop.event(40, "J1", "S1", "started");
    assert_eq!(shop.inferred("J1"), ["S1 10-20 0.55 tags"], "it stands beside");
    shop.event(50, "J1", "S1", "failed");
    assert!(shop.inferred("J1").is_empty());
    shop.hear(&["45 torque 88 J1/S1", "60 torque 88 J1/S1"]);
    assert_eq!(shop.inferred("J1"), ["S1 60- 0.5 tags"], "what it was done for again");
}

#[test]
fn a_hand_over_ends_it_and_forgets_what_its_card_asks_for() {
    let mut shop = Shop::new(&[("J1", "S1 torque:9")]);
    shop.hear(&["10 torque 88 J1/S1"]);
    assert!(shop.functions.watch().any);
    shop.event(30, "J1", "S1", "released");
    assert_eq!(shop.inferred("J1"), ["S1 10-10 0.5 tags"]);
    let watch = shop.functions.watch();
    assert!(!watch.any && watch.bays.is_empty());
    shop.hear(&["20 torque 88 J1/S1"]);
    assert_eq!(shop.inferred("J1"), ["S1 10-10 0.5 tags"]);
}

fn some_evidence() -> impl Strategy<Value = String> {
    let what = prop::sample::select(vec!["torque 88", "torque 70", "angle 90", "oil 1.5", "energy 1"]);
    let named = prop::sample::select(vec!["", "", "", " J1/S1", " J1/", " J2/S2", " J2/"]);
    let reading = (0..200_i64, what, named).prop_map(|(ts, what, named)| format!("{ts} {what}{named}"));
    let start = (0..200_i64, prop::sample::select(vec!["J1/S2", "J2/S1"]))
        .prop_map(|(ts, step)| format!("{ts} start {step}"));
    prop_oneof![9 => reading, 1 => start]
}

proptest! {
    /// Whatever comes of one pass, in whichever order it is handed in: the same.
    #[test]
    fn the_order_in_which_evidence_is_handed_in_does_not_matter(
        all in prop::collection::vec(some_evidence(), 1..40),
        turns in 0..40_usize,
    ) {
        let cards = [("J1", "S1 torque:3 oil:4,S2 angle:2,S3"), ("J2", "S1 angle:1,S2 torque:2")];
        let run = |is_turned: bool| {
            let mut shop = Shop::new(&cards);
            shop.event(5, "J1", "S1", "assigned");
            let mut evidence: Vec<Evidence> =
                all.iter().zip(0..).map(|(line, place)| evidence(line, place)).collect();
            if is_turned {
                let turns = turns % evidence.len();
                evidence.rotate_left(turns);
            }
            shop.functions.infer(evidence, &shop.units, 1_000_000);
            (shop.inferred("J1"), shop.inferred("J2"))
        };
        let plain = run(false);
        prop_assert_eq!(&plain, &run(true));
        for line in plain.0.iter().chain(&plain.1) {
            let confidence: f64 = line.split(' ').nth(2).and_then(|text| text.parse().ok()).expect("a number");
            prop_assert!((0.0..1.0).contains(&confidence), "{}", line);
        }
    }

    /// What is kept of a checkpoint is all there is: the same goes on from it.
    #[test]
    fn a_checkpoint_between_two_passes_changes_nothing(
        all in prop::collection::vec(some_evidence(), 1..40),
        at in any::<prop::sample::Index>(),
    ) {
        let cards = [("J1", "S1 torque:3 oil:4,S2 angle:2,S3"), ("J2", "S1 angle:1,S2 torque:2")];
        let at = at.index(all.len());
        let run = |is_kept: bool| {
            let mut shop = Shop::new(&cards);
            shop.functions.watch();
            shop.event(5, "J1", "S1", "assigned");
            let lines: Vec<&str> = all.iter().map(String::as_str).collect();
            shop.hear(&lines[..at]);
            if is_kept {
                let bytes = postcard::to_allocvec(&shop.functions).expect("written");
                let unclocked = postcard::to_allocvec(&shop.functions.unclocked()).expect("written");
                let read: Functions = postcard::from_bytes(&bytes).expect("read");
                shop.functions = read.under_settings_of(&shop.functions);
                shop.functions.set_unclocked(postcard::from_bytes(&unclocked).expect("read"));
            }
            let sought = format!("{:?}", shop.functions.watch());
            shop.hear(&lines[at..]);
            (sought, shop.inferred("J1"), shop.inferred("J2"))
        };
        prop_assert_eq!(run(false), run(true));
    }
}
