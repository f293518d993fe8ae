//! The tables and how a stream's columns fill them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use super::connection::Dialect;

mod functions;
mod hash;
mod ledgers;

pub(super) use hash::RowHash;

/// A stream that the store keeps.
#[derive(Debug)]
pub(super) struct Table {
    /// Name of the stream and of the table.
    pub(super) name: &'static str,
    /// In the order in which their values are hashed.
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
    name: &'static str,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    /// A text that is JSON, and stays as it is to the letter.
    Json,
    Integer,
    /// 0 or 1 in SQLite.
    Flag,
    Real,
    /// `x` in the stream and in PostgreSQL; ms since 1970 and named `x_ms` in SQLite.
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
const fn json(name: &'static str) -> Column {
    Column { name, kind: Kind::Json }
}
const fn flag(name: &'static str) -> Column {
    Column { name, kind: Kind::Flag }
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
pub(super) const TABLES: [Table; 11] = {
    let [exceptions, usage, steps, checks] = ledgers::LEDGERS;
    let [job_cards, job_steps, inspections, invoice_lines, queue_items] = functions::FUNCTIONS;
    [
        exceptions,
        usage,
        steps,
        checks,
        job_cards,
        job_steps,
        inspections,
        invoice_lines,
        queue_items,
        ledgers::BALANCES,
        ledgers::LEDGER,
    ]
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

    /// Moves the staged rows of an epoch to where they are seen. Of several with one key the last of the newest counts.
    pub(super) fn move_statement(&self, dialect: Dialect, epoch: i64) -> String {
        let Table { name, on_conflict, .. } = self;
        let (columns, key) = (self.column_names(dialect), self.key(dialect));
        let newest = match on_conflict {
            OnConflict::Nothing => format!("staged_{name} WHERE epoch = {epoch}"),
            OnConflict::Replace | OnConflict::Newer => {
                let revision = if let OnConflict::Newer = on_conflict { "revision DESC, " } else { "" };
                format!(
                    "(SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {revision}position DESC) AS place \
                     FROM staged_{name} WHERE epoch = {epoch}) AS staged WHERE place = 1"
                )
            }
        };
        format!(
            "INSERT INTO {name} ({columns}, epoch) SELECT {columns}, epoch FROM {newest} ORDER BY position \
             ON CONFLICT ({key}) DO {};",
            self.on_conflict(dialect)
        )
    }

    /// What stands behind ON CONFLICT and the key.
    fn on_conflict(&self, dialect: Dialect) -> String {
        let Table { name, on_conflict, .. } = self;
        let others = self.columns.iter().filter(|column| !self.is_key(column));
        let others = others.map(|column| column.name(dialect));
        let set: Vec<String> = others
            .chain(["epoch".to_owned()])
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let set = set.join(", ");
        match on_conflict {
            OnConflict::Nothing => "NOTHING".to_owned(),
            OnConflict::Replace => format!("UPDATE SET {set}"),
            OnConflict::Newer => format!("UPDATE SET {set} WHERE excluded.revision >= {name}.revision"),
        }
    }

    /// Whether it is a part of the key.
    pub(super) fn is_key(&self, column: &Column) -> bool {
        self.key
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .any(|word| word == column.name)
    }

    pub(super) fn key(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => self.key.to_owned(),
            Dialect::Postgres => self.key.replace("ifnull", "coalesce").replace("_ms", ""),
        }
    }

    /// Names of all columns, with commas.
    pub(super) fn column_names(&self, dialect: Dialect) -> String {
        self.columns.iter().map(|column| column.name(dialect)).collect::<Vec<_>>().join(", ")
    }

    /// What to read in place of the table, so that both databases give the same: times in ms, flags as 0 and 1.
    pub(super) fn as_read(&self, dialect: Dialect) -> String {
        let name = self.name;
        match dialect {
            Dialect::Sqlite => name.to_owned(),
            Dialect::Postgres => {
                format!("(SELECT {}, epoch FROM {name}) AS {name}", self.columns_as_read(dialect))
            }
        }
    }

    /// The columns of the same, for a question that finds its rows by an index.
    pub(super) fn columns_as_read(&self, dialect: Dialect) -> String {
        if let Dialect::Sqlite = dialect {
            return self.column_names(dialect);
        }
        let column = |column: &Column| match (column.kind, column.name(dialect)) {
            (Kind::Time, name) => format!("(extract(epoch FROM {name}) * 1000)::bigint AS {}", column.name),
            (Kind::Flag, name) => format!("{name}::int::bigint AS {name}"),
            (Kind::Json, name) => format!("{name}::text AS {name}"),
            (Kind::Text | Kind::Integer | Kind::Real, name) => name,
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

impl Column {
    /// Its name in the tables, quoted, since one is a word of PostgreSQL's.
    pub(super) fn name(&self, dialect: Dialect) -> String {
        let name = match dialect {
            Dialect::Sqlite => self.name,
            Dialect::Postgres => self.streamed(),
        };
        format!("\"{name}\"")
    }

    /// Its name in the stream.
    pub(super) fn streamed(&self) -> &'static str {
        match self.kind {
            Kind::Time => self.name.trim_end_matches("_ms"),
            _ => self.name,
        }
    }

    /// The stream's column of this name, in the type that the store takes.
    fn read(&self, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
        let name = self.streamed();
        let column = batch
            .column_by_name(name)
            .ok_or_else(|| ArrowError::SchemaError(format!("the rows have no column `{name}`")))?;
        let kind = match self.kind {
            Kind::Text | Kind::Json => DataType::Utf8,
            Kind::Integer | Kind::Flag => DataType::Int64,
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
            Kind::Text | Kind::Json => Value::Text(column.as_string::<i32>().value(row).to_owned()),
            Kind::Integer | Kind::Flag | Kind::Time => {
                Value::Integer(column.as_primitive::<Int64Type>().value(row))
            }
            Kind::Real => {
                let value = column.as_primitive::<Float64Type>().value(row);
                // SQLite has no NaN: it would store a null.
                if value.is_nan() { Value::Null } else { Value::Real(value) }
            }
        }
    }
}
