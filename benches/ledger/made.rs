//! Rows as a shop of forty bays would have them, made by their number.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use sinks::emission::Emission;

pub(crate) const START_MS: i64 = 1_750_000_000_000;
pub(crate) const ROW_MS: i64 = 47_000;
pub(crate) const BATCH_ROWS: u64 = 8_192;
/// Columns that may be null and are told all the same.
const TOLD: [&str; 6] = ["job", "step", "unit", "lot", "cleared", "amount"];

/// Name of a row's job: twenty rows each.
pub(crate) fn job(row: u64) -> String {
    format!("J{:06}", row / 20)
}

/// One of forty: each job has four of its own.
fn resource(row: u64) -> String {
    format!("R{:02}", row % 4 + row / 20 % 10 * 4)
}

/// Lot of a row's resource: it lasts for five hundred jobs, of which fifty take the resource.
pub(crate) fn lot(row: u64) -> String {
    format!("{}-{:04}", resource(row), row / 20 / 500)
}

/// Rows of a stream.
pub(crate) fn rows(stream: &str, schema: &SchemaRef, rows: Range<u64>) -> Result<Emission, ArrowError> {
    let columns = schema.fields().iter().map(|field| {
        if field.is_nullable() && !TOLD.contains(&field.name().as_str()) {
            return Ok(new_null_array(field.data_type(), (rows.end - rows.start) as usize));
        }
        cast(&column(field.name(), field.data_type(), rows.clone()), field.data_type())
    });
    let rows = RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?;
    Ok(Emission { stream: stream.into(), rows })
}

/// What stands in a column, before it has the column's type.
fn column(name: &str, kind: &DataType, rows: Range<u64>) -> ArrayRef {
    let text = |row: u64| match name {
        // In no order, as hashes are.
        "id" => {
            format!("{:032x}", u128::from(row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
        }
        "row_id" => format!("{row:032x}"),
        "site" => "S1".to_owned(),
        "bay" => format!("bay-{:02}", row / 20 % 40),
        "job" => job(row),
        "step" => format!("S{:02}", row % 20 / 4),
        "resource" => resource(row),
        "lot" => lot(row),
        "severity" => ["critical", "high", "medium", "low"][(row % 4) as usize].to_owned(),
        "state" if row.is_multiple_of(1_000) => "held".to_owned(),
        "state" => "posted".to_owned(),
        "unit" => "L".to_owned(),
        "evidence" => format!("[{row}]"),
        other => format!("{other} {}", row % 100),
    };
    match kind {
        DataType::Boolean => Arc::new(rows.map(|_| Some(true)).collect::<BooleanArray>()),
        DataType::Float64 => Arc::new(rows.map(|row| row as f64 / 8.0).collect::<Float64Array>()),
        DataType::Timestamp(..) => {
            // One in ten thousand is open.
            let is_open = |row: u64| name == "cleared" && row.is_multiple_of(10_000);
            let time = |row: u64| (!is_open(row)).then(|| START_MS + row.cast_signed() * ROW_MS);
            Arc::new(rows.map(time).collect::<Int64Array>())
        }
        DataType::UInt32 | DataType::UInt64 | DataType::Int64 => {
            let number = |row: u64| if name == "line" { row % 20 + 1 } else { 1 };
            Arc::new(rows.map(number).collect::<UInt64Array>())
        }
        _ => Arc::new(rows.map(|row| Some(text(row))).collect::<StringArray>()),
    }
}
