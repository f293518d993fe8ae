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
                bay.tell(passed_ms);
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
