//! The newest final revision of every window is what a batch over the same rows says, to the bit; and
//! nothing that is said depends on cuts, snapshots or numbers of series.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use ingest::series::{Series, SeriesTable};
use proptest::prelude::*;

use super::{Bench, Reading, StepRun, telemetry};
use crate::plan::register_window_functions;
use crate::schema::TELEMETRY;
use crate::window::{Closed, Frontier};

pub(super) const QUERIES: [&str; 16] = [
    "SELECT site, bay, tool, window_start, count(*) AS n, count(value) AS measured, sum(value) AS total, \
     min(value) AS least, max(value) AS most, avg(value) AS mean \
     FROM tumble(telemetry, ts, INTERVAL '10 seconds') WHERE metric = 'torque' \
     GROUP BY site, bay, tool, window_start, window_end",
    "SELECT site, bay, window_end, avg(value) - min(value) AS swing FROM tumble(telemetry, ts, INTERVAL '7 seconds') \
     WHERE value > -50 AND tool LIKE 'T%' GROUP BY site, bay, window_start, window_end \
     HAVING count(*) >= 2 AND max(value) > 10",
    "SELECT site, bay, job, window_start, stddev(value) AS s, var_pop(value * 2) AS v, count(DISTINCT tool) AS tools, \
     sum(value) FILTER (WHERE metric = 'angle') AS angles, count(*) FILTER (WHERE value > 0) AS positive \
     FROM tumble(telemetry, ts, INTERVAL '10 seconds') GROUP BY site, bay, job, window_start, window_end",
    "SELECT site, date_bin(INTERVAL '15 seconds', ts) AS start, median(value) AS middle, \
     percentile_cont(0.9) WITHIN GROUP (ORDER BY value) AS high, last_value(value ORDER BY ts) AS last, \
     max(ts) AS newest, sum(seq) AS places, max(tool) AS tool, bool_or(value > 3) AS some \
     FROM telemetry GROUP BY site, date_bin(INTERVAL '15 seconds', ts)",
    "SELECT window_start, metric, first_value(value) AS first, array_agg(value) AS everything, \
     corr(value, value * value) AS c FROM tumble(telemetry, ts, INTERVAL '20 seconds') \
     GROUP BY metric, window_start, window_end",
    "SELECT window_start, upper(bay) AS bay, job IS NULL AS idle, sum(CAST(text AS BIGINT)) AS codes, \
     approx_distinct(CAST(tool AS VARCHAR)) AS tools FROM tumble(telemetry, ts, INTERVAL '10 seconds') WHERE metric <> 'torque' \
     GROUP BY window_start, window_end, upper(bay), job IS NULL",
    "SELECT window_start, site, corr(value, seq) AS a, median(seq) AS b, count(DISTINCT job) AS c, \
     sum(DISTINCT seq) FILTER (WHERE value > 0) AS d, min(DISTINCT value) AS e, bool_and(value > 0) AS f, \
     max(value) FILTER (WHERE tool = 'T1') AS g \
     FROM tumble(telemetry, ts, INTERVAL '10 seconds') GROUP BY site, window_start, window_end",
    "SELECT window_start, site, count(DISTINCT value) AS a, sum(DISTINCT seq) AS b, bit_xor(seq) AS c, \
     first_value(text ORDER BY value) AS d, nth_value(value, 2) AS e, string_agg(text, '+') AS f, \
     avg(seq) AS g, min(text) AS h, var(seq) AS i \
     FROM tumble(telemetry, ts, INTERVAL '10 seconds') GROUP BY site, window_start, window_end",
    "SELECT site, bay, tool, window_start, window_end, count(*) AS n, sum(value) AS total, min(value) AS least, \
     stddev(value) AS s FROM hop(telemetry, ts, INTERVAL '5 seconds', INTERVAL '20 seconds') WHERE metric = 'torque' \
     GROUP BY site, bay, tool, window_start, window_end",
    "SELECT site, job, window_start, avg(value) AS mean, count(DISTINCT tool) AS tools, last_value(value ORDER BY ts) AS last \
     FROM hop(telemetry, ts, INTERVAL '4 seconds', INTERVAL '10 seconds') GROUP BY site, job, window_start, window_end \
     HAVING count(*) > 1",
    "SELECT bay, window_end, sum(value) AS total, corr(value, seq) AS c, min(text) AS t \
     FROM hop(telemetry, ts, INTERVAL '7 seconds', INTERVAL '7 seconds') GROUP BY site, bay, window_start, window_end",
    "SELECT site, bay, tool, metric, window_start, window_end, count(*) AS n, sum(value) AS total, avg(value) AS mean, \
     max(value) AS most, stddev(value) AS s, percentile(value, 0.9) AS high FROM session(telemetry, ts, INTERVAL '3 seconds', site, bay, tool, metric) \
     WHERE metric <> 'angle' GROUP BY site, bay, tool, metric, window_start, window_end",
    "SELECT site, job, window_start, window_end, sum(value) FILTER (WHERE metric = 'torque') AS total, median(value) AS m, \
     count(DISTINCT tool) AS tools, min(text) AS t FROM session(telemetry, ts, INTERVAL '700 milliseconds', site, job) \
     GROUP BY site, job, window_start, window_end HAVING count(*) > 1",
    "SELECT window_start, window_end, count(*) AS n, var_pop(value) AS v, percentile(value, 0.5) AS mid FROM session(telemetry, ts, INTERVAL '2 seconds', metric) \
     GROUP BY metric, window_start, window_end",
    "SELECT site, bay, tool, window_start, window_end, count(*) AS n, sum(value) AS total, stddev(value) AS s, \
     percentile(value, 0.9) AS high FROM shift(telemetry, ts) WHERE metric = 'torque' AND value > -100 \
     GROUP BY site, bay, tool, window_start, window_end HAVING count(*) > 1",
    "SELECT site, job, window_start, avg(value) AS mean, count(DISTINCT tool) AS tools FROM day(telemetry, ts) \
     GROUP BY site, job, window_start, window_end",
];

/// What happens after a reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Nothing,
    Batch,
    Save,
    Watermark(usize, i64),
    Release(usize),
}

fn reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        1 => Just(None),
        6 => (-1_000_000..1_000_000i64).prop_map(|value| Some(value as f64 / 7919.0)),
        1 => prop_oneof![Just(Some(0.0)), Just(Some(-0.0)), Just(Some(1e300)), Just(Some(-1e300))],
    ];
    let job = prop::option::weighted(0.7, 0..3u8);
    let places = (0..2u8, 0..4u8, 0..3u8, 0..3u8);
    (places, -5_000..60_000i64, value, job, 0..100u8).prop_map(
        |((site, bay, tool, metric), ts_ms, value, job, text)| {
            let name = |letter: &str, number: u8| {
                if number == 0 { String::new() } else { format!("{letter}{number}") }
            };
            let metric = ["torque", "angle", "current"][usize::from(metric)].to_owned();
            Reading {
                names: [format!("S{site}"), name("B", bay), name("T", tool), metric],
                ts_ms,
                value,
                job: job.map(|job| format!("J{job}")),
                text: Some(text.to_string()),
            }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => Just(Event::Nothing),
        4 => Just(Event::Batch),
        2 => Just(Event::Save),
        3 => (0..8usize, 0..70_000i64).prop_map(|(bay, ms)| Event::Watermark(bay, ms)),
        2 => (0..8usize).prop_map(Event::Release),
    ]
}

pub(super) fn history() -> impl Strategy<Value = Vec<(Reading, Event)>> {
    prop::collection::vec((reading(), event()), 1..100)
}

/// All series of the test, so that bays have the same numbers in runs that see them in other batches.
pub(super) fn known_series(reverse: bool) -> SeriesTable {
    let mut table = SeriesTable::default();
    let mut all = Vec::new();
    for bay in 0..8 {
        // Bay numbers stay, whatever the order of series.
        let (site, bay) = (format!("S{}", bay / 4), bay % 4);
        let bay = if bay == 0 { String::new() } else { format!("B{bay}") };
        table.intern_bay(&site, &bay);
        for tool in ["", "T1", "T2"] {
            for metric in ["torque", "angle", "current"] {
                all.push(Series {
                    site: site.as_str().into(),
                    bay: bay.as_str().into(),
                    tool: tool.into(),
                    metric: metric.into(),
                });
            }
        }
    }
    if reverse {
        all.reverse();
    }
    all.into_iter().for_each(|series| {
        table.intern(series);
    });
    table
}

pub(super) struct Run {
    pub(super) closed: Vec<Closed>,
    pub(super) said: Vec<String>,
    hash: blake3::Hash,
}

/// Runs the history; `cut` tells whether the events that must not matter happen.
pub(super) fn run(sql: &str, history: &[(Reading, Event)], cut: bool, reverse: bool) -> Run {
    run_with_steps(sql, history, &[], cut, reverse)
}

/// The same with runs of steps, each on a bay. The end of a run is told once its bay has come to it.
pub(super) fn run_with_steps(
    sql: &str,
    history: &[(Reading, Event)],
    steps: &[(usize, StepRun)],
    cut: bool,
    reverse: bool,
) -> Run {
    let mut bench = Bench::new(sql, 10_000_000);
    bench.table = known_series(reverse);
    bench.runs.0 = steps.iter().map(|(_, run)| StepRun { goes_on: true, ..run.clone() }).collect();
    let finish = |bench: &mut Bench, of: Option<usize>, to_ms: i64| {
        for ((bay, _), run) in steps.iter().zip(&mut bench.runs.0) {
            if of.is_none_or(|of| of == *bay) && run.goes_on && run.end_ms <= to_ms {
                run.goes_on = false;
                let bay = u32::try_from(*bay).expect("few bays");
                bench.operator.end_run(bay, run.start_ms, run.end_ms);
            }
        }
    };
    let mut closed = Vec::new();
    let mut waiting = Vec::new();
    let push = |bench: &mut Bench, waiting: &mut Vec<Reading>| {
        let pushed = bench.push(waiting);
        assert_eq!(pushed.expired, Vec::<u32>::new());
        waiting.clear();
    };
    for (reading, event) in history {
        waiting.push(reading.clone());
        match event {
            Event::Nothing => {}
            Event::Batch if !cut => {}
            Event::Save if !cut => {}
            Event::Batch => push(&mut bench, &mut waiting),
            Event::Save => {
                push(&mut bench, &mut waiting);
                bench.save_and_restore();
            }
            Event::Watermark(bay, ms) => {
                push(&mut bench, &mut waiting);
                finish(&mut bench, Some(*bay), *ms);
                bench.set_watermark(*bay, *ms);
                bench.set_site_watermark(["S0", "S1"][bay % 2], *ms);
                closed.extend(bench.close(None));
            }
            Event::Release(bay) => {
                push(&mut bench, &mut waiting);
                let mut out = Vec::new();
                bench.operator.release(u32::try_from(*bay).expect("few bays"), &mut out).expect("it shows");
                bench.said.extend(super::lines(&out));
                closed.extend(out);
            }
        }
    }
    push(&mut bench, &mut waiting);
    finish(&mut bench, None, i64::MAX);
    let (_, hash) = bench.snapshot();
    closed.extend(bench.close(Some(&Frontier::end())));
    Run { closed, said: bench.said, hash }
}

/// Rows as bytes that are equal where all values are, to the bit.
pub(super) fn encoded(batch: &RecordBatch) -> Vec<Vec<u8>> {
    let flat = |column: &ArrayRef| match column.data_type() {
        DataType::Dictionary(_, value) => cast(column, value).expect("names"),
        _ => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(flat).collect();
    let kinds = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(kinds).expect("sortable").convert_columns(&columns).expect("columns");
    let mut rows: Vec<Vec<u8>> = rows.iter().map(|row| row.data().to_vec()).collect();
    rows.sort();
    rows
}

/// The newest revision of each window and key, where it matches. Revisions count up without gaps.
pub(super) fn newest(closed: &[Closed]) -> Option<RecordBatch> {
    type Newest = (u32, bool, Option<RecordBatch>);
    let mut found: BTreeMap<(i64, Vec<String>), Newest> = BTreeMap::new();
    for one in closed {
        for row in 0..one.rows.num_rows() {
            let key: Vec<String> = one
                .keys
                .columns()
                .iter()
                .map(|column| {
                    // Null is no empty name.
                    let text = arrow::util::display::array_value_to_string(column, row).expect("a key");
                    format!("{}{text}", column.is_valid(row))
                })
                .collect();
            let place = UInt32Array::from(vec![u32::try_from(row).expect("few rows")]);
            let line = take_record_batch(&one.rows, &place).expect("a row");
            let line = (one.matches.value(row) && !one.is_withdrawn).then_some(line);
            let before = found.insert((one.starts_ms[row], key), (one.revisions[row], one.is_final, line));
            let (revision, was_final) =
                before.map_or((0, false), |(revision, was_final, _)| (revision, was_final));
            // A revision that passes HAVING no more comes twice: as it is, and as a window that is none.
            let is_said = one.is_withdrawn && one.revisions[row] == revision;
            assert_eq!(one.revisions[row], revision + u32::from(!is_said));
            assert!(one.is_final || !was_final, "what is final stays final");
        }
    }
    let lines: Vec<RecordBatch> = found
        .into_values()
        .filter_map(|(_, is_final, line)| {
            // A session that was shown early and did not pass HAVING may become part of another: nothing is taken back.
            assert!(is_final || line.is_none(), "at the end of input everything is final");
            line
        })
        .collect();
    let schema = lines.first()?.schema();
    Some(concat_batches(&schema, &lines).expect("one schema"))
}

/// Those of [`QUERIES`] whose aggregates see no order: any files and threads give the same bits.
const WITHOUT_ORDER: [usize; 5] = [0, 1, 8, 11, 13];

/// The rows from the last to the first, in parts that several threads take.
fn in_any_order(rows: &RecordBatch) -> Vec<Vec<RecordBatch>> {
    let count = u32::try_from(rows.num_rows()).expect("few rows");
    let reversed = take_record_batch(rows, &UInt32Array::from_iter_values((0..count).rev())).expect("rows");
    (0..reversed.num_rows())
        .step_by(7)
        .map(|row| vec![reversed.slice(row, 7.min(reversed.num_rows() - row))])
        .collect()
}

pub(super) fn batch_says(sql: &str, rows: &RecordBatch) -> RecordBatch {
    batch_of_parts_says(sql, vec![vec![rows.clone()]], None, 1)
}

/// The same, over rows that belong to steps.
pub(super) fn batch_with_steps_says(sql: &str, rows: &RecordBatch, steps: &RecordBatch) -> RecordBatch {
    batch_of_parts_says(sql, vec![vec![rows.clone()]], Some(steps), 1)
}

fn batch_of_parts_says(
    sql: &str,
    parts: Vec<Vec<RecordBatch>>,
    steps: Option<&RecordBatch>,
    threads: usize,
) -> RecordBatch {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads));
        register_window_functions(&mut context, &super::calendars()).expect("window functions");
        let table = MemTable::try_new(TELEMETRY.clone(), parts).expect("a table");
        context.register_table("telemetry", Arc::new(table)).expect("it is new");
        if let Some(steps) = steps {
            let table = MemTable::try_new(steps.schema(), vec![vec![steps.clone()]]).expect("a table");
            context.register_table("steps", Arc::new(table)).expect("it is new");
        }
        let frame = context.sql(sql).await.expect("a plan");
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let parts = frame.collect().await.expect("it runs");
        concat_batches(&schema, &parts).expect("one schema")
    })
}

fn stream_is_batch(sql: &str, history: &[(Reading, Event)]) {
    let run = run(sql, history, true, false);
    let readings: Vec<Reading> = history.iter().map(|(reading, _)| reading.clone()).collect();
    let rows = telemetry(&readings, 1, &mut SeriesTable::default()).batch;
    let expected = batch_says(sql, &rows);
    let found = newest(&run.closed);
    let equal = found.as_ref().map(encoded).unwrap_or_default() == encoded(&expected);
    let text = |batch: &RecordBatch| {
        pretty_format_batches(std::slice::from_ref(batch)).expect("a table").to_string()
    };
    assert!(
        equal,
        "{sql}\nstream:\n{}\nbatch:\n{}",
        found.as_ref().map(text).unwrap_or_default(),
        text(&expected)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stream_says_what_the_batch_says(history in history(), query in 0..QUERIES.len()) {
        stream_is_batch(QUERIES[query], &history);
    }

    #[test]
    fn the_order_of_rows_and_the_number_of_threads_change_nothing(
        history in history(), query in prop::sample::select(&WITHOUT_ORDER[..])
    ) {
        let readings: Vec<Reading> = history.iter().map(|(reading, _)| reading.clone()).collect();
        let rows = telemetry(&readings, 1, &mut SeriesTable::default()).batch;
        let one = batch_says(QUERIES[query], &rows);
        let many = batch_of_parts_says(QUERIES[query], in_any_order(&rows), None, 4);
        prop_assert_eq!(encoded(&one), encoded(&many));
    }

    #[test]
    fn cuts_snapshots_and_numbers_of_series_change_nothing(history in history(), query in 0..QUERIES.len()) {
        let whole = run(QUERIES[query], &history, false, false);
        let cut = run(QUERIES[query], &history, true, false);
        prop_assert_eq!(&whole.said, &cut.said);
        prop_assert_eq!(whole.hash, cut.hash);
        let reversed = run(QUERIES[query], &history, true, true);
        prop_assert_eq!(&whole.said, &reversed.said);
        prop_assert_eq!(whole.hash, reversed.hash);
    }
}

#[test]
fn a_filter_that_leaves_nothing_gives_nothing() {
    let line = Reading::parse("S/B1/T1/angle 1000 5");
    let rows = telemetry(std::slice::from_ref(&line), 1, &mut SeriesTable::default()).batch;
    assert_eq!(batch_says(QUERIES[0], &rows).num_rows(), 0);
    assert!(newest(&run(QUERIES[0], &[(line, Event::Nothing)], true, false).closed).is_none());
}

#[test]
fn a_restored_state_takes_in_watermarks_of_bays_without_rows() {
    let line = Reading::parse("S0/-/-/torque 0 - - 0");
    let history = [(line.clone(), Event::Save), (line, Event::Watermark(1, 0))];
    assert_eq!(run(QUERIES[2], &history, false, false).hash, run(QUERIES[2], &history, true, false).hash);
}

#[test]
fn a_bay_without_rows_is_the_same_state_at_the_end_whether_it_was_saved_before_or_not() {
    let sql = |keys: &str| {
        format!(
            "SELECT {keys}, count(*) AS times FROM session(telemetry, ts, INTERVAL '10 seconds', {keys}) \
             GROUP BY {keys}, window_start, window_end"
        )
    };
    for keys in ["site, bay", "site"] {
        let hash_with = |is_saved: bool, end: Option<&Frontier>| {
            let mut bench = Bench::new(&sql(keys), 900_000);
            // Its one row is on its way.
            telemetry(&[Reading::parse("R/B2/T1/torque 1000 0")], 1, &mut bench.table);
            bench.push(&[Reading::parse("S/B1/T1/torque 1000 5")]);
            bench.set_watermark(1, 500);
            bench.set_site_watermark("S", 500);
            bench.close(None);
            if is_saved {
                bench.save_and_restore();
            }
            bench.set_watermark(0, 700);
            bench.set_site_watermark("R", 700);
            bench.close(end);
            bench.snapshot().1
        };
        for end in [None, Some(&Frontier::end())] {
            assert_eq!(hash_with(true, end), hash_with(false, end), "by {keys}, {end:?}");
        }
    }
}

#[test]
fn rows_that_are_in_no_window_ask_nothing_of_datafusions_accumulators() {
    let sql = "SELECT site, window_start, window_end, count(DISTINCT tool) AS tools, count(*) AS n FROM shift(telemetry, ts) \
               GROUP BY site, window_start, window_end";
    let lines = ["S0/B1/T1/torque 1000 5", "S0/B1/T1/torque -1000 5", "S0/B1/T2/torque 2000 5"];
    let history: Vec<(Reading, Event)> =
        lines.map(|line| (Reading::parse(line), Event::Batch)).into_iter().collect();
    stream_is_batch(sql, &history);
    let said = newest(&run(sql, &history, true, false).closed).expect("a shift");
    assert_eq!(said.num_rows(), 1);
}
