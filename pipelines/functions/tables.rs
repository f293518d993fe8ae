//! What the functions tell, as rows: streams `job_cards`, `job_steps`, `inspections`, `invoice_lines` and `queue_items`.
//!
//! A row of the first four is said anew whenever something of it changes, with the next revision: the newest counts.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use sinks::emission::Emission;

use super::Functions;
use crate::schema::{name, schema, time};

mod rows;

/// Names of the streams.
pub const STREAMS: [&str; 5] = ["job_cards", "job_steps", "inspections", "invoice_lines", "queue_items"];

/// The newest word on a job: its card, and how far it is. `reason` says what was open when it was handed over.
pub(crate) static JOB_CARDS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("site", name(), false),
        ("job", name(), false),
        ("customer", name(), true),
        ("vehicle", name(), true),
        ("promised", time(), true),
        ("state", name(), false),
        ("steps", DataType::UInt64, false),
        ("steps_closed", DataType::UInt64, false),
        ("accepted", time(), false),
        ("started", time(), true),
        ("ready", time(), true),
        ("released", time(), true),
        ("released_by", name(), true),
        ("reason", DataType::Utf8, true),
        ("revision", DataType::UInt32, false),
    ])
});

/// The newest word on a step of a job, `ordinal` in the order of the card. `worked_s` is worked time, pauses subtracted, of
/// all its runs up to `ts`. Where nobody clocks, `inferred_started` and `inferred_ended` say when it was worked on by what
/// its tools say (`inferred_from`), with a `confidence` from 0 to 1; until its clocked end.
pub(crate) static JOB_STEPS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("site", name(), false),
        ("job", name(), false),
        ("step", name(), false),
        ("ordinal", DataType::UInt64, false),
        ("operation", name(), true),
        ("skills", DataType::Utf8, true),
        ("state", name(), false),
        ("bay", name(), true),
        ("technician", name(), true),
        ("reason", DataType::Utf8, true),
        ("assigned", time(), true),
        ("started", time(), true),
        ("ended", time(), true),
        ("worked_s", DataType::Float64, false),
        ("standard_s", DataType::Float64, true),
        ("inferred_started", time(), true),
        ("inferred_ended", time(), true),
        ("confidence", DataType::Float64, true),
        ("inferred_from", name(), true),
        ("revision", DataType::UInt32, false),
    ])
});

/// The inspection record of a step. `evidence` is JSON: `checks` as in stream `checks`, and in `measured` the values, by
/// metric, joint and parameter set. `signed_by` is who said so, verified by nobody.
pub(crate) static INSPECTIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("site", name(), false),
        ("job", name(), false),
        ("step", name(), false),
        ("bay", name(), true),
        ("technician", name(), true),
        ("classes", name(), true),
        ("verdict", name(), false),
        ("reason", DataType::Utf8, true),
        ("missing", DataType::UInt64, false),
        ("evidence", DataType::Utf8, false),
        ("signed_by", name(), true),
        ("signed", time(), true),
        ("note", DataType::Utf8, true),
        ("revision", DataType::UInt32, false),
    ])
});

/// A line of a bill, `line` from 1 within its job. `amount` is `quantity` times `price`, rounded to the hundredth, in
/// `currency`. `kind` is `labour` or `resource`, or the difference to an earlier line of these: `labour_amendment`,
/// `amendment`. `state` is `posted` or `held`; `reason` says why it is held.
pub(crate) static INVOICE_LINES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("site", name(), false),
        ("job", name(), false),
        ("line", DataType::UInt64, false),
        ("kind", name(), false),
        ("step", name(), false),
        ("item", name(), false),
        ("quantity", DataType::Float64, false),
        ("unit", name(), true),
        ("price", DataType::Float64, true),
        ("amount", DataType::Float64, true),
        ("currency", name(), false),
        ("state", name(), false),
        ("reason", DataType::Utf8, true),
        ("posted_by", name(), true),
        ("note", DataType::Utf8, true),
        ("revision", DataType::UInt32, false),
    ]);
    let in_currency = |field: &Arc<Field>| match field.name().as_str() {
        "price" | "amount" => {
            let unit = [("unit_column".to_owned(), "currency".to_owned())].into();
            Arc::new(field.as_ref().clone().with_metadata(unit))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(columns.fields().iter().map(in_currency).collect::<Vec<_>>()))
});

/// Items of queues, numbered from 1 in each. `key` names an item for whoever must not do the same twice, `body` is JSON;
/// `hash` is over all that the item says and over the hash of the one before it, `previous`.
pub(crate) static QUEUE_ITEMS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("ts", time(), false),
        ("queue", name(), false),
        ("number", DataType::UInt64, false),
        ("site", name(), true),
        ("job", name(), true),
        ("kind", name(), false),
        ("key", DataType::Utf8, false),
        ("body", DataType::Utf8, false),
        ("previous", DataType::Utf8, false),
        ("hash", DataType::Utf8, false),
    ])
});

/// Schemas by stream, in the order of [`STREAMS`].
pub fn schemas() -> [(&'static str, &'static SchemaRef); 5] {
    let all: [&'static SchemaRef; 5] = [&JOB_CARDS, &JOB_STEPS, &INSPECTIONS, &INVOICE_LINES, &QUEUE_ITEMS];
    std::array::from_fn(|place| (STREAMS[place], all[place]))
}

impl Functions {
    /// Puts out what is new.
    pub(crate) fn tell(&mut self, out: &mut Vec<Emission>) -> Result<(), ArrowError> {
        if self.told.is_empty() {
            return Ok(());
        }
        self.changes += 1;
        let told = std::mem::take(&mut self.told);
        let batches = [
            rows::job_cards(&told.jobs)?,
            rows::job_steps(&told.steps)?,
            rows::inspections(&told.inspections)?,
            rows::invoice_lines(&told.lines)?,
            rows::queue_items(&told.items)?,
        ];
        for (stream, rows) in STREAMS.into_iter().zip(batches) {
            if rows.num_rows() > 0 {
                out.push(Emission { stream: stream.into(), rows });
            }
        }
        Ok(())
    }
}
