//! Rows as scenarios tell them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use sinks::emission::Emission;
use sinks::view::Counts;

use super::parse::DAY_MS;

/// Columns that say nothing here: hashes, ordinals, what is the same in every row.
const UNTOLD: [&str; 13] = [
    "row_id",
    "id",
    "arrived",
    "site",
    "rule_version",
    "severity",
    "boot",
    "unit",
    "operation",
    "planned",
    "readings",
    "previous",
    "hash",
];
/// Longer payloads are not told.
const PAYLOAD_LETTERS_MAX: usize = 24;

/// A row as a line `out STREAM COLUMN=VALUE…`.
pub(super) fn line(emission: &Emission, row: usize) -> Result<String, ArrowError> {
    let mut line = format!("out {}", emission.stream);
    let rows: &RecordBatch = &emission.rows;
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let name = field.name().as_str();
        let is_ordinal = name == "message" && field.data_type() == &DataType::UInt64;
        if UNTOLD.contains(&name) || is_ordinal || column.is_null(row) {
            continue;
        }
        let value = value(name, column, row)?;
        if !value.is_empty() {
            let _ = write!(line, " {name}={value}");
        }
    }
    Ok(line)
}

fn value(name: &str, column: &Arc<dyn Array>, row: usize) -> Result<String, ArrowError> {
    Ok(match column.data_type() {
        // `date_bin` gives nanoseconds.
        DataType::Timestamp(..) => {
            let milliseconds = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
            time(milliseconds.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Binary => {
            let text = String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned();
            if text.chars().count() > PAYLOAD_LETTERS_MAX { String::new() } else { format!("`{text}`") }
        }
        _ => {
            let text = array_value_to_string(column, row)?;
            match name {
                "evidence" => of_evidence(&text),
                _ if text.contains(' ') => format!("\"{text}\""),
                _ => text,
            }
        }
    })
}

/// Of the evidence only what the two looks of a fast rule say.
fn of_evidence(text: &str) -> String {
    let evidence = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    match (evidence.get("reason").and_then(|reason| reason.as_str()), evidence.get("late_join")) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(_)) => "late_join".to_owned(),
        (None, None) => String::new(),
    }
}

fn time(ms: i64) -> String {
    let (day, ms) = ((ms - DAY_MS).div_euclid(86_400_000), (ms - DAY_MS).rem_euclid(86_400_000));
    let mut text = if day == 0 { String::new() } else { format!("{day:+}d/") };
    let seconds = ms / 1000;
    let _ = write!(text, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if ms % 1000 > 0 {
        let _ = write!(text, ".{:03}", ms % 1000);
    }
    text
}

/// What was counted, as a line: all that is not zero.
#[must_use]
pub(super) fn counts_line(counts: &Counts) -> String {
    let counts = serde_json::to_value(counts).unwrap_or_default();
    let told = counts.as_object().into_iter().flatten().filter(|(_, count)| **count != 0);
    told.fold("out counts".to_owned(), |mut line, (name, count)| {
        let _ = write!(line, " {name}={count}");
        line
    })
}
