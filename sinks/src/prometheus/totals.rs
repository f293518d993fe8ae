//! Totals since the journal began.

use crate::view::Counts;

/// A total of the conservation law: name, labels, words, and where the view has it.
pub(super) type Total =
    (&'static str, &'static [(&'static str, &'static str)], &'static str, fn(&Counts) -> u64);

/// Totals since the journal began, set from the view.
pub(super) const TOTALS: [Total; 25] = [
    ("andon_ingest_messages_total", &[], "Messages in the journal: decoded + undecodable", |c| c.messages),
    ("andon_ingest_decoded_total", &[], "Messages that were understood", |c| c.decoded),
    ("andon_ingest_undecodable_total", &[], "Messages that are in quarantine as a whole", |c| c.undecodable),
    ("andon_ingest_duplicates_total", &[], "Readings that had been seen before", |c| c.duplicates),
    ("andon_ingest_sequence_conflicts_total", &[], "Same number, other content: applied", |c| {
        c.sequence_conflicts
    }),
    ("andon_ingest_ignored_outputs_total", &[], "Own output messages that came back", |c| c.ignored_outputs),
    ("andon_ingest_shed_total", &[], "QoS 0 messages dropped before the journal, at its bound", |c| c.shed),
    ("andon_readings_total", &[], "Readings: applied + duplicates + quarantined", |c| c.readings),
    ("andon_readings_applied_total", &[], "Readings applied: on time + corrections + late", |c| c.applied),
    ("andon_readings_quarantined_total", &[], "Readings that could not be used", |c| c.quarantined),
    ("andon_rows_on_time_total", &[], "Rows ahead of their bay's watermark", |c| c.on_time),
    ("andon_rows_late_total", &[("stage", "correction")], "Rows behind their bay's watermark", |c| {
        c.corrections
    }),
    ("andon_rows_late_total", &[("stage", "late")], "Rows behind their bay's watermark", |c| c.late),
    (
        "andon_events_total",
        &[],
        "Step events, bookings, job cards: applied + duplicates + quarantined",
        |c| c.events,
    ),
    ("andon_events_applied_total", &[], "Events applied", |c| c.events_applied),
    ("andon_events_duplicates_total", &[], "Events that had been seen before", |c| c.event_duplicates),
    ("andon_events_quarantined_total", &[], "Events that could not be used", |c| c.events_quarantined),
    (
        "andon_windows_missed_total",
        &[],
        "Rows that came after a window over several bays was forgotten",
        |c| c.windows_missed,
    ),
    ("andon_usage_unassigned_total", &[], "Consumption and bookings that no step accounts for", |c| {
        c.usage_unassigned
    }),
    ("andon_balances_missed_total", &[], "Readings of meters of which no balance is kept", |c| {
        c.balances_missed
    }),
    ("andon_keys_unwatched_total", &[], "Rows of keys that rules with silent_after do not watch", |c| {
        c.keys_unwatched
    }),
    ("andon_exceptions_total", &[], "Distinct exceptions raised", |c| c.exceptions),
    ("andon_messages_replayed_total", &[], "Messages tried again from quarantine, with success", |c| {
        c.replayed
    }),
    ("andon_messages_imported_total", &[], "Messages out of recordings", |c| c.imported),
    (
        "andon_messages_set_aside_total",
        &[],
        "Messages of commands that were refused or had been applied",
        |c| c.set_aside,
    ),
];
