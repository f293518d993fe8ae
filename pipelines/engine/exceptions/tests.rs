use super::*;

fn rule(kind: ExceptionKind, raise_after_ms: i64, clear_after_ms: i64) -> RuleLife {
    RuleLife {
        name: "air_pressure_low".into(),
        version: "abc".into(),
        severity: Severity::High,
        kind,
        latch: false,
        raise_after_ms,
        clear_after_ms,
        realarm_after_ms: 0,
        message: Message::new("{bay} has {value} bar", &Arc::default()),
    }
}

fn row(ts_ms: i64) -> RuleRow {
    RuleRow {
        row_id: format!("{ts_ms}-0"),
        ts_ms,
        site: "lyon".into(),
        columns: vec![("bay".into(), "bay-01".into()), ("value".into(), "4.9".into())],
        ..RuleRow::default()
    }
}

/// Judges `10 yes` lines (`between`: it neither matches nor clears); tells what changed as `10 active` lines.
fn story(rule: &RuleLife, lines: &str) -> String {
    let mut exceptions = Exceptions::default();
    let mut told = Vec::new();
    for line in lines.split(',').map(str::trim) {
        let (ts_ms, verdict) = line.split_once(' ').expect("time and verdict");
        let ts_ms = ts_ms.parse().expect("a time");
        let says = match verdict {
            "yes" => Says::Wrong,
            "between" => Says::Between,
            _ => Says::Right,
        };
        exceptions.judge(rule, "lyon/bay-01", says, &row(ts_ms));
        for change in exceptions.take_changes() {
            told.push(format!("{} {}", ts_ms, change.state.as_str()));
        }
    }
    told.join(", ")
}

#[test]
fn a_condition_is_open_once_however_often_it_matches() {
    let rule = rule(ExceptionKind::Condition, 0, 0);
    assert_eq!(story(&rule, "10 yes, 20 yes, 30 no, 40 no, 50 yes"), "10 active, 30 cleared, 50 active");
}

#[test]
fn delays_count_in_event_time() {
    let rule = rule(ExceptionKind::Condition, 20, 30);
    assert_eq!(story(&rule, "10 yes, 20 yes, 25 no, 30 yes, 49 yes, 50 yes"), "50 active");
    assert_eq!(
        story(&rule, "10 yes, 30 yes, 40 no, 60 no, 65 yes, 70 no, 99 no, 100 no"),
        "30 active, 100 cleared"
    );
}

#[test]
fn an_older_verdict_changes_nothing() {
    let rule = rule(ExceptionKind::Condition, 0, 0);
    assert_eq!(story(&rule, "10 yes, 5 no, 20 no, 15 yes"), "10 active, 20 cleared");
}

#[test]
fn between_the_two_thresholds_nothing_opens_or_closes_and_delays_begin_anew() {
    let plain = rule(ExceptionKind::Condition, 0, 0);
    assert_eq!(story(&plain, "10 between, 20 yes, 30 between, 40 no, 50 between"), "20 active, 40 cleared");
    let delayed = rule(ExceptionKind::Condition, 20, 30);
    assert_eq!(story(&delayed, "10 yes, 20 between, 35 yes, 54 yes, 55 yes"), "55 active");
    assert_eq!(
        story(&delayed, "0 yes, 20 yes, 30 no, 50 between, 70 no, 99 no, 100 no"),
        "20 active, 100 cleared"
    );
}

#[test]
fn what_chatters_is_one_exception() {
    let chattering = RuleLife { realarm_after_ms: 20, ..rule(ExceptionKind::Condition, 0, 0) };
    let mut exceptions = Exceptions::default();
    let mut ids = Vec::new();
    for (ts_ms, says) in
        [(10, Says::Wrong), (20, Says::Right), (40, Says::Wrong), (50, Says::Right), (71, Says::Wrong)]
    {
        exceptions.judge(&chattering, "lyon/bay-01", says, &row(ts_ms));
        for change in exceptions.take_changes() {
            let evidence: Value = serde_json::from_str(&change.evidence).expect("JSON");
            ids.push((change.id, change.state, change.raised_ms, evidence["realarms"].as_u64()));
        }
    }
    let states: Vec<_> =
        ids.iter().map(|(_, state, raised_ms, realarms)| (*state, *raised_ms, *realarms)).collect();
    let (active, cleared) = (State::Active, State::Cleared);
    let once = Some(1);
    assert_eq!(
        states,
        [
            (active, 10, None),
            (cleared, 10, None),
            (active, 10, once),
            (cleared, 10, once),
            (active, 71, None)
        ]
    );
    assert!(ids[..4].iter().all(|(id, ..)| *id == ids[0].0) && ids[4].0 != ids[0].0);
    assert_eq!(exceptions.raised, 2);
}

#[test]
fn an_event_is_closed_at_once_and_keeps_its_id_through_the_second_verdict() {
    let rule = rule(ExceptionKind::Event, 0, 0);
    let mut exceptions = Exceptions::default();
    exceptions.event_on_arrival(&rule, (7, 0), &row(10));
    let told = exceptions.take_changes();
    assert_eq!((told[0].state, told[0].cleared_ms), (State::Cleared, Some(10)));
    assert_eq!(told[0].message, "bay-01 has 4.9 bar");
    exceptions.event_rejoined(&rule, (7, 0), 10, Some(&row(10)));
    assert!(exceptions.take_changes().is_empty(), "confirmed: nothing new to say");
    assert_eq!(exceptions.raised, 1);
}

#[test]
fn a_verdict_that_the_step_takes_back_is_cleared_as_rejoined() {
    let rule = rule(ExceptionKind::Event, 0, 0);
    let mut exceptions = Exceptions::default();
    exceptions.event_on_arrival(&rule, (7, 0), &row(10));
    exceptions.take_changes();
    exceptions.event_rejoined(&rule, (7, 0), 10, None);
    let told = exceptions.take_changes();
    assert!(told[0].evidence.contains("rejoined"));
}

#[test]
fn what_only_the_certain_step_shows_is_a_late_join() {
    let rule = rule(ExceptionKind::Event, 0, 0);
    let mut exceptions = Exceptions::default();
    exceptions.event_rejoined(&rule, (7, 0), 10, Some(&row(10)));
    assert!(exceptions.take_changes()[0].evidence.contains("late_join"));
}

fn latching() -> RuleLife {
    RuleLife { latch: true, ..rule(ExceptionKind::Event, 0, 0) }
}

fn of_qa() -> Operator {
    Operator { actor: Some("Q1".into()), since_ms: Some(20), ..Operator::default() }
}

/// It was told as latched once more, by a word that nobody could reset, and kept its vehicle for good.
#[test]
fn what_was_reset_before_its_step_is_certain_stays_over() {
    let mut exceptions = Exceptions::default();
    exceptions.event_on_arrival(&latching(), (7, 0), &row(10));
    let id = exceptions.take_changes()[0].id.clone();
    exceptions.reset(&id, of_qa()).expect("it is latched");
    let other = RuleRow { job: Some("J2".into()), ..row(10) };
    exceptions.event_rejoined(&latching(), (7, 0), 10, Some(&other));
    let told = exceptions.take_changes();
    let told: Vec<_> = told.iter().map(|one| (one.state, one.cleared_ms, one.job.as_deref())).collect();
    assert_eq!(told, [(State::Cleared, Some(20), None), (State::Cleared, Some(20), Some("J2"))]);
    assert_eq!(exceptions.open().count(), 0);
}

#[test]
fn a_booking_that_is_taken_back_and_wrong_again_is_latched_again() {
    let mut exceptions = Exceptions::default();
    for row in [Some(&row(10)), None, Some(&row(10))] {
        exceptions.event_amended(&latching(), "J1/S1/oil", row);
    }
    let told = exceptions.take_changes();
    let states: Vec<State> = told.iter().map(|one| one.state).collect();
    assert_eq!(states, [State::Latched, State::Cleared, State::Latched]);
    exceptions.reset(&told[0].id, of_qa()).expect("it can be reset");
    assert_eq!(exceptions.open().count(), 0);
}

#[test]
fn of_too_many_latched_ones_the_oldest_are_over_and_say_so() {
    let mut exceptions = Exceptions::default();
    // From the newest to the oldest: what counts is when it happened.
    (0..LATCHED_MAX as i64 + 3).rev().for_each(|ts_ms| exceptions.event(&latching(), &row(ts_ms)));
    exceptions.event_on_arrival(&latching(), (7, 0), &row(-5));
    exceptions.take_changes();
    exceptions.bound_latched(50_000);
    let told = exceptions.take_changes();
    let mut over: Vec<i64> = told.iter().map(|one| one.raised_ms).collect();
    over.sort_unstable();
    assert_eq!(over, [-5, 0, 1, 2]);
    assert!(told.iter().all(|one| (one.state, one.cleared_ms) == (State::Cleared, Some(50_000))));
    assert!(told.iter().all(|one| one.evidence.contains("displaced")));
    assert_eq!(exceptions.open().count(), LATCHED_MAX);
    let other = RuleRow { job: Some("J2".into()), ..row(-5) };
    exceptions.event_rejoined(&latching(), (7, 0), -5, Some(&other));
    assert_eq!(exceptions.take_changes()[0].state, State::Cleared, "its step comes too late");
    exceptions.bound_latched(60_000);
    assert!(exceptions.take_changes().is_empty());
}

#[test]
fn what_a_tool_out_of_service_says_calls_for_nobody_until_it_returns() {
    let rule = rule(ExceptionKind::Condition, 0, 0);
    let of_tool = |ts_ms: i64| {
        let mut row = row(ts_ms);
        row.tool = Some("wrench_1".into());
        row
    };
    let by = |actor: &str| Operator { actor: Some(actor.into()), ..Operator::default() };
    let told = |exceptions: &mut Exceptions| -> Vec<(State, &'static str)> {
        let changes = exceptions.take_changes();
        changes.iter().map(|change| (change.state, change.operator.state.as_str())).collect()
    };
    let mut exceptions = Exceptions::default();

    exceptions.judge(&rule, "wrench_1", Says::Wrong, &of_tool(10));
    exceptions.judge(&rule, "air", Says::Wrong, &row(11));
    let id = exceptions.open().find(|one| one.tool.is_some()).map(|one| one.id.clone()).expect("it is open");
    exceptions.shelve(&id, Operator { until_ms: Some(9_000), ..by("T17") }).expect("it goes on");
    exceptions.take_changes();
    exceptions.take_out("lyon", "wrench_1", by("Q1")).expect("it is in service");
    assert_eq!(told(&mut exceptions), [(State::Active, "out_of_service")], "only its own are aside");
    assert!(exceptions.acknowledge(&id, by("T17")).is_err() && exceptions.shelve(&id, by("T17")).is_err());
    assert!(exceptions.take_out("lyon", "wrench_1", by("Q2")).is_err(), "it is out already");

    // What comes while it is out is told, and aside from the first; an earlier shelving does not end it.
    exceptions.judge(&rule, "wrench_1", Says::Right, &of_tool(20));
    exceptions.judge(&rule, "wrench_1", Says::Wrong, &of_tool(30));
    exceptions.end_shelving(10_000);
    let expected = [(State::Cleared, "out_of_service"), (State::Active, "out_of_service")];
    assert_eq!(told(&mut exceptions), expected);
    assert!(exceptions.operator_lines().any(|line| line.starts_with("out of service lyon/wrench_1")));

    exceptions.put_back("lyon", "wrench_1", by("Q1")).expect("it was out");
    assert_eq!(told(&mut exceptions), [(State::Active, "unacknowledged")], "what goes on calls anew");
    assert!(exceptions.put_back("lyon", "wrench_1", by("Q1")).is_err(), "it is in service");
    exceptions.judge(&rule, "wrench_1", Says::Right, &of_tool(40));
    exceptions.judge(&rule, "wrench_1", Says::Wrong, &of_tool(50));
    assert_eq!(told(&mut exceptions)[1], (State::Active, "unacknowledged"), "and so does what comes");
}
