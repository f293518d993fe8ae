//! How each fault looks to one who listens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;

/// Whether one hears a fault, by what its story says below.
fn hears(fault: Fault, heard: &[Heard]) -> bool {
    match fault {
        Fault::NokTorque => !bad_tightenings(&steps(heard)).is_empty(),
        Fault::StuckSensor => longest_constant_ms(heard) > 10 * MINUTE_MS,
        Fault::FastClock => !ahead(heard).is_empty(),
        Fault::OfflineGateway => heard.iter().any(|message| message.payload["online"] == false),
        Fault::Duplicate => !repeats(heard).is_empty(),
        Fault::Malformed => heard.iter().any(is_malformed),
        Fault::Overrun => {
            steps(heard).iter().filter_map(StepStory::share_of_standard).any(|share| share > 1.5)
        }
        Fault::SilentTool => !silences(heard).is_empty(),
        Fault::OverDispense => !overfull(&steps(heard)).is_empty(),
        Fault::MissedJoint => !missed(&steps(heard)).is_empty(),
        Fault::Unclocked => !unclocked(heard).is_empty(),
    }
}

/// Step and place of each tightening outside its window.
fn bad_tightenings(steps: &[StepStory]) -> Vec<(&StepStory, usize)> {
    let outside = |step: &StepStory, torque: f64| {
        step.window("torque").is_none_or(|(min, max)| !(min..=max).contains(&torque))
    };
    steps
        .iter()
        .flat_map(|step| (0..step.torques.len()).map(move |place| (step, place)))
        .filter(|(step, place)| outside(step, step.torques[*place]))
        .collect()
}

/// The longest time in which a pressure, voltage or temperature did not change, over at least three readings.
fn longest_constant_ms(heard: &[Heard]) -> i64 {
    let mut runs: BTreeMap<(&str, &str), (f64, i64, u32)> = BTreeMap::new();
    let mut longest_ms = 0;
    for message in heard.iter().filter(|message| message.is_telemetry()) {
        let readings = message.readings();
        for metric in ["air_pressure", "voltage", "temperature"] {
            let Some(value) = readings.get(metric).and_then(Value::as_f64) else { continue };
            let run = runs.entry((&message.topic, metric)).or_insert((value, message.at_ms, 0));
            if run.0 != value {
                *run = (value, message.at_ms, 0);
            }
            run.2 += 1;
            if run.2 >= 3 {
                longest_ms = longest_ms.max(message.at_ms - run.1);
            }
        }
    }
    longest_ms
}

/// Topics of messages from the future, each with how far they are ahead at most.
fn ahead(heard: &[Heard]) -> BTreeMap<&str, i64> {
    let mut ahead = BTreeMap::new();
    for message in heard {
        let Some(ts_ms) = message.payload["ts"].as_i64() else { continue };
        if ts_ms > message.at_ms {
            let most_ms = ahead.entry(message.topic.as_str()).or_insert(0);
            *most_ms = (ts_ms - message.at_ms).max(*most_ms);
        }
    }
    ahead
}

/// Places of messages that were there before, byte for byte.
fn repeats(heard: &[Heard]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut is_repeat = |message: &Heard| !seen.insert((message.topic.clone(), message.raw.clone()));
    (0..heard.len()).filter(|place| is_repeat(&heard[*place])).collect()
}

fn is_malformed(message: &Heard) -> bool {
    let unit = message.payload["unit"].as_str();
    message.payload.is_null()
        || message.level(4) == "telemetrie"
        || message.payload["metric"] == "voltage" && unit != Some("V")
}

/// Gauges that were not heard for more than two minutes while their bay was: (topic, boots before and after).
fn silences(heard: &[Heard]) -> Vec<(&str, i64, i64)> {
    let mut last: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let mut silences = Vec::new();
    for message in heard.iter().filter(|message| message.is_telemetry()) {
        if message.is_tool("tq") || message.is_tool("fluid") || message.payload.is_null() {
            continue;
        }
        let boot = message.integer("boot");
        if let Some((at_ms, boot_before)) = last.insert(&message.topic, (message.at_ms, boot))
            && message.at_ms - at_ms > 2 * MINUTE_MS
        {
            silences.push((message.topic.as_str(), boot_before, boot));
        }
    }
    silences
}

/// Steps that were assigned and not begun before the next was: bay, and places of both messages.
fn unclocked(heard: &[Heard]) -> Vec<(String, usize, usize)> {
    let mut last: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    let mut unclocked = Vec::new();
    for (place, message) in heard.iter().enumerate().filter(|(_, message)| message.is("steps")) {
        let is_assigned = message.text("event") == "assigned";
        let before = last.insert(message.bay(), (place, is_assigned));
        if let Some((from, true)) = before.filter(|_| is_assigned) {
            unclocked.push((message.bay().to_owned(), from, place));
        }
    }
    unclocked
}

/// Steps with a shot that is alone more than the card plans.
fn overfull(steps: &[StepStory]) -> Vec<(&StepStory, f64)> {
    let over = |step: &StepStory| {
        let planned = step.planned_fluid()?.1;
        step.shots.iter().map(|(_, litres)| litres / planned).find(|share| *share > 1.1)
    };
    steps.iter().filter_map(|step| over(step).map(|share| (step, share))).collect()
}

/// Finished steps with fewer joints than the card expects, each with how many.
fn missed(steps: &[StepStory]) -> Vec<usize> {
    let tightened = |step: &StepStory| step.joints.iter().collect::<BTreeSet<_>>().len();
    let finished = steps.iter().filter(|step| step.finished_ms.is_some());
    let missed = finished.map(|step| step.planned_joints().saturating_sub(tightened(step)));
    missed.filter(|missed| *missed > 0).collect()
}

#[test]
fn without_faults_none_is_heard_and_each_is_heard_when_it_is_on() {
    let peaceful = listen(SimulateSettings { rate: 10.0, ..SimulateSettings::default() }, 120);
    for fault in Fault::ALL {
        assert!(!hears(fault, &peaceful), "{}", fault.name());
        assert!(hears(fault, &listen(with_fault(fault), 120)), "{}", fault.name());
    }
}

#[test]
fn a_shop_counts_the_faults_that_happen() {
    let settings = SimulateSettings { faults: Faults::all(), speed: 30.0, ..SimulateSettings::default() };
    let end_ms = settings.start_ms + 10 * MINUTE_MS;
    let mut shop = Workshop::new(settings).unwrap();
    while shop.next_message().at_ms < end_ms {}
    let counts = shop.faults();
    assert_eq!(counts.len(), Fault::ALL.len());
    assert!(counts.values().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn a_bad_tightening_is_mostly_followed_by_a_good_one_on_the_same_joint() {
    let settings = SimulateSettings { bays: 20, ..with_fault(Fault::NokTorque) };
    let steps = steps(&listen(settings, 8 * 60));
    let bad = bad_tightenings(&steps);
    let all: usize = steps.iter().map(|step| step.torques.len()).sum();
    let share = bad.len() as f64 / all as f64;
    assert!((0.01..0.035).contains(&share), "{} of {all} are bad", bad.len());
    let mended = bad.iter().filter(|(step, place)| step.joints[place + 1..].contains(&step.joints[*place]));
    let mended = mended.count() as f64 / bad.len() as f64;
    assert!((0.55..1.0).contains(&mended), "{mended} of the bad ones are done again");
}

#[test]
fn a_stuck_sensor_goes_on_sending_with_new_times_and_numbers() {
    let heard = listen(with_fault(Fault::StuckSensor), 120);
    assert!(longest_constant_ms(&heard) >= 15 * MINUTE_MS);
    assert!(repeats(&heard).is_empty());
}

#[test]
fn a_fast_clock_is_minutes_to_a_day_ahead_and_is_one_tools_own() {
    let heard = listen(with_fault(Fault::FastClock), 30);
    let ahead = ahead(&heard);
    assert!(ahead.values().all(|ahead_ms| *ahead_ms > 100_000 && *ahead_ms < 1500 * MINUTE_MS), "{ahead:?}");
    let bays: BTreeSet<_> = ahead.keys().map(|topic| topic.split('/').nth(2)).collect();
    assert_eq!(ahead.len(), bays.len(), "the other tools of the bay are right: {ahead:?}");
    let mut fast =
        heard.iter().filter(|message| message.payload["ts"].as_i64() > Some(message.at_ms)).peekable();
    let first = fast.peek().unwrap().topic.clone();
    let fast: Vec<i64> = fast.filter(|message| message.topic == first).map(|message| message.at_ms).collect();
    let lasts_ms = fast[fast.len() - 1] - fast[0];
    // A torque tool is heard only when it is used.
    assert!((MINUTE_MS..26 * MINUTE_MS).contains(&lasts_ms), "{lasts_ms} ms, then it is set right");
}

#[test]
fn a_gateway_that_was_off_for_ten_minutes_delivers_all_in_order_and_at_once() {
    let heard = listen(SimulateSettings { rate: 20.0, ..with_fault(Fault::OfflineGateway) }, 30);
    let will = heard.iter().position(|message| message.payload["online"] == false).unwrap();
    assert_eq!(heard[will].raw, br#"{"online":false}"#, "a last will has no time");
    let (bay, gone_ms) = (heard[will].bay(), heard[will].at_ms);
    let after: Vec<_> = heard[will + 1..].iter().filter(|message| message.bay() == bay).collect();
    let back_ms = after[0].at_ms;
    assert!((back_ms - gone_ms - 10 * MINUTE_MS).abs() <= 1);
    let backlog: Vec<_> = after.iter().take_while(|message| message.at_ms == back_ms).collect();
    assert!(backlog.len() > 1000, "{} messages were held", backlog.len());
    assert!(backlog[0].integer("ts") - gone_ms < 10_000, "the oldest comes first");
    assert!(backlog.windows(2).all(|pair| pair[0].integer("ts") <= pair[1].integer("ts")));
    let mut last: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for message in heard.iter().filter(|message| message.bay() == bay && !message.payload["seq"].is_null()) {
        let now = (message.integer("boot"), message.integer("seq"));
        let before = last.insert(&message.topic, now);
        assert!(before.is_none_or(|(boot, seq)| now.0 > boot || now.1 == seq + 1), "nothing is lost");
    }
    let others = heard.iter().filter(|message| message.bay() != bay && message.is_telemetry());
    assert!(others.filter(|message| message.at_ms > gone_ms && message.at_ms < back_ms).count() > 1000);
}

#[test]
fn an_outage_ends_early_when_the_gateway_is_full_and_nothing_is_lost() {
    let settings = SimulateSettings { rate: 500.0, bays: 1, ..with_fault(Fault::OfflineGateway) };
    let heard = listen(settings, 6);
    let will = heard.iter().position(|message| message.payload["online"] == false).unwrap();
    let (bay, gone_ms) = (heard[will].bay(), heard[will].at_ms);
    let after: Vec<_> = heard[will + 1..].iter().filter(|message| message.bay() == bay).collect();
    let backlog = after.iter().take_while(|message| message.at_ms == after[0].at_ms).count();
    assert!(after[0].at_ms < gone_ms + MINUTE_MS);
    assert!(backlog >= gateway::BACKLOG_MAX, "{backlog} messages");
}

#[test]
fn a_duplicate_is_the_same_message_again_right_after() {
    let heard = listen(with_fault(Fault::Duplicate), 120);
    let repeats = repeats(&heard);
    let share = repeats.len() as f64 / heard.len() as f64;
    assert!(share < 0.01, "{share} are repeats");
    for place in repeats {
        let first = heard[..place].iter().rposition(|message| message.raw == heard[place].raw).unwrap();
        assert!(heard[place].at_ms - heard[first].at_ms < 5000);
    }
}

#[test]
fn malformed_messages_have_each_of_their_forms() {
    let heard = listen(with_fault(Fault::Malformed), 180);
    let malformed: Vec<_> = heard.iter().filter(|message| is_malformed(message)).collect();
    let text = |message: &Heard| String::from_utf8(message.raw.clone()).unwrap();
    let any = |is: &dyn Fn(&Heard) -> bool| malformed.iter().any(|message| is(message));
    assert!(any(&|message| text(message).contains("NaN")));
    assert!(any(&|message| message.payload.is_null() && !text(message).ends_with('}')), "cut JSON");
    assert!(any(&|message| message.payload["unit"] == "bar"), "a unit of something else");
    assert!(any(&|message| message.payload["unit"] == "furlong"), "a unit that is none");
    assert!(any(&|message| message.level(4) == "telemetrie"), "a topic that is none");
    assert!(malformed.len() * 100 < heard.len(), "{} of {}", malformed.len(), heard.len());
}

#[test]
fn a_step_that_overruns_takes_twice_its_standard() {
    let steps = steps(&listen(with_fault(Fault::Overrun), 8 * 60));
    let shares: Vec<f64> = steps.iter().filter_map(StepStory::share_of_standard).collect();
    let long: Vec<_> = shares.iter().filter(|share| **share > 1.2).collect();
    assert!(long.iter().all(|share| (1.99..2.31).contains(*share)), "{long:?}");
    let rate = long.len() as f64 / shares.len() as f64;
    assert!((0.02..0.2).contains(&rate), "{} of {}", long.len(), shares.len());
}

#[test]
fn a_silent_tool_comes_back_after_minutes_with_its_next_boot_and_leaves_no_will() {
    let heard = listen(with_fault(Fault::SilentTool), 240);
    let silences = silences(&heard);
    assert!(!silences.is_empty());
    assert!(silences.iter().all(|(_, before, after)| after > before), "{silences:?}");
    assert!(heard.iter().all(|message| message.payload["online"] != false));
}

#[test]
fn an_over_dispense_is_one_shot_far_above_the_plan() {
    let steps = steps(&listen(with_fault(Fault::OverDispense), 8 * 60));
    let overfull = overfull(&steps);
    assert!(overfull.iter().all(|(_, share)| (1.29..1.81).contains(share)));
    let fillings = steps.iter().filter(|step| !step.shots.is_empty()).count();
    assert!(!overfull.is_empty() && overfull.len() * 4 < fillings.max(5), "{} of {fillings}", overfull.len());
}

#[test]
fn a_step_that_nobody_clocks_is_done_all_the_same() {
    let heard = listen(with_fault(Fault::Unclocked), 8 * 60);
    let assigned = heard.iter().filter(|message| message.is("steps") && message.text("event") == "assigned");
    let (assigned, unclocked) = (assigned.count(), unclocked(&heard));
    assert!(unclocked.len() * 8 < assigned, "{} of {assigned}", unclocked.len());
    let has_tightened = |(bay, from, to): &(String, usize, usize)| {
        heard[*from..*to].iter().any(|message| message.bay() == bay && message.is_tool("tq"))
    };
    assert!(unclocked.iter().any(has_tightened), "tools are used in some of {unclocked:?}");
    let clocked = listen(SimulateSettings { rate: 10.0, ..SimulateSettings::default() }, 8 * 60);
    assert!(steps(&clocked).iter().all(|step| !step.is_unclocked));
}

#[test]
fn a_missed_joint_is_one_of_a_few_steps() {
    let steps = steps(&listen(with_fault(Fault::MissedJoint), 8 * 60));
    let missed = missed(&steps);
    assert!(missed.iter().all(|joints| *joints == 1), "{missed:?}");
    let with_joints = steps.iter().filter(|step| step.planned_joints() > 0).count();
    assert!(!missed.is_empty() && missed.len() * 5 < with_joints, "{} of {with_joints}", missed.len());
}

#[test]
fn faults_are_named_as_on_the_command_line() {
    for fault in Fault::ALL {
        assert_eq!(fault.name().parse(), Ok(Faults::none().with(fault)));
    }
    let two: Faults = "duplicate, nok_torque".parse().unwrap();
    assert_eq!(two.to_string(), "nok_torque,duplicate");
    assert_eq!("all".parse(), Ok(Faults::all()));
    assert_eq!("none".parse(), Ok(Faults::none()));
    let refused = "nok_torque,gremlins".parse::<Faults>().unwrap_err();
    assert!(refused.contains("no fault \"gremlins\"") && refused.contains("silent_tool"), "{refused}");
}

proptest! {
    #[test]
    fn a_list_of_faults_is_read_as_it_is_written(which in 0_u16..2048) {
        let faults = Fault::ALL
            .into_iter()
            .filter(|fault| which & 1 << *fault as u16 != 0)
            .fold(Faults::none(), Faults::with);
        prop_assert_eq!(faults.to_string().parse(), Ok(faults));
    }
}
