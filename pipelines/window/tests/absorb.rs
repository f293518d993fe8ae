//! Windows whose rows came in two parts, to two operators, are what one operator would have had.

use proptest::prelude::*;

use super::law::{Event, QUERIES, history, known_series};
use super::{Bench, Reading, StepRun};
use crate::window::{Frontier, WindowOperator};

/// Of these DataFusion makes another last bit from two parts than from one.
const OF_TWO_PARTS: [&str; 2] = ["corr(", "var(seq)"];

/// The past ends behind `past` readings, what came since is put to it behind `since` more.
#[derive(Clone, Copy, Debug)]
struct Parts {
    past: usize,
    since: usize,
}

fn bench(sql: &str) -> Bench {
    let mut bench = Bench::new(sql, 10_000_000);
    bench.table = known_series(false);
    bench
}

fn stand_at(bench: &mut Bench, history: &[(Reading, Event)]) {
    for (_, event) in history {
        if let Event::Watermark(bay, ms) = event {
            bench.set_watermark(*bay, *ms);
            bench.set_site_watermark(["S0", "S1"][bay % 2], *ms);
        }
    }
    let overall = bench.bays.iter().copied().min().unwrap_or(i64::MIN);
    bench.operator.stand_at(&Frontier { bays: &bench.bays, sites: &bench.sites, overall });
}

fn push(bench: &mut Bench, history: &[(Reading, Event)]) {
    let readings: Vec<Reading> = history.iter().map(|(reading, _)| reading.clone()).collect();
    bench.push(&readings);
}

/// What ended before it stood anywhere is told to nobody; the rest is.
fn go_on(mut bench: Bench, history: &[(Reading, Event)]) -> (Vec<String>, blake3::Hash) {
    bench.operator.close(&Frontier::still(), &mut Vec::new()).expect("it closes");
    for (reading, event) in history {
        bench.push(std::slice::from_ref(reading));
        if let Event::Watermark(bay, ms) = event {
            bench.set_watermark(*bay, *ms);
            bench.set_site_watermark(["S0", "S1"][bay % 2], *ms);
            bench.close(None);
        }
    }
    let (_, hash) = bench.snapshot();
    bench.close(Some(&Frontier::end()));
    (bench.said, hash)
}

fn whole(sql: &str, history: &[(Reading, Event)], parts: Parts) -> (Vec<String>, blake3::Hash) {
    let (past, since) = history.split_at(parts.past);
    let (since, rest) = since.split_at(parts.since);
    let mut one = bench(sql);
    push(&mut one, past);
    stand_at(&mut one, past);
    push(&mut one, since);
    // The next close looks at every window.
    one.save_and_restore();
    go_on(one, rest)
}

fn in_two(sql: &str, history: &[(Reading, Event)], parts: Parts) -> (Vec<String>, blake3::Hash) {
    let (past, since) = history.split_at(parts.past);
    let (since, rest) = since.split_at(parts.since);
    let (mut before, mut after) = (bench(sql), bench(sql));
    push(&mut before, past);
    let known = before.operator.snapshot(&before.table).expect("a snapshot");
    after.messages = before.messages;
    stand_at(&mut after, past);
    push(&mut after, since);
    let newer = after.operator.snapshot(&after.table).expect("a snapshot");
    let mut both = WindowOperator::restore(&after.plan, 10_000_000, &known, &after.table).expect("restored");
    both.absorb(&newer, &after.table).expect("it takes it in");
    after.operator = both;
    go_on(after, rest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_two_operators_make_the_windows_of_one(
        history in history(), query in 0..QUERIES.len(), past in 0..100usize, since in 0..40usize
    ) {
        let past = past.min(history.len());
        let parts = Parts { past, since: since.min(history.len() - past) };
        let sql = QUERIES[query];
        if !OF_TWO_PARTS.iter().any(|of| sql.contains(of)) {
            prop_assert_eq!(whole(sql, &history, parts), in_two(sql, &history, parts), "{}", sql);
        }
    }
}

#[test]
fn a_step_that_ended_meanwhile_is_the_same_step_whichever_part_knows_its_end() {
    let sql = "SELECT site, bay, job, window_start, window_end, count(*) AS n, sum(value) AS total \
               FROM per_step(telemetry) GROUP BY site, bay, job, window_start, window_end";
    let reading = |line: &str| Reading::parse(line);
    let run = |end_ms: i64| StepRun { job: "J1".to_owned(), start_ms: 1_000, end_ms, goes_on: false };
    let said = |end_known_before: i64, end_known_after: i64| {
        let (mut before, mut after) = (Bench::new(sql, 900_000), Bench::new(sql, 900_000));
        before.runs.0.push(run(end_known_before));
        before.push(&[reading("S/B1/T1/torque 2000 5 J1"), reading("S/B1/T1/torque 3000 6 J1")]);
        let known = before.operator.snapshot(&before.table).expect("a snapshot");
        after.runs.0.push(run(end_known_after));
        after.push(&[reading("S/B1/T1/torque 4000 7 J1")]);
        let newer = after.operator.snapshot(&after.table).expect("a snapshot");
        let mut both = WindowOperator::restore(&after.plan, 900_000, &known, &after.table).expect("restored");
        both.absorb(&newer, &after.table).expect("it takes it in");
        after.operator = both;
        after.operator.end_run(0, 1_000, 8_000);
        after.set_watermark(0, 9_000);
        after.close(None);
        after.said
    };
    let expected = said(8_000, 8_000);
    assert_eq!(expected.len(), 1, "{expected:?}");
    assert!(expected[0].contains("n=3") && expected[0].contains("total=18"), "{expected:?}");
    for (one, other) in [(i64::MAX, i64::MAX), (8_000, i64::MAX), (i64::MAX, 8_000)] {
        assert_eq!(said(one, other), expected);
    }
}
