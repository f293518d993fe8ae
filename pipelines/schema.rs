//! The streams' columns as the contract names them: what rules can read and what exports hold.
//!
//! Names repeat from row to row, so they travel as dictionaries; `row_id` and free text do not. Times are
//! `Timestamp(Millisecond, "UTC")`. A number's unit stands in its field's metadata: `unit` where all rows have
//! the same, `unit_column` where each row says its own.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

mod balances;
mod ledger;

pub use self::balances::BALANCES;
pub use self::ledger::LEDGER;

/// `Timestamp(Millisecond, "UTC")`.
#[must_use]
pub fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Text that repeats: `Dictionary(UInt32, Utf8)`.
#[must_use]
pub fn name() -> DataType {
    DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
}

/// A flat object of strings: `Map(Utf8, Utf8)`.
#[must_use]
pub fn tags() -> DataType {
    let entry = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

pub(crate) fn schema(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let has_unit = columns.iter().any(|(name, ..)| *name == "unit");
    let field = |(name, kind, nullable): &(&str, DataType, bool)| {
        let field = Field::new(*name, kind.clone(), *nullable);
        let said = match kind {
            DataType::Float64 if name.ends_with("_s") => ("unit", "s"),
            DataType::Float64 if has_unit => ("unit_column", "unit"),
            _ => return field,
        };
        field.with_metadata([(said.0.to_owned(), said.1.to_owned())].into())
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Every applied reading, with the step that was active on its bay, and since when (`step_started`; a step that ends late was
/// active for the readings that were told before). Four columns are null where all is well: `expected_pset` and `expected_resource` are what that step's card asks for where the reading's own is
/// another, joined by " or "; `asset_bay` is the bay that the tool's asset names where it reports from another, and
/// `calibration_due` that of the asset, once it has passed.
pub static TELEMETRY: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("message", DataType::UInt64, false),
        ("ts", time(), false),
        ("arrived", time(), false),
        ("site", name(), false),
        ("bay", name(), true),
        ("tool", name(), true),
        ("boot", DataType::Int64, true),
        ("seq", DataType::Int64, true),
        ("metric", name(), false),
        ("value", DataType::Float64, true),
        ("text", DataType::Utf8, true),
        ("unit", name(), true),
        ("tags", tags(), true),
        ("job", name(), true),
        ("step", name(), true),
        ("operation", name(), true),
        ("technician", name(), true),
        ("spec_min", DataType::Float64, true),
        ("spec_max", DataType::Float64, true),
        ("lateness", name(), false),
        ("expected_pset", name(), true),
        ("expected_resource", name(), true),
        ("asset_bay", name(), true),
        ("calibration_due", time(), true),
        ("step_started", time(), true),
    ])
});

/// The columns of [`TELEMETRY`] that a series decides by itself.
pub const SERIES_COLUMNS: [&str; 4] = ["site", "bay", "tool", "metric"];

/// The columns of [`TELEMETRY`] that the step join adds.
pub const STEP_COLUMNS: [&str; 11] = [
    "job",
    "step",
    "operation",
    "technician",
    "spec_min",
    "spec_max",
    "expected_pset",
    "expected_resource",
    "asset_bay",
    "calibration_due",
    "step_started",
];

/// Columns that exports of earlier versions do not have: null there.
pub const LATER_COLUMNS: [&str; 10] = [
    "expected_pset",
    "expected_resource",
    "asset_bay",
    "calibration_due",
    "step_started",
    "after_open",
    "qa_signed",
    "promised",
    "remaining_s",
    "slack_s",
];

/// Every step event, in event time, once the watermark has passed it; and what nobody sends: `overran` where work on a step
/// that goes on passes its standard time and each tenth of it more, up to three times it; `planned` where the card of a job is
/// new or says something else; `slipped` where nobody works on a job and what is left of it does not fit any more before its
/// promise; `doubled` where a job has been worked on at two bays for over a minute. `planned` and `slipped` have an empty `bay`
/// where no step of the job is open. `elapsed_s` is worked time (pauses subtracted) at `finished`, `failed` and `overran`;
/// `overlaps` names the step still open on the bay at `started`, and the other bay at `doubled`, `after_open` those that the
/// card lists before it and that are not finished. `qa_signed` says at `released` whether QA has signed for the job since it
/// was last reworked. `remaining_s` is standard time of the job that is left, `slack_s` the time that the shop works until it
/// is `promised`, less that; null when nothing is left.
pub static STEPS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("message", DataType::UInt64, false),
        ("ts", time(), false),
        ("arrived", time(), false),
        ("site", name(), false),
        ("bay", name(), false),
        ("job", name(), false),
        ("step", name(), false),
        ("operation", name(), true),
        ("technician", name(), true),
        ("event", name(), false),
        ("seq", DataType::Int64, true),
        ("elapsed_s", DataType::Float64, true),
        ("standard_s", DataType::Float64, true),
        ("overlaps", DataType::Utf8, true),
        ("after_open", DataType::Utf8, true),
        ("qa_signed", DataType::Boolean, true),
        ("promised", time(), true),
        ("remaining_s", DataType::Float64, true),
        ("slack_s", DataType::Float64, true),
    ])
});

/// What a finished step used of a resource. `planned` is the job card's quantity.
pub static USAGE: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("site", name(), false),
        ("bay", name(), false),
        ("job", name(), false),
        ("step", name(), false),
        ("resource", name(), false),
        ("quantity", DataType::Float64, false),
        ("unit", name(), true),
        ("planned", DataType::Float64, true),
        ("readings", DataType::UInt64, false),
        ("started", time(), false),
        ("ended", time(), false),
        ("revision", DataType::UInt32, false),
        ("final", DataType::Boolean, false),
    ])
});

/// What a finished step measured of what its job card expects: a row per expected item. `counted` readings of the metric
/// (and of `joint` and `pset` where the card names them) were joined to the step, `within` of them lie inside `spec_min`
/// and `spec_max`. `missing` good ones lack of the `expected`, `surplus` ones go beyond it. `expected`, and with it these
/// two, is null where the card names no count; all counts are where the card came when readings had passed uncounted.
pub static CHECKS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("site", name(), false),
        ("bay", name(), false),
        ("job", name(), false),
        ("step", name(), false),
        ("operation", name(), true),
        ("technician", name(), true),
        ("metric", name(), false),
        ("joint", name(), true),
        ("pset", name(), true),
        ("class", name(), true),
        ("expected", DataType::UInt64, true),
        ("counted", DataType::UInt64, true),
        ("within", DataType::UInt64, true),
        ("missing", DataType::UInt64, true),
        ("surplus", DataType::UInt64, true),
        ("spec_min", DataType::Float64, true),
        ("spec_max", DataType::Float64, true),
        ("unit", name(), true),
        ("started", time(), false),
        ("ended", time(), false),
        ("revision", DataType::UInt32, false),
        ("final", DataType::Boolean, false),
    ])
});

/// Sequence numbers that were passed over and have not come for `gap_after`: a row for each stretch from `first` to `last` of a
/// topic (and boot of its device), which was passed over at `since` and told first at `ts`. `missing` of its numbers have not
/// come. A row more, with the next revision, when numbers of it come after all; final when none is missing.
pub static GAPS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("since", time(), false),
        ("site", name(), true),
        ("bay", name(), true),
        ("tool", name(), true),
        ("topic", name(), false),
        ("boot", DataType::Int64, true),
        ("first", DataType::Int64, false),
        ("last", DataType::Int64, false),
        ("missing", DataType::UInt64, false),
        ("revision", DataType::UInt32, false),
        ("final", DataType::Boolean, false),
    ])
});

/// Every change of an exception: raised, cleared, latched, held back by its cause (`suppressed`); acknowledged or shelved by an
/// actor. `operator_state` is null until somebody has done something.
pub static EXCEPTIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("id", DataType::Utf8, false),
        ("rule", name(), false),
        ("rule_version", name(), false),
        ("severity", name(), false),
        ("site", name(), false),
        ("bay", name(), true),
        ("tool", name(), true),
        ("job", name(), true),
        ("step", name(), true),
        ("raised", time(), false),
        ("cleared", time(), true),
        ("state", name(), false),
        ("value", DataType::Float64, true),
        ("limit_min", DataType::Float64, true),
        ("limit_max", DataType::Float64, true),
        ("message", DataType::Utf8, false),
        ("evidence", DataType::Utf8, false),
        ("operator_state", name(), true),
        ("operator_since", time(), true),
        ("actor", name(), true),
        ("operator_reason", DataType::Utf8, true),
        ("shelved_until", time(), true),
    ])
});

/// The columns of [`EXCEPTIONS`] that say what people have done; files of earlier versions lack them.
pub const OPERATOR_COLUMNS: [&str; 5] =
    ["operator_state", "operator_since", "actor", "operator_reason", "shelved_until"];

/// What people asked for, each as often as it was asked: who, when, about what, and what came of it. `outcome` is `applied`, `refused`
/// or `repeated`; `target` the id of an exception, a row id in [`QUARANTINE`], or a recording. `message` is the ordinal of
/// the first message that the command brought, `messages` how many of them are applied.
pub static COMMANDS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("kind", name(), false),
        ("actor", name(), false),
        ("actor_verified", DataType::Boolean, false),
        ("key", DataType::Utf8, false),
        ("target", DataType::Utf8, false),
        ("reason", DataType::Utf8, true),
        ("outcome", name(), false),
        ("detail", DataType::Utf8, false),
        ("message", DataType::UInt64, true),
        ("messages", DataType::UInt64, false),
        ("site", name(), true),
    ])
});

/// What could not be used. `metric` names the one reading of the payload that was refused, where the others were not.
pub static QUARANTINE: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("message", DataType::UInt64, false),
        ("topic", DataType::Utf8, false),
        ("payload", DataType::Binary, false),
        ("reason", name(), false),
        ("detail", DataType::Utf8, false),
        ("arrived", time(), false),
        ("site", name(), true),
        ("metric", DataType::Utf8, true),
    ])
});

#[cfg(test)]
mod tests;
