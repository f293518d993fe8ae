use super::{Bench, Reading, check, check_with_horizon, window_plan};
use crate::window::groups::GROUPS_MAX;
use crate::window::spans::SPANS_MAX;
use crate::window::{RestoreError, WindowOperator};

const BY_TOOL: &str = "SELECT site, bay, tool, count(*) AS n, sum(value) AS total, min(value) AS least, \
     max(value) AS most, avg(value) AS mean FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
     WHERE metric = 'torque' GROUP BY site, bay, tool, window_start, window_end";

const COUNTED: &str = "SELECT bay, window_start, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
     GROUP BY site, bay, window_start, window_end";

#[test]
fn a_window_closes_when_its_bays_watermark_reaches_its_end() {
    check(
        BY_TOOL,
        "S/B1/T1/torque 1000 5
         S/B1/T1/torque 9999 7
         S/B1/T2/torque 2000 1
         S/B1/T1/angle  3000 100
         S/B1/T1/torque 10000 50
         S/B2/T1/torque 4000 3
         watermark S/B1 9999
         watermark S/B1 10000
         watermark S/B2 30000
         end",
        "[0, 10000) r1 site=S bay=B1 tool=T1 n=2 total=12.0 least=5.0 most=7.0 mean=6.0
         [0, 10000) r1 site=S bay=B1 tool=T2 n=1 total=1.0 least=1.0 most=1.0 mean=1.0
         [0, 10000) r1 site=S bay=B2 tool=T1 n=1 total=3.0 least=3.0 most=3.0 mean=3.0
         [10000, 20000) r1 site=S bay=B1 tool=T1 n=1 total=50.0 least=50.0 most=50.0 mean=50.0",
    );
}

#[test]
fn groups_that_having_leaves_out_are_told_apart() {
    check(
        "SELECT bay, avg(value) AS value FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, bay, window_start, window_end HAVING avg(value) > 4 AND count(*) >= 2",
        "S/B1/T1/torque 1000 5
         S/B1/T1/torque 1001 6
         S/B2/T1/torque 1000 5
         S/B3/T1/torque 1000 1
         S/B3/T1/torque 1000 2
         end",
        "[0, 10000) r1 bay=B1 value=5.5
         [0, 10000) r1 no bay=B2 value=5.0
         [0, 10000) r1 no bay=B3 value=1.5",
    );
}

#[test]
fn a_late_row_within_the_horizon_gives_the_next_revision_of_its_group_alone() {
    check(
        BY_TOOL,
        "S/B1/T1/torque 1000 5
         S/B1/T2/torque 1000 6
         watermark S/B1 20000
         S/B1/T1/torque 1500 8
         S/B1/T1/torque 1600 9
         watermark S/B1 21000
         watermark S/B1 22000
         end",
        "[0, 10000) r1 site=S bay=B1 tool=T1 n=1 total=5.0 least=5.0 most=5.0 mean=5.0
         [0, 10000) r1 site=S bay=B1 tool=T2 n=1 total=6.0 least=6.0 most=6.0 mean=6.0
         [0, 10000) r2 site=S bay=B1 tool=T1 n=3 total=22.0 least=5.0 most=9.0 mean=7.333333333333333",
    );
}

#[test]
fn a_late_row_of_a_packed_window_unpacks_it() {
    check(
        BY_TOOL,
        "S/B1/T1/torque 1000 5
         S/B1/T2/torque 1000 6
         watermark S/B1 20000
         save
         save
         S/B1/T3/torque 1500 8
         S/B1/T1/torque 1500 8
         watermark S/B1 21000
         save
         end",
        "[0, 10000) r1 site=S bay=B1 tool=T1 n=1 total=5.0 least=5.0 most=5.0 mean=5.0
         [0, 10000) r1 site=S bay=B1 tool=T2 n=1 total=6.0 least=6.0 most=6.0 mean=6.0
         [0, 10000) r2 site=S bay=B1 tool=T1 n=2 total=13.0 least=5.0 most=8.0 mean=6.5
         [0, 10000) r1 site=S bay=B1 tool=T3 n=1 total=8.0 least=8.0 most=8.0 mean=8.0",
    );
}

#[test]
fn a_bay_that_falls_silent_shows_its_open_windows_once_and_keeps_them_open() {
    check(
        COUNTED,
        "S/B1/T1/torque 1000 5
         S/B2/T1/torque 1000 5
         S/B1/T1/torque 12000 5
         watermark S/B1 2000
         release S/B1
         release S/B1
         S/B1/T1/torque 2500 5
         release S/B1
         watermark S/B1 10000
         end",
        "[0, 10000) r1 open bay=B1 window_start=0 n=1
         [10000, 20000) r1 open bay=B1 window_start=10000 n=1
         [0, 10000) r2 open bay=B1 window_start=0 n=2
         [0, 10000) r3 bay=B1 window_start=0 n=2
         [0, 10000) r1 bay=B2 window_start=0 n=1
         [10000, 20000) r2 bay=B1 window_start=10000 n=1",
    );
}

#[test]
fn windows_by_site_close_by_the_sites_watermark_and_windows_without_site_by_the_least() {
    check(
        "SELECT site, window_start, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, window_start, window_end",
        "S/B1/T1/torque 1000 5
         S/B2/T1/torque 1000 5
         U/B1/T1/torque 1000 5
         watermark S/B1 90000
         site_watermark S 10000
         site_watermark U 9999
         end",
        "[0, 10000) r1 site=S window_start=0 n=2
         [0, 10000) r1 site=U window_start=0 n=1",
    );
    check(
        "SELECT window_start, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY window_start, window_end",
        "S/B1/T1/torque 1000 5
         S/B2/T1/torque 1000 5
         S/B1/T1/torque 11000 5
         watermark S/B1 90000
         watermark S/B2 12000
         watermark S/B2 19000
         end",
        "[0, 10000) r1 window_start=0 n=2
         [10000, 20000) r1 window_start=10000 n=1",
    );
}

#[test]
fn a_row_whose_window_is_forgotten_is_handed_back_and_never_opens_it_anew() {
    check_with_horizon(
        "SELECT site, window_start, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, window_start, window_end",
        20_000,
        "S/B1/T1/torque 1000 5
         site_watermark S 29999
         S/B2/T1/torque 2000 5
         site_watermark S 30000
         S/B2/T1/torque 40000 5
         S/B2/T1/torque 3000 5
         -- batch
         save
         S/B2/T1/torque 3000 5
         end",
        "[0, 10000) r1 site=S window_start=0 n=1
         [0, 10000) r2 site=S window_start=0 n=2
         expired: row 1
         expired: row 0
         [40000, 50000) r1 site=S window_start=40000 n=1",
    );
}

#[test]
fn times_before_1970_fall_into_the_window_below() {
    check(
        COUNTED,
        "S/B1/T1/torque -1 5
         S/B1/T1/torque -10000 5
         S/B1/T1/torque -10001 5
         S/B1/T1/torque 0 5
         end",
        "[-20000, -10000) r1 bay=B1 window_start=-20000 n=1
         [-10000, 0) r1 bay=B1 window_start=-10000 n=2
         [0, 10000) r1 bay=B1 window_start=0 n=1",
    );
}

#[test]
fn plain_date_bin_makes_windows_too_with_an_origin_if_there_is_one() {
    check(
        "SELECT bay, date_bin(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01T00:00:03Z') AS start, \
         count(value) AS n FROM telemetry \
         GROUP BY site, bay, date_bin(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01T00:00:03Z')",
        "S/B1/T1/torque 2999 5
         S/B1/T1/torque 3000 5
         S/B1/T1/torque 3001 -
         end",
        "[-7000, 3000) r1 bay=B1 start=1969-12-31T23:59:53Z n=1
         [3000, 13000) r1 bay=B1 start=1970-01-01T00:00:03Z n=1",
    );
}

#[test]
fn a_key_that_no_series_decides_groups_rows_by_their_values() {
    check(
        "SELECT bay, job, count(*) AS n, sum(value) AS total, stddev(value) AS spread, \
         count(DISTINCT tool) AS tools, count(*) FILTER (WHERE value > 5) AS high \
         FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, bay, job, window_start, window_end",
        "S/B1/T1/torque 1000 5 J1
         S/B1/T2/torque 1001 7 J1
         S/B1/T1/torque 1002 1 J2
         S/B1/T1/torque 1003 -
         watermark S/B1 5000
         save
         S/B1/T1/torque 1004 9 J1
         watermark S/B1 10000
         save
         S/B1/T1/torque 1005 9 J2
         end",
        "[0, 10000) r1 bay=B1 job=- n=1 total=- spread=- tools=1 high=0
         [0, 10000) r1 bay=B1 job=J1 n=3 total=21.0 spread=2.0 tools=2 high=2
         [0, 10000) r1 bay=B1 job=J2 n=1 total=1.0 spread=- tools=1 high=0
         [0, 10000) r2 bay=B1 job=J2 n=2 total=10.0 spread=5.656854249492381 tools=1 high=1",
    );
}

#[test]
fn a_row_that_an_expression_fails_on_is_named_and_the_others_count() {
    check(
        "SELECT bay, sum(CAST(text AS BIGINT)) AS total, count(*) AS n \
         FROM tumble(telemetry, ts, INTERVAL '10 seconds') WHERE metric = 'code' \
         GROUP BY site, bay, window_start, window_end",
        "S/B1/T1/code 1000 - - 5
         S/B1/T1/code 1000 - - five
         S/B1/T1/note 1000 - - not_a_code
         S/B1/T1/code 1000 - - 7
         end",
        "row 1 failed: Cast error: Cannot cast string 'five' to value of Int64 type
         [0, 10000) r1 bay=B1 total=12 n=2",
    );
}

#[test]
fn a_group_that_select_fails_on_is_named_and_the_others_come_out() {
    check(
        "SELECT bay, count(*) / count(value) AS ratio FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, bay, window_start, window_end",
        "S/B1/T1/torque 1000 5
         S/B2/T1/torque 1000 -
         S/B3/T1/torque 1000 5
         end",
        "[0, 10000) r1 bay=B1 ratio=1
         [0, 10000) r1 bay=B3 ratio=1
         [0) failed S/B2: Divide by zero error",
    );
}

#[test]
fn a_condition_on_the_window_itself_holds_for_its_rows() {
    check(
        "SELECT bay, count(*) AS n, max(ts - window_start) AS last FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         WHERE ts < window_start + INTERVAL '5 seconds' GROUP BY site, bay, window_start, window_end",
        "S/B1/T1/torque 1000 5
         S/B1/T1/torque 6000 5
         S/B1/T1/torque 14000 5
         end",
        "[0, 10000) r1 bay=B1 n=1 last=PT1S
         [10000, 20000) r1 bay=B1 n=1 last=PT4S",
    );
}

#[test]
fn the_state_of_another_query_is_refused() {
    let (one, other) = (window_plan(BY_TOOL), window_plan(COUNTED));
    let table = ingest::series::SeriesTable::default();
    let bytes = WindowOperator::new(&one, 0).expect("an operator").snapshot(&table).expect("a snapshot");
    let refused = WindowOperator::restore(&other, 0, &bytes, &table);
    assert!(matches!(refused, Err(RestoreError::OtherPlan { .. })), "{refused:?}");
    let damaged = WindowOperator::restore(&one, 0, &bytes[..bytes.len() - 9], &table);
    assert!(matches!(damaged, Err(RestoreError::Damaged(_))), "{damaged:?}");
}

const TOOL_SESSIONS: &str = "SELECT tool, count(*) AS n, sum(value) AS total \
    FROM session(telemetry, ts, INTERVAL '5 seconds', site, bay, tool, metric) WHERE metric = 'torque' \
    GROUP BY site, bay, tool, metric, window_start, window_end";

#[test]
fn a_session_ends_when_nothing_has_come_for_its_gap() {
    check(
        TOOL_SESSIONS,
        "S/B1/T1/torque 1000 1
         S/B1/T1/torque 4000 2
         S/B1/T2/torque 5000 7
         S/B1/T1/torque 8999 3
         S/B1/T1/torque 14000 4
         S/B1/T1/angle 16000 9
         watermark S/B1 13998
         watermark S/B1 13999
         watermark S/B1 30000",
        "[5000, 10000) r1 tool=T2 n=1 total=7.0
         [1000, 13999) r1 tool=T1 n=3 total=6.0
         [14000, 19000) r1 tool=T1 n=1 total=4.0",
    );
}

#[test]
fn a_late_row_that_joins_two_sessions_withdraws_the_later_and_one_before_a_session_moves_it() {
    check(
        TOOL_SESSIONS,
        "S/B1/T1/torque 1000 1
         S/B1/T1/torque 9000 2
         watermark S/B1 20000
         -- batch
         S/B1/T1/torque 5000 4
         S/B1/T1/torque 18000 8
         save
         watermark S/B1 23000
         S/B1/T1/torque 17000 16
         watermark S/B1 24000",
        "[1000, 6000) r1 tool=T1 n=1 total=1.0
         [9000, 14000) r1 tool=T1 n=1 total=2.0
         [9000, 14000) r2 withdrawn tool=T1 n=0 total=-
         [1000, 14000) r2 tool=T1 n=3 total=7.0
         [18000, 23000) r1 tool=T1 n=1 total=8.0
         [18000, 23000) r2 withdrawn tool=T1 n=0 total=-
         [17000, 23000) r1 tool=T1 n=2 total=24.0",
    );
}

#[test]
fn a_session_is_forgotten_with_its_horizon_and_its_place_used_again() {
    check_with_horizon(
        TOOL_SESSIONS,
        10_000,
        "S/B1/T1/torque 1000 1
         watermark S/B1 15999
         S/B1/T1/torque 2000 1
         watermark S/B1 17000
         S/B1/T1/torque 1500 9
         S/B1/T1/torque 20000 3
         watermark S/B1 30000",
        "[1000, 6000) r1 tool=T1 n=1 total=1.0
         [1000, 7000) r2 tool=T1 n=2 total=2.0
         expired: row 0
         [20000, 25000) r1 tool=T1 n=1 total=3.0",
    );
}

#[test]
fn a_window_of_a_step_opens_and_closes_with_it() {
    let sql = "SELECT job, count(*) AS n, max(value) AS most, window_end FROM per_step(telemetry) \
               GROUP BY site, bay, job, step, window_start, window_end";
    check(
        sql,
        "run J1 1000 -
         run J2 9000 12000
         S/B1/T1/torque 500 1
         S/B1/T1/torque 1500 2 J1
         S/B1/T2/torque 2500 3 J1
         release S/B1
         save
         S/B1/T1/torque 7000 5 J1
         S/B1/T1/torque 9000 6 J2
         finish S/B1 J1 8000
         watermark S/B1 7999
         watermark S/B1 8000
         S/B1/T1/torque 3000 9 J1
         save
         watermark S/B1 20000",
        "[1000, -) r1 open job=J1 n=2 most=3.0 window_end=-
         [1000, 8000) r2 job=J1 n=3 most=5.0 window_end=8000
         [1000, 8000) r3 job=J1 n=4 most=9.0 window_end=8000
         [9000, 12000) r1 job=J2 n=1 most=6.0 window_end=12000",
    );
}

#[test]
fn a_step_that_goes_on_at_the_end_is_shown_and_not_final() {
    check(
        "SELECT bay, count(*) AS n FROM per_step(telemetry) GROUP BY site, bay, window_start, window_end",
        "run J1 1000 -
         S/B1/T1/torque 1500 2 J1
         watermark S/B1 90000
         end
         end",
        "[1000, -) r1 open bay=B1 n=1",
    );
}

#[test]
fn a_window_that_a_correction_takes_below_having_is_withdrawn_and_may_come_back() {
    check(
        "SELECT tool, avg(value) AS mean, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY site, bay, tool, window_start, window_end HAVING avg(value) > 5",
        "S/B1/T1/torque 1000 9
         S/B1/T2/torque 1000 3
         watermark S/B1 10000
         S/B1/T1/torque 2000 1
         S/B1/T2/torque 2000 3
         save
         watermark S/B1 11000
         S/B1/T1/torque 3000 20
         watermark S/B1 12000",
        "[0, 10000) r1 tool=T1 mean=9.0 n=1
         [0, 10000) r1 no tool=T2 mean=3.0 n=1
         [0, 10000) r2 no tool=T1 mean=5.0 n=2
         [0, 10000) r2 no tool=T2 mean=3.0 n=2
         [0, 10000) r2 withdrawn no tool=T1 mean=- n=0
         [0, 10000) r3 tool=T1 mean=10.0 n=3",
    );
}

/// Before there was a row some of DataFusion's accumulators had no state to be written, and the first checkpoint of a
/// service with such a rule was its end.
#[test]
fn windows_are_saved_before_their_first_row() {
    let of = |from: &str, keys: &str| {
        format!(
            "SELECT {keys}, window_start, count(DISTINCT tool) AS tools, median(value) AS middle, last_value(value ORDER BY ts) AS \
             last FROM {from} GROUP BY {keys}, window_start, window_end"
        )
    };
    check(&of("session(telemetry, ts, INTERVAL '5 seconds', site)", "site"), "save\nsave", "");
    check(&of("per_step(telemetry)", "site, bay, job"), "save\nsave", "");
    check(&of("day(telemetry, ts)", "site"), "save\nsave", "");
}

/// So many readings of one tool, each with a text of its own, from `first` on.
fn texts(numbers: std::ops::Range<usize>, ts_ms: i64) -> Vec<Reading> {
    let read = |number: usize| Reading::parse(&format!("S/B1/T1/scan {ts_ms} 1 - part-{number}"));
    numbers.map(read).collect()
}

#[test]
fn a_million_texts_from_one_bay_are_no_million_groups() {
    let sql = "SELECT text, count(*) AS n FROM hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '20 seconds') \
         GROUP BY site, bay, text, window_start, window_end";
    let told = [100_010, 7_001].map(|batch_rows| {
        let mut bench = Bench::new(sql, 900_000);
        let mut readings = texts(0..GROUPS_MAX + 5, 15_000);
        // One that has a group, and the next slide: one of its windows is full, the other is empty.
        readings.extend(texts(7..8, 15_000));
        readings.extend(texts(GROUPS_MAX + 5..GROUPS_MAX + 7, 25_000));
        let mut surplus = Vec::new();
        for (number, batch) in readings.chunks(batch_rows).enumerate() {
            let pushed = bench.push(batch);
            surplus.extend(pushed.surplus.iter().map(|row| number * batch_rows + *row as usize));
        }
        bench.set_watermark(0, 100_000);
        let closed = bench.close(None);
        let rows = |start: i64| {
            let starts = closed.iter().flat_map(|closed| &closed.starts_ms);
            starts.filter(|of| **of == start).count()
        };
        let is_twice = |line: &&String| line.contains("part-7 ") || line.ends_with("part-7 n=2");
        let twice = bench.said.iter().filter(is_twice).count();
        (surplus, [0, 10_000, 20_000].map(rows), twice)
    });
    let after = GROUPS_MAX + 6;
    let mut surplus: Vec<usize> = (GROUPS_MAX..GROUPS_MAX + 5).collect();
    surplus.extend([after, after + 1]);
    assert_eq!(told[0], (surplus, [GROUPS_MAX, GROUPS_MAX, 2], 2));
    assert_eq!(told[0], told[1], "wherever batches are cut");
}

#[test]
fn a_million_texts_are_no_million_sessions_and_there_is_room_once_some_are_over() {
    let sql = "SELECT text, count(*) AS n FROM session(telemetry, ts, INTERVAL '1 minute', site, bay, text) \
         GROUP BY site, bay, text, window_start, window_end";
    let mut bench = Bench::new(sql, 0);
    let all = texts(0..SPANS_MAX + 3, 1_000);
    let mut surplus = 0;
    for batch in all.chunks(9_000) {
        surplus += bench.push(batch).surplus.len();
    }
    assert_eq!(surplus, 3);
    // One that is there goes on.
    assert_eq!(bench.push(&texts(5..6, 2_000)).surplus, [0_u32; 0]);
    bench.set_watermark(0, 200_000);
    bench.close(None);
    bench.save_and_restore();
    let pushed = bench.push(&texts(SPANS_MAX..SPANS_MAX + 3, 300_000));
    assert_eq!((pushed.folded, pushed.surplus.len()), (3, 0));
}
