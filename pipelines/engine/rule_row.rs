//! A row of a rule's SQL, as far as exceptions speak of it.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimestampMillisecondType, UInt32Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};

/// The fields that exceptions have columns for, and all columns as text for the message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RuleRow {
    pub row_id: String,
    /// Event time: `ts`, or the end of the window.
    pub ts_ms: i64,
    pub site: String,
    pub bay: Option<String>,
    pub tool: Option<String>,
    pub job: Option<String>,
    pub step: Option<String>,
    pub value: Option<f64>,
    pub limit_min: Option<f64>,
    pub limit_max: Option<f64>,
    pub window: Option<(i64, i64)>,
    /// Watermark of its bay when it was judged.
    pub watermark_ms: Option<i64>,
    /// Arrival of the last row before a silence.
    pub last_arrived_ms: Option<i64>,
    /// How often it is usually heard, of rules that go by that.
    pub usual_interval_ms: Option<i64>,
    /// Every column by name, as people read it.
    pub columns: Vec<(String, String)>,
}

impl RuleRow {
    /// Row `row` of a rule's output.
    #[must_use]
    pub(super) fn new(rows: &RecordBatch, row: usize, row_id: String, ts_ms: i64) -> Self {
        let text = |name: &str| rows.column_by_name(name).and_then(|column| text_of(column.as_ref(), row));
        let number = |names: [&str; 2]| {
            names
                .iter()
                .find_map(|name| rows.column_by_name(name).and_then(|column| number_of(column.as_ref(), row)))
        };
        let fields = rows.schema();
        let columns = fields.fields().iter().zip(rows.columns());
        RuleRow {
            row_id,
            ts_ms,
            site: text("site").unwrap_or_default(),
            bay: text("bay"),
            tool: text("tool"),
            job: text("job"),
            step: text("step"),
            value: number(["value", "quantity"]),
            limit_min: number(["limit_min", "spec_min"]),
            limit_max: number(["limit_max", "spec_max"]),
            window: None,
            watermark_ms: None,
            last_arrived_ms: None,
            usual_interval_ms: None,
            columns: columns
                .map(|(field, column)| {
                    (field.name().clone(), text_of(column.as_ref(), row).unwrap_or_else(|| "–".into()))
                })
                .collect(),
        }
    }

    /// What a verdict on this row rests on.
    #[must_use]
    pub(super) fn evidence(&self) -> Map<String, Value> {
        let mut evidence = Map::new();
        if let Some((start_ms, end_ms)) = self.window {
            evidence.insert("window_start_ms".into(), json!(start_ms));
            evidence.insert("window_end_ms".into(), json!(end_ms));
        }
        if let Some(watermark_ms) = self.watermark_ms {
            evidence.insert("watermark_ms".into(), json!(watermark_ms));
        }
        if let Some(last_arrived_ms) = self.last_arrived_ms {
            evidence.insert("last_arrived_ms".into(), json!(last_arrived_ms));
        }
        if let Some(usual_interval_ms) = self.usual_interval_ms {
            evidence.insert("usual_interval_ms".into(), json!(usual_interval_ms));
        }
        evidence.insert("limits".into(), json!([self.limit_min, self.limit_max]));
        if self.window.is_none() {
            evidence.insert("rows".into(), json!([self.row_id]));
        }
        evidence.insert(
            "columns".into(),
            json!(self.columns.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()),
        );
        evidence
    }
}

/// A cell as text, numbers with at most four decimals; `None` for null.
#[must_use]
pub(super) fn text_of(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    if let Some(name) = name_of(column, row) {
        return Some(name.to_owned()).filter(|name| !name.is_empty());
    }
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        let value = (floats.value(row) * 1e4).round() / 1e4;
        return Some(value.to_string());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).ok()?;
    // A dictionary may point at a null.
    Some(formatter.value(row).to_string()).filter(|text| !text.is_empty())
}

/// The names of a group's key, parted by slashes.
#[must_use]
pub(super) fn key_text(keys: &RecordBatch, row: usize) -> String {
    let mut text = String::new();
    put_key_text(keys, row, &mut text);
    text
}

/// The same, in place of what is in `text`.
pub(super) fn put_key_text(keys: &RecordBatch, row: usize, text: &mut String) {
    text.clear();
    for (place, column) in keys.columns().iter().enumerate() {
        if place > 0 {
            text.push('/');
        }
        match name_of(column.as_ref(), row) {
            Some(name) => text.push_str(name),
            None => text.push_str(&text_of(column.as_ref(), row).unwrap_or_default()),
        }
    }
}

/// A cell of a column of texts, or of names in a dictionary; nothing for null.
fn name_of(column: &dyn Array, row: usize) -> Option<&str> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.is_valid(row).then(|| texts.value(row));
    }
    let names = column.as_dictionary_opt::<UInt32Type>()?;
    let texts = names.values().as_string_opt::<i32>()?;
    let place = names.keys().is_valid(row).then(|| names.keys().value(row) as usize)?;
    texts.is_valid(place).then(|| texts.value(place))
}

/// A cell as a number, if it is one.
#[must_use]
pub(super) fn number_of(column: &dyn Array, row: usize) -> Option<f64> {
    if column.is_null(row) || !(column.data_type().is_numeric() || column.data_type() == &DataType::Boolean) {
        return None;
    }
    let cell = cast(&column.slice(row, 1), &DataType::Float64).ok()?;
    Some(cell.as_primitive::<Float64Type>().value(0))
}

/// A cell as milliseconds since 1970, if it is a time.
#[must_use]
pub(super) fn time_of(column: &dyn Array, row: usize) -> Option<i64> {
    if column.is_null(row) || !matches!(column.data_type(), DataType::Timestamp(..)) {
        return None;
    }
    let zone = DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, Some("UTC".into()));
    let cell = cast(&column.slice(row, 1), &zone).ok()?;
    Some(cell.as_primitive::<TimestampMillisecondType>().value(0))
}
