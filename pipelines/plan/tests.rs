use arrow::array::AsArray;
use ingest::series::SeriesTable;

use super::*;
use crate::window::tests::{Reading, telemetry};

/// The refusal of a query, as a configuration check prints it.
fn refusal(sql: &str) -> String {
    match Planner::new().plan_sql(sql) {
        Err(error) => error.to_string(),
        Ok(plan) => panic!("{sql} compiles to {plan:?}"),
    }
}

fn rows_plan(sql: &str) -> RowsPlan {
    match Planner::new().plan_sql(sql) {
        Ok(Plan::Rows(plan)) => *plan,
        other => panic!("{sql}: {other:?}"),
    }
}

fn window_plan(sql: &str) -> WindowPlan {
    match Planner::new().plan_sql(sql) {
        Ok(Plan::Window(plan)) => *plan,
        other => panic!("{sql}: {other:?}"),
    }
}

fn column_names(stream: Stream, columns: &[usize]) -> Vec<String> {
    columns.iter().map(|&column| stream.schema().field(column).name().clone()).collect()
}

fn rule(sql: &str) -> RuleSettings {
    use crate::config::{Lane, Severity};
    RuleSettings {
        file: "rules/a.toml".into(),
        name: "a".to_owned(),
        is_view: false,
        severity: Severity::Low,
        lane: Lane::Final,
        kind: None,
        key: None,
        latch: false,
        raise_after: std::time::Duration::ZERO,
        clear_after: std::time::Duration::ZERO,
        clear_when: None,
        realarm_after: std::time::Duration::ZERO,
        silent_after: None,
        silent_intervals: None,
        held_after: None,
        counts_while: crate::config::CountsWhile::Always,
        suppressed_by: Vec::new(),
        message: String::new(),
        response: String::new(),
        sql: sql.to_owned(),
        sql_line: 1,
        version: String::new(),
    }
}

#[test]
fn a_condition_is_parted_into_what_the_series_decides_and_the_rest() {
    let plan = rows_plan(
        "SELECT ts, site, bay, tool, value FROM telemetry \
         WHERE metric = 'torque' AND tool LIKE 'T%' AND value NOT BETWEEN spec_min AND spec_max",
    );
    assert_eq!(
        column_names(plan.stream(), plan.columns()),
        ["ts", "site", "bay", "tool", "value", "spec_min", "spec_max"]
    );
    let mut table = SeriesTable::default();
    let lines = ["S/B1/T1/torque 0 1", "S/B1/X1/torque 0 1", "S/B1/T1/angle 0 1", "S/-/-/torque 0 1"];
    telemetry(&lines.map(Reading::parse), 1, &mut table);
    let within = plan.scope().evaluate(&series_batch(&table, 0)).expect("it evaluates");
    assert_eq!(within.iter().map(|bit| bit == Some(true)).collect::<Vec<_>>(), [true, false, false, false]);
    assert!(Plan::Rows(Box::new(plan)).uses_step_columns());
}

#[test]
fn an_expression_over_names_that_may_fail_stays_with_the_rows() {
    let plan = rows_plan("SELECT site FROM telemetry WHERE CAST(tool AS INT) > 5 AND bay = 'B1'");
    assert_eq!(column_names(plan.stream(), plan.columns()), ["site", "tool"]);
    assert!(!plan.scope().is_everything());
}

#[test]
fn matching_rows_come_out_with_their_outputs_and_unknown_is_no_match() {
    let plan = rows_plan("SELECT bay, value * 2 AS twice FROM telemetry WHERE value > 4");
    let lines = ["S/B1/T1/torque 0 5", "S/B2/T1/torque 0 4", "S/B3/T1/torque 0 -", "S/B4/T1/torque 0 6"];
    let rows = telemetry(&lines.map(Reading::parse), 1, &mut SeriesTable::default());
    let matches = plan.evaluate(&rows.batch.project(plan.columns()).expect("columns")).expect("it evaluates");
    assert_eq!(matches.rows, vec![true, false, false, true].into());
    let twice = matches.output.column(1).as_primitive::<arrow::datatypes::Float64Type>();
    assert_eq!(twice.values(), &[10.0, 12.0]);
}

#[test]
fn a_row_that_fails_is_named_and_costs_no_other_row() {
    let plan = rows_plan("SELECT site, 10 / CAST(text AS BIGINT) AS value FROM telemetry WHERE value > 0");
    let lines = [
        "S/B1/T1/torque 0 1 - 5",
        "S/B1/T1/torque 0 1 - 0",
        "S/B1/T1/torque 0 -1 - 0",
        "S/B1/T1/torque 0 1 - x",
        "S/B1/T1/torque 0 1 - 2",
    ];
    let rows = telemetry(&lines.map(Reading::parse), 1, &mut SeriesTable::default());
    let batch = rows.batch.project(plan.columns()).expect("columns");
    assert!(plan.evaluate(&batch).is_err());
    let (matches, failed) = plan.evaluate_each(&batch).expect("columns fit");
    assert_eq!(matches.rows, vec![true, false, false, false, true].into());
    let values = matches.output.column(1).as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!(values.values(), &[2, 5]);
    let failed: Vec<String> =
        failed.into_iter().map(|failure| format!("{} {}", failure.row, failure.error)).collect();
    assert_eq!(
        failed,
        ["1 Divide by zero error", "3 Cast error: Cannot cast string 'x' to value of Int64 type",]
    );
}

#[test]
fn a_whole_number_that_does_not_fit_fails_and_does_not_start_again_from_the_other_end() {
    let plan = rows_plan("SELECT site, CAST(text AS BIGINT) * 4000000000000000000 AS value FROM telemetry");
    let lines = ["S/B1/T1/torque 0 1 - 2", "S/B1/T1/torque 0 1 - 3", "S/B1/T1/torque 0 1 - -2"];
    let rows = telemetry(&lines.map(Reading::parse), 1, &mut SeriesTable::default());
    let batch = rows.batch.project(plan.columns()).expect("columns");
    let (matches, failed) = plan.evaluate_each(&batch).expect("columns fit");
    let values = matches.output.column(1).as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!(values.values(), &[8_000_000_000_000_000_000, -8_000_000_000_000_000_000]);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].row, 1);
    assert!(failed[0].error.contains("verflow"), "{}", failed[0].error);
}

#[test]
fn a_window_needs_only_the_columns_that_no_series_knows() {
    let plan = window_plan(
        "SELECT site, bay, tool, window_start, window_end, avg(value) AS value, count(*) AS readings \
         FROM tumble(telemetry, ts, INTERVAL '1 minute') WHERE metric = 'torque' \
         GROUP BY site, bay, tool, window_start, window_end HAVING count(*) >= 20 AND avg(value) > 90",
    );
    assert_eq!(column_names(plan.stream(), plan.columns()), ["value"]);
    assert_eq!(*plan.kind(), WindowKind::Fixed(Windows::tumbling(60_000, 0)));
    let keys = plan.key_schema();
    let keys: Vec<&str> = keys.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(keys, ["site", "bay", "tool"]);
    assert!(!Plan::Window(Box::new(plan)).uses_step_columns());
}

#[test]
fn tags_steps_usage_and_inner_queries_can_be_read() {
    rows_plan("SELECT site, tags['joint'] AS joint FROM telemetry WHERE tags['grade'] = 'A'");
    rows_plan(
        "SELECT site, bay, job, elapsed_s AS value FROM steps WHERE event = 'finished' AND elapsed_s > standard_s",
    );
    rows_plan("SELECT site, quantity - planned AS value FROM usage WHERE final");
    rows_plan(
        "WITH hot AS (SELECT site, value FROM telemetry WHERE value > 5) SELECT site FROM hot WHERE value < 9",
    );
    let plan = window_plan(
        "SELECT site, bay, count(*) AS value FROM tumble(steps, ts, INTERVAL '1 hour') \
         WHERE event = 'failed' GROUP BY site, bay, window_start, window_end",
    );
    assert_eq!(column_names(plan.stream(), plan.columns()), ["site", "bay", "event"]);
    let summed = "SELECT site, sum(quantity) AS value FROM tumble(usage, ended, INTERVAL '1 day') \
                  GROUP BY site, window_start, window_end";
    assert!(refusal(summed).contains("would count each revision of a booking"), "{}", refusal(summed));
}

#[test]
fn a_view_has_a_time_and_none_of_the_columns_that_its_stream_adds() {
    let refusal = |sql: &str| {
        let view = RuleSettings { is_view: true, ..rule(sql) };
        Planner::new().plan(&view).expect_err("it is refused").to_string()
    };
    let without = refusal("SELECT site, value FROM telemetry WHERE value > 5");
    assert!(without.contains("no date without a time"), "{without}");
    let without = refusal("SELECT site, CAST(ts AS BIGINT) AS ts FROM telemetry");
    assert!(without.contains("no date without a time"), "{without}");
    let twice = refusal("SELECT * FROM usage");
    assert!(twice.contains("a column `revision` of its own"), "{twice}");
}

#[test]
fn the_same_query_has_the_same_hash_and_another_one_another() {
    let hash = |sql: &str| rows_plan(sql).hash().to_owned();
    assert_eq!(
        hash("SELECT site FROM telemetry WHERE value > 1"),
        hash("select site from telemetry where value>1")
    );
    assert_ne!(
        hash("SELECT site FROM telemetry WHERE value > 1"),
        hash("SELECT site FROM telemetry WHERE value > 2")
    );
}

/// An operator that added a rule on tags saw the windows of others begin anew.
#[test]
fn the_hash_of_a_query_on_tags_does_not_hang_on_what_was_planned_before_it() {
    let sql = |tag: &str| {
        format!(
            "SELECT site, bay, tags['{tag}'] AS tag, window_start, window_end, count(*) AS n FROM tumble(telemetry, ts, \
             INTERVAL '1 minute') GROUP BY site, bay, tags['{tag}'], window_start, window_end"
        )
    };
    let hash = |planner: &Planner, tag: &str| match planner.plan_sql(&sql(tag)) {
        Ok(Plan::Window(plan)) => plan.hash().to_owned(),
        other => panic!("{other:?}"),
    };
    let (alone, behind) = (Planner::new(), Planner::new());
    hash(&behind, "joint");
    assert_eq!(hash(&alone, "pset"), hash(&behind, "pset"));
    assert_ne!(hash(&alone, "pset"), hash(&alone, "joint"));
}

#[test]
fn mistakes_are_named_with_their_place_and_a_remedy() {
    let columns = "row_id, message, ts, arrived, site, bay, tool, boot, seq, metric, value, text, unit, tags, job, \
                   step, operation, technician, spec_min, spec_max, lateness, expected_pset, expected_resource, \
                   asset_bay, calibration_due, step_started";
    for (sql, expected) in [
        (
            "SELECT site,\n  valeu FROM telemetry",
            format!("2:3: there is no column `valeu`; did you mean `value`? columns: {columns}"),
        ),
        (
            "SELECT site FROM telemetry WHERE pressure_of_air > 1",
            format!("1:34: there is no column `pressure_of_air`; columns: {columns}"),
        ),
        (
            "SELECT site FROM telemetri",
            "1:18: there is no stream `telemetri`; did you mean `telemetry`? streams: telemetry, steps, usage, checks, gaps"
                .to_owned(),
        ),
        (
            "SELECT site FORM telemetry",
            "1:18: syntax error: expected: end of statement, found: telemetry; check the words, commas, quotes \
             and brackets before this place"
                .to_owned(),
        ),
        (
            "SELECT site\nFROM telemetry\nWHERE",
            "3:6: syntax error: expected: an expression, found: EOF; check the words, commas, quotes and brackets \
             before this place"
                .to_owned(),
        ),
        (
            "SELECT site, medium(value) FROM telemetry",
            "1:14: invalid function 'medium'; did you mean 'median'?".to_owned(),
        ),
        (
            "SELECT site, window_end, count(*) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: `window_end` is neither in GROUP BY nor in an aggregate; add window_end to GROUP BY, or write \
             max(window_end)"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(sql), expected);
    }
}

#[test]
fn what_cannot_run_on_a_stream_is_refused_with_what_to_write_instead() {
    let window =
        "read FROM tumble(telemetry, ts, INTERVAL '10 seconds') and GROUP BY window_start, window_end";
    let shape = "write one SELECT … FROM a stream WHERE …, or with a window and GROUP BY";
    for (sql, expected) in [
        (
            "SELECT site FROM telemetry ORDER BY ts",
            "1:28: a stream has no end, so it has no ORDER BY; leave it out: rows come by window and key".to_owned(),
        ),
        (
            "SELECT site FROM telemetry\nLIMIT 5",
            "2:1: a stream has no end, so it has no LIMIT; leave it out, or narrow the condition".to_owned(),
        ),
        (
            "SELECT t.site FROM telemetry t JOIN steps s ON t.bay = s.bay",
            "1:32: a JOIN; leave it out: telemetry has job, step, operation, technician, spec_min and spec_max already"
                .to_owned(),
        ),
        (
            "SELECT site FROM telemetry UNION ALL SELECT site FROM steps",
            "1:28: UNION of two queries; write two rules, or one condition with OR".to_owned(),
        ),
        (
            "SELECT DISTINCT site FROM telemetry",
            "1:8: DISTINCT over a stream remembers everything; write a window and GROUP BY the columns".to_owned(),
        ),
        (
            "SELECT site, lag(value) OVER (ORDER BY ts) FROM telemetry",
            "1:14: the window function lag OVER (…); use a window in FROM: tumble(telemetry, ts, INTERVAL '10 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site FROM telemetry WHERE bay IN (SELECT bay FROM steps)",
            "1:41: a subquery in an expression; write its result as a constant".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM telemetry GROUP BY site",
            format!("1:38: a GROUP BY without a window never ends; {window}"),
        ),
        (
            "SELECT count(*) FROM telemetry",
            format!("1:8: an aggregate without a window never ends; {window}"),
        ),
        (
            "SELECT site, count(*) FROM tumble(telemetry, ts, INTERVAL '10 seconds') GROUP BY site",
            format!("1:73: a GROUP BY without its window never ends; {window}"),
        ),
        (
            "SELECT site, window_start FROM tumble(telemetry, ts, INTERVAL '10 seconds')",
            "1:32: a window without GROUP BY; add GROUP BY … window_start, window_end, or read FROM the stream itself"
                .to_owned(),
        ),
        (
            "SELECT site FROM telemetry WHERE ts > now()",
            "1:39: now() gives another answer each time, so a replay would differ; use the row's own ts and arrived"
                .to_owned(),
        ),
        (
            "SELECT site, random() FROM telemetry",
            "1:14: random() gives another answer each time, so a replay would differ; use the row's own ts and arrived"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM session(telemetry, ts, INTERVAL '9 seconds') GROUP BY site, window_start",
            "1:28: session takes a stream, its time column, a gap and its keys; write session(telemetry, ts, INTERVAL '5 \
             minutes', site, bay, tool, metric)"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM session(telemetry, ts, INTERVAL '9 seconds', site, bay) WHERE value > 3 GROUP BY site, bay, window_start",
            "1:90: WHERE reads `value`, which is no key of the session: what it leaves out would keep it going; add \
             value to the keys of session(…) and to GROUP BY, or write FILTER (WHERE …)"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM session(telemetry, ts, INTERVAL '9 seconds', site, bay) GROUP BY site, window_start",
            "1:84: GROUP BY lacks `bay`, a key of the session; add bay to GROUP BY, or take it out of session(…)"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM session(telemetry, ts, INTERVAL '0 seconds', site) GROUP BY site, window_start",
            "1:51: the size of a window must be more than nothing; write INTERVAL '10 seconds'".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM session(telemetry, ts, INTERVAL '9 seconds', sites) GROUP BY site, window_start",
            "1:73: there is no column `sites`; did you mean `site`? columns: row_id, message, ts, arrived, site, bay, \
             tool, boot, seq, metric, value, text, unit, tags, job, step, operation, technician, spec_min, spec_max, \
             lateness, expected_pset, expected_resource, asset_bay, calibration_due, step_started"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM per_step(usage) GROUP BY site, window_start",
            "1:28: only readings belong to runs of steps; write per_step(telemetry)".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM per_step(telemetry, ts) GROUP BY site, window_start",
            "1:28: per_step takes the stream alone; write per_step(telemetry)".to_owned(),
        ),
        (
            "SELECT site, max(window_end) FROM per_step(telemetry) GROUP BY site, window_start",
            "1:35: window_start or window_end within WHERE or an aggregate, before the step has ended; use them in GROUP \
             BY, SELECT and HAVING alone"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM hop(telemetry, ts, INTERVAL '60 seconds', INTERVAL '10 seconds') GROUP BY site, window_start",
            "1:28: the slide is longer than the window, so rows would be in none; the slide comes first; write \
             hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM hop(telemetry, ts, INTERVAL '1 second', INTERVAL '1 day') GROUP BY site, window_start",
            "1:28: each row would be in more than a thousand windows; write \
             hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM hop(telemetry, ts, INTERVAL '10 seconds') GROUP BY site, window_start",
            "1:28: hop takes a stream, its time column, a slide and a size; write \
             hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM hop(telemetry, ts, 10, 60) GROUP BY site, window_start",
            "1:28: the size of a window is no interval; write \
             hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site, max(ts - window_start) FROM hop(telemetry, ts, INTERVAL '1 second', INTERVAL '9 seconds') \
             GROUP BY site, window_start",
            "1:42: window_start or window_end within WHERE or an aggregate, where a row is in several windows; use them \
             in GROUP BY, SELECT and HAVING alone"
                .to_owned(),
        ),
        (
            "SELECT site, window_start FROM hop(telemetry, ts, INTERVAL '1 second', INTERVAL '9 seconds')",
            "1:32: a window without GROUP BY; add GROUP BY … window_start, window_end, or read FROM the stream itself"
                .to_owned(),
        ),
        (
            "SELECT site FROM per_step(telemetry)",
            "1:18: a window without GROUP BY; add GROUP BY … window_start, window_end, or read FROM the stream itself"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM tumble(telemetry, ts, INTERVAL '0 seconds') GROUP BY site, window_start",
            "1:50: the size of a window must be more than nothing; write INTERVAL '10 seconds'".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM tumble(telemetry, ts, INTERVAL '-5 seconds') GROUP BY site, window_start",
            "1:50: the size of a window must be more than nothing; write INTERVAL '10 seconds'".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM tumble(telemetry, ts, INTERVAL '1 month') GROUP BY site, window_start",
            "1:50: months and years have no fixed length; write the size in days or less".to_owned(),
        ),
        (
            "SELECT site, count(*) FROM tumble(telemetry, arrived, INTERVAL '1 second') GROUP BY site, window_start",
            "1:46: windows over telemetry go by its event time `ts`, not by `arrived`; write tumble(telemetry, ts, \
             INTERVAL '10 seconds')"
                .to_owned(),
        ),
        (
            "SELECT site, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY value) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: approx_percentile_cont gives another answer when rows are cut into other batches; use \
             percentile_cont(0.95) WITHIN GROUP (ORDER BY value)"
                .to_owned(),
        ),
        (
            "SELECT site, percentile(value, 95) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: percentile takes a value and a share from 0 to 1; write percentile(value, 0.95)".to_owned(),
        ),
        (
            "SELECT site, covar_pop(value, seq) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: covar_pop gives other digits after a restart; use corr, stddev or avg".to_owned(),
        ),
        (
            "SELECT site, sum(DISTINCT value) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: sum(DISTINCT …) takes values in no order, so a replay would differ; leave DISTINCT out, or use \
             count(DISTINCT …)"
                .to_owned(),
        ),
        (
            "SELECT site, array_agg(value ORDER BY ts) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: ORDER BY within array_agg; leave it out: array_agg sees rows in the order in which they came"
                .to_owned(),
        ),
        (
            "SELECT site, approx_distinct(tool) FROM tumble(telemetry, ts, INTERVAL '1 second') GROUP BY site, window_start",
            "1:14: approx_distinct does not take this: This feature is not implemented: Support for \
             'approx_distinct' for data type Dictionary(UInt32, Utf8) is not implemented; write \
             approx_distinct(CAST(… AS VARCHAR)) or another function"
                .to_owned(),
        ),
        (
            "SELECT site, count(*) FROM telemetry GROUP BY site, date_bin(INTERVAL '1 second', ts), date_bin(INTERVAL '2 seconds', ts)",
            format!("1:53: two windows in one GROUP BY; {window}"),
        ),
        (
            "SELECT site FROM telemetry WHERE value > 1 AND 1 = 2",
            "1:28: the condition is never true; correct the condition".to_owned(),
        ),
        ("DELETE FROM telemetry", format!("1:1: this is no query; {shape}")),
        ("SELECT 1", "1:1: nothing to read from; write FROM telemetry, steps, usage, checks or gaps".to_owned()),
        (
            "SELECT site, max(n) FROM (SELECT site, count(*) AS n FROM tumble(telemetry, ts, INTERVAL '1 second') \
             GROUP BY site, window_start) GROUP BY site",
            "1:102: a GROUP BY over the result of another; make the inner one a view of its own, or write one GROUP BY"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(sql), expected, "{sql}");
    }
}

#[test]
fn a_rule_needs_the_site_and_columns_of_the_right_kind_a_view_does_not() {
    let planner = Planner::new();
    let refused = |sql: &str| planner.plan(&rule(sql)).expect_err("it is refused").to_string();
    assert_eq!(
        refused("SELECT ts, value FROM telemetry"),
        "1:1: a rule's exceptions need the column `site`; add site to SELECT (and to GROUP BY), or make it a view"
    );
    assert_eq!(
        refused("SELECT site, text AS value FROM telemetry"),
        "1:22: column `value` is to be a number, it is Utf8; give it another name with AS, or CAST it"
    );
    planner.plan(&rule("SELECT site, value FROM telemetry")).expect("a rule");
    let view = RuleSettings { is_view: true, ..rule("SELECT ts, value FROM telemetry") };
    planner.plan(&view).expect("a view");
}
