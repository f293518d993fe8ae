use super::*;

/// `10 started J1/S1` lines.
fn bay(lines: &str) -> BaySteps {
    planned_bay(lines, None)
}

/// The same, under this card.
fn planned_bay(lines: &str, card: Option<&JobCard>) -> BaySteps {
    let mut bay = BaySteps::default();
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    for (message, line) in (1..).zip(lines) {
        bay.insert(record(message, line), card);
    }
    bay
}

/// Of one line.
fn record(message: u64, line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (job, step) = words[2].split_once('/').expect("job/step");
    Record {
        ts_ms: words[0].parse().expect("a time"),
        message,
        index: 0,
        arrived_ms: 0,
        seq: 0,
        job: job.into(),
        step: step.into(),
        technician: None,
        event: serde_json::from_str(&format!("\"{}\"", words[1])).expect("an event"),
        told: false,
        is_refused: false,
        raw: None,
        is_imported: false,
    }
}

/// A card of J1, whose S1 has a standard time of a second.
fn one_second() -> JobCard {
    let card = serde_json::json!({"job": "J1", "steps": [{"step": "S1", "standard_s": 1.0}, {"step": "S2"}]});
    serde_json::from_value(card).expect("a card")
}

/// What is told, as `1000 finished`.
fn told(bay: &mut BaySteps, before_ms: i64, overran_before_ms: i64) -> Vec<String> {
    let told = bay.tell(before_ms, overran_before_ms);
    let line = |told: &Told| {
        let event = format!("{:?}", told.record.event).to_lowercase();
        format!(
            "{} {event} {}",
            told.record.ts_ms,
            told.run.as_ref().map_or(0, |run| run.worked_ms(told.record.ts_ms))
        )
    };
    told.iter().map(line).collect()
}

#[test]
fn work_passes_its_levels_once_each_with_the_pauses_taken_off() {
    let lines = "0 started J1/S1\n500 paused J1/S1\n700 resumed J1/S1\n1350 paused J1/S1\n5000 resumed J1/S1";
    let mut bay = planned_bay(lines, Some(&one_second()));
    assert_eq!(told(&mut bay, 1201, 1201), ["0 started 0", "500 paused 500", "700 resumed 500"]);
    assert_eq!(told(&mut bay, 1202, 1202), ["1201 overran 1001"]);
    assert_eq!(told(&mut bay, 5051, 5051), ["1301 overran 1101", "1350 paused 1150", "5000 resumed 1150"]);
    assert_eq!(bay.overruns_ms(), Some(5051));
    // It has fallen silent: what comes is up to the clock.
    assert_eq!(told(&mut bay, i64::MAX, 5200), ["5051 overran 1201", "5151 overran 1301"]);
    let others = told(&mut bay, i64::MAX, i64::MAX);
    assert_eq!((others.len(), others[16].as_str()), (17, "6851 overran 3001"));
    assert_eq!((told(&mut bay, i64::MAX, i64::MAX), bay.overruns_ms()), (vec![], None));
}

#[test]
fn a_step_that_ends_at_its_level_is_not_over_it_and_one_without_a_standard_never() {
    let lines =
        "0 started J1/S1\n1200 finished J1/S1\n2000 started J1/S1\n3202 failed J1/S1\n4000 started J1/S2";
    let mut bay = planned_bay(lines, Some(&one_second()));
    let all = told(&mut bay, i64::MAX, i64::MAX);
    let overran: Vec<&String> = all.iter().filter(|line| line.contains("overran")).collect();
    assert_eq!(
        overran,
        [
            "1001 overran 1001",
            "1101 overran 1101",
            "3001 overran 1001",
            "3101 overran 1101",
            "3201 overran 1201"
        ]
    );
    assert_eq!(told(&mut planned_bay(lines, None), 9000, 9000).len(), 5);
}

#[test]
fn what_was_told_of_an_overrun_is_remembered_when_runs_are_made_anew() {
    let card = one_second();
    let mut bay = planned_bay("100 started J1/S1\n9000 started J2/S1", Some(&card));
    assert_eq!(told(&mut bay, 1200, 1200), ["100 started 0", "1101 overran 1001"]);
    bay.rebuild(Some(&card));
    assert_eq!(bay.overruns_ms(), Some(1201), "the first level is told, whatever is made anew");
}

fn active(bay: &mut BaySteps, asked: &[i64]) -> String {
    let name = |run: Option<usize>, bay: &BaySteps| match run {
        Some(run) => format!("{}/{}", bay.runs[run].job, bay.runs[run].step),
        None => "-".to_owned(),
    };
    let names = asked.iter().map(|&ts_ms| {
        let run = bay.active(ts_ms).1;
        name(run, bay)
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_step_is_active_from_its_start_up_to_its_finish() {
    let mut bay = bay("10 started J1/S1\n20 finished J1/S1\n30 started J1/S2");
    assert_eq!(active(&mut bay, &[9, 10, 19, 20, 29, 30, 99]), "- J1/S1 J1/S1 - - J1/S2 J1/S2");
}

#[test]
fn a_start_that_comes_late_still_finds_its_place() {
    let mut bay = bay("20 finished J1/S1\n30 started J1/S2\n10 started J1/S1");
    assert_eq!(active(&mut bay, &[15, 25, 35]), "J1/S1 - J1/S2");
}

#[test]
fn of_two_steps_at_once_the_later_start_wins_and_names_the_other() {
    let mut bay = bay("10 started J1/S1\n20 started J2/S7\n30 finished J2/S7\n40 finished J1/S1");
    assert_eq!(active(&mut bay, &[15, 25, 35, 45]), "J1/S1 J2/S7 J1/S1 -");
    assert_eq!(bay.runs[1].overlaps.as_deref(), Some("J1/S1"));
}

#[test]
fn pauses_are_no_work() {
    let bay = bay("0 started J1/S1\n10 paused J1/S1\n40 resumed J1/S1\n50 finished J1/S1");
    assert_eq!(bay.runs[0].worked_ms(1000), 20);
}

#[test]
fn a_finish_without_a_start_is_stray_and_harms_nothing() {
    let mut bay = bay("10 finished J1/S1\n20 started J1/S2\n30 finished J1/S2");
    let told = bay.tell(100, 100);
    assert_eq!(told.iter().map(Told::is_stray).collect::<Vec<_>>(), [true, false, false]);
    assert!(bay.tell(100, 100).is_empty(), "each event is told once");
}

/// Its run had ended for everybody but stream `steps`, so that history had no end of it and nobody booked it.
#[test]
fn an_end_that_was_refused_is_told_when_its_start_comes_after_all() {
    let mut bay = bay("30 finished J1/S1\n40 paused J2/S1");
    assert_eq!(bay.tell(100, 100).iter().map(Told::is_stray).collect::<Vec<_>>(), [true, true]);
    bay.insert(record(3, "10 started J1/S1"), None);
    assert_eq!(bay.told_end_ms(&bay.runs[0]), None, "it was refused");
    assert_eq!(told(&mut bay, 100, 100), ["10 started 0", "30 finished 20"]);
    assert_eq!(bay.told_end_ms(&bay.runs[0]), Some(30));
    assert!(bay.tell(100, 100).is_empty(), "the other still has none");
}

#[test]
fn old_runs_are_forgotten_and_open_ones_are_not() {
    let mut bay = bay("10 started J1/S1\n20 finished J1/S1\n30 started J1/S2");
    bay.tell(1000, 1000);
    bay.forget(500, 0);
    assert_eq!(bay.runs.len(), 1);
    assert_eq!(active(&mut bay, &[15, 700]), "- J1/S2");
    bay.forget(500, 31);
    assert!(bay.runs.is_empty(), "nobody has ended it for too long");
}

/// A gateway sent half an hour at once, and the epoch ended before the next second did: the run was forgotten, so its end was
/// taken for one of a step that nobody had started, and the step was never booked.
#[test]
fn an_end_that_was_not_told_before_a_leap_of_the_watermark_finds_its_run() {
    let mut bay = bay("10 started J1/S1\n20 finished J1/S1\n900 started J1/S2");
    assert_eq!(bay.tell(15, 15).len(), 1);
    bay.forget(500, 0);
    let told = bay.tell(1000, 1000);
    assert_eq!(told.iter().map(Told::is_stray).collect::<Vec<_>>(), [false, false]);
    bay.forget(500, 0);
    assert_eq!(active(&mut bay, &[15, 950]), "- J1/S2", "then it goes");
}

/// A bay of two thousand steps took a minute of work for each thousand messages: all that was kept of it was made anew with
/// each event.
#[test]
fn what_is_made_event_by_event_is_what_all_events_together_make() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bay = BaySteps::default();
        for message in 1..=120 {
            let lags = random.u8(0..5) == 0;
            let is_imported = random.u8(0..12) == 0;
            let event = ["started", "started", "paused", "resumed", "finished", "failed"][random.usize(0..6)];
            let record = Record {
                ts_ms: message as i64 * 10 / 7 - if lags { random.i64(0..60) } else { 0 },
                message,
                index: 0,
                arrived_ms: 0,
                seq: 0,
                job: format!("J{}", random.u8(0..3)).as_str().into(),
                step: format!("S{}", random.u8(0..2)).as_str().into(),
                technician: None,
                event: serde_json::from_str(&format!("\"{event}\"")).expect("an event"),
                told: false,
                is_refused: false,
                raw: None,
                is_imported,
            };
            let imported_ms = record.ts_ms;
            bay.insert(record, None);
            if is_imported {
                bay.import_until(imported_ms);
            }
            let told = format!("{bay:?}");
            bay.rebuild(None);
            assert_eq!(told, format!("{bay:?}"), "seed {seed}, event {message}");
            bay.check_spans();
            if random.u8(0..20) == 0 {
                let passed_ms = message as i64 * 10 / 7 - 40;
                bay.tell(passed_ms, passed_ms);
                bay.forget(passed_ms - 20, passed_ms - 80);
            }
        }
    }
}

impl BaySteps {
    /// At each moment that matters the run is active that started last of those that have begun and not ended.
    fn check_spans(&self) {
        let ended_ms = |run: &Run| match run.ended_ms {
            None if run.is_imported => Some(self.imported_until_ms.max(run.started_ms)),
            ended_ms => ended_ms,
        };
        let borders = self.runs.iter().flat_map(|run| [Some(run.started_ms), ended_ms(run)]).flatten();
        for at_ms in borders.flat_map(|ms| [ms - 1, ms, ms + 1]) {
            let is_active =
                |run: &Run| run.started_ms <= at_ms && ended_ms(run).is_none_or(|ended_ms| at_ms < ended_ms);
            assert_eq!(self.active(at_ms).1, self.runs.iter().rposition(is_active), "at {at_ms}: {self:?}");
        }
    }
}
