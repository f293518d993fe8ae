//! A column chunk made by hand: pages, statistics and what the file's footer says of them.
//!
//! The parquet crate writes what is general. It hashes every single value of a dictionary array, though,
//! and Andon's rows are mostly names that repeat; the encoders beside this file hand in finished values.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};

use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::hybrid;

/// zstd's level for all columns: higher ones cost more than they save on sensor values.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// Reused from page to page: a fresh one costs more than a small page.
pub(super) type Compressor = zstd::bulk::Compressor<'static>;

/// Below this share of saved bytes, reading is worth more than space: the chunk stays uncompressed.
const WORTH_COMPRESSING: f64 = 0.95;

/// A finished column chunk, ready for `append_column`.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) close: ColumnCloseResult,
}

/// What a column encoder hands in.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) column: &'a ColumnDescPtr,
    pub(super) present: &'a Presence,
    /// PLAIN-encoded values and their count.
    pub(super) dictionary: Option<(Vec<u8>, usize)>,
    /// The present values in `encoding`.
    pub(super) values: &'a [u8],
    pub(super) encoding: Encoding,
    pub(super) statistics: Option<Statistics>,
}

/// Which rows of a chunk have a value. Costs nothing while all have one, or none.
#[derive(Debug, Default)]
pub(super) struct Presence {
    rows: usize,
    nulls: usize,
    /// One level a row, from the first row on that differs from the rows before.
    levels: Vec<u32>,
}

impl Presence {
    /// Adds `count` rows that all have a value, or all have none.
    pub(super) fn push(&mut self, is_present: bool, count: usize) {
        let uniform = if is_present { self.nulls == 0 } else { self.nulls == self.rows };
        if !uniform || !self.levels.is_empty() {
            if self.levels.is_empty() {
                self.levels.resize(self.rows, u32::from(self.nulls == 0));
            }
            self.levels.resize(self.rows + count, u32::from(is_present));
        }
        self.rows += count;
        if !is_present {
            self.nulls += count;
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn nulls(&self) -> usize {
        self.nulls
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.levels.capacity() * 4
    }

    /// Appends the definition levels as version 1 pages want them: length, then runs.
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        if self.levels.is_empty() {
            hybrid::repeat(u32::from(self.nulls == 0), self.rows, 1, out);
        } else {
            hybrid::encode(&self.levels, 1, out);
        }
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Puts a chunk together: one dictionary page if there is a dictionary, one data page, compressed if that helps.
pub(super) fn assemble(content: Content<'_>, compressor: &mut Compressor) -> Result<Chunk> {
    let Content { column, present, dictionary, values, encoding, statistics } = content;
    let mut page = Vec::with_capacity(values.len() + 16);
    if column.max_def_level() > 0 {
        present.encode(&mut page);
    }
    page.extend_from_slice(values);
    let mut pages = vec![&page];
    if let Some((dictionary, _)) = &dictionary {
        pages.push(dictionary);
    }
    let mut packed = Vec::with_capacity(pages.len());
    for bytes in &pages {
        packed.push(compressor.compress(bytes).map_err(|error| ParquetError::External(Box::new(error)))?);
    }
    let raw_bytes: usize = pages.iter().map(|page| page.len()).sum();
    let packed_bytes: usize = packed.iter().map(Vec::len).sum();
    let (raw_page_bytes, raw_dictionary_bytes) = (page.len(), dictionary.as_ref().map_or(0, |d| d.0.len()));
    let is_compressed = (packed_bytes as f64) < raw_bytes as f64 * WORTH_COMPRESSING;
    let compression = if is_compressed {
        Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?)
    } else {
        Compression::UNCOMPRESSED
    };
    let mut packed = packed.into_iter();
    let mut choose = |raw: Vec<u8>| match packed.next() {
        Some(packed) if is_compressed => Bytes::from(packed),
        _ => Bytes::from(raw),
    };
    let page = choose(page);
    let dictionary = dictionary.map(|(bytes, count)| (choose(bytes), count));

    let rows = present.rows();
    let mut sink = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut sink);
    let mut encodings = vec![Encoding::RLE, encoding];
    let mut page_stats = Vec::new();
    let (mut raw_size, mut dictionary_offset, mut data_offset) = (0, None, 0);
    if let Some((buf, count)) = dictionary {
        let page = Page::DictionaryPage {
            buf,
            num_values: u32::try_from(count).unwrap_or(u32::MAX),
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let spec = writer.write_page(CompressedPage::new(page, raw_dictionary_bytes))?;
        raw_size += spec.uncompressed_size;
        dictionary_offset = Some(0);
        data_offset = i64::try_from(spec.compressed_size).unwrap_or(i64::MAX);
        encodings.push(Encoding::PLAIN);
        page_stats.push(PageEncodingStats {
            page_type: PageType::DICTIONARY_PAGE,
            encoding: Encoding::PLAIN,
            count: 1,
        });
    }
    let page = Page::DataPage {
        buf: page,
        num_values: u32::try_from(rows).unwrap_or(u32::MAX),
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let spec = writer.write_page(CompressedPage::new(page, raw_page_bytes))?;
    raw_size += spec.uncompressed_size;
    page_stats.push(PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count: 1 });
    writer.close()?;
    let bytes = Bytes::from(sink.into_inner()?);
    let mut metadata = ColumnChunkMetaData::builder(column.clone())
        .set_compression(compression)
        .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
        .set_page_encoding_stats(page_stats)
        .set_total_compressed_size(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        .set_total_uncompressed_size(i64::try_from(raw_size).unwrap_or(i64::MAX))
        .set_num_values(i64::try_from(rows).unwrap_or(i64::MAX))
        .set_dictionary_page_offset(dictionary_offset)
        .set_data_page_offset(data_offset);
    if let Some(statistics) = statistics {
        metadata = metadata.set_statistics(statistics);
    }
    let metadata = metadata.build()?;
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    Ok(Chunk { bytes, close })
}
