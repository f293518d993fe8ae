//! Rules by the hundred.

use pipelines::config::RuleSettings;

use super::recording::METRICS;

/// The SQL of the rule with a number.
pub(crate) type Make = fn(usize) -> String;

/// So many rules, each like `template`, which is a view, but for its name and its SQL.
pub(crate) fn many(template: &RuleSettings, count: usize, sql: Make) -> Vec<RuleSettings> {
    let one = |number| RuleSettings {
        name: format!("rule_{number}"),
        is_view: false,
        silent_after: None,
        sql: sql(number),
        ..template.clone()
    };
    (0..count).map(one).collect()
}

/// A limit that nothing passes, of one metric on all bays.
pub(crate) fn limit(number: usize) -> String {
    let (metric, _) = METRICS[number % METRICS.len()];
    format!(
        "SELECT ts, site, bay, tool, metric, value FROM telemetry WHERE metric = '{metric}' AND value > {}",
        100 + number
    )
}

/// A limit that nothing passes, of one metric on one bay of a hundred.
pub(crate) fn limit_of_a_bay(number: usize) -> String {
    format!("{} AND bay = 'bay-{:03}'", limit(number), number % 100)
}

/// Ten seconds of each series, of which nothing is told.
pub(crate) fn same_window(number: usize) -> String {
    window(10, number)
}

/// The same over windows that no other rule has.
pub(crate) fn own_window(number: usize) -> String {
    window(5 + number, number)
}

fn window(seconds: usize, number: usize) -> String {
    format!(
        "SELECT site, bay, tool, metric, window_start, window_end, avg(value) AS value \
         FROM tumble(telemetry, ts, INTERVAL '{seconds} seconds') \
         GROUP BY site, bay, tool, metric, window_start, window_end HAVING avg(value) > {}",
        100 + number
    )
}
