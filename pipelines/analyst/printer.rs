//! Rows as text, a table for people, CSV and JSON for programs, as they are in memory, as an Arrow stream, or as one hash.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::LineDelimited;
use arrow::util::pretty::pretty_format_batches_with_schema;

use crate::digest::Digest;

/// What rows are called in a hash: they are of no stream.
const ROWS: &str = "rows";

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    /// One line: a hash that is equal for equal rows, in whatever order they come, as `output_hash` of a replay is.
    Hash,
    /// An Arrow IPC stream.
    #[value(skip)]
    Arrow,
}

/// Prints batch after batch. A table waits for the last one, since its columns are as wide as their widest value.
pub struct Printer<W> {
    format: Format,
    schema: SchemaRef,
    out: W,
    /// Of a table.
    batches: Vec<RecordBatch>,
    /// Rows printed before, as CSV or JSON.
    rows: usize,
    digest: Digest,
    text: Vec<u8>,
    /// Of an Arrow stream: writes into memory, which is then handed on.
    stream: Option<StreamWriter<Vec<u8>>>,
}

impl<W> std::fmt::Debug for Printer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<W: Write> Printer<W> {
    /// Begins: a CSV has its head even without rows.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn begin(format: Format, schema: SchemaRef, out: W) -> Result<Self, ArrowError> {
        let digest = Digest::default();
        let (batches, text) = (Vec::new(), Vec::new());
        let mut printer = Printer { format, schema, out, batches, rows: 0, digest, text, stream: None };
        match format {
            Format::Table | Format::Hash => {}
            Format::Csv => {
                let head = RecordBatch::new_empty(printer.schema.clone());
                printer.csv(&head, true)?;
            }
            Format::Json => printer.out.write_all(b"[")?,
            Format::Arrow => printer.stream = Some(StreamWriter::try_new(Vec::new(), &printer.schema)?),
        }
        Ok(printer)
    }

    /// Prints the rows of `batch` behind those before.
    ///
    /// # Errors
    /// A type that has no text, or `out` cannot be written to.
    pub fn print(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        match self.format {
            Format::Table => self.batches.push(batch),
            Format::Csv => self.csv(&batch, false)?,
            Format::Json => self.json(&batch)?,
            Format::Hash => self.digest.take(&ROWS.into(), &batch)?,
            Format::Arrow => self.arrow(|stream| stream.write(&batch))?,
        }
        Ok(())
    }

    /// Prints what is left.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub fn end(mut self) -> Result<W, ArrowError> {
        match self.format {
            Format::Table => {
                let table = pretty_format_batches_with_schema(self.schema.clone(), &self.batches)?;
                writeln!(self.out, "{table}")?;
            }
            Format::Csv => {}
            Format::Json => writeln!(self.out, "]")?,
            Format::Hash => writeln!(self.out, "{}", self.digest.finish())?,
            Format::Arrow => self.arrow(StreamWriter::finish)?,
        }
        Ok(self.out)
    }

    fn arrow(
        &mut self,
        write: impl FnOnce(&mut StreamWriter<Vec<u8>>) -> Result<(), ArrowError>,
    ) -> Result<(), ArrowError> {
        let stream = self.stream.as_mut().expect("made at the beginning");
        write(stream)?;
        self.out.write_all(stream.get_ref())?;
        stream.get_mut().clear();
        Ok(())
    }

    /// Where it is printed to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    fn csv(&mut self, batch: &RecordBatch, has_head: bool) -> Result<(), ArrowError> {
        self.text.clear();
        let mut writer = arrow::csv::WriterBuilder::new().with_header(has_head).build(&mut self.text);
        writer.write(&flat(batch)?)?;
        drop(writer);
        Ok(self.out.write_all(&self.text)?)
    }

    /// An array of its own for each batch would be no JSON, so its brackets are left out.
    fn json(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.text.clear();
        let mut writer = arrow::json::ArrayWriter::new(&mut self.text);
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        let objects = self.text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
        if self.rows > 0 {
            self.out.write_all(b",\n")?;
        }
        self.rows += batch.num_rows();
        Ok(self.out.write_all(objects.unwrap_or_default())?)
    }
}

/// The same rows with JSON texts where values have parts, such as tags: a CSV has no other place for them.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = if field.data_type().is_nested() { json_texts(column)? } else { column.clone() };
        Ok((field.name(), column, true))
    });
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    RecordBatch::try_from_iter_with_nullable(columns)
}

fn json_texts(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let alone = RecordBatch::try_from_iter_with_nullable([("", column.clone(), true)])?;
    let mut lines = Vec::new();
    let writer = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = writer.build::<_, LineDelimited>(&mut lines);
    writer.write(&alone)?;
    writer.finish()?;
    drop(writer);
    // A line is `{"":…}`.
    let lines = String::from_utf8_lossy(&lines);
    let text = |line: &str| line.strip_prefix("{\"\":")?.strip_suffix('}').map(str::to_owned);
    let texts = lines.lines().map(text).map(|text| text.filter(|text| text != "null"));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, MapBuilder, StringBuilder};

    use super::*;

    fn rows(names: &[&str]) -> RecordBatch {
        let counts: Int64Array = names.iter().map(|name| name.len() as i64).collect();
        let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        RecordBatch::try_from_iter([("name", names), ("letters", Arc::new(counts))]).expect("two columns")
    }

    fn printed(format: Format, batches: &[RecordBatch]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::begin(format, rows(&[]).schema(), &mut out).expect("begins");
        for batch in batches {
            printer.print(batch.clone()).expect("prints");
        }
        printer.end().expect("ends");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn batches_are_one_answer() {
        let batches = [rows(&["bay", "lift"]), rows(&[]), rows(&["a,b"])];
        assert_eq!(printed(Format::Csv, &batches), "name,letters\nbay,3\nlift,4\n\"a,b\",3\n");
        let json: serde_json::Value =
            serde_json::from_str(&printed(Format::Json, &batches)).expect("one JSON value");
        assert_eq!(json.as_array().map(Vec::len), Some(3));
        assert_eq!((&json[0]["name"], &json[2]["letters"]), (&"bay".into(), &3.into()));
        assert_eq!(printed(Format::Table, &batches).matches("name").count(), 1);
    }

    #[test]
    fn equal_rows_have_one_hash_in_whatever_order_they_come() {
        let batches = [rows(&["bay", "lift"]), rows(&["a,b"])];
        let hash = printed(Format::Hash, &batches);
        assert_eq!(hash.trim().len(), 64, "{hash}");
        assert_eq!(hash, printed(Format::Hash, &[rows(&["a,b", "lift", "bay"])]));
        assert_ne!(hash, printed(Format::Hash, &batches[..1]));
    }

    #[test]
    fn an_answer_without_rows_has_its_columns() {
        assert_eq!(printed(Format::Csv, &[]), "name,letters\n");
        assert_eq!(printed(Format::Json, &[]), "[]\n");
        assert!(printed(Format::Table, &[]).contains("| name | letters |"));
    }

    #[test]
    fn tags_stand_in_a_csv_as_json() {
        let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        tags.keys().append_value("joint");
        tags.values().append_value("J1");
        tags.append(true).expect("a row");
        tags.append(false).expect("a row without tags");
        let tags: ArrayRef = Arc::new(tags.finish());
        let batch = RecordBatch::try_from_iter_with_nullable([("tags", tags, true)]).expect("a column");
        let mut out = Vec::new();
        let mut printer = Printer::begin(Format::Csv, batch.schema(), &mut out).expect("begins");
        printer.print(batch).expect("prints");
        printer.end().expect("ends");
        assert_eq!(String::from_utf8_lossy(&out), "tags\n\"{\"\"joint\"\":\"\"J1\"\"}\"\n\"\"\n");
    }
}
