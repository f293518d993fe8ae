use super::*;
use crate::view::{Latency, Mirror, StateDifference, Status};

fn busy_view() -> View {
    let counts =
        Counts { messages: 105, decoded: 100, undecodable: 5, corrections: 3, late: 2, ..Counts::default() };
    let status = Status {
        counts,
        watermark_lag_ms: Some(1500),
        latency_ms: Latency { p50: 4.0, p99: 12.0, max: 40.0 },
        exceptions_open: 5,
        exceptions_suppressed: 7,
        mirror: Some(Mirror { state_difference: Some(StateDifference::default()), ..Mirror::default() }),
        ..Status::default()
    };
    let exception = |severity: &str, state: &str| ExceptionView {
        severity: severity.to_owned(),
        state: state.to_owned(),
        ..ExceptionView::default()
    };
    let exceptions = vec![
        exception("critical", "active"),
        exception("critical", "latched"),
        exception("critical", "cleared"),
        exception("high", "suppressed"),
        exception("low", "active"),
    ];
    View { status, exceptions, ..View::default() }
}

/// Lines of `text` that are samples: name with labels, value.
fn samples(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("`{line}` is no sample"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("`{line}` has no number")))
        })
        .collect()
}

#[track_caller]
fn assert_sample(text: &str, name: &str, expected: f64) {
    let found = samples(text).into_iter().find(|(found, _)| found == name);
    assert_eq!(found.map(|(_, value)| value), Some(expected), "{name} in\n{text}");
}

#[test]
fn one_answer_tells_the_sums_of_one_moment() {
    let text = Prometheus::new("1.2.3").render(&busy_view());
    assert_sample(&text, "andon_build_info{version=\"1.2.3\"}", 1.0);
    assert_sample(&text, "andon_ready", 1.0);
    assert_sample(&text, "andon_ingest_messages_total", 105.0);
    assert_sample(&text, "andon_ingest_decoded_total", 100.0);
    assert_sample(&text, "andon_ingest_undecodable_total", 5.0);
    assert_sample(&text, "andon_rows_late_total{stage=\"correction\"}", 3.0);
    assert_sample(&text, "andon_rows_late_total{stage=\"late\"}", 2.0);
    assert_sample(&text, "andon_watermark_lag_seconds", 1.5);
    assert_sample(&text, "andon_apply_latency_seconds{quantile=\"0.99\"}", 0.012);
}

#[test]
fn open_exceptions_add_up_to_the_services_own_count() {
    let text = Prometheus::new("1.2.3").render(&busy_view());
    assert_sample(&text, "andon_exceptions_open{severity=\"critical\",state=\"active\"}", 1.0);
    assert_sample(&text, "andon_exceptions_open{severity=\"critical\",state=\"latched\"}", 1.0);
    assert_sample(&text, "andon_exceptions_open{severity=\"high\",state=\"active\"}", 0.0);
    assert_sample(&text, "andon_exceptions_suppressed", 7.0);
    assert_sample(&text, "andon_exceptions_open{severity=\"beyond_list\",state=\"active\"}", 2.0);
    let sum: f64 = samples(&text)
        .iter()
        .filter(|(name, _)| name.starts_with("andon_exceptions_open{"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(sum, 5.0);
}

#[test]
fn every_total_follows_the_next_view() {
    let prometheus = Prometheus::new("1.2.3");
    let mut view = busy_view();
    let _ = prometheus.render(&view);
    view.status.counts.messages = 200;
    view.exceptions.clear();
    view.status.exceptions_open = 0;
    let text = prometheus.render(&view);
    assert_sample(&text, "andon_ingest_messages_total", 200.0);
    assert_sample(&text, "andon_exceptions_open{severity=\"critical\",state=\"active\"}", 0.0);
}

#[test]
fn names_have_the_prefix_a_description_and_no_labels_without_bound() {
    let prometheus = Prometheus::new("1.2.3");
    metrics::with_local_recorder(&*prometheus.recorder, || {
        for (name, kind, _) in RECORDED {
            match kind {
                Kind::Counter => metrics::counter!(name).increment(1),
                Kind::Gauge => metrics::gauge!(name).set(1.0),
                Kind::Histogram => metrics::histogram!(name).record(0.1),
            }
        }
    });
    prometheus.set_live_clients(0);
    let text = prometheus.render(&busy_view());
    for (sample, _) in samples(&text) {
        let name = sample.split('{').next().unwrap_or_default();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(name.starts_with("andon_"), "{sample}");
        assert!(text.contains(&format!("# HELP {family} ")), "{sample} is not described");
        for label in ["device", "tool", "job", "vin", "bay", "technician"] {
            assert!(!sample.contains(&format!("{label}=")), "{sample} has a label without bound");
        }
    }
    for (name, ..) in TOTALS {
        assert!(name.ends_with("_total"), "{name}");
        assert!(text.contains(&format!("# TYPE {name} counter")), "{name}");
    }
    for (name, _) in GAUGES {
        assert!(text.contains(&format!("# TYPE {name} gauge")), "{name}");
    }
}

#[test]
fn histograms_have_buckets_that_add_up_over_processes() {
    let prometheus = Prometheus::new("1.2.3");
    metrics::with_local_recorder(&*prometheus.recorder, || {
        metrics::histogram!("andon_ingest_ack_delay_seconds").record(0.003);
    });
    prometheus.upkeep();
    let text = prometheus.render(&View::default());
    assert_sample(&text, "andon_ingest_ack_delay_seconds_bucket{le=\"0.0025\"}", 0.0);
    assert_sample(&text, "andon_ingest_ack_delay_seconds_bucket{le=\"0.005\"}", 1.0);
}

#[test]
fn without_a_bay_there_is_no_lag_rather_than_a_lag_of_nothing() {
    let text = Prometheus::new("1.2.3").render(&View::default());
    assert!(text.contains("andon_watermark_lag_seconds NaN"), "{text}");
}
