//! The files of a stream, `DIR/STREAM/date=…/site=…/*.parquet`, and what their footers say.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::HistoryError;
use crate::schema;

/// Times from (within) and to (not within), ms since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub from_ms: i64,
    pub to_ms: i64,
}

impl Span {
    /// All of history.
    pub(crate) const ALL: Span = Span { from_ms: i64::MIN, to_ms: i64::MAX };

    /// Whether it holds a time.
    #[inline]
    #[must_use]
    pub(crate) fn holds(self, time_ms: i64) -> bool {
        self.from_ms <= time_ms && time_ms < self.to_ms
    }
}

/// A file of a partition.
#[derive(Clone, Debug)]
pub(super) struct PartFile {
    pub path: PathBuf,
    /// Of the folder; the column is not in the file.
    pub site: Box<str>,
}

/// A row group of it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub file: Arc<PartFile>,
    pub index: usize,
    pub rows: u64,
    /// No row of it has an older message.
    pub least_message: u64,
}

/// The row groups of a stream that can hold rows of a span, and optionally of one site, in the order of their files.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamFiles {
    pub(super) groups: Vec<Group>,
    /// Whether the stream has any row at all, in the span or not.
    pub(crate) has_rows: bool,
    pub(super) span: Option<Span>,
}

impl StreamFiles {
    /// Finds them. A stream that has no folder has no rows.
    ///
    /// # Errors
    /// A file that cannot be read, or that has other columns than `expected`.
    pub(crate) fn find(
        history: &Path,
        stream: &str,
        expected: &SchemaRef,
        time_column: &str,
        span: Span,
        site: Option<&str>,
    ) -> Result<StreamFiles, HistoryError> {
        let mut files = StreamFiles { span: Some(span), ..StreamFiles::default() };
        for (path, date, of_site) in partitions(&history.join(stream))? {
            files.has_rows = true;
            if site.is_some_and(|site| *site != *of_site) || !is_of_span(&date, span) {
                continue;
            }
            let mut parts: Vec<PathBuf> =
                entries(&path)?.into_iter().filter(|path| is_parquet(path)).collect();
            parts.sort();
            for path in parts {
                files.add(PartFile { path, site: of_site.clone() }, expected, time_column, span)?;
            }
        }
        Ok(files)
    }

    fn add(
        &mut self,
        file: PartFile,
        expected: &SchemaRef,
        time_column: &str,
        span: Span,
    ) -> Result<(), HistoryError> {
        let (_, metadata) = open(&file.path)?;
        check(&file.path, metadata.schema(), expected)?;
        let file = Arc::new(file);
        for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
            let times = bounds(group, time_column);
            if times.is_some_and(|(least, most)| most < span.from_ms || span.to_ms <= least) {
                continue;
            }
            self.groups.push(Group {
                file: Arc::clone(&file),
                index,
                rows: u64::try_from(group.num_rows()).unwrap_or_default(),
                least_message: bounds(group, "message").map_or(0, |(least, _)| least.cast_unsigned()),
            });
        }
        Ok(())
    }

    /// How many rows the row groups have.
    #[must_use]
    pub(crate) fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }
}

/// Opens a file of exports: names as dictionaries, the rest as written.
pub(super) fn open(path: &Path) -> Result<(File, ArrowReaderMetadata), HistoryError> {
    let file = File::open(path).map_err(|error| HistoryError::unreadable(path, error))?;
    let plain = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
    let plain = plain.map_err(|error| HistoryError::unreadable(path, error))?;
    let is_name = |field: &Field| *field.data_type() == DataType::Utf8 && !is_prose(field.name());
    let fields = plain.schema().fields().iter().map(|field| {
        if is_name(field) {
            Arc::new(field.as_ref().clone().with_data_type(schema::name()))
        } else {
            Arc::clone(field)
        }
    });
    let hinted = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(hinted);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options);
    Ok((file, metadata.map_err(|error| HistoryError::unreadable(path, error))?))
}

/// Text that does not repeat from row to row.
fn is_prose(column: &str) -> bool {
    matches!(
        column,
        "row_id" | "id" | "text" | "message" | "evidence" | "overlaps" | "after_open" | "detail" | "topic"
    )
}

/// Whether a file holds what rules read.
fn check(path: &Path, found: &Schema, expected: &SchemaRef) -> Result<(), HistoryError> {
    let kind = |kind: &DataType| match kind {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    };
    for field in expected.fields().iter().filter(|field| field.name() != "site") {
        let wrong = match found.field_with_name(field.name()) {
            Err(_) if schema::LATER_COLUMNS.contains(&field.name().as_str()) => continue,
            Err(_) => format!("has no column `{}`", field.name()),
            Ok(column) if kind(column.data_type()) == kind(field.data_type()) => continue,
            Ok(column) => format!(
                "has column `{}` as {}, not {}",
                field.name(),
                kind(column.data_type()),
                kind(field.data_type())
            ),
        };
        return Err(HistoryError::new(
            format!("{} {wrong}: it is no export of this version", path.display()),
            "name a folder that a service or `andon replay --out` of this version has written",
        ));
    }
    Ok(())
}

/// Least and most of an integer column, where the footer says so.
fn bounds(group: &RowGroupMetaData, column: &str) -> Option<(i64, i64)> {
    let column = group.columns().iter().find(|chunk| chunk.column_path().string() == column)?;
    match column.statistics()? {
        Statistics::Int64(bounds) => Some((*bounds.min_opt()?, *bounds.max_opt()?)),
        _ => None,
    }
}

/// Folders of a stream with their date and site, by date, then site.
fn partitions(stream: &Path) -> Result<Vec<(PathBuf, String, Box<str>)>, HistoryError> {
    let mut found = Vec::new();
    if !stream.is_dir() {
        return Ok(found);
    }
    for date in entries(stream)? {
        let Some(value) = value_of(&date, "date=") else { continue };
        for site in entries(&date)? {
            if let Some(site_value) = value_of(&site, "site=") {
                found.push((site, value.clone(), decoded(&site_value).into()));
            }
        }
    }
    found.sort_by(|one, other| (&one.1, &one.2).cmp(&(&other.1, &other.2)));
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let unreadable = |error| HistoryError::unreadable(folder, error);
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable)).collect()
}

fn value_of(folder: &Path, key: &str) -> Option<String> {
    let name = folder.file_name()?.to_string_lossy().into_owned();
    name.strip_prefix(key).filter(|_| folder.is_dir()).map(str::to_owned)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet")
}

/// Hive's escapes taken back; the name of "no value" is empty.
fn decoded(value: &str) -> String {
    if value == "__HIVE_DEFAULT_PARTITION__" {
        return String::new();
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a day touches the span; what is no day does.
fn is_of_span(date: &str, span: Span) -> bool {
    let Ok(day) = date.parse::<jiff::civil::Date>() else { return true };
    let Ok(start) = day.to_zoned(jiff::tz::TimeZone::UTC) else { return true };
    let start_ms = start.timestamp().as_millisecond();
    start_ms < span.to_ms && span.from_ms < start_ms.saturating_add(86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_read_back_as_it_was() {
        assert_eq!(decoded("a%2F..%2Fb%3Dc%25"), "a/../b=c%");
        assert_eq!(decoded("Zürich 1"), "Zürich 1");
        assert_eq!(decoded("50%"), "50%");
        assert_eq!(decoded("__HIVE_DEFAULT_PARTITION__"), "");
    }

    #[test]
    fn only_days_that_touch_the_span_are_read() {
        let noon_ms = 1_767_614_400_000;
        let span = Span { from_ms: noon_ms, to_ms: noon_ms + 1 };
        let days = ["2026-01-04", "2026-01-05", "2026-01-06", "__HIVE_DEFAULT_PARTITION__"];
        assert_eq!(days.map(|day| is_of_span(day, span)), [false, true, false, true]);
    }
}
