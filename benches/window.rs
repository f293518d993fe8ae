//! CPU per row of windows and rules, Arrow in and out, beside the floor: a plain loop that scatters values
//! into a dense array does 2.2 to 3.6 ns a row.

use std::collections::BTreeMap;
use std::hint::black_box;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use ingest::series::SeriesTable;
use pipelines::plan::{Plan, Planner};
use pipelines::window::{Closed, Frontier, Input, WindowOperator};

#[path = "window/rows.rs"]
mod rows;

use rows::{BATCH_ROWS, BAYS, Rows, SERIES, batches, columns, warm, workshop};

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What `stage` takes, in nanoseconds of CPU.
fn timed<T>(stage: impl FnOnce() -> T) -> (f64, T) {
    let before = cpu_ns();
    let made = stage();
    (cpu_ns() - before, made)
}

/// Best of a few runs of all batches, closing every window ten seconds after its end: ns a row, and groups
/// emitted.
fn window_ns(sql: &str, table: &SeriesTable, rows: &[Rows]) -> (f64, usize) {
    let plan = Planner::new().plan_sql(sql).expect("a plan");
    let Plan::Window(window) = &plan else { panic!("a window") };
    let inputs: Vec<RecordBatch> = rows.iter().map(|rows| columns(rows, &plan)).collect();
    let sites = BTreeMap::new();
    let (mut best, mut emitted) = (f64::MAX, 0);
    for _ in 0..5 {
        let mut operator = WindowOperator::new(window, 30_000).expect("an operator");
        let mut out: Vec<Closed> = Vec::new();
        emitted = 0;
        // Names are looked up once a series, not once a row.
        let early = vec![-3_600_000; BATCH_ROWS];
        operator.push(&Input { ts_ms: &early, ..rows[0].input(&inputs[0]) }, table).expect("rows fold");
        operator
            .close(&Frontier { overall: 0, bays: &[0; BAYS as usize], sites: &sites }, &mut out)
            .expect("it closes");
        out.clear();
        let mut took = 0.0;
        for (input, rows) in inputs.iter().zip(rows) {
            warm(rows, input);
            let watermark = rows.ts_ms[0] - 10_000;
            let bays = [watermark; BAYS as usize];
            took += timed(|| {
                operator.push(&rows.input(input), table).expect("rows fold");
                operator
                    .close(&Frontier { bays: &bays, sites: &sites, overall: watermark }, &mut out)
                    .expect("it closes");
                emitted += out.iter().map(|closed| black_box(closed).rows.num_rows()).sum::<usize>();
                out.clear();
            })
            .0;
        }
        best = best.min(took);
    }
    (best / (inputs.len() * BATCH_ROWS) as f64, emitted)
}

/// The floor under the same load: a plain loop into a dense array.
fn floor_ns(rows: &[Rows]) -> f64 {
    let values: Vec<Vec<f64>> = rows
        .iter()
        .map(|rows| rows.columns["value"].as_primitive::<Float64Type>().values().to_vec())
        .collect();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let mut states = vec![(0u64, 0.0f64, f64::MAX, f64::MIN); SERIES as usize];
        let mut took = 0.0;
        for (rows, values) in rows.iter().zip(&values) {
            black_box(rows.series.iter().fold(0, |all, series| all ^ series));
            black_box(values.iter().sum::<f64>());
            took += timed(|| {
                for (&series, &value) in rows.series.iter().zip(values) {
                    let state = &mut states[series as usize];
                    state.0 += 1;
                    state.1 += value;
                    state.2 = state.2.min(value);
                    state.3 = state.3.max(value);
                }
            })
            .0;
        }
        best = best.min(took);
        black_box(&states);
    }
    best / (rows.len() * BATCH_ROWS) as f64
}

fn rule_ns(sql: &str, rows: &[Rows]) -> f64 {
    let plan = Planner::new().plan_sql(sql).expect("a plan");
    let Plan::Rows(rule) = &plan else { panic!("rows") };
    let inputs: Vec<RecordBatch> = rows.iter().map(|rows| columns(rows, &plan)).collect();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let mut took = 0.0;
        for (input, rows) in inputs.iter().zip(rows) {
            warm(rows, input);
            took += timed(|| black_box(rule.evaluate(input).expect("it evaluates"))).0;
        }
        best = best.min(took);
    }
    best / (inputs.len() * BATCH_ROWS) as f64
}

/// Of the state after all `rows`: what saving and restoring take a group, and its bytes and windows.
fn snapshot_ns(sql: &str, table: &SeriesTable, rows: &[Rows]) -> (f64, f64, usize, usize) {
    let plan = Planner::new().plan_sql(sql).expect("a plan");
    let Plan::Window(window) = &plan else { panic!("a window") };
    let mut operator = WindowOperator::new(window, 30_000).expect("an operator");
    let (sites, mut out) = (BTreeMap::new(), Vec::new());
    for rows in rows {
        operator.push(&rows.input(&columns(rows, &plan)), table).expect("rows fold");
        let watermark = rows.ts_ms[0] - 10_000;
        let frontier = Frontier { overall: watermark, bays: &[watermark; BAYS as usize], sites: &sites };
        operator.close(&frontier, &mut out).expect("it closes");
    }
    let groups = (operator.windows() * SERIES as usize) as f64;
    let (mut save, mut load, mut size) = (f64::MAX, f64::MAX, 0);
    for _ in 0..5 {
        let (saving, bytes) = timed(|| operator.snapshot(table).expect("a snapshot"));
        let restore = || WindowOperator::restore(window, 30_000, &bytes, table).expect("it restores");
        let (loading, _) = timed(|| black_box(restore()));
        (save, load, size) = (save.min(saving), load.min(loading), bytes.len());
    }
    (save / groups, load / groups, size, operator.windows())
}

/// Names of cases may be given as arguments.
fn wanted(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name.contains(&word))
}

fn main() {
    let table = workshop();
    let fast = batches(&table, 100_000);
    let slow = batches(&table, 5_000);
    let tumble = "FROM tumble(telemetry, ts, INTERVAL '10 seconds')";
    let hop = "FROM hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')";
    let session = "FROM session(telemetry, ts, INTERVAL '1 second', site, bay, tool, metric)";
    let two = "count(*) AS n, sum(value) AS s";
    let by = "GROUP BY site, bay, tool, metric, window_start, window_end";
    let five = "count(*) AS n, sum(value) AS s, min(value) AS least, max(value) AS most, avg(value) AS mean";
    let keys = "SELECT site, bay, tool, metric, window_start, window_end,";
    println!(
        "{:<58} {:>8} {:>8} {:>8}",
        "windows of 10 s, 7,000 series, batches of 8,192", "ns/row", "floor", "target"
    );
    let cases = [
        ("count sum min max avg, 100k rows/s", format!("{keys} {five} {tumble} {by}"), &fast, "2.2-3.6", 3.5),
        (
            "count sum min max avg, 5k rows/s (7 rows a group)",
            format!("{keys} {five} {tumble} {by}"),
            &slow,
            "2.2-3.6",
            6.0,
        ),
        (
            "the same WHERE value >= 10, 100k rows/s",
            format!("{keys} {five} {tumble} WHERE value >= 10 {by}"),
            &fast,
            "5.0-6.4",
            6.5,
        ),
        (
            "one metric of seven, HAVING, 100k rows/s",
            format!(
                "SELECT site, bay, tool, avg(value) AS value {tumble} WHERE metric = 'torque' GROUP BY site, bay, tool, window_start, window_end HAVING avg(value) > 50"
            ),
            &fast,
            "",
            3.5,
        ),
        (
            "hop 60 s each 10 s, five aggregates, 100k rows/s",
            format!("{keys} {five} {hop} {by}"),
            &fast,
            "4",
            6.0,
        ),
        (
            "hop 60 s each 10 s, five aggregates, 5k rows/s",
            format!("{keys} {five} {hop} {by}"),
            &slow,
            "4",
            8.0,
        ),
        (
            "session of 1 s, 5k rows/s (1 to 2 rows each)",
            format!("{keys} {two} {session} {by}"),
            &slow,
            "2.8",
            4.0,
        ),
        ("session of 1 s, 100k rows/s", format!("{keys} {two} {session} {by}"), &fast, "2.8", 4.0),
        ("stddev, 100k rows/s", format!("{keys} stddev(value) AS s {tumble} {by}"), &fast, "6.0", 8.0),
        (
            "by job, which no series decides, 100k rows/s",
            format!(
                "SELECT site, bay, job, avg(value) AS value {tumble} GROUP BY site, bay, job, window_start, window_end"
            ),
            &fast,
            "14.1",
            30.0,
        ),
        (
            "median (DataFusion's), 100k rows/s",
            format!("{keys} median(value) AS s {tumble} {by}"),
            &fast,
            "23",
            40.0,
        ),
    ];
    println!("{:<58} {:>8.2} {:>8} {:>8}", "plain loop, for comparison", floor_ns(&fast), "2.2-3.6", "");
    for (name, sql, rows, floor, target) in cases {
        if !wanted(name) {
            continue;
        }
        let (ns, emitted) = window_ns(&sql, &table, rows);
        println!("{name:<58} {ns:>8.2} {floor:>8} {target:>8.1}   {emitted} groups emitted");
    }
    let rules = [
        ("rule value > spec_max", "SELECT site, bay, value FROM telemetry WHERE value > spec_max"),
        (
            "rule value * 2 > 199.9 AND bay <> 'B001'",
            "SELECT site, value FROM telemetry WHERE value * 2 > 199.9 AND bay <> 'B001'",
        ),
    ];
    for (name, sql) in rules {
        println!("{name:<58} {:>8.2} {:>8} {:>8.1}", rule_ns(sql, &fast), "3.6-9.9", 10.0);
    }
    let sql = format!("{keys} {five} {tumble} {by}");
    println!("state, 5k rows/s: snapshot, restore in ns a group (targets 40 and 40), and bytes");
    for (name, batches) in [("after 13 s", 8), ("after 100 s, corrections for 30 s", 61)] {
        let (save, load, size, windows) = snapshot_ns(&sql, &table, &slow[..batches]);
        println!("{name:<58} {save:>8.2} {load:>8.2}   {windows} windows, {size} bytes");
    }
}
