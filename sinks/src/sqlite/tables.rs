//! The tables and how a stream's columns fill them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use xxhash_rust::xxh3::Xxh3;

mod functions;
mod ledgers;

/// A stream that the store keeps.
#[derive(Debug)]
pub(super) struct Table {
    /// Name of the stream and of the table.
    pub(super) name: &'static str,
    /// Columns of the table in the migration's order.
    pub(super) columns: &'static [Column],
    /// Columns, and expressions over them, that no two rows have the same of.
    key: &'static str,
    on_conflict: OnConflict,
}

/// What a row of the same key does to the one that is there.
#[derive(Clone, Copy, Debug)]
enum OnConflict {
    /// It says the same.
    Nothing,
    /// It takes its place.
    Replace,
    /// It takes its place unless its revision is older.
    Newer,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Integer,
    Real,
    /// Named `x_ms` in the table and `x` in the stream.
    Time,
}

/// A value for the store.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}
const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer }
}
const fn real(name: &'static str) -> Column {
    Column { name, kind: Kind::Real }
}
const fn time(name: &'static str) -> Column {
    Column { name, kind: Kind::Time }
}

/// In the order in which commits fill them. A place is part of the hash of an epoch's rows, so new ones stand last.
pub(super) const TABLES: [Table; 9] = {
    let [exceptions, usage, steps, checks] = ledgers::LEDGERS;
    let [job_cards, job_steps, inspections, invoice_lines, queue_items] = functions::FUNCTIONS;
    [exceptions, usage, steps, checks, job_cards, job_steps, inspections, invoice_lines, queue_items]
};

impl Table {
    /// The rows' values in the order of [`Table::columns`]. Errors name a column that is missing or does not fit.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<Vec<Vec<Value>>, ArrowError> {
        let columns = self.columns.iter().map(|column| column.read(batch)).collect::<Result<Vec<_>, _>>()?;
        let row = |row: usize| {
            self.columns.iter().zip(&columns).map(|(column, values)| column.value(values, row)).collect()
        };
        Ok((0..batch.num_rows()).map(row).collect())
    }

    /// What stands behind ON CONFLICT.
    pub(super) fn conflict_clause(&self) -> String {
        let Table { name, key, .. } = self;
        let is_key = |column: &&Column| {
            key.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .any(|word| word == column.name)
        };
        let others = self.columns.iter().filter(|column| !is_key(column)).map(|column| column.name);
        let set: Vec<String> =
            others.chain(["epoch"]).map(|column| format!("{column} = excluded.{column}")).collect();
        let set = set.join(", ");
        match self.on_conflict {
            OnConflict::Nothing => format!("({key}) DO NOTHING"),
            OnConflict::Replace => format!("({key}) DO UPDATE SET {set}"),
            OnConflict::Newer => {
                format!("({key}) DO UPDATE SET {set} WHERE excluded.revision >= {name}.revision")
            }
        }
    }

    /// Names of all columns, with commas.
    pub(super) fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }
}

impl Column {
    /// The stream's column of this name, in the type that the store takes.
    fn read(&self, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
        let name = match self.kind {
            Kind::Time => self.name.trim_end_matches("_ms"),
            _ => self.name,
        };
        let column = batch
            .column_by_name(name)
            .ok_or_else(|| ArrowError::SchemaError(format!("the rows have no column `{name}`")))?;
        let kind = match self.kind {
            Kind::Text => DataType::Utf8,
            Kind::Integer => DataType::Int64,
            Kind::Real => DataType::Float64,
            Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
        };
        // Strict, since a number that does not fit must not turn into a null.
        let column =
            cast_with_options(column, &kind, &CastOptions { safe: false, ..CastOptions::default() })?;
        if let Kind::Time = self.kind {
            cast_with_options(&column, &DataType::Int64, &CastOptions::default())
        } else {
            Ok(column)
        }
    }

    fn value(&self, column: &ArrayRef, row: usize) -> Value {
        if column.is_null(row) {
            return Value::Null;
        }
        match self.kind {
            Kind::Text => Value::Text(column.as_string::<i32>().value(row).to_owned()),
            Kind::Integer | Kind::Time => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
            Kind::Real => {
                let value = column.as_primitive::<Float64Type>().value(row);
                // SQLite has no NaN: it would store a null.
                if value.is_nan() { Value::Null } else { Value::Real(value) }
            }
        }
    }
}

/// Hash of an epoch's rows in their order.
#[derive(Default)]
pub(super) struct RowHash(Xxh3);

impl std::fmt::Debug for RowHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text())
    }
}

impl RowHash {
    pub(super) fn add(&mut self, table: usize, row: &[Value]) {
        self.0.update(&(table as u64).to_le_bytes());
        for value in row {
            // A byte for the kind, and lengths, so that no two rows give the same bytes.
            match value {
                Value::Null => self.0.update(&[0]),
                Value::Integer(value) => {
                    self.0.update(&[1]);
                    self.0.update(&value.to_le_bytes());
                }
                Value::Real(value) => {
                    self.0.update(&[2]);
                    self.0.update(&value.to_bits().to_le_bytes());
                }
                Value::Text(value) => {
                    self.0.update(&[3]);
                    self.0.update(&(value.len() as u64).to_le_bytes());
                    self.0.update(value.as_bytes());
                }
            }
        }
    }

    /// 16 hex digits.
    pub(super) fn text(&self) -> String {
        format!("{:016x}", self.0.digest())
    }
}
