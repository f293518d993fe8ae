//! A shop in which nothing goes wrong.

use std::collections::BTreeMap;

use super::*;

fn bytes(seed: u64, messages: usize) -> Vec<Published> {
    let settings =
        SimulateSettings { seed, faults: Faults::all(), speed: 30.0, ..SimulateSettings::default() };
    Workshop::new(settings).unwrap().take(messages).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (first, second) = (bytes(42, 20_000), bytes(42, 20_000));
    assert!(first == second);
    assert!(first != bytes(43, 20_000));
}

#[test]
fn messages_come_in_the_order_of_their_arrival() {
    let messages = bytes(7, 50_000);
    assert!(messages.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
}

#[test]
fn an_asset_has_limits_of_metrics_that_its_tool_reports() {
    let (mut limited, mut reported) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
    let settings = SimulateSettings { rate: 10.0, ..SimulateSettings::default() };
    for message in Workshop::new(settings).unwrap().take(5_000) {
        let payload: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        let levels: Vec<&str> = message.topic.split('/').collect();
        match levels.as_slice() {
            [_, _, "assets"] => {
                let limits = payload["limits"].as_array().cloned().unwrap_or_default();
                let metrics: Vec<_> = limits.iter().map(|limit| limit["metric"].clone()).collect();
                limited.insert(payload["asset"].as_str().unwrap().to_owned(), metrics);
            }
            [_, _, _, tool, "telemetry"] => {
                let metrics = reported.entry((*tool).to_owned()).or_default();
                metrics.extend(payload["metric"].as_str().map(str::to_owned));
                metrics
                    .extend(payload["metrics"].as_object().into_iter().flat_map(|all| all.keys().cloned()));
            }
            _ => {}
        }
    }
    for (asset, metrics) in &limited {
        let reported = reported.get(asset).map(Vec::as_slice).unwrap_or_default();
        let is_reported = |metric: &serde_json::Value| reported.iter().any(|name| metric == name.as_str());
        assert!(
            metrics.iter().all(is_reported),
            "{asset} has limits of {metrics:?} and reports {reported:?}"
        );
    }
    let lift = limited.iter().find(|(asset, _)| asset.starts_with("lift")).unwrap().1;
    assert_eq!(*lift, ["lift_height", "lift_load_left", "lift_load_right"]);
}

#[test]
fn each_finished_step_was_assigned_and_started_after_its_card_was_out() {
    let steps = steps(&listen(SimulateSettings { rate: 10.0, ..SimulateSettings::default() }, 8 * 60));
    let finished: Vec<_> = steps.iter().filter(|step| step.finished_ms.is_some()).collect();
    assert!(finished.len() > 100, "{} steps in a day", finished.len());
    for step in finished {
        assert!(step.assigned_ms < step.started_ms && step.started_ms < step.finished_ms);
        let share = step.share_of_standard().unwrap();
        assert!((0.69..1.16).contains(&share), "a step takes about its standard time, not {share} of it");
    }
}

#[test]
fn what_tools_report_is_what_the_card_asks_for() {
    let steps = steps(&listen(SimulateSettings { rate: 10.0, ..SimulateSettings::default() }, 8 * 60));
    let (mut joints, mut fillings, mut parts) = (0, 0, 0);
    for step in steps.iter().filter(|step| step.finished_ms.is_some()) {
        assert_eq!(step.torques.len(), step.planned_joints(), "{}", step.card);
        joints += step.torques.len();
        let within = |values: &[f64], metric| {
            values.is_empty()
                || step
                    .window(metric)
                    .is_some_and(|(min, max)| values.iter().all(|v| (min..=max).contains(v)))
        };
        assert!(within(&step.torques, "torque") && within(&step.angles, "angle"), "{}", step.card);
        if let Some((grade, litres)) = step.planned_fluid() {
            let sum: f64 = step.shots.iter().map(|(_, litres)| litres).sum();
            assert!((sum / litres - 1.0).abs() < 0.016, "{sum} of {litres} L");
            assert!(step.shots.iter().all(|(shot, _)| *shot == grade));
            fillings += 1;
        } else {
            assert!(step.shots.is_empty());
        }
        let planned = step.card["resources"].as_array().unwrap().iter().filter(|item| item["unit"].is_null());
        let planned: BTreeMap<_, _> = planned
            .map(|item| (item["resource"].as_str().unwrap().to_owned(), item["quantity"].as_f64().unwrap()))
            .collect();
        assert_eq!(step.parts, planned);
        parts += planned.len();
    }
    assert!(
        joints > 200 && fillings > 10 && parts > 20,
        "{joints} joints, {fillings} fillings, {parts} parts"
    );
}

#[test]
fn a_technician_works_on_one_step_at_a_time() {
    let steps =
        steps(&listen(SimulateSettings { bays: 12, rate: 10.0, ..SimulateSettings::default() }, 4 * 60));
    let mut by_technician: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for step in &steps {
        let (Some(from_ms), Some(to_ms)) = (step.assigned_ms, step.finished_ms) else { continue };
        by_technician.entry(&step.technician).or_default().push((from_ms, to_ms));
    }
    assert!(by_technician.len() > 5);
    for times in by_technician.values_mut() {
        times.sort_unstable();
        // Bays differ by some milliseconds in how long their messages take.
        assert!(times.windows(2).all(|pair| pair[1].0 >= pair[0].1 - 50));
    }
}

#[test]
fn each_device_numbers_its_messages_and_its_time_never_goes_back() {
    let heard = listen(SimulateSettings { rate: 25.0, speed: 10.0, ..SimulateSettings::default() }, 120);
    let mut last: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
    let mut restarts = 0;
    for message in &heard {
        let now = (message.integer("boot"), message.integer("seq"), message.integer("ts"));
        assert!(now.2 <= message.at_ms && now.2 > message.at_ms - 100);
        let expected = match last.insert(&message.topic, now) {
            Some((boot, seq, ts_ms)) => {
                assert!(now.2 >= ts_ms, "{}", message.topic);
                restarts += usize::from(now.0 == boot + 1);
                if now.0 == boot { seq + 1 } else { 1 }
            }
            None => 1,
        };
        assert_eq!(now.1, expected, "{}", message.topic);
    }
    assert!(restarts > 0, "now and then a tool is switched off and on");
}

#[test]
fn registers_rise_and_fall_only_when_their_device_restarts() {
    let heard = listen(SimulateSettings { rate: 25.0, speed: 10.0, ..SimulateSettings::default() }, 120);
    let mut last: BTreeMap<(String, String), (i64, f64)> = BTreeMap::new();
    let mut falls = 0;
    for message in heard.iter().filter(|message| message.is_telemetry()) {
        for (metric, value) in message.readings() {
            if metric != "air_volume" && metric != "energy" {
                continue;
            }
            let now = (message.integer("boot"), value.as_f64().unwrap());
            if let Some(before) = last.insert((message.topic.clone(), metric), now)
                && now.1 < before.1
            {
                assert!(now.0 > before.0, "{} fell", message.topic);
                falls += 1;
            }
        }
    }
    assert!(falls > 0, "an air counter restarts now and then");
}

#[test]
fn gauges_stay_where_a_workshop_is() {
    let heard = listen(SimulateSettings { rate: 100.0, speed: 10.0, ..SimulateSettings::default() }, 30);
    let mut range: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for message in heard.iter().filter(|message| message.is_telemetry()) {
        for (metric, value) in message.readings() {
            let value = value.as_f64().unwrap_or_else(|| f64::from(u8::from(value == true)));
            let (low, high) = range.entry(metric).or_insert((value, value));
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    let bounds = [
        ("air_pressure", 6.5, 7.6),
        ("voltage", 12.5, 13.8),
        ("temperature", 18.0, 65.0),
        ("lift_height", 0.0, 1.8),
        ("lift_load_left", 0.0, 1400.0),
        ("lift_load_right", 0.0, 1400.0),
        ("lift_raised", 0.0, 1.0),
        ("lift_locked", 0.0, 1.0),
    ];
    for (metric, least, most) in bounds {
        let (low, high) = range[metric];
        assert!(low >= least && high <= most && low < high, "{metric} goes from {low} to {high}");
    }
}

#[test]
fn values_have_at_most_three_decimals() {
    for message in listen(SimulateSettings::default(), 10) {
        let text = String::from_utf8(message.raw).unwrap();
        for part in text.split('.').skip(1) {
            let decimals = part.bytes().take_while(u8::is_ascii_digit).count();
            assert!(decimals <= 3, "{text}");
        }
    }
}

#[test]
fn the_rate_is_that_asked_for() {
    let cases = [(20.0, 1.0, 60), (200.0, 30.0, 10), (2000.0, 30.0, 2), (33.3, 1.0, 30)];
    for (rate, speed, minutes) in cases {
        for faults in [Faults::none(), Faults::all()] {
            let settings = SimulateSettings { rate, speed, faults, ..SimulateSettings::default() };
            let end_ms = settings.start_ms + minutes * 60_000;
            let shop = Workshop::new(settings).unwrap();
            let count = shop.take_while(|message| message.at_ms < end_ms).count() as f64;
            let share = count / (rate * minutes as f64 * 60.0);
            assert!((0.95..=1.05).contains(&share), "{share} of {rate} a second, faults {faults}");
        }
    }
}

#[test]
fn at_the_pace_of_the_demo_something_happens_in_the_first_seconds() {
    let settings = SimulateSettings {
        speed: LIVE_SPEED,
        rate: 200.0,
        faults: Faults::all(),
        ..SimulateSettings::default()
    };
    let start_ms = settings.start_ms;
    let heard = listen(settings, 1);
    let first_s = |wanted: &dyn Fn(&Heard) -> bool| {
        heard.iter().find(|message| wanted(message)).map(|message| (message.at_ms - start_ms) as f64 / 1000.0)
    };
    let started = first_s(&|message| message.is("steps") && message.text("event") == "started").unwrap();
    let tightened = first_s(&|message| message.is_tool("tq")).unwrap();
    let trouble = first_s(&|message| message.payload.is_null()).unwrap();
    assert!(started < 2.0 && tightened < 10.0 && trouble < 10.0, "{started} {tightened} {trouble}");
    let short = |step: &StepStory| step.card["standard_s"].as_f64().is_some_and(|seconds| seconds <= 90.0);
    assert!(steps(&heard).iter().all(short));
}

#[test]
fn sites_are_apart() {
    let sites = vec!["lyon".to_owned(), "graz".to_owned()];
    let heard = listen(SimulateSettings { sites, bays: 3, ..SimulateSettings::default() }, 5);
    let mut bays: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
    for message in heard.iter().filter(|message| !message.bay().is_empty()) {
        bays.entry(message.level(1)).or_default().insert(message.bay());
    }
    let expected = || ["bay-01", "bay-02", "bay-03"].into();
    assert_eq!(bays, BTreeMap::from([("graz", expected()), ("lyon", expected())]));
}

#[test]
fn a_shop_that_cannot_be_is_refused() {
    let usual = SimulateSettings::default;
    let cases = [
        (SimulateSettings { sites: Vec::new(), ..usual() }, "there is no site"),
        (SimulateSettings { sites: vec!["ly/on".to_owned()], ..usual() }, "no topic level"),
        (SimulateSettings { bays: 0, ..usual() }, "0 bays"),
        (SimulateSettings { rate: f64::NAN, ..usual() }, "rate NaN"),
        (SimulateSettings { rate: 0.0, ..usual() }, "rate 0"),
        (SimulateSettings { speed: -1.0, ..usual() }, "speed -1"),
        (SimulateSettings { qos: 2, ..usual() }, "QoS 2"),
        (SimulateSettings { start_ms: -1, ..usual() }, "start -1 ms"),
    ];
    for (settings, reason) in cases {
        let message = Workshop::new(settings).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
}
