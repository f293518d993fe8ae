//! A stream's columns: as rows come in, as a file holds them, and how each is encoded.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::chunk::ZSTD_LEVEL;

/// The column that stands in the path and not in the file.
pub(super) const SITE: &str = "site";

/// Rows of a row group: large enough for dictionaries to pay, small enough to be held in memory.
pub(super) const GROUP_ROWS_MAX: usize = 32_768;

/// A dictionary that grows larger is given up: of values that hardly repeat, it costs more to find them than it saves.
const DICTIONARY_BYTES_MAX: usize = 128 << 10;

/// A stream and how its rows become files.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    /// The column whose UTC day is the `date` of the path.
    pub(super) time_column: String,
    pub(super) shape: Arc<Shape>,
}

/// What writers and readers of a stream's files share.
#[derive(Debug)]
pub(super) struct Shape {
    /// Without `site`; names as `Dictionary(UInt32, Utf8)`.
    pub(super) rows: SchemaRef,
    pub(super) parquet: Arc<SchemaDescriptor>,
    pub(super) properties: WriterPropertiesPtr,
}

impl Shape {
    /// Errors if a column's type has no place in Parquet.
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        let kept = || schema.fields().iter().filter(|field| field.name() != SITE);
        let rows: Vec<Field> = kept().map(|field| retyped(field, row_type(field.data_type()))).collect();
        let file: Vec<Field> = kept().map(|field| retyped(field, file_type(field.data_type()))).collect();
        let file = Schema::new(file);
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("andon ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            // A row group's bounds are all a reader needs here: rows stand in order of arrival, so pages of
            // one row group differ in nothing but time.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
            .set_data_page_row_count_limit(GROUP_ROWS_MAX)
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX));
        for field in file.fields() {
            let path = ColumnPath::from(field.name().as_str());
            if is_prose(field) {
                properties = properties
                    .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
        }
        let mut properties = properties.build();
        add_encoded_arrow_schema_to_metadata(&file, &mut properties);
        let parquet = ArrowSchemaConverter::new().convert(&file)?;
        Ok(Shape {
            rows: Arc::new(Schema::new(rows)),
            parquet: Arc::new(parquet),
            properties: Arc::new(properties),
        })
    }

    /// The batch's columns by name, as [`Shape::rows`] has them. Errors name the column.
    pub(super) fn fit(&self, batch: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let columns = self.rows.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).ok_or_else(|| {
                ArrowError::SchemaError(format!("the rows have no column `{}`", field.name()))
            })?;
            fit_type(column, field.data_type())
        });
        RecordBatch::try_new(Arc::clone(&self.rows), columns.collect::<std::result::Result<_, _>>()?)
    }
}

fn fit_type(column: &ArrayRef, kind: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    if column.data_type() == kind { Ok(Arc::clone(column)) } else { cast(column, kind) }
}

fn retyped(field: &Field, kind: DataType) -> Field {
    field.clone().with_data_type(kind)
}

fn is_name(kind: &DataType) -> bool {
    matches!(kind, DataType::Dictionary(_, value) if matches!(**value, DataType::Utf8 | DataType::LargeUtf8))
}

fn row_type(kind: &DataType) -> DataType {
    if is_name(kind) {
        DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
    } else {
        file_type(kind)
    }
}

/// Plain text for dictionaries: a reader that honours the embedded Arrow schema and one that does not see the same.
fn file_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, value) => file_type(value),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    }
}

/// Text that never repeats: a dictionary would only hash it, and its bounds would spare no reader anything.
pub(super) fn is_id(field: &Field) -> bool {
    matches!(field.name().as_str(), "row_id" | "id")
}

/// Long text of its own in each row; everything else that the parquet crate encodes is best off with its
/// dictionary, since sensor values have few digits.
fn is_prose(field: &Field) -> bool {
    matches!(field.name().as_str(), "payload" | "evidence" | "text" | "detail")
}
