//! `/metrics`: what is exported, under which names, and in which words.
//!
//! What a [`View`] says (the conservation law, watermark lag, open exceptions, latency) is set from the
//! newest view when somebody asks, so that one answer is one moment and its sums add up. Those names belong
//! to this file: nothing else may count them. All other names of [`RECORDED`] are recorded where things
//! happen. Labels never name a device, a job or a vehicle: their number is not bounded.

mod totals;

use std::sync::Arc;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use self::totals::TOTALS;
use crate::board::SEVERITIES;
use crate::view::{Counts, ExceptionView, Mirror, StateDifference, View};

/// Streams of `/api/v1/live` that were turned away because all seats were taken.
pub const LIVE_REFUSED: &str = "andon_board_live_refused_total";
/// Pictures that a client of `/api/v1/live` did not get because it reads slowly, or they came too fast.
pub const LIVE_SKIPPED: &str = "andon_board_pictures_skipped_total";

/// Gauges set from the view.
const GAUGES: [(&str, &str); 21] = [
    (BUILD_INFO, "1, with the version as a label"),
    (READY, "1 when restored and subscribed, else 0"),
    (WATERMARK_LAG, "Newest arrival minus the least watermark of the bays that are heard"),
    (MESSAGE_RATE, "Messages a second, over the last seconds"),
    (APPLY_LATENCY, "From arrival to durable and applied, over the last minute, at the quantile"),
    (OPEN, "Exceptions that are open, by severity and state"),
    (SUPPRESSED, "Exceptions that another one, their cause, holds back"),
    (SEQUENCE_MISSING, "Sequence numbers that have not come, though higher ones of their boot have"),
    (SEQUENCE_GAPS, "Stretches of these"),
    (SEQUENCE_GAP_CHANNELS, "Channels that have such a stretch"),
    (JOURNAL_OFFSET, "Offset of the newest entry in the journal"),
    (EPOCH, "Number of the newest checkpoint"),
    (LIVE_CLIENTS, "Open streams of /api/v1/live"),
    (LEADING, "1 when this process takes messages in, 0 while it follows another region"),
    (MIRROR_REACHABLE, "1 when the mirror answers, else 0"),
    (MIRROR_LAG_ENTRIES, "Durable entries that the mirror does not have"),
    (MIRROR_LAG_MESSAGES, "Messages in these: what would be lost with this machine"),
    (MIRROR_LAG_BYTES, "Bytes of these"),
    (MIRROR_LAG_SECONDS, "Age of the oldest of these"),
    (STATE_DIFFERENCES, "How often this standby's state was not the leader's"),
    (STATE_DIFFERENCE, "1 for the first time it was not, with offset and both hashes"),
];
const BUILD_INFO: &str = "andon_build_info";
const READY: &str = "andon_ready";
const WATERMARK_LAG: &str = "andon_watermark_lag_seconds";
const MESSAGE_RATE: &str = "andon_ingest_messages_per_second";
const APPLY_LATENCY: &str = "andon_apply_latency_seconds";
const OPEN: &str = "andon_exceptions_open";
const SUPPRESSED: &str = "andon_exceptions_suppressed";
const SEQUENCE_MISSING: &str = "andon_ingest_sequence_missing";
const SEQUENCE_FORGOTTEN: &str = "andon_ingest_sequence_forgotten_total";
const SEQUENCE_GAPS: &str = "andon_ingest_sequence_gaps";
const SEQUENCE_GAP_CHANNELS: &str = "andon_ingest_sequence_gap_channels";
const JOURNAL_OFFSET: &str = "andon_journal_offset";
const EPOCH: &str = "andon_epoch";
const LIVE_CLIENTS: &str = "andon_board_live_clients";
const LEADING: &str = "andon_leading";
const MIRROR_REACHABLE: &str = "andon_mirror_reachable";
const MIRROR_LAG_ENTRIES: &str = "andon_mirror_lag_entries";
const MIRROR_LAG_MESSAGES: &str = "andon_mirror_lag_messages";
const MIRROR_LAG_BYTES: &str = "andon_mirror_lag_bytes";
const MIRROR_LAG_SECONDS: &str = "andon_mirror_lag_seconds";
const STATE_DIFFERENCES: &str = "andon_standby_state_differences";
const STATE_DIFFERENCE: &str = "andon_standby_state_difference";

/// Recorded where things happen; described here so that the words stand in one place.
const RECORDED: [(&str, Kind, &str); 27] = [
    (LIVE_REFUSED, Kind::Counter, "Live streams turned away because all seats were taken"),
    (LIVE_SKIPPED, Kind::Counter, "Pictures that live streams skipped"),
    (
        "andon_ingest_received_messages_total",
        Kind::Counter,
        "Messages taken in by this process, by client id",
    ),
    ("andon_ingest_bytes_total", Kind::Counter, "Bytes of payloads and topics taken in"),
    ("andon_ingest_commits_total", Kind::Counter, "Batches made durable in the journal"),
    ("andon_ingest_acknowledged_messages_total", Kind::Counter, "Messages acknowledged to the broker"),
    (
        "andon_ingest_acknowledgements_dropped_total",
        Kind::Counter,
        "Acknowledgements not sent, because their connection was gone: those messages come again",
    ),
    (
        "andon_ingest_truncated_messages_total",
        Kind::Counter,
        "Messages too long to be kept whole: in quarantine",
    ),
    (
        "andon_ingest_redelivered_messages_total",
        Kind::Counter,
        "Messages that the broker marked as sent before",
    ),
    ("andon_ingest_reconnects_total", Kind::Counter, "Connections to the broker that were lost"),
    ("andon_ingest_unacked_messages", Kind::Gauge, "Messages taken in and not yet acknowledged"),
    ("andon_ingest_ack_delay_seconds", Kind::Histogram, "From arrival to acknowledgement"),
    ("andon_journal_torn_bytes_total", Kind::Counter, "Bytes cut off behind the journal's last whole entry"),
    ("andon_journal_removed_bytes_total", Kind::Counter, "Bytes of old segments that nobody needed, removed"),
    ("andon_checkpoint_removed_bytes_total", Kind::Counter, "Bytes of old checkpoints, removed"),
    ("andon_export_removed_bytes_total", Kind::Counter, "Bytes of old days, removed at the bound of what"),
    (
        "andon_export_bytes",
        Kind::Gauge,
        "Bytes of exports and of quarantine, when last looked at; 0 without a bound",
    ),
    (
        "andon_mirror_fork_entries_total",
        Kind::Counter,
        "Entries set aside, because another region led when they were written",
    ),
    ("andon_mirror_rejoined_messages_total", Kind::Counter, "Messages taken in out of forks"),
    ("andon_sink_rows_total", Kind::Counter, "Rows handed to a sink"),
    ("andon_sink_pending_rows", Kind::Gauge, "Rows waiting for a sink"),
    ("andon_sink_errors_total", Kind::Counter, "Calls to a sink that failed"),
    ("andon_published_states_total", Kind::Counter, "Retained states that the broker has acknowledged"),
    (
        "andon_publish_replaced_states_total",
        Kind::Counter,
        "Retained states that never went out, for a newer one of their topic came before",
    ),
    (
        "andon_publish_unpublishable_states",
        Kind::Gauge,
        "Bays and technicians whose names are no level of a topic",
    ),
    ("andon_publish_connected", Kind::Gauge, "1 while there is a connection to publish over"),
    (
        "andon_deliveries_total",
        Kind::Counter,
        "Items that couriers (webhooks, mails) have taken outside, by what came of it",
    ),
];

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Upper bounds of histograms whose name ends in `_seconds`: 0.5 ms to 5 min.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// Collects and renders. One a process; see [`Prometheus::install`].
pub struct Prometheus {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prometheus")
    }
}

/// Why metrics cannot be collected.
#[derive(Debug, thiserror::Error)]
#[error("cannot collect metrics: this process has a collector already; install one at the start, once")]
pub struct AlreadyInstalled;

impl Prometheus {
    /// A collector that knows all names; `version` goes into `andon_build_info`.
    #[must_use]
    pub fn new(version: &str) -> Arc<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .expect("the bounds are not empty")
            .build_recorder();
        let recorder = Arc::new(recorder);
        let handle = recorder.handle();
        metrics::with_local_recorder(&*recorder, || describe(version));
        Arc::new(Prometheus { recorder, handle })
    }

    /// From now on `metrics::counter!` and the like, anywhere in the process, count here.
    ///
    /// # Errors
    ///
    /// Another collector is installed.
    pub fn install(&self) -> Result<(), AlreadyInstalled> {
        metrics::set_global_recorder(self.recorder.clone()).map_err(|_| AlreadyInstalled)
    }

    /// The text of `/metrics`, with what `view` says.
    #[must_use]
    pub fn render(&self, view: &View) -> String {
        metrics::with_local_recorder(&*self.recorder, || {
            set_totals(&view.status.counts);
            metrics::counter!(SEQUENCE_FORGOTTEN).absolute(view.status.missing.forgotten);
            set_gauges(view);
            set_open(view);
        });
        self.handle.render()
    }

    /// Empties histograms' buffers into their buckets: call every few seconds, or they grow.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Counts something that happened at the board.
    pub(crate) fn count(&self, name: &'static str, count: u64) {
        metrics::with_local_recorder(&*self.recorder, || metrics::counter!(name).increment(count));
    }

    /// Tells how many streams are open.
    pub(crate) fn set_live_clients(&self, clients: usize) {
        metrics::with_local_recorder(&*self.recorder, || metrics::gauge!(LIVE_CLIENTS).set(clients as f64));
    }
}

fn describe(version: &str) {
    for (name, _, words, _) in TOTALS {
        metrics::describe_counter!(name, words);
    }
    metrics::describe_counter!(
        SEQUENCE_FORGOTTEN,
        "Missing sequence numbers that are told no more, at the bound"
    );
    for (name, words) in GAUGES {
        metrics::describe_gauge!(name, words);
    }
    for (name, kind, words) in RECORDED {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, words),
            Kind::Gauge => metrics::describe_gauge!(name, words),
            Kind::Histogram => metrics::describe_histogram!(name, words),
        }
    }
    metrics::gauge!(BUILD_INFO, "version" => version.to_owned()).set(1.0);
    // A counter that is there from the start shows its first rise.
    metrics::counter!(LIVE_REFUSED).increment(0);
    metrics::counter!(LIVE_SKIPPED).increment(0);
}

fn set_totals(counts: &Counts) {
    for (name, labels, _, count) in TOTALS {
        metrics::counter!(name, labels).absolute(count(counts));
    }
}

fn set_gauges(view: &View) {
    let status = &view.status;
    let seconds = |ms: f64| ms / 1000.0;
    metrics::gauge!(READY).set(if status.not_ready.is_empty() { 1.0 } else { 0.0 });
    metrics::gauge!(WATERMARK_LAG).set(status.watermark_lag_ms.map_or(f64::NAN, |ms| seconds(ms as f64)));
    metrics::gauge!(MESSAGE_RATE).set(status.messages_per_second);
    metrics::gauge!(APPLY_LATENCY, "quantile" => "0.5").set(seconds(status.latency_ms.p50));
    metrics::gauge!(APPLY_LATENCY, "quantile" => "0.99").set(seconds(status.latency_ms.p99));
    metrics::gauge!(APPLY_LATENCY, "quantile" => "1").set(seconds(status.latency_ms.max));
    metrics::gauge!(SUPPRESSED).set(status.exceptions_suppressed as f64);
    metrics::gauge!(SEQUENCE_MISSING).set(status.missing.missing as f64);
    metrics::gauge!(SEQUENCE_GAPS).set(status.missing.ranges as f64);
    metrics::gauge!(SEQUENCE_GAP_CHANNELS).set(status.missing.channels as f64);
    metrics::gauge!(JOURNAL_OFFSET).set(status.journal_offset as f64);
    metrics::gauge!(EPOCH).set(status.epoch as f64);
    metrics::gauge!(LEADING).set(if status.role == "standby" { 0.0 } else { 1.0 });
    if let Some(mirror) = &status.mirror {
        set_mirror(mirror);
    }
}

fn set_mirror(mirror: &Mirror) {
    metrics::gauge!(MIRROR_REACHABLE).set(if mirror.reachable { 1.0 } else { 0.0 });
    metrics::gauge!(MIRROR_LAG_ENTRIES).set(mirror.lag_entries as f64);
    metrics::gauge!(MIRROR_LAG_MESSAGES).set(mirror.lag_messages as f64);
    metrics::gauge!(MIRROR_LAG_BYTES).set(mirror.lag_bytes as f64);
    metrics::gauge!(MIRROR_LAG_SECONDS).set(mirror.lag_seconds);
    metrics::gauge!(STATE_DIFFERENCES).set(mirror.state_differences as f64);
    // The first one alone, so that there is one series.
    if let Some(StateDifference { offset, ours, theirs }) = &mirror.state_difference {
        let labels = [("offset", offset.to_string()), ("ours", ours.clone()), ("theirs", theirs.clone())];
        metrics::gauge!(STATE_DIFFERENCE, &labels).set(1.0);
    }
}

/// The view lists 200 exceptions at most; open ones beyond it are told as severity `beyond_list`, so that
/// the sum is right.
fn set_open(view: &View) {
    let mut listed = 0;
    for severity in SEVERITIES {
        for state in ["active", "latched"] {
            let is_it =
                |exception: &&ExceptionView| exception.severity == severity && exception.state == state;
            let open = view.exceptions.iter().filter(is_it).count();
            listed += open as u64;
            metrics::gauge!(OPEN, "severity" => severity, "state" => state).set(open as f64);
        }
    }
    let beyond = view.status.exceptions_open.saturating_sub(listed);
    metrics::gauge!(OPEN, "severity" => "beyond_list", "state" => "active").set(beyond as f64);
}

#[cfg(test)]
mod tests;
