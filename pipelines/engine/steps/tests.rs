use super::*;

/// `10 started J1/S1` lines; returns what was active at each of `asked`.
fn bay(lines: &str) -> BaySteps {
    let mut bay = BaySteps::default();
    for (message, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (job, step) = words[2].split_once('/').expect("job/step");
        let record = Record {
            ts_ms: words[0].parse().expect("a time"),
            message: message as u64 + 1,
            index: 0,
            arrived_ms: 0,
            seq: 0,
            job: job.into(),
            step: step.into(),
            technician: None,
            event: serde_json::from_str(&format!("\"{}\"", words[1])).expect("an event"),
            told: false,
            raw: None,
            is_imported: false,
        };
        bay.insert(record, None);
    }
    bay
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
    let told = bay.tell(100);
    assert_eq!(told.iter().map(Told::is_stray).collect::<Vec<_>>(), [true, false, false]);
    assert!(bay.tell(100).is_empty(), "each event is told once");
}

#[test]
fn old_runs_are_forgotten_and_open_ones_are_not() {
    let mut bay = bay("10 started J1/S1\n20 finished J1/S1\n30 started J1/S2");
    bay.tell(1000);
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
    assert_eq!(bay.tell(15).len(), 1);
    bay.forget(500, 0);
    let told = bay.tell(1000);
    assert_eq!(told.iter().map(Told::is_stray).collect::<Vec<_>>(), [false, false]);
    bay.forget(500, 0);
    assert_eq!(active(&mut bay, &[15, 950]), "- J1/S2", "then it goes");
}
